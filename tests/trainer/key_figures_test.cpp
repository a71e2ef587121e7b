// The figures beside a run's progress. Oracle: lines written by hand.
#include "trainer/key_figures.h"

#include <gtest/gtest.h>

namespace grpo {
namespace {

TEST(KeyFigures, StandInTheOrderOfTheirImportance) {
  KeyFigures figures(0);
  EXPECT_EQ(figures.after({{"grad_norm", 0.25},
                           {"loss", 0.0123},
                           {"rewards/accuracy/mean", 0.4},
                           {"completions/mean_length", 143.25},
                           {"reward", 0.51234},
                           {"num_tokens", 5000},
                           {"step_time", 4},
                           {"entropy", 1}}),
            "reward 0.512  length 143  1.25k tok/s  accuracy 0.4  loss 0.0123  grad 0.25");
  EXPECT_EQ(KeyFigures(0).after({{"loss", 2}}), "loss 2");
}

// A run that goes on counts its own tokens; a step without sampling keeps what the one before sampled, and its time counts.
TEST(KeyFigures, KeepTheirLastValueAndCountThisRunAlone) {
  KeyFigures figures(1000);
  EXPECT_EQ(figures.after({{"reward", 1}, {"num_tokens", 1600}, {"step_time", 2}}), "reward 1  300 tok/s");
  EXPECT_EQ(figures.after({{"loss", 0.5}, {"num_tokens", 1600}, {"step_time", 1}}), "reward 1  200 tok/s  loss 0.5");
  EXPECT_EQ(figures.after({{"reward", 0}, {"num_tokens", 6001600}, {"step_time", 1}}), "reward 0  1.5M tok/s  loss 0.5");
}

}  // namespace
}  // namespace grpo

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "grpo/rollout/engine.h"
#include "letter_tokenizer.h"
#include "toy_model.h"

namespace grpo {
namespace {

// Property: a completion ends with the first token after which its whole text contains a stop string, and with no other.
TEST(StopStrings, EndACompletionAcrossTokensAndKeepThem) {
  const testing::LetterTokenizer tokenizer;
  testing::ToyModel model(testing::toy_config(), 3, 0.02F);
  RolloutEngine engine(model.view, [] { return int64_t{0}; }, {.max_slots = 5});
  SamplingParams params;
  params.num_generations = 40;
  params.max_completion_length = 40;
  params.stop = {"ab", "ccc", "k"};
  GenerateContext context;
  context.tokenizer = &tokenizer;
  const std::vector<Prompt> prompts = {{.problem = 1, .ids = {4, 5, 6}}, {.problem = 2, .ids = {0}}};
  const auto contains_stop = [&](std::span<const int32_t> ids) {
    const std::string text = tokenizer.decode(ids, false);
    return std::any_of(params.stop.begin(), params.stop.end(),
                       [&](const std::string& stop) { return text.find(stop) != std::string::npos; });
  };
  int crossing = 0;
  for (const Rollout& rollout : engine.generate(prompts, params, {.seed = 6}, context)) {
    const std::span<const int32_t> ids = rollout.ids;
    EXPECT_FALSE(contains_stop(ids.first(ids.size() - 1)));
    EXPECT_EQ(contains_stop(ids), rollout.finish == FinishReason::kStopString);
    if (rollout.finish == FinishReason::kLength) {
      EXPECT_EQ(ids.size(), 40U);
    }
    crossing += contains_stop(ids) && !contains_stop(ids.last(1));
  }
  EXPECT_GT(crossing, 0);
}

}  // namespace
}  // namespace grpo

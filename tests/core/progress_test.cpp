#include "grpo/core/progress.h"

#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>

namespace {

using grpo::Progress;
using grpo::ProgressOptions;

/// Lines captured under a clock that the test sets.
struct Fixture {
  double now = 100;
  std::ostringstream out;
  ProgressOptions options(bool terminal) {
    return {.terminal = terminal, .columns = 60, .stream = &out, .clock = [this] { return now; }};
  }
};

// Oracle: hand-written lines.
TEST(Progress, PlainLinesKeepTheirInterval) {
  Fixture fixture;
  {
    Progress progress("train", 100, fixture.options(false));
    fixture.now = 101;
    progress.update(2, "loss 0.5");
    fixture.now = 105;
    progress.update(10);
    fixture.now = 111;
    progress.update(22, "loss 0.25");
    fixture.now = 112;
    progress.update(24);
  }
  EXPECT_EQ(fixture.out.str(),
            "train 2/100 (2%) 2/s ETA 0:49 | loss 0.5\n"
            "train 22/100 (22%) 2/s ETA 0:39 | loss 0.25\n"
            "train 24/100 (24%) 2/s ETA 0:38\n");
}

TEST(Progress, ATerminalLineIsRewrittenCutAndEnded) {
  Fixture fixture;
  {
    Progress progress("train", 4, fixture.options(true));
    fixture.now = 120;
    progress.update(1, std::string(18, 'x') + "\u00e9\u00e9\u00e9");
    progress.update(2);  // too soon
    fixture.now = 140;
    progress.update(4);
  }
  EXPECT_EQ(fixture.out.str(),
            "\rtrain 1/4 (25%) 20 s each ETA 1:00 | " + std::string(18, 'x') + "\u00e9\u00e9\x1b[K\rtrain 4/4 (100%) 0.1/s\x1b[K\n");
}

TEST(Progress, ResumedItemsDoNotCountInTheRate) {
  Fixture fixture;
  ProgressOptions options = fixture.options(false);
  options.initial = 50;
  Progress progress("train", 10000, options);
  fixture.now = 110;
  progress.update(60);
  EXPECT_EQ(fixture.out.str(), "train 60/10000 (1%) 1/s ETA 2:45:40\n");
}

TEST(Progress, AnUnknownTotalHasNoEta) {
  Fixture fixture;
  Progress progress("read", 0, fixture.options(false));
  progress.update(0);
  fixture.now = 110;
  progress.update(5);
  EXPECT_EQ(fixture.out.str(), "read 0\nread 5 0.5/s\n");
}

TEST(Progress, NothingDoneNothingShown) {
  Fixture fixture;
  { Progress progress("read", 3, fixture.options(true)); }
  EXPECT_EQ(fixture.out.str(), "");
}

}  // namespace

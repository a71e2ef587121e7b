#include "grpo/core/progress.h"

#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "grpo/core/log.h"

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
            "\rtrain 1/4 (25%) 20 s each ETA 1:00 | " + std::string(18, 'x') + "\u00e9\u00e9\u00e9\x1b[K\rtrain 4/4 (100%) 0.1/s\x1b[K\n");
}

/// What a terminal of that width is shown after one of two items, after a second.
std::string shown(int64_t columns, const std::string& suffix, const std::string& label = "go") {
  Fixture fixture;
  ProgressOptions options = fixture.options(true);
  options.columns = columns;
  Progress progress(label, 2, options);
  fixture.now = 101;
  progress.update(1, suffix);
  const std::string text = fixture.out.str();
  return text.substr(1, text.size() - 4);
}

// Oracle: columns counted by hand; 奖励 takes four of them, an e with a combining accent one, 🙂 two.
TEST(Progress, ATerminalLineStaysBelowTheWidth) {
  const std::string head = "go 1/2 (50%) 1/s ETA 0:01";  // 25
  EXPECT_EQ(shown(51, "reward 0.5  length 43"), head + " | reward 0.5  length 43");
  EXPECT_EQ(shown(50, "reward 0.5  length 43"), head + " | reward 0.5  length 43");
  EXPECT_EQ(shown(49, "reward 0.5  length 43"), head + " | reward 0.5");
  EXPECT_EQ(shown(39, "reward 0.5  length 43"), head + " | reward 0.5");
  EXPECT_EQ(shown(38, "reward 0.5  length 43"), head);
  EXPECT_EQ(shown(20, "reward 0.5  length 43"), head.substr(0, 19));
  EXPECT_EQ(shown(33, "奖励"), head + " | 奖励");
  EXPECT_EQ(shown(32, "奖励"), head);
  EXPECT_EQ(shown(31, "e\u0301e\u0301"), head + " | e\u0301e\u0301");
  EXPECT_EQ(shown(5, "", "奖励"), "奖励");
  EXPECT_EQ(shown(4, "", "奖励"), "奖");
  EXPECT_EQ(shown(4, "", "🙂🙂"), "🙂");
  EXPECT_EQ(shown(3, "", "e\u0301e\u0301"), "e\u0301e\u0301");
  EXPECT_EQ(shown(80, "a\nb\x1b[2Kc\u0085d", "g\to"), "g o 1/2 (50%) 1/s ETA 0:01 | a b [2Kc d");
}

TEST(Progress, IsDrawnAtTheLevelOfInformationAlone) {
  for (const auto level : {grpo::LogLevel::kWarn, grpo::LogLevel::kOff}) {
    grpo::set_log_level(level);
    EXPECT_EQ(grpo::log_level(), level);
    Fixture fixture;
    {
      Progress terminal("train", 4, fixture.options(true));
      Progress plain("train", 4, fixture.options(false));
      terminal.update(1);
      plain.update(1);
    }
    EXPECT_EQ(fixture.out.str(), "");
  }
  grpo::set_log_level(grpo::LogLevel::kInfo);
}

// A sink gets what would have been drawn, whatever the level, ten times a second at most and the last state in any case.
TEST(Progress, ASinkTakesThePlaceOfTheLine) {
  std::vector<grpo::ProgressState> states;
  grpo::set_progress_sink([&states](const grpo::ProgressState& state) {
    states.push_back(state);
    throw 42;  // has no part in the work
  });
  grpo::set_log_level(grpo::LogLevel::kOff);
  Fixture fixture;
  {
    Progress progress("train", 100, fixture.options(false));
    progress.update(0, "reward 0");
    fixture.now = 102;
    progress.update(10, "reward 0.5  length 43");
    fixture.now = 102.05;
    progress.update(11);
    progress.update(12, "last");
  }
  grpo::set_log_level(grpo::LogLevel::kInfo);
  grpo::set_progress_sink({});
  EXPECT_EQ(fixture.out.str(), "");
  ASSERT_EQ(states.size(), 3U);
  EXPECT_EQ(states[0].rate, 0.0);
  EXPECT_FALSE(states[0].eta);
  EXPECT_EQ(states[1].label, "train");
  EXPECT_EQ(states[1].done, 10);
  EXPECT_EQ(states[1].total, 100);
  EXPECT_EQ(states[1].rate, 5.0);
  EXPECT_EQ(states[1].eta, 18.0);
  EXPECT_EQ(states[1].suffix, "reward 0.5  length 43");
  EXPECT_EQ(states[2].done, 12);
  EXPECT_EQ(states[2].suffix, "last");
  Progress("train", 1, fixture.options(false)).update(1);
  EXPECT_EQ(fixture.out.str(), "train 1/1 (100%)\n");
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

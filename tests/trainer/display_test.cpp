// What a training run shows, and to whom. Oracle: nothing at all where it is to be silent; the states that steps have.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "grpo/core/log.h"
#include "grpo/core/progress.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

std::string stderr_of(const Config& config) {
  ::testing::internal::CaptureStderr();
  PolicyTrainer(config, {}, testing::registry()).train();
  return ::testing::internal::GetCapturedStderr();
}

TEST(Display, IsSilentWhereItIsAskedToBe) {
  EXPECT_NE(stderr_of(testing::tiny_config("loud")).find("train 4/4 (100%)"), std::string::npos);
  set_log_level(LogLevel::kOff);
  const std::string shown = stderr_of(testing::tiny_config("silent"));
  set_log_level(LogLevel::kInfo);
  EXPECT_EQ(shown, "");
}

TEST(Display, GoesToTheFunctionsOfTheApplication) {
  std::vector<std::string> lines;
  std::vector<ProgressState> states;
  set_log_sink([&lines](LogLevel, const std::string& message) { lines.push_back(message); });
  set_progress_sink([&states](const ProgressState& state) { states.push_back(state); });
  const std::string shown = stderr_of(testing::tiny_config("displayed"));
  set_log_sink({});
  set_progress_sink({});
  EXPECT_EQ(shown, "");
  ASSERT_FALSE(states.empty());
  EXPECT_EQ(states.back().label, "train");
  EXPECT_EQ(states.back().done, 4);
  EXPECT_EQ(states.back().total, 4);
  for (const char* figure : {"reward ", "length ", " tok/s"}) EXPECT_NE(states.back().suffix.find(figure), std::string::npos) << figure;
  ASSERT_FALSE(lines.empty());
  EXPECT_NE(lines.back().find("saved "), std::string::npos) << lines.back();
}

}  // namespace
}  // namespace grpo

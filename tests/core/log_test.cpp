#include "grpo/core/log.h"

#include <gtest/gtest.h>

#include <string>

namespace {

std::string logged_at(grpo::LogLevel level) {
  testing::internal::CaptureStderr();
  grpo::set_log_level(level);
  grpo::log_info("first {} message");
  grpo::log_warn("second message");
  grpo::set_log_level(grpo::LogLevel::kInfo);
  return testing::internal::GetCapturedStderr();
}

TEST(Log, WritesEachMessageVerbatimOnALineOfItsOwn) {
  const std::string text = logged_at(grpo::LogLevel::kInfo);
  EXPECT_NE(text.find("info first {} message\n"), std::string::npos) << text;
  EXPECT_NE(text.find("warning second message\n"), std::string::npos) << text;
}

TEST(Log, LevelDropsWhatIsBelow) {
  const std::string text = logged_at(grpo::LogLevel::kWarn);
  EXPECT_EQ(text.find("first"), std::string::npos) << text;
  EXPECT_NE(text.find("second"), std::string::npos) << text;
  EXPECT_EQ(logged_at(grpo::LogLevel::kOff), "");
}

}  // namespace

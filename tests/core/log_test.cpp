#include "grpo/core/log.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

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

using Logged = std::vector<std::pair<grpo::LogLevel, std::string>>;

TEST(Log, ASinkGetsTheLinesInPlaceOfStderr) {
  Logged lines;
  grpo::set_log_sink([&lines](grpo::LogLevel level, const std::string& message) {
    lines.emplace_back(level, message);
    throw 42;  // has no part in the work
  });
  EXPECT_EQ(logged_at(grpo::LogLevel::kInfo), "");
  EXPECT_EQ(logged_at(grpo::LogLevel::kWarn), "");
  EXPECT_EQ(logged_at(grpo::LogLevel::kOff), "");
  grpo::set_log_level(grpo::LogLevel::kOff);
  grpo::log_always("third");
  grpo::set_log_level(grpo::LogLevel::kInfo);
  grpo::set_log_sink({});
  EXPECT_EQ(lines, (Logged{{grpo::LogLevel::kInfo, "first {} message"},
                           {grpo::LogLevel::kWarn, "second message"},
                           {grpo::LogLevel::kWarn, "second message"},
                           {grpo::LogLevel::kWarn, "third"}}));
  EXPECT_NE(logged_at(grpo::LogLevel::kInfo).find("second message"), std::string::npos);
}

TEST(Log, ASinkMayLogAndReplaceItself) {
  Logged lines;
  grpo::set_log_sink([&lines](grpo::LogLevel level, const std::string& message) {
    grpo::set_log_sink([&lines](grpo::LogLevel, const std::string& later) { lines.emplace_back(grpo::LogLevel::kOff, later); });
    lines.emplace_back(level, message);
    grpo::log_info("nested");
  });
  grpo::log_warn("first");
  grpo::set_log_sink({});
  EXPECT_EQ(lines, (Logged{{grpo::LogLevel::kWarn, "first"}, {grpo::LogLevel::kOff, "nested"}}));
}

// Run under ThreadSanitizer too: a sink's own data needs no lock, and it is in nobody's hands once another one is set.
TEST(Log, ThreadsTakeTurnsInASink) {
  int64_t calls = 0;
  grpo::set_log_sink([&calls](grpo::LogLevel, const std::string&) { ++calls; });
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int j = 0; j < 500; ++j) grpo::log_info("x");
    });
  }
  threads.clear();
  grpo::set_log_sink({});
  EXPECT_EQ(calls, 2000);
}

}  // namespace

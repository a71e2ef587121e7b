#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "grpo/core/error.h"

namespace grpo::testing {

/// An empty folder of its own for each test, removed afterwards.
class TempFolder : public ::testing::Test {
 protected:
  TempFolder() {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    const std::string name = std::string("grpo-") + info->test_suite_name() + "-" + info->name() + "-" + std::to_string(::getpid());
    folder_ = std::filesystem::temp_directory_path() / name;
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~TempFolder() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(const std::string& name, std::string_view content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }
  size_t count_files() const {
    const auto files = std::filesystem::directory_iterator(folder_);
    return static_cast<size_t>(std::distance(begin(files), end(files)));
  }

  std::filesystem::path folder_;
};

/// The message of the grpo::Error that `action` throws; fails the test where it throws none.
template <typename Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "expected a grpo::Error";
  return "";
}

}  // namespace grpo::testing

/// `action` throws a grpo::Error whose message holds `text`.
#define GRPO_EXPECT_ERROR(action, text)                                                                  \
  do {                                                                                                   \
    const std::string message = grpo::testing::error_of([&] { static_cast<void>(action); });             \
    EXPECT_NE(message.find(text), std::string::npos) << "expected \"" << (text) << "\" in: " << message; \
  } while (false)

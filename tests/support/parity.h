#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

namespace grpo::testing {

/// The folder of parity fixtures: GRPO_PARITY_DIR, or ../shared/data/parity beside the source tree.
inline std::filesystem::path parity_dir() {
  if (const char* given = std::getenv("GRPO_PARITY_DIR")) return given;
  return std::filesystem::path(GRPO_SOURCE_DIR) / ".." / "shared" / "data" / "parity";
}

/// Data that the fixtures' `meta.source` refers to stands in the parity folder's parent.
inline std::filesystem::path data_dir() { return parity_dir() / ".."; }

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline nlohmann::json read_json(const std::filesystem::path& path) { return nlohmann::json::parse(read_text(path)); }

}  // namespace grpo::testing

/// Skips the test where `path` is absent; fails instead in CI, where the data must be there.
#define GRPO_REQUIRE_DATA(path)                                                                  \
  do {                                                                                           \
    if (!std::filesystem::exists(path)) {                                                        \
      if (std::getenv("CI")) FAIL() << "missing test data: " << (path);                          \
      GTEST_SKIP() << "test data not present: " << (path) << " (set GRPO_PARITY_DIR to use it)"; \
    }                                                                                            \
  } while (false)

#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/model/config.h"
#include "support/parity.h"

namespace grpo::testing {

/// Every checkpoint under parity/models with goldens whose family the library reads; the others are named on stderr.
inline std::vector<std::filesystem::path> checkpoints() {
  std::vector<std::filesystem::path> found;
  const auto models = parity_dir() / "models";
  if (!std::filesystem::exists(models)) return found;
  for (const auto& entry : std::filesystem::directory_iterator(models)) {
    if (!std::filesystem::exists(entry.path() / "golden.json")) continue;
    try {
      read_model_config(entry.path());
      found.push_back(entry.path());
    } catch (const Error& error) {
      if (std::string(error.what()).find("expected a model_type") == std::string::npos) throw;
      std::fprintf(stderr, "%s is left out: %s\n", entry.path().c_str(), error.what());
    }
  }
  EXPECT_FALSE(found.empty()) << "no model that the library reads in " << models;
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace grpo::testing

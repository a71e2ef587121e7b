// Oracle: what was done to the bytes after they were written.
#include "run/manifest.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "support/parity.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

void put(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

class ManifestTest : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove_all(folder_); }
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "more");
    std::string bytes(5000, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random_());
    put(folder_ / "model.safetensors", bytes);
    put(folder_ / "trainer_state.json", "{\"steps_done\": 4}\n");
    put(folder_ / "empty", "");
    put(folder_ / "more" / "file", "text");
    write_manifest(folder_, 4);
    ASSERT_TRUE(state().whole());
  }
  CheckpointState state() const { return inspect_checkpoint(folder_); }
  /// The one fault that is found.
  std::string fault() const {
    const auto faults = state().faults;
    return faults.size() == 1 ? faults.front() : std::to_string(faults.size()) + " faults";
  }

  fs::path folder_ = fs::path(::testing::TempDir()) / ("manifest-" + std::to_string(::getpid()));
  std::mt19937 random_{7};
};

TEST_F(ManifestTest, NamesStepDateSizesAndHashes) {
  const auto json = testing::read_json(folder_ / "checkpoint.json");
  EXPECT_EQ(json.at("step"), 4);
  EXPECT_EQ(json.at("files").size(), 4U);
  EXPECT_EQ(json.at("files").at("more/file"), nlohmann::json({{"bytes", 4}, {"xxh3_128", hash_of("text")}}));
  const CheckpointState found = state();
  EXPECT_TRUE(found.recorded);
  EXPECT_EQ(found.manifest->step, 4);
  EXPECT_EQ(found.manifest->date, json.at("date").get<std::string>());
  EXPECT_EQ(found.bytes, 5000U + 18U + 4U + fs::file_size(folder_ / "checkpoint.json"));
  int year = 0, day = 0, second = 0;
  char end = 0;
  EXPECT_EQ(std::sscanf(found.manifest->date.c_str(), "%4d-%*2d-%2dT%*2d:%*2d:%2d%c", &year, &day, &second, &end), 4);
  EXPECT_GE(year, 2024);
  EXPECT_EQ(end, 'Z');
}

TEST_F(ManifestTest, EveryFlippedBitIsNoticed) {
  std::vector<std::pair<fs::path, uint64_t>> places;  // every byte of every file
  for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
    for (uint64_t i = 0; entry.is_regular_file() && i < entry.file_size(); ++i) places.emplace_back(entry.path(), i);
  }
  const auto flip = [](const fs::path& path, uint64_t at, int bit) {
    std::string bytes = testing::read_text(path);
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
    put(path, bytes);
  };
  for (int trial = 0; trial < 200; ++trial) {
    const auto& [path, at] = places[random_() % places.size()];
    const int bit = static_cast<int>(random_() % 8);
    flip(path, at, bit);
    EXPECT_NE(fault().find(path.filename()), std::string::npos) << path << " byte " << at << " bit " << bit << ": " << fault();
    flip(path, at, bit);
  }
  EXPECT_TRUE(state().whole());
}

TEST_F(ManifestTest, WhatIsMissingCutShortOrAddedIsNamed) {
  fs::resize_file(folder_ / "model.safetensors", 4999);
  EXPECT_EQ(fault(), "model.safetensors: expected 5000 bytes; got 4999");
  fs::remove(folder_ / "model.safetensors");
  EXPECT_EQ(fault(), "model.safetensors is missing");
  SetUp();
  put(folder_ / "more" / "other", "");
  EXPECT_EQ(fault(), "more/other is no part of it");
  SetUp();
  put(folder_ / "more" / "file", "tixt");
  EXPECT_EQ(fault(), "more/file: expected the hash " + hash_of("text") + "; got " + hash_of("tixt"));
  EXPECT_EQ(inspect_checkpoint(folder_ / "absent").whole(), false);
}

TEST_F(ManifestTest, ItsOwnTextIsToBeWhatWasWritten) {
  const std::string text = testing::read_text(folder_ / "checkpoint.json");
  for (const std::string& other : {text + "\n", text.substr(0, text.size() / 2), std::string(), std::string("[]"), "{" + text}) {
    put(folder_ / "checkpoint.json", other);
    EXPECT_EQ(fault(), "checkpoint.json is not what was written");
    EXPECT_TRUE(state().recorded);
  }
  fs::remove(folder_ / "checkpoint.json");
  EXPECT_FALSE(state().recorded);
  EXPECT_NE(fault().find("no checkpoint.json"), std::string::npos);
}

TEST_F(ManifestTest, ReadsNothingButFiles) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_THROW(write_manifest(folder_, 4), Error);
  EXPECT_EQ(fault(), "pipe is no part of it");
  fs::remove(folder_ / "empty");
  fs::rename(folder_ / "pipe", folder_ / "empty");  // of a size that is right
  EXPECT_NE(fault().find("empty"), std::string::npos);
}

}  // namespace
}  // namespace grpo

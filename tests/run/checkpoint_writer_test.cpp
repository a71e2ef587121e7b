// Oracles: files as they lie, and the order of events that the test itself makes.
#include "run/checkpoint_writer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "run/manifest.h"
#include "run/run_folder.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

class CheckpointWriterTest : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove_all(run_); }
  void SetUp() override {
    fs::remove_all(run_);
    fs::create_directories(run_);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(run_)) found.push_back(entry.path().filename().string());
    std::sort(found.begin(), found.end());
    return found;
  }
  using Names = std::vector<std::string>;

  fs::path run_ = fs::path(::testing::TempDir()) / ("checkpoint-writer-" + std::to_string(::getpid()));
};

void one_file(const fs::path& folder) { std::ofstream(folder / "x") << "x"; }

/// What is done beside then finds no folder.
void lost_meanwhile(const fs::path& folder) { fs::remove_all(folder); }

TEST_F(CheckpointWriterTest, NamesWholeCheckpointsAndRemovesOldOnes) {
  CheckpointWriter writer(run_, 2);
  for (const int64_t step : {2, 4, 6}) writer.begin(step, one_file);
  writer.wait();
  EXPECT_EQ(names(), (Names{"checkpoint-4", "checkpoint-6"}));
  for (const auto& path : list_checkpoints(run_)) EXPECT_TRUE(inspect_checkpoint(path).whole()) << path;
  EXPECT_EQ(inspect_checkpoint(run_ / "checkpoint-6").manifest->step, 6);
}

TEST_F(CheckpointWriterTest, TheDestructorWaits) {
  { CheckpointWriter(run_, 0).begin(1, one_file); }
  EXPECT_TRUE(inspect_checkpoint(run_ / "checkpoint-1").whole());
}

TEST_F(CheckpointWriterTest, AFailureBesideIsThrownOnceAndLeavesEarlierOnes) {
  CheckpointWriter writer(run_, 1);
  writer.begin(1, one_file);
  writer.begin(2, lost_meanwhile);
  EXPECT_ANY_THROW(writer.wait());
  EXPECT_NO_THROW(writer.check());
  EXPECT_EQ(names(), (Names{"checkpoint-1"}));
  EXPECT_TRUE(inspect_checkpoint(run_ / "checkpoint-1").whole());

  writer.begin(2, lost_meanwhile);
  EXPECT_ANY_THROW(writer.begin(3, one_file));
  writer.begin(4, one_file);
  writer.wait();
  EXPECT_EQ(names(), (Names{"checkpoint-4"}));

  writer.begin(5, lost_meanwhile);
  EXPECT_ANY_THROW(while (true) writer.check());  // until it has failed
  EXPECT_EQ(names(), (Names{"checkpoint-4"}));
}

// A disk that is full when the manifest is written: every file before was small enough.
TEST_F(CheckpointWriterTest, AManifestThatCannotBeWrittenFailsTheCheckpoint) {
  CheckpointWriter writer(run_, 0);
  writer.begin(1, one_file);
  writer.wait();
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  const rlimit limited{16, old.rlim_max};
  void (*handler)(int) = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &limited);
  writer.begin(2, one_file);
  std::string message;
  try {
    writer.wait();
  } catch (const Error& error) {
    message = error.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(message.find("File too large"), std::string::npos) << message;
  EXPECT_EQ(names(), (Names{"checkpoint-1"}));
  EXPECT_TRUE(inspect_checkpoint(run_ / "checkpoint-1").whole());
}

TEST_F(CheckpointWriterTest, AFailureOfTheCallersLeavesNothing) {
  CheckpointWriter writer(run_, 0);
  EXPECT_THROW(writer.begin(1, [](const fs::path&) { fail("test", "disk full"); }), Error);
  EXPECT_EQ(names(), Names{});
}

TEST_F(CheckpointWriterTest, ACheckpointIsReplacedByAnotherOfItsStep) {
  CheckpointWriter writer(run_, 0);
  writer.begin(1, one_file);
  writer.begin(1, [](const fs::path& folder) { std::ofstream(folder / "y") << "y"; });
  writer.wait();
  EXPECT_EQ(names(), (Names{"checkpoint-1"}));
  EXPECT_TRUE(inspect_checkpoint(run_ / "checkpoint-1").whole());
  EXPECT_TRUE(fs::exists(run_ / "checkpoint-1" / "y"));
  EXPECT_FALSE(fs::exists(run_ / "checkpoint-1" / "x"));
}

TEST_F(CheckpointWriterTest, WhatAKilledProcessLeftIsRemoved) {
  stage_checkpoint(run_, 7, one_file);
  EXPECT_EQ(names(), (Names{".unfinished-7"}));
  const CheckpointWriter writer(run_, 0);
  EXPECT_EQ(names(), Names{});
}

}  // namespace
}  // namespace grpo

// Oracles: files as they lie, and messages by hand.
#include "run/checkpoint_choice.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "grpo/core/error.h"
#include "run/run_folder.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

class CheckpointChoice : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove_all(run_); }
  void SetUp() override {
    fs::remove_all(run_);
    fs::create_directories(run_);
    for (const int64_t step : {200, 400, 600})
      write_checkpoint(run_, step, [](const fs::path& folder) { std::ofstream(folder / "x") << "text"; });
  }
  /// The message of a refusal; empty if the checkpoint is taken.
  std::string refusal(const std::string& name, bool named = false) const {
    try {
      expect_whole(run_, run_ / name, named);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  fs::path run_ = fs::path(::testing::TempDir()) / ("checkpoint-choice-" + std::to_string(::getpid()));
};

TEST_F(CheckpointChoice, TakesTheNewestOrTheNamedOne) {
  EXPECT_EQ(choose_checkpoint(run_, ""), run_ / "checkpoint-600");
  EXPECT_EQ(choose_checkpoint(run_, "checkpoint-200"), run_ / "checkpoint-200");
  EXPECT_EQ(choose_checkpoint(run_ / "absent", ""), std::nullopt);
  for (const char* name : {"checkpoint-5", "400", "..", "checkpoint-400/"}) EXPECT_THROW(choose_checkpoint(run_, name), Error) << name;
  try {
    choose_checkpoint(run_, "checkpoint-5");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(error.what()).find("checkpoint-600, checkpoint-400, checkpoint-200"), std::string::npos) << error.what();
  }
  EXPECT_EQ(refusal("checkpoint-600"), "");
}

TEST_F(CheckpointChoice, ADamagedOneIsRefusedAndTheNewestWholeOneIsNamed) {
  std::ofstream(run_ / "checkpoint-600" / "x") << "tixt";
  std::ofstream(run_ / "checkpoint-400" / "y") << "added";
  for (const bool named : {false, true}) {
    const std::string message = refusal("checkpoint-600", named);
    EXPECT_NE(message.find("x: expected the hash"), std::string::npos) << message;
    EXPECT_NE(message.find("the newest whole one is checkpoint-200"), std::string::npos) << message;
  }
  fs::remove(run_ / "checkpoint-200" / "x");
  EXPECT_NE(refusal("checkpoint-600").find("no other checkpoint of the run is whole"), std::string::npos);
}

TEST_F(CheckpointChoice, OneOfAnEarlierVersionIsTakenIfItIsNamed) {
  fs::remove(run_ / "checkpoint-600" / "checkpoint.json");
  const std::string message = refusal("checkpoint-600");
  EXPECT_NE(message.find("checkpoint-600: "), std::string::npos) << message;
  EXPECT_NE(message.find("the newest whole one is checkpoint-400"), std::string::npos) << message;
  EXPECT_EQ(refusal("checkpoint-600", true), "");
}

TEST_F(CheckpointChoice, LaterOnesGetNamesThatAreFree) {
  fs::create_directories(run_ / "checkpoint-400.left");
  set_later_checkpoints_aside(run_, 200);
  EXPECT_EQ(list_checkpoints(run_), std::vector<fs::path>{run_ / "checkpoint-200"});
  EXPECT_TRUE(fs::exists(run_ / "checkpoint-600.left" / "x"));
  EXPECT_TRUE(fs::exists(run_ / "checkpoint-400.left.2" / "x"));
}

}  // namespace
}  // namespace grpo

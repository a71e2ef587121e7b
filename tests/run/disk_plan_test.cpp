// Oracle: sums by hand, checkpoint by checkpoint.
#include "run/disk_plan.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "grpo/core/error.h"

namespace grpo {
namespace {

TEST(DiskPlanTest, WithoutALimitEveryCheckpointStays) {
  EXPECT_EQ(peak_bytes({.checkpoint = 10, .checkpoints = 5, .limit = 0, .present = {10, 10}, .model = 3}), 53);
  EXPECT_EQ(peak_bytes({.checkpoint = 10, .checkpoints = 0, .limit = 0, .present = {}, .model = 3}), 3);
}

TEST(DiskPlanTest, ANewCheckpointIsCompleteBeforeAnOldOneGoes) {
  EXPECT_EQ(peak_bytes({.checkpoint = 10, .checkpoints = 1, .limit = 2, .present = {}, .model = 3}), 13);
  EXPECT_EQ(peak_bytes({.checkpoint = 10, .checkpoints = 2, .limit = 2, .present = {}, .model = 3}), 23);
  EXPECT_EQ(peak_bytes({.checkpoint = 10, .checkpoints = 3, .limit = 2, .present = {}, .model = 3}), 30);
  EXPECT_EQ(peak_bytes({.checkpoint = 10, .checkpoints = 1000000, .limit = 2, .present = {}, .model = 3}), 30);
  EXPECT_EQ(peak_bytes({.checkpoint = 10, .checkpoints = 1000000, .limit = 2, .present = {}, .model = 15}), 35);
}

TEST(DiskPlanTest, CheckpointsThatWillGoCountAsFree) {
  EXPECT_EQ(peak_bytes({.checkpoint = 10, .checkpoints = 9, .limit = 2, .present = {10, 10}, .model = 3}), 10);
  EXPECT_EQ(peak_bytes({.checkpoint = 10, .checkpoints = 9, .limit = 2, .present = {10}, .model = 3}), 20);
  // 10; 4 and 5 go: 1; 11; the last 5 goes: 6; 16
  EXPECT_EQ(peak_bytes({.checkpoint = 10, .checkpoints = 3, .limit = 2, .present = {4, 5, 5}, .model = 0}), 16);
  // one more beside two that stay
  EXPECT_EQ(peak_bytes({.checkpoint = 10, .checkpoints = 1, .limit = 3, .present = {10, 10}, .model = 3}), 13);
}

TEST(DiskPlanTest, ARunThatDoesNotFitSaysWhatItNeeds) {
  const DiskPlan plan{.checkpoint = 3 << 20, .checkpoints = 3, .limit = 1, .present = {}, .model = 1 << 20};
  EXPECT_NO_THROW(expect_room(plan, "run", 6 << 20));
  try {
    expect_room(plan, "run", (6 << 20) - 1);
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    const std::string message = error.what();
    for (const char* part : {"3.0 MiB", "6.0 MiB in all", "save_total_limit", "run"})
      EXPECT_NE(message.find(part), std::string::npos) << part << ": " << message;
  }
}

TEST(DiskPlanTest, AFolderThatIsNotThereYetIsOnTheDiskOfItsParent) {
  const auto there = free_bytes(::testing::TempDir()), later = free_bytes(std::filesystem::path(::testing::TempDir()) / "a" / "b" / "c");
  ASSERT_TRUE(there && later);
  EXPECT_GT(*there, 0.0);
  EXPECT_NEAR(*later / *there, 1.0, 0.5);
}

TEST(DiskPlanTest, SizesArePlain) {
  EXPECT_EQ(size_text(0), "0 bytes");
  EXPECT_EQ(size_text(1023), "1023 bytes");
  EXPECT_EQ(size_text(1536), "1.5 KiB");
  EXPECT_EQ(size_text(5.0 * (1 << 30)), "5.0 GiB");
}

}  // namespace
}  // namespace grpo

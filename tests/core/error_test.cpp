#include "grpo/core/error.h"

#include <gtest/gtest.h>

namespace {

TEST(Error, FailNamesThePlaceAndIsAFailure) {
  try {
    grpo::fail("load", "expected 2; got 3");
    FAIL() << "fail returned";
  } catch (const grpo::Error& error) {
    EXPECT_STREQ(error.what(), "[load] expected 2; got 3");
    EXPECT_EQ(error.kind(), grpo::ErrorKind::kFailure);
  }
}

TEST(Error, FailUsageIsAUsageError) {
  try {
    grpo::fail_usage("config", "unknown option");
    FAIL() << "fail_usage returned";
  } catch (const grpo::Error& error) {
    EXPECT_STREQ(error.what(), "[config] unknown option");
    EXPECT_EQ(error.kind(), grpo::ErrorKind::kUsage);
  }
}

TEST(Error, CheckBuildsItsMessageOnlyOnFailure) {
  int built = 0;
  const auto message = [&] { return ++built, "message"; };
  EXPECT_NO_THROW(GRPO_CHECK(true, "place", message()));
  EXPECT_EQ(built, 0);
  EXPECT_THROW(GRPO_CHECK(false, "place", message()), grpo::Error);
  EXPECT_EQ(built, 1);
}

}  // namespace

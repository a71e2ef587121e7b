#include "grpo/core/error.h"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

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

/// What `rethrow_as_error` makes of an exception.
template <class Exception>
grpo::Error as_error(const Exception& exception) {
  try {
    try {
      throw exception;
    } catch (...) {
      grpo::rethrow_as_error("reward mine");
    }
  } catch (const grpo::Error& error) {
    return error;
  }
}

TEST(Error, WhateverIsThrownBecomesOne) {
  EXPECT_STREQ(as_error(std::runtime_error("no luck")).what(), "[reward mine] no luck");
  EXPECT_STREQ(as_error(42).what(), "[reward mine] an exception that is no std::exception was thrown");
  EXPECT_STREQ(as_error(std::bad_alloc()).what(), "[reward mine] expected memory for what is asked; the system has no more");
  EXPECT_STREQ(
      as_error(std::runtime_error("sizes differ\nException raised from infer_size at x.cpp:35 (most recent call first):\nframe #0: f"))
          .what(),
      "[reward mine] sizes differ");
  const grpo::Error stays = as_error(grpo::Error("[load] expected 2", grpo::ErrorKind::kInterrupted));
  EXPECT_STREQ(stays.what(), "[load] expected 2");
  EXPECT_EQ(stays.kind(), grpo::ErrorKind::kInterrupted);
}

}  // namespace

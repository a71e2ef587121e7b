#include "grpo/core/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "grpo/core/error.h"

namespace {

using grpo::Metrics;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Oracle: hand values.
TEST(Metrics, EachKindOfAccumulator) {
  Metrics metrics;
  for (const double value : {1.0, 4.0, -2.0}) {
    metrics.add("mean", value);
    metrics.set("last", value);
    metrics.min("min", value);
    metrics.max("max", value);
  }
  EXPECT_EQ(metrics.take(), (std::map<std::string, double>{{"last", -2}, {"max", 4}, {"mean", 1}, {"min", -2}}));
}

TEST(Metrics, TakeStartsAfresh) {
  Metrics metrics;
  metrics.add("a", 2);
  metrics.take();
  EXPECT_TRUE(metrics.take().empty());
  metrics.set("a", 5);
  EXPECT_EQ(metrics.take().at("a"), 5);
}

TEST(Metrics, NanIsShown) {
  for (const bool nan_first : {true, false}) {
    Metrics metrics;
    for (const double value : {nan_first ? kNan : 1.0, nan_first ? 1.0 : kNan}) {
      metrics.add("mean", value);
      metrics.min("min", value);
      metrics.max("max", value);
    }
    for (const auto& [name, value] : metrics.take()) EXPECT_TRUE(std::isnan(value)) << name;
  }
}

TEST(Metrics, OneKindPerName) {
  Metrics metrics;
  metrics.add("a", 1);
  EXPECT_THROW(metrics.max("a", 1), grpo::Error);
}

}  // namespace

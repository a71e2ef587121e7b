#include "grpo/data/options.h"

#include <gtest/gtest.h>

#include "grpo/core/error.h"
#include "grpo/data/factory_table.h"

namespace grpo {
namespace {

struct Sample {
  int64_t count = 3;
  double rate = 0.5;
  bool loud = false;
  std::string name = "x";
};

void describe(ConfigVisitor& visitor, Sample& sample) {
  visitor.field("count", sample.count, "how many", {.min = 1, .max = 9});
  visitor.field("rate", sample.rate, "how fast", kFraction);
  visitor.field("loud", sample.loud, "whether loud");
  visitor.field("name", sample.name, "its name");
}

std::string message_of(const NamedOptions& options) {
  try {
    read_options<Sample>("sample", options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
  return "no error";
}

TEST(Options, ReadsWhatIsGivenAndKeepsTheRest) {
  const auto sample = read_options<Sample>("sample", {{"count", "7"}, {"name", "\"a b\""}, {"loud", "true"}});
  EXPECT_EQ(sample.count, 7);
  EXPECT_EQ(sample.rate, 0.5);
  EXPECT_TRUE(sample.loud);
  EXPECT_EQ(sample.name, "a b");
}

TEST(Options, BadOnesAreUsageErrorsThatNameThePlace) {
  for (const NamedOptions& bad :
       {NamedOptions{{"cuont", "7"}}, NamedOptions{{"count", "7.5"}}, NamedOptions{{"count", "10"}}, NamedOptions{{"rate", "\"fast\""}},
        NamedOptions{{"count", "1, \"loud\": true"}}, NamedOptions{{"count", ""}}, NamedOptions{{"count", "1"}, {"count", "1"}},
        NamedOptions{{"na\xFFme", "1"}}, NamedOptions{{"name", "[[]]"}}}) {
    const std::string message = message_of(bad);
    EXPECT_NE(message.find("sample"), std::string::npos) << message << " for " << bad.front().first << "=" << bad.front().second;
  }
  EXPECT_NE(message_of({{"cuont", "7"}}).find("did you mean 'count'"), std::string::npos);
}

TEST(FactoryTable, SuggestsTheNearestNameAndNeverReplaces) {
  FactoryTable<Sample> table("thing");
  table.add("alpha", [](const NamedOptions& options) { return std::make_unique<Sample>(read_options<Sample>("alpha", options)); });
  table.add("beta", [](const NamedOptions&) { return std::make_unique<Sample>(); });
  EXPECT_EQ(table.names(), (std::vector<std::string>{"alpha", "beta"}));
  EXPECT_EQ(table.make("alpha", {{"count", "2"}})->count, 2);
  EXPECT_THROW(table.add("alpha", [](const NamedOptions&) { return std::make_unique<Sample>(); }), Error);
  try {
    table.make("alpah");
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_STREQ(error.what(), "[thing] expected the name of a thing; got 'alpah' (did you mean 'alpha'?)");
  }
}

}  // namespace
}  // namespace grpo

#include "grpo/data/options.h"

#include <gtest/gtest.h>

#include "grpo/core/error.h"
#include "grpo/data/factory_table.h"
#include "grpo/io/json_config.h"

namespace grpo {
namespace {

struct Sample {
  int64_t count = 3;
  double rate = 0.5;
  bool loud = false;
  std::string name = "x";
  std::vector<std::string> words = {};
  std::vector<int64_t> parts = {};  // a list of objects
  int64_t depth = 0;                // in a section
};

void describe(ConfigVisitor& visitor, Sample& sample) {
  visitor.field("count", sample.count, "how many", {.min = 1, .max = 9});
  visitor.field("rate", sample.rate, "how fast", kFraction);
  visitor.field("loud", sample.loud, "whether loud");
  visitor.field("name", sample.name, "its name");
  visitor.field("words", sample.words, "its words");
  visitor.list(
      "parts", "its parts", sample.parts.size(), [&](size_t size) { sample.parts.resize(size); },
      [&](ConfigVisitor& part, size_t i) { part.field("size", sample.parts[i], "how large", kPositive); });
  visitor.section("inner", "what is within", [&](ConfigVisitor& inner) { inner.field("depth", sample.depth, "how deep", kPositive); });
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

TEST(Options, ListsAndObjectsAreValues) {
  const auto sample = read_options<Sample>(
      "sample", {{"words", "[\"a\", \"b\"]"}, {"parts", "[{\"size\": 2}, {\"size\": 3}]"}, {"inner", "{\"depth\": 4}"}});
  EXPECT_EQ(sample.words, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(sample.parts, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(sample.depth, 4);
}

// Oracle: the lines that are counted in the text.
TEST(Options, FaultsNameThePlaceInTheConfig) {
  NamedOptions options;
  ConfigSource source;
  source.add_text(
      "{\"own\": {\n\"count\": 7.5,\n\"cuont\": 1,\n\"parts\": [{\"size\": 1},\n{\n\"size\": 0}],\n\"inner\": {\n\"dept\": 1}}}",
      "run.json");
  source.add_override("own.rate=7");
  read_described(source, [&](ConfigVisitor& visitor) { visitor.options("own", options, "of a part"); });
  EXPECT_EQ(message_of(options),
            "run.json:2: own.count: expected an integer in [1, 9]; got 7.5\n"
            "run.json:3: own.cuont: unknown option (did you mean 'count'?)\n"
            "run.json:6: own.parts[1].size: expected an integer > 0; got 0\n"
            "run.json:8: own.inner.dept: unknown option (did you mean 'depth'?)\n"
            "command line: own.rate: expected a number in [0, 1]; got 7");
  EXPECT_EQ(message_of({{"count", "7.5"}}), "sample: count: expected an integer in [1, 9]; got 7.5");
}

TEST(Options, BadOnesAreUsageErrorsThatNameThePlace) {
  for (const NamedOptions& bad :
       {NamedOptions{{"cuont", "7"}}, NamedOptions{{"count", "7.5"}}, NamedOptions{{"count", "10"}}, NamedOptions{{"rate", "\"fast\""}},
        NamedOptions{{"count", "1, \"loud\": true"}}, NamedOptions{{"count", ""}}, NamedOptions{{"count", "1"}, {"count", "1"}},
        NamedOptions{{"na\xFFme", "1"}}, NamedOptions{{"name", "[[]]"}}}) {
    const std::string message = message_of(bad);
    EXPECT_NE(message.find("sample"), std::string::npos) << message << " for " << bad.front().first << "=" << bad.front().second.text();
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

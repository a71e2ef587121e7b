#include "grpo/io/json_config.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "io/json_config_sample.h"

#if __has_include(<rapidcheck/gtest.h>)
#include <rapidcheck/gtest.h>
#endif

namespace {

using grpo::ConfigSource;
using grpo::read_config;
using grpo::write_config;
using sample::Config;
namespace fs = std::filesystem;

const grpo::ConfigAliases kAliases{{"learning_rate", "optim.learning_rate"}, {"lr", "optim.learning_rate"}, {"seed", "seed"}};

ConfigSource source_of(const std::vector<std::string>& texts, const std::vector<std::string>& overrides = {}) {
  ConfigSource source(kAliases);
  for (size_t i = 0; i < texts.size(); ++i) source.add_text(texts[i], "file" + std::to_string(i) + ".json", "/configs");
  for (const std::string& argument : overrides) source.add_override(argument);
  return source;
}

Config config_of(const std::vector<std::string>& texts, const std::vector<std::string>& overrides = {}) {
  Config config;
  read_config(source_of(texts, overrides), config);
  return config;
}

/// The message of the usage error that reading gives.
std::string refusal(const std::vector<std::string>& texts, const std::vector<std::string>& overrides = {}) {
  try {
    config_of(texts, overrides);
  } catch (const grpo::Error& error) {
    EXPECT_EQ(error.kind(), grpo::ErrorKind::kUsage);
    return error.what();
  }
  return "";
}

// Oracle of this file, unless said otherwise: hand-written values and messages.
TEST(ReadConfig, EveryKindOfOption) {
  const Config config = config_of({R"({
    // a line's comment, with "quotes"
    "resume": true, "run_name": "a\n\u00e9\ud83d\ude00", "output_dir": "../runs/./a", "seed": 1e3,
    "stop": ["x", /* two
                     lines */ "y"],
    "optim": {"learning_rate": 2, "warmup_steps": 10.0, "max_grad_norm": null, "schedule": "cosine", "betas": [0.5, 1, -2e-3]},
    "rewards": [{"name": "accuracy"}, {"name": "length", "weight": 0.25, "options": {"limit": 5, "soft": true, "unit": "tokens", "x": 0.50}}]
  })"});
  Config expected;
  expected.resume = true;
  expected.run_name = "a\n\u00e9\U0001F600";
  expected.output_dir = "/runs/a";
  expected.seed = 1000;
  expected.stop = {"x", "y"};
  expected.optim = {2.0, 10, std::nullopt, sample::Schedule::kCosine, {0.5, 1, -0.002}};
  expected.rewards = {{"accuracy", 1.0, {}}, {"length", 0.25, {{"limit", "5"}, {"soft", "true"}, {"unit", "\"tokens\""}, {"x", "0.5"}}}};
  EXPECT_EQ(config, expected);
}

TEST(ReadConfig, WhatIsNotGivenStays) {
  Config config;
  config.rewards = {{"kept", 0.5, {}}};
  config.output_dir = "relative";
  const Config before = config;
  read_config(source_of({"{}", "{\"optim\": {}}"}), config);
  EXPECT_EQ(config, before);
}

TEST(ReadConfig, LaterFilesAndOverridesWin) {
  const Config config =
      config_of({R"({"optim": {"learning_rate": 1, "warmup_steps": 5}, "stop": ["a", "b"], "rewards": [{"name": "x", "weight": 0}]})",
                 R"({"optim": {"learning_rate": 2}, "stop": ["c"], "rewards": [{"name": "y"}]})"},
                {"--optim.warmup_steps=6", "optim.warmup_steps=7"});
  EXPECT_EQ(config.optim.learning_rate, 2);
  EXPECT_EQ(config.optim.warmup_steps, 7);
  EXPECT_EQ(config.stop, std::vector<std::string>{"c"});
  ASSERT_EQ(config.rewards.size(), 1u);
  EXPECT_EQ(config.rewards[0], (sample::Reward{"y", 1.0, {}}));
}

TEST(ReadConfig, OverridesAreJsonOrStrings) {
  const auto name = [](const std::string& value) { return config_of({}, {"--run_name=" + value}).run_name; };
  EXPECT_EQ(name("plain words"), "plain words");
  EXPECT_EQ(name("\"quoted\""), "quoted");
  EXPECT_EQ(name("2024"), "2024");
  EXPECT_EQ(name("01"), "01");
  EXPECT_EQ(name("null"), "null");
  EXPECT_EQ(name("a=b"), "a=b");
  EXPECT_EQ(name("1//2"), "1//2");
  EXPECT_EQ(name(""), "");
  EXPECT_EQ(config_of({}, {"--stop=[\"a\", \"b\"]"}).stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(config_of({}, {"--optim={\"warmup_steps\": 3}", "--optim.betas=[1]"}).optim.warmup_steps, 3);
  EXPECT_EQ(config_of({}, {"--rewards=[{\"name\":\"r\"}]"}).rewards.size(), 1u);
  EXPECT_EQ(config_of({}, {"optim.schedule=linear"}).optim.schedule, sample::Schedule::kLinear);
  EXPECT_EQ(config_of({"{\"seed\": 3}"}, {"--seed=null"}).seed, std::nullopt);
}

TEST(ReadConfig, OneTextIsAListOfIt) {
  EXPECT_EQ(config_of({"{\"stop\": \"x\"}"}).stop, std::vector<std::string>{"x"});
  EXPECT_EQ(config_of({}, {"stop=x"}).stop, std::vector<std::string>{"x"});
}

TEST(ReadConfig, OverridesReachIntoLists) {
  const std::string rewards =
      R"({"rewards": [{"name": "a"}, {"name": "b", "options": {"k": 1, "deep": {"x": [1, 2]}}}], "stop": ["p", "q"]})";
  const Config config = config_of(
      {rewards}, {"--rewards[1].options.k=v", "rewards[1].options.deep.x[1]=7", "rewards[0].weight=0.5", "rewards[2].name=c", "stop[0]=o"});
  ASSERT_EQ(config.rewards.size(), 3u);
  EXPECT_EQ(config.rewards[0], (sample::Reward{"a", 0.5, {}}));
  EXPECT_EQ(config.rewards[1], (sample::Reward{"b", 1.0, {{"k", "\"v\""}, {"deep", "{\"x\":[1,7]}"}}}));
  EXPECT_EQ(config.rewards[2].name, "c");
  EXPECT_EQ(config.stop, (std::vector<std::string>{"o", "q"}));
  EXPECT_EQ(refusal({rewards}, {"rewards[3].name=d"}),
            "command line: rewards[3].name: expected an index up to 2, the next free one; got 3");
  EXPECT_EQ(refusal({}, {"rewards[0].name=d"}),
            "command line: rewards[0].name: expected an index into a list that was given before; got none there");
  EXPECT_EQ(refusal({rewards}, {"rewards.0.name=d"}),
            "command line: rewards.0.name: expected an index such as [0] into the list before '0'; got a name");
  for (const std::string argument :
       {"rewards[=1", "rewards[]=1", "rewards[-1]=1", "rewards[0=1", "rewards[0]name=1", "[0]=1", "rewards[x]=1"})
    EXPECT_TRUE(refusal({rewards}, {argument}).starts_with("command line: expected section.key; got '")) << argument;
}

TEST(ReadConfig, AnEmptyObjectClears) {
  const std::string first = R"({"optim": {"learning_rate": 0.5}, "rewards": [{"name": "a", "options": {"k": {"x": 1}}}]})";
  EXPECT_EQ(config_of({first}, {"rewards[0].options={}"}).rewards[0].options, grpo::NamedOptions{});
  EXPECT_EQ(config_of({first}, {"rewards[0].options.k={}"}).rewards[0].options, (grpo::NamedOptions{{"k", "{}"}}));
  EXPECT_EQ(config_of({first, "{\"optim\": {}}"}).optim.learning_rate, 1e-6);
  EXPECT_EQ(config_of({first, "{}"}).optim.learning_rate, 0.5);
  EXPECT_EQ(config_of({first, "{\"optim\": {}}", "{\"optim\": {\"warmup_steps\": 2}}"}).optim.learning_rate, 1e-6);
}

TEST(ReadConfig, NamesOfOtherPrograms) {
  const grpo::ForeignNames names = {{"gone", "it went", {{"false", ""}}},
                                    {"vllm_*", "there is none", {}},
                                    {"seed", "", {{"-1", "null"}}},
                                    {"optim", "", {{"\"adam\"", ""}}},
                                    {"vllm_mode", "no mode", {{"null", ""}}}};
  const auto read = [&](const std::string& text, const std::vector<std::string>& overrides = {}) -> std::string {
    try {
      ConfigSource source({{"seed", "seed"}, {"optim", "optim.schedule"}, {"kwargs", "optim"}}, names);
      source.add_text(text, "f.json");
      for (const auto& argument : overrides) source.add_override(argument);
      Config config;
      read_config(source, config);
      return write_config(config);
    } catch (const grpo::Error& error) {
      return error.what();
    }
  };
  const std::string plain = write_config(Config());
  EXPECT_EQ(read("{\"gone\": false, \"seed\": -1, \"vllm_mode\": null, \"optim\": \"adam\"}", {"gone=false", "seed=-1"}), plain);
  EXPECT_EQ(read("{\"gone\": true}"), "f.json:1: gone: unknown option: it went");
  EXPECT_EQ(read("{\"optim\": {\n\"gone\": false}}"), "f.json:2: optim.gone: unknown option: it went");
  EXPECT_EQ(read("{}", {"vllm_other=3"}), "command line: vllm_other: unknown option: there is none");
  EXPECT_EQ(read("{}", {"vllm_mode=x"}), "command line: vllm_mode: unknown option: no mode");
  // A short name that is a section's own: values that are no objects are meant for the option.
  EXPECT_EQ(read("{\"optim\": \"cosine\"}"), read("{\"optim\": {\"schedule\": \"cosine\"}}"));
  EXPECT_EQ(read("{}", {"optim=cosine"}), read("{}", {"optim.schedule=cosine"}));
  // A short name of a section: its members are spread, and given once.
  EXPECT_EQ(read("{\"kwargs\": {\"warmup_steps\": 3}, \"optim\": {\"schedule\": \"cosine\"}}"),
            read("{\"optim\": {\"schedule\": \"cosine\", \"warmup_steps\": 3}}"));
  EXPECT_EQ(read("{}", {"kwargs.warmup_steps=3"}), read("{}", {"optim.warmup_steps=3"}));
  EXPECT_EQ(read("{\"optim\": {\"warmup_steps\": 1},\n\"kwargs\": {\n\"warmup_steps\": 3}}"),
            "f.json:3: warmup_steps: expected one value of 'optim.warmup_steps'; got another on line 1");
}

TEST(ReadConfig, ShortNames) {
  EXPECT_EQ(config_of({"{\"learning_rate\": 0.5, \"optim\": {\"warmup_steps\": 2}}"}).optim.learning_rate, 0.5);
  EXPECT_EQ(config_of({"{\"lr\": 0.5}", "{\"optim\": {\"learning_rate\": 0.25}}"}).optim.learning_rate, 0.25);
  EXPECT_EQ(config_of({"{\"optim\": {\"learning_rate\": 0.25}}"}, {"--lr=0.125"}).optim.learning_rate, 0.125);
  EXPECT_EQ(config_of({"{\"seed\": 4}"}).seed, 4);
  EXPECT_EQ(refusal({"{\n\"lr\": 0.5,\n\"optim\": {\n\"learning_rate\": 0.25}}"}),
            "file0.json:2: lr: expected one value of 'optim.learning_rate'; got another on line 4");
  EXPECT_EQ(refusal({"{\"lr\": 0.5,\n\"learning_rate\": 0.25}"}),
            "file0.json:2: learning_rate: expected one value of 'optim.learning_rate'; got another on line 1");
  EXPECT_EQ(refusal({"{\"optim\": 3,\n\"lr\": 0.5}"}), "file0.json:2: lr: expected 'optim' to be an object; got 3 on line 1");
}

TEST(ReadConfig, AllFaultsAtOnceInTheOrderOfTheText) {
  EXPECT_EQ(refusal({R"({
  "run_name": 3,
  "optim": {
    "learing_rate": 1,
    "learning_rate": 0,
    "warmup_steps": 1.5,
    "schedule": "cosin",
    "betas": [1, "x"]
  },
  "warmup_steps": 3,
  "rewards": [{"name": "a"}, {
    "wieght": 2,
    "weight": 2,
    "options": {"deep": [1]}
  }, 7],
  "resume": "yes", "seed": -1
})",
                     "{\n\"stop\":\n7}"},
                    {"--optim.max_grad_norm=big", "--optim={\"gamma\": 1}", "--ler=1"}),
            "file0.json:2: run_name: expected a string; got 3\n"
            "file0.json:4: optim.learing_rate: unknown option (did you mean 'learning_rate'?)\n"
            "file0.json:5: optim.learning_rate: expected a number > 0; got 0\n"
            "file0.json:6: optim.warmup_steps: expected an integer in [0, 1e+06]; got 1.5\n"
            "file0.json:7: optim.schedule: expected one of 'constant', 'linear', 'cosine'; got \"cosin\" (did you mean 'cosine'?)\n"
            "file0.json:8: optim.betas[1]: expected a number; got \"x\"\n"
            "file0.json:10: warmup_steps: unknown option (did you mean 'optim.warmup_steps'?)\n"
            "file0.json:12: rewards[1].wieght: unknown option (did you mean 'weight'?)\n"
            "file0.json:13: rewards[1].weight: expected a number in [0, 1]; got 2\n"
            "file0.json:15: rewards[2]: expected an object; got 7\n"
            "file0.json:16: resume: expected true or false; got \"yes\"\n"
            "file0.json:16: seed: expected an integer >= 0; got -1\n"
            "file1.json:3: stop: expected a string or a list of strings; got 7\n"
            "command line: optim.max_grad_norm: expected a number > 0; got \"big\"\n"
            "command line: optim.gamma: unknown option\n"
            "command line: ler: unknown option (did you mean 'lr'?)");
}

TEST(ReadConfig, NullIsForOptionalsOnly) {
  for (const std::string name : {"resume", "run_name", "output_dir", "stop", "optim", "rewards"}) {
    EXPECT_NE(refusal({"{\"" + name + "\": null}"}), "") << name;
  }
  for (const std::string name : {"learning_rate", "warmup_steps", "schedule", "betas"}) {
    EXPECT_NE(refusal({"{\"optim\": {\"" + name + "\": null}}"}), "") << name;
  }
}

TEST(ReadConfig, IntegersMustBeExact) {
  EXPECT_EQ(config_of({"{\"seed\": 9223372036854775807}"}).seed, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(config_of({"{\"seed\": 9007199254740992.0}"}).seed, int64_t{1} << 53);
  EXPECT_EQ(refusal({"{\"seed\": 1e16}"}), "file0.json:1: seed: expected an integer >= 0; got 1e+16");
  EXPECT_EQ(refusal({"{\"seed\":\n9223372036854775808}"}), "file0.json:2: expected an integer of 64 bits; got 9223372036854775808");
}

TEST(ReadConfig, BadTextNamesItsLine) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "1: expected a value; got the end of the text"},
      {"[]", "1: expected an object; got a list"},
      {"{\n\"seed\": 1,\n}", "3: expected no ',' before the closing bracket; got one"},
      {"{\"stop\": [\"a\",]}", "1: expected no ',' before the closing bracket; got one"},
      {"{\"stop\": [,]}", "1: expected a value; got ','"},
      {"{\"seed\": 1,\n\"seed\": 1}", "2: expected each key once; got 'seed' again (first on line 1)"},
      {"{\"seed\": NaN}", "1: expected a value; got 'NaN'"},
      {"{\"seed\": -Infinity}", "1: expected a digit; got 'Infinity'"},
      {"{\"seed\": 01}", "1: expected a number without leading zeros; got one with"},
      {"{\"seed\": 1.}", "1: expected a digit; got '}'"},
      {"{\"seed\": .5}", "1: expected a value; got '.'"},
      {"{\"seed\": +5}", "1: expected a value; got '+5'"},
      {"{\"seed\": 0x10}", "1: expected ',' or '}'; got 'x10'"},
      {"{\"seed\": 1e999}", "1: expected a number in a double's range; got 1e999"},
      {"{\"seed\": True}", "1: expected a value; got 'True'"},
      {"{\"seed\": 1} x", "1: expected the end of the text; got 'x'"},
      {"{seed: 1}", "1: expected a key in double quotes; got 'seed'"},
      {"{\"seed\" 1}", "1: expected ':' after the key 'seed'; got '1'"},
      {"{\"seed\": 1 \"x\": 2}", "1: expected ',' or '}'; got '\"'"},
      {"{\"run_name\": \"a\nb\"}", "1: expected no control character in a string; got the end of the line"},
      {"{\"run_name\": \"a", "1: expected '\"' at the end of a string; got the end of the text"},
      {"{\"run_name\": \"\\x\"}", "1: expected one of \"\\/bfnrtu after '\\'; got 'x'"},
      {"{\"run_name\": \"\\u12g4\"}", "1: expected four hexadecimal digits after '\\u'; got '12g4'"},
      {"{\"run_name\": \"\\ud800\"}", "1: expected the second half of a surrogate pair; got '\"'"},
      {"{\"run_name\": \"\\ud800\\u0041\"}", "1: expected the second half of a surrogate pair; got another character"},
      {"{\"run_name\": \"\\udc00\"}", "1: expected the first half of a surrogate pair; got the second"},
      {"{\n\n\"run_name\": \"\xff\"}", "3: expected UTF-8; got other bytes"},
      {"{\"run_name\": \"\xc0\x80\"}", "1: expected UTF-8; got other bytes"},
      {"{\"run_name\": \"\xed\xa0\x80\"}", "1: expected UTF-8; got other bytes"},
      {"{\n/* never ends", "2: expected the comment to end; got the end of the text"},
      {"{} / x", "1: expected the end of the text; got '/'"},
      {std::string(1, '\0'), "1: expected a value; got a control character"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(refusal({text}), "file0.json:" + message) << text;
}

TEST(ReadConfig, BoundsOnHostileText) {
  EXPECT_NE(refusal({std::string(1 << 20, '[')}).find("at most 64 levels"), std::string::npos);
  std::string many = "{";
  for (int i = 0; i < 5000; ++i) many += "\"k" + std::to_string(i) + "\":0,";
  EXPECT_NE(refusal({many + "\"end\":0}"}).find("at most 4096 keys"), std::string::npos);
  std::string empties = "{\"rewards\":[{}";
  for (int i = 0; i < 5000; ++i) empties += ",{}";
  EXPECT_NE(refusal({empties + "]}"}).find("at most 1024 elements"), std::string::npos);
  std::string unknown = "{\"u0\":0";
  for (int i = 1; i < 1000; ++i) unknown += ",\"u" + std::to_string(i) + "\":0";
  EXPECT_TRUE(refusal({unknown + "}"}).ends_with("… and 950 more faults"));
}

TEST(ReadConfig, BadOverrides) {
  for (const std::string argument : {"", "--", "--seed", "seed", "=1", "--=1", "--optim.=1", "--.seed=1", "--optim..betas=1"}) {
    EXPECT_NE(refusal({}, {argument}), "") << argument;
  }
  EXPECT_EQ(refusal({}, {"--seed"}), "command line: expected section.key=value; got '--seed'");
  EXPECT_EQ(refusal({}, {"--run_name=\xff"}), "command line: expected UTF-8; got other bytes");
  EXPECT_EQ(refusal({}, {"--rewards.0.weight=1"}), "command line: rewards: expected a list of objects; got an object");
  std::string deep = "a";
  for (int i = 0; i < 100000; ++i) deep += ".a";
  EXPECT_NE(refusal({}, {deep + "=1"}), "");
}

class ConfigFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / "grpo_json_config_test";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }

  fs::path folder_;
};

TEST_F(ConfigFiles, PathsStartWhereTheyAreWritten) {
  ConfigSource source;
  source.add_file(write("a.json", "{\"output_dir\": \"sub/x\"}"));
  Config config;
  read_config(source, config);
  EXPECT_EQ(config.output_dir, (fs::absolute(folder_) / "sub/x").lexically_normal().string());
  source.add_override("output_dir=here");
  read_config(source, config);
  EXPECT_EQ(config.output_dir, (fs::current_path() / "here").string());
  source.add_override("output_dir=/abs");
  read_config(source, config);
  EXPECT_EQ(config.output_dir, "/abs");
  source.add_override("output_dir=");
  read_config(source, config);
  EXPECT_EQ(config.output_dir, "");
}

TEST_F(ConfigFiles, UnreadableFilesAreUsageErrors) {
  ConfigSource source;
  for (const fs::path& file : {folder_ / "absent.json", folder_, write("large.json", std::string((1 << 20) + 1, ' '))}) {
    try {
      source.add_file(file);
      ADD_FAILURE() << file;
    } catch (const grpo::Error& error) {
      EXPECT_EQ(error.kind(), grpo::ErrorKind::kUsage);
      EXPECT_TRUE(std::string(error.what()).starts_with(file.string() + ": expected ")) << error.what();
    }
  }
}

TEST(WriteConfig, PrintsInTheOrderOfTheDescription) {
  Config config;
  config.optim.learning_rate = 9223372036854775808.0;
  config.rewards = {{"a\t\"b\"\x01", 0.5, {{"n", "1"}, {"s", "\"x\""}}}};
  EXPECT_EQ(write_config(config), R"({
  "resume": false,
  "run_name": "run",
  "output_dir": "",
  "seed": null,
  "stop": ["</answer>"],
  "optim": {
    "learning_rate": 9223372036854775808.0,
    "warmup_steps": 0,
    "max_grad_norm": 1.0,
    "schedule": "constant",
    "betas": [0.9, 0.95]
  },
  "rewards": [
    {
      "name": "a\t\"b\"\u0001",
      "weight": 0.5,
      "options": {
        "n": 1,
        "s": "x"
      }
    }
  ]
}
)");
  EXPECT_EQ(config_of({write_config(config)}), config);
}

TEST(WriteConfig, RelativePathsBecomeAbsolute) {
  Config config;
  config.output_dir = "runs/a";
  EXPECT_EQ(config_of({write_config(config)}).output_dir, (fs::current_path() / "runs/a").string());
}

TEST(WriteConfig, RefusesWhatJsonCannotSay) {
  Config config;
  config.optim.learning_rate = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(write_config(config), grpo::Error);
  config = {};
  config.run_name = "\xff";
  EXPECT_THROW(write_config(config), grpo::Error);
  config = {};
  config.optim.schedule = static_cast<sample::Schedule>(3);
  EXPECT_THROW(write_config(config), grpo::Error);
  config = {};
  config.rewards = {{"r", 1.0, {{"o", "not json"}}}};
  EXPECT_THROW(write_config(config), grpo::Error);
}

TEST(Reference, MarkdownTables) {
  EXPECT_EQ(grpo::markdown_reference<Config>(), R"(| option | type | default | meaning |
|---|---|---|---|
| `resume` | true or false | `false` | Continue a run. |
| `run_name` | string | `"run"` | Name of the run. |
| `output_dir` | path | `""` | Where the run is kept. |
| `seed` | integer >= 0 or null | `null` | Of all random numbers. |
| `stop` | string or list of strings | `["</answer>"]` | Texts that end a completion. |

## `optim`

The optimiser.

| option | type | default | meaning |
|---|---|---|---|
| `learning_rate` | number > 0 | `1e-06` | Step size. |
| `warmup_steps` | integer in [0, 1e+06] | `0` | Steps of linear warm-up. |
| `max_grad_norm` | number > 0 or null | `1.0` | Norm that gradients are clipped to. |
| `schedule` | `constant`, `linear`, `cosine` | `"constant"` | How the step size falls. |
| `betas` | list of numbers | `[0.9,0.95]` | Decay of \|g\| and g². |

## `rewards[]`

The rewards, added up.

| option | type | default | meaning |
|---|---|---|---|
| `name` | string | `""` | Which reward. |
| `weight` | number in [0, 1] | `1.0` | Its weight. |
| `options` | object of free options | `{}` | Its own options. |
)");
}

// Oracle: the schema as an independent JSON parser reads it.
TEST(Reference, JsonSchema) {
  const auto schema = nlohmann::json::parse(grpo::json_schema<Config>(kAliases));
  EXPECT_EQ(schema.at("additionalProperties"), false);
  const auto& options = schema.at("properties");
  EXPECT_EQ(options.size(), 9u);  // seven of its own and two short names
  EXPECT_EQ(options.at("seed").at("type"), (nlohmann::json{"integer", "null"}));
  EXPECT_EQ(options.at("seed").at("minimum"), 0);
  const auto& optim = options.at("optim").at("properties");
  EXPECT_EQ(optim.at("learning_rate").at("exclusiveMinimum"), 0);
  EXPECT_EQ(optim.at("learning_rate").at("default"), 1e-6);
  EXPECT_EQ(optim.at("schedule").at("enum"), (nlohmann::json{"constant", "linear", "cosine"}));
  EXPECT_EQ(options.at("lr"), optim.at("learning_rate"));
  EXPECT_EQ(options.at("rewards").at("items").at("properties").at("weight").at("maximum"), 1);
}

#if __has_include(<rapidcheck/gtest.h>)
/// Any text of characters that UTF-8 can say.
rc::Gen<std::string> any_text() {
  return rc::gen::map(rc::gen::container<std::vector<uint32_t>>(rc::gen::inRange<uint32_t>(0, 0x110000)), [](const auto& codes) {
    std::u32string text;
    for (const uint32_t code : codes) text += code >= 0xD800 && code < 0xE000 ? U'?' : static_cast<char32_t>(code);
    std::string bytes;
    for (const char32_t c : text) {
      const auto tail = [&](int shift) { bytes += static_cast<char>(0x80 | ((c >> shift) & 0x3F)); };
      if (c < 0x80) {
        bytes += static_cast<char>(c);
      } else if (c < 0x800) {
        bytes += static_cast<char>(0xC0 | (c >> 6)), tail(0);
      } else if (c < 0x10000) {
        bytes += static_cast<char>(0xE0 | (c >> 12)), tail(6), tail(0);
      } else {
        bytes += static_cast<char>(0xF0 | (c >> 18)), tail(12), tail(6), tail(0);
      }
    }
    return bytes;
  });
}

rc::Gen<double> any_finite() {
  return rc::gen::suchThat(rc::gen::map(rc::gen::arbitrary<uint64_t>(), [](uint64_t bits) { return std::bit_cast<double>(bits); }),
                           [](double value) { return std::isfinite(value); });
}

// Property: what write_config prints reads back equal.
RC_GTEST_PROP(WriteConfig, ReadsBackEqual, ()) {
  Config config;
  config.resume = *rc::gen::arbitrary<bool>();
  config.run_name = *any_text();
  config.output_dir = *rc::gen::element<std::string>("", "/", "/a/b c/\u00e9");
  if (*rc::gen::arbitrary<bool>()) config.seed = *rc::gen::nonNegative<int64_t>();
  config.stop = *rc::gen::container<std::vector<std::string>>(any_text());
  config.optim.learning_rate = *rc::gen::suchThat(any_finite(), [](double value) { return value > 0; });
  config.optim.warmup_steps = *rc::gen::inRange<int64_t>(0, 1000001);
  if (*rc::gen::arbitrary<bool>()) config.optim.max_grad_norm.reset();
  config.optim.schedule = *rc::gen::element(sample::Schedule::kConstant, sample::Schedule::kLinear, sample::Schedule::kCosine);
  config.optim.betas = *rc::gen::container<std::vector<double>>(any_finite());
  for (int n = *rc::gen::inRange(0, 4); n > 0; --n) {
    const int64_t number = *rc::gen::arbitrary<int64_t>();
    config.rewards.push_back({*any_text(), 0.5, {{*any_text(), std::to_string(number)}}});
  }
  RC_ASSERT(config_of({write_config(config)}) == config);
}

// Property: texts cut or changed at any byte give an Error or a config, nothing else; an independent strict parser (without comments)
// accepts whatever is accepted.
RC_GTEST_PROP(ReadConfig, DamagedTextIsRefusedOrRead, ()) {
  Config config;
  config.rewards = {{"r", 0.5, {{"o", "1"}}}};
  std::string text = write_config(config);
  const auto at = *rc::gen::inRange<size_t>(0, text.size());
  if (*rc::gen::arbitrary<bool>()) {
    text.resize(at);
  } else {
    text[at] = *rc::gen::arbitrary<char>();
  }
  try {
    Config read;
    read_config(source_of({text}), read);
    RC_ASSERT(nlohmann::json::accept(text));
  } catch (const grpo::Error& error) {
    RC_ASSERT(error.kind() == grpo::ErrorKind::kUsage);
  }
}
#endif

}  // namespace

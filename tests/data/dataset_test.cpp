#include "grpo/data/dataset.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <fstream>

#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "support/parity.h"

namespace grpo {
namespace {

/// A file in a folder of its own, removed at the end.
class DatasetFile : public ::testing::Test {
 protected:
  DatasetFile() : folder_(std::filesystem::temp_directory_path() / ("grpo_dataset_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~DatasetFile() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }

  std::string message_of(const std::string& name, const std::string& text, const FieldMapping& mapping = {}) const {
    try {
      load_problems(write(name, text), mapping);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  std::filesystem::path folder_;
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_F(DatasetFile, ReadsLinesWithNumbersAndFurtherFields) {
  const auto problems = load_problems(write("a.jsonl",
                                            "{\"question\": \"1+1?\", \"answer\": 2, \"level\": 3, \"tag\": \"sum\", \"nums\": [1, 1]}\r\n"
                                            "\n"
                                            "{\"question\": \"half of 54?\", \"answer\": 27.0, \"solution\": \"54/2\"}"));
  ASSERT_EQ(problems.size(), 2U);
  EXPECT_EQ(problems[0].question, "1+1?");
  EXPECT_EQ(problems[0].answer, "2");
  EXPECT_EQ(problems[0].fields, (std::map<std::string, std::string>{{"level", "3"}, {"tag", "sum"}, {"nums", "[1,1]"}}));
  EXPECT_EQ(problems[1].index, 1);
  EXPECT_EQ(problems[1].answer, "27.0");
  EXPECT_EQ(problems[1].solution, "54/2");
  EXPECT_TRUE(problems[1].fields.empty());
}

// Oracle: Python's json, which keeps integers of any size.
TEST_F(DatasetFile, KeepsTheDigitsOfLargeIntegers) {
  const auto problems =
      load_problems(write("a.jsonl", R"({"question": "q", "answer": 340282366920938463463374607431768211456, "seed": -9223372036854775809})"
                                     "\n"
                                     R"({"question": "q", "answer": [18446744073709551616, "2^64"], "nums": [1, 18446744073709551617]})"));
  ASSERT_EQ(problems.size(), 2U);
  EXPECT_EQ(problems[0].answer, "340282366920938463463374607431768211456");
  EXPECT_EQ(problems[0].fields.at("seed"), "-9223372036854775809");
  EXPECT_TRUE(problems[0].json_fields.contains("seed"));
  EXPECT_EQ(problems[1].answers(), (std::vector<std::string>{"18446744073709551616", "2^64"}));
  EXPECT_EQ(problems[1].fields.at("nums"), "[1,18446744073709551617]");
  EXPECT_TRUE(contains(message_of("b.jsonl", R"({"question": 18446744073709551616})"), "expected text in 'question'; got number"));
}

TEST_F(DatasetFile, ReadsArraysAndNamesTheLineOfABadElement) {
  const auto problems =
      load_problems(write("a.json", "[{\"question\": \"[{\\\"\", \"answer\": \"x\"},\n {\"question\": \"b\", \"x\": {\"y\": [1]}}]"));
  ASSERT_EQ(problems.size(), 2U);
  EXPECT_EQ(problems[0].question, "[{\"");
  EXPECT_EQ(problems[1].fields.at("x"), "{\"y\":[1]}");
  EXPECT_TRUE(contains(message_of("b.json", "[\n{\"question\": \"a, [b\"},\n\n 7]"), "b.json:4: expected an object; got number"));
}

TEST_F(DatasetFile, TriesAliasesOnlyForDefaultNames) {
  EXPECT_EQ(load_problems(write("a.jsonl", "{\"input\": \"q\", \"target\": 43.0}"))[0].answer, "43.0");
  const auto both = load_problems(write("a.jsonl", "{\"problem\": \"p\", \"question\": \"q\", \"answer\": null, \"solution\": \"s\"}"))[0];
  EXPECT_EQ(both.question, "q");
  EXPECT_EQ(both.fields.at("problem"), "p");
  EXPECT_EQ(both.answer, "s");
  EXPECT_EQ(both.solution, "s");
  EXPECT_TRUE(contains(message_of("a.jsonl", "{\"problem\": \"p\"}", {.question = "Question"}),
                       "a.jsonl:1: expected a column 'Question'; got 'problem'"));
}

TEST_F(DatasetFile, ReadsConversations) {
  const std::string turns = "[{\"role\": \"system\", \"content\": \"be brief\"}, {\"role\": \"user\", \"content\": \"hi\"}]";
  for (const char* column : {"messages", "prompt"}) {
    const auto problem = load_problems(write("a.jsonl", "{\"" + std::string(column) + "\": " + turns + "}"))[0];
    ASSERT_EQ(problem.messages.size(), 2U);
    EXPECT_EQ(problem.messages[1].role, "user");
    EXPECT_EQ(problem.messages[1].content, "hi");
    EXPECT_TRUE(problem.question.empty());
  }
  EXPECT_TRUE(contains(message_of("a.jsonl", "{\"messages\": [{\"role\": \"user\"}]}"), "a.jsonl:1: expected messages"));
}

TEST_F(DatasetFile, BadFilesAreErrorsThatNameTheLine) {
  const std::string good = "{\"question\": \"q\"}\n";
  const struct {
    std::string text, message;
  } cases[] = {
      {good + "{\"question\": \"q\"", "a.jsonl:2: expected JSON in UTF-8; got a syntax error while parsing object"},
      {good + "{\"question\": \"\xFF\"}", "a.jsonl:2: expected JSON in UTF-8"},
      {good + "[1]", "a.jsonl:2: expected an object; got array"},
      {"{\"answer\": \"1\"}", "a.jsonl:1: expected a question"},
      {"{\"question\": \" \"}", "a.jsonl:1: expected a question in 'question' or messages in 'messages'; got an empty prompt"},
      {"{\"messages\": []}", "a.jsonl:1: expected a question in 'question' or messages in 'messages'; got an empty prompt"},
      {"{\"prompt\": [{\"role\": \"user\", \"content\": \" \"}]}", "got an empty prompt"},
      {"{\"question\": 5}", "a.jsonl:1: expected text in 'question'; got number"},
      {"{\"question\": \"q\", \"answer\": {}}", "a.jsonl:1: expected text or a number in 'answer'; got object"},
      {"{\"question\": \"q\", \"answer\": 1e999}", "a.jsonl:1: expected JSON"},
      {"{\"question\": \"q\", \"x\": " + std::string(100'000, '['), "a.jsonl:1: expected JSON nested at most 64 deep"},
      {"", "empty file"},
      {"\n \n", "empty file"},
  };
  for (const auto& [text, message] : cases) EXPECT_TRUE(contains(message_of("a.jsonl", text), message)) << message_of("a.jsonl", text);
  EXPECT_TRUE(contains(message_of("a.json", "[]"), "empty file"));
  EXPECT_TRUE(contains(message_of("a.json", "[\n{\"question\": \"q\"},\n{]"), "a.json:3: expected JSON"));
  EXPECT_TRUE(contains(message_of("a.json", "{}"), "expected an array"));
  EXPECT_TRUE(contains(message_of("a.txt", "q"),
                       "expected a .csv, .json, .jsonl, .tsv file, or one of these packed as .gz or .zst; got another ending"));
  EXPECT_EQ(load_problems(write("a.csv", "{\"question\": \"q\"}"), {}, {.name = "jsonl"}).size(), 1u);
  EXPECT_THROW(load_problems(folder_ / "a.csv", {}, {.name = "jsnol"}), Error);
  EXPECT_THROW(load_problems(folder_ / "a.csv", {}, {.name = "jsonl", .options = {{"x", "1"}}}), Error);
  EXPECT_THROW(load_problems(folder_ / "absent.jsonl"), Error);
  EXPECT_THROW(load_problems(folder_), Error);
}

TEST_F(DatasetFile, AnswersMayBeSeveral) {
  const auto answers = [this](const std::string& row, const FieldMapping& mapping = {}) {
    return load_problems(write("a.jsonl", row), mapping).at(0).answers();
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(answers(R"({"question": "q", "answer": ["3", 3.0, "three"]})"), (Texts{"3", "3.0", "three"}));
  EXPECT_EQ(answers(R"({"question": "q", "target": ["3"]})"), (Texts{"3"}));
  EXPECT_EQ(answers(R"({"question": "q", "answer": "3"})"), (Texts{"3"}));
  EXPECT_EQ(answers(R"({"question": "q"})"), Texts{});
  EXPECT_EQ(answers(R"({"question": "q", "answer": null})"), Texts{});
  const auto problem =
      load_problems(write("a.jsonl", R"({"question": "q", "answer": ["so #### 3", "1+2 #### three"]})"), {.answer_after = "####"})[0];
  EXPECT_EQ(problem.answer, "3");
  EXPECT_EQ(problem.answers(), (Texts{"3", "three"}));
  EXPECT_EQ(problem.solution, "so #### 3");
}

TEST_F(DatasetFile, SolutionsMayBeSeveral) {
  const std::string row = R"({"question": "q", "solution": ["first", "second"]})";
  const auto own =
      load_problems(write("a.jsonl", R"({"question": "q", "final": ["3"], "solution": ["first", "second"]})"), {.answer = "final"});
  EXPECT_EQ(own[0].solution, "first");
  EXPECT_EQ(own[0].answers(), (std::vector<std::string>{"3"}));
  EXPECT_EQ(load_problems(write("a.jsonl", row))[0].answers(), (std::vector<std::string>{"first", "second"}));
  EXPECT_TRUE(contains(message_of("a.jsonl", R"({"question": "q", "solution": []})"),
                       "a.jsonl:1: expected at least one text in 'solution'; got an empty list"));
  EXPECT_TRUE(contains(message_of("a.jsonl", R"({"question": "q", "answer": "3", "solution": ["a", 1]})"),
                       "a.jsonl:1: expected text in 'solution'; got number"));
}

TEST_F(DatasetFile, BadListsOfAnswersAreErrorsThatNameTheLine) {
  const struct {
    std::string answer, message;
  } cases[] = {
      {"[]", "a.jsonl:2: expected at least one right answer in 'answer'; got an empty list"},
      {"[null]", "a.jsonl:2: expected text or a number in the list 'answer'; got null"},
      {R"(["3", null])", "a.jsonl:2: expected text or a number in the list 'answer'; got null"},
      {R"(["3", ["three"]])", "a.jsonl:2: expected text or a number in the list 'answer'; got array"},
      {R"(["3", " "])", "a.jsonl:2: expected right answers in the list 'answer'; got an empty text"},
  };
  for (const auto& [answer, message] : cases) {
    const std::string rows = "{\"question\": \"p\"}\n{\"question\": \"q\", \"answer\": " + answer + "}";
    EXPECT_TRUE(contains(message_of("a.jsonl", rows), message)) << message_of("a.jsonl", rows);
  }
  EXPECT_TRUE(contains(message_of("a.jsonl", R"({"question": "q", "answer": ["3 #### 3", "three"]})", {.answer_after = "####"}),
                       "a.jsonl:1: expected '####' in the answer; got 'three'"));
}

TEST_F(DatasetFile, SplitsTheAnswerOffASolution) {
  const auto problem =
      load_problems(write("a.jsonl", R"({"question": "q", "answer": "48/2 = <<48/2=24>>24 #### not yet\n24+1=<<24+1=25>>25\n#### 25 "})"),
                    {.answer_after = "####"})[0];
  EXPECT_EQ(problem.answer, "25");
  EXPECT_EQ(problem.solution, "48/2 = 24 #### not yet\n24+1=25\n#### 25");  // with the answer: it is what supervised training learns
  EXPECT_TRUE(
      contains(message_of("a.jsonl", "{\"question\": \"q\", \"answer\": \"25\"}", {.answer_after = "####"}), "a.jsonl:1: expected '####'"));
}

TEST_F(DatasetFile, ASolutionOfItsOwnStaysWhereTheAnswerIsSplit) {
  const auto split = [this](const std::string& row) { return load_problems(write("a.jsonl", row), {.answer_after = "####"})[0]; };
  const Problem own = split(R"({"question": "q", "answer": "short <<1>> #### 25", "solution": "long <<2>>"})");
  EXPECT_EQ(own.solution, "long <<2>>");
  EXPECT_EQ(own.answer, "25");
  const Problem same = split(R"({"question": "q", "solution": "48/2=<<48/2=24>>24 #### 24"})");
  EXPECT_EQ(same.solution, "48/2=24 #### 24");
  EXPECT_EQ(same.answer, "24");
}

TEST_F(DatasetFile, KeepsWhatMessagesHaveBesideTheirText) {
  const auto messages = load_problems(write("a.json", R"([{"messages": [{"role": "user", "content": "u", "name": null},
      {"content": [{"type": "text", "text": "a"}, {"type": "thinking", "thinking": "b"}, {"type": "text", "text": "c"}], "role": "user"},
      {"role": "assistant", "tool_calls": [{"z": 1, "a": 2}]}, {"role": "tool", "content": "3", "tool_call_id": "x"}]}])"))[0]
                            .messages;
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[0], (Message{"user", "u"}));
  EXPECT_EQ(messages[1].content, "ac");
  EXPECT_EQ(messages[2], (Message{"assistant", "", R"({"tool_calls":[{"z":1,"a":2}],"content":null})"}));
  EXPECT_EQ(messages[3].members, R"({"tool_call_id":"x"})");
}

TEST_F(DatasetFile, WhatTheChatTemplateCannotTakeIsNamed) {
  const struct {
    std::string columns, message;
  } cases[] = {
      {R"("tools": {"a": 1})", "a.jsonl:1: expected a list in 'tools'; got object"},
      {R"("tools": "calculator")", "a.jsonl:1 'tools':1: expected JSON"},
      {R"("tools": ["calculator"])", "a.jsonl:1: expected objects in 'tools'; got string"},
      {R"("chat_template_kwargs": [])", "a.jsonl:1: expected an object in 'chat_template_kwargs'; got array"},
      {R"("chat_template_kwargs": {"tools": []})", "expected further variables in 'chat_template_kwargs'; got 'tools'"},
      {R"("messages": [{"role": "user", "content": null, "tool_calls": null}])", "expected messages with role and content"},
      {R"("messages": [{"role": "user", "content": 5}])", "expected messages with role and content"},
      {R"("messages": [{"role": "user", "content": [{"type": "image"}]}])", "expected text in 'content'; got a part of type image"},
      {R"("messages": [{"role": "user", "content": ["u"]}])", "expected parts of a content with a type"},
      {R"("messages": [{"role": "user", "content": [{"type": "text"}]}])", "expected text in a part of type text"},
  };
  for (const auto& [columns, message] : cases) {
    const std::string got = message_of("a.jsonl", "{\"question\": \"q\", " + columns + "}");
    EXPECT_TRUE(contains(got, message)) << columns << "\n" << got;
  }
}

TEST_F(DatasetFile, AReaderOfYourOwnGoesByItsEndingOrItsName) {
  class Bare final : public DatasetReader {
    void read(const std::filesystem::path& file, ProblemRows& rows) const override {
      std::ifstream in(file);
      for (std::string line; std::getline(in, line);) rows.add("{\"q\": \"" + line + "\"}", 1);
    }
  };
  ReaderRegistry readers = builtin_readers();
  readers.add<Bare>("bare");
  const FieldMapping mapping{.question = "q"};
  const auto file = write("a.bare", "one\ntwo\n");
  EXPECT_EQ(load_problems(file, mapping, {}, readers)[1].question, "two");
  EXPECT_EQ(load_problems(file, mapping, {}, readers)[1].index, 1);
  EXPECT_EQ(load_problems(write("b.txt", "one"), mapping, {.name = "bare"}, readers)[0].question, "one");
  EXPECT_THROW(load_problems(write("c.bare", ""), mapping, {}, readers), Error);
}

TEST_F(DatasetFile, NamesMayBePathsAndTemplates) {
  const std::string row =
      R"({"a": {"b": {"c": 7}, "t": "{\"u\": \"v\"}"}, "x.y": {"z": "whole"}, "q": "Q", "n": 18446744073709551616, "l": [1]})";
  const auto mapped = [&](const FieldMapping& mapping) { return load_problems(write("a.jsonl", row), mapping)[0]; };
  EXPECT_EQ(mapped({.question = "q", .answer = "a.b.c"}).answer, "7");
  EXPECT_EQ(mapped({.question = "q", .answer = "a.t.u"}).answer, "v");
  EXPECT_EQ(mapped({.question = "q", .answer = "x.y.z"}).answer, "whole");
  const auto made = mapped({.question = "{q}\n{{{a.b.c}}} {n}", .answer = "\\boxed{{{a.t.u}}}", .solution = "{q}."});
  EXPECT_EQ(made.question, "Q\n{7} 18446744073709551616");
  EXPECT_EQ(made.answer, "\\boxed{v}");
  EXPECT_EQ(made.solution, "Q.");
  EXPECT_EQ(made.fields.at("q"), "Q");
  EXPECT_TRUE(made.json_fields.contains("a"));
  const struct {
    FieldMapping mapping;
    const char* message;
  } cases[] = {
      {{.question = "q", .answer = "a.b.d"}, "a.jsonl:1: expected a column 'a.b.d'; got 'a'"},
      {{.question = "{q}{z}"}, "a.jsonl:1: expected a column 'z' for '{q}{z}'; got none"},
      {{.question = "{q}{l}"}, "expected text or a number in 'l'"},
      {{.question = "{q"}, "got a brace alone"},
      {{.question = "{q}}"}, "got a brace alone"},
  };
  for (const auto& [mapping, message] : cases) EXPECT_TRUE(contains(message_of("a.jsonl", row, mapping), message)) << message;
  const auto whole = load_problems(write("b.jsonl", R"({"{q}": "named so", "q": "Q"})"), {.question = "{q}"})[0];
  EXPECT_EQ(whole.question, "named so");
}

TEST_F(DatasetFile, KnowsTheColumnsOfVerlAndTrl) {
  std::vector<std::string> log;
  set_log_sink([&log](LogLevel, const std::string& message) { log.push_back(message); });
  const std::string verl = R"({"data_source": "gsm8k", "prompt": [{"role": "user", "content": "q"}], "ability": "math", "reward_model": )";
  const auto row = load_problems(write("a.jsonl", verl + R"({"style": "rule", "ground_truth": "72"}, "extra_info": {"index": 3}})"))[0];
  EXPECT_EQ(row.answer, "72");
  EXPECT_EQ(row.messages, (std::vector<Message>{{"user", "q"}}));
  EXPECT_EQ(row.fields.at("extra_info"), "{\"index\":3}");
  EXPECT_TRUE(load_problems(write("b.jsonl", verl + R"({"ground_truth": {"target": 5}}})"))[0].answer.empty());
  EXPECT_EQ(load_problems(write("c.jsonl", R"({"prompt": "q", "completion": "c"})"))[0].solution, "c");
  EXPECT_EQ(load_problems(write("d.jsonl", R"({"prompt": "q", "completion": [{"role": "assistant", "content": "c"}]})"))[0].solution, "c");
  EXPECT_EQ(load_problems(write("e.jsonl", R"({"prompt": "q", "completion": [1, 2], "solution": "s"})"))[0].solution, "s");
  const FieldMapping after{.answer_after = "####"};
  EXPECT_EQ(load_problems(write("g.jsonl", R"({"prompt": "q", "completion": "c", "answer": "x #### 1"})"), after)[0].solution, "c");
  log.pop_back();
  load_problems(write("f.jsonl", R"({"prompt": "q", "chosen": "c", "rejected": "r"})"));
  set_log_sink({});
  ASSERT_EQ(log.size(), 6U);
  EXPECT_TRUE(contains(log[0], "a.jsonl has verl's columns: the answer is reward_model.ground_truth"));
  EXPECT_TRUE(contains(log[1], "b.jsonl has verl's columns; rewards find them"));
  EXPECT_TRUE(contains(log[2], "c.jsonl has TRL's columns: completion is the solution where"));
  EXPECT_TRUE(contains(log[5], "f.jsonl has TRL's columns of preferences"));
}

TEST_F(DatasetFile, KnowsWhichFieldsAreJson) {
  const Problem problem = load_problems(write("a.jsonl", R"({"question": "q", "a": "[1]", "b": [1], "c": null})"))[0];
  EXPECT_EQ(problem.fields, (std::map<std::string, std::string>{{"a", "[1]"}, {"b", "[1]"}, {"c", "null"}}));
  EXPECT_EQ(problem.json_fields, (std::set<std::string>{"b", "c"}));
}

TEST_F(DatasetFile, AnObjectHasTenThousandKeysAtMost) {
  const auto with_keys = [](int count) {
    std::string row = "{\"question\": \"q\", \"x\": {\"a\": {}, \"0\": 0";
    for (int i = 2; i < count; ++i) row += ", \"" + std::to_string(i) + "\": 0";
    return row + "}}";
  };
  EXPECT_EQ(message_of("a.jsonl", with_keys(10000)), "no error");
  EXPECT_TRUE(contains(message_of("a.jsonl", with_keys(10001)), "a.jsonl:1: expected at most 10000 keys in an object"));
}

TEST(Disjoint, ComparesQuestionsWithoutRegardToWhiteSpace) {
  Problem a, b, c;
  a.question = " one\n two";
  b.question = "one two ";
  c.question = "one  three";
  EXPECT_EQ(problem_key(a), "one two");
  EXPECT_NO_THROW(check_disjoint(std::vector{a}, std::vector{c}));
  try {
    check_disjoint(std::vector{a, c}, std::vector{c, b});
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_TRUE(contains(error.what(), "got 2 shared ones, the first: 'one three'")) << error.what();
  }
}

TEST(Disjoint, ComparesConversationsWithTheirRoles) {
  Problem a, b;
  a.messages = {{"user", "x"}};
  b.messages = {{"assistant", "x"}};
  EXPECT_NE(problem_key(a), problem_key(b));
}

/// Oracle: the row counts and columns that the data's description gives.
TEST(Datasets, EveryProblemSetHereLoads) {
  GRPO_REQUIRE_DATA(testing::data_dir() / "gsm8k" / "test.jsonl");
  const auto gsm8k = load_problems(testing::data_dir() / "gsm8k" / "test.jsonl", {.answer_after = "####"});
  EXPECT_EQ(gsm8k.size(), 1319U);
  EXPECT_EQ(gsm8k[0].answer, "18");
  for (const Problem& problem : gsm8k) {
    EXPECT_FALSE(problem.solution.empty());
    EXPECT_EQ(problem.solution.find("<<"), std::string::npos);
  }
  const auto math = testing::data_dir() / "math";
  GRPO_REQUIRE_DATA(math / "math500_test.json");
  EXPECT_EQ(load_problems(math / "math500_test.json").size(), 500U);
  EXPECT_EQ(load_problems(math / "aime24.jsonl").size(), 30U);
  EXPECT_EQ(load_problems(math / "amc23.jsonl")[0].answer, "27.0");
  EXPECT_EQ(load_problems(math / "mawps_test.jsonl").size(), 2065U);
  EXPECT_EQ(load_problems(math / "svamp.jsonl", {.question = "Question", .answer = "Answer"}).size(), 1000U);
}

}  // namespace
}  // namespace grpo

// What datasets keep as tests: their published forms, by hand.
#include "reward/code_tests.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/json.h"
#include "grpo/core/error.h"

namespace grpo {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Problem problem_with(std::map<std::string, std::string> fields) {
  Problem problem;
  problem.fields = std::move(fields);
  return problem;
}

TEST(CodeTests, PairsOfInputAndOutput) {
  const Pairs two{{"1 2\n", "3\n"}, {"4", "5"}};
  const std::vector<std::map<std::string, std::string>> table{
      {{"tests", R"x({"inputs": ["1 2\n", "4"], "outputs": ["3\n", "5"]})x"}},                                        // PRIME, TACO
      {{"input_output", R"x({"inputs": ["1 2\n", "4"], "outputs": ["3\n", "5"], "fn_name": null})x"}},                // APPS
      {{"input_output", R"x("{\"inputs\": [\"1 2\\n\", \"4\"], \"outputs\": [\"3\\n\", \"5\"]}")x"}},                 // a text with JSON
      {{"tests", R"x([{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}, {"input": "4", "output": "5"}])x"}},  // LiveCodeBench
      {{"inputs", R"x(["1 2\n", "4"])x"}, {"outputs", R"x(["3\n", "5"])x"}},
      {{"inputs", R"x([["1 2"], 4])x"}, {"outputs", R"x([["3"], 5])x"}},  // lists of lines
  };
  for (const auto& fields : table) {
    const auto tests = code_tests(problem_with(fields), "");
    ASSERT_TRUE(tests) << fields.begin()->second;
    EXPECT_EQ(tests->pairs, two) << fields.begin()->second;
    EXPECT_EQ(tests->job, "");
  }
  Problem answered;
  answered.answer = R"x({"inputs": ["4"], "outputs": ["5"]})x";  // PRIME's ground_truth, where the data's mapping took it
  EXPECT_EQ(code_tests(answered, "")->pairs, Pairs({{"4", "5"}}));
}

TEST(CodeTests, CallsAndSources) {
  const std::vector<std::tuple<std::map<std::string, std::string>, std::string>> table{
      {{{"tests", "assert f(1) == 2"}}, R"x({"check": "", "setup": [], "tests": ["assert f(1) == 2"]})x"},
      {{{"test_list", R"x(["assert f(1) == 2", "assert f(2) == 3"])x"},
        {"test_setup_code", "import math"},
        {"test_imports", "[\"import re\"]"}},
       R"x({"check": "", "setup": ["import re\n", "import math"], "tests": ["assert f(1) == 2", "assert f(2) == 3"]})x"},  // MBPP
      {{{"test", "def check(candidate):\n  assert candidate(1) == 2"}, {"entry_point", "f"}},
       R"x({"check": "f", "setup": [], "tests": ["def check(candidate):\n  assert candidate(1) == 2"]})x"},  // HumanEval
      {{{"input_output", R"x({"fn_name": "f", "inputs": [[1, [2]], [3, []]], "outputs": [[4], 5]})x"}},
       R"x({"function": "f", "calls": [[[1, [2]], [4]], [[3, []], 5]]})x"},  // APPS
      {{{"tests", R"x({"fn_name": "f", "inputs": ["1\n[2]\n"], "outputs": ["\"x\""]})x"}},
       R"x({"function": "f", "calls": [[[1, [2]], "x"]]})x"},
      {{{"tests", R"x([{"input": "\"a\"", "output": "true", "testtype": "functional"}])x"}, {"fn_name", "f"}},
       R"x({"function": "f", "calls": [[["a"], true]]})x"},  // LiveCodeBench
  };
  for (const auto& [fields, job] : table) {
    const auto tests = code_tests(problem_with(fields), "");
    ASSERT_TRUE(tests) << job;
    EXPECT_EQ(parse_json(tests->job), parse_json(job)) << tests->job;
    EXPECT_TRUE(tests->pairs.empty());
  }
}

TEST(CodeTests, NoneIsNoneAndAStrangeFormIsAnError) {
  EXPECT_FALSE(code_tests(problem_with({}), ""));
  EXPECT_FALSE(code_tests(problem_with({{"tests", ""}}), ""));
  EXPECT_FALSE(code_tests(problem_with({{"tests", "assert f(1)"}}), "mine"));
  EXPECT_TRUE(code_tests(problem_with({{"mine", "assert f(1)"}}), "mine"));
  for (const std::string text : {"nothing", "[]", "[1]", "{}", "3", R"x({"inputs": ["a"], "outputs": []})x",
                                 R"x({"inputs": "a", "outputs": "b"})x", R"x([{"input": "a"}])x", R"x(["assert f(1)", {}])x"})
    EXPECT_THROW(code_tests(problem_with({{"tests", text}}), ""), Error) << text;
}

TEST(CodeTests, OutputsAreComparedByLines) {
  for (const auto& [written, expected] : Pairs{{"3", "3\n"}, {"a  \nb\n\n", "a\r\nb"}, {"", "\n"}, {"a\n\nb", "a\n\nb"}})
    EXPECT_TRUE(same_output(written, expected)) << written;
  for (const auto& [written, expected] : Pairs{{"3", "3.0"},
                                               {"3 4", "3  4"},
                                               {" 3", "3"},
                                               {"a\nb", "a"},
                                               {"a", "a\nb"},
                                               {"\na", "a"},
                                               {"a\n\nb", "a\nb"},
                                               {"", "a"},
                                               {"A", "a"}})
    EXPECT_FALSE(same_output(written, expected)) << written;
}

}  // namespace
}  // namespace grpo

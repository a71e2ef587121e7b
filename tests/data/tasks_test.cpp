#include "grpo/data/tasks.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "data/chain.h"
#include "grpo/core/error.h"
#include "grpo/data/dataset.h"

namespace grpo {
namespace {

struct Fraction {
  int64_t top, bottom;
};

/// Brute force over every way of joining two of the numbers by any of + - * /.
bool can_reach(std::vector<Fraction> numbers, int64_t target) {
  if (numbers.size() == 1) return numbers[0].top == target * numbers[0].bottom;
  for (size_t i = 0; i < numbers.size(); ++i) {
    for (size_t j = 0; j < numbers.size(); ++j) {
      if (i == j) continue;
      const Fraction a = numbers[i], b = numbers[j];
      std::vector<Fraction> rest;
      for (size_t k = 0; k < numbers.size(); ++k) {
        if (k != i && k != j) rest.push_back(numbers[k]);
      }
      std::vector<Fraction> results = {{a.top * b.bottom + b.top * a.bottom, a.bottom * b.bottom},
                                       {a.top * b.bottom - b.top * a.bottom, a.bottom * b.bottom},
                                       {a.top * b.top, a.bottom * b.bottom}};
      if (b.top != 0) results.push_back({a.top * b.bottom, a.bottom * b.top});
      for (const Fraction& result : results) {
        const int64_t divisor = std::max<int64_t>(1, std::gcd(result.top, result.bottom));
        rest.push_back({result.top / divisor, result.bottom / divisor});
        if (can_reach(rest, target)) return true;
        rest.pop_back();
      }
    }
  }
  return false;
}

TEST(Countdown, EveryProblemIsSolvable) {
  const auto registry = builtin_tasks();
  EXPECT_TRUE(rc::check("brute force reaches the target", [&registry] {
    const int count = *rc::gen::inRange(2, 5);
    const auto task = registry.make("countdown", {{"numbers", std::to_string(count)}, {"max_number", "30"}});
    Random random(*rc::gen::arbitrary<uint32_t>());
    const Problem problem = task->make(random);
    std::vector<Fraction> numbers;
    for (const int64_t number : nlohmann::json::parse(problem.fields.at("numbers"))) numbers.push_back({number, 1});
    RC_ASSERT(numbers.size() == static_cast<size_t>(count));
    const int64_t target = std::stoll(problem.fields.at("target"));
    RC_ASSERT(target >= 1 && target <= 100);
    RC_ASSERT(can_reach(numbers, target));
  }));
}

TEST(Countdown, OptionsHold) {
  const auto task =
      builtin_tasks().make("countdown", {{"numbers", "3"}, {"max_number", "9"}, {"max_target", "20"}, {"operations", "\"+-\""}});
  Random random(5);
  for (int i = 0; i < 200; ++i) {
    const Problem problem = task->make(random);
    EXPECT_LE(std::stoll(problem.fields.at("target")), 20);
    EXPECT_EQ(problem.solution.find_first_of("*/"), std::string::npos) << problem.solution;
    EXPECT_NE(problem.question.find("value is " + problem.fields.at("target")), std::string::npos);
    for (const int64_t number : nlohmann::json::parse(problem.fields.at("numbers"))) EXPECT_TRUE(number >= 1 && number <= 9);
  }
}

TEST(Countdown, TheOrderOfTheNumbersMakesNoOtherProblem) {
  const auto task = builtin_tasks().make("countdown");
  Problem a, b;
  a.fields = {{"numbers", "[1,2,3,4]"}, {"target", "10"}};
  b.fields = {{"numbers", "[4,2,3,1]"}, {"target", "10"}};
  EXPECT_EQ(task->key(a), task->key(b));
  b.fields["target"] = "24";
  EXPECT_NE(task->key(a), task->key(b));
}

TEST(Countdown, OptionsWithoutProblemsAreAnError) {
  const auto task = builtin_tasks().make("countdown", {{"numbers", "2"}, {"max_number", "1"}, {"operations", "\"-\""}});
  Random random(1);
  EXPECT_THROW(task->make(random), Error);  // 1 - 1 is no target
}

/// Oracle: the sum, term by term, read back from the question.
TEST(ChainedArithmetic, AnswersAreSums) {
  const auto task = builtin_tasks().make("chained_arithmetic", {{"terms", "5"}, {"digits", "3"}});
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    const Problem problem = task->make(random);
    std::istringstream in(problem.question);
    int64_t sum = 0, number = 0, terms = 0;
    for (; in >> number; ++terms) {
      EXPECT_TRUE(std::abs(number) >= 100 && std::abs(number) <= 999);
      sum += number;
    }
    EXPECT_EQ(terms, 5);
    EXPECT_EQ(problem.answer, std::to_string(sum));
    EXPECT_TRUE(problem.solution.ends_with("=" + problem.answer));
  }
}

TEST(ChainedArithmetic, StepsAreRunningResults) {
  const Chain chain{.numbers = {3, 5, 9, 4}, .operations = "+-+"};
  EXPECT_EQ(chain_question(chain), "3+5-9+4=?");
  EXPECT_EQ(join_steps(work(chain).steps), "3+5=8 8-9=-1 -1+4=3");
  EXPECT_EQ(join_steps(work(chain, {.step = 1, .error = 2}).steps), "3+5=8 8-9=1 1+4=5");
  EXPECT_EQ(work(chain, {.step = 1, .error = 2}).value, 5);
}

TEST(ChainedArithmetic, OnlyChainsParse) {
  const auto chain = parse_chain("12-7+3=?");
  ASSERT_TRUE(chain);
  EXPECT_EQ(chain->numbers, (std::vector<int64_t>{12, 7, 3}));
  EXPECT_EQ(chain->operations, "-+");
  for (const char* text : {"", "=?", "1=?", "1+=?", "+1=?", "1*2=?", "1+2", "1++2=?", "1+1234567890=?", "a+1=?"})
    EXPECT_FALSE(parse_chain(text)) << text;
}

TEST(Tasks, BadOptionsAreUsageErrors) {
  const auto registry = builtin_tasks();
  for (const NamedOptions& bad :
       {NamedOptions{{"term", "3"}}, NamedOptions{{"terms", "1"}}, NamedOptions{{"digits", "10"}}, NamedOptions{{"operations", "\"+*\""}},
        NamedOptions{{"operations", "\"\""}}, NamedOptions{{"operations", "\"++\""}}}) {
    try {
      registry.make("chained_arithmetic", bad);
      ADD_FAILURE() << "expected an error for " << bad.front().first << "=" << bad.front().second.text();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    }
  }
  EXPECT_THROW(registry.make("countdwon"), Error);
}

TEST(GenerateProblems, EveryTaskGivesDisjointSplitsOfDifferentProblems) {
  const auto registry = builtin_tasks();
  for (const std::string& name : registry.names()) {
    const auto task = registry.make(name);
    EXPECT_TRUE(rc::check(name + " splits", [&task] {
      const auto train = generate_problems(*task, Split::kTrain, 60, *rc::gen::arbitrary<uint64_t>());
      const auto test = generate_problems(*task, Split::kTest, 15, *rc::gen::arbitrary<uint64_t>());
      check_disjoint(train, test);
      std::set<std::string> keys;
      for (const auto* problems : {&train, &test}) {
        for (const Problem& problem : *problems) RC_ASSERT(keys.insert(task->key(problem)).second);
      }
    }));
  }
}

TEST(GenerateProblems, IsDeterministicAndALargerCountAppends) {
  const auto task = builtin_tasks().make("chained_arithmetic");
  const auto few = generate_problems(*task, Split::kTrain, 20, 7), many = generate_problems(*task, Split::kTrain, 40, 7);
  for (size_t i = 0; i < few.size(); ++i) {
    EXPECT_EQ(few[i].question, many[i].question);
    EXPECT_EQ(few[i].index, static_cast<int64_t>(i));
  }
  EXPECT_NE(generate_problems(*task, Split::kTrain, 20, 8)[0].question, few[0].question);
}

/// Oracle: 2 terms of 1 digit with + are 81 questions in all.
TEST(GenerateProblems, GivesTheWholeSpaceAndFailsBeyondIt) {
  const auto task = builtin_tasks().make("chained_arithmetic", {{"terms", "2"}, {"operations", "\"+\""}});
  int64_t total = 0;
  for (const Split split : {Split::kTrain, Split::kTest}) {
    int64_t count = 0;
    try {
      for (;; ++count) generate_problems(*task, split, count + 1, 1);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("got " + std::to_string(count) + " before"), std::string::npos) << error.what();
    }
    EXPECT_GT(count, 0);
    total += count;
  }
  EXPECT_EQ(total, 81);
  EXPECT_THROW(generate_problems(*task, Split::kTrain, -1, 1), Error);
}

}  // namespace
}  // namespace grpo

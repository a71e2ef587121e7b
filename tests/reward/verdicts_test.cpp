// Oracles: counts by hand; all orders of the same verdicts; a list without a bound, sorted and cut at the end.
#include "grpo/reward/verdicts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "grpo/core/random.h"
#include "reward/judge.h"

namespace grpo {
namespace {

TEST(Kinds, TheMostFrequentComesFirst) {
  KindTally tally;
  for (const Score& score : {Score(1.0, "", kRight), Score(0.0, "a", "wrong"), Score(0.0, "b", "wrong"), Score(0.5), Score(0.0),
                             Score(-1.0), Score::undefined("none"), Score::undefined("", kUnreadableGold)}) {
    tally.add(score);
  }
  EXPECT_EQ(
      tally.counts(),
      (KindCounts{{"wrong", 2}, {"negative", 1}, {"positive", 1}, {"right", 1}, {"undefined", 1}, {"unreadable gold", 1}, {"zero", 1}}));
}

// A reward of one's own may give every verdict a kind of its own.
TEST(Kinds, AreBounded) {
  KindTally tally;
  for (int i = 0; i < 1000; ++i) tally.add("kind\n " + std::to_string(i) + std::string(100, 'x'));
  tally.add("often");
  tally.add("often");
  const KindCounts counts = tally.counts();
  ASSERT_EQ(counts.size(), 17U);
  EXPECT_EQ(counts.front(), (std::pair<std::string, int64_t>("often", 2)));
  EXPECT_EQ(counts.back(), (std::pair<std::string, int64_t>("other kinds", 1000 - 15)));
  for (const auto& [kind, count] : counts) EXPECT_TRUE(kind.size() <= 43 && kind.find('\n') == std::string::npos) << kind;
}

TEST(Nearness, FindsWhatOnlyTheFormSetsApart) {
  const std::vector<std::tuple<std::string, std::string, double, double>> pairs = {{"(1,2,3)", "1, 2, 3", 1.0, 1.0},
                                                                                   {"\\frac{1}{2}", "1/2", 1.0, 1.0},
                                                                                   {"\\text{Paris}", "paris.", 1.0, 1.0},
                                                                                   {"x=5", "5", 0.6, 0.95},
                                                                                   {"5 apples", "5", 0.6, 0.9},
                                                                                   {"3.14159", "3.1416", 0.85, 0.95},
                                                                                   {"50", "0.5", 0.7, 0.7},
                                                                                   {"10000", "10,000", 0.8, 0.95},
                                                                                   {"\\pi/2", "90 degrees", 0.0, 0.4},
                                                                                   {"24", "23", 0.0, 0.3},
                                                                                   {"12", "57", 0.0, 0.1},
                                                                                   {"12", "1/2", 0.0, 0.7},
                                                                                   {"-5", "5", 0.0, 0.3},
                                                                                   {"24", "1 + 23 = 24", 0.6, 0.8},
                                                                                   {"Monday", "monday", 1.0, 1.0},
                                                                                   {"\\left(2,\\infty\\right)", "(2,\\infty)", 1.0, 1.0},
                                                                                   {"apple", "pear", 0.0, 0.45},
                                                                                   {"0", "0.0", 1.0, 1.0}};
  for (const auto& [a, b, low, high] : pairs) {
    EXPECT_GE(nearness(a, b), low) << a << " | " << b;
    EXPECT_LE(nearness(a, b), high) << a << " | " << b;
    EXPECT_EQ(nearness(a, b), nearness(b, a)) << a << " | " << b;
  }
  EXPECT_EQ(nearness("", ""), 1.0);
  EXPECT_EQ(nearness("", "5"), 0.0);
  EXPECT_LE(nearness(std::string(1'000'000, '('), std::string(1'000'000, '9')), 1.0);
}

Score rejected(const std::string& gold, const std::string& given) {
  Score score(0.0, given + " is not " + gold, "different value");
  score.gold = gold;
  score.given = given;
  return score;
}

using Pair = std::tuple<double, std::string, std::string>;

std::vector<std::pair<Pair, int64_t>> listed(const NearMisses& misses) {
  std::vector<std::pair<Pair, int64_t>> list;
  for (const NearMiss& miss : misses.nearest()) list.push_back({{-miss.nearness, miss.gold, miss.given}, miss.count});
  return list;
}

TEST(NearMisses, AreTheNearestOfAllInAnyOrder) {
  std::vector<Score> scores;
  Random random(3, 1);
  for (int i = 0; i < 400; ++i) {
    const std::string gold = "(" + std::to_string(random.uniform_int(0, 12)) + ", " + std::to_string(random.uniform_int(0, 3)) + ")";
    scores.push_back(rejected(gold, std::to_string(random.uniform_int(0, 12)) + "," + std::to_string(random.uniform_int(0, 3))));
  }
  std::map<Pair, int64_t> all;
  for (const Score& score : scores) {
    const double near = nearness(score.gold, score.given);
    if (near >= 0.5) ++all[{-near, score.gold, score.given}];
  }
  ASSERT_GT(all.size(), 30U);
  const std::vector<std::pair<Pair, int64_t>> expected(all.begin(), std::next(all.begin(), 24));
  for (int order = 0; order < 5; ++order) {
    NearMisses misses;
    for (size_t i = 0; i < scores.size(); ++i) misses.add("accuracy", scores[i], Problem{}, static_cast<int64_t>(i));
    EXPECT_EQ(listed(misses), expected) << order;
    std::rotate(scores.begin(), scores.begin() + 77, scores.end());
    if (order == 2) std::reverse(scores.begin(), scores.end());
  }
}

TEST(NearMisses, AreRejectedAnswersAlone) {
  NearMisses misses;
  Score right = rejected("(1,2)", "1,2");
  right.kind = kRight;
  misses.add("f", right, Problem{}, 1);
  misses.add("f", rejected("", "1,2"), Problem{}, 1);
  misses.add("f", rejected("(1,2)", ""), Problem{}, 1);
  misses.add("f", rejected("7", "100000"), Problem{}, 1);
  Score none = rejected("(1,2)", "1,2");
  none.value = std::nan("");
  misses.add("f", none, Problem{}, 1);
  EXPECT_TRUE(misses.nearest().empty());
  Problem problem;
  problem.index = 5;
  misses.add("f", rejected("(1,2)", "1,2"), problem, 3);
  problem.index = 6;
  misses.add("f", rejected("(1,2)", "1,2"), problem, 4);
  misses.add("g", rejected("(1,2)", std::string(1000, ' ') + "1,2" + std::string(100'000, 'x')), problem, 4);
  ASSERT_GE(misses.nearest().size(), 1U);
  EXPECT_EQ(misses.nearest().front(), (NearMiss{.function = "f",
                                                .gold = "(1,2)",
                                                .given = "1,2",
                                                .reason = "1,2 is not (1,2)",
                                                .nearness = 1.0,
                                                .problem = 5,
                                                .count = 2,
                                                .first_step = 3,
                                                .last_step = 4}));
  for (const NearMiss& miss : misses.nearest()) EXPECT_LE(miss.given.size() + miss.reason.size(), 520U);
}

TEST(UnreadableGolds, AreCountedByFunction) {
  RewardSet rewards;
  rewards.add("sums", builtin_rewards().make("countdown"));
  rewards.add("format", builtin_rewards().make("format"));
  std::vector<Problem> problems(10);
  for (size_t i = 0; i < problems.size(); ++i) {
    problems[i].index = static_cast<int64_t>(i);
    problems[i].answer = "answer " + std::to_string(i);
    problems[i].fields = {{"numbers", i % 3 == 1 ? "[1, two]" : "[1, 2]"}, {"target", "3"}};
  }
  const auto found = unreadable_golds(rewards, problems);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].examples.size(), 3U);
  EXPECT_EQ(to_string(found[0]),
            "reward sums can give no verdict on 3 of 10 problems, such as 1 ('answer 1'): no short list of integers as "
            "the numbers: [1, two]");
  EXPECT_TRUE(unreadable_golds(rewards, {problems[0]}).empty());
}

}  // namespace
}  // namespace grpo

#include "grpo/data/demonstrations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <regex>

#include "grpo/core/error.h"
#include "grpo/data/tasks.h"

namespace grpo {
namespace {

std::vector<Problem> problems(int64_t count) {
  return generate_problems(*builtin_tasks().make("chained_arithmetic"), Split::kTrain, count, 11);
}

/// The thought and the answer of a completion in the R1-Zero form.
struct Formatted {
  std::string thought;
  int64_t answer = 0;
};
std::optional<Formatted> parse(const std::string& completion) {
  static const std::regex form("<think>([^<]*)</think><answer>(-?[0-9]+)</answer>");
  std::smatch match;
  if (!std::regex_match(completion, match, form)) return std::nullopt;
  return Formatted{match[1], std::stoll(match[2])};
}

TEST(Demonstrations, EachKindIsWhatItSays) {
  const auto given = problems(4000);
  const auto shown = make_demonstrations(given, {}, 3);
  ASSERT_EQ(shown.size(), given.size());
  std::map<DemonstrationKind, int64_t> counts;
  int64_t right_guesses = 0;
  for (size_t i = 0; i < shown.size(); ++i) {
    ++counts[shown[i].kind];
    EXPECT_EQ(shown[i].question, given[i].question);
    const int64_t right = std::stoll(given[i].answer);
    const auto formatted = parse(shown[i].completion);
    switch (shown[i].kind) {
      case DemonstrationKind::kCareful:
        EXPECT_EQ(shown[i].completion, "<think>" + given[i].solution + "</think><answer>" + given[i].answer + "</answer>");
        break;
      case DemonstrationKind::kGuess:
        ASSERT_TRUE(formatted) << shown[i].completion;
        EXPECT_LE(std::abs(formatted->answer - right), 3);
        EXPECT_EQ(formatted->thought, "");
        right_guesses += formatted->answer == right;
        break;
      case DemonstrationKind::kSlip:
        ASSERT_TRUE(formatted) << shown[i].completion;
        EXPECT_NE(formatted->answer, right);
        EXPECT_LE(std::abs(formatted->answer - right), 2);
        EXPECT_EQ(std::count(formatted->thought.begin(), formatted->thought.end(), '='), 3);
        EXPECT_TRUE(formatted->thought.ends_with("=" + std::to_string(formatted->answer)));
        break;
      case DemonstrationKind::kUnformatted:
        EXPECT_FALSE(formatted) << shown[i].completion;
        EXPECT_NE(shown[i].completion.find(given[i].solution), std::string::npos);
    }
  }
  // Binomial expectations at n = 4000; the margins are about five standard deviations.
  const auto share = [&](DemonstrationKind kind) { return static_cast<double>(counts[kind]) / 4000.0; };
  EXPECT_NEAR(share(DemonstrationKind::kCareful), 0.32, 0.04);
  EXPECT_NEAR(share(DemonstrationKind::kGuess), 0.50, 0.04);
  EXPECT_NEAR(share(DemonstrationKind::kSlip), 0.06, 0.02);
  EXPECT_NEAR(share(DemonstrationKind::kUnformatted), 0.12, 0.03);
  EXPECT_NEAR(static_cast<double>(right_guesses) / static_cast<double>(counts[DemonstrationKind::kGuess]), 1.0 / 7.0, 0.04);
}

TEST(Demonstrations, DependOnSeedAndIndexAlone) {
  auto given = problems(50);
  const auto all = make_demonstrations(given, {}, 1);
  const auto last = make_demonstrations(std::span(given).last(1), {}, 1);
  EXPECT_EQ(last[0].completion, all[49].completion);
  int64_t changed = 0;
  const auto other = make_demonstrations(given, {}, 2);
  for (size_t i = 0; i < all.size(); ++i) changed += other[i].completion != all[i].completion;
  EXPECT_GT(changed, 10);
}

TEST(Demonstrations, SharesAreRelative) {
  for (const Demonstration& shown : make_demonstrations(problems(100), {.careful = 7, .guess = 0, .slip = 0, .unformatted = 0}, 1)) {
    EXPECT_EQ(shown.kind, DemonstrationKind::kCareful);
  }
}

TEST(Demonstrations, BadInputIsAnError) {
  const auto given = problems(1);
  EXPECT_THROW(make_demonstrations(given, {.careful = -1}, 1), Error);
  EXPECT_THROW(make_demonstrations(given, {.careful = 0, .guess = 0, .slip = 0, .unformatted = 0}, 1), Error);
  EXPECT_THROW(make_demonstrations(given, {.careful = std::nan("")}, 1), Error);
  Problem other;
  other.question = "How many?";
  EXPECT_THROW(make_demonstrations(std::vector{other}, {}, 1), Error);
}

}  // namespace
}  // namespace grpo

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "grpo/data/strings.h"
#include "grpo/reward/answer.h"
#include "grpo/reward/expression.h"
#include "reward/builtin.h"
#include "reward/tags.h"

namespace grpo {
namespace {

constexpr size_t kMaxNumbersLength = 1000;  // bytes

struct CountdownOptions {
  double format_score = 0.0;
};

void describe(ConfigVisitor& visitor, CountdownOptions& options) {
  visitor.field("format_score", options.format_score, "score of a well-formed expression with wrong numbers or a wrong value");
}

struct Goal {
  std::vector<int64_t> numbers;   // sorted
  std::vector<Rational> targets;  // any of them
  std::string unreadable = {};    // why there are none; empty if there are
};

std::optional<std::vector<int64_t>> parse_numbers(const std::string& text) {
  const nlohmann::json list = text.size() > kMaxNumbersLength ? nlohmann::json() : try_parse_json(text);
  const bool is_list = list.is_array() && std::all_of(list.begin(), list.end(), [](const auto& item) { return item.is_number_integer(); });
  if (!is_list) return std::nullopt;
  auto numbers = list.get<std::vector<int64_t>>();
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

/// From the fields "numbers" (or "nums") and "target"; the answers stand in for a target that the data's mapping took for them.
Goal goal_of(const Problem& problem) {
  auto numbers = problem.fields.find("numbers");
  if (numbers == problem.fields.end()) numbers = problem.fields.find("nums");
  const auto field = problem.fields.find("target");
  const auto texts = field == problem.fields.end() ? problem.answers() : std::vector<std::string>{field->second};
  if (numbers == problem.fields.end() || texts.empty() || texts.front().empty())
    return {.numbers = {}, .targets = {}, .unreadable = "the problem has no numbers and target"};
  const auto list = parse_numbers(numbers->second);
  if (!list)
    return {.numbers = {}, .targets = {}, .unreadable = "no short list of integers as the numbers: " + clip_text(numbers->second, 80)};
  Goal goal{.numbers = *list, .targets = {}};
  for (const std::string& text : texts) {
    const auto target = parse_number(text);
    if (!target) return {.numbers = {}, .targets = {}, .unreadable = "no number as the target: '" + clip_text(text, 80) + "'"};
    goal.targets.push_back(*target);
  }
  return goal;
}

/// 1 where the last <answer> outside the thought is an expression that uses every given number exactly once and has exactly the target as
/// its value.
class CountdownReward final : public CompletionReward {
 public:
  explicit CountdownReward(const CountdownOptions& options) : options_(options) {}

  std::string unreadable(const Problem& problem) const override { return goal_of(problem).unreadable; }

 private:
  Score judge(const Completion& completion, const RewardContext&) const override {
    const Goal goal = goal_of(*completion.problem);
    if (!goal.unreadable.empty()) return Score::undefined(goal.unreadable, kUnreadableGold);
    const auto answer = extract_answer(outside_thought(completion), Extraction::kAnswerTag);
    if (!answer) return {0.0, "no <answer> outside the thought", "no final answer"};
    Score score = judge(*answer, goal);
    score.gold = goal.targets.front().to_string();
    if (score.given.empty()) score.given = clip_text(*answer, 200);
    return score;
  }

  Score judge(const std::string& answer, const Goal& goal) const {
    auto expression = parse_expression(answer);
    if (!expression) return {0.0, "not an expression: '" + clip_text(answer, 80) + "'", "not an expression"};
    std::sort(expression->numbers.begin(), expression->numbers.end());
    if (expression->numbers != goal.numbers) {
      return {options_.format_score, "other numbers than the given ones, each once", "different numbers"};
    }
    if (!expression->value) return {options_.format_score, "no value: a division by zero", "no value"};
    const std::string value = expression->value->to_string();
    const bool right = std::ranges::find(goal.targets, *expression->value) != goal.targets.end();
    Score score = right
                      ? Score(1.0, "value " + value, kRight)
                      : Score(options_.format_score, "value " + value + ", target " + goal.targets.front().to_string(), "different value");
    score.given = value;
    return score;
  }

  CountdownOptions options_;
};

}  // namespace

std::unique_ptr<Reward> make_countdown_reward(const RewardOptions& options) {
  return std::make_unique<CountdownReward>(read_options<CountdownOptions>("countdown", options));
}

}  // namespace grpo

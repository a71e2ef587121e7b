#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/data/strings.h"
#include "grpo/reward/answer.h"
#include "grpo/reward/expression.h"
#include "reward/builtin.h"

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
};

std::vector<int64_t> parse_numbers(const std::string& text) {
  if (text.size() > kMaxNumbersLength) fail("countdown", "expected a short list in the field 'numbers'; got " + clip_text(text, 80));
  const nlohmann::json list = try_parse_json(text);
  const bool is_list = list.is_array() && std::all_of(list.begin(), list.end(), [](const auto& item) { return item.is_number_integer(); });
  if (!is_list) fail("countdown", "expected a list of integers in the field 'numbers'; got " + clip_text(text, 80));
  auto numbers = list.get<std::vector<int64_t>>();
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

/// From the fields "numbers" (or "nums") and "target"; the answers stand in for a target that the data's mapping took for them.
std::optional<Goal> goal_of(const Problem& problem) {
  auto numbers = problem.fields.find("numbers");
  if (numbers == problem.fields.end()) numbers = problem.fields.find("nums");
  const auto field = problem.fields.find("target");
  const auto texts = field == problem.fields.end() ? problem.answers() : std::vector<std::string>{field->second};
  if (numbers == problem.fields.end() || texts.empty() || texts.front().empty()) return std::nullopt;
  Goal goal{parse_numbers(numbers->second), {}};
  for (const std::string& text : texts) {
    const auto target = parse_number(text);
    if (!target) fail("countdown", "expected a number as the target; got '" + clip_text(text, 80) + "'");
    goal.targets.push_back(*target);
  }
  return goal;
}

/// 1 where the last <answer> is an expression that uses every given number exactly once and has exactly the target as its value.
class CountdownReward final : public CompletionReward {
 public:
  explicit CountdownReward(const CountdownOptions& options) : options_(options) {}

 private:
  Score judge(const Completion& completion, const RewardContext&) const override {
    const auto goal = goal_of(*completion.problem);
    if (!goal) return Score::undefined("the problem has no numbers and target");
    const auto answer = extract_answer(completion.text, Extraction::kAnswerTag);
    if (!answer) return {0.0, "no <answer>"};
    auto expression = parse_expression(*answer);
    if (!expression) return {0.0, "not an expression: '" + clip_text(*answer, 80) + "'"};
    std::sort(expression->numbers.begin(), expression->numbers.end());
    if (expression->numbers != goal->numbers) return {options_.format_score, "other numbers than the given ones, each once"};
    if (!expression->value) return {options_.format_score, "no value: a division by zero or an overflow"};
    if (std::ranges::find(goal->targets, *expression->value) == goal->targets.end()) {
      return {options_.format_score, "value " + expression->value->to_string() + ", target " + goal->targets.front().to_string()};
    }
    return 1.0;
  }

  CountdownOptions options_;
};

}  // namespace

std::unique_ptr<Reward> make_countdown_reward(const RewardOptions& options) {
  return std::make_unique<CountdownReward>(read_options<CountdownOptions>("countdown", options));
}

}  // namespace grpo

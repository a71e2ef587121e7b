#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "grpo/data/strings.h"
#include "grpo/math/verify.h"
#include "grpo/reward/answer.h"
#include "grpo/reward/expression.h"
#include "reward/builtin.h"
#include "reward/tags.h"

namespace grpo {
namespace {

struct EquationsOptions {
  bool answer = false;
};

void describe(ConfigVisitor& visitor, EquationsOptions& options) {
  visitor.field("answer", options.answer, "the end of the completion is a step too, right where its final answer, outside the thought, is");
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// Of an expression; a sign is one of them.
bool is_arithmetic(char c) { return is_digit(c) || is_blank(c) || std::string_view("+-*/()").find(c) != std::string_view::npos; }

/// What makes something else of a number that it touches.
bool is_joint(char c) {
  const int lower = c | 0x20;
  return (lower >= 'a' && lower <= 'z') || is_digit(c) || std::string_view("+-*/^%._,").find(c) != std::string_view::npos;
}

/// Whether an expression after `text` would be but the rest of one.
bool goes_on(std::string_view text) {
  for (const std::string_view other : {"\u00D7", "\u00F7", "\u00B7", "\u2212"}) {  // times, divided by, dot, minus
    if (text.ends_with(other)) return true;
  }
  return !text.empty() && is_joint(text.back());
}

struct Operation {
  std::optional<Rational> value;
  std::string text;  // without blanks
};

/// `text` as an operation, which is an expression of at least two numbers, of which the first may have a sign.
std::optional<Operation> parse_operation(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative && (text.size() < 2 || is_blank(text[1]))) return std::nullopt;
  auto parsed = negative ? parse_expression("0" + std::string(text)) : parse_expression(text);
  if (!parsed || parsed->numbers.size() < (negative ? 3U : 2U)) return std::nullopt;
  Operation operation{.value = parsed->value, .text = std::string(text)};
  std::erase_if(operation.text, is_blank);
  return operation;
}

/// The longest operation that ends where `text` does.
std::optional<Operation> operation_before(std::string_view text) {
  size_t begin = text.size();
  while (begin > 0 && is_arithmetic(text[begin - 1]) && text.size() - begin < kMaxExpressionLength) --begin;
  for (; begin < text.size(); ++begin) {
    if (is_blank(text[begin]) || goes_on(text.substr(0, begin))) continue;
    if (auto parsed = parse_operation(text.substr(begin))) return parsed;
  }
  return std::nullopt;
}

/// The number that `text` begins with; empty where there is none, or only a part of something longer.
std::string_view number_at(std::string_view text) {
  size_t size = text.starts_with('-') ? 1 : 0;
  while (size < text.size() && (is_digit(text[size]) || text[size] == '.' || text[size] == ',')) ++size;
  const bool whole = size == text.size() || !(is_joint(text[size]) || text[size] == '=' || text[size] == '(');
  const bool dotted = size > 0 && !is_digit(text[size - 1]);
  while (size > 0 && !is_digit(text[size - 1])) --size;  // the sentence's own points and commas
  return whole || dotted ? text.substr(0, size) : std::string_view();
}

struct Equation {
  size_t end;
  bool right;
};

/// Each equation once, where it first stands: a policy could repeat one that is right for ever.
std::vector<Equation> equations_in(std::string_view text) {
  std::vector<Equation> found;
  std::set<std::string> seen;
  size_t begin = 0;  // after what is read already
  for (size_t sign = text.find('='); sign != std::string_view::npos; sign = text.find('=', sign + 1)) {
    size_t at = sign + 1;
    while (at < text.size() && is_blank(text[at])) ++at;
    const std::string_view written = number_at(text.substr(at));
    const auto number = parse_number(written);
    const auto left = number ? operation_before(text.substr(begin, sign - begin)) : std::nullopt;
    begin = left ? at + written.size() : sign + 1;
    if (left && seen.insert(left->text + "=" + std::string(written)).second) found.push_back({begin, left->value == number});
  }
  return found;
}

bool agrees(const std::vector<std::string>& golds, const std::string& given) {
  return std::ranges::any_of(golds, [&given](const std::string& gold) { return answers_equal(gold, given); });
}

/// The share of right ones among the equations of a text, each of which is a step.
class EquationsReward final : public CompletionReward {
 public:
  explicit EquationsReward(const EquationsOptions& options) : options_(options) {}

 private:
  Score judge(const Completion& completion, const RewardContext&) const override {
    Score score;
    for (const Equation& equation : equations_in(completion.text)) score.steps.push_back({equation.end, equation.right ? 1.0 : 0.0});
    const auto golds = gold_answers(*completion.problem);
    if (options_.answer && !golds.empty() && !completion.text.empty()) {
      const auto given = extract_answer(outside_thought(completion), Extraction::kAny);
      score.steps.push_back({completion.text.size(), given && agrees(golds, *given) ? 1.0 : 0.0});
    }
    double right = 0.0;
    for (const StepScore& step : score.steps) right += step.value;
    if (!score.steps.empty()) score.value = right / static_cast<double>(score.steps.size());
    score.reason = std::to_string(static_cast<int64_t>(right)) + " of " + std::to_string(score.steps.size()) + " steps right";
    score.kind = score.steps.empty()  ? "no step"
                 : score.value == 1.0 ? "all steps right"
                 : right > 0.0        ? "some steps wrong"
                                      : "all steps wrong";
    return score;
  }

  EquationsOptions options_;
};

}  // namespace

std::unique_ptr<Reward> make_equations_reward(const RewardOptions& options) {
  return std::make_unique<EquationsReward>(read_options<EquationsOptions>("equations", options));
}

}  // namespace grpo

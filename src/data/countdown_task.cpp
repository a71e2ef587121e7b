#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/json.h"
#include "data/builtin_tasks.h"
#include "grpo/core/error.h"

namespace grpo {
namespace {

struct CountdownTaskOptions {
  int64_t numbers = 4;
  int64_t max_number = 99;
  int64_t max_target = 100;
  std::string operations = "+-*/";
};

void describe(ConfigVisitor& visitor, CountdownTaskOptions& options) {
  visitor.field("numbers", options.numbers, "how many numbers are given", {.min = 2, .max = 8});
  visitor.field("max_number", options.max_number, "largest number that may be given; the smallest is 1", {.min = 1, .max = 1e6});
  visitor.field("max_target", options.max_target, "largest target; the smallest is 1", {.min = 1, .max = 1e9});
  visitor.field("operations", options.operations, "which of +-*/ the hidden solution may use");
}

constexpr int64_t kMaxIntermediate = 1'000'000'000;

struct Term {
  int64_t value = 0;
  std::string text;
  bool is_number = true;
};

/// Left op right, or nothing where the value would be negative, broken or beyond kMaxIntermediate.
std::optional<Term> combine(const Term& left, const Term& right, char operation) {
  const auto wrap = [](const Term& term) { return term.is_number ? term.text : "(" + term.text + ")"; };
  int64_t value = 0;
  switch (operation) {
    case '+':
      value = left.value + right.value;
      break;
    case '-':
      value = left.value - right.value;
      break;
    case '*':
      value = left.value * right.value;
      break;  // both at most 1e9: no overflow
    default:
      if (right.value == 0 || left.value % right.value != 0) return std::nullopt;
      value = left.value / right.value;
  }
  if (value < 0 || value > kMaxIntermediate) return std::nullopt;
  return Term{value, wrap(left) + " " + operation + " " + wrap(right), false};
}

class CountdownTask final : public Task {
 public:
  explicit CountdownTask(CountdownTaskOptions options) : options_(std::move(options)) {}

  Problem make(Random& random) const override {
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
      std::vector<int64_t> numbers;
      for (int64_t i = 0; i < options_.numbers; ++i) numbers.push_back(random.uniform_int(1, options_.max_number));
      const std::optional<Term> expression = draw_expression(numbers, random);
      if (expression && expression->value >= 1 && expression->value <= options_.max_target) return problem_of(numbers, *expression);
    }
    fail("countdown", "expected options under which targets can be reached; got no problem in " + std::to_string(kMaxAttempts) + " draws");
  }

  /// The order of the numbers does not matter.
  std::string key(const Problem& problem) const override {
    auto numbers = parse_json(problem.fields.at("numbers")).get<std::vector<int64_t>>();
    std::sort(numbers.begin(), numbers.end());
    return to_text(nlohmann::json(numbers)) + problem.fields.at("target");
  }

 private:
  static constexpr int kMaxAttempts = 100'000;

  /// Joins random pairs of terms by random operations until one term is left.
  std::optional<Term> draw_expression(const std::vector<int64_t>& numbers, Random& random) const {
    std::vector<Term> terms;
    for (const int64_t number : numbers) terms.push_back({number, std::to_string(number)});
    const auto take = [&terms, &random] {
      const auto chosen = terms.begin() + random.uniform_int(0, static_cast<int64_t>(terms.size()) - 1);
      Term term = std::move(*chosen);
      terms.erase(chosen);
      return term;
    };
    while (terms.size() > 1) {
      const Term left = take();
      const Term right = take();
      const auto which = static_cast<size_t>(random.uniform_int(0, static_cast<int64_t>(options_.operations.size()) - 1));
      std::optional<Term> joined = combine(left, right, options_.operations[which]);
      if (!joined) return std::nullopt;
      terms.push_back(std::move(*joined));
    }
    return terms.front();
  }

  static Problem problem_of(const std::vector<int64_t>& numbers, const Term& expression) {
    std::string list;
    for (const int64_t number : numbers) list += (list.empty() ? "" : ", ") + std::to_string(number);
    const std::string target = std::to_string(expression.value);
    Problem problem;
    problem.question =
        "Combine the numbers [" + list + "] into an expression whose value is " + target +
        ". Every number must be used exactly once; +, -, *, / and parentheses are allowed. Think inside <think> </think> first, "
        "then give nothing but the expression inside <answer> </answer>, such as <answer> (1 + 2) / 3 </answer>";  // templates add the full
                                                                                                                   // stop
    problem.solution = expression.text;
    problem.fields["numbers"] = to_text(nlohmann::json(numbers));
    problem.fields["target"] = target;
    return problem;
  }

  CountdownTaskOptions options_;
};

}  // namespace

std::unique_ptr<Task> make_countdown_task(const NamedOptions& options) {
  auto parsed = read_options<CountdownTaskOptions>("countdown", options);
  check_operations("countdown", parsed.operations, "+-*/");
  return std::make_unique<CountdownTask>(std::move(parsed));
}

}  // namespace grpo

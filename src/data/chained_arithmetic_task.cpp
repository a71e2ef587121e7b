#include <charconv>

#include "data/builtin_tasks.h"
#include "data/chain.h"
#include "grpo/data/strings.h"

namespace grpo {

std::string chain_question(const Chain& chain) {
  std::string text = std::to_string(chain.numbers.front());
  for (size_t i = 0; i < chain.operations.size(); ++i) text += chain.operations[i] + std::to_string(chain.numbers[i + 1]);
  return text + "=?";
}

std::optional<Chain> parse_chain(std::string_view question) {
  if (!question.ends_with("=?")) return std::nullopt;
  std::string_view rest = question.substr(0, question.size() - 2);
  Chain chain;
  while (true) {
    size_t digits = 0;
    while (digits < rest.size() && is_digit(rest[digits])) ++digits;
    if (digits == 0 || digits > static_cast<size_t>(kMaxChainDigits)) return std::nullopt;
    int64_t number = 0;
    std::from_chars(rest.data(), rest.data() + digits, number);
    chain.numbers.push_back(number);
    rest.remove_prefix(digits);
    if (rest.empty()) break;
    if (rest.front() != '+' && rest.front() != '-') return std::nullopt;
    chain.operations += rest.front();
    rest.remove_prefix(1);
  }
  const bool is_chain = chain.numbers.size() >= 2 && chain.numbers.size() <= static_cast<size_t>(kMaxChainTerms);
  return is_chain ? std::optional(std::move(chain)) : std::nullopt;
}

WorkedChain work(const Chain& chain, Slip slip) {
  WorkedChain worked{.steps = {}, .value = chain.numbers.front()};
  for (size_t i = 0; i < chain.operations.size(); ++i) {
    const int64_t next = chain.numbers[i + 1];
    const int64_t error = i == slip.step ? slip.error : 0;
    const int64_t result = (chain.operations[i] == '+' ? worked.value + next : worked.value - next) + error;
    worked.steps.push_back(std::to_string(worked.value) + chain.operations[i] + std::to_string(next) + "=" + std::to_string(result));
    worked.value = result;
  }
  return worked;
}

std::string join_steps(const std::vector<std::string>& steps) {
  std::string text;
  for (const std::string& step : steps) text += (text.empty() ? "" : " ") + step;
  return text;
}

namespace {

struct ChainOptions {
  int64_t terms = 4;
  int64_t digits = 1;
  std::string operations = "+-";
};

void describe(ConfigVisitor& visitor, ChainOptions& options) {
  visitor.field("terms", options.terms, "numbers in the chain", {.min = 2, .max = kMaxChainTerms});
  visitor.field("digits", options.digits, "digits of each number; the first is never 0", {.min = 1, .max = kMaxChainDigits});
  visitor.field("operations", options.operations, "which of +- may join the numbers");
}

class ChainedArithmeticTask final : public Task {
 public:
  explicit ChainedArithmeticTask(ChainOptions options) : options_(std::move(options)) {
    for (int64_t digit = 1; digit < options_.digits; ++digit) smallest_ *= 10;
  }

  Problem make(Random& random) const override {
    Chain chain;
    for (int64_t i = 0; i < options_.terms; ++i) {
      if (i > 0)
        chain.operations +=
            options_.operations[static_cast<size_t>(random.uniform_int(0, static_cast<int64_t>(options_.operations.size()) - 1))];
      chain.numbers.push_back(random.uniform_int(smallest_, 10 * smallest_ - 1));
    }
    const WorkedChain worked = work(chain);
    Problem problem;
    problem.question = chain_question(chain);
    problem.answer = std::to_string(worked.value);
    problem.solution = join_steps(worked.steps);
    return problem;
  }

 private:
  ChainOptions options_;
  int64_t smallest_ = 1;
};

}  // namespace

std::unique_ptr<Task> make_chained_arithmetic_task(const NamedOptions& options) {
  auto parsed = read_options<ChainOptions>("chained_arithmetic", options);
  check_operations("chained_arithmetic", parsed.operations, "+-");
  return std::make_unique<ChainedArithmeticTask>(std::move(parsed));
}

}  // namespace grpo

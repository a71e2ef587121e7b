// The expression parser and the countdown reward around it: only grpo::Error may escape, and a full score means the target.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "grpo/core/error.h"
#include "grpo/reward/answer.h"
#include "grpo/reward/expression.h"
#include "grpo/reward/registry.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto reward = grpo::builtin_rewards().make("countdown");
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t middle = text.find('\n');
  if (middle == std::string_view::npos) return 0;

  grpo::Problem problem;
  problem.fields = {{"numbers", std::string(text.substr(0, middle))}, {"target", "24"}};
  grpo::Completion completion;
  completion.problem = &problem;
  completion.text = "<answer>" + std::string(text.substr(middle + 1)) + "</answer>";
  grpo::Score score;
  grpo::RewardContext context;
  try {
    reward->score({&completion, 1}, {&score, 1}, context);
  } catch (const grpo::Error&) {  // a bad list of numbers is refused
  }
  if (score.value != 1.0) return 0;
  const auto answer = grpo::extract_answer(completion.text, grpo::Extraction::kAnswerTag);
  const auto expression = answer ? grpo::parse_expression(*answer) : std::nullopt;
  if (!expression || expression->value != grpo::Rational(24)) std::abort();
  return 0;
}

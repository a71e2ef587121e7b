// Answers in LaTeX and plain text: nothing throws, the work is bounded, an answer accepts itself, equality is symmetric but for choices.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "grpo/math/verify.h"

namespace {

bool may_be_choice(std::string_view text) {
  return text.size() < 40 && text.find_first_of("ABCDEFGHIJabcdefghij") != std::string_view::npos;
}

grpo::Agreement checked(const grpo::MathAnswer& gold, const grpo::MathAnswer& given) {
  const grpo::MathVerdict verdict = grpo::compare(gold, given);
  if (verdict.steps > 2 * grpo::kMaxSteps) std::abort();
  return verdict.agreement;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t middle = text.find('\n');
  const std::string_view left = text.substr(0, middle);
  const grpo::MathAnswer a(left);
  a.to_string();
  if (a.readable() != (checked(a, a) == grpo::Agreement::kEqual)) std::abort();
  if (a.is_mathematics() && checked(a, grpo::MathAnswer("??")) == grpo::Agreement::kEqual) std::abort();
  if (middle == std::string_view::npos) return 0;
  const std::string_view right = text.substr(middle + 1);
  const grpo::MathAnswer b(right);
  const grpo::Agreement forth = checked(a, b), back = checked(b, a);
  if (may_be_choice(left) || may_be_choice(right) || !a.readable() || !b.readable()) return 0;
  if ((forth == grpo::Agreement::kEqual) != (back == grpo::Agreement::kEqual)) std::abort();
  return 0;
}

// Which program a completion has, and what a problem's tests are: a program is a piece of the text that no thought contains, and tests of
// no known form give an Error and nothing else.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "grpo/core/error.h"
#include "reward/code_block.h"
#include "reward/code_tests.h"
#include "reward/tags.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string_view outside = grpo::outside_thought(text);
  const auto program = grpo::last_code_block(outside);
  if (program && outside.find(*program) == std::string_view::npos) std::abort();
  grpo::Problem problem;
  problem.fields["tests"] = text;
  try {
    grpo::code_tests(problem, "");
  } catch (const grpo::Error&) {
  }
  const size_t middle = text.find('\0');
  if (middle == std::string::npos) return 0;
  const std::string_view one = std::string_view(text).substr(0, middle), other = std::string_view(text).substr(middle + 1);
  if (grpo::same_output(one, other) != grpo::same_output(other, one) || !grpo::same_output(one, one)) std::abort();
  return 0;
}

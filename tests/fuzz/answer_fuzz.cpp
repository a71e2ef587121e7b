// Extraction and comparison of answers: nothing throws, equality is reflexive and symmetric.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "grpo/reward/answer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  using enum grpo::Extraction;
  for (const grpo::Extraction extraction : {kAnswerTag, kBoxed, kHash, kAny}) {
    const auto answer = grpo::extract_answer(text, extraction);
    if (answer && !grpo::answers_equal(*answer, *answer)) std::abort();
  }
  const size_t middle = text.find('\n');
  if (middle == std::string_view::npos) return 0;
  const std::string_view gold = text.substr(0, middle), given = text.substr(middle + 1);
  if (grpo::answers_equal(gold, given) != grpo::answers_equal(given, gold)) std::abort();
  return 0;
}

// Extraction of answers: nothing throws, what is found stands in the text outside of the thought.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "grpo/reward/answer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t close = text.rfind("</think>");
  const std::string_view outside = close == std::string_view::npos ? text : text.substr(close + 8);
  using enum grpo::Extraction;
  for (const grpo::Extraction extraction : {kAnswerTag, kBoxed, kHash, kAny, kLenient, kLastInteger}) {
    const auto answer = grpo::extract_answer(text, extraction);
    if (answer && (answer->empty() || outside.find(*answer) == std::string_view::npos)) std::abort();
  }
  return 0;
}

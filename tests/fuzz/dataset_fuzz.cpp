// A dataset's row: only grpo::Error may escape.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "grpo/core/error.h"
#include "grpo/data/dataset.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const grpo::FieldMapping mappings[] = {
      {}, {.answer_after = "####"}, {.question = "{a.b} {{{c}}}", .answer = "a.b.c"}, {.question = std::string(text)}};
  for (const grpo::FieldMapping& mapping : mappings) {
    try {
      grpo::problem_key(grpo::parse_problem(text, mapping, "input.jsonl", 1));
    } catch (const grpo::Error&) {  // bad rows are refused
    }
  }
  return 0;
}

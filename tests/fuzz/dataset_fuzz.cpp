// A dataset's row: only grpo::Error may escape.
#include <cstddef>
#include <cstdint>

#include "grpo/core/error.h"
#include "grpo/data/dataset.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char* marker : {"", "####"}) {
    try {
      grpo::problem_key(grpo::parse_problem(text, {.answer_after = marker}, "input.jsonl", 1));
    } catch (const grpo::Error&) {  // bad rows are refused
    }
  }
  return 0;
}

// A table, and packed bytes: only grpo::Error may escape, and a table's records begin on ever later lines.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "data/csv.h"
#include "data/unpack.h"
#include "grpo/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    grpo::CsvParser parser(text, ',', "input.csv");
    int64_t line = 0;
    while (const auto record = parser.next()) {
      if (record->line <= line || record->fields.empty()) std::abort();
      line = record->line;
    }
  } catch (const grpo::Error&) {  // bad tables are refused
  }
  for (const auto packing : {grpo::Packing::kGzip, grpo::Packing::kZstd}) {
    try {
      if (grpo::unpack(text, packing, "input", 1 << 20).size() > 1 << 20) std::abort();
    } catch (const grpo::Error&) {  // as are bad packed files
    }
  }
  return 0;
}

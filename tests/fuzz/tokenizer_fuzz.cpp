#include <cstdint>
#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "text/tokenizer_files.h"

/// Any bytes: a tokenizer.json that encodes and decodes a short text, or a grpo::Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto tokenizer = grpo::text::tokenizer_from_files({{"tokenizer.json", std::string(reinterpret_cast<const char*>(data), size)}});
    const std::vector<int32_t> ids = tokenizer->encode("Don't add  12 \u00e9\u4f60 <s>!\n");
    tokenizer->decode(ids, true);
    grpo::StreamDecoder stream(*tokenizer);
    for (const int32_t id : ids) stream.push(id);
    stream.finish();
  } catch (const grpo::Error&) {
  }
  return 0;
}

#include <cstdint>

#include "grpo/core/error.h"
#include "grpo/io/gguf.h"

/// Any bytes: metadata and tensors that can be dequantised, or a grpo::Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr int64_t kMaxValues = 1 << 16;
  try {
    const grpo::Gguf gguf = grpo::parse_gguf(std::as_bytes(std::span(data, size)));
    for (const grpo::GgufTensor& tensor : gguf.tensors()) {
      if (tensor.numel() > kMaxValues) continue;
      std::vector<float> values(static_cast<size_t>(tensor.numel()));
      grpo::dequantize(tensor, values);
    }
  } catch (const grpo::Error&) {
  }
  return 0;
}

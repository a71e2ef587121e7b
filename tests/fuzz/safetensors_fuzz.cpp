#include <cstdint>
#include <cstdlib>

#include "grpo/core/error.h"
#include "grpo/io/safetensors.h"

/// Any bytes: a list of tensors that tile the data, or a grpo::Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    std::map<std::string, std::string> metadata;
    uint64_t covered = 0;
    for (const grpo::TensorEntry& tensor : grpo::parse_safetensors(bytes, &metadata)) {
      covered += tensor.bytes.size();
      if (static_cast<uint64_t>(tensor.numel() * grpo::size_of(tensor.dtype)) != tensor.bytes.size()) std::abort();
    }
    if (covered > size - sizeof(uint64_t)) std::abort();
  } catch (const grpo::Error&) {
  }
  return 0;
}

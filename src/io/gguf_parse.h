#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "grpo/io/gguf.h"

namespace grpo {

struct GgufContents {
  uint32_t version = 0;
  std::map<std::string, GgufValue> metadata;
  std::vector<GgufTensor> tensors;
};

/// Reads and checks a whole file; errors are located at `where`.
GgufContents parse_gguf_at(std::span<const std::byte> bytes, const std::string& where);

}  // namespace grpo

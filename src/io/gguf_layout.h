#pragma once

#include <cstdint>
#include <string>

#include "grpo/io/gguf.h"

namespace grpo {

/// How a GGUF tensor type is laid out: blocks of `elements` values in `bytes` bytes, within one row.
struct GgufLayout {
  GgufType type;
  const char* name;
  int64_t elements;
  int64_t bytes;
  void (*decode)(const uint8_t* block, float* out);  // null for the plain types
};

/// Null for a type that this library does not read.
const GgufLayout* find_gguf_layout(uint32_t type);

/// The types of find_gguf_layout, for messages.
std::string known_gguf_types();

/// What ggml calls a type, or its number where this library has no name for it.
std::string gguf_type_name(uint32_t type);

}  // namespace grpo

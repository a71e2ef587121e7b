#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "grpo/io/safetensors.h"

namespace grpo {

/// The reference implementation's limit on the JSON header.
inline constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;

inline constexpr auto kSafetensorsFile = "model.safetensors";
inline constexpr auto kSafetensorsIndex = "model.safetensors.index.json";

/// `count` elements of the shape in bytes. Throws where a dimension is negative or the product exceeds int64.
int64_t tensor_bytes(const std::vector<int64_t>& shape, DType dtype, const std::string& where);

/// parse_safetensors, with the errors' `[where]`.
std::vector<TensorEntry> parse_safetensors_at(std::span<const std::byte> bytes, std::map<std::string, std::string>* metadata,
                                              const std::string& where);

}  // namespace grpo

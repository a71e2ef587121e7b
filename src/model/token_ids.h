#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace grpo {

/// The id that `source` (a file and its key) gives a special token; nothing for -1, which stands for none, and for an id beyond a
/// vocabulary of `vocab_size`, which is named in a warning.
std::optional<int32_t> known_id(int64_t id, int64_t vocab_size, const std::string& source);

}  // namespace grpo

#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace grpo::text {

using Json = nlohmann::json;

/// Components of tokenizer.json nest (Sequence in Sequence); deeper files are refused.
inline constexpr int kMaxNesting = 32;

/// A chain of components may make a text this much longer; a hostile file could double it at each step.
inline constexpr size_t grown_limit(size_t bytes) { return 64 * bytes + 65536; }

/// Parses JSON text; throws `Error` naming `where`.
Json parse_json(std::string_view text, std::string_view where);

/// Member access that throws `Error` naming `where` and the key where the member is absent or of another type.
/// The forms with a fallback give it where the member is absent or null.
const Json& member(const Json& object, std::string_view key, std::string_view where);
std::string string_member(const Json& object, std::string_view key, std::string_view where);
std::string string_member(const Json& object, std::string_view key, std::string_view where, std::string_view fallback);
bool bool_member(const Json& object, std::string_view key, std::string_view where, bool fallback);
int64_t int_member(const Json& object, std::string_view key, std::string_view where);
const Json& array_member(const Json& object, std::string_view key, std::string_view where);

/// `object[key]`, or null where it is absent.
const Json& optional_member(const Json& object, std::string_view key);

/// A token id: an integer in [0, 2^31).
int32_t token_id(const Json& value, std::string_view where);

/// The regular expression of a "pattern": {"Regex": …} as it is, {"String": …} escaped.
std::string pattern_member(const Json& object, std::string_view where);

}  // namespace grpo::text

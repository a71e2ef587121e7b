#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace grpo::text {

/// The pre-tokenizer expression of GPT-2, which ByteLevel applies where use_regex is set.
inline constexpr std::string_view kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// Spells bytes in GPT-2's alphabet: printable Latin-1 bytes stand for themselves, the others for U+0100 onwards, in order.
std::string bytes_to_alphabet(std::string_view bytes);

/// The bytes that `token` spells; nothing where a character is not of the alphabet.
std::optional<std::string> alphabet_to_bytes(std::string_view token);

}  // namespace grpo::text

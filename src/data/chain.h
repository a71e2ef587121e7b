#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace grpo {

/// numbers[0] op[0] numbers[1] op[1] …, worked from left to right. Values stay below 2^63: at most 32 numbers of at most 9 digits.
struct Chain {
  std::vector<int64_t> numbers;
  std::string operations;  // '+' or '-', one fewer than numbers
};

inline constexpr int64_t kMaxChainTerms = 32;
inline constexpr int64_t kMaxChainDigits = 9;

/// "3+5-2=?"
std::string chain_question(const Chain& chain);

/// The inverse of `chain_question`; nothing for any other text.
std::optional<Chain> parse_chain(std::string_view question);

/// A slip adds `error` to the result of step `step` and goes on with the wrong value.
struct Slip {
  size_t step = 0;
  int64_t error = 0;
};

struct WorkedChain {
  std::vector<std::string> steps;  // "3+5=8", "8-2=6", …
  int64_t value = 0;
};
WorkedChain work(const Chain& chain, Slip slip = {});

std::string join_steps(const std::vector<std::string>& steps);  // by single spaces

}  // namespace grpo

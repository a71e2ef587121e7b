#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "grpo/api.h"
#include "grpo/math/rational.h"

namespace GRPO_API grpo {

/// What an arithmetic expression says.
struct ParsedExpression {
  std::vector<int64_t> numbers;   // every literal as the parser read it, in order
  std::optional<Rational> value;  // exact; nothing if it divides by zero
};

inline constexpr size_t kMaxExpressionLength = 1000;  // bytes

/// Parses integers, + - * /, parentheses and white space, and nothing else: no powers, floor division, decimals, signs, names or implied
/// products. Integers have at most 18 digits and no leading zeros. Nothing for any other text, text longer than `kMaxExpressionLength`,
/// or parentheses deeper than 50.
std::optional<ParsedExpression> parse_expression(std::string_view text);

}  // namespace grpo

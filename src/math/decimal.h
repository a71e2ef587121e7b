#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "grpo/math/rational.h"

namespace grpo {

/// A written decimal: whole.decimals(repeating) · 10^exponent, all digits.
struct Decimal {
  std::string whole, decimals, repeating;
  int64_t exponent = 0;

  /// Nothing for more than `kMaxNumberLength` digits and powers of ten beyond `kMaxPowerOfTen`.
  std::optional<Rational> value() const;
};

}  // namespace grpo

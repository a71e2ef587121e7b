#pragma once

// FLINT's numbers: fmpz and fmpq are exact, arb and acb are balls: an interval that certainly holds the value. FLINT 2 had them in folders
// of their own.
#if __has_include(<flint/acb.h>)
#include <flint/acb.h>
#include <flint/fmpq.h>
#else
#include <acb.h>
#include <flint/fmpq.h>
#endif

#include "grpo/math/rational.h"

namespace grpo {

/// A Rational's storage as FLINT's type.
struct RationalParts {
  static_assert(sizeof(fmpq) == sizeof(Rational) && alignof(fmpq) <= alignof(Rational));
  static fmpq* of(Rational& value) { return reinterpret_cast<fmpq*>(value.parts_.data()); }
  static const fmpq* of(const Rational& value) { return reinterpret_cast<const fmpq*>(value.parts_.data()); }
};

/// Makes sure that FLINT's caches of this thread are freed when the thread ends.
void use_flint();

}  // namespace grpo

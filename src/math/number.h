#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "grpo/math/rational.h"
#include "math/flint.h"

namespace grpo {

/// A complex ball of Arb: the value lies certainly within it.
class Ball {
 public:
  Ball() { acb_init(value_); }
  Ball(const Ball& other) : Ball() { acb_set(value_, other.value_); }
  Ball(Ball&& other) noexcept : Ball() { acb_swap(value_, other.value_); }
  Ball& operator=(Ball other) noexcept {
    acb_swap(value_, other.value_);
    return *this;
  }
  ~Ball() { acb_clear(value_); }
  acb_ptr get() { return value_; }
  acb_srcptr get() const { return value_; }

 private:
  acb_t value_;
};

/// A value on the way: exact while everything is rational, else a ball.
struct Number {
  enum class Kind { kUndefined, kExact, kBall, kInfinity };
  Kind kind = Kind::kUndefined;
  Rational exact;
  Ball ball;
  int sign = 1;  // of an infinity

  static Number undefined() { return {}; }
  static Number of(Rational value) { return {Kind::kExact, std::move(value), {}, 1}; }
  static Number of(Ball value) { return {Kind::kBall, {}, std::move(value), 1}; }
  static Number infinity(int sign) { return {Kind::kInfinity, {}, {}, sign}; }
  bool defined() const { return kind != Kind::kUndefined; }
  bool is_exact() const { return kind == Kind::kExact; }
  /// The value as an integer of 64 bits; nothing for any other.
  std::optional<int64_t> integer() const;
};

/// What the work on one comparison may cost; a step is about the product of two numbers of a machine word.
class Budget {
 public:
  explicit Budget(int64_t steps) : limit_(steps) {}
  /// False once the limit is passed; all further work is then refused.
  bool spend(int64_t steps) {
    used_ += steps;
    return used_ <= limit_;
  }
  int64_t used() const { return used_; }
  bool exhausted() const { return used_ > limit_; }

 private:
  int64_t limit_, used_ = 0;
};

enum class Relation { kEqual, kDifferent, kUndecided };

/// Arithmetic on numbers, with balls of so many bits. What has no value, or none within the limits on size, is undefined.
class Arithmetic {
 public:
  static constexpr int64_t kMaxBits = 1 << 15;   // of an exact number
  static constexpr int64_t kFunctionSteps = 16;  // of a transcendental function beside a product
  Arithmetic(int64_t precision, Budget& budget) : precision_(precision), budget_(budget) {}

  Budget& budget() const { return budget_; }

  Number negate(const Number& a) const;
  Number add(const Number& a, const Number& b) const;
  Number subtract(const Number& a, const Number& b) const { return add(a, negate(b)); }
  Number multiply(const Number& a, const Number& b) const;
  Number divide(const Number& a, const Number& b) const;
  /// Of a negative number and an exponent with an odd denominator the real power, else the principal one.
  Number power(const Number& base, const Number& exponent) const;
  Number factorial(const Number& n) const;
  Number binomial(const Number& n, const Number& k) const;
  /// sin, arctan, ln, abs, floor and the like, by name (`is_function`).
  Number function(std::string_view name, const Number& argument) const;
  Number pi() const;
  Number e() const;
  static Number i();

  Relation compare(const Number& a, const Number& b) const;
  /// The sign of a − b for real numbers and infinities; nothing where it cannot be told or is 0.
  std::optional<int> order(const Number& a, const Number& b) const;
  /// Whether the number is real, for certain.
  static bool is_real(const Number& a);
  /// The bits of an exact number; of a ball its exponent to base two, without its sign. At most `kMaxSize`.
  static int64_t size_in_bits(const Number& a);
  static constexpr int64_t kMaxSize = int64_t{1} << 40;

 private:
  bool spend(int64_t factor, int64_t bits) const { return budget_.spend(factor * (1 + bits / 64)); }
  static bool are_finite(const Number& a, const Number& b);
  bool may_combine(const Rational& a, const Rational& b) const;
  Ball to_ball(const Number& a) const;
  Number finite(Ball value) const;
  Number rational_power(const Number& base, const Rational& exponent) const;
  std::optional<Number> exact_power(const Rational& base, const Rational& exponent) const;
  Number whole_power(const Number& base, const Rational& exponent) const;

  int64_t precision_;
  Budget& budget_;
};

/// Names that `Arithmetic::function` knows.
bool is_function(std::string_view name);

}  // namespace grpo

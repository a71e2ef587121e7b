#include "math/number.h"

#include <algorithm>

namespace grpo {
namespace {

constexpr int64_t kMaxFactorial = 2'000;
constexpr int64_t kMaxBinomial = 1'000;  // of the lower number
constexpr int64_t kMaxRoot = 64;
constexpr int64_t kMaxExponentBits = 64;  // of a power that is not written out
constexpr int64_t kFunctionCost = 8;      // of a root or a transcendental function beside a product

/// The exact root of a value at least 0, if it is rational.
std::optional<Rational> exact_root(const Rational& value, int64_t degree) {
  Rational root;
  const fmpq* from = RationalParts::of(value);
  fmpq* to = RationalParts::of(root);
  const bool exact =
      fmpz_root(fmpq_numref(to), fmpq_numref(from), degree) != 0 && fmpz_root(fmpq_denref(to), fmpq_denref(from), degree) != 0;
  if (!exact) fmpq_zero(to);
  return exact ? std::optional(root) : std::nullopt;
}

bool is_odd(const Rational& integer) { return fmpz_is_odd(fmpq_numref(RationalParts::of(integer))) != 0; }

bool is_certainly_negative(const Number& a) {
  if (a.is_exact()) return a.exact.sign() < 0;
  return acb_is_real(a.ball.get()) != 0 && arb_is_negative(acb_realref(a.ball.get())) != 0;
}

}  // namespace

std::optional<int64_t> Number::integer() const {
  if (!is_exact()) return std::nullopt;
  return exact.to_integer();
}

Ball Arithmetic::to_ball(const Number& a) const {
  if (a.kind == Number::Kind::kBall) return a.ball;
  Ball ball;
  acb_set_fmpq(ball.get(), RationalParts::of(a.exact), precision_);
  return ball;
}

Number Arithmetic::finite(Ball value) const { return acb_is_finite(value.get()) != 0 ? Number::of(std::move(value)) : Number::undefined(); }

bool Arithmetic::is_real(const Number& a) { return a.is_exact() || (a.kind == Number::Kind::kBall && acb_is_real(a.ball.get()) != 0); }

int64_t Arithmetic::size_in_bits(const Number& a) {
  if (a.is_exact()) return a.exact.bits();
  if (a.kind != Number::Kind::kBall) return 0;
  int64_t size = 0;
  for (const arf_struct* part : {arb_midref(acb_realref(a.ball.get())), arb_midref(acb_imagref(a.ball.get()))}) {
    if (arf_is_special(part) != 0) continue;
    const bool huge = arf_cmpabs_2exp_si(part, kMaxSize) > 0 || arf_cmpabs_2exp_si(part, -kMaxSize) < 0;
    const int64_t exponent = huge ? kMaxSize : fmpz_get_si(ARF_EXPREF(part));
    size = std::max(size, exponent < 0 ? -exponent : exponent);
  }
  return size;
}

Number Arithmetic::negate(const Number& a) const {
  switch (a.kind) {
    case Number::Kind::kUndefined:
      return a;
    case Number::Kind::kExact:
      return Number::of(-a.exact);
    case Number::Kind::kInfinity:
      return Number::infinity(-a.sign);
    case Number::Kind::kBall:
      break;
  }
  Ball result;
  acb_neg(result.get(), a.ball.get());
  return Number::of(std::move(result));
}

bool Arithmetic::are_finite(const Number& a, const Number& b) {
  const auto is_finite = [](const Number& number) { return number.is_exact() || number.kind == Number::Kind::kBall; };
  return is_finite(a) && is_finite(b);
}

/// Whether an operation on two exact numbers stays within the limits.
bool Arithmetic::may_combine(const Rational& a, const Rational& b) const {
  const int64_t bits = a.bits() + b.bits();
  return bits <= 2 * kMaxBits && spend(1, bits);
}

Number Arithmetic::add(const Number& a, const Number& b) const {
  if (!are_finite(a, b)) return Number::undefined();
  if (a.is_exact() && b.is_exact()) return may_combine(a.exact, b.exact) ? Number::of(a.exact + b.exact) : Number::undefined();
  if (!spend(1, precision_)) return Number::undefined();
  Ball result;
  acb_add(result.get(), to_ball(a).get(), to_ball(b).get(), precision_);
  return finite(std::move(result));
}

Number Arithmetic::multiply(const Number& a, const Number& b) const {
  if (!are_finite(a, b)) return Number::undefined();
  if (a.is_exact() && b.is_exact()) return may_combine(a.exact, b.exact) ? Number::of(a.exact * b.exact) : Number::undefined();
  if (!spend(1, precision_)) return Number::undefined();
  Ball result;
  acb_mul(result.get(), to_ball(a).get(), to_ball(b).get(), precision_);
  return finite(std::move(result));
}

Number Arithmetic::divide(const Number& a, const Number& b) const {
  if (!are_finite(a, b)) return Number::undefined();
  if (a.is_exact() && b.is_exact()) {
    auto quotient = may_combine(a.exact, b.exact) ? grpo::divide(a.exact, b.exact) : std::nullopt;
    return quotient ? Number::of(*std::move(quotient)) : Number::undefined();
  }
  const Ball divisor = to_ball(b);
  if (!spend(2, precision_) || acb_contains_zero(divisor.get()) != 0) return Number::undefined();
  Ball result;
  acb_div(result.get(), to_ball(a).get(), divisor.get(), precision_);
  return finite(std::move(result));
}

/// A power that is rational; nothing where it is not, or is too large to be written out.
std::optional<Number> Arithmetic::exact_power(const Rational& base, const Rational& exponent) const {
  const auto degree = exponent.denominator().to_integer(), times = exponent.numerator().to_integer();
  if (!degree || *degree > kMaxRoot || !times) return std::nullopt;
  const bool trivial = base == Rational(1) || base.sign() == 0;
  const int64_t magnitude = *times < 0 ? -*times : *times;
  if (!trivial && (magnitude > kMaxBits || magnitude * base.bits() > kMaxBits * *degree)) return std::nullopt;
  if (!spend(kFunctionCost, base.bits())) return Number::undefined();
  const auto root = *degree == 1 ? std::optional(base) : exact_root(base, *degree);
  if (!root) return std::nullopt;
  if (trivial) return *times < 0 && root->sign() == 0 ? Number::undefined() : Number::of(*root);
  if (!spend(2, magnitude * root->bits())) return Number::undefined();
  auto result = grpo::power(*root, *times);
  return result ? Number::of(*std::move(result)) : Number::undefined();
}

/// base^n of a ball, or of a number whose power is too large to be written out.
Number Arithmetic::whole_power(const Number& base, const Rational& exponent) const {
  // by repeated squares, whose errors cost two bits for each of the exponent
  if (exponent.bits() > kMaxExponentBits) return Number::undefined();
  if (!spend(kFunctionCost + 2 * exponent.bits(), precision_ + 2 * exponent.bits())) return Number::undefined();
  const Ball ball = to_ball(base);
  if (exponent.sign() < 0 && acb_contains_zero(ball.get()) != 0) return Number::undefined();
  Ball result;
  acb_pow_fmpz(result.get(), ball.get(), fmpq_numref(RationalParts::of(exponent)), precision_);
  return finite(std::move(result));
}

Number Arithmetic::rational_power(const Number& base, const Rational& exponent) const {
  const bool odd_degree = is_odd(exponent.denominator());
  if (is_certainly_negative(base) && odd_degree && !exponent.is_integer()) {
    const Number size = rational_power(negate(base), exponent);
    return is_odd(exponent.numerator()) ? negate(size) : size;
  }
  if (base.is_exact() && (base.exact.sign() >= 0 || exponent.is_integer())) {
    if (base.exact.sign() == 0 && exponent.sign() <= 0) return Number::undefined();
    if (const auto exact = exact_power(base.exact, exponent)) return *exact;
  }
  if (exponent.is_integer()) return whole_power(base, exponent);
  if (!spend(kFunctionCost * 2, precision_)) return Number::undefined();
  Ball result;
  const Ball ball = to_ball(base);
  if (exponent.denominator() == Rational(2)) {  // exact where the root is: the square root of -4
    Ball root;
    if (is_certainly_negative(base)) {
      const Number size = rational_power(negate(base), *grpo::divide(1, 2));
      acb_mul_onei(root.get(), to_ball(size).get());
    } else {
      acb_sqrt(root.get(), ball.get(), precision_);
    }
    return rational_power(Number::of(std::move(root)), exponent.numerator());
  }
  if (acb_contains_zero(ball.get()) != 0) return Number::undefined();
  acb_pow(result.get(), ball.get(), to_ball(Number::of(exponent)).get(), precision_);
  return finite(std::move(result));
}

Number Arithmetic::power(const Number& base, const Number& exponent) const {
  if (!are_finite(base, exponent)) return Number::undefined();
  if (exponent.is_exact()) return rational_power(base, exponent.exact);
  const Ball ball = to_ball(base);
  if (!spend(kFunctionCost * 2, precision_) || acb_contains_zero(ball.get()) != 0) return Number::undefined();
  Ball result;
  acb_pow(result.get(), ball.get(), exponent.ball.get(), precision_);
  return finite(std::move(result));
}

Number Arithmetic::factorial(const Number& n) const {
  if (!n.defined() || n.kind == Number::Kind::kInfinity) return Number::undefined();
  if (n.is_exact() && n.exact.is_integer()) {
    const int64_t whole = n.integer().value_or(-1);
    if (whole < 0 || whole > kMaxFactorial || !spend(whole / 8 + 1, 64)) return Number::undefined();
    Rational result;
    fmpz_fac_ui(fmpq_numref(RationalParts::of(result)), static_cast<ulong>(whole));
    return Number::of(std::move(result));
  }
  const Number above = add(n, Number::of(Rational(1)));  // n! = Γ(n + 1), as a letter may stand for any number
  if (!above.defined() || !spend(kFunctionCost * 16, precision_)) return Number::undefined();
  const Ball argument = to_ball(above);
  if (arf_cmpabs_2exp_si(arb_midref(acb_realref(argument.get())), 10) >= 0) return Number::undefined();
  if (arf_cmpabs_2exp_si(arb_midref(acb_imagref(argument.get())), 10) >= 0) return Number::undefined();
  Ball result;
  acb_gamma(result.get(), argument.get(), precision_);
  return finite(std::move(result));
}

/// n (n − 1) … (n − k + 1) / k!, which has a value for every n.
Number Arithmetic::binomial(const Number& n, const Number& k) const {
  const int64_t whole = n.integer().value_or(-1);
  int64_t times = k.integer().value_or(-1);
  if (!n.defined() || times < 0) return Number::undefined();
  if (whole >= 0 && times > whole) return Number::of(Rational(0));
  if (whole >= 0) times = std::min(times, whole - times);
  if (whole >= 0 && whole <= kMaxBits) {
    if (!spend(whole / 8 + 1, 64)) return Number::undefined();
    Rational exact;
    fmpz_bin_uiui(fmpq_numref(RationalParts::of(exact)), static_cast<ulong>(whole), static_cast<ulong>(times));
    return Number::of(std::move(exact));
  }
  if (times > kMaxBinomial) return Number::undefined();
  Number result = Number::of(Rational(1));
  for (int64_t j = 0; j < times && result.defined(); ++j) {
    result = multiply(result, subtract(n, Number::of(Rational(j))));
    result = divide(result, Number::of(Rational(j + 1)));
  }
  return result;
}

Number Arithmetic::pi() const {
  if (!spend(kFunctionCost, precision_)) return Number::undefined();
  Ball ball;
  acb_const_pi(ball.get(), precision_);
  return Number::of(std::move(ball));
}

Number Arithmetic::e() const {
  if (!spend(kFunctionCost, precision_)) return Number::undefined();
  Ball ball;
  arb_const_e(acb_realref(ball.get()), precision_);
  return Number::of(std::move(ball));
}

Number Arithmetic::i() {
  Ball ball;
  acb_onei(ball.get());
  return Number::of(std::move(ball));
}

Relation Arithmetic::compare(const Number& a, const Number& b) const {
  using enum Number::Kind;
  if (a.kind == kUndefined || b.kind == kUndefined) return Relation::kUndecided;
  if (a.kind == kInfinity || b.kind == kInfinity) return a.kind == b.kind && a.sign == b.sign ? Relation::kEqual : Relation::kDifferent;
  if (a.is_exact() && b.is_exact()) return a.exact == b.exact ? Relation::kEqual : Relation::kDifferent;
  const Ball x = to_ball(a), y = to_ball(b);
  if (acb_overlaps(x.get(), y.get()) == 0) return Relation::kDifferent;
  // together, and known to half of the bits: beyond doubt, as the precision grows with what is written
  const int64_t known = std::min(acb_rel_accuracy_bits(x.get()), acb_rel_accuracy_bits(y.get()));
  Ball difference;
  acb_sub(difference.get(), x.get(), y.get(), precision_);
  const bool both_small = acb_contains_zero(x.get()) != 0 && acb_contains_zero(y.get()) != 0;
  mag_t size, limit;
  mag_init(size);
  mag_init(limit);
  acb_get_mag(size, difference.get());
  mag_set_ui_2exp_si(limit, 1, -precision_ / 2);
  const bool near = mag_cmp(size, limit) < 0;
  mag_clear(size);
  mag_clear(limit);
  return known >= precision_ / 2 || (both_small && near) ? Relation::kEqual : Relation::kUndecided;
}

std::optional<int> Arithmetic::order(const Number& a, const Number& b) const {
  using enum Number::Kind;
  if (a.kind == kUndefined || b.kind == kUndefined) return std::nullopt;
  if (a.kind == kInfinity || b.kind == kInfinity) {
    if (a.kind == b.kind && a.sign == b.sign) return std::nullopt;
    return a.kind == kInfinity ? a.sign : -b.sign;
  }
  if (a.is_exact() && b.is_exact()) {
    if (a.exact == b.exact) return std::nullopt;
    return a.exact < b.exact ? -1 : 1;
  }
  if (!is_real(a) || !is_real(b)) return std::nullopt;
  const Ball x = to_ball(a), y = to_ball(b);
  if (arb_lt(acb_realref(x.get()), acb_realref(y.get())) != 0) return -1;
  if (arb_gt(acb_realref(x.get()), acb_realref(y.get())) != 0) return 1;
  return std::nullopt;
}

}  // namespace grpo

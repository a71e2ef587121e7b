#include <algorithm>
#include <array>

#include "math/number.h"

namespace grpo {
namespace {

using Acb = void (*)(acb_t, const acb_t, slong);

void acb_reciprocal_of(Acb function, acb_t result, const acb_t x, slong bits) {
  function(result, x, bits);
  acb_inv(result, result, bits);
}
void arcsec(acb_t result, const acb_t x, slong bits) {
  acb_inv(result, x, bits);
  acb_acos(result, result, bits);
}
void arccsc(acb_t result, const acb_t x, slong bits) {
  acb_inv(result, x, bits);
  acb_asin(result, result, bits);
}
/// Between 0 and π, continuous at 0.
void arccot(acb_t result, const acb_t x, slong bits) {
  Ball quarter;
  acb_const_pi(quarter.get(), bits);
  acb_mul_2exp_si(quarter.get(), quarter.get(), -1);
  acb_atan(result, x, bits);
  acb_sub(result, quarter.get(), result, bits);
}
void sech(acb_t result, const acb_t x, slong bits) { acb_reciprocal_of(acb_cosh, result, x, bits); }
void csch(acb_t result, const acb_t x, slong bits) { acb_reciprocal_of(acb_sinh, result, x, bits); }

struct NamedFunction {
  std::string_view name;
  Acb function;
};

constexpr std::array<NamedFunction, 22> kFunctions = {
    {{"sin", acb_sin},      {"cos", acb_cos},      {"tan", acb_tan},      {"cot", acb_cot},   {"sec", acb_sec},   {"csc", acb_csc},
     {"arcsin", acb_asin},  {"arccos", acb_acos},  {"arctan", acb_atan},  {"arccot", arccot}, {"arcsec", arcsec}, {"arccsc", arccsc},
     {"sinh", acb_sinh},    {"cosh", acb_cosh},    {"tanh", acb_tanh},    {"coth", acb_coth}, {"sech", sech},     {"csch", csch},
     {"arsinh", acb_asinh}, {"arcosh", acb_acosh}, {"artanh", acb_atanh}, {"exp", acb_exp}}};

const NamedFunction* named_function(std::string_view name) {
  const auto found = std::ranges::find(kFunctions, name, &NamedFunction::name);
  return found == kFunctions.end() ? nullptr : &*found;
}

Rational rounded(const Rational& value, bool up) {
  Rational result;
  const fmpq* parts = RationalParts::of(value);
  (up ? fmpz_cdiv_q : fmpz_fdiv_q)(fmpq_numref(RationalParts::of(result)), fmpq_numref(parts), fmpq_denref(parts));
  return result;
}

Number rounded(const Ball& value, bool up, int64_t bits) {
  if (acb_is_real(value.get()) == 0) return Number::undefined();
  Rational result;
  Ball whole;
  (up ? arb_ceil : arb_floor)(acb_realref(whole.get()), acb_realref(value.get()), bits);
  if (mag_cmp_2exp_si(arb_radref(acb_realref(value.get())), -bits / 2) > 0) return Number::undefined();
  if (arf_cmpabs_2exp_si(arb_midref(acb_realref(value.get())), bits) >= 0) return Number::undefined();
  return arb_get_unique_fmpz(fmpq_numref(RationalParts::of(result)), acb_realref(whole.get())) != 0 ? Number::of(std::move(result))
                                                                                                    : Number::undefined();
}

}  // namespace

bool is_function(std::string_view name) {
  return named_function(name) != nullptr || name == "abs" || name == "floor" || name == "ceil" || name == "ln" || name == "re" ||
         name == "im";
}

Number Arithmetic::function(std::string_view name, const Number& argument) const {
  using enum Number::Kind;
  if (argument.kind == kUndefined || argument.kind == kInfinity) return Number::undefined();
  if (name == "abs" && argument.is_exact()) return argument.exact.sign() < 0 ? negate(argument) : argument;
  if ((name == "floor" || name == "ceil") && argument.is_exact()) return Number::of(rounded(argument.exact, name == "ceil"));
  if (!spend(kFunctionSteps, precision_)) return Number::undefined();
  const Ball x = to_ball(argument);
  Ball result;
  if (name == "abs") {
    acb_abs(acb_realref(result.get()), x.get(), precision_);
  } else if (name == "re") {
    arb_set(acb_realref(result.get()), acb_realref(x.get()));
  } else if (name == "im") {
    arb_set(acb_realref(result.get()), acb_imagref(x.get()));
  } else if (name == "floor" || name == "ceil") {
    return rounded(x, name == "ceil", precision_);
  } else if (name == "ln") {
    if (acb_contains_zero(x.get()) != 0) return Number::undefined();
    acb_log(result.get(), x.get(), precision_);
  } else {
    named_function(name)->function(result.get(), x.get(), precision_);
  }
  return finite(std::move(result));
}

}  // namespace grpo

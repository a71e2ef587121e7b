#include "grpo/math/rational.h"

#include <utility>

#include "math/flint.h"

namespace grpo {
namespace {

fmpq* parts(Rational& value) { return RationalParts::of(value); }
const fmpq* parts(const Rational& value) { return RationalParts::of(value); }

struct ThreadCaches {
  ThreadCaches() = default;
  ThreadCaches(const ThreadCaches&) = delete;
  ThreadCaches& operator=(const ThreadCaches&) = delete;
  ~ThreadCaches() { flint_cleanup(); }
  bool used = false;
};

}  // namespace

void use_flint() {
  static thread_local ThreadCaches caches;
  caches.used = true;
}

Rational::Rational(int64_t value) {
  use_flint();
  fmpz_set_si(fmpq_numref(parts(*this)), value);
}

Rational::Rational(const Rational& other) {
  use_flint();
  fmpq_set(parts(*this), parts(other));
}

Rational::Rational(Rational&& other) noexcept : parts_(std::exchange(other.parts_, {0, 1})) {}

Rational& Rational::operator=(Rational other) noexcept {
  std::swap(parts_, other.parts_);
  return *this;
}

Rational::~Rational() { fmpq_clear(parts(*this)); }

Rational Rational::from_digits(std::string_view digits) {
  Rational value;
  use_flint();
  fmpz_set_str(fmpq_numref(parts(value)), std::string(digits).c_str(), 10);
  return value;
}

Rational Rational::numerator() const {
  Rational value;
  fmpz_set(fmpq_numref(parts(value)), fmpq_numref(parts(*this)));
  return value;
}

Rational Rational::denominator() const {
  Rational value;
  fmpz_set(fmpq_numref(parts(value)), fmpq_denref(parts(*this)));
  return value;
}

bool Rational::is_integer() const { return fmpz_is_one(fmpq_denref(parts(*this))) != 0; }

int Rational::sign() const { return fmpq_sgn(parts(*this)); }

int64_t Rational::bits() const { return static_cast<int64_t>(fmpq_height_bits(parts(*this))); }

std::optional<int64_t> Rational::to_integer() const {
  if (!is_integer() || fmpz_fits_si(fmpq_numref(parts(*this))) == 0) return std::nullopt;
  return fmpz_get_si(fmpq_numref(parts(*this)));
}

std::string Rational::to_string() const {
  char* const text = fmpq_get_str(nullptr, 10, parts(*this));
  std::string result = text;
  flint_free(text);
  return result;
}

Rational Rational::operator-() const {
  Rational result;
  fmpq_neg(parts(result), parts(*this));
  return result;
}

Rational operator+(const Rational& a, const Rational& b) {
  Rational result;
  fmpq_add(parts(result), parts(a), parts(b));
  return result;
}

Rational operator-(const Rational& a, const Rational& b) {
  Rational result;
  fmpq_sub(parts(result), parts(a), parts(b));
  return result;
}

Rational operator*(const Rational& a, const Rational& b) {
  Rational result;
  fmpq_mul(parts(result), parts(a), parts(b));
  return result;
}

bool operator==(const Rational& a, const Rational& b) { return fmpq_equal(parts(a), parts(b)) != 0; }

std::strong_ordering operator<=>(const Rational& a, const Rational& b) { return fmpq_cmp(parts(a), parts(b)) <=> 0; }

std::optional<Rational> divide(const Rational& a, const Rational& b) {
  if (b.sign() == 0) return std::nullopt;
  Rational result;
  fmpq_div(parts(result), parts(a), parts(b));
  return result;
}

std::optional<Rational> power(const Rational& base, int64_t exponent) {
  if (base.sign() == 0 && exponent < 0) return std::nullopt;
  Rational result;
  fmpq_pow_si(parts(result), parts(base), exponent);
  return result;
}

}  // namespace grpo

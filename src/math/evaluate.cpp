#include "math/evaluate.h"

#include <algorithm>

namespace grpo {
namespace {

using Kind = Node::Kind;

constexpr int64_t kMostTerms = 10'000;  // of a written-out sum, and as far as it may reach

/// FNV-1a, then mixed as in splitmix64: the same on every machine.
uint64_t letter_hash(const std::string& name, int point) {
  uint64_t h = 14695981039346656037ULL + static_cast<uint64_t>(point) * 0x9E3779B97F4A7C15ULL;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9ULL;
  h = (h ^ (h >> 27)) * 0x94D049BB133111EBULL;
  return h ^ (h >> 31);
}

/// Between 0 and 4 in size, with a prime denominator.
Number letter_value(const std::string& name, int point) {
  constexpr int64_t kDenominator = 1048573;
  const uint64_t h = letter_hash(name, point);
  const auto numerator = static_cast<int64_t>(1 + (h >> 20) % (4 * kDenominator - 1));
  const bool negative = point >= kPoints / 2 && (h & 1) != 0;
  return Number::of(*divide(negative ? -numerator : numerator, kDenominator));
}

class Evaluator {
 public:
  Evaluator(const Place& place, const Arithmetic& arithmetic) : place_(place), math_(arithmetic) {}

  const Trace& trace() const { return trace_; }

  Number value(const Node& node) {
    Number result = value_of(node);
    trace_.real = trace_.real && (result.kind != Number::Kind::kBall || Arithmetic::is_real(result));
    trace_.exact = trace_.exact && result.kind != Number::Kind::kBall;
    trace_.bits = std::max(trace_.bits, Arithmetic::size_in_bits(result));
    return result;
  }

 private:
  Number value_of(const Node& node) {
    if (!math_.budget().spend(1)) return Number::undefined();
    switch (node.kind) {
      case Kind::kNumber:
        return Number::of(node.value);
      case Kind::kLetter:
        return letter(node.name);
      case Kind::kConstant:
        return constant(node.name);
      case Kind::kNegate:
        return math_.negate(part(node, 0));
      case Kind::kPlusMinus:
        return (node.name == "pm" ? place_.sign : -place_.sign) > 0 ? part(node, 0) : math_.negate(part(node, 0));
      case Kind::kAdd:
      case Kind::kMultiply:
        return folded(node);
      case Kind::kDivide:
        return math_.divide(part(node, 0), part(node, 1));
      case Kind::kPower:
        return math_.power(part(node, 0), part(node, 1));
      case Kind::kRoot:
        return math_.power(part(node, 0), math_.divide(Number::of(Rational(1)), part(node, 1)));
      case Kind::kFactorial:
        return math_.factorial(part(node, 0));
      case Kind::kBinomial:
        return math_.binomial(part(node, 0), part(node, 1));
      case Kind::kLog:
        return logarithm(node);
      case Kind::kFunction:
        return node.parts.size() == 1 && is_function(node.name) ? math_.function(node.name, part(node, 0)) : of_several(node);
      case Kind::kPercent:
        return math_.divide(part(node, 0), Number::of(Rational(100)));
      case Kind::kQuantity:
        if (node.name != "degree") return Number::undefined();
        [[fallthrough]];
      case Kind::kDegrees:
        return math_.divide(math_.multiply(part(node, 0), math_.pi()), Number::of(Rational(180)));
      case Kind::kSum:
      case Kind::kProduct:
        return running(node);
      default:
        return Number::undefined();
    }
  }

  Number part(const Node& node, size_t i) { return value(*node.parts[i]); }

  Number letter(const std::string& name) {
    const auto bound = std::find_if(bound_.rbegin(), bound_.rend(), [&](const auto& entry) { return entry.first == name; });
    return bound == bound_.rend() ? letter_value(name, place_.point) : Number::of(bound->second);
  }

  Number constant(const std::string& name) {
    const bool bound = std::ranges::any_of(bound_, [&](const auto& entry) { return entry.first == name; });
    if (bound) return letter(name);
    if (name == "pi") return math_.pi();
    if (name == "e") return math_.e();
    return name == "i" ? Arithmetic::i() : Number::infinity(1);
  }

  Number folded(const Node& node) {
    Number result = part(node, 0);
    for (size_t i = 1; i < node.parts.size() && result.defined(); ++i)
      result = node.kind == Kind::kAdd ? math_.add(result, part(node, i)) : math_.multiply(result, part(node, i));
    return result;
  }

  Number logarithm(const Node& node) {
    Number of = math_.function("ln", part(node, 0));
    if (node.parts.size() == 1 && place_.natural) return of;
    return math_.divide(of, math_.function("ln", node.parts.size() > 1 ? part(node, 1) : Number::of(Rational(10))));
  }

  /// gcd and lcm of integers, max and min of real numbers.
  Number of_several(const Node& node) {
    Number result = part(node, 0);
    for (size_t i = 1; i < node.parts.size() && result.defined(); ++i) {
      Number next = part(node, i);
      if (node.name == "max" || node.name == "min") {
        const auto order = math_.order(next, result);
        if (!next.defined()) return next;
        if (order && (*order > 0) == (node.name == "max")) result = next;
        continue;
      }
      if (!result.is_exact() || !next.is_exact() || !result.exact.is_integer() || !next.exact.is_integer()) return Number::undefined();
      Rational merged;
      (node.name == "gcd" ? fmpz_gcd : fmpz_lcm)(fmpq_numref(RationalParts::of(merged)), fmpq_numref(RationalParts::of(result.exact)),
                                                 fmpq_numref(RationalParts::of(next.exact)));
      result = merged.bits() > Arithmetic::kMaxBits ? Number::undefined() : Number::of(std::move(merged));
    }
    return result;
  }

  Number running(const Node& node) {
    const Number from = part(node, 0), to = part(node, 1);
    const auto first = from.integer(), last = to.integer();
    if (!first || !last || *first < -kMostTerms || *last > kMostTerms || *last - *first > kMostTerms || bound_.size() > 2)
      return Number::undefined();
    Number result = Number::of(Rational(node.kind == Kind::kSum ? 0 : 1));
    for (int64_t k = *first; k <= *last && result.defined(); ++k) {
      bound_.emplace_back(node.name, Rational(k));
      const Number term = part(node, 2);
      bound_.pop_back();
      result = node.kind == Kind::kSum ? math_.add(result, term) : math_.multiply(result, term);
    }
    return result;
  }

  Place place_;
  const Arithmetic& math_;
  std::vector<std::pair<std::string, Rational>> bound_;  // letters that a sum runs over
  Trace trace_;
};

void collect_letters(const Node& node, std::vector<std::string>& letters) {
  if (node.kind == Kind::kLetter && std::ranges::find(letters, node.name) == letters.end()) letters.push_back(node.name);
  for (const NodePtr& part : node.parts) collect_letters(*part, letters);
  if (node.kind == Kind::kSum || node.kind == Kind::kProduct) std::erase(letters, node.name);
}

}  // namespace

Number evaluate(const Node& node, const Place& place, const Arithmetic& arithmetic, Trace* trace) {
  Evaluator evaluator(place, arithmetic);
  Number result = evaluator.value(node);
  if (trace != nullptr) {
    trace->real = trace->real && evaluator.trace().real;
    trace->exact = trace->exact && evaluator.trace().exact;
    trace->bits = std::max(trace->bits, evaluator.trace().bits);
  }
  return result;
}

std::vector<std::string> letters_of(const Node& node) {
  std::vector<std::string> letters;
  collect_letters(node, letters);
  std::ranges::sort(letters);
  return letters;
}

bool holds_kind(const Node& node, Node::Kind kind) {
  return node.kind == kind || std::ranges::any_of(node.parts, [kind](const NodePtr& part) { return holds_kind(*part, kind); });
}

bool is_value(const Node& node) {
  if (node.kind > Kind::kProduct && !(node.kind == Kind::kQuantity && node.name == "degree")) return false;
  return std::ranges::all_of(node.parts, [](const NodePtr& part) { return is_value(*part); });
}

int64_t bits_of(const Node& node) {
  int64_t bits = node.kind == Kind::kNumber ? node.value.bits() : 1;
  for (const NodePtr& part : node.parts) bits += bits_of(*part);
  return bits;
}

}  // namespace grpo

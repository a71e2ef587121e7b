#include "grpo/reward/expression.h"

#include "grpo/data/strings.h"

namespace grpo {
namespace {

constexpr size_t kMaxDigits = 18;  // fits int64
constexpr int kMaxDepth = 50;

/// sum := product (('+'|'-') product)*;  product := factor (('*'|'/') factor)*;  factor := integer | '(' sum ')'
class ExpressionParser {
 public:
  explicit ExpressionParser(std::string_view text) : rest_(trim(text)) {}

  std::optional<ParsedExpression> parse() {
    result_.value = parse_sum(0);
    if (!valid_ || !rest_.empty()) return std::nullopt;
    return std::move(result_);
  }

 private:
  using Value = std::optional<Rational>;

  static Value combined(const Value& a, const Value& b, Value (*operation)(const Rational&, const Rational&)) {
    return a && b ? operation(*a, *b) : std::nullopt;
  }

  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_ = trim(rest_.substr(1));
    return true;
  }

  Value reject() {
    valid_ = false;
    return std::nullopt;
  }

  Value parse_sum(int depth) {
    Value value = parse_product(depth);
    while (valid_) {
      if (take('+')) {
        value = combined(value, parse_product(depth), [](const Rational& a, const Rational& b) -> Value { return a + b; });
      } else if (take('-')) {
        value = combined(value, parse_product(depth), [](const Rational& a, const Rational& b) -> Value { return a - b; });
      } else {
        break;
      }
    }
    return value;
  }

  Value parse_product(int depth) {
    Value value = parse_factor(depth);
    while (valid_) {
      if (take('*')) {
        value = combined(value, parse_factor(depth), [](const Rational& a, const Rational& b) -> Value { return a * b; });
      } else if (take('/')) {
        value = combined(value, parse_factor(depth), divide);
      } else {
        break;
      }
    }
    return value;
  }

  Value parse_factor(int depth) {
    if (!take('(')) return parse_integer();
    if (depth == kMaxDepth) return reject();
    const Value value = parse_sum(depth + 1);
    return valid_ && take(')') ? value : reject();
  }

  Value parse_integer() {
    size_t digits = 0;
    int64_t number = 0;
    for (; digits < rest_.size() && is_digit(rest_[digits]); ++digits) {
      if (digits == kMaxDigits) return reject();
      number = number * 10 + (rest_[digits] - '0');
    }
    if (digits == 0 || (digits > 1 && rest_.front() == '0')) return reject();
    rest_ = trim(rest_.substr(digits));
    result_.numbers.push_back(number);
    return Rational(number);
  }

  std::string_view rest_;
  ParsedExpression result_;
  bool valid_ = true;
};

}  // namespace

std::optional<ParsedExpression> parse_expression(std::string_view text) {
  if (text.size() > kMaxExpressionLength) return std::nullopt;
  return ExpressionParser(text).parse();
}

}  // namespace grpo

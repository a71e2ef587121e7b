#include <algorithm>
#include <charconv>

#include "jinja/parser.h"

namespace grpo::jinja {
namespace {

constexpr int kMaxTreeDepth = 500;

ExpressionPtr make(ExpressionKind kind, Position at) {
  auto made = std::make_unique<Expression>();
  made->kind = kind;
  made->at = at;
  return made;
}

/// A chain such as a+b+c+… nests without the parser recursing, so the tree's own depth is what is bounded.
void add(Expression& parent, ExpressionPtr operand) {
  parent.depth = std::max(parent.depth, operand->depth + 1);
  if (parent.depth > kMaxTreeDepth) fail_at(parent.at, "the expression is nested too deeply");
  parent.operands.push_back(std::move(operand));
}

ExpressionPtr literal(Value value, Position at) {
  ExpressionPtr made = make(ExpressionKind::kLiteral, at);
  made->value = std::move(value);
  return made;
}

ExpressionPtr integer_literal(const Token& token) {
  std::string_view digits = token.text;
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0') {
    const char kind = static_cast<char>(digits[1] | 0x20);
    base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
    if (base != 10) digits.remove_prefix(2);
  }
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) fail_at(token.at, "expected an integer of 64 bits; got " + token.text);
  return literal(Value(value), token.at);
}

ExpressionPtr real_literal(const Token& token) {
  double value = 0;
  const auto [end, error] = std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
  if (error != std::errc() || end != token.text.data() + token.text.size()) fail_at(token.at, "expected a number; got " + token.text);
  return literal(Value(value), token.at);
}

Arithmetic arithmetic_of(std::string_view symbol) {
  if (symbol == "+") return Arithmetic::kAdd;
  if (symbol == "-") return Arithmetic::kSubtract;
  if (symbol == "*") return Arithmetic::kMultiply;
  if (symbol == "/") return Arithmetic::kDivide;
  if (symbol == "//") return Arithmetic::kFloorDivide;
  return symbol == "%" ? Arithmetic::kModulo : Arithmetic::kPower;
}

}  // namespace

ExpressionPtr ExpressionParser::binary(ExpressionKind kind, const Token& symbol, ExpressionPtr left, ExpressionPtr right) {
  ExpressionPtr made = make(kind, symbol.at);
  if (kind == ExpressionKind::kArithmetic) made->operation = arithmetic_of(symbol.text);
  add(*made, std::move(left));
  add(*made, std::move(right));
  return made;
}

ExpressionPtr ExpressionParser::tuple(bool conditional) {
  const Position at = tokens_.peek().at;
  const auto item = [&] { return conditional ? expression() : any_of(); };
  ExpressionPtr first = item();
  if (!tokens_.is_operator(",")) return first;
  ExpressionPtr made = make(ExpressionKind::kTuple, at);
  add(*made, std::move(first));
  while (tokens_.take_operator(",")) {
    const bool ends = tokens_.is(TokenKind::kOutputEnd) || tokens_.is(TokenKind::kBlockEnd) || tokens_.is_operator(")");
    if (ends) break;
    add(*made, item());
  }
  return made;
}

ExpressionPtr ExpressionParser::conditional() {
  const NestingGuard guard(depth_, tokens_.peek().at);
  ExpressionPtr value = any_of();
  while (tokens_.is_name("if")) {
    ExpressionPtr made = make(ExpressionKind::kConditional, tokens_.take().at);
    add(*made, any_of());
    add(*made, std::move(value));
    add(*made, tokens_.take_name("else")
                   ? conditional()
                   : literal(Value::undefined("the inline if-expression evaluated to false and no else section was defined"), made->at));
    value = std::move(made);
  }
  return value;
}

ExpressionPtr ExpressionParser::any_of() {
  ExpressionPtr value = all_of();
  while (tokens_.is_name("or")) {
    const Token symbol = tokens_.take();
    value = binary(ExpressionKind::kOr, symbol, std::move(value), all_of());
  }
  return value;
}

ExpressionPtr ExpressionParser::all_of() {
  ExpressionPtr value = negation();
  while (tokens_.is_name("and")) {
    const Token symbol = tokens_.take();
    value = binary(ExpressionKind::kAnd, symbol, std::move(value), negation());
  }
  return value;
}

ExpressionPtr ExpressionParser::negation() {
  if (!tokens_.is_name("not")) return comparison();
  const NestingGuard guard(depth_, tokens_.peek().at);
  ExpressionPtr made = make(ExpressionKind::kNot, tokens_.take().at);
  add(*made, negation());
  return made;
}

ExpressionPtr ExpressionParser::comparison() {
  static constexpr std::string_view kSymbols[] = {"==", "!=", "<", "<=", ">", ">="};
  ExpressionPtr made = make(ExpressionKind::kCompare, tokens_.peek().at);
  add(*made, sum());
  while (true) {
    const bool symbol =
        tokens_.is(TokenKind::kOperator) && std::find(std::begin(kSymbols), std::end(kSymbols), tokens_.peek().text) != std::end(kSymbols);
    if (symbol || tokens_.is_name("in")) {
      if (made->names.empty()) made->at = tokens_.peek().at;
      made->names.push_back(tokens_.take().text);
    } else if (tokens_.is_name("not") && tokens_.peek(1).kind == TokenKind::kName && tokens_.peek(1).text == "in") {
      if (made->names.empty()) made->at = tokens_.peek().at;
      tokens_.take();
      tokens_.take();
      made->names.emplace_back("not in");
    } else {
      return made->names.empty() ? std::move(made->operands[0]) : std::move(made);
    }
    add(*made, sum());
  }
}

ExpressionPtr ExpressionParser::sum() {
  ExpressionPtr value = concatenation();
  while (tokens_.is_operator("+") || tokens_.is_operator("-")) {
    const Token symbol = tokens_.take();
    value = binary(ExpressionKind::kArithmetic, symbol, std::move(value), concatenation());
  }
  return value;
}

ExpressionPtr ExpressionParser::concatenation() {
  ExpressionPtr value = product();
  if (!tokens_.is_operator("~")) return value;
  ExpressionPtr made = make(ExpressionKind::kConcat, tokens_.peek().at);
  add(*made, std::move(value));
  while (tokens_.take_operator("~")) add(*made, product());
  return made;
}

ExpressionPtr ExpressionParser::product() {
  ExpressionPtr value = power();
  while (tokens_.is_operator("*") || tokens_.is_operator("/") || tokens_.is_operator("//") || tokens_.is_operator("%")) {
    const Token symbol = tokens_.take();
    value = binary(ExpressionKind::kArithmetic, symbol, std::move(value), power());
  }
  return value;
}

ExpressionPtr ExpressionParser::power() {
  ExpressionPtr value = unary();
  while (tokens_.is_operator("**")) {
    const Token symbol = tokens_.take();
    value = binary(ExpressionKind::kArithmetic, symbol, std::move(value), unary());
  }
  return value;
}

ExpressionPtr ExpressionParser::unary(bool with_filters) {
  const NestingGuard guard(depth_, tokens_.peek().at);
  ExpressionPtr value;
  if (tokens_.is_operator("-") || tokens_.is_operator("+")) {
    const Token sign = tokens_.take();
    value = make(sign.text == "-" ? ExpressionKind::kNegate : ExpressionKind::kPositive, sign.at);
    add(*value, unary(false));
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return with_filters ? filters_and_tests(std::move(value)) : std::move(value);
}

ExpressionPtr ExpressionParser::primary() {
  switch (tokens_.peek().kind) {
    case TokenKind::kName:
      return name_or_constant();
    case TokenKind::kString:
      return string_literal();
    case TokenKind::kInteger:
      return integer_literal(tokens_.take());
    case TokenKind::kReal:
      return real_literal(tokens_.take());
    default:
      break;
  }
  if (tokens_.is_operator("(")) return parenthesized();
  if (tokens_.is_operator("[")) return list_literal();
  if (tokens_.is_operator("{")) return dict_literal();
  tokens_.unexpected("an expression");
}

ExpressionPtr ExpressionParser::name_or_constant() {
  const Token token = tokens_.take();
  if (token.text == "true" || token.text == "True") return literal(Value(true), token.at);
  if (token.text == "false" || token.text == "False") return literal(Value(false), token.at);
  if (token.text == "none" || token.text == "None") return literal(Value(), token.at);
  ExpressionPtr made = make(ExpressionKind::kName, token.at);
  made->name = token.text;
  return made;
}

ExpressionPtr ExpressionParser::string_literal() {
  Token token = tokens_.take();
  while (tokens_.is(TokenKind::kString)) token.text += tokens_.take().text;
  return literal(Value(std::move(token.text)), token.at);
}

ExpressionPtr ExpressionParser::parenthesized() {
  const Position at = tokens_.take().at;
  if (tokens_.take_operator(")")) return make(ExpressionKind::kTuple, at);
  ExpressionPtr value = tuple(true);
  tokens_.expect_operator(")");
  return value;
}

ExpressionPtr ExpressionParser::list_literal() {
  ExpressionPtr made = make(ExpressionKind::kList, tokens_.take().at);
  while (!tokens_.is_operator("]")) {
    add(*made, expression());
    if (!tokens_.is_operator("]")) tokens_.expect_operator(",");
  }
  tokens_.take();
  return made;
}

ExpressionPtr ExpressionParser::dict_literal() {
  ExpressionPtr made = make(ExpressionKind::kDict, tokens_.take().at);
  while (!tokens_.is_operator("}")) {
    add(*made, expression());
    tokens_.expect_operator(":");
    add(*made, expression());
    if (!tokens_.is_operator("}")) tokens_.expect_operator(",");
  }
  tokens_.take();
  return made;
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr value) {
  while (true) {
    if (tokens_.is_operator(".")) {
      value = attribute(std::move(value));
    } else if (tokens_.is_operator("[")) {
      value = subscript(std::move(value));
    } else if (tokens_.is_operator("(")) {
      ExpressionPtr call = make(ExpressionKind::kCall, tokens_.peek().at);
      add(*call, std::move(value));
      arguments(*call);
      value = std::move(call);
    } else {
      return value;
    }
  }
}

ExpressionPtr ExpressionParser::attribute(ExpressionPtr object) {
  tokens_.take();
  const Token& token = tokens_.peek();
  const bool is_index = token.kind == TokenKind::kInteger;
  ExpressionPtr made = make(is_index ? ExpressionKind::kItem : ExpressionKind::kAttribute, token.at);
  add(*made, std::move(object));
  if (is_index) {
    add(*made, integer_literal(tokens_.take()));
  } else {
    made->name = tokens_.take_identifier();
  }
  return made;
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr object) {
  const Position at = tokens_.take().at;
  std::vector<ExpressionPtr> parts;
  bool is_slice = false;
  const auto part = [&] {
    const bool absent = tokens_.is_operator(":") || tokens_.is_operator("]");
    parts.push_back(absent ? literal(Value(), tokens_.peek().at) : expression());
  };
  if (tokens_.is_operator("]")) tokens_.unexpected("an index or a slice");
  part();
  while (parts.size() < 3 && tokens_.take_operator(":")) {
    is_slice = true;
    part();
  }
  if (is_slice && parts.size() < 3) parts.push_back(literal(Value(), at));
  tokens_.expect_operator("]");
  ExpressionPtr made = make(is_slice ? ExpressionKind::kSlice : ExpressionKind::kItem, at);
  add(*made, std::move(object));
  for (ExpressionPtr& item : parts) add(*made, std::move(item));
  return made;
}

ExpressionPtr ExpressionParser::filters_and_tests(ExpressionPtr value) {
  while (true) {
    if (tokens_.take_operator("|")) {
      value = filter(std::move(value));
    } else if (tokens_.is_name("is")) {
      value = test(std::move(value));
    } else if (tokens_.is_operator("(")) {
      value = postfix(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPtr ExpressionParser::filter_chain(ExpressionPtr value) {
  value = filter(std::move(value));
  while (tokens_.take_operator("|")) value = filter(std::move(value));
  return value;
}

ExpressionPtr ExpressionParser::filter(ExpressionPtr value) {
  ExpressionPtr made = make(ExpressionKind::kFilter, tokens_.peek().at);
  made->name = tokens_.take_identifier();
  add(*made, std::move(value));
  if (tokens_.is_operator("(")) arguments(*made);
  return made;
}

bool ExpressionParser::starts_test_argument() const {
  if (tokens_.is(TokenKind::kName)) {
    return !tokens_.is_name("else") && !tokens_.is_name("or") && !tokens_.is_name("and") && !tokens_.is_name("if") &&
           !tokens_.is_name("in") && !tokens_.is_name("not");
  }
  return tokens_.is(TokenKind::kString) || tokens_.is(TokenKind::kInteger) || tokens_.is(TokenKind::kReal) || tokens_.is_operator("[") ||
         tokens_.is_operator("{");
}

ExpressionPtr ExpressionParser::test(ExpressionPtr value) {
  tokens_.take();
  ExpressionPtr negated;
  if (tokens_.is_name("not")) negated = make(ExpressionKind::kNot, tokens_.take().at);
  ExpressionPtr made = make(ExpressionKind::kTest, tokens_.peek().at);
  made->name = tokens_.take_identifier();
  add(*made, std::move(value));
  if (tokens_.is_operator("(")) {
    arguments(*made);
  } else if (tokens_.is_name("is")) {
    tokens_.unexpected("only one test after 'is'");
  } else if (starts_test_argument()) {
    add(*made, postfix(primary()));
  }
  if (!negated) return made;
  add(*negated, std::move(made));
  return negated;
}

void ExpressionParser::arguments(Expression& call) {
  tokens_.expect_operator("(");
  while (!tokens_.is_operator(")")) {
    const bool named = tokens_.is(TokenKind::kName) && tokens_.peek(1).kind == TokenKind::kOperator && tokens_.peek(1).text == "=";
    if (!named && !call.names.empty()) tokens_.unexpected("an argument by name after the first such one");
    if (named) {
      call.names.push_back(tokens_.take().text);
      tokens_.take();
    }
    add(call, expression());
    if (!tokens_.is_operator(")")) tokens_.expect_operator(",");
  }
  tokens_.take();
}

}  // namespace grpo::jinja

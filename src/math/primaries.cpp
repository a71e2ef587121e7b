#include "math/number.h"
#include "math/parser_class.h"

namespace grpo {

namespace {

bool is_whole(const Token& token) { return token.kind == Token::Kind::kNumber && token.value.is_integer(); }

}  // namespace

NodePtr Parser::number() {
  const Token token = tokens_[at_++];
  if (next_is("_")) {  // 52_8
    ++at_;
    const auto base = subscript();
    const auto value = base ? parse_number(*base) : std::nullopt;
    if (!value || !value->is_integer()) return fail("the base of '" + token.text + "' is no number");
    return std::make_shared<const Node>(Node{Kind::kBased, {}, token.text, *value, {}});
  }
  if (next_is("dots")) return fail("'" + token.text + "…' is cut off");
  return token.value.is_integer() ? mixed(token.value) : number_node(token.value);
}

/// "4\frac{2}{3}" and "4 2/3" are sums.
NodePtr Parser::mixed(const Rational& whole) {
  const auto sum = [&](const Rational& over, const Rational& under) {
    const auto part = divide(over, under);
    return part && *part < Rational(1) ? make_node(Kind::kAdd, {number_node(whole), number_node(*part)}) : nullptr;
  };
  if (is_whole(peek()) && peek().space_before && peek(1).is("/") && is_whole(peek(2))) {
    if (NodePtr value = sum(peek().value, peek(2).value)) return at_ += 3, value;
  }
  const auto fraction = literal_fraction();
  if (NodePtr value = fraction ? sum(fraction->over, fraction->under) : nullptr) return at_ += fraction->tokens, value;
  return number_node(whole);
}

/// A \frac of two whole numbers that comes next: \frac{2}{3}, \frac23, \frac2{13}.
std::optional<Parser::LiteralFraction> Parser::literal_fraction() const {
  if (peek().kind != Token::Kind::kCommand || peek().text != "frac") return std::nullopt;
  LiteralFraction fraction;
  for (Rational* part : {&fraction.over, &fraction.under}) {
    const Token& next = peek(fraction.tokens);
    if (next.is("{") && is_whole(peek(fraction.tokens + 1)) && peek(fraction.tokens + 2).is("}")) {
      *part = peek(fraction.tokens + 1).value;
      fraction.tokens += 3;
    } else if (is_whole(next) && next.text.size() == 2 && part == &fraction.over) {
      fraction.over = Rational::from_digits(next.text.substr(0, 1));
      fraction.under = Rational::from_digits(next.text.substr(1));
      ++fraction.tokens;
      return fraction;
    } else if (is_whole(next) && next.text.size() == 1) {
      *part = next.value;
      ++fraction.tokens;
    } else {
      return std::nullopt;
    }
  }
  return fraction;
}

std::optional<std::string> Parser::subscript() {
  if (!take("{")) {
    const Token& token = peek();
    if (token.kind != Token::Kind::kNumber && token.kind != Token::Kind::kLetter) return std::nullopt;
    return tokens_[at_++].text;
  }
  std::string text;
  while (peek().kind != Token::Kind::kEnd && !next_is("}")) text += tokens_[at_++].text;
  if (text.empty() || !take("}")) return std::nullopt;
  return text;
}

NodePtr Parser::letter() {
  std::string name = tokens_[at_++].text;
  if (next_is("_")) {
    ++at_;
    const auto index = subscript();
    if (!index) return fail("an index is missing");
    return make_node(Kind::kLetter, {}, name + "_" + *index);
  }
  if (name == "e" || name == "i") return make_node(Kind::kConstant, {}, std::move(name));
  return make_node(Kind::kLetter, {}, std::move(name));
}

/// A run of letters that stands for their product becomes a token for each, or words.
NodePtr Parser::word() {
  if (!stands_for_letters(peek())) {
    std::string text = tokens_[at_++].text;
    while (peek().kind == Token::Kind::kWord || peek().kind == Token::Kind::kText) text += " " + tokens_[at_++].text;
    return make_node(Kind::kText, {}, std::move(text));
  }
  std::vector<Token> letters;
  for (const char c : peek().text)
    letters.push_back({Token::Kind::kLetter, std::string(1, c), {}, letters.empty() && peek().space_before, false});
  tokens_.erase(tokens_.begin() + static_cast<ptrdiff_t>(at_));
  tokens_.insert(tokens_.begin() + static_cast<ptrdiff_t>(at_), letters.begin(), letters.end());
  return letter();
}

NodePtr Parser::primary() {
  const Token& token = peek();
  switch (token.kind) {
    case Token::Kind::kNumber:
      return number();
    case Token::Kind::kLetter:
      return letter();
    case Token::Kind::kWord:
      return word();
    case Token::Kind::kText:
      return make_node(Kind::kText, {}, tokens_[at_++].text);
    case Token::Kind::kCommand:
      return command(tokens_[at_++].text);
    case Token::Kind::kEnd:
      return fail("something is missing at the end");
    case Token::Kind::kSymbol:
      break;
  }
  if (token.is("{")) return group();
  if (token.is("(") || token.is("[")) return bracketed();
  if (token.is("\\{")) return set_braces();
  if (take("langle")) return angle();
  if (take("lfloor")) return between("rfloor", "floor");
  if (take("lceil")) return between("rceil", "ceil");
  if (take("|")) {
    ++bars_;
    NodePtr inside = between("|", "abs");
    --bars_;
    return inside;
  }
  return fail("'" + token.text + "' is out of place");
}

NodePtr Parser::group() {
  if (!take("{")) return fail("'{' is missing");
  const int bars = std::exchange(bars_, 0);
  NodePtr inside = list(Token::Kind::kEnd, "}");
  bars_ = bars;
  if (inside && take_command("choose")) {
    NodePtr lower = list(Token::Kind::kEnd, "}");
    inside = lower ? make_node(Kind::kBinomial, {std::move(inside), std::move(lower)}) : nullptr;
  }
  return expect(std::move(inside), "}");
}

/// What a LaTeX command takes: a group, a command with its own arguments, or one digit or letter.
NodePtr Parser::argument() {
  if (next_is("{")) return group();
  Token& token = tokens_[at_];
  if (token.kind == Token::Kind::kNumber && token.text.size() > 1) {
    const std::string rest = token.text.substr(1);
    const Rational digit = Rational::from_digits(token.text.substr(0, 1));
    if (!std::ranges::all_of(rest, [](char c) { return c >= '0' && c <= '9'; })) return fail("an argument is missing");
    token.text = rest;
    token.value = Rational::from_digits(rest);
    token.space_before = false;
    return number_node(digit);
  }
  if (token.kind == Token::Kind::kNumber) return ++at_, number_node(tokens_[at_ - 1].value);
  if (token.kind == Token::Kind::kLetter) return letter();
  if (token.kind == Token::Kind::kCommand) return command(tokens_[at_++].text);
  return fail("an argument is missing");
}

NodePtr Parser::bracketed() {
  const std::string open = tokens_[at_++].text;
  const int bars = std::exchange(bars_, 0);
  NodePtr inside = list(Token::Kind::kEnd, open == "(" ? ")" : "]");
  bars_ = bars;
  if (!inside) return nullptr;
  if (take_command("choose")) {
    NodePtr lower = sum();
    return lower ? expect(make_node(Kind::kBinomial, {std::move(inside), std::move(lower)}), ")") : nullptr;
  }
  const bool round = next_is(")");
  if (!round && !next_is("]")) return fail("a bracket is not closed");
  ++at_;
  const std::string brackets = open + (round ? ")" : "]");
  if (inside->kind == Kind::kList && inside->name == ",") return make_node(Kind::kTuple, inside->parts, brackets);
  if (brackets == "[]" && inside->kind == Kind::kTuple && inside->name == "[]") return inside;
  if (brackets == "()") return inside;
  if (brackets == "[]") return make_node(Kind::kTuple, {std::move(inside)}, brackets);
  return fail("the brackets do not match");
}

NodePtr Parser::set_braces() {
  ++at_;
  if (take("\\}")) return make_node(Kind::kNamedSet, {}, "empty");
  const int bars = std::exchange(bars_, 1);
  NodePtr inside = list(Token::Kind::kEnd, "\\}");
  bars_ = bars;
  if (inside && (take("|") || take(":"))) {
    NodePtr condition = list(Token::Kind::kEnd, "\\}");
    return condition ? expect(make_node(Kind::kSuchThat, {std::move(inside), std::move(condition)}), "\\}") : nullptr;
  }
  inside = expect(std::move(inside), "\\}");
  if (!inside) return nullptr;
  if (inside->kind == Kind::kList) return make_node(Kind::kSet, inside->parts);
  return make_node(Kind::kSet, {std::move(inside)});
}

NodePtr Parser::between(std::string_view close, std::string_view name) {
  NodePtr inside = expect(sum(), close);
  return inside ? make_node(Kind::kFunction, {std::move(inside)}, std::string(name)) : nullptr;
}

NodePtr Parser::angle() {
  NodePtr inside = expect(list(Token::Kind::kEnd, "rangle"), "rangle");
  if (!inside) return nullptr;
  return make_node(Kind::kTuple, inside->kind == Kind::kList ? inside->parts : std::vector<NodePtr>{inside}, "<>");
}

}  // namespace grpo

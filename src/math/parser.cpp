#include "math/parser.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "math/number.h"
#include "math/units.h"

namespace grpo {
namespace {

using Kind = Node::Kind;

constexpr int kMaxDepth = 60;

bool is_relation(const Token& token) {
  static constexpr std::array<std::string_view, 6> kRelations = {"=", "<", ">", "<=", ">=", "!="};
  return token.kind == Token::Kind::kSymbol && std::ranges::find(kRelations, token.text) != kRelations.end();
}

/// answer   := item (("," | ";" | "and" | "or") item)*
/// item     := quantity ((relation quantity)* | "in" set)
/// quantity := currency? set unit?
/// set      := sum (("union" | "intersection" | "without") sum)*
/// sum      := sign? product (("+" | "-" | "pm" | "mp") product)*
/// product  := power (("*" | "/")? power)*
/// power    := primary postfix* ("^" exponent)?
class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  ParsedAnswer parse() {
    NodePtr tree = list(Token::Kind::kEnd, "");
    if (tree && peek().kind != Token::Kind::kEnd) tree = fail("'" + peek().text + "' is out of place");
    return {tree, problem_};
  }

 private:
  // --- tokens

  const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  bool next_is(std::string_view symbol) const { return peek().is(symbol); }
  bool take(std::string_view symbol) {
    if (!next_is(symbol)) return false;
    ++at_;
    return true;
  }
  bool take_command(std::string_view name) {
    if (peek().kind != Token::Kind::kCommand || peek().text != name) return false;
    ++at_;
    return true;
  }
  NodePtr fail(std::string why) {
    if (problem_.empty()) problem_ = std::move(why);
    return nullptr;
  }
  NodePtr expect(NodePtr node, std::string_view symbol) {
    if (node && !take(symbol)) return fail("'" + std::string(symbol) + "' is missing");
    return node;
  }
  struct Depth {
    explicit Depth(int& depth) : depth_(depth) { ++depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    ~Depth() { --depth_; }
    int& depth_;
  };

  // --- lists and relations

  bool at_close(Token::Kind end, std::string_view close) const { return close.empty() ? peek().kind == end : next_is(close); }

  NodePtr list(Token::Kind end, std::string_view close) {
    std::vector<NodePtr> items;
    std::string between;
    while (true) {
      NodePtr part = item();
      if (!part) return nullptr;
      items.push_back(std::move(part));
      std::string separator;
      if (take(",") || take(";")) separator = ",";
      if (take("and")) separator = separator.empty() ? "and" : separator;
      if (take("or")) separator = "or";
      if (separator.empty()) break;
      if (at_close(end, close)) break;  // a comma at the end
      if (between.empty() || between == ",") between = separator;
    }
    return items.size() == 1 ? items.front() : make_node(Kind::kList, std::move(items), between);
  }

  NodePtr item() {
    if (peek().kind == Token::Kind::kEnd) return fail("something is missing at the end");
    NodePtr first = quantity();
    if (!first) return nullptr;
    if (take("in")) {
      NodePtr set = set_expression();
      return set ? make_node(Kind::kMember, {std::move(first), std::move(set)}) : nullptr;
    }
    if (!is_relation(peek())) return first;
    Node relation{Kind::kRelation, {std::move(first)}, {}, {}, {}};
    while (is_relation(peek())) {
      relation.signs.push_back(tokens_[at_++].text);
      NodePtr next = quantity();
      if (!next) return nullptr;
      relation.parts.push_back(std::move(next));
    }
    return std::make_shared<const Node>(std::move(relation));
  }

  // --- units

  std::optional<std::string> take_currency() {
    for (const std::string_view sign : {"$", "€", "£"})
      if (take(sign)) return *unit_name({{std::string(sign), 1}});
    if (peek().kind == Token::Kind::kWord && peek(1).kind == Token::Kind::kNumber && unit_name({{peek().text, 1}}) &&
        static_cast<unsigned char>(peek().text[0]) >= 0x80 && is_unit(peek().text)) {
      return *unit_name({{tokens_[at_++].text, 1}});
    }
    return std::nullopt;
  }

  bool unit_follows() const {
    const Token& token = peek();
    if (token.is("$")) return true;
    if (token.kind == Token::Kind::kText || token.kind == Token::Kind::kWord) return true;
    return token.kind == Token::Kind::kLetter && token.upright;
  }

  NodePtr quantity() {
    const bool negative = next_is("-") && (peek(1).is("$") || peek(1).is("€") || peek(1).is("£"));
    if (negative) ++at_;
    const auto currency = take_currency();
    NodePtr value = set_expression();
    if (!value) return nullptr;
    if (negative) value = make_node(Kind::kNegate, {value});
    if (!unit_follows()) return currency ? make_node(Kind::kQuantity, {value}, *currency) : degrees_as_unit(value);
    if (value->kind == Kind::kText) return fail("words");
    return with_unit(std::move(value), currency);
  }

  static NodePtr degrees_as_unit(const NodePtr& value) {
    return value->kind == Kind::kDegrees ? make_node(Kind::kQuantity, {value->parts[0]}, "degree") : value;
  }

  NodePtr with_unit(NodePtr value, const std::optional<std::string>& currency) {
    std::vector<UnitWord> words = unit_words();
    while (!words.empty() && words.front().power == 1) {
      const auto factor = multiplier(words.front().word);
      if (!factor) break;
      value = make_node(Kind::kMultiply, {std::move(value), number_node(*factor)});
      words.erase(words.begin());
    }
    if (value->kind == Kind::kDegrees) {  // "20° C"
      words.insert(words.begin(), {"degree", 1});
      value = value->parts[0];
    }
    if (currency && !words.empty() && unit_name(words) != currency) return fail("two units");
    if (currency) return make_node(Kind::kQuantity, {std::move(value)}, *currency);
    if (words.empty()) return value;
    auto unit = unit_name(words);
    if (!unit) return fail("'" + words.front().word + "' behind a number may change its value");
    return unit->empty() ? value : make_node(Kind::kQuantity, {std::move(value)}, *std::move(unit));
  }

  std::vector<UnitWord> unit_words() {
    std::vector<UnitWord> words;
    int sign = 1;
    while (true) {
      const bool word = unit_follows() || (sign < 0 && peek().kind == Token::Kind::kLetter) ||
                        (!words.empty() && peek().kind == Token::Kind::kLetter && peek().space_before);
      if (!word) break;
      const size_t first = words.size();
      split(tokens_[at_++].text, sign, words);
      take(".");
      if (const auto power = take_power(); power && words.size() > first) words.back().power *= *power;
      sign = 1;
      const bool stroke = next_is("/"), times = next_is("*");
      if (!stroke && !times) continue;
      ++at_;
      if (stroke) sign = -1;
    }
    return words;
  }

  /// The words of "square meters", "m/s" and "$US" apart.
  static void split(const std::string& text, int sign, std::vector<UnitWord>& words) {
    std::string word;
    const auto end_word = [&] {
      if (!word.empty()) words.push_back({std::exchange(word, {}), std::exchange(sign, 1)});
    };
    for (const char c : text) {
      if (c == '/') {
        end_word();
        sign = -1;
      } else if (c == ' ' || c == '.' || c == '\t' || c == '\n' || c == '-') {
        end_word();
      } else {
        word += c;
      }
    }
    end_word();
  }

  std::optional<int> take_power() {
    if (!next_is("^")) return std::nullopt;
    const size_t before = at_++;
    const bool braces = take("{");
    const bool negative = take("-");
    const bool digit = peek().kind == Token::Kind::kNumber && peek().text.size() == 1;
    const int power = digit ? tokens_[at_++].text[0] - '0' : 0;
    if (digit && (!braces || take("}"))) return negative ? -power : power;
    at_ = before;
    return std::nullopt;
  }

  // --- sets and sums

  NodePtr set_expression() {
    NodePtr left = sum();
    while (left) {
      Kind kind = Kind::kUnion;
      if (next_is("intersection")) kind = Kind::kIntersection;
      if (next_is("without")) kind = Kind::kWithout;
      if (!take("union") && !take("intersection") && !take("without")) break;
      NodePtr right = sum();
      left = right ? make_node(kind, {std::move(left), std::move(right)}) : nullptr;
    }
    return left;
  }

  NodePtr signed_product() {
    if (take("-")) {
      NodePtr rest = product();
      return rest ? make_node(Kind::kNegate, {std::move(rest)}) : nullptr;
    }
    for (const std::string_view sign : {"pm", "mp"}) {
      if (!take(sign)) continue;
      NodePtr rest = product();
      return rest ? make_node(Kind::kPlusMinus, {std::move(rest)}, std::string(sign)) : nullptr;
    }
    take("+");
    return product();
  }

  NodePtr sum() {
    const Depth depth(depth_);
    if (depth_ > kMaxDepth) return fail("too deep");
    NodePtr first = signed_product();
    if (!first) return nullptr;
    std::vector<NodePtr> parts = {std::move(first)};
    while (next_is("+") || next_is("-") || next_is("pm") || next_is("mp")) {
      NodePtr part = signed_product();
      if (!part) return nullptr;
      parts.push_back(std::move(part));
    }
    return parts.size() == 1 ? parts.front() : make_node(Kind::kAdd, std::move(parts));
  }

  // --- products

  /// Whether a factor may begin here without a sign of multiplication before it: "2x", "3\sqrt{2}", but never "2 3".
  bool factor_follows() const {
    const Token& token = peek();
    switch (token.kind) {
      case Token::Kind::kLetter:
        return !token.upright;
      case Token::Kind::kCommand:
        return !token.text.starts_with("end ") && token.text != "choose" && !is_set_name(token.text);
      case Token::Kind::kWord:
        return stands_for_letters(token);
      case Token::Kind::kNumber:
        return at_ > 0 && tokens_[at_ - 1].is("!");  // 3!7!
      case Token::Kind::kSymbol:
        return token.text == "(" || token.text == "{" || token.text == "lfloor" || token.text == "lceil" ||
               (token.text == "|" && bars_ == 0);
      default:
        return false;
    }
  }

  static bool is_set_name(std::string_view name) {
    return name == "reals" || name == "integers" || name == "rationals" || name == "naturals" || name == "complexes" || name == "empty";
  }

  /// "xy" in "2xy", but not "cm", "or", and not "men" in "3 men".
  bool stands_for_letters(const Token& token) const {
    if (token.text.size() > 3 || is_small_word(token.text)) return false;
    const bool letters = std::ranges::all_of(token.text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    const bool behind_number = at_ > 0 && tokens_[at_ - 1].kind == Token::Kind::kNumber;
    if (!letters || (is_unit(token.text) && at_ > 0)) return false;
    return !(behind_number && token.space_before && token.text.size() == 3);
  }

  static NodePtr multiply(NodePtr a, NodePtr b) {
    if (a->kind != Kind::kMultiply) return make_node(Kind::kMultiply, {std::move(a), std::move(b)});
    std::vector<NodePtr> parts = a->parts;
    parts.push_back(std::move(b));
    return make_node(Kind::kMultiply, std::move(parts));
  }

  NodePtr product() {
    NodePtr result = power();
    while (result) {
      if (take("*")) {
        NodePtr next = signed_power();
        result = next ? multiply(std::move(result), std::move(next)) : nullptr;
      } else if (next_is("/") && !unit_stroke()) {
        ++at_;
        NodePtr next = signed_power();
        result = next ? make_node(Kind::kDivide, {std::move(result), std::move(next)}) : nullptr;
      } else if (factor_follows()) {
        NodePtr next = power();
        result = next ? multiply(std::move(result), std::move(next)) : nullptr;
      } else {
        break;
      }
    }
    return result;
  }

  bool unit_stroke() const { return peek(1).kind == Token::Kind::kText || (peek(1).kind == Token::Kind::kWord && is_unit(peek(1).text)); }

  NodePtr signed_power() {
    if (!take("-")) {
      take("+");
      return power();
    }
    NodePtr rest = power();
    return rest ? make_node(Kind::kNegate, {std::move(rest)}) : nullptr;
  }

  NodePtr power() {
    const Depth depth(depth_);
    if (depth_ > kMaxDepth) return fail("too deep");
    NodePtr base = postfix(primary());
    if (!base || !next_is("^")) return base;
    ++at_;
    NodePtr exponent_node = exponent();
    if (!exponent_node) return nullptr;
    return postfix(make_node(Kind::kPower, {std::move(base), std::move(exponent_node)}));
  }

  NodePtr exponent() {
    if (next_is("{")) return group();
    return signed_power();
  }

  /// "!", "%", the sign for degrees, and the "th" of "12th".
  NodePtr postfix(NodePtr base) {
    while (base) {
      if (take("!")) {
        base = make_node(Kind::kFactorial, {std::move(base)});
      } else if (take("%")) {
        base = make_node(Kind::kPercent, {std::move(base)});
      } else if (take_raised_circle()) {
        base = make_node(Kind::kDegrees, {std::move(base)});
      } else if (!take_ordinal()) {
        break;
      }
    }
    return base;
  }

  bool take_raised_circle() {
    if (next_is("circ")) return ++at_, true;
    if (next_is("^") && peek(1).is("circ")) return at_ += 2, true;
    if (next_is("^") && peek(1).is("{") && peek(2).is("circ") && peek(3).is("}")) return at_ += 4, true;
    return false;
  }

  bool take_ordinal() {
    if (at_ == 0 || tokens_[at_ - 1].kind != Token::Kind::kNumber) return false;
    const auto ordinal = [](const Token& token) {
      const bool word = token.kind == Token::Kind::kWord || token.kind == Token::Kind::kText;
      return word && (token.text == "st" || token.text == "nd" || token.text == "rd" || token.text == "th");
    };
    if (ordinal(peek()) && !peek().space_before) return ++at_, true;
    if (next_is("^") && ordinal(peek(1))) return at_ += 2, true;
    if (next_is("^") && peek(1).is("{") && ordinal(peek(2)) && peek(3).is("}")) return at_ += 4, true;
    return false;
  }

  // --- primaries

  NodePtr primary();
  NodePtr number();
  NodePtr mixed(const Rational& whole);
  NodePtr letter();
  NodePtr word();
  NodePtr group();
  NodePtr argument();
  NodePtr argument_or_factor();
  NodePtr bracketed();
  NodePtr set_braces();
  NodePtr between(std::string_view close, std::string_view function);
  NodePtr angle();
  NodePtr command(const std::string& name);
  NodePtr fraction();
  NodePtr root();
  NodePtr logarithm(const std::string& name);
  NodePtr function(const std::string& name);
  NodePtr function_argument();
  NodePtr several(const std::string& name);
  NodePtr running(const std::string& name);
  NodePtr matrix(const std::string& environment);
  std::optional<std::string> subscript();

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  int bars_ = 0;  // open |, or a set whose condition a bar begins
  std::string problem_;
};

// --- primaries: numbers and letters

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
  const auto part = [&](const Rational& over, const Rational& under) {
    const auto fraction = divide(over, under);
    return fraction && *fraction < Rational(1) ? make_node(Kind::kAdd, {number_node(whole), number_node(*fraction)}) : nullptr;
  };
  const auto whole_number = [](const Token& token) { return token.kind == Token::Kind::kNumber && token.value.is_integer(); };
  if (whole_number(peek()) && peek().space_before && peek(1).is("/") && whole_number(peek(2))) {
    if (NodePtr sum = part(peek().value, peek(2).value)) return at_ += 3, sum;
  }
  if (peek().kind != Token::Kind::kCommand || peek().text != "frac") return number_node(whole);
  const size_t before = at_;
  const std::vector<Token> kept(tokens_.begin() + static_cast<ptrdiff_t>(at_),
                                tokens_.begin() + static_cast<ptrdiff_t>(std::min(at_ + 8, tokens_.size())));
  ++at_;
  NodePtr over = argument();
  NodePtr under = over ? argument() : nullptr;
  if (under && over->kind == Kind::kNumber && under->kind == Kind::kNumber) {
    if (NodePtr sum = part(over->value, under->value)) return sum;
  }
  problem_.clear();
  at_ = before;  // a product after all: the tokens that the arguments have split come back
  std::copy(kept.begin(), kept.end(), tokens_.begin() + static_cast<ptrdiff_t>(at_));
  return number_node(whole);
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

/// A run of letters that stands for their product, or words.
NodePtr Parser::word() {
  Token& token = tokens_[at_];
  if (!stands_for_letters(token)) {
    std::string text = tokens_[at_++].text;
    while (peek().kind == Token::Kind::kWord || peek().kind == Token::Kind::kText) text += " " + tokens_[at_++].text;
    return make_node(Kind::kText, {}, std::move(text));
  }
  std::vector<NodePtr> letters;
  for (const char c : token.text) {
    const std::string name(1, c);
    letters.push_back(make_node(name == "e" || name == "i" ? Kind::kConstant : Kind::kLetter, {}, name));
  }
  ++at_;
  return make_node(Kind::kMultiply, std::move(letters));
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

// --- primaries: brackets

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

// --- primaries: commands

NodePtr Parser::command(const std::string& name) {
  const Depth depth(depth_);
  if (depth_ > kMaxDepth) return fail("too deep");
  if (name == "frac") return fraction();
  if (name == "sqrt" || name == "cbrt") {
    if (name == "sqrt") return root();
    NodePtr inside = argument_or_factor();
    return inside ? make_node(Kind::kRoot, {std::move(inside), number_node(3)}) : nullptr;
  }
  if (name == "pi" || name == "infinity") return make_node(Kind::kConstant, {}, name);
  if (is_set_name(name)) return make_node(Kind::kNamedSet, {}, name);
  if (name == "log" || name == "lg") return logarithm(name);
  if (name == "binom") {
    if (next_is("(")) return several("binom");
    NodePtr upper = argument();
    NodePtr lower = upper ? argument() : nullptr;
    return lower ? make_node(Kind::kBinomial, {std::move(upper), std::move(lower)}) : nullptr;
  }
  if (name == "sum" || name == "product") return running(name);
  if (name == "gcd" || name == "lcm" || name == "max" || name == "min") return several(name);
  if (is_function(name)) return function(name);
  if (name.starts_with("begin ")) return matrix(name.substr(6));
  return fail("\\" + name + " is not read");
}

NodePtr Parser::fraction() {
  NodePtr over = argument();
  NodePtr under = over ? argument() : nullptr;
  return under ? make_node(Kind::kDivide, {std::move(over), std::move(under)}) : nullptr;
}

NodePtr Parser::argument_or_factor() {
  if (next_is("{")) return group();
  if (next_is("(") || next_is("[")) return bracketed();
  return primary();
}

NodePtr Parser::root() {
  NodePtr degree = number_node(2);
  if (next_is("[")) {
    ++at_;
    degree = expect(sum(), "]");
    if (!degree) return nullptr;
  }
  NodePtr inside = argument_or_factor();
  return inside ? make_node(Kind::kRoot, {std::move(inside), std::move(degree)}) : nullptr;
}

/// Of a function: a bracket, or all factors up to a sign or the next function.
NodePtr Parser::function_argument() {
  if (next_is("{")) return postfix(group());
  if (next_is("(") || next_is("[")) return postfix(bracketed());
  const bool negative = take("-");
  NodePtr result = power();
  while (result && factor_follows() && !next_is("(") && !next_is("{")) {
    const bool function_next =
        peek().kind == Token::Kind::kCommand && (is_function(peek().text) || peek().text == "log" || peek().text == "lg");
    if (function_next) break;
    NodePtr next = power();
    result = next ? multiply(std::move(result), std::move(next)) : nullptr;
  }
  if (result && next_is("/") && peek(1).kind == Token::Kind::kNumber) {  // sin pi/4
    ++at_;
    NodePtr under = power();
    result = under ? make_node(Kind::kDivide, {std::move(result), std::move(under)}) : nullptr;
  }
  return result && negative ? make_node(Kind::kNegate, {std::move(result)}) : result;
}

NodePtr Parser::function(const std::string& name) {
  NodePtr raised;
  if (take("^")) {
    raised = next_is("{") ? group() : next_is("-") ? signed_power() : argument();
    if (!raised) return nullptr;
  }
  NodePtr inside = function_argument();
  if (!inside) return nullptr;
  const bool inverse =
      raised && raised->kind == Kind::kNegate && raised->parts[0]->kind == Kind::kNumber && raised->parts[0]->value == Rational(1);
  if (inverse)
    return is_function("arc" + name) ? make_node(Kind::kFunction, {std::move(inside)}, "arc" + name) : fail("an inverse is not read");
  NodePtr value = make_node(Kind::kFunction, {std::move(inside)}, name);
  return raised ? make_node(Kind::kPower, {std::move(value), std::move(raised)}) : value;
}

NodePtr Parser::logarithm(const std::string& name) {
  NodePtr base, raised;
  if (take("_")) {
    base = next_is("{") ? group() : peek().kind == Token::Kind::kNumber ? (++at_, number_node(tokens_[at_ - 1].value)) : argument();
    if (!base) return nullptr;
  }
  if (take("^")) {
    raised = argument();
    if (!raised) return nullptr;
  }
  if (name == "lg" && !base) base = number_node(10);
  NodePtr inside = function_argument();
  if (!inside) return nullptr;
  NodePtr value = base ? make_node(Kind::kLog, {std::move(inside), std::move(base)}) : make_node(Kind::kLog, {std::move(inside)});
  return raised ? make_node(Kind::kPower, {std::move(value), std::move(raised)}) : value;
}

NodePtr Parser::several(const std::string& name) {
  if (!next_is("(") && !next_is("\\{")) return fail(name + " has no brackets");
  NodePtr inside = next_is("(") ? bracketed() : set_braces();
  if (!inside) return nullptr;
  if (inside->kind != Kind::kTuple && inside->kind != Kind::kSet) return fail(name + " of one number");
  if (name != "binom") return make_node(Kind::kFunction, inside->parts, name);
  return inside->parts.size() == 2 ? make_node(Kind::kBinomial, inside->parts) : fail("binom of two numbers");
}

/// \sum_{k=1}^{n} …
NodePtr Parser::running(const std::string& name) {
  if (!take("_") || !take("{") || peek().kind != Token::Kind::kLetter) return fail("a sum without limits");
  const std::string letter = tokens_[at_++].text;
  NodePtr from = take("=") ? expect(sum(), "}") : fail("a sum without limits");
  if (!from || !take("^")) return fail("a sum without limits");
  NodePtr to = argument();
  NodePtr body = to ? product() : nullptr;
  return body ? make_node(name == "sum" ? Kind::kSum : Kind::kProduct, {std::move(from), std::move(to), std::move(body)}, letter) : nullptr;
}

NodePtr Parser::matrix(const std::string& environment) {
  static constexpr std::array<std::string_view, 7> kNames = {"pmatrix", "bmatrix",     "Bmatrix",     "matrix",
                                                             "array",   "smallmatrix", "psmallmatrix"};
  if (std::ranges::find(kNames, environment) == kNames.end()) return fail("\\begin{" + environment + "} is not read");
  Node result{Kind::kMatrix, {}, {}, {}, {}};
  size_t columns = 0, in_row = 0;
  while (true) {
    NodePtr cell = quantity();
    if (!cell) return nullptr;
    result.parts.push_back(std::move(cell));
    ++in_row;
    if (take("&")) continue;
    if (columns != 0 && in_row != columns) return fail("rows of different lengths");
    columns = in_row;
    in_row = 0;
    const bool more = take("row");
    if (take_command("end " + environment)) break;
    if (!more) return fail("a matrix is not closed");
  }
  result.value = Rational(static_cast<int64_t>(columns));
  return std::make_shared<const Node>(std::move(result));
}

}  // namespace

ParsedAnswer parse_answer(std::vector<Token> tokens) { return Parser(std::move(tokens)).parse(); }

}  // namespace grpo

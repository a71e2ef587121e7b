#include <array>

#include "math/number.h"
#include "math/parser_class.h"

namespace grpo {

namespace {

bool is_relation(const Token& token) {
  static constexpr std::array<std::string_view, 7> kRelations = {"=", "<", ">", "<=", ">=", "!=", "approx"};
  return token.kind == Token::Kind::kSymbol && std::ranges::find(kRelations, token.text) != kRelations.end();
}

}  // namespace

/// A matrix with an operation done to each of its cells.
template <class Operation>
NodePtr Parser::each_cell(const Node& matrix, Operation operation) {
  Node result = matrix;
  for (NodePtr& cell : result.parts) cell = operation(cell);
  return std::make_shared<const Node>(std::move(result));
}

ParsedAnswer Parser::parse() {
  NodePtr tree = list(Token::Kind::kEnd, "");
  if (tree && peek().kind != Token::Kind::kEnd) tree = fail("'" + peek().text + "' is out of place");
  return {tree, problem_};
}

NodePtr Parser::list(Token::Kind end, std::string_view close) {
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
    if (at_close(end, close)) {  // a comma at the end says nothing, an "or" leaves something open
      if (separator != ",") return fail("something is missing behind '" + separator + "'");
      break;
    }
    if (between.empty() || between == ",") between = separator;
  }
  return items.size() == 1 ? items.front() : make_node(Kind::kList, std::move(items), between);
}

NodePtr Parser::item() {
  if (peek().kind == Token::Kind::kEnd) return fail("something is missing at the end");
  NodePtr first = quantity();
  if (!first) return nullptr;
  if (take("in")) {
    NodePtr set = set_expression();
    return set ? make_node(Kind::kMember, {std::move(first), std::move(set)}) : nullptr;
  }
  if (next_is(":") && bars_ == 0) return ratio(std::move(first));
  if (!is_relation(peek())) return first;
  Node relation{Kind::kRelation, {std::move(first)}, {}, {}, {}};
  while (is_relation(peek())) {
    const std::string sign = tokens_[at_++].text;
    NodePtr next = quantity();
    if (!next) return nullptr;
    if (sign == "approx") {  // what a value is about says no more than the value
      const bool decimal = next->kind == Kind::kNumber && relation.parts.back()->kind != Kind::kNumber &&
                           relation.parts.back()->kind != Kind::kLetter && !is_relation(peek());
      if (!decimal) return fail("an approximation");
      break;
    }
    relation.signs.push_back(sign);
    relation.parts.push_back(std::move(next));
  }
  if (relation.signs.empty()) return relation.parts.front();
  return std::make_shared<const Node>(std::move(relation));
}

/// 1:2 is a quotient; 1:2:3 keeps its parts.
NodePtr Parser::ratio(NodePtr first) {
  std::vector<NodePtr> parts = {std::move(first)};
  while (take(":")) {
    NodePtr part = set_expression();
    if (!part) return nullptr;
    parts.push_back(std::move(part));
  }
  return parts.size() == 2 ? make_node(Kind::kDivide, std::move(parts)) : make_node(Kind::kTuple, std::move(parts), "::");
}

std::optional<std::string> Parser::take_currency() {
  for (const std::string_view sign : {"$", "€", "£"})
    if (take(sign)) return *unit_name({{std::string(sign), 1}});
  if (peek().kind == Token::Kind::kWord && peek(1).kind == Token::Kind::kNumber && unit_name({{peek().text, 1}}) &&
      static_cast<unsigned char>(peek().text[0]) >= 0x80 && is_unit(peek().text)) {
    return *unit_name({{tokens_[at_++].text, 1}});
  }
  return std::nullopt;
}

/// \frac{\text{km}}{\text{h}}
bool Parser::unit_fraction_follows() const {
  const auto word_in_braces = [this](size_t ahead) {
    return peek(ahead).is("{") && peek(ahead + 1).kind == Token::Kind::kText && peek(ahead + 2).is("}");
  };
  return peek().kind == Token::Kind::kCommand && peek().text == "frac" && word_in_braces(1) && word_in_braces(4);
}

bool Parser::unit_follows() const {
  const Token& token = peek();
  if (token.is("$") || unit_fraction_follows()) return true;
  if (token.kind == Token::Kind::kText || token.kind == Token::Kind::kWord) return true;
  return token.kind == Token::Kind::kLetter && token.upright;
}

NodePtr Parser::quantity() {
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

NodePtr Parser::degrees_as_unit(const NodePtr& value) {
  return value->kind == Kind::kDegrees ? make_node(Kind::kQuantity, {value->parts[0]}, "degree") : value;
}

NodePtr Parser::with_unit(NodePtr value, const std::optional<std::string>& currency) {
  std::vector<UnitWord> words = unit_words();
  if (words.size() > 1 && words[0].word == "per" && words[1].word == "cent") words.erase(words.begin()), words[0].word = "percent";
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

std::vector<UnitWord> Parser::unit_words() {
  std::vector<UnitWord> words;
  int sign = 1;
  while (true) {
    const bool word = unit_follows() || (sign < 0 && peek().kind == Token::Kind::kLetter) ||
                      (!words.empty() && peek().kind == Token::Kind::kLetter && peek().space_before);
    if (!word) break;
    const size_t first = words.size();
    if (unit_fraction_follows()) {
      split(peek(2).text, sign, words);
      split(peek(5).text, -sign, words);
      at_ += 7;
      continue;
    }
    split(tokens_[at_++].text, sign, words);
    take(".");
    if (const auto power = take_power(); power && words.size() > first) words.back().power *= *power;
    sign = 1;
    const bool stroke = next_is("/"), times = next_is("*");
    const auto next = peek(1).kind;
    const bool word_next = next == Token::Kind::kText || next == Token::Kind::kWord || next == Token::Kind::kLetter;
    if ((!stroke && !times) || !word_next) continue;
    ++at_;
    if (stroke) sign = -1;
  }
  return words;
}

/// The words of "square meters", "m/s" and "$US" apart.
void Parser::split(const std::string& text, int sign, std::vector<UnitWord>& words) {
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

std::optional<int> Parser::take_power() {
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

NodePtr Parser::set_expression() {
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

NodePtr Parser::signed_product() {
  if (take("-")) {
    const NodePtr rest = product();
    if (!rest) return nullptr;
    const auto negated = [](const NodePtr& part) { return make_node(Kind::kNegate, {part}); };
    return rest->kind == Kind::kMatrix ? each_cell(*rest, negated) : negated(rest);
  }
  for (const std::string_view sign : {"pm", "mp"}) {
    if (!take(sign)) continue;
    NodePtr rest = product();
    return rest ? make_node(Kind::kPlusMinus, {std::move(rest)}, std::string(sign)) : nullptr;
  }
  take("+");
  return product();
}

NodePtr Parser::sum() {
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

/// Whether a factor may begin here without a sign of multiplication before it: "2x", "3\sqrt{2}", but never "2 3".
bool Parser::factor_follows() const {
  const Token& token = peek();
  switch (token.kind) {
    case Token::Kind::kLetter:
      return !token.upright;
    case Token::Kind::kCommand:
      if (unit_fraction_follows()) return false;
      return !token.text.starts_with("end ") && token.text != "choose" && !is_set_name(token.text);
    case Token::Kind::kWord:
      return stands_for_letters(token);
    case Token::Kind::kNumber:
      return at_ > 0 && tokens_[at_ - 1].is("!");  // 3!7!
    case Token::Kind::kSymbol:
      return token.text == "(" || token.text == "{" || token.text == "lfloor" || token.text == "lceil" || (token.text == "|" && bars_ == 0);
    default:
      return false;
  }
}

bool Parser::is_set_name(std::string_view name) {
  return name == "reals" || name == "integers" || name == "rationals" || name == "naturals" || name == "complexes" || name == "empty";
}

/// "xy" in "2xy", but not "cm", "or", and not "men" in "3 men".
bool Parser::stands_for_letters(const Token& token) const {
  if (is_small_word(token.text)) return false;
  const bool letters = std::ranges::all_of(token.text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!letters || (is_unit(token.text) && at_ > 0)) return false;
  const bool behind_number = at_ > 0 && tokens_[at_ - 1].kind == Token::Kind::kNumber;
  if (token.text.size() <= 3) return !(behind_number && token.space_before && token.text.size() == 3);
  // "2mghR^2": no word of a language
  const bool raised = peek(1).is("^") || peek(1).is("_");
  const bool spelled = token.text.find_first_of("aeiouy") != std::string::npos;
  const bool capital_within = token.text.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 1) != std::string::npos;
  return token.text.size() <= 6 && at_ > 0 && !token.space_before && (raised || !spelled || capital_within);
}

NodePtr Parser::product_of(std::vector<NodePtr> factors) {
  if (factors.size() == 1) return factors.front();
  const auto is_matrix = [](const NodePtr& factor) { return factor->kind == Kind::kMatrix; };
  const auto matrix = std::ranges::find_if(factors, is_matrix);
  if (matrix == factors.end() || std::ranges::count_if(factors, is_matrix) > 1) return make_node(Kind::kMultiply, std::move(factors));
  const NodePtr cells = *matrix;
  factors.erase(matrix);
  const NodePtr number = product_of(std::move(factors));
  return each_cell(*cells, [&number](const NodePtr& cell) { return make_node(Kind::kMultiply, {number, cell}); });
}

NodePtr Parser::product() {
  std::vector<NodePtr> factors = {power()};
  while (factors.back()) {
    if (take("*") || take_letter_for_times()) {
      factors.push_back(signed_power());
    } else if (next_is("/") && !unit_stroke()) {
      ++at_;
      NodePtr under = signed_power();
      if (!under) return nullptr;
      factors = {make_node(Kind::kDivide, {product_of(std::move(factors)), std::move(under)})};
    } else if (factor_follows()) {
      factors.push_back(power());
    } else {
      return product_of(std::move(factors));
    }
  }
  return nullptr;
}

/// "3 x 10^8": the letter between two numbers, with spaces around it.
bool Parser::take_letter_for_times() {
  const bool letter = peek().kind == Token::Kind::kLetter && (peek().text == "x" || peek().text == "X") && peek().space_before;
  const bool between = letter && at_ > 0 && tokens_[at_ - 1].kind == Token::Kind::kNumber && peek(1).kind == Token::Kind::kNumber;
  if (!between || !peek(1).space_before) return false;
  ++at_;
  return true;
}

NodePtr Parser::signed_power() {
  if (!take("-")) {
    take("+");
    return power();
  }
  NodePtr rest = power();
  return rest ? make_node(Kind::kNegate, {std::move(rest)}) : nullptr;
}

NodePtr Parser::power() {
  const Depth depth(depth_);
  if (depth_ > kMaxDepth) return fail("too deep");
  NodePtr base = postfix(primary());
  if (!base || !next_is("^")) return base;
  ++at_;
  NodePtr exponent_node = exponent();
  if (!exponent_node) return nullptr;
  return postfix(make_node(Kind::kPower, {std::move(base), std::move(exponent_node)}));
}

NodePtr Parser::exponent() {
  if (next_is("{")) return group();
  return signed_power();
}

/// "!", "%", the sign for degrees, and the "th" of "12th".
NodePtr Parser::postfix(NodePtr base) {
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

bool Parser::take_raised_circle() {
  if (next_is("circ")) return ++at_, true;
  if (next_is("^") && peek(1).is("circ")) return at_ += 2, true;
  if (next_is("^") && peek(1).is("{") && peek(2).is("circ") && peek(3).is("}")) return at_ += 4, true;
  return false;
}

bool Parser::take_ordinal() {
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

ParsedAnswer parse_answer(std::vector<Token> tokens) { return Parser(std::move(tokens)).parse(); }

}  // namespace grpo

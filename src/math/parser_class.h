#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "math/parser.h"
#include "math/units.h"

namespace grpo {

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

  ParsedAnswer parse();

 private:
  using Kind = Node::Kind;
  static constexpr int kMaxDepth = 60;

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
  NodePtr list(Token::Kind end, std::string_view close);
  NodePtr item();
  NodePtr ratio(NodePtr first);

  // --- units
  std::optional<std::string> take_currency();
  bool unit_fraction_follows() const;
  bool unit_follows() const;
  NodePtr quantity();
  static NodePtr degrees_as_unit(const NodePtr& value);
  NodePtr with_unit(NodePtr value, const std::optional<std::string>& currency);
  std::vector<UnitWord> unit_words();
  static void split(const std::string& text, int sign, std::vector<UnitWord>& words);
  std::optional<int> take_power();

  // --- sets and sums
  NodePtr set_expression();
  NodePtr signed_product();
  NodePtr sum();

  // --- products
  bool factor_follows() const;
  static bool is_set_name(std::string_view name);
  bool stands_for_letters(const Token& token) const;
  template <class Operation>
  static NodePtr each_cell(const Node& matrix, Operation operation);
  static NodePtr product_of(std::vector<NodePtr> factors);
  NodePtr product();
  bool unit_stroke() const { return peek(1).kind == Token::Kind::kText || (peek(1).kind == Token::Kind::kWord && is_unit(peek(1).text)); }
  bool take_letter_for_times();
  NodePtr signed_power();
  NodePtr power();
  NodePtr exponent();
  NodePtr postfix(NodePtr base);
  bool take_raised_circle();
  bool take_ordinal();

  // --- primaries
  NodePtr primary();
  NodePtr number();
  NodePtr mixed(const Rational& whole);
  struct LiteralFraction {
    Rational over, under;
    size_t tokens = 1;  // with the command
  };
  std::optional<LiteralFraction> literal_fraction() const;
  NodePtr letter();
  NodePtr word();
  NodePtr group();
  NodePtr argument();
  NodePtr argument_or_factor();
  NodePtr bracketed();
  NodePtr set_braces();
  NodePtr between(std::string_view close, std::string_view function);
  NodePtr angle();
  NodePtr command(std::string name);  // by value: what is parsed may move the tokens
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

}  // namespace grpo

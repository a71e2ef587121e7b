#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/ast.h"
#include "jinja/lexer.h"

namespace grpo::jinja {

/// Parses a template. Throws `Error` with line and column.
Template parse(const std::string& source);

/// The tokens yet to be parsed, and what both parsers ask of them.
class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& peek(size_t ahead = 0) const { return tokens_[std::min(next_ + ahead, tokens_.size() - 1)]; }
  Token take();
  bool is(TokenKind kind) const { return peek().kind == kind; }
  bool is_operator(std::string_view symbol) const { return is(TokenKind::kOperator) && peek().text == symbol; }
  bool is_name(std::string_view name) const { return is(TokenKind::kName) && peek().text == name; }
  bool take_operator(std::string_view symbol);
  bool take_name(std::string_view name);
  void expect_operator(std::string_view symbol);
  void expect_name(std::string_view name);
  void expect(TokenKind kind, std::string_view description);
  std::string take_identifier();
  [[noreturn]] void unexpected(std::string_view expected) const;

 private:
  std::vector<Token> tokens_;
  size_t next_ = 0;
};

/// Fails where constructs are nested deeper than a template needs, so that recursion over the tree is safe.
class NestingGuard {
 public:
  NestingGuard(int& depth, Position at);
  ~NestingGuard() { --depth_; }
  NestingGuard(const NestingGuard&) = delete;
  NestingGuard& operator=(const NestingGuard&) = delete;

 private:
  int& depth_;
};

/// Parses expressions by recursive descent, one function a level of precedence.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  ExpressionPtr expression() { return conditional(); }
  /// `a, b` without parentheses is a tuple; without `conditional` an `if` is left to the caller.
  ExpressionPtr tuple(bool conditional);
  /// `value`, then the filters of `{% filter a|b %}`.
  ExpressionPtr filter_chain(ExpressionPtr value);
  /// One operand with its attributes, calls and filters.
  ExpressionPtr unary(bool with_filters = true);

 private:
  ExpressionPtr conditional();
  ExpressionPtr any_of();
  ExpressionPtr all_of();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concatenation();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr primary();
  ExpressionPtr parenthesized();
  ExpressionPtr name_or_constant();
  ExpressionPtr string_literal();
  ExpressionPtr list_literal();
  ExpressionPtr dict_literal();
  ExpressionPtr postfix(ExpressionPtr value);
  ExpressionPtr attribute(ExpressionPtr object);
  ExpressionPtr subscript(ExpressionPtr object);
  ExpressionPtr filters_and_tests(ExpressionPtr value);
  ExpressionPtr filter(ExpressionPtr value);
  ExpressionPtr test(ExpressionPtr value);
  void arguments(Expression& call);
  bool starts_test_argument() const;
  ExpressionPtr binary(ExpressionKind kind, const Token& symbol, ExpressionPtr left, ExpressionPtr right);

  TokenStream& tokens_;
  int depth_ = 0;
};

}  // namespace grpo::jinja

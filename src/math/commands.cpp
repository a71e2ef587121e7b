#include <array>

#include "math/number.h"
#include "math/parser_class.h"

namespace grpo {

NodePtr Parser::command(std::string name) {
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
  std::vector<NodePtr> factors = {power()};
  while (factors.back() && factor_follows() && !next_is("(") && !next_is("{")) {
    const bool function_next =
        peek().kind == Token::Kind::kCommand && (is_function(peek().text) || peek().text == "log" || peek().text == "lg");
    if (function_next) break;
    factors.push_back(power());
  }
  NodePtr result = factors.back() ? product_of(std::move(factors)) : nullptr;
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

}  // namespace grpo

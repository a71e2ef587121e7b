#include <cstddef>

#include "math/tree.h"

namespace grpo {
namespace {

using Kind = Node::Kind;

std::string joined(const std::vector<NodePtr>& parts, std::string_view between) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : std::string(between)) + to_string(*parts[i]);
  return text;
}

/// 0: never needs brackets; sums need them nearly everywhere.
int looseness(const Node& node) {
  switch (node.kind) {
    case Kind::kAdd:
    case Kind::kPlusMinus:
      return 3;
    case Kind::kNegate:
    case Kind::kMultiply:
    case Kind::kDivide:
      return 2;
    case Kind::kNumber:
      return node.value.sign() < 0 || !node.value.is_integer() ? 2 : 0;
    case Kind::kPower:
    case Kind::kFactorial:
    case Kind::kDegrees:
    case Kind::kPercent:
      return 1;
    case Kind::kList:
    case Kind::kRelation:
    case Kind::kMember:
    case Kind::kUnion:
    case Kind::kIntersection:
    case Kind::kWithout:
    case Kind::kQuantity:
      return 4;
    default:
      return 0;
  }
}

std::string within(const Node& node, int limit) {
  const std::string text = to_string(node);
  return looseness(node) > limit ? "(" + text + ")" : text;
}

std::string sum_text(const Node& node) {
  std::string text;
  for (size_t i = 0; i < node.parts.size(); ++i) {
    const Node& part = *node.parts[i];
    const std::string shown = within(part, 3);
    const bool has_sign = part.kind == Kind::kNegate || part.kind == Kind::kPlusMinus;
    if (i > 0) text += has_sign ? " " : " + ";
    text += i > 0 && part.kind == Kind::kNegate ? "- " + shown.substr(1) : shown;
  }
  return text;
}

std::string product_text(const Node& node) {
  std::string text;
  for (size_t i = 0; i < node.parts.size(); ++i) text += (i == 0 ? "" : "*") + within(*node.parts[i], i == 0 ? 2 : 1);
  return text;
}

std::string relation_text(const Node& node) {
  std::string text = to_string(*node.parts[0]);
  for (size_t i = 1; i < node.parts.size(); ++i) text += " " + node.signs[i - 1] + " " + to_string(*node.parts[i]);
  return text;
}

std::string matrix_text(const Node& node) {
  const auto columns = static_cast<size_t>(node.value.to_integer().value_or(1));
  std::string text = "[";
  for (size_t i = 0; i < node.parts.size(); ++i) text += (i == 0 ? "" : i % columns == 0 ? "; " : ", ") + to_string(*node.parts[i]);
  return text + "]";
}

std::string holder_text(const Node& node) {
  switch (node.kind) {
    case Kind::kQuantity:
      return within(*node.parts[0], 3) + " " + node.name;
    case Kind::kBased:
      return node.name + "_" + node.value.to_string();
    case Kind::kTuple:
      if (node.name == "::") return joined(node.parts, ":");
      return node.name.substr(0, 1) + joined(node.parts, ", ") + node.name.substr(1);
    case Kind::kSet:
      return "{" + joined(node.parts, ", ") + "}";
    case Kind::kList:
      return joined(node.parts, node.name == "," ? ", " : " " + node.name + " ");
    case Kind::kMatrix:
      return matrix_text(node);
    case Kind::kUnion:
      return joined(node.parts, " union ");
    case Kind::kIntersection:
      return joined(node.parts, " intersection ");
    case Kind::kWithout:
      return joined(node.parts, " without ");
    case Kind::kRelation:
      return relation_text(node);
    case Kind::kMember:
      return joined(node.parts, " in ");
    case Kind::kSuchThat:
      return "{" + joined(node.parts, " | ") + "}";
    default:
      return node.name;
  }
}

}  // namespace

std::string to_string(const Node& node) {
  switch (node.kind) {
    case Kind::kNumber:
      return node.value.to_string();
    case Kind::kLetter:
    case Kind::kConstant:
    case Kind::kNamedSet:
      return node.name;
    case Kind::kText:
      return "'" + node.name + "'";
    case Kind::kNegate:
      return "-" + within(*node.parts[0], 2);
    case Kind::kPlusMinus:
      return (node.name == "pm" ? "+-" : "-+") + within(*node.parts[0], 2);
    case Kind::kAdd:
      return sum_text(node);
    case Kind::kMultiply:
      return product_text(node);
    case Kind::kDivide:
      return within(*node.parts[0], 1) + "/" + within(*node.parts[1], 1);
    case Kind::kPower:
      return within(*node.parts[0], 0) + "^" + within(*node.parts[1], 0);
    case Kind::kRoot:
      return "root(" + joined(node.parts, ", ") + ")";
    case Kind::kFactorial:
      return within(*node.parts[0], 0) + "!";
    case Kind::kBinomial:
      return "binom(" + joined(node.parts, ", ") + ")";
    case Kind::kFunction:
      return node.name + "(" + joined(node.parts, ", ") + ")";
    case Kind::kLog:
      return "log(" + joined(node.parts, ", ") + ")";
    case Kind::kDegrees:
      return within(*node.parts[0], 0) + " degree";
    case Kind::kPercent:
      return within(*node.parts[0], 0) + "%";
    case Kind::kSum:
    case Kind::kProduct:
      return (node.kind == Kind::kSum ? "sum(" : "product(") + node.name + ", " + joined(node.parts, ", ") + ")";
    default:
      return holder_text(node);
  }
}

}  // namespace grpo

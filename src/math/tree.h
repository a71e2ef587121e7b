#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "grpo/math/rational.h"

namespace grpo {

struct Node;
using NodePtr = std::shared_ptr<const Node>;

/// A part of an answer. Values are made of values; the others hold or relate them.
struct Node {
  enum class Kind {
    // values
    kNumber,     // value
    kLetter,     // name: "x", "alpha", "x_1"
    kConstant,   // name: "pi", "e", "i", "infinity"
    kNegate,     // −a
    kPlusMinus,  // name "pm" or "mp": ±a, ∓a
    kAdd,        // a + b + …
    kMultiply,   // a · b · …
    kDivide,     // a / b
    kPower,      // a ^ b
    kRoot,       // a ^ (1/b)
    kFactorial,  // a!
    kBinomial,   // a over b
    kFunction,   // name: of a, or of several for gcd, lcm, max, min
    kLog,        // of a to the base b, or of a alone: to base ten or e
    kDegrees,    // a°
    kPercent,    // a %
    kSum,        // name: the letter that runs; from a to b, of c
    kProduct,
    // holders
    kQuantity,      // a with the unit `name`
    kBased,         // name: the digits; value: the base they are written in
    kTuple,         // name: its brackets, "()", "[)", "<>"; two parts may be an interval
    kSet,           // {a, b, …}
    kList,          // a, b, …; name: what stands between them, ",", "and", "or"
    kMatrix,        // row by row; value: its columns
    kNamedSet,      // name: "reals", "integers", …, "empty"
    kUnion,         // a ∪ b
    kIntersection,  // a ∩ b
    kWithout,       // a ∖ b
    kRelation,      // a = b < c …: `signs` between them
    kMember,        // a ∈ b
    kSuchThat,      // {a | b}
    kText,          // name: words
  };
  Kind kind = Kind::kNumber;
  std::vector<NodePtr> parts;
  std::string name;
  Rational value;
  std::vector<std::string> signs;
};

inline NodePtr make_node(Node::Kind kind, std::vector<NodePtr> parts, std::string name = {}) {
  return std::make_shared<const Node>(Node{kind, std::move(parts), std::move(name), {}, {}});
}
inline NodePtr number_node(Rational value) { return std::make_shared<const Node>(Node{Node::Kind::kNumber, {}, {}, std::move(value), {}}); }

/// The tree in plain notation, for people: "3/4*pi", "(-infinity, 2] union {5}".
std::string to_string(const Node& node);

}  // namespace grpo

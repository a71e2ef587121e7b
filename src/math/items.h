#pragma once

#include <optional>
#include <string>
#include <vector>

#include "math/tree.h"

namespace grpo {

/// One of the things that an answer lists: ±3 lists two, each with the sign that ± has in it.
struct Item {
  NodePtr tree;
  int sign = 1;
  std::string name;  // of the unknown it is the value of: "x" in x = 3; may be empty
};

struct Items {
  std::vector<Item> items;
  bool is_set = false;  // in braces: a thing named twice counts once
};

inline constexpr size_t kMaxItems = 64;

/// What an answer lists; the answer itself if it is no list. Nothing for more than `kMaxItems`.
std::optional<Items> items_of(const NodePtr& tree);

/// What an equation says of an unknown.
struct Assignment {
  std::string name;             // "x", "f(x)", "(x, y)"
  bool is_function = false;     // "f(x)", "P": the value may go by other names
  std::vector<NodePtr> values;  // all that it is equal to, in order: x = 2 + 3 = 5 has two
  NodePtr unknown;
};

/// x = 5, 5 = x, f(x) = 2x, (x, y) = (1, 2), and 3 · 4 = 12, whose unknown is null. Nothing for other equations, such as x + y = 1 and
/// x = x + 1.
std::optional<Assignment> assignment(const Node& node);

/// An answer's part without its unit, and the unit.
struct WithoutUnit {
  NodePtr tree;
  std::optional<std::string> unit;
};
WithoutUnit without_unit(const NodePtr& tree);

}  // namespace grpo

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "math/number.h"
#include "math/tree.h"

namespace grpo {

/// How many points expressions with letters are compared at. All letters are above 0 at the first half; at the others any may be below.
inline constexpr int kPoints = 6;

/// Where and how a tree is given a value.
struct Place {
  int point = 0;         // of `kPoints`; each letter has a value of its own there, the same in every tree
  int sign = 1;          // that of ±; ∓ has the other
  bool natural = false;  // what a logarithm without a base means: to base e, else ten
};

/// What the numbers on the way to a value were like.
struct Trace {
  bool real = true;   // all of them
  bool exact = true;  // likewise
  int64_t bits = 0;   // the most that one had, or its exponent to base two, whichever is larger in size
};

/// The tree's value at a place; undefined where it has none, for trees that are no values, and once the budget is spent. A trace is added
/// to if one is given.
Number evaluate(const Node& node, const Place& place, const Arithmetic& arithmetic, Trace* trace = nullptr);

/// The letters of a tree, each once, in order.
std::vector<std::string> letters_of(const Node& node);

/// Whether a node of this kind is anywhere in the tree.
bool holds_kind(const Node& node, Node::Kind kind);

/// Whether the tree is a value: made of numbers, letters, and operations on them.
bool is_value(const Node& node);

/// How many bits the numbers of a tree have, all together: what a coincidence is measured by.
int64_t bits_of(const Node& node);

}  // namespace grpo

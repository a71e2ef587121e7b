#include "math/items.h"

#include <algorithm>
#include <utility>

#include "math/evaluate.h"
#include "math/units.h"

namespace grpo {
namespace {

using Kind = Node::Kind;

/// A function's letter with what it is of: f(x), g^{-1}(2), P(A), a_n as a letter of its own.
bool is_application(const Node& node) {
  if (node.kind != Kind::kMultiply || node.parts.size() != 2) return false;
  const Node& head = node.parts[0]->kind == Kind::kPower ? *node.parts[0]->parts[0] : *node.parts[0];
  if (head.kind != Kind::kLetter || head.name.size() > 2) return false;
  static constexpr std::string_view kFunctionLetters = "fghpqFGHPQTSVA";
  return kFunctionLetters.find(head.name[0]) != std::string_view::npos;
}

/// Something that is asked for: a letter, a length AB, a function's value, a point, "area".
bool is_unknown(const Node& node) {
  switch (node.kind) {
    case Kind::kLetter:
      return true;
    case Kind::kText:
      return !is_small_word(node.name);
    case Kind::kTuple:
      return std::ranges::all_of(node.parts, [](const NodePtr& part) { return part->kind == Kind::kLetter; });
    case Kind::kMultiply: {
      const auto capital = [](const NodePtr& part) {
        return part->kind == Kind::kLetter && part->name.size() == 1 && part->name[0] >= 'A' && part->name[0] <= 'Z';
      };
      return is_application(node) || std::ranges::all_of(node.parts, capital);
    }
    default:
      return false;
  }
}

bool share_a_letter(const Node& a, const Node& b) {
  const auto letters = letters_of(a), others = letters_of(b);
  return std::ranges::any_of(letters, [&](const std::string& letter) { return std::ranges::find(others, letter) != others.end(); });
}

bool add_items(const NodePtr& tree, const std::string& name, Items& out);

bool add_parts(const Node& node, const std::string& name, Items& out) {
  return std::ranges::all_of(node.parts, [&](const NodePtr& part) { return add_items(part, name, out); });
}

bool add_items(const NodePtr& tree, const std::string& name, Items& out) {
  if (out.items.size() >= kMaxItems) return false;
  if (tree->kind == Kind::kList || (tree->kind == Kind::kTuple && tree->name == "[]" && tree->parts.size() > 2)) {
    return add_parts(*tree, name, out);
  }
  if (tree->kind == Kind::kSet) {
    out.is_set = true;
    return add_parts(*tree, name, out);
  }
  if (tree->kind == Kind::kMember && tree->parts[0]->kind == Kind::kLetter && tree->parts[1]->kind == Kind::kSet) {
    return add_items(tree->parts[1], tree->parts[0]->name, out);
  }
  const auto equation = assignment(*tree);
  const bool lists = equation && equation->unknown && equation->values.size() == 1 &&
                     (equation->values[0]->kind == Kind::kSet || equation->unknown->kind == Kind::kLetter) && name.empty();
  const bool point = equation && equation->unknown && equation->unknown->kind == Kind::kTuple;
  if (lists) return add_items(equation->values[0], equation->name, out);
  if (point && equation->values.back()->kind == Kind::kTuple && equation->values.size() == 1 &&
      equation->unknown->parts.size() == equation->values[0]->parts.size()) {
    out.items.push_back({equation->values[0], 1, equation->name});
    return true;
  }
  out.items.push_back({tree, 1, name});
  if (holds_kind(*tree, Kind::kPlusMinus)) out.items.push_back({tree, -1, name});
  return true;
}

}  // namespace

std::optional<Items> items_of(const NodePtr& tree) {
  Items items;
  if (!add_items(tree, "", items) || items.items.size() > kMaxItems) return std::nullopt;
  // "x = 1, 2": the name counts for all that follow
  std::string name;
  for (Item& item : items.items) {
    if (item.name.empty()) item.name = name;
    name = item.name;
  }
  return items;
}

std::optional<Assignment> assignment(const Node& node) {
  if (node.kind != Kind::kRelation) return std::nullopt;
  if (std::ranges::any_of(node.signs, [](const std::string& sign) { return sign != "="; })) return std::nullopt;
  const bool first = is_unknown(*node.parts.front()), last = is_unknown(*node.parts.back());
  const bool numbers = std::ranges::all_of(node.parts, [](const NodePtr& part) { return is_value(*part) && letters_of(*part).empty(); });
  if (numbers) return Assignment{"", true, node.parts, nullptr};
  if (!first && !(last && node.parts.size() == 2)) return std::nullopt;
  const NodePtr& unknown = first ? node.parts.front() : node.parts.back();
  Assignment result{to_string(*unknown), is_application(*unknown) || unknown->kind == Kind::kText, {}, unknown};
  for (const NodePtr& part : node.parts) {
    if (part == unknown) continue;
    if (!is_application(*unknown) && share_a_letter(*unknown, *part)) return std::nullopt;
    result.values.push_back(part);
  }
  return result;
}

WithoutUnit without_unit(const NodePtr& tree) {
  if (tree->kind != Kind::kQuantity) return {tree, std::nullopt};
  return {tree->parts[0], tree->name};
}

}  // namespace grpo

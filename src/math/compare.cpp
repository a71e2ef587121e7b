#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "grpo/data/strings.h"
#include "math/evaluate.h"
#include "math/items.h"
#include "math/latex.h"
#include "math/reading.h"
#include "math/real_set.h"
#include "math/units.h"

namespace grpo {
namespace {

using Kind = Node::Kind;

constexpr int64_t kFirstBits = 128;    // enough to tell most different values apart
constexpr int64_t kSpareBits = 256;    // beyond those that the numbers of both answers need
constexpr int64_t kMostBits = 16'384;  // of balls; where they need more nothing is told

std::string normal_words(const Node& text) {
  std::string plain = lower_case(text.name);
  std::ranges::replace_if(
      plain, [](char c) { return c == ',' || c == '.' || c == '-'; }, ' ');
  return collapse_white_space(plain);
}

/// Works out whether two trees say the same; `sign` is what ± stands for in each.
class Comparison {
 public:
  Comparison(const MathOptions& options, const Node& gold, const Node& given)
      : options_(options), gold_(gold), given_(given), budget_(kMaxSteps) {}

  Relation answers(const NodePtr& gold, const NodePtr& given);
  int64_t steps() const { return budget_.used(); }
  const std::string& reason() const { return reason_; }

 private:
  struct Side {
    NodePtr tree;
    int sign = 1;
    Side part(size_t i) const { return {tree->parts[i], sign}; }
    Side with(NodePtr other) const { return {std::move(other), sign}; }
  };

  Relation different(std::string why) {
    if (reason_.empty()) reason_ = std::move(why);
    return Relation::kDifferent;
  }

  Relation lists(const Items& gold, const Items& given);
  std::optional<Relation> by_name(const Items& gold, const Items& given);
  Relation items(const Item& a, const Item& b);
  Relation trees(Side a, Side b);
  Relation without_units(const Side& a, const Side& b);
  Relation holders(const Side& a, const Side& b);
  Relation sets(const Side& a, const Side& b);
  Relation parts(const Side& a, const Side& b);
  Relation equations(const Side& a, const Side& b);
  Relation assigned(const Assignment& a, const Side& of_a, const Assignment& b, const Side& of_b);
  std::optional<NodePtr> value_of(const Assignment& assignment, const Side& side);
  Relation proportional(const Side& a, const Side& b);
  Relation values(const Side& a, const Side& b);
  Relation values_read(const Side& a, const Side& b, bool natural, int points);
  std::optional<Relation> at_point(const Side& a, const Side& b, const Place& place, const Arithmetic& arithmetic, Trace& trace);
  int64_t precise_bits();
  void add_trace(const Node& node, Trace& trace);
  bool within_tolerance(const Side& a, const Side& b);

  const MathOptions& options_;
  const Node &gold_, &given_;
  Budget budget_;
  int64_t precise_bits_ = 0;  // 0: not known yet
  std::string reason_;
};

// --- lists

Relation Comparison::answers(const NodePtr& gold, const NodePtr& given) {
  if (looks_like_real_set(*gold) || looks_like_real_set(*given)) return trees({gold}, {given});
  const auto a = items_of(gold), b = items_of(given);
  if (!a || !b) return Relation::kUndecided;
  if (a->items.size() == 1 && b->items.size() == 1) {
    const auto bare = [](const NodePtr& tree, const Items& items) {  // {5} is 5
      return tree->kind == Kind::kSet || tree->kind == Kind::kMember ? items.items[0].tree : tree;
    };
    return trees({bare(gold, *a)}, {bare(given, *b)});
  }
  return lists(*a, *b);
}

Relation Comparison::items(const Item& a, const Item& b) {
  if (!a.name.empty() && !b.name.empty() && a.name != b.name) return Relation::kDifferent;
  return trees({a.tree, a.sign}, {b.tree, b.sign});
}

/// Unknowns of several names, a = 1, b = 2: compared by name; a point gives them in the order of the alphabet.
std::optional<Relation> Comparison::by_name(const Items& gold, const Items& given) {
  const auto several = [](const Items& list) {
    return std::ranges::any_of(list.items, [&](const Item& item) { return item.name != list.items.front().name; });
  };
  const bool named_gold = several(gold), named_given = several(given);
  if (!named_gold && !named_given) return std::nullopt;
  const auto point = [](const Items& list) {
    return list.items.size() == 1 && list.items[0].tree->kind == Kind::kTuple && list.items[0].tree->name == "()";
  };
  if (named_gold != named_given) {
    const Items &named = named_gold ? gold : given, &other = named_gold ? given : gold;
    if (!point(other) || other.items[0].tree->parts.size() != named.items.size()) return different("unknowns without their names");
    std::vector<Item> ordered = named.items;
    std::ranges::sort(ordered, {}, &Item::name);
    for (size_t i = 0; i < ordered.size(); ++i) {
      if (i > 0 && ordered[i].name == ordered[i - 1].name) return Relation::kDifferent;
      const Relation relation = trees({ordered[i].tree, ordered[i].sign}, {other.items[0].tree->parts[i], 1});
      if (relation != Relation::kEqual) return relation;
    }
    return Relation::kEqual;
  }
  return std::nullopt;
}

Relation Comparison::lists(const Items& gold, const Items& given) {
  if (const auto relation = by_name(gold, given)) return *relation;
  std::vector<bool> used(given.items.size(), false);
  bool undecided = false;
  for (const Item& wanted : gold.items) {
    bool found = false;
    for (size_t i = 0; i < given.items.size(); ++i) {
      if (used[i] && !gold.is_set) continue;
      const Relation relation = items(wanted, given.items[i]);
      undecided = undecided || relation == Relation::kUndecided;
      if (relation != Relation::kEqual) continue;
      used[i] = found = true;
      if (!given.is_set) break;
    }
    if (!found) return undecided ? Relation::kUndecided : different("'" + to_string(*wanted.tree) + "' is missing");
  }
  for (size_t i = 0; i < given.items.size(); ++i) {
    if (used[i]) continue;
    const bool again = given.is_set && std::ranges::any_of(gold.items, [&](const Item& wanted) {
                         return items(wanted, given.items[i]) == Relation::kEqual;
                       });
    if (!again) return different("'" + to_string(*given.items[i].tree) + "' is too much");
  }
  return Relation::kEqual;
}

// --- one against one

Relation Comparison::trees(Side a, Side b) {
  const WithoutUnit x = without_unit(a.tree), y = without_unit(b.tree);
  if (!x.unit && !y.unit) return without_units(a, b);
  if (x.unit && y.unit && *x.unit != *y.unit) return different("different units");
  Side bare_a = a.with(x.tree), bare_b = b.with(y.tree);
  if (x.unit.has_value() != y.unit.has_value()) {
    // "5 m" without \text is read as a product
    Side& other = x.unit ? bare_b : bare_a;
    const std::string& unit = x.unit ? *x.unit : *y.unit;
    const Node& tree = *other.tree;
    const bool product = tree.kind == Kind::kMultiply && tree.parts.back()->kind == Kind::kLetter;
    const auto letter = product ? unit_name({{tree.parts.back()->name, 1}}) : std::nullopt;
    if (letter && *letter == unit) {
      std::vector<NodePtr> rest(tree.parts.begin(), tree.parts.end() - 1);
      other.tree = rest.size() == 1 ? rest[0] : make_node(Kind::kMultiply, std::move(rest));
    } else if (options_.units == UnitRule::kRequired) {
      return different("a unit is missing");
    }
  }
  return without_units(bare_a, bare_b);
}

Relation Comparison::without_units(const Side& a, const Side& b) {
  const Node &x = *a.tree, &y = *b.tree;
  if (x.kind == Kind::kText || y.kind == Kind::kText) {
    if (x.kind == y.kind) return normal_words(x) == normal_words(y) ? Relation::kEqual : different("different words");
    return different("words against mathematics");
  }
  if (x.kind == Kind::kBased || y.kind == Kind::kBased) {
    const auto digits = [](const Node& node) { return node.name.substr(std::min(node.name.find_first_not_of('0'), node.name.size() - 1)); };
    const bool same = x.kind == y.kind && x.value == y.value && digits(x) == digits(y);
    return same ? Relation::kEqual : different("not the same digits in the same base");
  }
  if (is_value(x) && is_value(y)) return values(a, b);
  if (looks_like_real_set(x) || looks_like_real_set(y)) return sets(a, b);
  if (x.kind == Kind::kRelation || y.kind == Kind::kRelation) return equations(a, b);
  return holders(a, b);
}

Relation Comparison::holders(const Side& a, const Side& b) {
  const Node &x = *a.tree, &y = *b.tree;
  const auto is_list = [](const Node& node) { return node.kind == Kind::kSet || node.kind == Kind::kList; };
  if (is_list(x) || is_list(y)) {
    const auto list = items_of(a.tree), other = items_of(b.tree);
    return list && other ? lists(*list, *other) : Relation::kUndecided;
  }
  const auto vector = [](const Node& node) {
    return node.kind == Kind::kMatrix && (node.value == Rational(1) || node.value == Rational(static_cast<int64_t>(node.parts.size())));
  };
  if (x.kind == Kind::kMatrix && y.kind == Kind::kMatrix)
    return x.value == y.value ? parts(a, b) : different("matrices of different shape");
  if (x.name == "::" && y.name == "::" && x.parts.size() == y.parts.size()) {  // ratios
    for (size_t i = 1; i < x.parts.size(); ++i) {
      const auto to_first = [i](const Side& side) {
        return side.with(make_node(Kind::kDivide, {side.tree->parts[i], side.tree->parts[0]}));
      };
      if (const Relation relation = trees(to_first(a), to_first(b)); relation != Relation::kEqual) return relation;
    }
    return Relation::kEqual;
  }
  const auto tuple = [](const Node& node) { return node.kind == Kind::kTuple && node.name != "::"; };
  const auto row = [&](const Node& node) { return tuple(node) && node.name != "[]"; };
  if ((tuple(x) && tuple(y)) || (vector(x) && row(y)) || (row(x) && vector(y))) return parts(a, b);
  return different("a " + std::string(is_value(x) || is_value(y) ? "value" : "thing") + " against something else");
}

Relation Comparison::parts(const Side& a, const Side& b) {
  if (a.tree->parts.size() != b.tree->parts.size()) return different("not as many parts");
  for (size_t i = 0; i < a.tree->parts.size(); ++i) {
    const Relation relation = trees(a.part(i), b.part(i));
    if (relation != Relation::kEqual) return relation;
  }
  return Relation::kEqual;
}

Relation Comparison::sets(const Side& a, const Side& b) {
  if (precise_bits() > kMostBits) return Relation::kUndecided;
  const Arithmetic arithmetic(precise_bits(), budget_);
  const auto x = real_set(*a.tree, arithmetic), y = real_set(*b.tree, arithmetic);
  if (x && y) return compare(*x, *y, arithmetic) == Relation::kEqual ? Relation::kEqual : different("different sets");
  if (x || y) return different("a set against something else");
  if (a.tree->kind == Kind::kRelation && b.tree->kind == Kind::kRelation) return proportional(a, b);
  if (a.tree->kind != b.tree->kind || a.tree->name != b.tree->name) return different("different sets");
  return parts(a, b);
}

// --- equations

/// The last value of an equation, whose others must equal it: x = 2 + 3 = 5.
std::optional<NodePtr> Comparison::value_of(const Assignment& assignment, const Side& side) {
  for (const NodePtr& value : assignment.values)
    if (value != assignment.values.back() && trees(side.with(value), side.with(assignment.values.back())) != Relation::kEqual)
      return std::nullopt;
  return assignment.values.back();
}

Relation Comparison::assigned(const Assignment& a, const Side& of_a, const Assignment& b, const Side& of_b) {
  const auto x = value_of(a, of_a), y = value_of(b, of_b);
  if (!x || !y) return different("an equation contradicts itself");
  if (a.name == b.name || a.is_function || b.is_function) return trees(of_a.with(*x), of_b.with(*y));
  const bool free = is_value(**x) && is_value(**y) && !letters_of(**x).empty() && !letters_of(**y).empty();
  return free ? proportional(of_a, of_b) : different("different unknowns");
}

Relation Comparison::equations(const Side& a, const Side& b) {
  const auto x = assignment(*a.tree), y = assignment(*b.tree);
  if (x && y) return assigned(*x, a, *y, b);
  const bool both = a.tree->kind == Kind::kRelation && b.tree->kind == Kind::kRelation;
  if (both) {
    // an equation that is only an equation is no solution: else the problem's own would be an answer
    const auto solved = [](const std::optional<Assignment>& one) {
      return one && (!is_value(*one->values.back()) || letters_of(*one->values.back()).empty());
    };
    return solved(x) || solved(y) ? different("an equation that is not solved") : proportional(a, b);
  }
  if (!x && !y) return different("an equation against something else");
  const auto value = x ? value_of(*x, a) : value_of(*y, b);
  if (!value) return different("an equation contradicts itself");
  return x ? trees(a.with(*value), b) : trees(a, b.with(*value));
}

/// Whether two equations or inequalities are the same but for a factor: left − right of one is a multiple of the other's.
Relation Comparison::proportional(const Side& a, const Side& b) {
  const Node &x = *a.tree, &y = *b.tree;
  if (x.parts.size() != 2 || y.parts.size() != 2) {
    return x.parts.size() == y.parts.size() && x.signs == y.signs ? parts(a, b) : different("different relations");
  }
  for (const NodePtr& side : {x.parts[0], x.parts[1], y.parts[0], y.parts[1]})
    if (!is_value(*side)) return different("different relations");
  if (letters_of(x) != letters_of(y)) return different("different letters");
  if (precise_bits() > kMostBits) return Relation::kUndecided;
  const Arithmetic arithmetic(precise_bits(), budget_);
  std::optional<std::pair<Number, Number>> first;
  int sign = 0, compared = 0;
  for (int point = 0; point < kPoints; ++point) {
    const Place place{point, 1, false};
    const auto gap = [&](const Node& node) {
      return arithmetic.subtract(evaluate(*node.parts[0], place, arithmetic), evaluate(*node.parts[1], place, arithmetic));
    };
    const Number f = gap(x), g = gap(y);
    if (!f.defined() || !g.defined()) continue;
    const Number zero = Number::of(Rational(0));
    if (arithmetic.compare(f, zero) != Relation::kDifferent || arithmetic.compare(g, zero) != Relation::kDifferent) continue;
    if (!first) {
      first = {f, g};
      sign = arithmetic.order(arithmetic.divide(f, g), zero).value_or(0);
      continue;
    }
    const Relation relation = arithmetic.compare(arithmetic.multiply(f, first->second), arithmetic.multiply(g, first->first));
    if (relation == Relation::kDifferent) return different("different relations");
    if (relation == Relation::kEqual) ++compared;
  }
  if (compared < 2) return Relation::kUndecided;
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kTurned = {
      {{"=", "="}, {"!=", "!="}, {"<", ">"}, {">", "<"}, {"<=", ">="}, {">=", "<="}}};
  const auto* turned = std::ranges::find(kTurned, y.signs[0], &std::pair<std::string_view, std::string_view>::first);
  const bool plain = x.signs[0] == "=" || x.signs[0] == "!=";
  const bool same = x.signs[0] == (plain || sign > 0 ? y.signs[0] : turned->second) && (plain || sign != 0);
  return same ? Relation::kEqual : different("different relations");
}

// --- values

std::optional<Relation> Comparison::at_point(const Side& a, const Side& b, const Place& place, const Arithmetic& arithmetic, Trace& trace) {
  Place of_a = place, of_b = place;
  of_a.sign = a.sign;
  of_b.sign = b.sign;
  Trace here;
  const Number x = evaluate(*a.tree, of_a, arithmetic, &here), y = evaluate(*b.tree, of_b, arithmetic, &here);
  trace.exact = trace.exact && here.exact;
  if (!x.defined() && !y.defined()) return std::nullopt;
  // where letters are below 0, roots and logarithms may be real on one side alone; that is no difference
  if (place.point >= kPoints / 2 && !here.real) return std::nullopt;
  return arithmetic.compare(x, y);
}

/// How many bits balls must have for two that touch to be equal: enough for all digits that are written, and for the largest and the
/// smallest number on the way to meet in one sum.
int64_t Comparison::precise_bits() {
  if (precise_bits_ == 0) {
    Trace trace;
    add_trace(gold_, trace);
    add_trace(given_, trace);
    precise_bits_ = kSpareBits + 4 * std::max(bits_of(gold_) + bits_of(given_), trace.bits);
  }
  return precise_bits_;
}

void Comparison::add_trace(const Node& node, Trace& trace) {
  if (!is_value(node)) {
    for (const NodePtr& part : node.parts) add_trace(*part, trace);
    return;
  }
  const Arithmetic arithmetic(kFirstBits, budget_);
  const int points = letters_of(node).empty() ? 1 : kPoints;
  for (int point = 0; point < points; ++point) {
    for (const int sign : {1, -1}) {
      if (sign < 0 && !holds_kind(node, Kind::kPlusMinus)) break;
      evaluate(node, {point, sign, false}, arithmetic, &trace);
    }
  }
}

/// In a first pass with few bits most different values are told apart, and exact ones compared for good.
Relation Comparison::values_read(const Side& a, const Side& b, bool natural, int points) {
  for (const bool first : {true, false}) {
    if (!first && precise_bits() > kMostBits) return Relation::kUndecided;
    const Arithmetic arithmetic(first ? kFirstBits : precise_bits(), budget_);
    int equal = 0;
    bool undecided = false;
    Trace trace;
    for (int point = 0; point < points; ++point) {
      const auto relation = at_point(a, b, {point, 1, natural}, arithmetic, trace);
      if (budget_.exhausted()) return Relation::kUndecided;
      if (!relation) continue;
      if (*relation == Relation::kDifferent) return Relation::kDifferent;
      if (*relation == Relation::kEqual) ++equal;
      undecided = undecided || *relation == Relation::kUndecided;
    }
    if (!first || trace.exact) return equal > 0 && !undecided ? Relation::kEqual : Relation::kUndecided;
  }
  return Relation::kUndecided;
}

Relation Comparison::values(const Side& a, const Side& b) {
  if (a.tree->kind == Kind::kNumber && b.tree->kind == Kind::kNumber) {
    if (a.tree->value == b.tree->value) return Relation::kEqual;
    return within_tolerance(a, b) ? Relation::kEqual : different("different values");
  }
  const bool letters = !letters_of(*a.tree).empty() || !letters_of(*b.tree).empty();
  const int points = letters ? kPoints : 1;
  Relation relation = values_read(a, b, false, points);
  const bool open_base = holds_kind(*a.tree, Kind::kLog) || holds_kind(*b.tree, Kind::kLog);
  if (relation == Relation::kDifferent && open_base) relation = values_read(a, b, true, points);
  if (relation == Relation::kDifferent && !letters && within_tolerance(a, b)) return Relation::kEqual;
  return relation == Relation::kDifferent ? different("different values") : relation;
}

bool Comparison::within_tolerance(const Side& a, const Side& b) {
  if (!(options_.tolerance > 0.0)) return false;
  if (precise_bits() > kMostBits) return false;
  const Arithmetic arithmetic(precise_bits(), budget_);
  const Number x = evaluate(*a.tree, {0, a.sign, false}, arithmetic), y = evaluate(*b.tree, {0, b.sign, false}, arithmetic);
  if (!Arithmetic::is_real(x) || !Arithmetic::is_real(y)) return false;
  Ball tolerance;
  arb_set_d(acb_realref(tolerance.get()), options_.tolerance);
  const Number gap = arithmetic.function("abs", arithmetic.subtract(x, y));
  const Number limit = arithmetic.multiply(arithmetic.function("abs", x), Number::of(std::move(tolerance)));
  return arithmetic.order(gap, limit).value_or(0) <= 0 && gap.defined();
}

}  // namespace

MathVerdict compare(const MathAnswer& gold, const MathAnswer& given, const MathOptions& options) {
  const Reading &a = MathAnswers::reading(gold), &b = MathAnswers::reading(given);
  if (!a.problem.empty()) return {Agreement::kGoldUnreadable, a.problem, 0};
  if (b.problem.empty() && !a.key.empty() && a.key == b.key) return {Agreement::kEqual, "written alike", 0};
  if (const char wanted = choice_of(a, true)) {
    if (const char chosen = choice_of(b, false)) {
      const bool same = wanted == chosen;
      if (same || b.key.size() <= 5)
        return {same ? Agreement::kEqual : Agreement::kDifferent, same ? "the same choice" : "another choice", 0};
    }
  }
  if (!a.words.empty() && a.words == b.words) return {Agreement::kEqual, "the same words", 0};
  if (!b.problem.empty()) return {Agreement::kUnreadable, b.problem, 0};
  if (a.tree && !b.tree && b.words.empty()) return {Agreement::kUnreadable, b.unparsed, 0};
  if (!a.tree || !b.tree) return {Agreement::kDifferent, "not written alike", 0};
  Comparison comparison(options, *a.tree, *b.tree);
  const Relation relation = comparison.answers(a.tree, b.tree);
  const int64_t steps = comparison.steps();
  if (relation == Relation::kEqual) return {Agreement::kEqual, "equal", steps};
  if (relation == Relation::kUndecided) return {Agreement::kUndecided, steps > kMaxSteps ? "too much work" : "no rule decides", steps};
  return {Agreement::kDifferent, comparison.reason(), steps};
}

}  // namespace grpo

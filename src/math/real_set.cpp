#include "math/real_set.h"

#include <algorithm>
#include <utility>

namespace grpo {
namespace {

using Kind = Node::Kind;

constexpr size_t kMaxIntervals = 64;

bool is_inequality(const Node& node) {
  return node.kind == Kind::kRelation && std::ranges::any_of(node.signs, [](const std::string& sign) { return sign != "="; });
}

bool is_infinite(const Node& node) {
  if (node.kind == Kind::kNegate) return is_infinite(*node.parts[0]);
  return node.kind == Kind::kConstant && node.name == "infinity";
}

using Maybe = std::optional<RealSet>;

class Builder {
 public:
  explicit Builder(const Arithmetic& arithmetic) : math_(arithmetic) {}

  Maybe build(const Node& node) {
    switch (node.kind) {
      case Kind::kTuple:
        return interval(node);
      case Kind::kSet:
        return points(node);
      case Kind::kNamedSet:
        if (node.name == "empty") return RealSet{};
        return node.name == "reals" ? Maybe(all()) : std::nullopt;
      case Kind::kUnion:
        return both(node, [this](Maybe a, Maybe b) { return unite(std::move(a), std::move(b)); });
      case Kind::kIntersection:
        return both(node, [this](Maybe a, Maybe b) { return intersect(std::move(a), std::move(b)); });
      case Kind::kWithout:
        return both(node, [this](Maybe a, Maybe b) { return intersect(std::move(a), complement(std::move(b))); });
      case Kind::kMember:
        return member(node);
      case Kind::kSuchThat:
        return such_that(node);
      case Kind::kRelation:
        return condition(node);
      case Kind::kList:
        return conditions(node);
      default:
        return std::nullopt;
    }
  }

  /// -1, 0, 1; nothing where it cannot be told.
  std::optional<int> order(const Number& a, const Number& b) const {
    if (const auto sign = math_.order(a, b)) return sign;
    return math_.compare(a, b) == Relation::kEqual ? std::optional(0) : std::nullopt;
  }

 private:
  static RealSet all() { return {{{Number::infinity(-1), Number::infinity(1), false, false}}, {}}; }

  std::optional<Number> end(const Node& node) const {
    if (!is_value(node) || !letters_of(node).empty()) return std::nullopt;
    Number value = evaluate(node, {}, math_);
    const bool good = value.kind == Number::Kind::kInfinity || Arithmetic::is_real(value);
    return good ? std::optional(std::move(value)) : std::nullopt;
  }

  Maybe interval(const Node& node) {
    if (node.parts.size() != 2 || node.name == "<>") return std::nullopt;
    auto low = end(*node.parts[0]), high = end(*node.parts[1]);
    if (!low || !high) return std::nullopt;
    const auto sign = order(*low, *high);
    if (!sign || *sign > 0) return std::nullopt;  // (1, -2) is a point
    return sorted({{*std::move(low), *std::move(high), node.name[0] == '[', node.name[1] == ']'}}, {});
  }

  Maybe points(const Node& node) {
    std::vector<Interval> intervals;
    for (const NodePtr& part : node.parts) {
      auto value = end(*part);
      if (!value || value->kind == Number::Kind::kInfinity) return std::nullopt;
      intervals.push_back({*value, *value, true, true});
    }
    return sorted(std::move(intervals), {});
  }

  template <class Operation>
  Maybe both(const Node& node, Operation operation) {
    Maybe a = build(*node.parts[0]);
    Maybe b = a ? build(*node.parts[1]) : std::nullopt;
    return b ? operation(std::move(a), std::move(b)) : std::nullopt;
  }

  Maybe member(const Node& node) {
    if (node.parts[0]->kind != Kind::kLetter) return std::nullopt;
    Maybe set = build(*node.parts[1]);
    if (set) set->letter = node.parts[0]->name;
    return set;
  }

  Maybe such_that(const Node& node) {
    const Node& head = *node.parts[0];
    Maybe domain = head.kind == Kind::kMember ? build(head) : head.kind == Kind::kLetter ? Maybe(all()) : std::nullopt;
    Maybe set = domain ? build(*node.parts[1]) : std::nullopt;
    set = set ? intersect(std::move(domain), std::move(set)) : std::nullopt;
    if (set) set->letter.clear();
    return set;
  }

  /// |x| < 2 and |x| > 2, or the other way round.
  Maybe size_condition(const Node& node) {
    const auto size_of_letter = [](const Node& part) {
      return part.kind == Kind::kFunction && part.name == "abs" && part.parts[0]->kind == Kind::kLetter;
    };
    const bool first = size_of_letter(*node.parts[0]);
    if (!first && !size_of_letter(*node.parts[1])) return std::nullopt;
    const std::string& sign = node.signs[0];
    auto limit = end(*node.parts[first ? 1 : 0]);
    if (!limit || limit->kind == Number::Kind::kInfinity || sign == "=" || sign == "!=") return std::nullopt;
    if (order(*limit, Number::of(Rational(0))) != 1) return std::nullopt;
    const bool closed = sign.size() == 2, inside = (sign[0] == '<') == first;
    RealSet set{{{math_.negate(*limit), *limit, closed == inside, closed == inside}}, {}};
    Maybe result = inside ? sorted(std::move(set.intervals), "") : complement(std::move(set));
    if (result) result->letter = node.parts[first ? 0 : 1]->parts[0]->name;
    return result;
  }

  /// x > 3, 1 < x <= 5, x != 2, x = 4: one letter against numbers.
  Maybe condition(const Node& node) {
    if (node.parts.size() == 2) {
      if (Maybe set = size_condition(node)) return set;
    }
    std::string letter;
    for (const NodePtr& part : node.parts) {
      if (part->kind != Kind::kLetter) continue;
      if (!letter.empty()) return std::nullopt;
      letter = part->name;
    }
    if (letter.empty()) return std::nullopt;
    Maybe result = all();
    for (size_t i = 0; i < node.signs.size() && result; ++i) {
      const bool letter_first = node.parts[i]->kind == Kind::kLetter;
      if (!letter_first && node.parts[i + 1]->kind != Kind::kLetter) return std::nullopt;
      auto limit = end(*node.parts[letter_first ? i + 1 : i]);
      if (!limit) return std::nullopt;
      result = intersect(std::move(result), one_condition(node.signs[i], letter_first, *std::move(limit)));
    }
    if (result) result->letter = letter;
    return result;
  }

  Maybe one_condition(const std::string& sign, bool letter_first, Number limit) {
    if (sign == "=" || sign == "!=") {
      if (limit.kind == Number::Kind::kInfinity) return std::nullopt;
      RealSet point{{{limit, limit, true, true}}, {}};
      return sign == "=" ? Maybe(std::move(point)) : complement(std::move(point));
    }
    const bool above = (sign[0] == '>') == letter_first;
    const bool closed = sign.size() == 2 && limit.kind != Number::Kind::kInfinity;
    if (above) return RealSet{{{std::move(limit), Number::infinity(1), closed, false}}, {}};
    return RealSet{{{Number::infinity(-1), std::move(limit), false, closed}}, {}};
  }

  /// Conditions side by side. A comma means "and" where one of them only takes numbers away, else "or".
  Maybe conditions(const Node& node) {
    const bool takes_away = std::ranges::any_of(node.parts, [](const NodePtr& part) {
      return part->kind == Kind::kMember || (part->kind == Kind::kRelation && std::ranges::find(part->signs, "!=") != part->signs.end());
    });
    const bool all_of_them = node.name == "and" || (node.name == "," && takes_away);
    Maybe result;
    for (const NodePtr& part : node.parts) {
      Maybe next = build(*part);
      if (!next) return std::nullopt;
      if (!result) {
        result = std::move(next);
      } else {
        result = all_of_them ? intersect(std::move(result), std::move(next)) : unite(std::move(result), std::move(next));
      }
      if (!result) return std::nullopt;
    }
    return result;
  }

  static std::optional<std::string> same_letter(const RealSet& a, const RealSet& b) {
    if (!a.letter.empty() && !b.letter.empty() && a.letter != b.letter) return std::nullopt;
    return a.letter.empty() ? b.letter : a.letter;
  }

  Maybe unite(Maybe a, Maybe b) {
    const auto letter = same_letter(*a, *b);
    if (!letter) return std::nullopt;
    a->intervals.insert(a->intervals.end(), b->intervals.begin(), b->intervals.end());
    return sorted(std::move(a->intervals), *letter);
  }

  Maybe intersect(Maybe a, Maybe b) {
    if (!a || !b) return std::nullopt;
    const auto letter = same_letter(*a, *b);
    if (!letter) return std::nullopt;
    std::vector<Interval> result;
    for (const Interval& x : a->intervals) {
      for (const Interval& y : b->intervals) {
        const auto low = order(x.low, y.low), high = order(x.high, y.high);
        if (!low || !high) return std::nullopt;
        result.push_back({*low >= 0 ? x.low : y.low, *high <= 0 ? x.high : y.high,
                          *low == 0 ? x.low_closed && y.low_closed : (*low > 0 ? x : y).low_closed,
                          *high == 0 ? x.high_closed && y.high_closed : (*high < 0 ? x : y).high_closed});
        if (result.size() > kMaxIntervals) return std::nullopt;
      }
    }
    return sorted(std::move(result), *letter);
  }

  Maybe complement(Maybe set) {
    if (!set) return std::nullopt;
    RealSet result{{}, set->letter};
    Number low = Number::infinity(-1);
    bool closed = false;
    for (const Interval& interval : set->intervals) {
      result.intervals.push_back({low, interval.low, closed, !interval.low_closed && interval.low.kind != Number::Kind::kInfinity});
      low = interval.high;
      closed = !interval.high_closed && interval.high.kind != Number::Kind::kInfinity;
    }
    result.intervals.push_back({low, Number::infinity(1), closed, false});
    return sorted(std::move(result.intervals), result.letter);
  }

  /// Without the empty ones, in order, those that meet made one.
  Maybe sorted(std::vector<Interval> intervals, std::string letter) {
    if (intervals.size() > kMaxIntervals) return std::nullopt;
    bool told = true;
    std::erase_if(intervals, [&](const Interval& interval) {
      const auto sign = order(interval.low, interval.high);
      told = told && sign;
      return sign && (*sign > 0 || (*sign == 0 && !(interval.low_closed && interval.high_closed)));
    });
    // insertion: the order of two ends may not be told, which no sorting function allows
    std::vector<Interval> ordered;
    for (Interval& interval : intervals) {
      size_t at = ordered.size();
      for (; at > 0; --at) {
        const auto sign = order(ordered[at - 1].low, interval.low);
        told = told && sign;
        if (!sign || *sign < 0 || (*sign == 0 && ordered[at - 1].low_closed)) break;
      }
      ordered.insert(ordered.begin() + static_cast<ptrdiff_t>(at), std::move(interval));
    }
    RealSet result{{}, std::move(letter)};
    for (Interval& interval : ordered) {
      if (!result.intervals.empty()) {
        Interval& last = result.intervals.back();
        const auto gap = order(last.high, interval.low), longer = order(last.high, interval.high);
        told = told && gap && longer;
        if (!told) break;
        if (*gap > 0 || (*gap == 0 && (last.high_closed || interval.low_closed))) {
          if (*longer == 0) last.high_closed = last.high_closed || interval.high_closed;
          if (*longer < 0) last.high = interval.high, last.high_closed = interval.high_closed;
          continue;
        }
      }
      result.intervals.push_back(std::move(interval));
    }
    return told ? Maybe(std::move(result)) : std::nullopt;
  }

  const Arithmetic& math_;
};

}  // namespace

std::optional<RealSet> real_set(const Node& node, const Arithmetic& arithmetic) { return Builder(arithmetic).build(node); }

bool looks_like_real_set(const Node& node) {
  switch (node.kind) {
    case Kind::kTuple:
      return node.parts.size() == 2 && node.name != "<>" &&
             (node.name != "()" || is_infinite(*node.parts[0]) || is_infinite(*node.parts[1]));
    case Kind::kUnion:
    case Kind::kIntersection:
    case Kind::kWithout:
    case Kind::kNamedSet:
    case Kind::kSuchThat:
      return true;
    case Kind::kMember:
      return looks_like_real_set(*node.parts[1]) || node.parts[1]->kind == Kind::kTuple;
    case Kind::kList:
      return std::ranges::all_of(node.parts,
                                 [](const NodePtr& part) { return part->kind == Kind::kRelation || part->kind == Kind::kMember; }) &&
             std::ranges::any_of(node.parts, [](const NodePtr& part) { return looks_like_real_set(*part); });
    default:
      return is_inequality(node);
  }
}

Relation compare(const RealSet& a, const RealSet& b, const Arithmetic& arithmetic) {
  if (!a.letter.empty() && !b.letter.empty() && a.letter != b.letter) return Relation::kDifferent;
  if (a.intervals.size() != b.intervals.size()) return Relation::kDifferent;
  const Builder builder(arithmetic);
  for (size_t i = 0; i < a.intervals.size(); ++i) {
    const Interval &x = a.intervals[i], &y = b.intervals[i];
    if (x.low_closed != y.low_closed || x.high_closed != y.high_closed) return Relation::kDifferent;
    const auto low = builder.order(x.low, y.low), high = builder.order(x.high, y.high);
    if (!low || !high) return Relation::kUndecided;
    if (*low != 0 || *high != 0) return Relation::kDifferent;
  }
  return Relation::kEqual;
}

}  // namespace grpo

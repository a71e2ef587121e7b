#include "jinja/scoping.h"

#include <array>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace grpo::jinja {
namespace {

/// Where a body's variable gets its first value from.
enum class Origin { kGiven, kUnset, kOuter, kParameter };

/// The names of a body, or of one branch of an `if` in it.
class Symbols {
 public:
  Symbols(const Symbols* parent, const Symbols* trunk) : parent_(parent), trunk_(trunk) {}
  Symbols branch() const { return {parent_, this}; }

  void load(const std::string& name) {
    if (!is_known(name)) origins_[name] = Origin::kGiven;
  }
  void declare(const std::string& name) {
    stores_.insert(name);
    origins_[name] = Origin::kParameter;
  }
  void store(const std::string& name) {
    stores_.insert(name);
    if (!is_own(name)) origins_[name] = parent_ && parent_->is_known(name) ? Origin::kOuter : Origin::kUnset;
  }

  /// Takes over what an `if`'s branches did; what they set has the value from before where another branch is taken.
  void merge(const std::array<Symbols, 3>& branches) {
    std::set<std::string> stored;
    for (const Symbols& each : branches) {
      for (const std::string& name : each.stores_) {
        if (!is_stored(name)) stored.insert(name);
      }
    }
    for (const Symbols& each : branches) {
      for (const auto& [name, origin] : each.origins_) origins_[name] = origin;
    }
    for (const std::string& name : stored) origins_[name] = parent_ && parent_->is_known(name) ? Origin::kOuter : Origin::kGiven;
    stores_.merge(stored);
  }

  std::vector<std::string> unset() const {
    std::vector<std::string> names;
    for (const auto& [name, origin] : origins_) {
      if (origin == Origin::kUnset) names.push_back(name);
    }
    return names;
  }

 private:
  bool is_own(const std::string& name) const { return origins_.contains(name) || (trunk_ && trunk_->is_own(name)); }
  bool is_known(const std::string& name) const { return is_own(name) || (parent_ && parent_->is_known(name)); }
  bool is_stored(const std::string& name) const { return stores_.contains(name) || (trunk_ && trunk_->is_stored(name)); }

  const Symbols* parent_;  // of the body around
  const Symbols* trunk_;   // what was known where the branch began
  std::map<std::string, Origin> origins_;
  std::set<std::string> stores_;
};

/// Reads one body, then those within it, which must know all of its names.
class Scoping {
 public:
  explicit Scoping(const Symbols* parent) : symbols_(parent, nullptr) {}

  std::vector<std::string> resolve(Body& body) {
    visit(body, symbols_);
    for (Statement* statement : inner_) std::visit([this](auto& node) { enter(node); }, statement->node);
    return symbols_.unset();
  }

  void declare(const Target& target) {
    if (target.parts.empty()) symbols_.declare(target.name);
    for (const Target& part : target.parts) declare(part);
  }
  void declare(const std::string& name) { symbols_.declare(name); }
  void store(const Target& target) { assign(target, symbols_); }
  void read(const Expression& node) { read(node, symbols_); }

 private:
  static void read(const Expression& node, Symbols& symbols) {
    if (node.kind == ExpressionKind::kName) symbols.load(node.name);
    for (const ExpressionPtr& operand : node.operands) read(*operand, symbols);
  }

  static void assign(const Target& target, Symbols& symbols) {
    if (!target.attribute.empty()) {
      symbols.load(target.name);
    } else if (target.parts.empty()) {
      symbols.store(target.name);
    }
    for (const Target& part : target.parts) assign(part, symbols);
  }

  void visit(Body& body, Symbols& symbols) {
    for (Statement& statement : body) {
      std::visit([&](auto& node) { visit_node(node, symbols); }, statement.node);
      inner_.push_back(&statement);
    }
  }

  void visit_node(OutputStatement& node, Symbols& symbols) { read(*node.value, symbols); }
  void visit_node(IfStatement& node, Symbols& symbols) { visit_if(node, 0, symbols); }
  void visit_node(ForStatement& node, Symbols& symbols) { read(*node.items, symbols); }
  void visit_node(SetStatement& node, Symbols& symbols) {
    read(*node.value, symbols);
    assign(node.target, symbols);
  }
  void visit_node(SetBlockStatement& node, Symbols& symbols) { assign(node.target, symbols); }
  void visit_node(MacroStatement& node, Symbols& symbols) { symbols.store(node.name); }
  void visit_node(CallStatement& node, Symbols& symbols) { read(*node.call, symbols); }
  void visit_node(FilterStatement& node, Symbols& symbols) { read(*node.filtered, symbols); }
  void visit_node(WithStatement& node, Symbols& symbols) {
    for (const SetStatement& assignment : node.assignments) read(*assignment.value, symbols);
  }
  template <typename Other>
  void visit_node(Other&, Symbols&) {}

  /// Jinja2 takes the `elif`s together for one branch.
  void visit_if(IfStatement& node, size_t first, Symbols& symbols) {
    read(*node.branches[first].first, symbols);
    std::array<Symbols, 3> branches{symbols.branch(), symbols.branch(), symbols.branch()};
    visit(node.branches[first].second, branches[0]);
    for (size_t i = first + 1; i < node.branches.size(); ++i) {
      read(*node.branches[i].first, branches[1]);
      std::array<Symbols, 3> inner{branches[1].branch(), branches[1].branch(), branches[1].branch()};
      visit(node.branches[i].second, inner[0]);
      branches[1].merge(inner);
    }
    visit(node.otherwise, branches[2]);
    symbols.merge(branches);
  }

  void enter(ForStatement& node) {
    Scoping body(&symbols_);
    body.declare("loop");
    body.declare(node.target);
    node.unset = body.resolve(node.body);
    node.otherwise_unset = Scoping(&symbols_).resolve(node.otherwise);
  }
  void enter(SetBlockStatement& node) { node.unset = Scoping(&symbols_).resolve(node.body); }
  void enter(FilterStatement& node) { node.unset = Scoping(&symbols_).resolve(node.body); }
  void enter(BlockStatement& node) { node.unset = Scoping(nullptr).resolve(node.body); }
  void enter(CallStatement& node) { enter(node.caller); }
  void enter(MacroStatement& node) {
    Scoping body(&symbols_);
    body.declare("caller");
    for (const std::string& name : node.parameters) body.declare(name);
    for (const ExpressionPtr& value : node.defaults) body.read(*value);
    node.unset = body.resolve(node.body);
  }
  void enter(WithStatement& node) {
    Scoping body(&symbols_);
    for (const SetStatement& assignment : node.assignments) body.store(assignment.target);
    node.unset = body.resolve(node.body);
  }
  template <typename Other>
  void enter(Other&) {}

  Symbols symbols_;
  std::vector<Statement*> inner_;
};

}  // namespace

void resolve_scopes(Template& parsed) { parsed.unset = Scoping(nullptr).resolve(parsed.body); }

}  // namespace grpo::jinja

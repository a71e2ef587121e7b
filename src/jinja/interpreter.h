#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "jinja/ast.h"
#include "jinja/context.h"

namespace grpo::jinja {

using Variables = std::map<std::string, Value, std::less<>>;

/// The variables of a loop iteration, macro or block, within those around it.
struct Scope {
  std::shared_ptr<Scope> parent;
  int depth = 1;
  Variables variables;
};

/// One rendering of a parsed template. Bounded: nesting, work (`Context::kBudget`) and output; beyond them it throws `Error`.
class Interpreter {
 public:
  static constexpr int kMaxDepth = 1000;                  // expressions and statements within each other, macros followed
  static constexpr size_t kMaxOutput = size_t{64} << 20;  // bytes

  explicit Interpreter(Variables variables);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  std::string render(const Template& parsed);

 private:
  using ScopePtr = std::shared_ptr<Scope>;
  enum class Flow { kNormal, kBreak, kContinue };
  class Entered;
  class Nested;

  Flow execute(const Body& body);
  Flow execute(const Statement& statement);
  Flow run(const TextStatement& statement);
  Flow run(const OutputStatement& statement);
  Flow run(const IfStatement& statement);
  Flow run(const ForStatement& statement);
  Flow run(const SetStatement& statement);
  Flow run(const SetBlockStatement& statement);
  Flow run(const MacroStatement& statement);
  Flow run(const CallStatement& statement);
  Flow run(const WithStatement& statement);
  Flow run(const FilterStatement& statement);
  Flow run(const BlockStatement& statement);
  Flow run(const BreakStatement&) { return Flow::kBreak; }
  Flow run(const ContinueStatement&) { return Flow::kContinue; }

  std::vector<Value> loop_items(const ForStatement& statement);
  /// Makes `names` undefined in the current scope, where they would be a variable or function given to the template.
  void unset(const Names& names);
  void assign(const Target& target, const Value& value);
  void write(std::string_view text);
  /// What `body` prints within `scope`.
  Value capture(const Body& body, const Names& unset_names, ScopePtr scope);
  ScopePtr child_of(const ScopePtr& parent) const;
  Value macro(const MacroStatement& statement);
  Value invoke(const MacroStatement& macro, const ScopePtr& defined_in, const Arguments& arguments);
  void bind_defaults(const MacroStatement& macro);

  Value evaluate(const Expression& node);
  Value lookup(const Expression& node);
  Value make_collection(const Expression& node);
  Value make_dict(const Expression& node);
  Value concatenate(const Expression& node);
  Value compare(const Expression& node);
  bool holds(const std::string& symbol, const Value& left, const Value& right);
  Value access(const Expression& node);
  Value apply_operator(const Expression& node);
  Value choose(const Expression& node);
  Value apply(const Expression& node);
  Arguments arguments(const Expression& node);
  Value call_with(const Expression& node, Arguments given);

  Context context_;
  std::string out_;
  const ScopePtr given_;  // the variables of the rendering
  const ScopePtr top_;    // the template's own
  ScopePtr scope_;
  int depth_ = 0;
  std::vector<ScopePtr> captured_;  // by macros; emptied at the end, as a scope holds the macros that hold it
};

}  // namespace grpo::jinja

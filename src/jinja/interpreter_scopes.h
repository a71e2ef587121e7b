#pragma once

#include <string>
#include <utility>

#include "jinja/interpreter.h"

namespace grpo::jinja {

constexpr int kMaxScopes = 200;  // within each other

/// The variable `name` as seen from `scope`; null where there is none.
inline const Value* find_variable(Context& context, const Scope* scope, const std::string& name) {
  for (; scope; scope = scope->parent.get()) {
    context.charge(1);
    const auto found = scope->variables.find(name);
    if (found != scope->variables.end()) return &found->second;
  }
  return nullptr;
}

/// Makes `scope` the current one until it is destroyed.
class Interpreter::Entered {
 public:
  Entered(Interpreter& interpreter, ScopePtr scope)
      : interpreter_(interpreter), outer_(std::exchange(interpreter.scope_, std::move(scope))) {}
  ~Entered() { interpreter_.scope_ = std::move(outer_); }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

 private:
  Interpreter& interpreter_;
  ScopePtr outer_;
};

/// Counts one level of recursion.
class Interpreter::Nested {
 public:
  explicit Nested(Interpreter& interpreter) : interpreter_(interpreter) {
    if (interpreter.depth_ == kMaxDepth) interpreter.context_.fail("the template recurses too deeply");
    ++interpreter.depth_;
  }
  ~Nested() { --interpreter_.depth_; }
  Nested(const Nested&) = delete;
  Nested& operator=(const Nested&) = delete;

 private:
  Interpreter& interpreter_;
};

/// Empties what a loop remembers when it ends, as it may hold the loop itself.
class LoopEnd {
 public:
  explicit LoopEnd(LoopMemory& memory) : memory_(memory) {}
  ~LoopEnd() {
    memory_.ended = true;
    memory_.seen.reset();
  }
  LoopEnd(const LoopEnd&) = delete;
  LoopEnd& operator=(const LoopEnd&) = delete;

 private:
  LoopMemory& memory_;
};

}  // namespace grpo::jinja

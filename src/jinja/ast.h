#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "jinja/context.h"
#include "jinja/operators.h"

namespace grpo::jinja {

enum class ExpressionKind {
  kLiteral,      // value
  kName,         // name
  kList,         // operands: items
  kTuple,        // operands: items
  kDict,         // operands: key, value, key, value, …
  kAttribute,    // operands: object; name
  kItem,         // operands: object, key
  kSlice,        // operands: object, begin, end, step
  kCall,         // operands: callee, arguments; names: of the last arguments, which are given by name
  kFilter,       // name; operands: value, arguments; names as above
  kTest,         // name; operands: value, arguments; names as above
  kNot,          // operands: value
  kNegate,       // operands: value
  kPositive,     // operands: value
  kArithmetic,   // operation; operands: left, right
  kConcat,       // operands: parts
  kCompare,      // operands: a, b, c, …; names: the operators between them
  kAnd,          // operands: left, right
  kOr,           // operands: left, right
  kConditional,  // operands: condition, value, other value
};

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Expression {
  ExpressionKind kind = ExpressionKind::kLiteral;
  Position at;
  int depth = 1;
  std::string name;
  Value value;
  Arithmetic operation = Arithmetic::kAdd;
  std::vector<ExpressionPtr> operands;
  std::vector<std::string> names;
};

/// What is assigned to: a name, `name.attribute` of a namespace, or a tuple of targets.
struct Target {
  std::string name;
  std::string attribute;
  std::vector<Target> parts;
};

struct Statement;
using Body = std::vector<Statement>;
using Names = std::vector<std::string>;  // `unset`: see resolve_scopes()

struct TextStatement {
  std::string text;
};
struct OutputStatement {
  ExpressionPtr value;
};
struct IfStatement {
  std::vector<std::pair<ExpressionPtr, Body>> branches;
  Body otherwise;
};
struct ForStatement {
  Target target;
  ExpressionPtr items;
  ExpressionPtr filter;  // may be null
  Body body;
  Body otherwise;
  Names unset = {};
  Names otherwise_unset = {};
};
struct SetStatement {
  Target target;
  ExpressionPtr value;
};
struct SetBlockStatement {
  Target target;
  Body body;
  Names unset = {};
};
struct MacroStatement {
  std::string name;
  std::vector<std::string> parameters;
  std::vector<ExpressionPtr> defaults;  // of the last parameters
  Body body;
  Names unset = {};
};
struct CallStatement {
  MacroStatement caller;
  ExpressionPtr call;  // of kind kCall
};
/// `with`, and `generation`, which assigns nothing.
struct WithStatement {
  std::vector<SetStatement> assignments;
  Body body;
  Names unset = {};
};
struct FilterStatement {
  ExpressionPtr filtered;  // filters of the name kBodyName, which is what the body prints
  Body body;
  Names unset = {};
  static constexpr const char* kBodyName = " body";  // no name of a template
};
/// `block`, which nothing can override here; only a scoped one sees the variables around it that are not the template's own.
struct BlockStatement {
  bool scoped = false;
  Body body;
  Names unset = {};
};
struct BreakStatement {};
struct ContinueStatement {};

struct Statement {
  Position at;
  std::variant<TextStatement, OutputStatement, IfStatement, ForStatement, SetStatement, SetBlockStatement, MacroStatement, CallStatement,
               WithStatement, FilterStatement, BlockStatement, BreakStatement, ContinueStatement>
      node;
};

struct Template {
  Body body;
  Names unset = {};
};

}  // namespace grpo::jinja

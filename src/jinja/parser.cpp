#include "jinja/parser.h"

#include <algorithm>
#include <set>

#include "jinja/scoping.h"

namespace grpo::jinja {
namespace {

constexpr int kMaxNesting = 200;

std::string described(const Token& token) {
  switch (token.kind) {
    case TokenKind::kEnd:
      return "the end of the template";
    case TokenKind::kText:
      return "text";
    case TokenKind::kOutputBegin:
      return "'{{'";
    case TokenKind::kOutputEnd:
      return "'}}'";
    case TokenKind::kBlockBegin:
      return "'{%'";
    case TokenKind::kBlockEnd:
      return "'%}'";
    default:
      return "'" + token.text.substr(0, 40) + "'";
  }
}

class Parser {
 public:
  explicit Parser(const std::string& source) : tokens_(tokenize(source)), expressions_(tokens_) {}

  Body run() { return body({}); }

 private:
  /// Statements up to `{%` and one of the names, which is left to be taken.
  Body body(std::initializer_list<std::string_view> ends) {
    const NestingGuard guard(depth_, tokens_.peek().at);
    Body statements;
    while (!tokens_.is(TokenKind::kEnd)) {
      const Position at = tokens_.peek().at;
      if (tokens_.is(TokenKind::kText)) {
        statements.push_back({at, TextStatement{tokens_.take().text}});
      } else if (tokens_.is(TokenKind::kOutputBegin)) {
        tokens_.take();
        statements.push_back({at, OutputStatement{expressions_.tuple(true)}});
        tokens_.expect(TokenKind::kOutputEnd, "'}}'");
      } else {
        tokens_.take();
        if (!tokens_.is(TokenKind::kName)) tokens_.unexpected("the name of a tag");
        if (std::find(ends.begin(), ends.end(), tokens_.peek().text) != ends.end()) return statements;
        statements.push_back(tag());
      }
    }
    if (ends.size() > 0) tokens_.unexpected("{% " + std::string(*(ends.end() - 1)) + " %}");
    return statements;
  }

  Body body_to(std::string_view end) {
    Body statements = body({end});
    tokens_.expect_name(end);
    return statements;
  }

  /// A body that break and continue cannot leave.
  Body closed_body(std::string_view end) {
    const int loops = loops_;
    loops_ = 0;
    Body statements = body_to(end);
    loops_ = loops;
    return statements;
  }

  void end_tag() { tokens_.expect(TokenKind::kBlockEnd, "'%}'"); }

  Statement tag() {
    const Position at = tokens_.peek().at;
    Statement statement{at, BreakStatement{}};
    if (tokens_.take_name("if")) {
      statement.node = if_tag();
    } else if (tokens_.take_name("for")) {
      statement.node = for_tag();
    } else if (tokens_.take_name("set")) {
      set_tag(statement);
    } else if (tokens_.take_name("macro")) {
      statement.node = macro_tag();
    } else if (tokens_.take_name("call")) {
      statement.node = call_tag();
    } else if (tokens_.take_name("with")) {
      statement.node = with_tag();
    } else if (tokens_.take_name("generation")) {
      end_tag();
      statement.node = WithStatement{{}, closed_body("endgeneration")};
    } else if (tokens_.take_name("filter")) {
      statement.node = filter_tag(at);
    } else if (tokens_.take_name("block")) {
      statement.node = block_tag();
    } else if (tokens_.is_name("break") || tokens_.is_name("continue")) {
      if (loops_ == 0) tokens_.unexpected("break and continue only within a loop");
      if (tokens_.take().text == "continue") statement.node = ContinueStatement{};
    } else {
      tokens_.unexpected("a known tag");
    }
    end_tag();
    return statement;
  }

  IfStatement if_tag() {
    IfStatement made;
    do {
      ExpressionPtr condition = expressions_.tuple(false);
      end_tag();
      made.branches.emplace_back(std::move(condition), body({"elif", "else", "endif"}));
    } while (tokens_.take_name("elif"));
    if (tokens_.take_name("else")) {
      end_tag();
      made.otherwise = body({"endif"});
    }
    tokens_.expect_name("endif");
    return made;
  }

  ForStatement for_tag() {
    ForStatement made;
    made.target = targets();
    tokens_.expect_name("in");
    made.items = expressions_.tuple(false);
    if (tokens_.take_name("if")) made.filter = expressions_.expression();
    if (tokens_.is_name("recursive")) tokens_.unexpected("a loop that is not recursive");
    end_tag();
    ++loops_;
    made.body = body({"else", "endfor"});
    --loops_;
    if (tokens_.take_name("else")) {
      end_tag();
      made.otherwise = body({"endfor"});
    }
    tokens_.expect_name("endfor");
    return made;
  }

  Target target() {
    const NestingGuard guard(depth_, tokens_.peek().at);
    if (tokens_.take_operator("(")) {
      Target made = targets();
      tokens_.expect_operator(")");
      return made;
    }
    static constexpr std::string_view kConstants[] = {"true", "false", "none", "True", "False", "None"};
    if (std::find(std::begin(kConstants), std::end(kConstants), tokens_.peek().text) != std::end(kConstants)) {
      tokens_.unexpected("a name that can be assigned to");
    }
    return {tokens_.take_identifier(), "", {}};
  }

  Target targets() {
    Target first = target();
    if (!tokens_.is_operator(",")) return first;
    Target made;
    made.parts.push_back(std::move(first));
    while (tokens_.take_operator(",") && (tokens_.is(TokenKind::kName) || tokens_.is_operator("(")) && !tokens_.is_name("in")) {
      made.parts.push_back(target());
    }
    return made;
  }

  void set_tag(Statement& statement) {
    Target made = targets();
    if (made.parts.empty() && tokens_.take_operator(".")) made.attribute = tokens_.take_identifier();
    if (tokens_.take_operator("=")) {
      statement.node = SetStatement{std::move(made), expressions_.tuple(true)};
    } else {
      end_tag();
      statement.node = SetBlockStatement{std::move(made), closed_body("endset")};
    }
  }

  void parameters(MacroStatement& macro) {
    tokens_.expect_operator("(");
    while (!tokens_.is_operator(")")) {
      macro.parameters.push_back(tokens_.take_identifier());
      if (tokens_.take_operator("=")) {
        macro.defaults.push_back(expressions_.expression());
      } else if (!macro.defaults.empty()) {
        tokens_.unexpected("a default, as the parameter before has one");
      }
      if (!tokens_.is_operator(")")) tokens_.expect_operator(",");
    }
    tokens_.take();
  }

  MacroStatement macro_tag() {
    MacroStatement made;
    made.name = tokens_.take_identifier();
    parameters(made);
    end_tag();
    made.body = closed_body("endmacro");
    return made;
  }

  CallStatement call_tag() {
    CallStatement made;
    made.caller.name = "caller";
    if (tokens_.is_operator("(")) parameters(made.caller);
    made.call = expressions_.unary();
    if (made.call->kind != ExpressionKind::kCall) fail_at(made.call->at, "expected a call of a macro");
    end_tag();
    made.caller.body = closed_body("endcall");
    return made;
  }

  WithStatement with_tag() {
    WithStatement made;
    while (!tokens_.is(TokenKind::kBlockEnd)) {
      Target to = target();
      tokens_.expect_operator("=");
      made.assignments.push_back({std::move(to), expressions_.expression()});
      if (!tokens_.is(TokenKind::kBlockEnd)) tokens_.expect_operator(",");
    }
    end_tag();
    made.body = body_to("endwith");
    return made;
  }

  FilterStatement filter_tag(Position at) {
    auto value = std::make_unique<Expression>();
    value->kind = ExpressionKind::kName;
    value->at = at;
    value->name = FilterStatement::kBodyName;
    FilterStatement made;
    made.filtered = expressions_.filter_chain(std::move(value));
    end_tag();
    made.body = closed_body("endfilter");
    return made;
  }

  BlockStatement block_tag() {
    if (tokens_.is(TokenKind::kName) && blocks_.contains(tokens_.peek().text)) tokens_.unexpected("a block of a new name");
    const std::string name = tokens_.take_identifier();
    blocks_.insert(name);
    BlockStatement made;
    made.scoped = tokens_.take_name("scoped");
    if (tokens_.is_name("required")) tokens_.unexpected("a block that is not required, as no template can extend this one");
    end_tag();
    made.body = closed_body("endblock");
    if (!tokens_.is(TokenKind::kBlockEnd)) tokens_.expect_name(name);
    return made;
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  std::set<std::string> blocks_;
  int depth_ = 0;
  int loops_ = 0;
};

}  // namespace

NestingGuard::NestingGuard(int& depth, Position at) : depth_(depth) {
  if (depth == kMaxNesting) fail_at(at, "the template is nested too deeply");
  ++depth;
}

Token TokenStream::take() {
  Token token = peek();
  if (next_ + 1 < tokens_.size()) ++next_;
  return token;
}

bool TokenStream::take_operator(std::string_view symbol) {
  if (!is_operator(symbol)) return false;
  take();
  return true;
}

bool TokenStream::take_name(std::string_view name) {
  if (!is_name(name)) return false;
  take();
  return true;
}

void TokenStream::expect_operator(std::string_view symbol) {
  if (!take_operator(symbol)) unexpected("'" + std::string(symbol) + "'");
}

void TokenStream::expect_name(std::string_view name) {
  if (!take_name(name)) unexpected("'" + std::string(name) + "'");
}

void TokenStream::expect(TokenKind kind, std::string_view description) {
  if (!is(kind)) unexpected(description);
  take();
}

std::string TokenStream::take_identifier() {
  if (!is(TokenKind::kName)) unexpected("a name");
  return take().text;
}

void TokenStream::unexpected(std::string_view expected) const {
  fail_at(peek().at, "expected " + std::string(expected) + "; got " + described(peek()));
}

Template parse(const std::string& source) {
  Template parsed{Parser(source).run()};
  resolve_scopes(parsed);
  return parsed;
}

}  // namespace grpo::jinja

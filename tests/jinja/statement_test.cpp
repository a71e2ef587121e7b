#include "jinja/render.h"

// Oracle: hand values from Jinja2's documented semantics.
namespace grpo::testing {
namespace {

TEST(JinjaStatement, IfTakesTheFirstTrueBranch) {
  const std::string source = "{% if a %}A{% elif b %}B{% elif c %}C{% else %}D{% endif %}";
  EXPECT_EQ(render(source, R"({"a": 1, "b": 1})"), "A");
  EXPECT_EQ(render(source, R"({"a": "", "b": [0]})"), "B");
  EXPECT_EQ(render(source, R"({"b": {}, "c": 0.5})"), "C");
  EXPECT_EQ(render(source, R"({"a": null, "b": 0, "c": false})"), "D");
}

TEST(JinjaStatement, ForRunsOverListsStringsAndKeys) {
  expect_renderings({
      {"{% for x in [1, 2] %}{{ x }};{% endfor %}", "1;2;"},
      {"{% for x in 'aé' %}{{ x }};{% endfor %}", "a;é;"},
      {"{% for k in {'b': 1, 'a': 2} %}{{ k }}{% endfor %}", "ba"},
      {"{% for k, v in {'b': 1, 'a': 2}.items() %}{{ k }}{{ v }}{% endfor %}", "b1a2"},
      {"{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123"},
      {"{% for x in 1, 2 %}{{ x }}{% endfor %}", "12"},
      {"{% for x in [] %}x{% else %}none{% endfor %}", "none"},
      {"{% for x in range(5) if x is odd %}{{ loop.index }}:{{ x }}/{{ loop.length }} {% endfor %}", "1:1/2 2:3/2 "},
  });
  expect_error("{% for x in 5 %}{% endfor %}", "'int' object is not iterable");
  expect_error("{% for a, b in [[1]] %}{% endfor %}", "expected 2 values to unpack; got 1");
}

TEST(JinjaStatement, LoopVariable) {
  expect_renderings({
      {"{% for x in 'abc' %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }} {% "
       "endfor %}",
       "1032TrueFalse 2121FalseFalse 3210FalseTrue "},
      {"{% for x in 'abc' %}{{ loop.previtem }}<{{ loop.nextitem }} {% endfor %}", "<b a<c b< "},
      {"{% for x in 'abc' %}{{ loop.cycle('x', 'y') }}{% endfor %}", "xyx"},
      {"{% for x in 'ab' %}{% for y in 'cd' %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}", "121;122;"},
  });
}

TEST(JinjaStatement, BreakAndContinue) {
  expect_renderings({
      {"{% for x in range(9) %}{% if x == 1 %}{% continue %}{% endif %}{% if x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}", "023"},
      {"{% for x in [1] %}{% break %}{% else %}no iteration ended{% endfor %}", "no iteration ended"},
  });
  expect_error("{% break %}", "within a loop");
  expect_error("{% for x in [1] %}{% macro f() %}{% continue %}{% endmacro %}{% endfor %}", "within a loop");
}

TEST(JinjaStatement, SetIsLocalToALoopIteration) {
  expect_renderings({
      {"{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}", "12121"},
      {"{% if true %}{% set x = 1 %}{% endif %}{{ x }}", "1"},
      {"{% set a, b = 1, 2 %}{{ b }}{{ a }}{% set t = 1, %}{{ t }}", "21(1,)"},
      {"{% set x %}a{{ 1 }}{% endset %}{{ x|length }}{{ x }}", "2a1"},
      {"{% with x = 5, y = 6 %}{{ x + y }}{% set x = 7 %}{% endwith %}[{{ x }}]", "11[]"},
      {"{% generation %}x{% endgeneration %}", "x"},
  });
}

TEST(JinjaStatement, NamespacesOutliveLoops) {
  expect_renderings({
      {"{% set ns = namespace(n=0) %}{% for i in [1, 2, 3] %}{% set ns.n = ns.n + i %}{% set ns.last = i %}{% endfor %}{{ ns.n }}{{ "
       "ns.last }}",
       "63"},
      {"{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns['b'] }}{{ ns.c is defined }}", "12False"},
  });
  expect_error("{% set x = {} %}{% set x.a = 1 %}", "no namespace");
}

TEST(JinjaStatement, Macros) {
  expect_renderings({
      {"{% macro f(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }};{% endmacro %}{{ f(1) }}{{ f(1, c=3) }}{{ f(b=5, a=4) }}", "121;123;454;"},
      {"{% macro f(a) %}[{{ a }}]{% endmacro %}{{ f() }}", "[]"},
      {"{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "3210"},
      {"{% macro f() %}{{ later }}{% endmacro %}{% set later = 'L' %}{{ f() }}", "L"},
      {"{% set x = 'o' %}{% macro f(x) %}{{ x }}{% set x = 'l' %}{{ x }}{% endmacro %}{{ f('i') }}{{ x }}", "ilo"},
      {"{% macro f() %}ab{% endmacro %}{{ f()|upper }}{{ f() is string }}", "ABTrue"},
  });
  expect_error("{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "takes not more than 1 argument(s)");
  expect_error("{% macro f(a) %}{% endmacro %}{{ f(b=2) }}", "no keyword argument 'b'");
  expect_error("{% macro f(a) %}{% endmacro %}{{ f(1, a=2) }}", "the argument 'a' twice");
  expect_error("{% macro f(a=1, b) %}{% endmacro %}", "expected a default");
}

TEST(JinjaStatement, CallBlocks) {
  expect_renderings({
      {"{% macro tag(t) %}<{{ t }}>{{ caller() }}</{{ t }}>{% endmacro %}{% set x = 1 %}{% call tag('b') %}in {{ x }}{% endcall %}",
       "<b>in 1</b>"},
      {"{% macro each(l) %}{% for i in l %}{{ caller(i, loop.index) }}{% endfor %}{% endmacro %}{% call(x, n) each('ab') %}{{ n }}{{ x }} "
       "{% endcall %}",
       "1a 2b "},
  });
  expect_error("{% call 5 %}{% endcall %}", "expected a call");
}

TEST(JinjaStatement, MisplacedTagsFailWithTheirPlace) {
  expect_error("a\n  {% endif %}", "line 2, column 6: expected a known tag; got 'endif'");
  expect_error("{% if true %}x", "expected {% endif %}; got the end of the template");
  expect_error("{% for x in l %}{% endif %}", "expected a known tag; got 'endif'");
  expect_error("{% include 'x' %}", "expected a known tag; got 'include'");
  expect_error("{% if %}{% endif %}", "expected an expression");
  expect_error("{% for 1 in l %}{% endfor %}", "expected a name");
  expect_error("{% set true = 1 %}", "can be assigned to");
  expect_error("{% for x in l recursive %}{% endfor %}", "not recursive");
}

TEST(JinjaStatement, RuntimeErrorsNameTheInnermostPlace) {
  expect_error("{% if true %}\n  {{ 1 +\n     (2 / 0) }}\n{% endif %}", "line 3, column 9: division by zero");
  expect_error("x {{ raise_exception('Roles must ' ~ 'alternate') }}", "column 21: Roles must alternate");
}

}  // namespace
}  // namespace grpo::testing

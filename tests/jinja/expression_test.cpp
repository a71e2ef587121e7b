#include "jinja/render.h"

// Oracle: hand values; each is what Python gives for the same expression.
namespace grpo::testing {
namespace {

TEST(JinjaExpression, Literals) {
  expect_renderings({
      {"{{ 1 }} {{ 1_000 }} {{ 0x1F }} {{ 0b11 }} {{ 0o17 }}", "1 1000 31 3 15"},
      {"{{ true }} {{ True }} {{ false }} {{ none }} {{ None }}", "True True False None None"},
      {R"({{ "a" 'b' }} {{ "\n\t\\\"\'\x41\u00e9\101\q" }})", "ab \n\t\\\"'AéA\\q"},
      {"{{ [] }} {{ [1, 'a',] }} {{ () }} {{ (1,) }} {{ (1, 2) }} {{ 1, 2 }}", "[] [1, 'a'] () (1,) (1, 2) (1, 2)"},
      {"{{ {} }} {{ {'b': 1, 'a': [none]} }} {{ {1: 2, true: 3} }}", "{} {'b': 1, 'a': [None]} {1: 3}"},
  });
}

TEST(JinjaExpression, FloatsPrintAsPython) {
  expect_renderings({{"{{ 1.0 }} {{ 0.1 + 0.2 }} {{ 1e16 }} {{ 123456789012345.0 }} {{ 1e-5 }} {{ 0.0001 }} {{ 2.5e-7 }} {{ -0.0 }}",
                      "1.0 0.30000000000000004 1e+16 123456789012345.0 1e-05 0.0001 2.5e-07 -0.0"}});
}

TEST(JinjaExpression, StringsInListsPrintAsPython) {
  expect_renderings(
      {{R"({{ ["it's", 'q"', "b'\"", "\n\t\\", "é", "\x07", "\u200b"] }})", R"(["it's", 'q"', 'b\'"', '\n\t\\', 'é', '\x07', '\u200b'])"}});
}

TEST(JinjaExpression, Arithmetic) {
  expect_renderings({
      {"{{ 7 + 2 }} {{ 7 - 2 }} {{ 7 * 2 }} {{ 7 / 2 }} {{ 4 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }}", "9 5 14 3.5 2.0 1024 0.5"},
      {"{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 // -2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }}", "3 -4 -4 1 2 -2"},
      {"{{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 1 + 0.5 }} {{ true + 1 }} {{ - 3 }} {{ +3 }}", "3.0 0.5 1.5 2 -3 3"},
      {"{{ 'a' + 'b' }} {{ 'ab' * 2 }} {{ 2 * [1] }} {{ [1] + [2] }} {{ (1,) + (2,) }}", "ab abab [1, 1] [1, 2] (1, 2)"},
      {"{{ 'x' ~ 1 ~ none ~ 2.0 ~ missing }}", "x1None2.0"},
      {"{{ '%s=%d (%05.1f) %-3s|%3s %%' % ('a', 3, 2.25, 'l', 'r') }} {{ 'n%s' % 1 }}", "a=3 (002.2) l  |  r % n1"},
  });
}

TEST(JinjaExpression, Precedence) {
  expect_renderings({
      {"{{ 1 + 2 * 3 }} {{ (1 + 2) * 3 }} {{ 2 ** 3 ** 2 }} {{ 10 - 4 - 3 }}", "7 9 64 3"},
      {"{{ 'a' ~ 1 + 2 ~ 'b' if false else 'a' ~ 1 }}", "a1"},
      {"{{ not 1 == 2 }} {{ true or false and false }} {{ not false and true }}", "True True True"},
      {"{{ [1,2]|length - 1 }} {{ -1|abs }} {{ 1 if [1]|length == 1 and 'a' is string else 2 }}", "1 1 1"},
  });
}

TEST(JinjaExpression, Comparisons) {
  expect_renderings({
      {"{{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }}",
       "True False True True True True"},
      {"{{ 1 in [1] }} {{ 2 not in [1] }} {{ 'el' in 'hello' }} {{ 'a' in {'a': 1} }} {{ 1 in missing }}", "True True True True False"},
      {"{{ [1, [2]] == [1, [2.0]] }} {{ (1,) == [1] }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }} {{ none == false }}",
       "True False True False"},
      {"{{ 1 <= 1 }} {{ 2 >= 3 }} {{ 2 != 3 }}", "True False True"},
  });
}

TEST(JinjaExpression, LogicGivesOperands) {
  expect_renderings({{"{{ '' or 'd' }} {{ 'a' and 'b' }} {{ 0 and x.y }} {{ 1 or x.y }}", "d b 0 1"},
                     {"{{ 1 if true }}|{{ 1 if false }}|{{ 'b' if 0 else 'c' if 0 else 'd' }}", "1||d"}});
}

TEST(JinjaExpression, SubscriptsAndSlices) {
  const std::string variables = R"({"l": [3, 1, 2], "s": "héllo", "d": {"a": {"b": [5]}, "items": 9}})";
  expect_renderings(
      {
          {"{{ l[0] }}{{ l[-1] }}{{ l.1 }}{{ s[1] }}{{ s[-1] }}{{ d.a.b[0] }}{{ d['a']['b'].0 }}", "321éo55"},
          {"{{ l[::-1] }} {{ l[1:] }} {{ l[:-1] }} {{ l[5:] }} {{ l[2:0:-1] }} {{ l[::2] }} {{ (1,2,3)[1:] }}",
           "[2, 1, 3] [1, 2] [3, 1] [] [2, 1] [3, 2] (2, 3)"},
          {"{{ s[1:3] }} {{ s[::-1] }} {{ s[-2:] }} {{ s[:99] }}", "él olléh lo héllo"},
          {"{{ d['items'] }} {{ d.items is callable }} {{ d['keys'] is callable }}", "9 True True"},
          {"{{ l[9] }}|{{ d.zz }}|{{ none.a }}|{{ 's'.zz }}|{{ 5[0] }}", "||||"},
      },
      variables);
}

TEST(JinjaExpression, UndefinedPrintsNothingAndIsFalse) {
  expect_renderings({{"[{{ x }}][{{ x ~ 'a' }}]{{ 1 if x else 2 }}{{ x == y }}{{ x == none }}{{ x|length }}{{ x|list }}{{ [x] }}",
                      "[][a]2TrueFalse0[][Undefined]"},
                     {"{% for a in x %}a{% else %}none{% endfor %}{{ x|default('d') }}", "noned"}});
  expect_error("{{ x.y }}", "'x' is undefined");
  expect_error("{{ x['y'] }}", "'x' is undefined");
  expect_error("{{ d.b.c }}", "'dict object' has no attribute 'b'", R"({"d": {}})");
  expect_error("{{ [1][5].x }}", "list object has no element 5");
  expect_error("{{ x + 1 }}", "'x' is undefined");
  expect_error("{{ x < 1 }}", "'x' is undefined");
  expect_error("{{ x() }}", "'x' is undefined");
  expect_error("{{ x|tojson }}", "Undefined");
}

TEST(JinjaExpression, RefusesWhatPythonRefuses) {
  expect_error("{{ 'a' + 1 }}", "unsupported operand types for +: 'str' and 'int'");
  expect_error("{{ 1 + none }}", "'int' and 'NoneType'");
  expect_error("{{ [1] + (2,) }}", "'list' and 'tuple'");
  expect_error("{{ 1 / 0 }}", "division by zero");
  expect_error("{{ 1 % 0 }}", "division by zero");
  expect_error("{{ 1 // 0.0 }}", "division by zero");
  expect_error("{{ 1 < 'a' }}", "'<' not supported between instances of 'int' and 'str'");
  expect_error("{{ 1 in 'abc' }}", "requires string as left operand");
  expect_error("{{ 1 in 5 }}", "not iterable");
  expect_error("{{ 'a'() }}", "'str' object is not callable");
  expect_error("{{ {[]: 1} }}", "unhashable type: 'list'");
  expect_error("{{ [1][::0] }}", "step cannot be zero");
  expect_error("{{ '%d' % 'a' }}", "expected a number");
  expect_error("{{ '%s %s' % 'a' }}", "not enough arguments");
}

TEST(JinjaExpression, IntegersStopAt64Bits) {
  expect_renderings({{"{{ 9223372036854775807 }} {{ -9223372036854775807 - 1 }}", "9223372036854775807 -9223372036854775808"}});
  expect_error("{{ 9223372036854775808 }}", "64 bits");
  expect_error("{{ 9223372036854775807 + 1 }}", "64 bits");
  expect_error("{{ (-9223372036854775807 - 1) // -1 }}", "64 bits");
  expect_error("{{ 2 ** 63 }}", "64 bits");
}

TEST(JinjaExpression, SyntaxErrorsSayWhere) {
  expect_error("a\n{{ 1 + }}", "line 2, column 8: expected an expression; got '}}'");
  expect_error("{{ f(a=1, 2) }}", "line 1, column 11");
  expect_error("{{ x | }}", "expected a name");
  expect_error("{{ [1 2] }}", "expected ','");
  expect_error("{{ {'a' 1} }}", "expected ':'");
  expect_error("{{ a.'b' }}", "expected a name");
  expect_error("{{ a[] }}", "expected an index or a slice");
  expect_error("{{ 1 is odd is even }}", "only one test");
  expect_error("{{ a b }}", "expected '}}'; got 'b'");
}

}  // namespace
}  // namespace grpo::testing

#include "jinja/render.h"

// Oracle: hand values from the rules of trim_blocks, lstrip_blocks and the signs '-' and '+'.
namespace grpo::testing {
namespace {

TEST(JinjaWhitespace, TextIsKeptButForOneNewlineAtTheEnd) {
  expect_renderings({{"", ""}, {"a\n", "a"}, {"a\n\n", "a\n"}, {"a\r\nb\rc", "a\nb\nc"}, {"{ % } #}", "{ % } #}"}});
}

TEST(JinjaWhitespace, BlocksTakeTheirLine) {
  expect_renderings({
      {"a\n  {% if true %}\n  b\n  {% endif %}\nc", "a\n  b\nc"},
      {"  {% set x = 1 %}\nb", "b"},
      {"a  {% set x = 1 %}\nb", "a  b"},
      {"a\n  {# note #}\nb", "a\nb"},
      {"{% set x = 1 %}\n\nb", "\nb"},
  });
}

TEST(JinjaWhitespace, OutputsKeepTheirLine) { expect_renderings({{"a\n  {{ 1 }}\nb", "a\n  1\nb"}}); }

TEST(JinjaWhitespace, MinusStripsAllAround) {
  expect_renderings({
      {"a \n {{- 1 -}} \n b", "a1b"},
      {"a \n {%- if true -%} \n b \n {%- endif -%} \n c", "abc"},
      {"a \n {#- note -#} \n b", "ab"},
      {"a\xC2\xA0{{- 1 }}", "a1"},
  });
}

TEST(JinjaWhitespace, PlusKeepsWhatTheSettingsWouldTake) {
  expect_renderings({{"a\n  {%+ if true +%}\nb{% endif %}", "a\n  \nb"}, {"{#+ note +#}\nb", "\nb"}});
}

TEST(JinjaWhitespace, RawIsNotParsed) {
  expect_renderings({
      {"{% raw %}{{ x }}{% if %}{# #}{% endraw %}", "{{ x }}{% if %}{# #}"},
      {"{%- raw -%}  {{ y }}  {%- endraw -%}  z", "{{ y }}z"},
      {"{% raw %}\na\n  {% endraw %}\nb", "\na\nb"},
  });
}

TEST(JinjaWhitespace, ABraceInsideAnExpressionDoesNotEndIt) {
  expect_renderings({{"{{ {'a': {'b': 1}}}}", "{'a': {'b': 1}}"}, {"{{ '}}' }}", "}}"}, {"{{ {'a': 1}['a'] }}", "1"}});
}

TEST(JinjaWhitespace, UnendedTagsFail) {
  expect_error("ab\n {{ 1", "line 2, column 2");
  expect_error("{% if true", "end of the template");
  expect_error("{# note", "'#}'");
  expect_error("{% raw %} x", "endraw");
  expect_error("{{ 'abc }}", "closing quote");
  expect_error("{{ 1 ) }}", "unexpected ')'");
  expect_error("{{ 1 ! 2 }}", "unexpected character '!'");
  expect_error("\xFF", "UTF-8");
}

}  // namespace
}  // namespace grpo::testing

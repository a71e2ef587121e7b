#include "jinja/render.h"

// Property: whatever a template does, rendering ends soon, with grpo::Error where it asks for too much.
namespace grpo::testing {
namespace {

std::string times(const std::string& text, int number) {
  std::string out;
  for (int i = 0; i < number; ++i) out += text;
  return out;
}

TEST(JinjaLimits, DeepNestingIsRefusedWhenParsing) {
  constexpr int kMany = 20000;
  for (const std::string& source :
       {"{{ " + times("(", kMany) + "1" + times(")", kMany) + " }}", "{{ " + times("[", kMany) + times("]", kMany) + " }}",
        "{{ " + times("not ", kMany) + "1 }}", "{{ " + times("- ", kMany) + "1 }}", "{{ 1" + times("+1", kMany) + " }}",
        "{{ a" + times(".b", kMany) + " }}", "{{ a" + times("|e", kMany) + " }}", "{{ 1" + times(" if 1", kMany) + " }}",
        "{{ " + times("1 if 0 else ", kMany) + "1 }}", times("{% if 1 %}", kMany), times("{% for x in y %}", kMany),
        "{% for " + times("(", kMany) + "x" + times(")", kMany) + " in y %}{% endfor %}"}) {
    expect_error(source, "nested too deeply");
  }
}

TEST(JinjaLimits, RecursionEnds) {
  expect_error("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recurses too deeply");
  expect_error("{% macro f(a=f()) %}{% endmacro %}{{ f() }}", "recurses too deeply");
}

TEST(JinjaLimits, LongLoopsEnd) {
  expect_error("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "more work");
}

TEST(JinjaLimits, LargeTextsAreRefusedBeforeTheyAreMade) {
  expect_error("{{ 'a' * 10000000000 }}", "too large");
  expect_error("{{ 'abc' * 4611686018427387904 }}", "too large");
  expect_error("{% set ns = namespace(s='aaaa') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "more work");
  expect_error("{{ ('a' * 1000000)|replace('a', 'b' * 1000000) }}", "more work");
  expect_error("{{ range(100000)|join('x' * 1000000) }}", "more work");
  expect_error("{{ ('a\n' * 100000)|indent(100000) }}", "more work");
  expect_error("{{ '%999999999s' % 1 }}", "too large");
  expect_error("{{ '%*s' % (999999999, 1) }}", "too large");
  expect_error("{{ '{:999999999}'.format(1) }}", "too large");
  expect_error("{{ '{:{}}'.format(1, 999999999) }}", "too large");
  expect_error("{{ 'a'.center(10000000000) }}", "more work");
  expect_error("{{ 'a'.zfill(10000000000) }}", "more work");
  expect_error("{{ '\t'.expandtabs(10000000000) }}", "more work");
  expect_error("{{ [1]|batch(10000000000, 0) }}", "more work");
  expect_error("{{ [1]|slice(10000000000) }}", "more work");
  expect_error("{% set a = 'a' * 1000000 %}{% for i in range(99) %}{{ a }}{% endfor %}", "64 MiB");
}

TEST(JinjaLimits, SharedPartsCannotMakeAValueExplode) {
  const std::string doubled =
      "{% set ns = namespace(s=[], t=[]) %}{% for i in range(90) %}{% set ns.s = [ns.s, ns.s] %}"
      "{% set ns.t = [ns.t, ns.t] %}{% endfor %}";
  expect_error(doubled + "{{ ns.s }}", "more work");
  expect_error(doubled + "{{ ns.s|tojson }}", "more work");
  expect_error(doubled + "{{ ns.s == ns.t }}", "more work");
}

TEST(JinjaLimits, ValuesCannotNestWithoutEnd) {
  const auto repeated = [](const std::string& body) {
    return "{% set ns = namespace(s=[1]) %}{% for i in range(100000) %}" + body + "{% endfor %}";
  };
  expect_error(repeated("{% set ns.s = [ns.s] %}"), "nested too deeply");
  expect_error(repeated("{% set ns.s = {'a': ns.s} %}"), "nested too deeply");
  expect_error(repeated("{% set ns.s = [ns.s.index] %}"), "nested too deeply");
  expect_error(repeated("{% for x in ns.s %}{% set ns.s = [loop] %}{% endfor %}"), "nested too deeply");
}

TEST(JinjaLimits, CyclesThroughNamespacesAndMacrosAreFreed) {
  expect_renderings({
      {"{% set ns = namespace() %}{% set ns.me = ns %}{{ ns.me.me is defined }}", "True"},
      {"{% set ns = namespace() %}{% macro f() %}x{% endmacro %}{% set ns.f = [f] %}{{ ns.f[0]() }}", "x"},
      {"{% set ns = namespace() %}{% for i in range(20000) %}{% set ns.p = namespace(p=ns.p) %}{% endfor %}y", "y"},
      {"{% set ns = namespace() %}{% macro m() %}{% set ns.c = caller %}{% endmacro %}"
       "{% for i in range(10000) %}{% set old = ns.c %}{% call m() %}{% endcall %}{% endfor %}z",
       "z"},
  });
  expect_error("{% set ns = namespace() %}{{ ns }}", "cannot be printed");
  EXPECT_EQ(render("{% for x in [1] %}{{ loop.changed(loop) }}{% endfor %}"), "True");
  expect_error("{% set ns = namespace() %}{% for x in [1] %}{% set ns.l = loop %}{% endfor %}{{ ns.l.changed(ns.l) }}", "within its loop");
}

}  // namespace
}  // namespace grpo::testing

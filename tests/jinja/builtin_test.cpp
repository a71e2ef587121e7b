#include <ctime>

#include "jinja/render.h"

// Oracle: hand values; each is what Jinja2's filter or test, or Python's method, gives.
namespace grpo::testing {
namespace {

TEST(JinjaBuiltin, TextFilters) {
  expect_renderings({
      {"{{ 'aé'|upper }} {{ 'AÉ'|lower }} {{ 'hELLO wORLD'|capitalize }} {{ \"foo-bar's (baz)\"|title }} {{ 'straße'|upper }}",
       "AÉ aé Hello world Foo-Bar's (Baz) STRASSE"},
      {"[{{ ' a b \n'|trim }}][{{ 'xyaxy'|trim('xy') }}][{{ 5|trim }}]", "[a b][a][5]"},
      {"{{ 'aXbX'|replace('X', '-') }} {{ 'aXbX'|replace('X', '-', 1) }} {{ 'ab'|replace('', '.') }} {{ 11|replace('1', '2') }}",
       "a-b- a-bX .a.b. 22"},
      {"{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb'|indent(2, true) }}|{{ 'a\n\nb'|indent(1, blank=true) }}|{{ 'a\nb'|indent('> ') }}",
       "a\n    b\n\n    c|  a\n  b|a\n \n b|a\n> b"},
      {"{{ '<a b=\"c\">&\\''|e }} {{ '<b>'|safe }} {{ 5|string ~ 'x' }} {{ '%s-%s'|format(1, 'a') }} {{ ' a  b '|wordcount }}",
       "&lt;a b=&#34;c&#34;&gt;&amp;&#39; <b> 5x 1-a 2"},
  });
}

TEST(JinjaBuiltin, SequenceFilters) {
  const std::string variables = R"({"l": [3, 1, 2], "m": [{"r": "u", "n": {"k": 2}}, {"r": "a", "n": {"k": 1}}, {"r": "u"}]})";
  expect_renderings(
      {
          {"{{ l|length }}{{ l|count }}{{ 'é'|length }}{{ {'a': 1}|length }}", "3311"},
          {"{{ l|first }}{{ l|last }}{{ 'ab'|last }}[{{ []|first }}]", "32b[]"},
          {"{{ l|join }} {{ l|join(', ') }} {{ m|join('-', attribute='r') }} {{ 'abc'|join('.') }}", "312 3, 1, 2 u-a-u a.b.c"},
          {"{{ l|sort }} {{ l|sort(reverse=true) }} {{ ['b', 'A', 'c']|sort }} {{ ['b', 'A']|sort(case_sensitive=true) }}",
           "[1, 2, 3] [3, 2, 1] ['A', 'b', 'c'] ['A', 'b']"},
          {"{{ m|sort(attribute='r')|map(attribute='r')|list }} {{ m[:2]|sort(attribute='n.k')|map(attribute='n.k')|join }}",
           "['a', 'u', 'u'] 12"},
          {"{{ {'b': 1, 'A': 3}|dictsort }} {{ {'b': 1, 'A': 3}|dictsort(by='value', reverse=true) }}",
           "[('A', 3), ('b', 1)] [('A', 3), ('b', 1)]"},
          {"{{ l|reverse|list }} {{ 'abc'|reverse }} {{ [1, 1.0, 'A', 'a', none]|unique|list }} {{ 'ab'|list }}",
           "[2, 1, 3] cba [1, 'A', None] ['a', 'b']"},
          {"{{ ['a']|map('upper')|list }} {{ m|map(attribute='n.k', default=0)|list }} {{ ['aa']|map('replace', 'a', 'b')|list }}",
           "['A'] [2, 1, 0] ['bb']"},
          {"{{ [0, 1, 2]|select|list }} {{ [0, 1]|reject|list }} {{ l|select('odd')|list }} {{ l|reject('gt', 1)|list }}",
           "[1, 2] [0] [3, 1] [1]"},
          {"{{ m|selectattr('r', 'equalto', 'u')|list|length }} {{ m|selectattr('n')|list|length }} {{ m|rejectattr('n', 'defined')|list "
           "}}",
           "2 2 [{'r': 'u'}]"},
          {"{{ l|sum }} {{ l|min }} {{ l|max }} {{ m[:2]|sum(attribute='n.k') }} {{ l|sum(start=10) }}", "6 1 3 3 16"},
          {"{{ {'a': 1}|items|list }} {{ missing|items|list }}", "[('a', 1)] []"},
      },
      variables);
}

TEST(JinjaBuiltin, ValueFilters) {
  expect_renderings({
      {"{{ x|default('d') }}{{ ''|default('e', true) }}{{ none|default('n') }}{{ 0|d(1, boolean=true) }}[{{ x|default }}]", "deNone1[]"},
      {"{{ '12'|int }} {{ ' 3.9 '|int }} {{ 'x'|int(5) }} {{ 3.9|int }} {{ 'ff'|int(0, 16) }} {{ '0x1f'|int(base=16) }} {{ none|int }} {{ "
       "true|int }}",
       "12 3 5 3 255 31 0 1"},
      {"{{ '1.5'|float }} {{ 'x'|float }} {{ 2|float }} {{ 'x'|float(1.0) }}", "1.5 0.0 2.0 1.0"},
      {"{{ -3|abs }} {{ 2.5|round }} {{ 3.14159|round(2) }} {{ 2.1|round(0, 'ceil') }} {{ 2.9|round(method='floor') }}",
       "3 2.0 3.14 3.0 2.0"},
  });
}

TEST(JinjaBuiltin, ToJsonPrintsAsPython) {
  const std::string variables = R"({"d": {"b": [1, 2.0, null, true], "a": {"x": "é\"\\\n\u0001<&>'/"}, "e": [], "f": {}}})";
  expect_renderings(
      {
          {"{{ d|tojson }}", R"({"b": [1, 2.0, null, true], "a": {"x": "é\"\\\n\u0001<&>'/"}, "e": [], "f": {}})"},
          {"{{ {'a': [1, {}], 'b': []}|tojson(indent=2) }}", "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}"},
          {"{{ {'b': 1, 'a': 2}|tojson(sort_keys=true) }} {{ [1, {'a': 2}]|tojson(separators=(',', ':')) }}",
           R"({"a": 2, "b": 1} [1,{"a":2}])"},
          {"{{ 'é😀'|tojson(ensure_ascii=true) }} {{ {1: none, true: 2.5, none: 0}|tojson }} {{ (1,)|tojson }} {{ 1e100|tojson }}",
           R"("\u00e9\ud83d\ude00" {"1": 2.5, "null": 0} [1] 1e+100)"},
      },
      variables);
  expect_error("{{ range|tojson }}", "cannot be written as JSON");
}

TEST(JinjaBuiltin, Tests) {
  const std::string variables = R"({"n": null, "s": "s", "i": 1, "f": 1.5, "t": true, "l": [], "d": {}})";
  const auto holds = [&](const std::string& test, const std::string& names) {
    std::string found;
    for (const char* name : {"n", "s", "i", "f", "t", "l", "d", "u"}) {
      if (render("{{ " + std::string(name) + " is " + test + " }}", variables) == "True") found += name;
    }
    EXPECT_EQ(found, names) << test;
  };
  holds("defined", "nsiftld");
  holds("undefined", "u");
  holds("none", "n");
  holds("string", "s");
  holds("mapping", "d");
  holds("iterable", "sldu");
  holds("sequence", "sldu");
  holds("number", "ift");
  holds("integer", "i");
  holds("float", "f");
  holds("boolean", "t");
  holds("true", "t");
  holds("false", "");
  holds("not string", "niftldu");
  expect_renderings({
      {"{{ 3 is odd }}{{ 3 is even }}{{ 6 is divisibleby 3 }}{{ 6 is divisibleby(4) }}", "TrueFalseTrueFalse"},
      {"{{ 1 is eq 1 }}{{ 1 is equalto 2 }}{{ 1 is ne 2 }}{{ 1 is lt 2 }}{{ 1 is ge(2) }}{{ 'a' is in 'abc' }}{{ 1 is sameas true }}",
       "TrueFalseTrueTrueFalseTrueFalse"},
      {"{{ 'ab' is lower }}{{ 'AB' is upper }}{{ range is callable }}{{ 'a'.upper is callable }}{{ 1 is callable }}",
       "TrueTrueTrueTrueFalse"},
  });
}

TEST(JinjaBuiltin, StringMethods) {
  expect_renderings({
      {"{{ 'a,b,,c'.split(',') }} {{ 'a,b,,c'.split(',', 1) }} {{ 'a,b,,c'.rsplit(',', maxsplit=1) }} {{ ' a  b '.split() }} {{ "
       "''.split(',') }}",
       "['a', 'b', '', 'c'] ['a', 'b,,c'] ['a,b,', 'c'] ['a', 'b'] ['']"},
      {"{{ ' a b  c '.split(none, 1) }} {{ ' a b  c '.rsplit(none, 1) }} {{ 'a\nb\r\nc\n'.splitlines() }}",
       "['a', 'b  c '] [' a b', 'c'] ['a', 'b', 'c']"},
      {"{{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }} {{ 'a'.partition('=') }}",
       "('a', '=', 'b=c') ('a=b', '=', 'c') ('a', '', '')"},
      {"[{{ ' a '.strip() }}][{{ ' a '.lstrip() }}][{{ ' a '.rstrip() }}][{{ 'xyaxy'.strip('yx') }}][{{ '\n\na\n'.lstrip('\n') }}]",
       "[a][a ][ a][a][a\n]"},
      {"{{ 'abc'.startswith('ab') }}{{ 'abc'.startswith(('x', 'a')) }}{{ 'abc'.endswith('b') }}{{ 'abc'.endswith(('b', 'c')) }}",
       "TrueTrueFalseTrue"},
      {"{{ 'aXbX'.replace('X', '-') }} {{ 'aXbX'.replace('X', '-', 1) }} {{ ', '.join(['a', 'b']) }}", "a-b- a-bX a, b"},
      {"{{ 'éab'.find('b') }} {{ 'abab'.rfind('ab') }} {{ 'a'.find('z') }} {{ 'aXa'.count('a') }} {{ 'ab'.index('b') }}", "2 2 -1 2 1"},
      {"{{ 'aB'.upper() }} {{ 'aB'.lower() }} {{ \"they're x\".title() }} {{ 'aBC'.capitalize() }}", "AB ab They'Re X Abc"},
      {"{{ 'pre-x'.removeprefix('pre-') }} {{ 'x.c'.removesuffix('.c') }} {{ 'x'.removesuffix('y') }}", "x x x"},
      {"{{ '12'.isdigit() }}{{ 'a1'.isalpha() }}{{ 'a1'.isalnum() }}{{ ' '.isspace() }}{{ 'A'.isupper() }}{{ 'a'.islower() }}{{ "
       "''.isdigit() }}",
       "TrueFalseTrueTrueTrueTrueFalse"},
  });
  expect_error("{{ 'a'.split('') }}", "separator");
  expect_error("{{ 'a'.index('b') }}", "did not find");
  expect_error("{{ 'a'.strip(1) }}", "expected the argument 'chars' as a string; got int");
  expect_error("{{ ''.join([1]) }}", "expected strings; got int");
}

TEST(JinjaBuiltin, ContainerMethods) {
  expect_renderings(
      {{"{{ d.get('a') }} {{ d.get('z') }} {{ d.get('z', 3) }} {{ d.keys()|list }} {{ d.values()|list }} {{ d.items()|list }}",
        "1 None 3 ['a', 'b'] [1, 2] [('a', 1), ('b', 2)]"},
       {"{{ [3, 1, 3].index(1) }} {{ [3, 1, 3].count(3) }}", "1 2"}},
      R"({"d": {"a": 1, "b": 2}})");
}

TEST(JinjaBuiltin, TheSandboxForbidsChangingValues) {
  for (const char* call : {"[].append(1)", "[1].pop()", "[].extend([1])", "[].insert(0, 1)", "[1].remove(1)", "[1].clear()", "[1].sort()",
                           "[1].reverse()", "{}.update({})", "{'a': 1}.pop('a')", "{}.setdefault('a', 1)", "{}.clear()", "{}.popitem()"}) {
    expect_error("{{ " + std::string(call) + " }}", "is unsafe");
  }
  EXPECT_EQ(render("{{ [].append is defined }}"), "False");
}

TEST(JinjaBuiltin, Globals) {
  expect_renderings({
      {"{{ range(3)|list }} {{ range(1, 3)|list }} {{ range(5, 0, -2)|list }} {{ range(0)|list }}", "[0, 1, 2] [1, 2] [5, 3, 1] []"},
      {"{{ dict(a=1) }} {{ dict([('x', 1)], y=2) }} {{ dict({'z': 1}) }}", "{'a': 1} {'x': 1, 'y': 2} {'z': 1}"},
  });
  expect_error("{{ range(100001) }}", "at most 100000");
  expect_error("{{ range(1, 2, 0) }}", "other than zero");
  expect_error("{{ dict([1]) }}", "not iterable");
  expect_error("{{ raise_exception('stop here') }}", "stop here");
  const int year = std::stoi(render("{{ strftime_now('%Y') }}"));
  EXPECT_GE(year, 2024);
  EXPECT_EQ(render("{{ strftime_now('at %%') }}"), "at %");
}

TEST(JinjaBuiltin, UnknownOrMisusedOnesFail) {
  expect_error("{{ 1|nope }}", "no filter named 'nope'");
  expect_error("{{ 1 is nope }}", "no test named 'nope'");
  EXPECT_EQ(render("{% if false %}{{ 1|nope }}{% endif %}"), "");
  expect_error("{{ 1|upper(2) }}", "at most 1 arguments");
  expect_error("{{ 'a'|trim(x=2) }}", "unexpected argument 'x'");
  expect_error("{{ 'a'|replace('b') }}", "expected the argument 'new'");
  expect_error("{{ 5|length }}", "has no len()");
  expect_error("{{ [1]|items }}", "expected a mapping");
  expect_error("{{ [1]|batch(0) }}", "at least 1; got 0");
  expect_error("{{ [1]|slice(0) }}", "at least 1; got 0");
  expect_error("{{ [1, 'a']|sort }}", "not supported between");
  expect_error("{{ [[1]]|unique|list }}", "unhashable");
}

}  // namespace
}  // namespace grpo::testing

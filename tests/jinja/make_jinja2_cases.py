"""Writes jinja2_cases.json: templates and what Jinja2 renders, or that it refuses them.

    pip install jinja2==3.1.6
    python tests/jinja/make_jinja2_cases.py > tests/jinja/jinja2_cases.json
"""

import json

from jinja2 import ext, sandbox

VARIABLES = {
    "v": "V",
    "big": "inf",
    "nan": "nan",
    "rows": [
        {"role": "user", "n": 2, "tag": "b", "x": None},
        {"role": "assistant", "n": 1, "tag": "B", "x": 0},
        {"role": "User", "n": 3, "tag": "a"},
        {"role": "tool", "n": 1, "tag": "a", "x": [1]},
    ],
    "d": {"name": "N", "deep": {"k": [7, 8]}, "upper": 5},
}

FILTERS = """
{{ d|attr('name') is defined }}|{{ 'ab'|attr('upper') is callable }}|{{ ('ab'|attr('upper'))() }}|{{ d|attr('missing') }}
{{ namespace(a=3)|attr('a') }}
{{ missing|attr('a') }}
{% for r, l in rows|groupby('n') %}{{ r }}{{ l|length }}{% endfor %}
{% for role, l in rows|groupby('role') %}{{ role }}:{{ l|map(attribute='n')|list }};{% endfor %}
{% for g in rows|groupby('role', case_sensitive=true) %}{{ g.grouper }}:{{ g.list|length }}{{ g[0] }};{% endfor %}
{{ rows|groupby('x', default=9)|list }}
{% for g in rows|groupby('zz', default='none') %}{{ g.grouper }}{{ g.list|length }}{% endfor %}
{{ [[1, 2], [1, 3], [0, 4]]|groupby(0)|list }}{{ []|groupby('a')|list }}
{{ [1, 2, 3]|batch(2)|list }}{{ [1, 2, 3]|batch(2, 0)|list }}{{ [1, 2]|batch(2)|list }}{{ []|batch(2)|list }}{{ 'abc'|batch(2)|list }}
{{ [1, 2, 3, 4, 5]|slice(3)|list }}{{ [1, 2, 3, 4, 5]|slice(3, '-')|list }}{{ [1]|slice(2)|list }}
{{ rows|sort(attribute='n,tag')|map(attribute='tag')|list }}
{{ '[' ~ 'ab'|center(5) ~ ']' }}{{ 'ab'|center|length }}
{{ rows|selectattr('x', 'none')|map(attribute='n')|list }}{{ rows|rejectattr('x', 'none')|map(attribute='n')|list }}
{{ rows|selectattr('x')|list|length }}{{ rows|rejectattr('x')|list|length }}{{ rows|selectattr('x', 'undefined')|list|length }}
{{ rows|selectattr('n', 'in', [1, 3])|map(attribute='n')|list }}{{ rows|rejectattr('role', 'eq', 'user')|list|length }}
{{ [none, 1, missing, '']|select('none')|list }}{{ [none, 1, '']|reject('none')|list }}{{ [0, 1, none]|select|list }}
{{ 'upper' is filter }}{{ 'nope' is filter }}{{ 'odd' is test }}{{ 'nope' is test }}{{ 'groupby' is filter }}
{{ '%(a)s-%(b)03d'|format(a='x', b=7) }}{{ '%s'|format([1]) }}
{{ 'a'|format(1, a=2) }}
"""

METHODS = r"""
[{{ 'ab'.center(5) }}][{{ 'ab'.center(5, '*') }}][{{ 'abc'.center(6, '-') }}][{{ 'a'.center(4, 'é') }}][{{ 'abc'.center(2) }}]
[{{ 'ab'.ljust(4) }}][{{ 'ab'.ljust(4, '.') }}][{{ 'ab'.rjust(4) }}][{{ 'é'.rjust(3, '0') }}]
[{{ '42'.zfill(5) }}][{{ '-42'.zfill(5) }}][{{ '+4'.zfill(4) }}][{{ 'ab'.zfill(1) }}][{{ ''.zfill(2) }}]
[{{ 'aBcÉß'.swapcase() }}][{{ 'a\tb\tcc'.expandtabs(4) }}][{{ 'a\n\tb'.expandtabs() }}][{{ 'a\tb'.expandtabs(0) }}]
{{ 'a'.center(4, 'xy') }}
{{ 'a'.zfill() }}
"""

PERCENT = r"""
{{ '%s|%r|%a|%5s|%-5s|%.2s|%5.1s' % ('é', 'é', 'é', 'ab', 'ab', 'abc', 'abc') }}
{{ '%d|%5d|%-5d|%05d|%+d|% d|%i|%u|%.3d|%05.3d' % (42, 42, 42, 42, 42, 42, 4.9, 7, 7, 7) }}
{{ '%x|%X|%o|%#x|%#X|%#o|%08x|%#08x|%x' % (255, 255, 8, 255, 255, 8, 255, 255, -255) }}
{{ '%e|%E|%f|%F|%g|%G|%.3g|%#.3g|%10.2f|%-10.2f|%010.2f|%+.1f' % (1.5, 1.5, 1.5, 1.5, 1e-7, 1e20, 2.0, 2.0, 3.14159, 3.14159, -3.14159, 2) }}
{{ '%c%c%c|%3c' % ('a', 98, 233, 'z') }}|{{ '%%|%5.1f%%' % 99.5 }}|{{ '100%%' % () }}
{{ '%(a)s %(b)5.1f %(a)r' % {'a': 'x', 'b': 2} }}|{{ 'plain' % {} }}|{{ 'plain' % [1] }}|{{ '%s' % {'a': 1} }}|{{ '%s' % [[1, 2]] }}
{{ '%*d|%-*d|%.*f' % (5, 42, 5, 42, 2, 3.14159) }}|{{ '%ld %hd' % (1, 2) }}|{{ '%s' % none }}{{ '%s' % true }}{{ '%d' % true }}
{{ '%g|%g|%g|%e' % (100000.0, 1000000.0, 0.0001, 0) }}|{{ '%.0f|%.0f|%#.0f' % (0.5, 1.5, 1.0) }}
{{ '%f' % big|float }}{{ '%5.1f' % -(big|float) }}{{ '{:f}{:5}{:g}{:05}'.format(big|float, nan|float, -(big|float), big|float) }}
{{ '%d' % 'x' }}
{{ '%x' % 1.5 }}
{{ '%s %s' % 'a' }}
{{ '%s' % ('a', 'b') }}
{{ 'a' % 1 }}
{{ '%(a)s' % 1 }}
{{ '%(a)s' % {'b': 1} }}
{{ '%y' % 1 }}
{{ '%' % 1 }}
{{ '%c' % 'ab' }}
{{ '%f' % none }}
"""

BRACES = """
{{ '{} {}'.format(1, 'a') }}|{{ '{1}{0}{1}'.format('a', 'b') }}|{{ '{x} {y}'.format(x=1, y=none) }}|{{ '{{}}{}'.format(1) }}
{{ '{0.name} {0[name]} {0[deep][k][1]}'.format(d) }}|{{ '{!r} {!s} {!a}'.format('é', 'é', 'é') }}|{{ '{!r:>5}'.format('a') }}
{{ '[{:5}][{:<5}][{:>5}][{:^5}][{:*^7}][{:é>3}][{:.2}][{:5.1}]'.format('ab', 'ab', 'ab', 'ab', 'ab', 'a', 'abc', 'abc') }}
{{ '[{:5}][{:<5}][{:05}][{:+}][{: }][{:=+5}][{:0>5}][{:x<5}]'.format(42, 42, 42, 42, 42, 42, 42, 42) }}
{{ '{:b} {:o} {:x} {:X} {:#b} {:#o} {:#x} {:#X} {:#010x} {:c}'.format(5, 8, 255, 255, 5, 8, 255, 255, 255, 233) }}
{{ '{:,} {:_} {:010,} {:08,} {:_x} {:,.2f} {:012,.1f}'.format(1234567, 1234567, 1234, 1234, 1048575, 1234567.891, 1234.5) }}
{{ '{:.2f} {:8.3f} {:<8.1f}| {:e} {:.1E} {:g} {:G} {:%} {:.1%} {:+.1f}'.format(3.14159, 3.14159, 2.0, 1500.0, 1500.0, 1e-7, 1e20, 0.5, 0.256, 1) }}
{{ '{} {:5} {:.3} {:.4} {:.1} {:10.3} {:.5}'.format(1.0, 1.5, 100.0, 100.0, 5.0, 1234.5678, 0.00001) }}|{{ '{:d} {:f}'.format(true, 2) }}
{{ '{:{}} {:{w}.{p}f}'.format('a', 4, 3.14159, w=8, p=2) }}|{{ '{:>{w}}'.format(1, w=3) }}|{{ '{} {}'.format([1], {'a': 1}) }}|{{ '{}'.format(missing) }}
{{ '{a} {b[0]}'.format_map({'a': 1, 'b': [2]}) }}|{{ '{:05}|{:5}|{}'.format('a', true, true) }}|{{ '{:s}'.format('x') }}|{{ '{:-08.2f}'.format(-3.14159) }}
{{ '{}'.format() }}
{{ '{x}'.format() }}
{{ '{} {0}'.format(1) }}
{{ '{'.format(1) }}
{{ '}'.format(1) }}
{{ '{:d}'.format('a') }}
{{ '{:d}'.format(1.5) }}
{{ '{:5}'.format(none) }}
{{ '{:.2}'.format(5) }}
{{ '{:=5}'.format('a') }}
{{ '{!x}'.format(1) }}
{{ '{:5q}'.format(1) }}
"""

LOOPS = """
{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x) }} {% endfor %}
{% for r in rows %}{% if loop.changed(r.n, r.tag|lower) %}{{ r.n }}{{ r.tag }};{% endif %}{% endfor %}
{% for x in [[1], [1], [2]] %}{{ loop.changed(x) }}{% for y in 'aab' %}{{ loop.changed(y) }}{% endfor %} {% endfor %}{% for x in 'ab' %}{{ loop.changed() }}{% endfor %}
{% for x in 'ab' %}{{ loop.depth }}{{ loop.depth0 }}{% for y in 'c' %}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}{% endfor %}
"""

SCOPES = """
{{ v }}{% set v = 1 %}{{ v }}
{% for i in [1] %}[{{ v }}]{% endfor %}{% set v = 2 %}{{ v }}
{% for i in [1, 2] %}{% if i == 2 %}{% set v = i %}{% endif %}{{ v }}{% endfor %}{{ v }}
{% for i in [1, 2] %}{% if i == 2 %}{% set v = i %}{% else %}{% set v = 9 %}{% endif %}{{ v }}{% endfor %}
{% if false %}{% set v = 1 %}{% elif false %}{% set v = 2 %}{% else %}{% set w = 3 %}{% endif %}{{ v }}
{% for i in [1] %}{{ v is defined }}{% set v = 5 %}{{ v }}{% endfor %}{{ v }}
{% macro f() %}[{{ v }}]{% endmacro %}{{ f() }}{% set v = 2 %}{{ f() }}
{% macro f() %}{% for i in [1] %}[{{ v }}]{% endfor %}{% set v = 3 %}{{ v }}{% endmacro %}{{ f() }}{{ v }}
{% macro f(a=v) %}{{ a }}{% set v = 3 %}{{ v }}{% endmacro %}{{ f() }}{{ v }}
{% macro v() %}m{% endmacro %}{{ v() }}
{% if not v is defined %}{% set v = 1 %}{% endif %}{{ v }}
{% for i in [1] %}{{ range is defined }}{% endfor %}{% set range = 3 %}{{ range }}
{% with a = v %}{{ a }}{% for i in [1] %}[{{ v }}]{% endfor %}{% set v = 4 %}{{ v }}{% endwith %}{{ v }}
{% with v = v %}{{ v }}{% endwith %}
{% set x %}{% for i in [1] %}[{{ v }}]{% endfor %}{% set v = 4 %}{{ v }}{% endset %}{{ x }}{{ v }}
{% set v = 1 %}{% for i in [1, 2] %}{{ v }}{% set v = v + 1 %}{{ v }}{% endfor %}{{ v }}
{% set v = 1 %}{% for i in [1, 2] %}{% for j in [1] %}{{ v }}{% endfor %}{% set v = 7 %}{{ v }}{% endfor %}{{ v }}
{% for i in [] %}{% else %}{% for j in [1] %}[{{ v }}]{% endfor %}{% set v = 7 %}{{ v }}{% endfor %}{{ v }}
{% for v in [1] %}{{ v }}{% endfor %}{{ v }}
{% for i in [1] %}{% if true %}{% for j in [1] %}[{{ v }}]{% endfor %}{% endif %}{% set v = 6 %}{% endfor %}
{% if true %}{% for j in [1] %}[{{ v }}]{% endfor %}{% set v = 1 %}{% endif %}{{ v }}
{% if false %}{% set v = 1 %}{% elif false %}{% set v = 2 %}{% elif true %}{% else %}{% set v = 3 %}{% endif %}{{ v }}
{% set ns = namespace(v=1) %}{% for i in [1] %}{% set ns.v = ns.v + 1 %}{% endfor %}{{ ns.v }}{{ v }}
{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{% for i in [1] %}[{{ v }}]{% endfor %}{% set v = 3 %}{{ v }}{% endcall %}{{ v }}
{% filter upper %}a{{ v|lower }}{% set v = 'x' %}{{ v }}{% endfilter %}{{ v }}
{% filter replace('a', d.name)|trim %} ba {% endfilter %}|{% filter indent(2, true) %}a{% filter upper %}b{% endfilter %}{% endfilter %}
{% filter upper %}{% for i in [1] %}[{{ v }}]{% endfor %}{% set v = 'q' %}{% endfilter %}
a{% block one %}b{{ v }}{% set v = 3 %}{{ v }}{% endblock %}{{ v }}
{% set w = 1 %}{% block one %}{{ w }}{% block two %}{{ v }}{{ w }}{% endblock two %}{% endblock one %}
{% for i in [1, 2] %}{% block one %}[{{ i }}]{% endblock %}{% endfor %}
{% for i in [1, 2] %}{% block one scoped %}[{{ i }}]{% endblock %}{% endfor %}
{% block one %}{{ v }}{% endblock %}{% set v = 2 %}{{ v }}
{% set v = 2 %}{% block one %}{{ v }}{% for i in [1] %}[{{ v }}]{% endfor %}{% endblock %}
{% set v = 2 %}{% block one %}{% for i in [1] %}[{{ v }}]{% endfor %}{% set v = 3 %}{{ v }}{% endblock %}{{ v }}
{% block a %}{% endblock %}{% block a %}{% endblock %}
{% block a %}{% endblock b %}
{% block a %}{{ super() }}{% endblock %}
{% filter nope %}{% endfilter %}
{% filter %}{% endfilter %}
{% filter upper %}
{% block %}{% endblock %}
{% extends 'x' %}
{% include 'x' %}
{% import 'x' as y %}
"""

CASES = [FILTERS, METHODS, PERCENT, BRACES, LOOPS, SCOPES]


def environment():
    made = sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[ext.loopcontrols])
    return made


def main():
    jinja = environment()
    cases = []
    for source in [line for group in CASES for line in group.strip("\n").split("\n")]:
        try:
            cases.append({"source": source, "renders": jinja.from_string(source).render(**VARIABLES)})
        except Exception as error:  # whatever Jinja2 or Python refuses
            cases.append({"source": source, "refused": str(error)})
    print(json.dumps({"variables": VARIABLES, "cases": cases}, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()

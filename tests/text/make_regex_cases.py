#!/usr/bin/env python3
"""Writes regex_cases.json: what Hugging Face's tokenizers replaces by "<>", or that it refuses the pattern (pip install tokenizers==0.23.3)."""
import json
import pathlib

from tokenizers import Regex, normalizers

PATTERNS = [
    "a.b", "(?m)a.b", "(?m:a.b)c", "(?-m)a.b", "(?s)a.b", "(?i)AB", "(?im)A.B", "(?i:A)b", "(?x)a b", "(?mi-x)a.b", "(?m)a.b|(?-m:x.y)",
    "a{,2}b", "a{2,}", "a{1,2}", "a{,}", "a{0,1}b", "a{", "a{x}", "a{,2", "{,2}", "a{1,2}+", "a{2}+", "a{,2}?b", "a{2}?b", "b{,1}+", r"\p{N}{1,3}+", "a{1,2}?b", "a{3,1}",
    r"\bab\b", r"\b\w+\b", r"\B.", r"\be\u0301\b", r"\b_", r"[\b]", r"\b2\b", r"\b\d", r"\b²", r"\bא",
    "^b", "b$", r"\Ab", r"b\Z", r"b\z", r"\Gb", "a++", "a?+b", "(?>a+)b", "(?<n>a)\\k<n>", "(a)\\1", r"\R", r"\X", r"\K", r"a\Kb", r"\Qa.b\E",
    "*a", "a**", "(a", "a)", "[a", "[]a]", "[]", "[b-a]", r"\p{Foo}", r"\p{^L}+", "[[:alpha:]]+", "[a-z&&[^b]]+", r"[^\s\d]+", r"\e", r"\x61", r"\x{61}",
    "(?#note)ab", "(?u)a", "(?a)a", "(?P<n>a)", "(?<=a)b", "(?<=a+)b", "(?<!a)b", "(?=b)", "(?!a)b", "(?~a)", "(?R)", r"\g<1>", r"\N+", r"\O", r"\v", r"\cA",
]
TEXTS = ["ab aab aaab a\nb x\ny", "a{,2}b a{x} a{ AB Ab a b abab", "e\u0301 ab_ a2 2 x² ²y אב é", "b\nab\nb a.b aaa\r\nb\n", "\x08\x0b ab]"]

cases = []
for pattern in PATTERNS:
    try:
        replace = normalizers.Replace(Regex(pattern), "<>")
        cases.append({"pattern": pattern, "replaced": [replace.normalize_str(text) for text in TEXTS]})
    except Exception as error:  # what Oniguruma refuses
        cases.append({"pattern": pattern, "refused": str(error)})
text = ",\n".join(json.dumps(case) for case in cases)
(pathlib.Path(__file__).parent / "regex_cases.json").write_text('{"texts": ' + json.dumps(TEXTS) + ',\n"cases": [\n' + text + "\n]}\n")

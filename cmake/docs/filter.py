#!/usr/bin/env python3
"""What Doxygen reads instead of a file: filter.py FILE (absolute, below the source folder that GRPO_DOCS_ROOT names)

Markdown: links between files become links between pages, and links to what is no page become its name; a link that leads nowhere becomes a
reference that Doxygen refuses. Headers: a comment behind a declaration documents it, and what looks like markup in one is text."""
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(os.environ["GRPO_DOCS_ROOT"])
SOURCES = {".h", ".cpp"}


def label(path):
    """A page's name in links; the first page is README.md."""
    if path == ROOT / "README.md":
        return "index"
    return "page_" + re.sub(r"\W", "_", str(path.relative_to(ROOT).with_suffix("")))


def link(text, target, page):
    if re.match(r"https?:|#", target):
        return f"[{text}]({target})"
    path = pathlib.Path(os.path.normpath(page.parent / target.split("#")[0]))
    if not path.exists():
        return f"[{text}](@ref leads_nowhere_{label(path)})"
    if path.suffix == ".md":
        chapter = page.name == "README.md" and page != ROOT / "README.md" and path.parent == page.parent
        return f"@subpage {label(path)}" if chapter else f"[{text}](@ref {label(path)})"
    if path.suffix in SOURCES and path.parent == ROOT / "examples":
        return f"[{text}](@ref {path.name})"
    if path.suffix in SOURCES and path.is_relative_to(ROOT / "include"):
        return f"[{text}](@ref {path.relative_to(ROOT / 'include')})"
    return f"{text} (`{path.relative_to(ROOT)}`)" if text.strip("`") != str(path.relative_to(ROOT)) else f"`{path.relative_to(ROOT)}`"


def markdown(path, text):
    title = r"\g<0> {#mainpage}" if path == ROOT / "README.md" else rf"\g<0> {{#{label(path)}}}"
    text = re.sub(r"^# .*$", title, text, count=1, flags=re.M)
    result = []
    for part in re.split(r"(^```.*?^```$|^    [^\n]*$|`[^`\n]+`|!\[[^\]]*\]\([^)]*\))", text, flags=re.M | re.S):
        code = part.startswith(("```", "    ", "`", "!["))
        if not code:
            part = re.sub(r"(?<=\w)@", r"\@", part)  # pass@k
            part = re.sub(r"\[([^\]]*)\]\(([^)\s]+)\)", lambda m: link(m[1], m[2], path), part)
        result.append(part)
    return "".join(result)


def escaped(text):
    """Nothing in it is a command or markup of Doxygen's."""
    return re.sub(r"([\\@#%])", r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def header(text):
    text = re.sub(r"^/\* ", "/** ", re.sub(r"^/\* ", "/** @file\n * ", text, count=1, flags=re.M), flags=re.M)  # of C
    text = re.sub(r"(\S) +/\* (.*) \*/$", r"\1  /**< \2 */", text, flags=re.M)
    lines = []
    for line in text.splitlines():
        line = re.sub(r"([;,{)(]) +// (.*)$", r"\1  ///< \2", line)
        line = re.sub(r"^( {16,})// (.*)$", r"\1///< \2", line)
        code, mark, comment = line.partition("///")
        if mark:
            behind = "<" if comment.startswith("<") else ""
            line = code + mark + behind + re.sub(r"`([^`]*)`", r"<code>\1</code>", escaped(comment[len(behind):]))
        lines.append(line)
    return "\n".join(lines) + "\n"


path = pathlib.Path(sys.argv[1])
content = path.read_text()
sys.stdout.write(markdown(path, content) if path.suffix == ".md" else header(content))

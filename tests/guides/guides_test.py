#!/usr/bin/env python3
"""Whether README.md and the guides say what is so

  guides_test.py SOURCE --links                   links and options in every Markdown file
  guides_test.py SOURCE BINARY --make-runs RUNS   what the quick start leaves, in small
  guides_test.py SOURCE BINARY RUNS FILE.md…      the blocks of a file

Every fenced block of a file is tried in the file's order, in a folder of its own that has `configs` and `examples`, the runs of the quick
start (RUNS), and the built programs on PATH:

  sh      is run by bash -euo pipefail; `grpo train` and the like take two steps of short completions, `grpo eval` a few problems
  text    behind a sh block: what that prints on stdout, to the letter
  json    is a config that `grpo train` takes over that of the quick start; with `// NAME` as its first line it is written to NAME first
  python  is run by python3
  cpp     stands in one of examples/*.cpp
  cmake   each line stands in a CMakeLists.txt of the examples or of the installation's test

A block below <!-- needs: WHAT --> is left out and listed, unless WHAT is there: "SmolLM2" (GRPO_SMOLLM2_GGUF), "the built examples".
With --links every relative link in every Markdown file leads to a file, and to a heading where it names one; every option that README.md and the
guides name, as `optim.learning_rate`, is one; and where the guide for TRL says that a name is the same here, it is."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

SMALL = {  # what is laid over the settings of a command that trains
    "train": "trainer.max_steps=2 algorithm.generation_batch_size=16 rollout.num_generations=4 rollout.max_completion_length=16 eval.data.count=4",
    "sft": "trainer.max_steps=2",
    "dpo": "trainer.max_steps=2",
    "reward-model": "trainer.max_steps=2",
}
WRAPPER = """#!/usr/bin/env bash
words=() before=
for word; do
  case $word in --dry-run|--print-config|--help) exec {program} "$@" ;; esac
  [ "$before" != --count ] || word=8
  words+=("$word") before=$word
done
case $1 in
{cases}
esac
exec {program} "${{words[@]}}"
"""


def blocks_of(text):
    """(line, language, what it needs, content) of each fenced block. A block that is indented would be tried by nobody."""
    needs, fence = None, None
    for number, line in enumerate(text.splitlines(), 1):
        if fence:
            if line == "```":
                yield fence[0], fence[1], needs, "\n".join(fence[2]) + "\n"
                needs, fence = None, None
            else:
                fence[2].append(line)
        elif line.startswith("```"):
            fence = (number, line[3:].strip(), [])
        elif line.startswith("<!-- needs: "):
            needs = line[len("<!-- needs: "):-len(" -->")]
        elif line.startswith("    ") and not re.match(r" *([-*]|\d+\.) ", line):
            raise SystemExit(f"line {number}: an indented block is tried by nobody; fence it")
    if fence:
        raise SystemExit(f"line {fence[0]}: a block without an end")


class Place:
    """The folder that a file's blocks are tried in."""

    def __init__(self, source, binary, runs, folder):
        self.source, self.folder = source, folder
        self.have = set()
        for name in ("configs", "examples"):
            shutil.copytree(source / name, folder / name)
        if runs:
            shutil.copytree(runs, folder / "runs/quickstart")
        tools = folder / ".bin"
        tools.mkdir()
        programs = {"grpo": binary / "bin/grpo", **{p.stem: binary / "examples" / p.stem for p in source.glob("examples/*.cpp")}}
        if all(program.exists() for program in programs.values()):
            self.have.add("the built examples")
        for name, program in programs.items():
            cases = "\n".join(f"  {command}) words+=({small}) ;;" for command, small in SMALL.items())
            (tools / name).write_text(WRAPPER.format(program=program, cases=cases))
            (tools / name).chmod(0o755)
        real = os.environ.get("GRPO_SMOLLM2_GGUF", "")
        if real and pathlib.Path(real).exists():
            self.have.add("SmolLM2")
            (folder / "models").mkdir()
            (folder / "models/SmolLM2-135M-Instruct.Q4_1.gguf").symlink_to(real)
        self.environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
        self.printed = None

    def call(self, words):
        done = subprocess.run(words, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise ValueError(f"exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def sh(self, content):
        self.printed = self.call(["bash", "-euo", "pipefail", "-c", content])

    def text(self, content):
        if self.printed != content:
            raise ValueError(f"expected what the block before it prints; that is\n{self.printed}")

    def json(self, content):
        name = re.match(r"// (\S+)\n", content)
        path = self.folder / (name[1] if name else "block.json")
        path.write_text(content)
        self.call(["grpo", "train", "configs/quickstart.json", str(path), "--print-config"])

    def python(self, content):
        self.call(["python3", "-c", content])

    def cpp(self, content):
        if not any(content in path.read_text() for path in self.source.glob("examples/*.cpp")):
            raise ValueError("no example has these lines")

    def cmake(self, content):
        known = "".join(p.read_text() for folder in ("examples", "tests/install") for p in (self.source / folder).rglob("CMakeLists.txt"))
        for line in content.split("\n"):
            if line.strip() not in known:
                raise ValueError(f"no CMakeLists.txt of the examples or of the installation's test has the line {line}")


def make_runs(source, binary, runs):
    with tempfile.TemporaryDirectory(prefix="grpo-guides-") as folder:
        place = Place(source, binary, None, pathlib.Path(folder))
        place.sh("grpo sft configs/quickstart_base.json && grpo train configs/quickstart.json && grpo report runs/quickstart/rl")
        shutil.rmtree(runs, ignore_errors=True)
        shutil.copytree(place.folder / "runs/quickstart", runs)


def try_file(path, source, binary, runs):
    failures, tried, left = 0, 0, []
    with tempfile.TemporaryDirectory(prefix="grpo-guides-") as folder:
        place = Place(source, binary, runs, pathlib.Path(folder))
        for line, language, needs, content in blocks_of(path.read_text()):
            where = f"{path.relative_to(source)}:{line}"
            if needs and needs not in place.have:
                left.append(f"{where} needs {needs}")
                continue
            began = time.time()
            try:
                if language not in ("sh", "text", "json", "python", "cpp", "cmake"):
                    raise ValueError(f"nobody tries blocks of the language '{language}'")
                getattr(place, language)(content)
                tried += 1
                print(f"{where} {language} {time.time() - began:.1f} s")
            except (ValueError, subprocess.TimeoutExpired) as error:
                failures += 1
                print(f"{where} {language} FAILED\n{content}{error}")
    print(f"{path.name}: {tried} blocks tried, {failures} failed, {len(left)} left out" + "".join("\n  " + text for text in left))
    return failures


def anchors_of(path):
    """The names that a Markdown file's headings have in links."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def check_links(source):
    links = failures = 0
    pages = [p for p in source.rglob("*.md") if not {"build", ".venv", "runs"} & set(p.relative_to(source).parts) and not p.parts[-2].startswith("build-")]
    for page in pages:
        text = re.sub(r"^```.*?^```$|`[^`\n]+`", "", page.read_text(), flags=re.M | re.S)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"https?:", target):
                continue
            links += 1
            file, _, anchor = target.partition("#")
            path = page.parent / file if file else page
            if not path.exists() or (anchor and anchor not in anchors_of(path)):
                failures += 1
                print(f"{page.relative_to(source)}: {target} leads nowhere")
    print(f"{links} links of {len(pages)} files, {failures} lead nowhere")
    return failures if links else 1


def check_options(source):
    """Options that are named and that there are not."""
    reference = (source / "configs/README.md").read_text()
    options, section = set(), ""
    for line in reference.splitlines():
        if heading := re.match(r"## `([^`]*)`", line):
            section = heading[1]
        elif (row := re.match(r"\| `([^`]*)` \|", line)) and section:
            options.add(f"{section}.{row[1]}")
    short = set(re.findall(r"^\| `(\w+)` \| `[\w.]+` \|$", reference, flags=re.M))
    sections = "|".join({re.escape(option.split(".")[0]) for option in options})
    failures = named = 0
    for page in [source / "README.md", *sorted((source / "examples/guides").glob("*.md"))]:
        for word in re.findall(rf"`((?:{sections})\.[a-z_.]+)(?:=[^`]*)?`", page.read_text()):
            named += 1
            if word not in options and not any(option.startswith(word + ".") for option in options):
                failures += 1
                print(f"{page.relative_to(source)}: there is no option {word}")
    for names in re.findall(r"^\| (`[^|]*) \| the same[^|]*\|", (source / "examples/guides/coming_from_trl.md").read_text(), flags=re.M):
        for name in re.findall(r"`(\w+)`", names):
            named += 1
            if name not in short and not any(option.endswith("." + name) for option in options):
                failures += 1
                print(f"coming_from_trl.md: {name} is not the same here")
    print(f"{named} options named, {failures} of them are none")
    return failures if named else 1


def main(arguments):
    source = pathlib.Path(arguments[0]).resolve()
    if arguments[1] == "--links":
        return check_links(source) + check_options(source)
    binary = pathlib.Path(arguments[1]).resolve()
    if arguments[2] == "--make-runs":
        return make_runs(source, binary, pathlib.Path(arguments[3]))
    return sum(try_file(source / name, source, binary, pathlib.Path(arguments[2])) for name in arguments[3:])


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)

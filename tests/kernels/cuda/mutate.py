#!/usr/bin/env python3
"""Takes every barrier, wait, mask and bounds check out of the CUDA kernels, one at a time, and says which change no test notices.

    tests/kernels/cuda/mutate.py [--jobs N] [--files decode_attention.cu,…] [--out report.json]

Each change is made in a copy of the tree, and the programs of the host's execution are built again and run; where they notice nothing, once
more with AddressSanitizer, which sees accesses beyond an array. A survivor is a missing test, or a change that cannot matter (a check for what
other checks exclude, a skipped multiplication by zero): read it.
"""
import argparse
import concurrent.futures
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
KERNELS = "kernels/cuda"
TESTS = ("test_kernels_cuda", "test_rollout_cuda")
TIMEOUT_S = 240


def matching(text, at, step):
    """Where the bracket at `at` closes (step 1) or opens (step -1)."""
    depth = 0
    while True:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
        at += step


def split(condition, operator):
    """The operands of a condition at its top level."""
    parts, depth, begin = [], 0, 0
    for i, c in enumerate(condition):
        depth += (c in "([{") - (c in ")]}")
        if depth == 0 and condition.startswith(operator, i):
            parts.append((begin, i))
            begin = i + len(operator)
    return [*parts, (begin, len(condition))]


def without_parts(condition):
    """The condition without each of its parts in turn; nothing where it has but one."""
    for operator, neutral in ((" || ", "false"), (" && ", "true")):
        parts = split(condition, operator)
        if len(parts) > 1:
            return [condition[:a] + neutral + condition[b:] for a, b in parts]
    return []


def condition_before(line, question):
    """Where the condition of the ?: at `question` begins."""
    at = question - 1
    while at >= 0:
        if line[at] in ")]}":
            at = matching(line, at, -1)
        elif line[at - 1:at + 1] == "::":
            at -= 1
        elif line[at] in "([{,;:" or (line[at] == "=" and line[at - 1] not in "=!<>" and line[at + 1] != "="):
            break
        at -= 1
    begin = at + 1
    word = re.match(r"\s*return\b", line[begin:])
    return begin + (word.end() if word else 0)


def mutants(text):
    """(line number, what was changed, the whole text changed)"""
    lines = text.split("\n")
    host = False
    for number, line in enumerate(lines):
        code = line.split("//")[0]
        host = {"#ifdef __CUDACC__": True, "#else": False, "#endif": False}.get(line.strip(), host)
        if host:  # not what is executed here
            continue
        changed = []
        for statement in re.finditer(r"__syncthreads\(\);|__syncwarp\(\);|wait_copies<\d>\(\);|commit_copies\(\);", code):
            changed.append(code[:statement.start()] + ";" + code[statement.end():])
        for test in re.finditer(r"\bif \(", code):
            end = matching(code, test.end() - 1, 1)
            inner = code[test.end():end]
            leaves = re.match(r"\) (return|continue)\b", code[end:])
            whole = "false" if leaves else "true"
            for new in [whole, *without_parts(inner)]:
                changed.append(code[:test.end()] + new + code[end:])
        for test in re.finditer(r"\bfor \([^;]*;([^;]*);", code):
            if " < " in test.group(1):
                at = test.start(1) + test.group(1).index(" < ")
                changed.append(code[:at] + " <= " + code[at + 3:])
        for test in re.finditer(r" \? ", code):
            begin = condition_before(code, test.start())
            for new in ["true", *without_parts(code[begin:test.start()])]:
                changed.append(code[:begin] + " (" + new.strip() + ")" + code[test.start():])
        mask = re.match(r"(.*\bbool \w+ = )(.*)(;.*)", code)
        if mask:
            changed += [mask.group(1) + new + mask.group(3) for new in ["true", *without_parts(mask.group(2))]]
        for new in dict.fromkeys(changed):
            if new != code:
                yield number + 1, line.strip(), new.strip(), "\n".join([*lines[:number], new, *lines[number + 1:]])


class Copy:
    """A tree of its own to change and build, without a sanitizer and with AddressSanitizer."""

    def __init__(self, folder):
        self.source, self.builds = folder / "source", [folder / "plain", folder / "address"]
        for name in subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
                                   check=True).stdout.splitlines():
            to = self.source / name
            if (ROOT / name).is_file():
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, to)
        for build, sanitize in zip(self.builds, ("", "address")):
            self.run("cmake", "-S", self.source, "-B", build, "-G", "Ninja", "-DGRPO_TORCH=OFF", "-DGRPO_BUILD_TESTS=ON",
                     "-DCMAKE_CXX_FLAGS=-w", "-DGRPO_SANITIZE=" + sanitize, check=True)
            self.run("cmake", "--build", build, "-j", "1", "--target", *TESTS, check=True)
            for program in TESTS:
                if self.failures(build / "tests" / program):
                    raise SystemExit("%s fails without any change" % program)

    def run(self, *command, check=False):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="replace",
                              timeout=None if check else TIMEOUT_S)
        if check and done.returncode:
            raise SystemExit(done.stdout[-3000:] + done.stderr[-3000:])
        return done

    def failures(self, program):
        """The tests that fail, or how the program ended otherwise; nothing where all is well."""
        try:
            done = self.run(program, "--gtest_brief=1", "--gtest_fail_fast")
        except subprocess.TimeoutExpired:
            return ["timeout"]
        if done.returncode == 0:
            return []
        names = re.findall(r"\[  FAILED  \] ([\w/.]+)", done.stdout)
        return list(dict.fromkeys(names)) or ["exit %d" % done.returncode]

    def verdict(self, file, text):
        path = self.source / KERNELS / file
        original = path.read_text()
        path.write_text(text)
        try:
            for build in self.builds:
                for program in TESTS[:1] if file.startswith("train_") else TESTS:  # the engine has no kernel of training
                    if self.run("cmake", "--build", build, "-j", "1", "--target", program).returncode:
                        return None
                    found = self.failures(build / "tests" / program)
                    if found:
                        return found
            return []
        finally:
            path.write_text(original)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--jobs", type=int, default=1)
    ap.add_argument("--files", default="", help="comma list of files of kernels/cuda; all without it")
    ap.add_argument("--out", default="", help="JSON report")
    args = ap.parse_args()
    files = args.files.split(",") if args.files else sorted(p.name for p in (ROOT / KERNELS).iterdir() if p.suffix in (".cu", ".cuh"))
    todo = [(file, *mutant) for file in files for mutant in mutants((ROOT / KERNELS / file).read_text())]
    print("%d changes in %d files" % (len(todo), len(files)), flush=True)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        copies = [Copy(pathlib.Path(folder) / str(j)) for j in range(args.jobs)]

        def work(j):
            for number in range(j, len(todo), args.jobs):
                file, line, before, after, text = todo[number]
                found = copies[j].verdict(file, text)
                row = {"file": file, "line": line, "before": before, "after": after,
                       "verdict": "does not compile" if found is None else "noticed" if found else "SURVIVED", "tests": (found or [])[:4]}
                rows.append(row)
                print("%d/%d %s:%d %s\n    %s\n    -> %s\n    %s" % (len(rows), len(todo), file, line, row["verdict"], before, after,
                                                                   " ".join(row["tests"])), flush=True)

        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for future in [pool.submit(work, j) for j in range(args.jobs)]:
                future.result()
    rows.sort(key=lambda row: (row["file"], row["line"]))
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in ("noticed", "SURVIVED", "does not compile")}
    print(json.dumps(counts))
    if args.out:
        pathlib.Path(args.out).write_text(json.dumps({"counts": counts, "changes": rows}, indent=1) + "\n")
    return 1 if counts["SURVIVED"] else 0


if __name__ == "__main__":
    sys.exit(main())

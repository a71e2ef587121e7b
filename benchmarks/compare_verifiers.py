#!/usr/bin/env python3
"""`benchmark_verifier` beside math-verify on the same files, in turns; run it with a Python that has math-verify. Prints one JSON object for each
file: pairs a second of both, the ratio in each round, verdicts that agree with `expected`."""
import argparse
import json
import logging
import subprocess
import time

from math_verify import parse, verify

logging.disable(logging.CRITICAL)
ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("--benchmark", required=True, help="the program benchmark_verifier")
ap.add_argument("--rounds", type=int, default=3)
ap.add_argument("files", nargs="+")
args = ap.parse_args()


def peer(rows):
    """As math-verify's own files of cases have it: the gold answer in a box, both read, then compared."""
    begin, verdicts = time.perf_counter(), []
    for row in rows:
        try:
            verdicts.append(bool(verify(parse("\\boxed{%s}" % row["gold"]), parse(row["prediction"]))))
        except Exception:  # it may raise on what it cannot read
            verdicts.append(False)
    return len(rows) / (time.perf_counter() - begin), verdicts


for name in args.files:
    rows = [json.loads(line) for line in open(name)]
    judged = [(i, row["expected"]) for i, row in enumerate(rows) if row["expected"] is not None]
    parse("\\boxed{\\frac{1}{2}}")  # its first parse builds the parser
    ours, theirs = [], []
    for _ in range(args.rounds):
        out = subprocess.run([args.benchmark, name], capture_output=True, text=True, check=True).stdout
        ours.append(json.loads(out.splitlines()[-1]))
        speed, verdicts = peer(rows)
        theirs.append(speed)
    best = max(ours, key=lambda row: row["pairs_per_second"])
    print(json.dumps({
        "work": "compare_verifiers",
        "file": best["file"],
        "pairs": len(rows),
        "ours": best,
        "ratios": [round(row["pairs_per_second"] / speed, 1) for row, speed in zip(ours, theirs)],
        "math_verify": {
            "pairs_per_second": max(theirs),
            "judged": len(judged),
            "agreed": sum(verdicts[i] == wanted for i, wanted in judged),
            "false_accepts": sum(verdicts[i] and not wanted for i, wanted in judged),
            "false_rejects": sum(not verdicts[i] and wanted for i, wanted in judged),
        },
    }))

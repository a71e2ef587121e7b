"""quickstart_summary.py RUNS RESULTS SEED…: what the seeds and controls of quickstart_seeds.sh gave, as quickstart.json and quickstart.svg."""
import json
import os
import sys

from plot import BLUE, RED, accuracy_chart
from runs import accuracy_points, evaluations, provenance, write_json


def control(run):
    rows = evaluations(run)
    names = ("accuracy", "accuracy_greedy", "accuracy_lenient", "format")
    return {when: {name: row[f"eval_{name}"] for name in names} for when, row in (("before", rows[0]), ("after", rows[-1]))}


def gain(summary, name):
    return round(summary["after"][name] - summary["before"][name], 4)


def meets_targets(summary):
    return (gain(summary, "accuracy") >= 0.40 and gain(summary, "accuracy_greedy") >= -0.02
            and summary["before"]["accuracy_greedy"] <= 0.60 and gain(summary, "accuracy_lenient") >= 0.30)


def main():
    runs, results, seeds = sys.argv[1], sys.argv[2], sys.argv[3:]
    summaries = []
    for seed in seeds:
        with open(os.path.join(runs, seed, "summary.json")) as file:
            summaries.append(json.load(file))
    passed = sum(map(meets_targets, summaries))
    shuffled = os.path.join(runs, "shuffled")
    write_json(os.path.join(results, "quickstart.json"), {
        **provenance("benchmarks/quickstart_seeds.sh " + " ".join(seeds)),
        "seeds_that_meet_every_target": passed, "seeds": len(summaries),
        "gain": {name: [gain(s, name) for s in summaries] for name in ("accuracy", "accuracy_greedy", "accuracy_lenient")},
        "training_seconds": [round(s["sft_seconds"] + s["rl_seconds"], 1) for s in summaries], "summaries": summaries,
        "controls": {"shuffled_rewards": control(shuffled), "supervised_instead": control(os.path.join(runs, "supervised"))}})
    series = [(f"{len(seeds)} seeds" if i == 0 else None, BLUE, accuracy_points(os.path.join(runs, seed, "rl"))) for i, seed in enumerate(seeds)]
    series.append(("shuffled rewards", RED, accuracy_points(shuffled)))
    with open(os.path.join(results, "quickstart.svg"), "w") as file:
        file.write(accuracy_chart("Quick start: held-out accuracy at temperature 1, every seed", series))
    print(f"{passed} of {len(summaries)} seeds meet every target; gains {[gain(s, 'accuracy') for s in summaries]}")


if __name__ == "__main__":
    main()

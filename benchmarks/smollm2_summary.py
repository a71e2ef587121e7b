"""smollm2_summary.py RUNS RESULTS: what smollm2_runs.sh gave. Fails where the GSM8K run breaks what it is to show."""
import math
import os
import sys

from plot import BLUE, GREEN, accuracy_chart
from runs import accuracy_points, evaluations, metrics, provenance, write_json

GAP_LIMIT = 2e-5  # mean |difference| of the sampler's and the trainer's log-probabilities in fp32
COMMAND = "benchmarks/smollm2_runs.sh --gsm8k FOLDER"


def timeless(row):
    return {key: value for key, value in row.items() if key != "step_time" and not key.startswith("time/")}


def file_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def gsm8k(runs):
    rows = [row for row in metrics(os.path.join(runs, "gsm8k")) if "loss" in row]
    repeats = [metrics(os.path.join(runs, name)) for name in ("repeat1", "repeat2")]
    weights = [file_bytes(os.path.join(runs, name, "model", "model.safetensors")) for name in ("repeat1", "repeat2")]
    first = list(map(timeless, rows[:2]))
    checks = {
        "every_figure_finite": all(value is not None and math.isfinite(value) for row in rows for value in row.values()),
        "clip_ratio_zero": all(row["clip_ratio/region_mean"] == 0 for row in rows),
        "gap_mean_within_2e-5": all(row["sampling/sampling_logp_difference/mean"] <= GAP_LIMIT for row in rows),
        "trained_is_generated_less_dropped": all(row["tokens/trained"] == row["tokens/generated"] - row["tokens/dropped"] for row in rows),
        "first_two_steps_repeat": all(list(map(timeless, repeat[:2])) == first for repeat in repeats),
        "weights_after_two_steps_repeat_bit_for_bit": weights[0] == weights[1]}
    return {**provenance(COMMAND), "steps": len(rows), "checks": checks, "metrics": rows}


def arithmetic(runs):
    run = os.path.join(runs, "arithmetic")
    rows = evaluations(run)
    names = ("accuracy", "accuracy_greedy", "format", "mean_length")
    at = lambda row: {name: row[f"eval_{name}"] for name in names}
    seconds = sum(row["step_time"] for row in metrics(run) if "step_time" in row)
    return {**provenance(COMMAND), "seed": 0, "held_out_problems": rows[0]["eval_samples"], "before": at(rows[0]), "after": at(rows[-1]),
            "gain": round(rows[-1]["eval_accuracy"] - rows[0]["eval_accuracy"], 4), "rl_seconds": round(seconds),
            "curve": [{"step": row["step"], **at(row)} for row in rows]}


def main():
    runs, results = sys.argv[1:]
    on_gsm8k, on_arithmetic = gsm8k(runs), arithmetic(runs)
    write_json(os.path.join(results, "smollm2_gsm8k.json"), on_gsm8k)
    write_json(os.path.join(results, "smollm2_arithmetic.json"), on_arithmetic)
    run = os.path.join(runs, "arithmetic")
    with open(os.path.join(results, "smollm2_arithmetic.svg"), "w") as file:
        file.write(accuracy_chart("SmolLM2-135M on sums of three numbers: held-out accuracy after a cold start",
                                  [("temperature 1", BLUE, accuracy_points(run)), ("greedy", GREEN, accuracy_points(run, "eval_accuracy_greedy"))]))
    print(f"GSM8K: {on_gsm8k['steps']} steps, {on_gsm8k['checks']}")
    print(f"arithmetic: {on_arithmetic['before']} -> {on_arithmetic['after']}")
    if not all(on_gsm8k["checks"].values()):
        sys.exit("a check of the GSM8K run failed")


if __name__ == "__main__":
    main()

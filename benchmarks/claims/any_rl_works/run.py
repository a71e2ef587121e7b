#!/usr/bin/env python3
"""Does any RL work? Ten methods from one base model with one budget of sampled tokens: README.md has the question, the prediction and the rules.

    benchmarks/claims/any_rl_works/run.py [--out DIR] [--results DIR] [--jobs N] [--methods NAME …]

A method first runs once at each learning rate of the sweep, on the tuning seed and judged by problems of their own; the best rate then runs on
every seed. What has finished stands in DIR and is not run again. Writes RESULTS/any_rl_works.json and RESULTS/any_rl_works.svg.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parents[1]))
from runs import metrics, provenance, write_json  # noqa: E402
from chart import accuracy_grid  # noqa: E402

RATES = ["3e-5", "1e-4", "3e-4"]
TUNING_SEED, SEEDS = 100, [0, 1, 2]
TUNING_PROBLEMS = ["eval.data.seed=5"]
METHODS = {"grpo": "GRPO", "dr_grpo": "Dr. GRPO", "dapo": "DAPO", "gspo": "GSPO", "rloo": "RLOO", "reinforce_plus_plus": "REINFORCE++",
           "ppo": "PPO", "prime": "PRIME", "expert_iteration": "expert iteration", "dpo": "online DPO"}
CONTROL = "shuffled_rewards"  # GRPO with rewards permuted over the batch


class Runner:
    def __init__(self, args):
        self.out, self.grpo, self.threads = args.out, args.grpo, max(1, (os.cpu_count() or 1) // args.jobs)
        self.lock, self.planned, self.finished = threading.Lock(), 0, 0

    def command(self, words, log):
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "w") as file:
            done = subprocess.run([str(w) for w in words], stdout=file, stderr=subprocess.STDOUT, cwd=ROOT,
                                  env={**os.environ, "OMP_NUM_THREADS": str(self.threads), "OMP_WAIT_POLICY": "passive"})
        if done.returncode != 0:
            raise SystemExit("%s failed; see %s" % (" ".join(map(str, words)), log))

    def base(self):
        folder = self.out / "base"
        if not (folder / "model").is_dir():
            self.command([self.grpo, "sft", ROOT / "configs" / "quickstart_base.json", "trainer.output_dir=%s" % folder, "trainer.seed=0",
                          "data.train.seed=1000"], self.out / "base.log")
        return folder / "model"

    def train(self, method, rate, seed, *settings):
        """A run's evaluations: [(sampled tokens, accuracy, format), …]."""
        name = "%s-%s-%d" % (method, rate, seed)
        folder, done = self.out / name, self.out / (name + ".json")
        begin = time.monotonic()
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            file = "grpo" if method == CONTROL else method
            self.command([self.grpo, "train", HERE / "common.json", HERE / "methods" / (file + ".json"), "model.path=%s" % self.base(),
                          "trainer.output_dir=%s" % folder, "optim.learning_rate=%s" % rate, "trainer.seed=%d" % seed,
                          "data.train.seed=%d" % (2000 + seed), *settings], self.out / (name + ".log"))
            write_json(done, {"seconds": round(time.monotonic() - begin, 1), "curve": curve(folder)})
            shutil.rmtree(folder / "model", ignore_errors=True)
        result = json.loads(done.read_text())
        with self.lock:
            self.finished += 1
            print("%3d/%d  %-20s rate %s seed %3d: %.1f%% -> %.1f%%" % (
                self.finished, self.planned, method, rate, seed, 100 * result["curve"][0][1], 100 * result["curve"][-1][1]), flush=True)
        return result


def curve(folder):
    tokens, points = {0: 0}, []
    for row in metrics(folder):
        if "num_tokens" in row:
            tokens[row["step"]] = int(row["num_tokens"])
        if "eval_accuracy" in row and (not points or tokens[row["step"]] > points[-1][0]):
            points.append((tokens[row["step"]], row["eval_accuracy"], row["eval_format"]))
    return points


def summary(runs, rate):
    final = [run["curve"][-1] for run in runs]
    accuracies = [accuracy for _, accuracy, _ in final]
    return {"learning_rate": rate, "seeds": SEEDS, "accuracy": accuracies, "mean": sum(accuracies) / len(accuracies),
            "format": [share for _, _, share in final], "tokens": [tokens for tokens, _, _ in final],
            "seconds": [run["seconds"] for run in runs], "curves": [run["curve"] for run in runs]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "runs" / "any_rl_works")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time; the threads are shared out")
    parser.add_argument("--grpo", default=str(ROOT / "build" / "cpu" / "bin" / "grpo"))
    parser.add_argument("--methods", nargs="*", choices=list(METHODS), default=list(METHODS))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    runner = Runner(args)
    runner.base()
    runner.planned = len(args.methods) * (len(RATES) + len(SEEDS)) + len(SEEDS) * ("grpo" in args.methods)
    results = {}
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        sweeps = {m: [pool.submit(runner.train, m, rate, TUNING_SEED, *TUNING_PROBLEMS) for rate in RATES] for m in args.methods}
        chosen, finals = {}, {}
        for method, sweep in sweeps.items():
            accuracies = [future.result()["curve"][-1][1] for future in sweep]
            chosen[method] = RATES[accuracies.index(max(accuracies))]
            finals[method] = [pool.submit(runner.train, method, chosen[method], seed) for seed in SEEDS]
            results[method] = {"sweep": dict(zip(RATES, accuracies))}
            if method == "grpo":
                finals[CONTROL] = [pool.submit(runner.train, CONTROL, chosen[method], seed, "trainer.shuffle_rewards=true") for seed in SEEDS]
        for method, futures in finals.items():
            rate = chosen["grpo" if method == CONTROL else method]
            results.setdefault(method, {}).update(summary([future.result() for future in futures], rate))
    args.results.mkdir(parents=True, exist_ok=True)
    write_json(args.results / "any_rl_works.json", {**provenance("benchmarks/claims/any_rl_works/run.py"), "rates": RATES,
                                                    "tuning_seed": TUNING_SEED, "methods": results})
    panels = [(METHODS.get(method, "control: shuffled rewards"), result["curves"]) for method, result in results.items()]
    (args.results / "any_rl_works.svg").write_text(accuracy_grid("Held-out accuracy against sampled tokens: every seed, and their mean", panels))
    for method, result in sorted(results.items(), key=lambda item: -item[1]["mean"]):
        print("%-20s rate %-5s  mean %.1f%%  %s" % (method, result["learning_rate"], 100 * result["mean"],
                                                    "  ".join("%.1f%%" % (100 * a) for a in result["accuracy"])))


if __name__ == "__main__":
    main()

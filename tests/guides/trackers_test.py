#!/usr/bin/env python3
"""examples/track.py gives a tracker the figures of metrics.jsonl: trackers_test.py TRACK.PY. Stand-ins with the functions of the trackers write
down their calls; src/report/README.md says with which versions of the trackers themselves it was tried."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

STAND_IN = """
import json
def say(*call): print(json.dumps(call))
class Run:
    def __enter__(self): say("enter")
    def __exit__(self, *_): say("exit")
def init(project, name, config): say("init", project, name, config)
def log(figures, step): say("log", figures, step)
def finish(): say("finish")
def set_experiment(name): say("set_experiment", name)
def start_run(run_name): say("start_run", run_name); return Run()
def log_dict(content, file): say("log_dict", content, file)
def log_metrics(figures, step): say("log_metrics", figures, step)
"""
LINES = '{"step": 1, "reward": 0.5, "loss": null}\n{"step": 1, "eval_pass@8": 0.25}\n{"step": 2, "reward": 1}\n{"step": 3, "rew'
FIGURES = [({"reward": 0.5}, 1), ({"eval_pass@8": 0.25}, 1), ({"reward": 1}, 2)]


def calls(script, tracker, folder):
    done = subprocess.run([sys.executable, script, folder / "run-7", tracker, "mine"], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"})
    return [json.loads(line) for line in done.stdout.splitlines()]


def expect(got, wanted):
    wanted = json.loads(json.dumps(wanted))
    if got != wanted:
        sys.exit(f"expected {wanted}\ngot {got}")


with tempfile.TemporaryDirectory(prefix="grpo-trackers-") as name:
    folder = pathlib.Path(name)
    (folder / "run-7").mkdir()
    (folder / "run-7/metrics.jsonl").write_text(LINES)
    (folder / "run-7/config.json").write_text('{"seed": 3}')
    for tracker in ("wandb", "trackio", "mlflow"):
        (folder / f"{tracker}.py").write_text(STAND_IN)
    for tracker in ("wandb", "trackio"):
        expect(calls(sys.argv[1], tracker, folder), [("init", "mine", "run-7", {"seed": 3}), *(("log", *row) for row in FIGURES), ("finish",)])
    renamed = [({name.replace("@", "_"): value for name, value in figures.items()}, step) for figures, step in FIGURES]
    expect(calls(sys.argv[1], "mlflow", folder), [("set_experiment", "mine"), ("start_run", "run-7"), ("enter",),
                                                   ("log_dict", {"seed": 3}, "config.json"), *(("log_metrics", *row) for row in renamed), ("exit",)])
    refused = subprocess.run([sys.executable, sys.argv[1], folder / "run-7", "nothing"], capture_output=True, text=True)
    if refused.returncode == 0 or "track.py RUN" not in refused.stderr:
        sys.exit(f"expected a usage; got {refused.stderr}")

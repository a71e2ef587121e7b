#!/usr/bin/env python3
"""Gives the figures of a run to a tracker: examples/track.py RUN wandb|trackio|mlflow [PROJECT]

Nothing is sent anywhere unless the tracker itself is told to: with WANDB_MODE=offline, Weights & Biases writes ./wandb for a later `wandb
sync`; trackio keeps a database of its own; MLflow writes where MLFLOW_TRACKING_URI says, such as sqlite:///mlflow.db."""
import importlib
import json
import pathlib
import re
import sys


def lines_of(run):
    """(step, figures) of each line of metrics.jsonl; figures that were not finite are left out, and a last line that is half written."""
    for line in (run / "metrics.jsonl").read_text().splitlines():
        try:
            figures = json.loads(line)
        except json.JSONDecodeError:
            return
        step = figures.pop("step")
        yield step, {name: value for name, value in figures.items() if value is not None}


def main(folder, tracker, project="grpo"):
    run = pathlib.Path(folder)
    module = importlib.import_module(tracker)
    config = json.loads((run / "config.json").read_text()) if (run / "config.json").exists() else {}
    if tracker == "mlflow":  # whose names hold no '@', as in eval_pass@8
        module.set_experiment(project)
        with module.start_run(run_name=run.name):
            module.log_dict(config, "config.json")
            for step, figures in lines_of(run):
                module.log_metrics({re.sub(r"[^\w./ -]", "_", name): value for name, value in figures.items()}, step=step)
    else:
        module.init(project=project, name=run.name, config=config)
        for step, figures in lines_of(run):
            module.log(figures, step=step)
        module.finish()


if len(sys.argv) not in (3, 4) or sys.argv[2] not in ("wandb", "trackio", "mlflow"):
    sys.exit(__doc__)
main(*sys.argv[1:])

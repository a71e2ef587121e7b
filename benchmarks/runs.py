"""What the summaries of training runs read: metrics of a run folder, machine and commit."""
import json
import os
import platform
import subprocess


def metrics(run):
    with open(os.path.join(run, "metrics.jsonl")) as file:
        return [json.loads(line) for line in file]


def evaluations(run):
    return [row for row in metrics(run) if "eval_accuracy" in row]


def accuracy_points(run, name="eval_accuracy"):
    return [(row["step"], row[name]) for row in evaluations(run)]


def provenance(command):
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    return {"command": command, "commit": commit, "device": f"{len(names)} x {names[0]}" if names else platform.machine()}


def write_json(path, value):
    with open(path, "w") as file:
        json.dump(value, file, indent=1)
        file.write("\n")

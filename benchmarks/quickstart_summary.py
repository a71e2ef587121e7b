"""quickstart_summary.py RUNS RESULTS SEED…: what the seeds and controls of quickstart_seeds.sh gave, as quickstart.json and quickstart.svg."""
import json
import os
import platform
import subprocess
import sys


def evaluations(run):
    with open(os.path.join(run, "metrics.jsonl")) as file:
        return [row for row in map(json.loads, file) if "eval_accuracy" in row]


def processor():
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.machine()


def control(run):
    rows = evaluations(run)
    names = ("accuracy", "accuracy_greedy", "accuracy_lenient", "format")
    return {when: {name: row[f"eval_{name}"] for name in names} for when, row in (("before", rows[0]), ("after", rows[-1]))}


def curve(rows, steps, left, top, width, height):
    at = lambda row: f"{left + width * row['step'] / steps:.1f},{top + height * (1 - row['eval_accuracy']):.1f}"
    return " ".join(map(at, rows))


def picture(seeds, shuffled):
    """Held-out accuracy, sampled at temperature 1, of every seed (blue) and of the shuffled rewards (red), by step."""
    left, top, width, height = 56, 48, 560, 280
    steps = max(row["step"] for rows in seeds.values() for row in rows)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 110} {top + height + 56}" '
             'font-family="system-ui, sans-serif" font-size="12" fill="#333">',
             '<rect width="100%" height="100%" fill="#fff"/>',
             f'<text x="{left}" y="24" font-size="15" font-weight="600">Quick start: held-out accuracy at temperature 1, every seed</text>']
    for share in (0, 25, 50, 75, 100):
        y = top + height * (1 - share / 100)
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y}" y2="{y}" stroke="#ddd"/>'
                     f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{share}%</text>')
    for step in range(0, steps + 1, max(1, steps // 5)):
        parts.append(f'<text x="{left + width * step / steps:.1f}" y="{top + height + 20}" text-anchor="middle">{step}</text>')
    parts.append(f'<text x="{left + width / 2}" y="{top + height + 42}" text-anchor="middle">GRPO step</text>')
    for rows in seeds.values():
        parts.append(f'<polyline points="{curve(rows, steps, left, top, width, height)}" fill="none" stroke="#2563c9" stroke-opacity="0.55" stroke-width="1.6"/>')
    parts.append(f'<polyline points="{curve(shuffled, steps, left, top, width, height)}" fill="none" stroke="#c2410c" stroke-width="2"/>')
    label = lambda rows, text, colour: (f'<text x="{left + width + 8}" y="{top + height * (1 - rows[-1]["eval_accuracy"]) + 4:.1f}" fill="{colour}">{text}</text>')
    parts.append(label(next(iter(seeds.values())), f"{len(seeds)} seeds", "#2563c9"))
    parts.append(label(shuffled, "shuffled rewards", "#c2410c"))
    return "\n".join(parts) + "\n</svg>\n"


def main():
    runs, results, seeds = sys.argv[1], sys.argv[2], sys.argv[3:]
    summaries = []
    for seed in seeds:
        with open(os.path.join(runs, seed, "summary.json")) as file:
            summaries.append(json.load(file))
    gain = lambda name: [round(s["after"][name] - s["before"][name], 4) for s in summaries]
    passed = [s["after"]["accuracy"] - s["before"]["accuracy"] >= 0.40 and s["after"]["accuracy_greedy"] >= s["before"]["accuracy_greedy"] - 0.02
              and s["before"]["accuracy_greedy"] <= 0.60 and s["after"]["accuracy_lenient"] - s["before"]["accuracy_lenient"] >= 0.30 for s in summaries]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    result = {"command": "benchmarks/quickstart_seeds.sh " + " ".join(seeds), "commit": commit, "device": processor(),
              "seeds_that_meet_every_target": sum(passed), "seeds": len(summaries),
              "gain": {name: gain(name) for name in ("accuracy", "accuracy_greedy", "accuracy_lenient")},
              "training_seconds": [round(s["sft_seconds"] + s["rl_seconds"], 1) for s in summaries], "summaries": summaries,
              "controls": {"shuffled_rewards": control(os.path.join(runs, "shuffled")), "supervised_instead": control(os.path.join(runs, "supervised"))}}
    with open(os.path.join(results, "quickstart.json"), "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    with open(os.path.join(results, "quickstart.svg"), "w") as file:
        file.write(picture({seed: evaluations(os.path.join(runs, seed, "rl")) for seed in seeds}, evaluations(os.path.join(runs, "shuffled"))))
    print(f"{sum(passed)} of {len(passed)} seeds meet every target; gains {gain('accuracy')}")


if __name__ == "__main__":
    main()

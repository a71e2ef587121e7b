#!/usr/bin/env bash
# R1-Zero in a few minutes on a CPU: a tiny base model is made, then it learns to reason by reinforcement learning alone.
#   examples/quickstart.sh [--seed N] [--out DIR] [--no-install] [--config KEY=VALUE …]
# Writes DIR/base and DIR/rl (run folders, each with a Hugging Face folder `model`), DIR/rl/report.html and DIR/summary.json.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seed=0 out=runs/quickstart install=true settings=()
while [ $# -gt 0 ]; do
  case $1 in
    --seed) seed=${2:?expected a number after --seed}; shift ;;
    --out) out=${2:?expected a folder after --out}; shift ;;
    --no-install) install=false ;;
    --config) settings+=("${2:?expected KEY=VALUE after --config}"); shift ;;
    *) echo "expected --seed N, --out DIR, --no-install or --config KEY=VALUE; got $1" >&2; exit 2 ;;
  esac
  shift
done

if $install; then
  cmake/bootstrap.sh
  tests=()  # GoogleTest is not needed here; a build folder that is there keeps what it has
  [ -e build/cpu/CMakeCache.txt ] || tests=(-DGRPO_BUILD_TESTS=OFF)
  cmake --preset cpu ${tests[@]+"${tests[@]}"} >/dev/null
  cmake --build --preset cpu --target grpo_program
fi
grpo=${GRPO_PROGRAM:-build/cpu/bin/grpo}
rm -rf "$out/base" "$out/rl" "$out/summary.json"

echo "1/3 base model: supervised on demonstrations that sometimes reason and often guess"
began=$EPOCHREALTIME
"$grpo" sft configs/quickstart_base.json "trainer.output_dir=$out/base" "trainer.seed=$seed" "data.train.seed=$((1000 + seed))"
trained=$EPOCHREALTIME
echo "2/3 reinforcement learning: accuracy and format rewards, nothing else"
"$grpo" train configs/quickstart.json "model.path=$out/base/model" "trainer.output_dir=$out/rl" "trainer.seed=$seed" \
  "data.train.seed=$((2000 + seed))" ${settings[@]+"${settings[@]}"}
ended=$EPOCHREALTIME
echo "3/3 report"
"$grpo" report "$out/rl"
python3 - "$out" "$seed" "$began" "$trained" "$ended" <<'PYTHON'
import json, os, sys
out, seed = sys.argv[1], int(sys.argv[2])
began, trained, ended = (float(at.replace(",", ".")) for at in sys.argv[3:])

with open(os.path.join(out, "rl", "metrics.jsonl")) as file:
    rl = [json.loads(line) for line in file]
evaluations = [row for row in rl if "eval_accuracy" in row]
evaluating = sum(row["eval_seconds"] for row in evaluations)
names = {"accuracy": "eval_accuracy", "accuracy_greedy": "eval_accuracy_greedy", "format": "eval_format", "accuracy_lenient": "eval_accuracy_lenient"}
summary = {"seed": seed,
           "before": {name: evaluations[0][key] for name, key in names.items()},
           "after": {name: evaluations[-1][key] for name, key in names.items()},
           # wall clock of the whole stages, start and saving included, evaluation apart
           "sft_seconds": round(trained - began, 1), "rl_seconds": round(ended - trained - evaluating, 1),
           "eval_seconds": round(evaluating, 1),
           "steps": max(row["step"] for row in rl), "held_out_problems": int(evaluations[-1]["eval_samples"])}
with open(os.path.join(out, "summary.json"), "w") as file:
    json.dump(summary, file, indent=2)
    file.write("\n")
before, after = summary["before"], summary["after"]
print(f"held-out accuracy: sampled {before['accuracy']:.1%} -> {after['accuracy']:.1%}, greedy {before['accuracy_greedy']:.1%} -> {after['accuracy_greedy']:.1%}")
print(f"training time: {summary['sft_seconds']} s + {summary['rl_seconds']} s; see {out}/rl/report.html and {out}/summary.json")
PYTHON

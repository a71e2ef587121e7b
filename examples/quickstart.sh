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

stages=()
# done_with NAME: ends a stage and notes its seconds.
done_with() { stages+=("$1 $((SECONDS - stage_began)) s"); stage_began=$SECONDS; }
stage_began=$SECONDS

# build TARGET…: with ninja's own line of progress.
build() { NINJA_STATUS='[%f/%t, %es] ' cmake --build build/cpu -j "$(cmake/jobs.sh)" --target "$@"; }

if $install; then
  fresh=true
  [ ! -e build/cpu/CMakeCache.txt ] || fresh=false
  if $fresh; then
    echo "In all about eight minutes on two cores: packages (1), LibTorch, 0.6 GB, beside the first half of the build (1), the rest (2), training (4)."
  fi
  cmake/bootstrap.sh --packages
  PATH=$PWD/build/system/tools:$PATH:$PWD/.venv/bin  # what the bootstrap put there where there is no root
  done_with packages
  if $fresh; then  # LibTorch comes while what does without it is compiled; GoogleTest is not needed here
    cmake/bootstrap.sh --torch &
    torch=$!
    trap 'kill $torch 2>/dev/null || true' EXIT
    cmake --preset cpu -DGRPO_BUILD_TESTS=OFF -DGRPO_TORCH=OFF >/dev/null
    build all
    while kill -0 $torch 2>/dev/null; do
      printf '\rLibTorch: %s of about 1300 MB ' "$(du -sm .venv 2>/dev/null | cut -f1)"
      sleep 2
    done
    printf '\n'
    wait $torch || { echo "LibTorch could not be installed: see above" >&2; exit 1; }
    trap - EXIT
    done_with "LibTorch and first half of the build"
  else
    cmake/bootstrap.sh --torch
  fi
  cmake --preset cpu -DGRPO_TORCH=ON >/dev/null  # a build folder that was there keeps its other options
  build grpo_program
  done_with build
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
done_with training
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
done_with report
printf 'seconds by stage: %s\n' "$(IFS=,; echo "${stages[*]}")" | sed 's/,/, /g'

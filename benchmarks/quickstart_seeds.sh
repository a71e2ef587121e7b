#!/usr/bin/env bash
# The quick start over many seeds, with two controls each for the first: shuffled rewards, and more supervised training instead of RL.
#   benchmarks/quickstart_seeds.sh [--out DIR] [--results DIR] [SEED …]      (default: seeds 0 to 9; about four minutes each)
# Writes RESULTS/quickstart.json and RESULTS/quickstart.svg; a seed whose summary.json stands in DIR is not run again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=runs/quickstart_seeds results=benchmarks/results seeds=()
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=${2:?expected a folder after --out}; shift ;;
    --results) results=${2:?expected a folder after --results}; shift ;;
    *) seeds+=("$1") ;;
  esac
  shift
done
[ ${#seeds[@]} -gt 0 ] || seeds=(0 1 2 3 4 5 6 7 8 9)
grpo=${GRPO_PROGRAM:-build/cpu/bin/grpo}
mkdir -p "$out"

for seed in "${seeds[@]}"; do
  [ -s "$out/$seed/summary.json" ] || examples/quickstart.sh --no-install --seed "$seed" --out "$out/$seed"
done

first=${seeds[0]}
base=$out/$first/base/model
if [ ! -d "$out/shuffled/model" ]; then
  "$grpo" train configs/quickstart.json "model.path=$base" "trainer.output_dir=$out/shuffled" "trainer.seed=$first" \
    "data.train.seed=$((2000 + first))" trainer.shuffle_rewards=true
fi
if [ ! -d "$out/supervised/model" ]; then
  seconds=$(python3 -c "import json; print(json.load(open('$out/$first/summary.json'))['rl_seconds'])")
  "$grpo" sft configs/quickstart_more_sft.json "model.path=$base" "trainer.output_dir=$out/supervised" \
    "trainer.seed=$((100 + first))" "data.train.seed=$((3000 + first))" "trainer.max_seconds=$seconds"
fi
python3 benchmarks/quickstart_summary.py "$out" "$results" "${seeds[@]}"

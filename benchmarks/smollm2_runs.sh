#!/usr/bin/env bash
# The real model on real and generated data, on the CPU: SmolLM2-135M-Instruct on GSM8K (20 steps, and its first two steps twice more), then
# a cold start and GRPO on arithmetic.
#   benchmarks/smollm2_runs.sh --gsm8k FOLDER [--out DIR] [--results DIR]      (about 45 minutes on two cores)
# FOLDER holds GSM8K's train.jsonl and test.jsonl. Writes RESULTS/smollm2_gsm8k.json, smollm2_arithmetic.json and .svg; what stands in DIR
# already is not run again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=runs/smollm2 results=benchmarks/results gsm8k=
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=${2:?expected a folder after --out}; shift ;;
    --results) results=${2:?expected a folder after --results}; shift ;;
    --gsm8k) gsm8k=${2:?expected a folder after --gsm8k}; shift ;;
    *) echo "expected --gsm8k FOLDER, --out DIR or --results DIR; got $1" >&2; exit 2 ;;
  esac
  shift
done
[ -s "$gsm8k/train.jsonl" ] || { echo "expected --gsm8k FOLDER with train.jsonl and test.jsonl; got '$gsm8k'" >&2; exit 2; }
grpo=${GRPO_PROGRAM:-build/cpu/bin/grpo}
examples/get_smollm2.sh
mkdir -p "$out"

# run NAME COMMAND CONFIG SETTING…: a run folder of its own, once.
run() {
  [ -d "$out/$1/model" ] || "$grpo" "$2" "$3" --resume "trainer.output_dir=$out/$1" "${@:4}"
}
data=("data.train.path=$gsm8k/train.jsonl" "eval.data.path=$gsm8k/test.jsonl")
run gsm8k train configs/r1_zero_smollm2_gsm8k.json "${data[@]}"
run repeat1 train configs/r1_zero_smollm2_gsm8k.json "${data[@]}" max_steps=2
run repeat2 train configs/r1_zero_smollm2_gsm8k.json "${data[@]}" max_steps=2
run cold_start sft configs/smollm2_arithmetic_sft.json
run arithmetic train configs/smollm2_arithmetic.json "model.path=$out/cold_start/model"
python3 benchmarks/smollm2_summary.py "$out" "$results"

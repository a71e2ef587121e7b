#!/usr/bin/env bash
# What a resume takes beside a fresh start: peaks of memory in MiB, anonymous and of mapped files, and seconds from start to end, of a new model with
# 50 million parameters that makes two steps of supervised training, then of the run that goes on from there for two more.
#   benchmarks/resume_memory.sh [--out DIR] [NAME=VALUE …]      further settings of the config, such as model.lora.rank=8
# /proc/PID/status is read every 10 ms, so peaks that are shorter may be missed; VmHWM is the system's own and misses none.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=runs/resume_memory settings=()
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=${2:?expected a folder after --out}; shift ;;
    *) settings+=("$1") ;;
  esac
  shift
done
grpo=${GRPO_PROGRAM:-build/cpu/bin/grpo}
rm -rf "$out"
mkdir -p "$out"

# measured NAME ARGUMENT…: runs the program and prints a line of the table.
measured() {
  local name=$1 anonymous=0 mapped=0 peak=0 key value begin=$EPOCHREALTIME
  shift
  "$grpo" "$@" >"$out/$name.log" 2>&1 &
  local process=$!
  while [ -e "/proc/$process/status" ]; do
    while read -r key value _; do
      case $key in
        RssAnon:) anonymous=$((value > anonymous ? value : anonymous)) ;;
        RssFile:) mapped=$((value > mapped ? value : mapped)) ;;
        VmHWM:) peak=$value ;;
      esac
    done <"/proc/$process/status" || true
    sleep 0.01
    if ! kill -0 $process 2>/dev/null; then break; fi
  done 2>/dev/null
  wait $process || { tail -n 3 "$out/$name.log" >&2; exit 1; }
  printf '%-8s RssAnon %6d  RssFile %6d  VmHWM %6d  %5.1f s\n' "$name" $((anonymous / 1024)) $((mapped / 1024)) $((peak / 1024)) \
    "$(awk "BEGIN { print $EPOCHREALTIME - $begin }")"
}

run=(sft configs/quickstart_base.json "trainer.output_dir=$out/run" model.new.hidden_size=640 model.new.intermediate_size=1760
     model.new.num_hidden_layers=10 model.new.num_attention_heads=10 model.new.num_key_value_heads=10 data.train.count=64
     trainer.batch_size=8 trainer.max_seconds=0 save_steps=0 "${settings[@]}")
measured fresh "${run[@]}" max_steps=2
measured resume "${run[@]}" max_steps=4 --resume

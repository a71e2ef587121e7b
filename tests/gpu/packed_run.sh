#!/usr/bin/env bash
# Tests of a GPU, then benchmarks; writes one JSON report: run [--sanitizer] [--output FILE]
# Needs an NVIDIA GPU, its driver and torch 2.11 with CUDA (Torch_ROOT, or what python3 imports). Takes less than 8 minutes.
# Exit status 0 only where all tests passed.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command_line="$0 $*"
output=$here/report.json sanitizer=false
while [ $# -gt 0 ]; do
  case $1 in
    --sanitizer) sanitizer=true ;;
    --output) output=${2:?expected a file after --output}; shift ;;
    *) echo "expected --sanitizer or --output FILE; got $1" >&2; exit 2 ;;
  esac
  shift
done

fail() { echo "$1" >&2; exit 1; }
gpu=$(nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv,noheader 2>/dev/null | head -n 1)
[ -n "$gpu" ] || fail "no GPU: expected an NVIDIA GPU and its driver (nvidia-smi); got none. Nothing was run."
torch=${Torch_ROOT:-$(python3 -c 'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")' 2>/dev/null)}
[ -e "$torch/lib/libtorch_cuda.so" ] || fail "expected torch 2.11 with CUDA in Torch_ROOT or in python3; got '$torch'"
libraries=$here/lib:$torch/lib
for folder in "$torch"/../nvidia/*/lib; do libraries+=:$folder; done
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
[ -d "$here/parity" ] && export GRPO_PARITY_DIR=$here/parity CI=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0 suites=()

# suite NAME SECONDS COMMAND…: a test program; its own report stands in the whole one.
suite() {
  local name=$1 limit=$2 begin=$SECONDS code=0
  shift 2
  echo "=== $name"
  timeout "$limit" "$@" --gtest_output="json:$work/$name.json" >"$work/$name.log" 2>&1 || code=$?
  tail -n 40 "$work/$name.log"
  [ $code -eq 0 ] || status=1
  [ -s "$work/$name.json" ] || echo null >"$work/$name.json"  # it crashed, or was stopped after its time
  suites+=("\"$name\": {\"exit_status\": $code, \"seconds\": $((SECONDS - begin)), \"tests\": $(cat "$work/$name.json")}")
}

if $sanitizer; then
  command -v compute-sanitizer >/dev/null || fail "expected compute-sanitizer of the CUDA toolkit on PATH; got none"
  for tool in memcheck racecheck synccheck; do suite "kernels_$tool" 900 compute-sanitizer --tool "$tool" --error-exitcode 9 "$here/bin/gpu_kernels"; done
else
  suite kernels 100 "$here/bin/gpu_kernels"
  suite rollout 70 "$here/bin/gpu_rollout"
  suite training 110 "$here/bin/gpu_training"
  # benchmark SECONDS PROGRAM OPTION…
  benchmark() {
    echo "=== ${*:2}"
    timeout "$1" "$here/bin/$2" "${@:3}" 2>&1 | tee -a "$work/benchmarks.log"
  }
  benchmark 70 benchmark_cuda --shape qwen2.5-0.5b
  benchmark 30 benchmark_cuda_kernels --shape qwen2.5-0.5b
  benchmark 30 benchmark_cuda_kernels --shape qwen3-0.6b
  benchmark 60 benchmark_cuda --shape smollm2-135m
  grep '^{' "$work/benchmarks.log" >"$work/rows"
fi

quoted() { printf '"%s"' "$(printf %s "$1" | sed 's/\\/\\\\/g; s/"/\\"/g')"; }
joined() { local IFS=,; echo "$*"; }
touch "$work/rows"
cat >"$output" <<JSON
{"device": $(quoted "$gpu"), "torch": $(quoted "$(grep -o "__version__ = '[^']*" "$torch/version.py" | cut -d"'" -f2)"),
 "commit": $(quoted "$(cat "$here/commit")"), "command": $(quoted "$command_line"), "seconds": $SECONDS, "passed": $([ $status -eq 0 ] && echo true || echo false),
 "suites": {$(joined "${suites[@]}")},
 "benchmarks": [$(paste -sd, "$work/rows")]}
JSON
echo "report: $output ($SECONDS s)"
exit $status

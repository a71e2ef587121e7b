#!/usr/bin/env bash
# Gets what is missing, builds and tests: tests/run.sh [--build-only] [--full] [--label L]
#   --build-only  stops after the build of the preset cpu
#   --label L     builds the preset cpu and runs only the tests with that ctest label (a room, parity, layering, install)
#   --full        adds what CI has no time for: 200 runs under random signals, clang-tidy on all files, a build without batches and precompiled headers, and quick start
#                 and tests on bare Debian 12 and 13, by the script GRPO_FRESH_MACHINE that runs a command in one (needs root)
# Warnings are errors where CI is set, as with the preset dev. GRPO_REQUIRE_NVCC=1 gets an nvcc where there is none, and makes a
# missing one a failure. The last line counts the tests of all ctest runs and, as one each, the other stages.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build_only=false full=false label=
while [ $# -gt 0 ]; do
  case $1 in
    --build-only) build_only=true ;;
    --full) full=true ;;
    --label) label=${2:?expected a label after --label}; shift ;;
    *) echo "expected --build-only, --full or --label L; got $1" >&2; exit 2 ;;
  esac
  shift
done

jobs=$(cmake/jobs.sh)
passed=0 failed=0 failures=()
export OMP_WAIT_POLICY=passive  # several test programs share the cores
if $full; then export GRPO_CHAOS_TRIALS=200; fi  # random signals to small runs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

summary() {
  printf '\n'
  if [ -s "$work/slowest" ]; then
    printf 'slowest tests: %s\n' "$(sort -rg "$work/slowest" | head -n 3 | awk '{ printf "%s%s (%.0f s)", NR > 1 ? ", " : "", $2, $1 }')"
  fi
  [ ${#failures[@]} -eq 0 ] || printf 'failed: %s\n' "${failures[@]}"
  printf 'total %d s\n%d passed, %d failed\n' "$SECONDS" "$passed" "$failed"
  [ "$failed" -eq 0 ]
  exit
}

# stage NAME COMMAND…: one test of its own unless the command is run_ctest, which counts for itself.
stage() {
  local name=$1 begin=$SECONDS status=0
  shift
  printf '\n=== %s\n' "$name"
  "$@" || status=$?
  if [ "$1" != run_ctest ]; then
    if [ $status -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  fi
  [ $status -eq 0 ] || failures+=("$name")
  printf -- '--- %s: %s in %d s\n' "$name" "$([ $status -eq 0 ] && echo ok || echo FAILED)" $((SECONDS - begin))
  return $status
}

# build PRESET TARGET…: configures and builds (everything where no target is named).
build() {
  local preset=$1 werror=OFF
  shift
  if [ -n "${CI:-}" ] && [[ $preset =~ ^(cpu|plain|clang)$ ]]; then werror=ON; fi
  cmake --preset "$preset" -DGRPO_BUILD_TESTS=ON -DGRPO_BUILD_BENCHMARKS=ON -DGRPO_WERROR=$werror >"$work/configure.log" 2>&1 || { cat "$work/configure.log"; return 1; }
  cmake --build --preset "$preset" -j "$jobs" ${1:+--target "$@"} >"$work/build.log" 2>&1 || { grep -v '^\[[0-9]*/[0-9]*\] [BL]' "$work/build.log"; return 1; }
}

# run_ctest PRESET ARGUMENT…
run_ctest() {
  local status=0 kind
  local -A count=([tests]=0 [failures]=0 [disabled]=0 [skipped]=0)
  local personality=()
  # Some systems randomise addresses by more bits than ThreadSanitizer copes with.
  if [ "$1" = tsan ] && setarch -R true 2>/dev/null; then personality=(setarch -R); fi
  rm -f "$work/ctest.xml"
  "${personality[@]}" ctest --preset "$1" -j "$jobs" --no-tests=error --output-junit "$work/ctest.xml" "${@:2}" >"$work/ctest.log" 2>&1 || status=$?
  grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed|^ *Start ' "$work/ctest.log"
  for kind in "${!count[@]}"; do
    count[$kind]=$(sed -n "s/^\s*$kind=\"\([0-9]*\)\"$/\1/p" "$work/ctest.xml" | head -n 1)
  done
  sed -n 's/.*<testcase name="\([^"]*\)".* time="\([0-9.]*\)".*/\2 \1/p' "$work/ctest.xml" >>"$work/slowest"
  passed=$((passed + count[tests] - count[failures] - count[disabled] - count[skipped]))
  failed=$((failed + count[failures]))
  if [ $status -ne 0 ] && [ "$((count[failures]))" -eq 0 ]; then failed=$((failed + 1)); fi  # ctest itself failed
  return $status
}

sources() { find "$@" -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' | sort; }

check_format() { sources include src kernels tests examples benchmarks | xargs clang-format --dry-run --Werror; }

# What changed since origin/main (in the last commit where that is where we are), and of the torch-free rooms in the last 30 commits;
# everything with --full.
tidy_files() {
  local rooms=(core io data jinja text sandbox reward report) base earlier
  if $full; then
    find src kernels -name '*.cpp'
    return
  fi
  base=$(git merge-base HEAD origin/main 2>/dev/null)
  if [ -z "$base" ] || [ "$base" = "$(git rev-parse HEAD)" ]; then base=HEAD~1; fi
  {
    if earlier=$(git rev-parse -q --verify HEAD~30); then
      git diff --name-only --diff-filter=d "$earlier" -- "${rooms[@]/#/src/}"
    else
      find "${rooms[@]/#/src/}"
    fi
    git diff --name-only --diff-filter=d "$base" -- src kernels 2>/dev/null
  } | grep '\.cpp$' | sort -u
}
# Some files need CUDA's headers, which are not there with every build. The commands are those of a build that compiles each file alone.
check_tidy() {
  cmake --preset plain >"$work/configure.log" 2>&1 || { cat "$work/configure.log"; return 1; }
  tidy_files | grep -vE '^kernels/cuda/gpu/|^src/ops/cuda_torch\.cpp|^src/dist/nccl\.cpp' | xargs -P "$jobs" -n 1 clang-tidy -p build/plain --quiet --extra-arg=-Wno-unknown-warning-option 2>/dev/null
}

find_nvcc() { PATH=$(printf '%s:' "$PATH" /usr/local/cuda/bin .venv/lib/python3*/site-packages/nvidia/cu13/bin) command -v nvcc; }
check_nvcc() {
  local nvcc
  nvcc=$(find_nvcc) || { echo "expected nvcc of the CUDA toolkit; got none on PATH"; return 1; }
  find kernels -name '*.cu' -print0 | xargs -0 -r -P "$jobs" -I{} sh -c \
    'out=$(mktemp) && "$0" -std=c++17 -O2 -arch=sm_90 -I kernels -I include -c "$1" -o "$out"; status=$?; rm -f "$out"; exit $status' "$nvcc" {}
}

# Quick start and tests on a bare Debian SUITE in a folder that is kept.
fresh_machine=${GRPO_FRESH_MACHINE:-../shared/tools/fresh_machine.sh}
on_bare() {
  local log=$work/bare.log status=0
  SUITE=$1 "$fresh_machine" "/var/tmp/grpo-$1" . 'examples/quickstart.sh && tests/run.sh' >"$log" 2>&1 || status=$?
  grep -E '^(---|seconds by stage|failed|total|[0-9]+ passed)' "$log"
  [ $status -eq 0 ] || tail -n 20 "$log"
  return $status
}

require_nvcc=${GRPO_REQUIRE_NVCC:-0}
if [ "$require_nvcc" = 1 ]; then bootstrap=(--tests --nvcc); else bootstrap=(--tests); fi
stage bootstrap cmake/bootstrap.sh "${bootstrap[@]}" || summary
PATH=$PWD/build/system/tools:$PATH:$PWD/.venv/bin  # what the bootstrap put there where there is no root
stage "build cpu" build cpu || summary
if $build_only; then summary; fi
if [ -n "$label" ]; then
  stage "tests labelled $label" run_ctest cpu -L "^$label\$"
  summary
fi

stage tests run_ctest cpu
stage headers build cpu all_verify_interface_header_sets
stage docs build cpu docs
stage "build clang" build clang grpo_program test_kernels test_optim && stage "tests clang" run_ctest clang -L '^(kernels|optim)$' -E cuda_benchmark
stage "build asan" build asan && stage "tests asan" run_ctest asan -LE '^fuzz$' && stage fuzz run_ctest asan -L '^fuzz$'
stage "build tsan" build tsan test_core test_reward && stage "tests tsan" run_ctest tsan -L '^(core|reward)$'
stage "newest torch, static, as a subproject" tests/install/newest_torch.sh "$jobs"
# Other versions of clang's tools format and judge differently.
if clang-format --version | grep -q 'version 14\.'; then
  stage format check_format
  stage tidy check_tidy
else
  printf '\n=== format and tidy are left out: they are pinned to clang 14\n'
fi
if [ "$require_nvcc" = 1 ] || find_nvcc >/dev/null; then stage nvcc check_nvcc; fi
if $full; then
  stage "build without batches and precompiled headers" build plain
  if [ -x "$fresh_machine" ] && [ "$(id -u)" = 0 ]; then
    stage "bare Debian 12" on_bare bookworm
    stage "bare Debian 13" on_bare trixie
  else
    printf '\n=== bare systems are left out: they need root and GRPO_FRESH_MACHINE\n'
  fi
fi
summary

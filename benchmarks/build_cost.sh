#!/usr/bin/env bash
# What building costs, as multiples of one reference file (ATen.h and json.hpp, -O2) compiled in the same run, without ccache. As many
# copies of the reference file are compiled at once as the build has compilers, since a busy core's other thread costs time.
#   benchmarks/build_cost.sh [--preset cpu] [--headers] [--increments] [--define NAME=VALUE …]
#   --headers     also what it costs to include each public header alone, with the flags of a user's program
#   --increments  also the seconds from touching the largest source and the largest public header of each room to a linked program
# Prints JSON lines: CPU seconds and multiples of each room and of the whole program, then headers, then increments. Needs what
# cmake/bootstrap.sh gets. The build stands in a temporary folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=cpu headers=false increments=false defines=()
while [ $# -gt 0 ]; do
  case $1 in
    --preset) preset=${2:?expected a preset after --preset}; shift ;;
    --headers) headers=true ;;
    --increments) increments=true ;;
    --define) defines+=("-D${2:?expected NAME=VALUE after --define}"); shift ;;
    *) echo "expected --preset NAME, --headers, --increments or --define NAME=VALUE; got $1" >&2; exit 2 ;;
  esac
  shift
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export BUILD_COST_LOG=$work/times GRPO_SOURCE_DIR=$PWD
# The launcher stands before each compiler call and notes its CPU seconds, its wall seconds and its output.
cat >"$work/launcher" <<'LAUNCHER'
#!/usr/bin/env bash
output=
for ((i = 1; i < $#; ++i)); do [ "${!i}" != -o ] || { next=$((i + 1)); output=${!next}; }; done
TIMEFORMAT='%U %S %R'
exec 3>&1 4>&2
taken=$({ time "$@" 1>&3 2>&4; } 2>&1) && status=0 || status=$?
printf '%s %s\n' "$taken" "$output" >>"$BUILD_COST_LOG"
exit $status
LAUNCHER
chmod +x "$work/launcher"

cmake --preset "$preset" -B "$work/build" -DGRPO_BUILD_TESTS=OFF -DGRPO_BUILD_EXAMPLES=OFF -DGRPO_BUILD_BENCHMARKS=OFF \
  -DCMAKE_CXX_COMPILER_LAUNCHER="$work/launcher" "${defines[@]}" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }

# seconds SOURCE: the CPU seconds of compiling it, the least mean of three rounds of as many copies as there are threads
seconds() {
  local TIMEFORMAT='%U %S' round
  for round in 1 2 3; do
    { time { for ((copy = 0; copy < $(nproc); ++copy)); do "${user[@]}" -Iinclude -O2 -c "$1" -o "$work/copy$copy.o" & done; wait; } } 2>&1 |
      awk -v copies="$(nproc)" '{ printf "%.3f\n", ($1 + $2) / copies }'
  done | sort -g | head -n 1
}
compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$work/build/CMakeCache.txt")
torch=$(sed -n 's/^LibTorch_INCLUDE_DIR:PATH=//p' "$work/build/CMakeCache.txt")
user=("$compiler" -std=c++20 -isystem "$torch" -isystem "$torch/torch/csrc/api/include")
printf '#include <ATen/ATen.h>\n#include <nlohmann/json.hpp>\n' >"$work/reference.cpp"
reference=$(seconds "$work/reference.cpp")
multiple() { awk -v cpu="$1" -v reference="$reference" 'BEGIN { printf "%.2f", cpu / reference }'; }
printf '{"compiler": "%s", "preset": "%s", "commit": "%s", "threads": %d, "reference_cpu_seconds": %s}\n' \
  "$("$compiler" --version | head -n 1)" "$preset" "$(git rev-parse --short HEAD 2>/dev/null || true)" "$(nproc)" "$reference"

began=$EPOCHREALTIME
cmake --build "$work/build" --target grpo_program >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
wall=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
awk -v reference="$reference" -v wall="$wall" '
  { room = $4; sub(/\.dir\/.*/, "", room); sub(/.*\//, "", room); sub(/^grpo_/, "", room); sub(/^kernels_.*/, "kernels", room)
    if (room == "") next
    cpu[room] += $1 + $2; files[room]++; all += $1 + $2; number++ }
  END {
    for (room in cpu) printf "{\"room\": \"%s\", \"files\": %d, \"cpu_seconds\": %.1f, \"multiple\": %.2f}\n", room, files[room], cpu[room], cpu[room] / reference | "sort"
    close("sort")
    printf "{\"target\": \"grpo_program\", \"files\": %d, \"cpu_seconds\": %.1f, \"multiple\": %.2f, \"wall_seconds\": %s}\n", number, all, all / reference, wall }
' "$BUILD_COST_LOG"

if $headers; then
  mkdir "$work/headers"
  for header in $(cd include && find grpo -name '*.h' | sort); do printf '#include <%s>\n' "$header" >"$work/headers/${header//\//:}.cpp"; done
  find "$work/headers" -name '*.cpp' -print0 |
    BUILD_COST_LOG=$work/header_times xargs -0 -P "$(nproc)" -I{} "$work/launcher" "${user[@]}" -Iinclude -O2 -c {} -o {}.o
  sort -k4 "$work/header_times" | while read -r user_seconds system_seconds _ output; do
    header=$(basename "$output" .cpp.o)
    cpu=$(awk -v a="$user_seconds" -v b="$system_seconds" 'BEGIN { printf "%.2f", a + b }')
    printf '{"header": "%s", "cpu_seconds": %s, "multiple": %s}\n' "${header//://}" "$cpu" "$(multiple "$cpu")"
  done
fi

if $increments; then
  for room in $(ls src); do
    for kind in "src/$room/*.cpp" "include/grpo/$room/*.h"; do
      # shellcheck disable=SC2086  # the pattern is to be expanded
      file=$(ls -S $kind 2>/dev/null | grep -vE '/(cuda|nccl|no_[a-z]+)(_[a-z]+)?\.cpp$' | head -n 1) || true
      [ -n "$file" ] || continue
      touch "$file"
      began=$EPOCHREALTIME
      cmake --build "$work/build" --target grpo_program >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
      printf '{"touched": "%s", "wall_seconds": %s}\n' "$file" "$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')"
    done
  done
fi

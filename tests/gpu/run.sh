#!/usr/bin/env bash
# Builds the tests and benchmarks of a GPU, packs them into one folder and, where there is a GPU, runs them:
#   tests/gpu/run.sh [--pack-only] [--sanitizer] [--output FILE] [--folder DIR]
#   --pack-only   stops after packing: the folder runs on any machine with an NVIDIA GPU and torch 2.11, by its own `run`
#   --sanitizer   kernel tests under compute-sanitizer instead of all tests and benchmarks
#   --output FILE the JSON report; default: report.json in the folder
#   --folder DIR  the folder to pack; default: build/gpu-suite
# Needs nvcc 13 and a torch 2.11 with CUDA (Torch_ROOT, or what python3 imports). Fixtures are taken from GRPO_PARITY_DIR, else from
# ../shared/data/parity. Exit status 0 only where all tests passed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

pack_only=false suite=build/gpu-suite arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --pack-only) pack_only=true ;;
    --sanitizer) arguments+=(--sanitizer) ;;
    --output) arguments+=(--output "$(realpath -m "${2:?expected a file after --output}")"); shift ;;
    --folder) suite=${2:?expected a folder after --folder}; shift ;;
    *) echo "expected --pack-only, --sanitizer, --output FILE or --folder DIR; got $1" >&2; exit 2 ;;
  esac
  shift
done
limit_mib=48  # with the working tree it travels in 64
fixtures=${GRPO_PARITY_DIR:-../shared/data/parity}
programs=(gpu_kernels gpu_rollout gpu_training benchmark_cuda benchmark_cuda_kernels)

build() {
  cmake --preset cuda -B build/gpu -DCMAKE_CUDA_ARCHITECTURES='90-real;90-virtual' -DGRPO_BUILD_TESTS=ON -DGRPO_BUILD_BENCHMARKS=ON \
    -DGRPO_BUILD_EXAMPLES=OFF -DGRPO_HIDE=OFF ${Torch_ROOT:+-DTorch_ROOT="$Torch_ROOT"}
  cmake --build build/gpu -j "$(nproc)" --target "${programs[@]}" grpo_program
}

# What a program needs beside torch, CUDA's libraries and the system's own.
small_libraries() {
  ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
    grep -vE '/(torch|nvidia|cuda[^/]*)/|/lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+|gomp|util|resolv)\.so|/libgrpo\.so'
}

pack() {
  rm -rf "$suite"
  mkdir -p "$suite/bin" "$suite/lib"
  cp build/gpu/tests/gpu_* "$suite/bin/"
  find "$suite/bin" -type f ! -perm -u+x -delete
  cp build/gpu/benchmarks/benchmark_cuda{,_kernels} build/gpu/bin/grpo "$suite/bin/"
  cp -P build/gpu/libgrpo.so* "$suite/lib/"
  small_libraries build/gpu/libgrpo.so "$suite"/bin/* | while read -r library; do cp -L "$library" "$suite/lib/"; done
  find "$suite/bin" "$suite/lib" -type f -exec strip --strip-unneeded {} +
  if [ -d "$fixtures/models" ]; then
    mkdir -p "$suite/parity"
    cp -r "$fixtures/models" "$fixtures/trl" "$suite/parity/"
  else
    echo "no fixtures in $fixtures: parity tests will be skipped (set GRPO_PARITY_DIR)" >&2
  fi
  git rev-parse HEAD >"$suite/commit" 2>/dev/null || echo unknown >"$suite/commit"
  cp tests/gpu/packed_run.sh "$suite/run"
  local kib
  kib=$(du -sk "$suite" | cut -f1)
  printf 'packed %s: %d.%d MiB\n' "$suite" $((kib / 1024)) $((kib % 1024 * 10 / 1024))
  [ "$kib" -le $((limit_mib * 1024)) ] || { echo "expected at most $limit_mib MiB" >&2; return 1; }
}

command -v nvcc >/dev/null || { echo "expected nvcc of the CUDA toolkit 13 on PATH; got none" >&2; exit 1; }
build
pack
$pack_only || exec "$suite/run" "${arguments[@]}"

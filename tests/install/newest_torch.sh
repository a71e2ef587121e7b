#!/usr/bin/env bash
# The other end of the range of LibTorch versions, and the other ways to use libgrpo, in one build: as a part of somebody's project, static,
# against the newest torch; then installed and found by find_package. newest_torch.sh [JOBS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
jobs=${1:-2} work=$PWD/build/newest-torch
cmake/bootstrap.sh --newest-torch
torch=$(echo "$PWD"/build/torch-newest/torch)
cmake -G Ninja -S tests/install/subproject -B "$work" -DGRPO_SOURCE="$PWD" -DTorch_ROOT="$torch" -DCMAKE_BUILD_TYPE=Release -DGRPO_SHARED=OFF \
  -DGRPO_INSTALL=ON -DGRPO_BATCHES=ON -DGRPO_GLOO=ON -DGRPO_WERROR=ON
cmake --build "$work" -j "$jobs"
[ -z "$(find "$work" -name 'libgrpo.so*')" ]

"$work/trainer" info
run=$work/run
rm -rf "$run"
"$work/trainer" sft configs/quickstart_base.json trainer.max_steps=2 trainer.output_dir="$run"
"$work/trainer" train configs/quickstart.json model.path="$run/model" trainer.output_dir="$run-rl" trainer.max_steps=2 eval.at_start=false \
  eval.at_end=false reward='[{"name": "digits"}]' trainer.save_steps=0

rm -rf "$work/install-test"
cmake --install "$work" --prefix "$work/install-test/prefix" >/dev/null
tests/install/check.sh consumer "$work" "$torch" "${CXX:-c++}"

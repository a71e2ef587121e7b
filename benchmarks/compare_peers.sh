#!/usr/bin/env bash
# Ours and the Python peers (TRL with transformers, llama.cpp) on identical work, in alternation in one run:
#   benchmarks/compare_peers.sh --peers DIR --python VENV/bin/python [--rounds 3] [--workloads NAME,…] [--wrap "taskset -c 0,1"]
# DIR holds the peers' scripts, and its README says what VENV needs. Fails where the work was not equal. Writes
# benchmarks/results/compare_peers.json; --help names every option and workload.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/compare_peers.py" "$@"

#!/usr/bin/env bash
# A job of a Slurm cluster: sbatch [--ntasks=4] examples/slurm.sh CONFIG.json. Tasks train data parallel, on one node or several that share the
# run folder; they meet on the first node (MASTER_ADDR and MASTER_PORT say otherwise). Slurm's signal before the time limit makes a checkpoint;
# the job then puts itself back into the queue and resumes, unless it came no further three times in a row.
#SBATCH --job-name=grpo
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
#SBATCH --signal=USR1@300
#SBATCH --requeue
set -uo pipefail
config=${1:?expected a config file}
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
grpo=${GRPO:-build/cpu/bin/grpo}
run=$("$grpo" train "$config" --print-config | sed -n 's/^ *"output_dir": "\(.*\)",\{0,1\}$/\1/p')
newest() { find "$run" -maxdepth 1 -name 'checkpoint-*[0-9]' 2>/dev/null | sed 's/.*-//' | sort -n | tail -n 1; }
before=$(newest)
srun "$grpo" train "$config" --resume
status=$?
[ $status -eq 75 ] || exit $status  # 75: stopped by a signal. Any other failure would come again
tries=0
[ "$(newest)" != "$before" ] || tries=$(($(cat "$run/requeues" 2>/dev/null || echo 0) + 1))
mkdir -p "$run" && echo "$tries" >"$run/requeues"
[ "$tries" -lt 3 ] || { echo "no step further after three jobs: the time limit is too short for one" >&2; exit 1; }
scontrol requeue "$SLURM_JOB_ID"

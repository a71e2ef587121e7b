#!/usr/bin/env bash
# A job of a Slurm cluster: sbatch [--ntasks=4] examples/slurm.sh CONFIG.json. Tasks train data parallel, on one node or several that share the
# run folder; they meet on the first node (MASTER_ADDR and MASTER_PORT say otherwise). Slurm's signal before the time limit makes a checkpoint;
# the job then puts itself back into the queue and resumes.
#SBATCH --job-name=grpo
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
#SBATCH --signal=USR1@300
#SBATCH --requeue
set -uo pipefail
config=${1:?expected a config file}
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
srun build/cpu/bin/grpo train "$config" --resume
status=$?
[ $status -eq 0 ] || [ $status -eq 2 ] || scontrol requeue "$SLURM_JOB_ID"  # 2: a config that would fail again

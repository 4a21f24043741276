#!/bin/bash
# sbatch --nodes=2 --gpus-per-node=4 --time=8:00:00 docs/slurm.sh CONFIG...
# A Ray cluster over the nodes of the allocation; on the first of them `dlrun batch`. Not tested on SLURM.
#SBATCH --job-name=dlrun
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --output=slurm-%j.out
set -euo pipefail
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -1)
[ -f ~/.ray/auth_token ] || ray get-auth-token --generate > /dev/null # the home folder is the same on all nodes
srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" \
  ray symmetric-run --address "$head:6379" --min-nodes "$SLURM_JOB_NUM_NODES" -- \
  dlrun batch "$@" --engine ray

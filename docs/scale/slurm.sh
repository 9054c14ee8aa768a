#!/bin/bash
# A data set on several nodes of a Slurm cluster: a Ray that lives as long as the job, and one
# extraction on it. Submit it from a folder that all nodes see, with the demos to make as arguments:
#
#   sbatch docs/scale/slurm.sh --task all --episodes 5000 --preset grounded --out my-dataset
#
# Submitted again with the same arguments, after a time limit or a lost node, it goes on.

#SBATCH --job-name=robotmcqa
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --output=robotmcqa-%j.log

set -euo pipefail

# The virtual environment, the same for all nodes.
if [[ -f .venv/bin/activate ]]; then
    source .venv/bin/activate
fi

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
port=$((20000 + SLURM_JOB_ID % 20000))
address=$head:$port

# Only processes of this job get in; srun hands the environment on.
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(python3 -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_TOKEN

ray_node() { # ray_node NODE OPTION...: a node of the cluster, until this script ends
    local node=$1
    shift
    srun --nodes=1 --ntasks=1 --overlap --nodelist="$node" \
        ray start --block --disable-usage-stats --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus=0 \
        --object-store-memory=500000000 "$@" &
}

trap 'trap - EXIT; kill $(jobs -p) 2>/dev/null || true; wait' EXIT

ray_node "$head" --head --port="$port" --ray-client-server-port=$((port + 1)) \
    --include-dashboard=false --temp-dir="${RAY_TEMP_DIR:-/tmp/ray-$SLURM_JOB_ID}"
for _ in {1..60}; do
    if (exec 3<> "/dev/tcp/$head/$port") 2> /dev/null; then
        break
    fi
    sleep 1
done
for node in "${nodes[@]:1}"; do
    ray_node "$node" --address="$address"
done

# Nodes that come later get work as they come, and the jobs of one that goes run elsewhere.
robotmcqa extract --engine ray --ray-address "$address" --resume "$@"

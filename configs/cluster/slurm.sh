#!/usr/bin/env bash
# One run on the nodes of a SLURM job: Ray starts on each of them, the run is given on the first.
#
#   sbatch --nodes=4 --cpus-per-task=16 configs/cluster/slurm.sh --task recgaze --preset full --out runs/full
#
# What follows the script's name are options of `run`. See slurm.md.
#SBATCH --job-name=gazebench
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=12:00:00
#SBATCH --output=gazebench-%j.out
#SBATCH --signal=B:USR1@180
set -euo pipefail
set -m  # without job control the run could not be interrupted

port=${GAZEBENCH_RAY_PORT:-6379}
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap hostname --ip-address | awk '{print $1}')
per_node=(--num-cpus="$SLURM_CPUS_PER_TASK")
[ -n "${SLURM_GPUS_ON_NODE:-}" ] && per_node+=(--num-gpus="$SLURM_GPUS_ON_NODE")

# The token keeps out who shares the network; it is in the home folder, which the nodes share.
export RAY_AUTH_MODE=token
[ -f "$HOME/.ray/auth_token" ] || ray get-auth-token --generate > /dev/null

srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap \
    ray start --head --node-ip-address="$address" --port="$port" "${per_node[@]}" --include-dashboard=false --block &
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    others=$((SLURM_JOB_NUM_NODES - 1))
    # A node that comes too early asks again: the head takes some seconds.
    srun --nodes="$others" --ntasks="$others" --exclude="$head" --overlap bash -c '
        for attempt in $(seq 30); do ray start --address="$0" "${@}" --block && exit; sleep 2; done
    ' "$address:$port" "${per_node[@]}" &
fi
until ray status --address="$address:$port" > /dev/null 2>&1; do sleep 2; done

python -m benchmark run "$@" --engine ray --address "$address:$port" &
run=$!
# Three minutes before the time is up the run is interrupted: it scores what is complete. The same job goes on from there.
trap 'kill -INT "$run"' USR1
while :; do
    status=0
    wait "$run" || status=$?
    kill -0 "$run" 2> /dev/null || break
done
kill $(jobs -p) 2> /dev/null || true
exit "$status"

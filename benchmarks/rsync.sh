#!/bin/sh
# Copy the DAG folder to every node with rsync, in parallel, as operators without another tool do.
#
#   rsync.sh SSH_CONFIG FOLDER TARGET HOST…
#
# -a compares sizes and times, and does not read files in which both are unchanged. The login user may sudo rsync.
set -eu
config=$1 folder=$2 target=$3
shift 3
pids=
for host in "$@"; do
    rsync -a --delete --chown astro:astro --rsync-path 'sudo -n rsync' -e "ssh -F $config" "$folder/" "$host:$target/" &
    pids="$pids $!"
done
for pid in $pids; do wait "$pid"; done

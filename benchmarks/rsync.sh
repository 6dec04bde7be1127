#!/bin/sh
# The DAG folder to every node by rsync, all at once, as operators do who have no other tool.
#
#   rsync.sh SSH_CONFIG FOLDER TARGET HOST…
#
# -a compares sizes and times, and reads no file that has both as they were; the login user may run rsync by sudo.
set -eu
config=$1 folder=$2 target=$3
shift 3
pids=
for host in "$@"; do
    rsync -a --delete --chown astro:astro --rsync-path 'sudo -n rsync' -e "ssh -F $config" "$folder/" "$host:$target/" &
    pids="$pids $!"
done
for pid in $pids; do wait "$pid"; done

#!/bin/sh
# Deploy as a careful operator would by hand: the steps of `fab deploy`, in the same order and with the same gates, over
# plain ssh, all hosts of a stage in parallel. benchmarks/kit.py has prepared the files that are sent.
#
#   by_hand.sh SSH_CONFIG SUDO_PASSWORD_FILE FOLDER first     on the operator's machine: deploy bare hosts
#   by_hand.sh SSH_CONFIG SUDO_PASSWORD_FILE FOLDER change    likewise: a node's files have changed, its units restart
#   by_hand.sh STEP [ROLE]                                    on a host, as root, in the folder that was sent
#
# It prints one line per stage, and one per host and step, as fab does.
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
apt='apt-get -q -y -o Dpkg::Options::=--force-confold'
home=/usr/local/airflow venv=/opt/aerodrome/airflow/venv

# On a host -----------------------------------------------------------------------------------------------------------

say() { echo "  $(hostname)  $*"; }

packages() {
    say "$1"
    shift
    { $apt install --no-install-recommends "$@" || { $apt update && $apt install --no-install-recommends "$@"; }; } \
        </dev/null >apt.log 2>&1 || { cat apt.log; exit 1; }
}

# From /, because neither user may enter the folder that was sent.
as_astro() { (cd / && runuser -u astro -- env HOME=/home/astro "$@"); }

as_postgres() { (cd / && runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d postgres "$@"); }

database() {
    packages database.packages postgresql
    say database.server
    until as_postgres -c 'SELECT 1' >/dev/null 2>&1; do sleep 0.5; done
    as_postgres -c "ALTER SYSTEM SET listen_addresses = '*'"
    say database.access
    hba=$(as_postgres -c 'SHOW hba_file')
    cat pg_hba.conf "$hba" >new
    cat new >"$hba"
    systemctl restart postgresql
    until as_postgres -c 'SELECT 1' >/dev/null 2>&1; do sleep 0.5; done
    say database.account
    as_postgres <account.sql
}

node() {
    packages node.packages sudo python3 python3-venv python3-dev gcc
    say node.user
    useradd --system --user-group --home-dir /home/astro --create-home --shell /bin/false astro
    chmod 0755 /home/astro
    install -d -o astro -g astro $home
    echo "export AIRFLOW_HOME=$home" >>/home/astro/.bashrc
    say node.hosts
    cat hosts >>/etc/hosts
    say node.venv
    mkdir -p /opt/aerodrome
    install -d -o astro -g astro /opt/aerodrome/airflow
    as_astro python3 -m venv $venv
    say node.install
    install -o astro -g astro -m 0644 lock.txt uv.txt $venv/
    as_astro $venv/bin/pip install -q --disable-pip-version-check --require-hashes -r $venv/uv.txt
    as_astro $venv/bin/uv pip install -q --system-certs --python $venv/bin/python \
        --require-hashes -r $venv/lock.txt
    files
    install -d -o astro -g astro $home/dags
    tar -xzf dags.tar.gz -C $home/dags --no-same-owner
    chown -R astro:astro $home/dags
}

files() {
    say node.files
    tar -xpf files.tar -C /
    systemctl daemon-reload
}

start() {
    say "roles.$1"
    systemctl enable -q "airflow@$1"
    systemctl restart "airflow@$1"
}

# Ask PostgreSQL, in Airflow's environment: does this kind of job have a fresh heartbeat on this host?
heartbeat() {
    systemd-run --quiet --pipe --wait --collect -p User=astro -p EnvironmentFile=/etc/default/airflow \
        -p "EnvironmentFile=/etc/default/airflow-$2" \
        $venv/bin/python - 2>/dev/null <<END
import os, psycopg2, socket
url = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
cursor = psycopg2.connect("postgresql://" + url.split("://", 1)[1]).cursor()
cursor.execute("SELECT 1 FROM job WHERE job_type = '$1' AND state = 'running' AND hostname = %s"
               " AND latest_heartbeat > now() - interval '30 s'", (socket.getfqdn(),))
assert cursor.fetchone()
END
}

web() {
    python3 - 2>/dev/null <<END
import json, urllib.request
answer = json.load(urllib.request.urlopen("http://127.0.0.1:8080/api/v2/monitor/health", timeout=5))
assert answer["metadatabase"]["status"] == "healthy"
END
}

worker() {
    start=$(systemctl show -p InvocationID --value airflow@worker)
    journalctl -q -o cat "_SYSTEMD_INVOCATION_ID=$start" | grep -qF ' ready.' &&
        python3 -c 'import socket; socket.create_connection(("127.0.0.1", 8793), 5)' 2>/dev/null
}

role() {
    start "$1"
    case $1 in
        scheduler) check='heartbeat SchedulerJob scheduler' ;;
        dag-processor) check='heartbeat DagProcessorJob dag-processor' ;;
        triggerer) check='heartbeat TriggererJob triggerer' ;;
        webserver) check=web ;;
        worker) check=worker ;;
    esac
    for _ in $(seq 180); do
        [ "$(systemctl show -p NRestarts --value "airflow@$1")" = 0 ] || break
        if $check; then say "roles.$1 healthy"; return; fi
        sleep 1
    done
    journalctl --no-pager -n 20 -u "airflow@$1"
    exit 1
}

if [ -f by_hand.here ]; then
    "$@"
    exit
fi

# On the operator's machine -------------------------------------------------------------------------------------------

config=$1 password=$2 folder=$3 what=$4
export config password folder

on() { # HOST STEP [ROLE]: if sudo asks for a password, it reads it from stdin
    host=$1
    shift
    ssh -F "$config" "$host" "cd by-hand && touch by_hand.here && sudo -S -p '' sh by_hand.sh $*" <"$password"
}

send() {
    tar -C "$folder/$1" -cf - . |
        ssh -F "$config" "$1" 'umask 077; mkdir -p by-hand; tar -C by-hand -xf - --no-same-owner'
}

bring_up() {
    send "$1"
    on "$1" "$2"
}

at_once() { # NAME COMMAND…
    echo "$1"
    shift
    pids=
    for command in "$@"; do
        $command &
        pids="$pids $!"
    done
    for pid in $pids; do wait "$pid"; done
}

workers() { # one by one: if two create their queue's row at the same time, one fails
    on worker1 role worker
    on worker2 role worker
}

case $what in
    first)
        at_once machines 'bring_up db1 database' 'bring_up sched1 node' 'bring_up web1 node' \
            'bring_up worker1 node' 'bring_up worker2 node'
        ;;
    change)
        at_once machines 'bring_up sched1 files' 'bring_up web1 files' 'bring_up worker1 files' \
            'bring_up worker2 files'
        ;;
esac
at_once scheduler 'on sched1 role scheduler'
at_once schedulers 'on sched1 role dag-processor' 'on sched1 role triggerer'
at_once webservers 'on web1 role webserver'
at_once workers workers
echo done

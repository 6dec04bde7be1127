"""Step 1: only the fleet's nodes get in, the password stays unseen, and a rerun touches nothing."""

from __future__ import annotations

import re
import secrets
import shlex
import socket
import subprocess
import sys

import pytest
import yaml

from tests.fleet.conftest import Fleet
from tests.fleet.test_node import read, split_block, write
from tests.real import wait

NODES = ("sched1", "web1", "worker1", "worker2")

# Log in from a node as its environment file says; arguments override parts of that.
LOGIN = """\
import glob, re, sys, psycopg2
text = "".join(open(path).read() for path in glob.glob("/etc/default/airflow-*"))
# A worker has no login but Celery's.
names = "DATABASE__SQL_ALCHEMY_CONN", "CELERY__RESULT_BACKEND"
found = [re.search(r'^AIRFLOW__%s="?([^"\\n]*)' % name, text, re.M) for name in names]
url = next(filter(None, found)).group(1)
other = dict(word.split("=", 1) for word in sys.argv[1:])
try:
    connection = psycopg2.connect("postgresql://" + url.split("://", 1)[1], connect_timeout=10, **other)
except psycopg2.OperationalError as error:
    print("refused:", error)
else:
    cursor = connection.cursor()
    cursor.execute("SELECT current_user, current_database(), inet_client_addr()")
    print("in:", *cursor.fetchone())
"""

# The first words of a login (PostgreSQL's protocol, StartupMessage); the answer says whether a password is asked.
KNOCK = """\
import socket, struct, sys
address, user, database = sys.argv[1:]
body = struct.pack("!i", 196608) + b"".join(
    word.encode() + b"\\0" for word in ("user", user, "database", database, "")
)
with socket.create_connection((address, 5432), timeout=10) as connection:
    connection.sendall(struct.pack("!i", len(body) + 4) + body)
    answer = b""
    while part := connection.recv(4096):
        answer += part
        if answer[:1] == b"R":
            break
print("asks:" if answer[:1] == b"R" else "refused:", answer[9:].replace(b"\\0", b" ").decode("utf-8", "replace"))
"""


def psql(fleet: Fleet, statement: str) -> str:
    return fleet.sh("db1", f"runuser -u postgres -- psql -XAtqc {shlex.quote(statement)}").strip()


def log_in(fleet: Fleet, host: str, *other: str) -> str:
    python = "/opt/aerodrome/airflow/venv/bin/python"
    return fleet.sh(host, f"{python} -c {shlex.quote(LOGIN)} {' '.join(other)}").strip()


def knock_from_here(fleet: Fleet, user: str, database: str) -> str:
    argv = [sys.executable, "-c", KNOCK, fleet.lab.address("db1"), user, database]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout


def hba(fleet: Fleet) -> str:
    return psql(fleet, "SHOW hba_file")


def restarts(fleet: Fleet) -> list[int]:
    return [int(line.split()[2]) for line in fleet.started().values()]


def test_it_listens_and_a_rerun_restarts_nothing(fleet: Fleet) -> None:
    started = psql(fleet, "SELECT pg_postmaster_start_time()")
    loaded = psql(fleet, "SELECT pg_conf_load_time()")

    fleet.nothing_to_do("setup-db")
    fleet.nothing_to_do("-H", "db1", "setup-db")

    assert psql(fleet, "SHOW listen_addresses") == f"{fleet.lab.address('db1')},127.0.0.1"
    assert psql(fleet, "SHOW password_encryption") == "scram-sha-256"
    assert psql(fleet, "SELECT pg_postmaster_start_time()") == started
    assert psql(fleet, "SELECT pg_conf_load_time()") == loaded
    with socket.create_connection((fleet.lab.address("db1"), 5432), timeout=10):
        pass


def test_only_the_nodes_only_that_database_and_user_and_only_scram(fleet: Fleet) -> None:
    _, block, _ = split_block(read(fleet, "db1", hba(fleet)))

    logins = [("airflow", host) for host in ("sched1", "web1")]
    logins += [("airflow_celery", host) for host in ("sched1", "worker1", "worker2")]
    lines = [f'host "{name}" "{name}" {fleet.lab.address(host)}/32 scram-sha-256' for name, host in logins]
    lines.append('host "aerodrome_scratch" "aerodrome_scratch" 127.0.0.1/32 scram-sha-256')
    lines.append(f'host "aerodrome_scratch" "airflow" {fleet.lab.address("sched1")}/32 scram-sha-256')
    assert block.decode().splitlines() == lines
    assert psql(fleet, "SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL") == "0"


def test_lines_of_others_in_pg_hba_survive_byte_for_byte_and_nothing_restarts(fleet: Fleet) -> None:
    path = hba(fleet)
    own = read(fleet, "db1", path)
    before, block, after = split_block(own)
    started = psql(fleet, "SELECT pg_postmaster_start_time()")
    attributes = fleet.sh("db1", f"stat -c '%U:%G %a' {path}")
    first = b"# by hand \t \r\n# na\xefve page\x0cbreak\nhost  all  by_hand  192.0.2.0/24  reject   \r\n" + before
    last = after + b"\n# a line\xe2\x80\xa8of two\n\nhost  all  by_hand  192.0.3.0/24  reject"
    write(fleet, "db1", path, first + b"# BEGIN aerodrome\n# END aerodrome\n" + last)
    try:
        fleet.fab("setup-db")
        fleet.nothing_to_do("setup-db")

        assert split_block(read(fleet, "db1", path)) == (first, block, last)
        assert fleet.sh("db1", f"stat -c '%U:%G %a' {path}") == attributes
        assert psql(fleet, "SELECT pg_postmaster_start_time()") == started
        assert psql(fleet, "SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL") == "0"
        assert log_in(fleet, "worker1").startswith("in: airflow_celery airflow_celery ")  # loaded, too
    finally:
        write(fleet, "db1", path, own)
        psql(fleet, "SELECT pg_reload_conf()")


def test_a_run_for_a_part_of_the_fleet_closes_nothing_and_says_so(fleet: Fleet) -> None:
    path = hba(fleet)
    own = read(fleet, "db1", path)
    before, block, after = split_block(own)
    started = fleet.started()
    text = fleet.hosts_yaml.read_text()
    workers = [fleet.lab.address(name) for name in ("worker1", "worker2")]
    more = b"".join(f'host "airflow" "airflow" {address}/32 scram-sha-256\n'.encode() for address in workers)

    fleet.hosts_yaml.write_text(f"{text}broker: {{separate: false}}\n")
    for command in (("-H", "db1", "deploy"), ("deploy", "--role=database"), ("setup-db",)):
        done = fleet.fab(*command)
        assert "pg_hba.conf still allows logins that hosts.yaml no longer has" in done.err, done.text
        assert log_in(fleet, "worker1").startswith("in: airflow_celery airflow_celery ")
    _, opened, _ = split_block(read(fleet, "db1", path))
    assert sorted(opened.splitlines()) == sorted((block + more).splitlines())

    fleet.hosts_yaml.write_text(text)
    fleet.nothing_to_do("setup-db")
    line = more.splitlines()[0].decode()
    write(fleet, "db1", path, before + b"# BEGIN aerodrome\n" + opened + b"# END aerodrome\n" + after + more[:-1])
    try:
        assert "take 2 lines for logins that no longer exist from" in fleet.fab("deploy").err
        done = fleet.fab("deploy")
        assert done.err.splitlines()[-1] == "no changes"
        assert f"outside the lines that are managed here, pg_hba.conf has {line}; host" in done.err
    finally:
        write(fleet, "db1", path, own)
        psql(fleet, "SELECT pg_reload_conf()")
    assert split_block(own)[1] == block
    assert fleet.started() == started


@pytest.mark.parametrize("host", NODES)
def test_every_node_gets_in_with_the_password(fleet: Fleet, host: str) -> None:
    name = "airflow_celery" if host.startswith("worker") else "airflow"
    assert log_in(fleet, host) == f"in: {name} {name} {fleet.lab.address(host)}"


def test_everything_else_is_refused(fleet: Fleet) -> None:
    assert "no pg_hba.conf entry" in log_in(fleet, "worker1", "dbname=airflow")
    assert "no pg_hba.conf entry" in log_in(fleet, "worker1", "user=airflow", "dbname=airflow")
    assert "no pg_hba.conf entry" in log_in(fleet, "worker1", "dbname=postgres")
    assert "no pg_hba.conf entry" in log_in(fleet, "worker1", "user=postgres")
    assert "no pg_hba.conf entry" in log_in(fleet, "worker1", "user=postgres", "dbname=postgres")
    assert "password authentication failed" in log_in(fleet, "worker1", "password=wrong")
    # From the lab's machine, which is not a node; and from the database's own host, over TCP.
    for user, database in (("airflow", "airflow"), ("postgres", "postgres"), ("airflow", "postgres")):
        assert "no pg_hba.conf entry" in knock_from_here(fleet, user, database)
    own = f"psql -w -h {fleet.lab.address('db1')} -U airflow airflow -c 'SELECT 1'"
    assert "no pg_hba.conf entry" in fleet.lab.run("db1", own).stderr


def test_a_password_changed_behind_our_back_is_set_again_and_seen_by_nobody(
    fleet: Fleet, request: pytest.FixtureRequest
) -> None:
    right = yaml.safe_load(fleet.hosts_yaml.with_name("secrets.yaml").read_text())["database_password"]
    started = psql(fleet, "SELECT pg_postmaster_start_time()")
    log = psql(fleet, "SELECT coalesce(pg_current_logfile(), '')")
    log = log or fleet.sh("db1", "ls /var/log/postgresql/postgresql-*-main.log").strip()

    def put_back() -> None:
        psql(fleet, "ALTER SYSTEM RESET log_statement")
        psql(fleet, "SELECT pg_reload_conf()")
        fleet.fab("setup-db")
        wait("healthy again", lambda: fleet.start("status").wait() == 0)

    request.addfinalizer(put_back)
    psql(fleet, "ALTER SYSTEM SET log_statement = 'all'")
    psql(fleet, "SELECT pg_reload_conf()")
    wait("log_statement", lambda: psql(fleet, "SHOW log_statement") == "all", 10)
    size = int(fleet.sh("db1", f"stat -c %s {log}"))
    other = f"by-hand-{secrets.token_hex(8)}"
    psql(fleet, f"ALTER ROLE airflow PASSWORD '{other}'")

    fleet.fab("setup-db")
    fleet.nothing_to_do("setup-db")

    assert log_in(fleet, "worker1").startswith("in: ")
    logged = fleet.sh("db1", f"tail -c +{size + 1} {log}")
    assert other in logged  # the log has everything, so it would have ours
    assert re.search(r'ALTER ROLE "airflow" LOGIN PASSWORD \'SCRAM-SHA-256\$4096:', logged)
    everything = fleet.sh("db1", "cat /var/log/postgresql/*; journalctl -q --no-pager")
    stored = psql(fleet, "SELECT rolpassword FROM pg_authid WHERE rolname = 'airflow'")
    assert stored.startswith("SCRAM-SHA-256$4096:")
    for place in (logged, everything, stored):
        assert right not in place
    assert psql(fleet, "SELECT pg_postmaster_start_time()") == started
    assert set(restarts(fleet)) == {0}  # open connections did not notice

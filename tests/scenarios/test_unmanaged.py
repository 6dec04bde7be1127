"""A database and a broker that are managed elsewhere: only logins are tried, and missing parts reported."""

from __future__ import annotations

import base64
import json
import re
import shlex
from pathlib import Path

import pytest

from lab.fleet import Lab
from tests.real import PASSWORD, wait
from tests.scenarios.conftest import Site, described, raise_hosts, run_the_dag, write_secret
from tests.scenarios.scenario import HEAD, REDIS, WORKER, Scenario

# A machine managed elsewhere, with PostgreSQL and RabbitMQ; it has no role, and fab cannot reach it.
THEIRS = REDIS
SCENARIO = Scenario(
    "3.3.2-unmanaged", "3.3.2", {"scheduler": (HEAD,), "webserver": (HEAD,), "worker": (WORKER,), "database": (THEIRS,)}
)
MINE = (HEAD, WORKER)
BROKER_PASSWORD = "rabbit/pass@w%rd"
APT = "DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    """Two nodes, and a host that is managed elsewhere."""
    raise_hosts(lab, SCENARIO)
    site = described(lab, SCENARIO)
    theirs = lab.address(THEIRS)
    site.sh(THEIRS, f"{APT} postgresql rabbitmq-server")
    site.sh(THEIRS, "echo \"listen_addresses = '*'\" | tee -a /etc/postgresql/*/main/postgresql.conf")
    site.sh(THEIRS, "systemctl restart postgresql")
    site.sh(THEIRS, f"rabbitmqctl add_user airflow {shlex.quote(BROKER_PASSWORD)}; rabbitmqctl add_vhost airflow")
    site.sh(THEIRS, "rabbitmqctl set_permissions -p airflow airflow '.*' '.*' '.*'")
    write_secret(site.folder / "broker", f"amqp://airflow:rabbit%2Fpass%40w%25rd@{theirs}:5672/airflow")
    text = re.sub(rf"^  {THEIRS}: .*\n", "", site.hosts_yaml.read_text(), flags=re.MULTILINE).replace(
        f"  database: [{THEIRS}]\n", ""
    )
    text = text.replace("database: {", f"database: {{managed: false, host: {theirs}, ")
    site.hosts_yaml.write_text(f"{text}broker: {{url: !file broker}}\n")
    return site


def printed_sql(text: str) -> list[str]:
    """Return the statements that the administrator should run in psql, except for the password, which psql asks for."""
    lines = [line.rpartition(" | ")[2].strip() for line in text.splitlines()]
    return list(dict.fromkeys(line for line in lines if line.startswith("CREATE ")))


def test_a_login_that_fails_is_reported_for_each_node_with_what_has_to_be_run(site: Site) -> None:
    done = site.fab("deploy", code=1)

    server = f"{site.lab.address(THEIRS)}:5432"
    for host in MINE:
        assert f"{host}: database.login: cannot log in to the database at {server}: OperationalError: " in done.err
        assert f'host "airflow" "airflow" {site.lab.address(host)}/32 scram-sha-256' in done.err
    assert printed_sql(done.err) == [
        'CREATE ROLE "airflow" LOGIN;',
        'CREATE DATABASE "airflow" OWNER "airflow" TEMPLATE template0 ENCODING \'UTF8\';',
    ]
    assert PASSWORD not in done.text
    assert site.sh(HEAD, "systemctl list-units --plain --no-legend 'airflow@*'") == ""
    assert site.lab.run(HEAD, "dpkg -l postgresql").returncode, "nothing of the database is installed"
    for host in MINE:
        assert site.lab.run(host, "test -e /etc/default/airflow").returncode, "credentials that do not work are there"


def test_setup_db_says_the_same(site: Site) -> None:
    done = site.fab("setup-db", code=1)
    assert done.err.count("cannot log in to the database") == len(MINE)


def test_a_run_ends_well_once_the_administrator_has_run_it(site: Site) -> None:
    told = site.fab("setup-db", code=1).err
    for statement in printed_sql(told):
        site.sh(THEIRS, f"runuser -u postgres -- psql -c {shlex.quote(statement)}")
    alter = "ALTER ROLE airflow PASSWORD '" + PASSWORD.replace("'", "''") + "'"
    site.sh(THEIRS, f"runuser -u postgres -- psql -c {shlex.quote(alter)}")
    access = [line.strip() for line in told.splitlines() if line.strip().startswith('host "airflow"')]
    for line in dict.fromkeys(access):
        site.sh(THEIRS, f"echo {shlex.quote(line)} | tee -a /etc/postgresql/*/main/pg_hba.conf")
    site.sh(THEIRS, "systemctl reload postgresql")

    site.nothing_to_do("setup-db")
    site.fab("deploy")
    run_the_dag(site)
    site.nothing_to_do("deploy")
    # A worker acknowledges a message when its process has ended, a moment after Airflow knows that the task has.
    queues = "rabbitmqctl -q list_queues -p airflow name messages"
    wait("every message is acknowledged", lambda: re.search(r"^default\s+0$", site.sh(THEIRS, queues), re.M), 30, 1)


def test_a_login_that_does_not_work_is_refused_before_any_host_is_touched(site: Site) -> None:
    write_secret(site.folder / "password", "another one")
    look = "sha256sum /etc/default/airflow*; stat -c '%n %Z' /etc/default/airflow* /etc/systemd/system/airflow*"
    before = {host: site.sh(host, look) for host in MINE}, site.started()

    for task in ("setup-db", "plan", "deploy"):
        done = site.fab(task, code=1)
        for host in MINE:
            assert f"{host}: database.login: cannot log in to the database" in done.err
        assert "password authentication failed" in done.err
        assert "another one" not in done.text
    assert ({host: site.sh(host, look) for host in MINE}, site.started()) == before

    write_secret(site.folder / "password", PASSWORD)
    site.nothing_to_do("setup-db")
    site.nothing_to_do("deploy")


def test_a_backup_is_made_by_the_scheduler_host_with_a_client_that_is_new_enough(site: Site, tmp_path: Path) -> None:
    folder, refused = "/var/lib/aerodrome/backups", site.fab("backup", code=1).err
    assert "there is no pg_dump on this host: install postgresql-client-15 (Debian)" in refused
    site.sh(HEAD, f"{APT} postgresql-client-15")
    site.sh(HEAD, "mv /usr/bin/pg_dump /usr/bin/pg_dump.aside")
    site.sh(HEAD, "printf '#!/bin/sh\necho pg_dump 14.9\n' >/usr/bin/pg_dump; chmod 755 /usr/bin/pg_dump")
    refused = site.fab("backup", code=1).err
    assert "pg_dump 14.9 is older than the server, 15: install postgresql-client-15 (Debian)" in refused
    site.sh(HEAD, "mv /usr/bin/pg_dump.aside /usr/bin/pg_dump")
    assert site.sh(HEAD, f"ls -A {folder}") == ""

    done = site.fab("backup", f"--download={tmp_path}")
    (row,) = json.loads(site.fab("backups", "--json").out)
    rows = "SELECT 'dag_run', count(*) FROM dag_run UNION SELECT 'dag', count(*) FROM dag"
    counted = site.sh(THEIRS, f"runuser -u postgres -- psql -XAtqd airflow -c {shlex.quote(rows)}").split()
    assert {f"{table}|{row['rows'][table]}" for table in ("dag", "dag_run")} == set(counted)
    assert (row["host"], row["postgresql"].split(".")[0], row["airflow"], row["error"]) == (HEAD, "15", "3.3.2", None)
    assert site.sh(HEAD, f"stat -c '%U %a' {folder} {folder}/*/*").split() == ["root", "700", *["root", "600"] * 2]
    assert PASSWORD not in done.text and PASSWORD.encode() not in (tmp_path / row["name"] / "dump").read_bytes()
    assert "whoever manages the database has to restore it" in site.fab("drill", code=1).err

    # It is what pg_restore takes.
    dump = base64.b64encode((tmp_path / row["name"] / "dump").read_bytes()).decode()
    site.sh(THEIRS, "runuser -u postgres -- createdb -O airflow again")
    site.lab.run(THEIRS, "rm -f /tmp/dump")
    for start in range(0, len(dump), 100_000):
        site.sh(THEIRS, f"echo {dump[start : start + 100_000]} | tr -d '\\n' >>/tmp/dump.base64")
    site.sh(THEIRS, "base64 -d /tmp/dump.base64 | runuser -u postgres -- pg_restore -d again")
    again = site.sh(THEIRS, f"runuser -u postgres -- psql -XAtqd again -c {shlex.quote(rows)}").split()
    assert set(again) == set(counted)
    site.nothing_to_do("backups.prune", "--yes")

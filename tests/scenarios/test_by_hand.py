"""A host that somebody set up by hand after the guide is taken over: every difference shown, and nothing lost."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.fleet import Lab
from tests.real import PROJECT, wait
from tests.scenarios.conftest import DAGS, Site, raise_hosts, run_the_dag, write_secret
from tests.scenarios.index import serving
from tests.scenarios.scenario import HEAD, PYTHON_PLACE, WORKER, apart

pytestmark = pytest.mark.slow

SERVICE = "astronomer-certified"
ENVIRONMENT = f"/etc/default/{SERVICE}"
UNIT = f"/etc/systemd/system/{SERVICE}@.service"
DROPINS = f"/etc/systemd/system/{SERVICE}@"
LOCK = PROJECT / "locks" / "airflow-1.10.10-py3.7.txt"
SCENARIO = apart("by-hand", "1.10.10", {"worker": (HEAD, WORKER)}, python="3.7")
BY_HAND = Path(__file__).with_name("by_hand.sh")
PASSWORD = "setByHand4711"
SAVED = "saved/before:the takeover"
AS_ITS_UNITS = f"systemd-run -q --pipe --wait --collect -p User=astro -p EnvironmentFile={ENVIRONMENT}"
AIRFLOW = f"{AS_ITS_UNITS} /home/astro/airflow-venv/bin/airflow"

# What Airflow itself makes of what was stored: its key must be one that the host still has.
DECRYPT = """\
from airflow.hooks.base_hook import BaseHook
from airflow.models import Variable
print(BaseHook.get_connection("warehouse").password)
print(Variable.get("season"))
"""


@pytest.fixture(scope="module")
def index(lab: Lab) -> Iterator[str]:
    """An index that has astronomer-certified."""
    raise_hosts(lab, SCENARIO)
    with serving(lab.layout.gateway) as url:
        yield url


@pytest.fixture(scope="module")
def site(lab: Lab, index: str) -> Site:
    """A host that has been at work for years, one that is bare, and a hosts.yaml that describes both."""
    site = Site(lab, PROJECT / ".lab" / lab.name, SCENARIO.hosts, HEAD, SCENARIO)
    constraints = "".join(line.split()[0] + "\n" for line in LOCK.read_text().splitlines() if re.match(r"\w", line))
    (site.folder / "constraints.txt").write_text(constraints)
    site.sh(HEAD, f"cat >/srv/constraints.txt <<'END'\n{constraints}END")
    site.sh(HEAD, f"cat >/srv/by_hand.sh <<'END_OF_SCRIPT'\n{BY_HAND.read_text()}END_OF_SCRIPT")
    python = f"{PYTHON_PLACE}/bin/python3.7"
    values = {"PYTHON": python, "INDEX_URL": index, "CONSTRAINTS": "/srv/constraints.txt", "PASSWORD": PASSWORD}
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in values.items())
    site.sh(HEAD, f"{given} sh /srv/by_hand.sh >/srv/by_hand.log 2>&1 || {{ tail -20 /srv/by_hand.log; exit 1; }}")
    site.sh(HEAD, "install -d -o astro -g astro /usr/local/airflow/dags")
    for file in DAGS.glob("*.py"):
        site.sh(HEAD, f"cat >/usr/local/airflow/dags/{file.name} <<'END_OF_DAG'\n{file.read_text()}END_OF_DAG")
    connection = f"connections -a --conn_id warehouse --conn_type http --conn_password {shlex.quote(SAVED)}"
    site.sh(HEAD, f"{AIRFLOW} {connection}; {AIRFLOW} variables -s season winter")
    wait("the worker made by hand is ready", lambda: " ready." in site.sh(HEAD, f"journalctl -u {SERVICE}@worker"))

    write_secret(site.folder / "password", PASSWORD)
    site.hosts_yaml.write_text(SCENARIO.hosts_yaml({host: lab.address(host) for host in SCENARIO.hosts}, str(DAGS)))
    site.change(
        "version: 1.10.10\n",
        f"distribution: {SERVICE}\n  version: 1.10.10.*\n  extra_index_url: {index}\n  constraints: constraints.txt\n",
    )
    return site


@pytest.fixture(scope="module")
def key(site: Site) -> str:
    """The key that Airflow has made for itself on the host."""
    found = re.search(r"^fernet_key = (\S+=)$", site.sh(HEAD, "cat /usr/local/airflow/airflow.cfg"), re.MULTILINE)
    assert found
    return found[1]


def state(site: Site) -> str:
    """Return what a plan must not change."""
    places = f"{ENVIRONMENT}* /etc/systemd/system /home/astro /usr/local/airflow/airflow.cfg /etc/postgresql /etc/hosts"
    return site.sh(HEAD, f"find {places} -path '*/__pycache__' -prune -o -printf '%p %T@ %l %m\\n' | sort | sha256sum")


def decrypted(site: Site, host: str) -> list[str]:
    """Return what Airflow reads of the saved connection and variable on a host."""
    python = f"{AS_ITS_UNITS} /home/astro/airflow-venv/bin/python - 2>/dev/null"
    return site.sh(host, f"{python} <<'END'\n{DECRYPT}END").splitlines()[-2:]


def test_it_works_as_it_was_made(site: Site) -> None:
    assert decrypted(site, HEAD) == [SAVED, "winter"]
    assert (
        site.sh(HEAD, f"systemctl is-active {SERVICE}@scheduler {SERVICE}@webserver {SERVICE}@worker").split()
        == ["active"] * 3
    )


def test_a_plan_shows_each_difference_and_changes_nothing(site: Site, key: str) -> None:
    before, started = state(site), site.started()
    done = site.fab("plan", code=2)

    assert f"note: {HEAD}: has a Fernet key of its own" in done.err
    head = done.out.partition(f"\n{WORKER}\n")[0]
    for shown in (
        "-Description=Airflow %I daemon",
        "-WAREHOUSE_TOKEN=********",
        "-AIRFLOW__CORE__SQL_ALCHEMY_CONN=******** (differs)",
        f"keep AIRFLOW__CELERY__WORKER_CONCURRENCY, TEAM_NAME, WAREHOUSE_TOKEN, GREETING"
        f" of the {ENVIRONMENT} that was written by hand",
        f"remove {DROPINS}scheduler.service.d/override.conf, which ours replaces",
        "make virtual environment /home/astro/airflow-venvs/1.10.10",
        "link /home/astro/airflow-venv to it",
        f"restart {SERVICE}@scheduler.service",
        f"restart {SERVICE}@worker.service",
    ):
        assert shown in head, f"{shown}\n{head}"
    for secret in (key, PASSWORD, "by-hand-token-4711", SAVED):
        assert secret not in done.text
    assert state(site) == before
    assert site.started() == started
    assert not (site.folder / "secrets.yaml").exists()


def test_a_deploy_takes_it_over(site: Site, key: str) -> None:
    site.fab("deploy")
    site.nothing_to_do("deploy")
    run_the_dag(site)


def test_what_was_saved_is_readable_on_every_node(site: Site, key: str) -> None:
    for host in site.hosts:
        found = re.search(r"^AIRFLOW__CORE__FERNET_KEY=(.*)$", site.sh(host, f"cat {ENVIRONMENT}"), re.MULTILINE)
        assert found
        new, adopted = found[1].split(",")
        assert adopted == key != new
        assert decrypted(site, host) == [SAVED, "winter"]


def test_variables_of_its_own_reach_every_unit(site: Site) -> None:
    for role in ("scheduler", "webserver", "worker"):
        pid = site.sh(HEAD, f"systemctl show -p MainPID --value {SERVICE}@{role}").strip()
        has = site.sh(HEAD, f"tr '\\0' '\\1' </proc/{pid}/environ").split("\1")
        assert {
            "TEAM_NAME=data platform",
            "GREETING=first line\nsecond = line",
            "AIRFLOW_HOME=/usr/local/airflow",
        } <= set(has)
        assert "WAREHOUSE_TOKEN=by-hand-token-4711" in has
    assert site.sh(HEAD, f"stat -c '%U:%G %a' {ENVIRONMENT}.local").strip() == "root:root 600"


def test_its_dropin_is_in_force_and_the_guides_is_gone(site: Site) -> None:
    assert site.sh(HEAD, f"systemctl show -p LimitNOFILE --value {SERVICE}@worker").strip() == "4096"
    before = site.sh(HEAD, f"systemctl show -p ExecStartPre {SERVICE}@scheduler")
    assert before.count("upgradedb") == 2, before  # path and argv of one


def test_what_was_replaced_is_kept(site: Site) -> None:
    kept = site.sh(HEAD, f"stat -c '%U:%G %a' {ENVIRONMENT}.by-hand; cat {ENVIRONMENT}.by-hand {UNIT}.by-hand")
    assert kept.startswith("root:root 600\n")
    assert "WAREHOUSE_TOKEN=by-hand-token-4711" in kept
    assert "Description=Airflow %I daemon" in kept
    assert "airflow" in site.sh(HEAD, "ls /home/astro/airflow-venvs/by-hand-*/bin")
    assert "who_runs_me.py" in site.sh(HEAD, "ls /usr/local/airflow/dags-releases/by-hand-*")

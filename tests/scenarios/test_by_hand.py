"""A host set up by hand after the guide is taken over: every difference is shown, and nothing is lost."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab.fleet import Lab
from tests.real import PROJECT, wait
from tests.scenarios.conftest import DAGS, Site, raise_hosts, run_the_dag, write_secret
from tests.scenarios.index import serving
from tests.scenarios.scenario import HEAD, PYTHON_PLACE, WORKER, apart

pytestmark = pytest.mark.slow

SERVICE = "astronomer-certified"
ENVIRONMENT = f"/etc/default/{SERVICE}"
UNIT = f"/etc/systemd/system/{SERVICE}@.service"
BY_HANDS, OURS = "/home/astro/airflow-venv", f"/opt/aerodrome/{SERVICE}/venv"  # virtual environments
DROPINS = f"/etc/systemd/system/{SERVICE}@"
AIRFLOW_HOME = "/usr/local/airflow"
LOCK = PROJECT / "locks" / "airflow-1.10.10-py3.7.txt"
SCENARIO = apart("by-hand", "1.10.10", {"worker": (HEAD, WORKER)}, python="3.7")
BY_HAND = Path(__file__).with_name("by_hand.sh")
PASSWORD = "setByHand4711"
SAVED = "saved/before:the takeover"
ROLES = ("scheduler", "webserver", "worker")

# As an operator would describe it: DAGs are not ours yet, and only the host that already runs tasks continues to.
HOSTS_YAML = """\
ssh: {{key: id_ed25519, known_hosts: known_hosts}}
hosts:
  old1: {{address: {old1}, worker: {{concurrency: 3}}}}
  worker3: {{address: {worker3}, worker: {{concurrency: 2, queues: [spare]}}}}
roles: {{database: [old1], scheduler: [old1], webserver: [old1], worker: [old1, worker3]}}
airflow:
  distribution: astronomer-certified
  version: 1.10.10.*
  extra_index_url: {index}
  constraints: constraints.txt
  python: {python}
  web_workers: 1
  config:
    scheduler: {{scheduler_heartbeat_sec: 1, job_heartbeat_sec: 2}}
database: {{password: !file password}}
"""

# The lines that by_hand.sh adds to the guide's, as systemd reads them.
OWN = {
    "AIRFLOW__CORE__PARALLELISM=7",
    "TEAM_NAME=data platform",
    "AIRFLOW_CONN_BILLING=postgres://billing:by-hand-4711@billing.example.com/billing",
    'INDENTED=its "so"',
    'GREETING=first line\nSECOND=line, "quoted" and \\ escaped\n# no comment',
    "LAST=1",
}

# Airflow's own reading of what was stored.
DECRYPT = """\
from airflow.hooks.base_hook import BaseHook
from airflow.models import Variable
print(BaseHook.get_connection("warehouse").password)
print(Variable.get("season"))
"""


@pytest.fixture(scope="module")
def site(lab: Lab) -> Iterator[Site]:
    """A host that has been in use for years, a bare one, and a hosts.yaml that describes both."""
    raise_hosts(lab, SCENARIO)
    site = Site(lab, PROJECT / ".lab" / lab.name, SCENARIO.hosts, HEAD, scenario=SCENARIO)
    (site.folder / "secrets.yaml").unlink(missing_ok=True)
    constraints = "\n".join(re.findall(r"^\w\S+==\S+", LOCK.read_text(), re.MULTILINE)) + "\n"
    (site.folder / "constraints.txt").write_text(constraints)
    write_secret(site.folder / "password", PASSWORD)
    with serving(lab.layout.gateway) as index:
        set_up_by_hand(site, index, constraints)
        python = f"{PYTHON_PLACE}/bin/python3.7"
        addresses = {host: lab.address(host) for host in SCENARIO.hosts}
        site.hosts_yaml.write_text(HOSTS_YAML.format(index=index, python=python, **addresses))
        yield site


def set_up_by_hand(site: Site, index: str, constraints: str) -> None:
    """Set the host up as a reader of the guide did."""
    texts = {"/srv/constraints.txt": constraints, "/srv/by_hand.sh": BY_HAND.read_text()}
    texts |= {f"/srv/dags/{file.name}": file.read_text() for file in DAGS.glob("*.py")}
    for path, text in texts.items():
        site.sh(HEAD, f"mkdir -p {Path(path).parent}; cat >{path} <<'END_OF_TEXT'\n{text}END_OF_TEXT")
    given = {
        "PYTHON": f"{PYTHON_PLACE}/bin/python3.7",
        "INDEX_URL": index,
        "CONSTRAINTS": "/srv/constraints.txt",
        "PASSWORD": PASSWORD,
        "SAVED": SAVED,
        "DAGS": "/srv/dags",
    }
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in given.items())
    site.sh(HEAD, f"{variables} sh /srv/by_hand.sh >/srv/by_hand.log 2>&1 || {{ tail -20 /srv/by_hand.log; exit 1; }}")
    wait("the worker made by hand is ready", lambda: " ready." in site.sh(HEAD, f"journalctl -u {SERVICE}@worker"))


@pytest.fixture(scope="module")
def key(site: Site) -> str:
    """The key that Airflow generated on the host."""
    found = re.search(r"^fernet_key = (\S+=)$", site.sh(HEAD, f"cat {AIRFLOW_HOME}/airflow.cfg"), re.MULTILINE)
    assert found
    return found[1]


def state(site: Site) -> str:
    """Return the state that a plan must not change."""
    places = f"{ENVIRONMENT}* /etc/systemd/system /home/astro {AIRFLOW_HOME}/airflow.cfg /etc/postgresql /etc/hosts"
    return site.sh(HEAD, f"find {places} -name __pycache__ -prune -o -printf '%p %T@ %l %m %u\\n' | sort")


def in_unit(site: Site, host: str, role: str, command: str) -> str:
    """Run a command with the environment files that systemd says the unit has, in its order.

    /proc/PID/environ is of no use, because Airflow's setproctitle overwrites it.
    """
    files = site.sh(host, f"systemctl show -p EnvironmentFiles {SERVICE}@{role}")
    read = re.findall(r"^EnvironmentFiles=(\S+) \(ignore_errors=(yes|no)\)$", files, re.MULTILINE)
    options = " ".join(f"-p EnvironmentFile={'-' if ignored == 'yes' else ''}{path}" for path, ignored in read)
    return site.sh(host, f"systemd-run -q --pipe --wait --collect -p User=astro {options} {command}")


def variables(site: Site, host: str, role: str) -> set[str]:
    """Return the variables that systemd gives a unit, NAME=VALUE."""
    return set(in_unit(site, host, role, "/usr/bin/env -0").removesuffix("\0").split("\0"))


def venv(site: Site, host: str) -> str:
    """Return the virtual environment that units of a host use."""
    return site.sh(host, f"readlink -e {OURS} || echo {BY_HANDS}").strip()


def decrypted(site: Site, host: str, role: str) -> list[str]:
    """Return the saved connection and variable as Airflow decrypts them in a unit's environment."""
    python = f"{venv(site, host)}/bin/python -c {shlex.quote(DECRYPT)} 2>/dev/null"
    return in_unit(site, host, role, python).splitlines()[-2:]


def kept_secrets(site: Site) -> dict[str, str]:
    return dict(yaml.safe_load((site.folder / "secrets.yaml").read_text()))


def hides_secrets(site: Site, key: str, shown: str) -> bool:
    made = kept_secrets(site).values() if (site.folder / "secrets.yaml").exists() else ()
    return not any(
        secret in shown for secret in (key, PASSWORD, "formerPassword", "by-hand-4711", SAVED, "data platform", *made)
    )


def test_it_works_as_it_was_made(site: Site) -> None:
    active = site.sh(HEAD, f"systemctl is-active {' '.join(f'{SERVICE}@{role}' for role in ROLES)}")
    assert active.split() == ["active"] * 3
    assert variables(site, HEAD, "worker") >= OWN
    assert decrypted(site, HEAD, "worker") == [SAVED, "winter"]


def test_a_plan_shows_each_difference_and_changes_nothing(site: Site, key: str) -> None:
    before, started = state(site), site.started()
    done = site.fab("plan", code=2)

    assert f"note: {HEAD}: has its own Fernet key" in done.err
    head = done.out.partition(f"\n{WORKER}\n")[0]
    for shown in (
        "make virtual environment /opt/aerodrome/astronomer-certified/venvs/1.10.10",
        f"link {OURS} to it (units leave {BY_HANDS}, which stays until you remove it)",
        f"write {UNIT}",
        "-Description=Airflow %I daemon",
        "+KillMode=mixed",
        "keep AIRFLOW__CORE__PARALLELISM, AIRFLOW__CELERY__WORKER_CONCURRENCY, TEAM_NAME, AIRFLOW_CONN_BILLING, "
        f"INDENTED, GREETING, LAST of the hand-written {ENVIRONMENT} in {ENVIRONMENT}.local",
        f"write {ENVIRONMENT} (no way back)\n",  # it has secrets, which no undo keeps
        "-AIRFLOW__CORE__SQL_ALCHEMY_CONN=******** (differs)",
        "+AIRFLOW__CORE__FERNET_KEY=********",
        "-TEAM_NAME=********",
        f"remove {DROPINS}scheduler.service.d/override.conf, which ours replaces",
        *(f"write {DROPINS}{role}.service.d/10-aerodrome.conf" for role in ROLES),
        *(f"restart {SERVICE}@{role}.service" for role in ROLES),
    ):
        assert shown in head, f"{shown}\n{head}"
    assert "limits.conf" not in head
    assert hides_secrets(site, key, done.text + site.fab("plan", "--script", code=2).text)
    assert state(site) == before
    assert site.started() == started
    assert not (site.folder / "secrets.yaml").exists()


def test_a_takeover_that_is_killed_is_finished_by_the_next(site: Site, key: str) -> None:
    process = site.start("deploy")
    # Then the environment files have the new key but not the old one: secrets.yaml has to have both.
    wait("our environment file", lambda: "Written by Aerodrome" in site.sh(HEAD, f"cat {ENVIRONMENT}"), pause=0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert key in kept_secrets(site).values()

    done = site.fab("deploy")
    assert hides_secrets(site, key, done.text)
    site.nothing_to_do("deploy")


def test_what_was_saved_is_readable_on_every_node(site: Site, key: str) -> None:
    new = kept_secrets(site)["fernet_key"]
    assert new != key
    for host in site.hosts:
        assert f"AIRFLOW__CORE__FERNET_KEY={new},{key}" in variables(site, host, "worker")
        assert decrypted(site, host, "worker") == [SAVED, "winter"]
        assert "winter" in site.fab("-H", host, "airflow", "variables -g season").out


def test_its_dags_run_where_they_ran(site: Site) -> None:
    run_the_dag(site)
    tasks = site.sql("SELECT DISTINCT hostname FROM task_instance")
    assert tasks == [[HEAD]]
    names = sorted(file.name for file in DAGS.glob("*.py"))
    assert site.sh(HEAD, f"cd {AIRFLOW_HOME}/dags; ls *.py").split() == names


def test_variables_of_its_own_reach_every_unit_and_ours_win(site: Site) -> None:
    for role in ROLES:
        has = variables(site, HEAD, role)
        assert has >= OWN
        assert f"AIRFLOW_HOME={AIRFLOW_HOME}" in has
        assert "AIRFLOW__WEBSERVER__RBAC=True" in has
    assert "AIRFLOW__CELERY__WORKER_CONCURRENCY=3" in variables(site, HEAD, "worker")
    assert "LAST=1" not in variables(site, WORKER, "worker")
    local = site.sh(HEAD, f"stat -c '%U:%G %a' {ENVIRONMENT}.local; cat {ENVIRONMENT}.local")
    assert local.startswith("root:root 600\n")
    assert [local.count(name) for name in ("TEAM_NAME=", "GREETING=", "PASSWORD", "SQL_ALCHEMY")] == [1, 1, 0, 0]


def test_its_dropin_is_in_force_and_the_guides_is_gone(site: Site) -> None:
    assert site.sh(HEAD, f"systemctl show -p LimitNOFILE --value {SERVICE}@worker").strip() == "4096"
    before = site.sh(HEAD, f"systemctl show -p ExecStartPre {SERVICE}@scheduler").splitlines()
    assert [line for line in before if "upgradedb" in line] == before and len(before) == 1, before


def test_what_was_replaced_is_kept(site: Site) -> None:
    kept = site.sh(HEAD, f"stat -c '%U:%G %a' {ENVIRONMENT}.by-hand {UNIT}.by-hand; cat {ENVIRONMENT}.by-hand")
    assert kept.startswith("root:root 600\nroot:root 600\nAIRFLOW_HOME=/usr/local/airflow/\n")
    assert f":{PASSWORD}@localhost/airflow\n" in kept and "# Lines of the team's own.\n" in kept
    assert "Description=Airflow %I daemon" in site.sh(HEAD, f"cat {UNIT}.by-hand")
    assert site.sh(HEAD, f"stat -c '%F %U' {BY_HANDS}; ls {BY_HANDS}/bin/airflow").split() == [
        "directory",
        "astro",
        f"{BY_HANDS}/bin/airflow",
    ]


def test_its_dag_folder_is_kept_aside_where_hosts_yaml_has_one(site: Site) -> None:
    with site.hosts_yaml.open("a") as opened:
        opened.write(f"deploy: {{dags: {DAGS}}}\n")
    site.change(", queues: [spare]", "")
    site.fab("deploy")
    site.nothing_to_do("deploy")

    run_the_dag(site)
    assert "who_runs_me.py" in site.sh(HEAD, f"ls {AIRFLOW_HOME}/dags-releases/by-hand-*")

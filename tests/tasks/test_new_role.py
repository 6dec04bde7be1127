"""A role is one file: add a made-up one, change nothing else, and all of Aerodrome knows it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.conftest import FAB, PROJECT

FLOWER = '''\
"""Set up and start Flower, which shows Celery's workers and queues.

Examples:
  fab roles.flower
  fab -H two roles.flower
"""

from aerodrome.catalogue.version import BROKER_URL
from aerodrome.components.component import AirflowRole, Seen
from aerodrome.components.health import refused
from aerodrome.core.check import Verdict
from aerodrome.fleet.role import SettingPort
from aerodrome.fleet.schema import Number

PORT = SettingPort("Flower", ("celery", "flower_port"), 5555)


class Flower(AirflowRole):
    name, place, stage = "flower", 80, "flowers"
    commands = {1: "flower", 2: "celery flower", 3: "celery flower"}
    secrets = (BROKER_URL,)
    uses_celery = True
    host_keys = {"pages": Number(1, 9)}

    def command(self, inputs, host):
        return f"{super().command(inputs, host)} --pages={host.of_role[self.name]['pages']}"

    def ports(self, executor, version):
        return (PORT,)

    def answers_on(self, inputs):
        return PORT.default

    def judge(self, seen: Seen) -> tuple[Verdict, str]:
        why = refused(self.name, seen)
        return ("waiting", why) if why else ("ok", f"port {PORT.default} answers")


COMPONENT = Flower()
'''
HOSTS = """\
hosts:
  one: {address: 10.0.0.1}
  two: {address: 10.0.0.2, flower: {pages: 3}}
roles: {database: [one], scheduler: [one], webserver: [one], worker: [two], flower: [two]}
network: {firewall: true}
"""
# Facts about the role, derived by the product itself.
ASK = """\
import json
from aerodrome.components.firewall import guards
from aerodrome.components.health import RoleHealth
from aerodrome.components.logs import journal_units
from aerodrome.components.registry import components
from aerodrome.components.status import status
from aerodrome.controller.hosts_file import load
from aerodrome.controller.keyring import Vault
from aerodrome.runbooks.deploy import deploy
from aerodrome.runbooks.units import start, stop
from tasks.values import look_up

fleet = load(components().values())
inputs = look_up(fleet, Vault(fleet))
one, two = fleet.hosts.values()
names = list(fleet.hosts)


def stages(book):
    return {stage.name: {host: [step.name for step in steps] for host, steps in stage.steps.items()}
            for stage in book.stages}


def look(checks):
    unit = "ActiveState=active\\nSubState=running\\n\\n"
    answer = f"100\\n/opt/3.3.2-abc\\n{unit}" + json.dumps({"name": "two", "ports": {"flower": ""}})
    return {host: [found for check in each if isinstance(check, RoleHealth) for found in check.judge(answer)]
            for host, each in checks.items()}


book = deploy(inputs, names, list(fleet.roles))
(step,) = next(stage for stage in book.stages if stage.name == "flowers").steps["two"]
rows, _ = status(inputs, [two], ["flower"], look)
print(json.dumps({
    "roles": fleet.roles,
    "deploy": stages(book),
    "start": stages(start(inputs, names, ["flower"])),
    "stop": stages(stop(inputs, names, list(fleet.roles))),
    "step": {part.key: getattr(part, "content", "") for part in step.parts},
    "gate": RoleHealth(inputs, two, ("flower",)).probe(),
    "rows": [[row.host, row.role, row.verdict, row.detail, row.unit] for row in rows],
    "journal": journal_units(inputs, two, fleet.roles),
    "guards": [guard.ports for guard in guards(inputs, two)],
    "secrets": {path.path: path.content for path in
                [part for stage in book.stages for each in stage.steps.get("two", ()) for part in each.resources]
                if getattr(path, "path", "") == "/etc/default/airflow-flower"},
}, default=str))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product with one more file."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("aerodrome", "tasks", "probes", "templates", "locks"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("fabfile.py", "fabric.yaml"):
        shutil.copy(PROJECT / name, copy / name)
    (copy / "lab").symlink_to(PROJECT / "lab")
    (copy / "hosts.yaml").write_text(HOSTS)
    (copy / "aerodrome/components/roles/flower.py").write_text(FLOWER)
    return copy


def run(tree: Path, *command: object, hosts: str = "hosts.yaml", code: int = 0) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AERODROME_", "FABRIC_"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=tree,
        env={**kept, "AERODROME_HOSTS": str(tree / hosts), "HOME": str(tree), "PYTHONPATH": str(tree)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def known(tree: Path) -> dict[str, Any]:
    """The facts that the copy derives about the new role."""
    found: dict[str, Any] = json.loads(run(tree, sys.executable, "-c", ASK))
    return found


def test_hosts_yaml_knows_it(known: dict[str, Any]) -> None:
    assert list(known["roles"])[-2:] == ["worker", "flower"]
    assert known["roles"]["flower"] == ["two"]


def test_it_has_its_place_in_a_deploy_and_is_stopped_the_other_way_round(known: dict[str, Any]) -> None:
    assert (
        list(known["deploy"])[-5:] == ["schedulers", "webservers", "workers", "flowers", "leftovers"] or known["deploy"]
    )
    order = [name for name in known["deploy"] if known["deploy"][name].get("two")]
    assert order.index("flowers") == order.index("workers") + 1
    assert order.index("stop flowers") == order.index("stop workers") + 1  # if the broker moves
    assert known["deploy"]["flowers"] == known["start"]["flowers"] == {"two": ["roles.flower"]}
    assert known["deploy"]["retire flowers"] == {"one": ["retire.flowers"]}
    assert list(known["stop"])[:3] == ["stop scheduler", "stop flower", "stop worker"]


def test_its_unit_has_a_drop_in_a_port_and_only_its_secrets(known: dict[str, Any]) -> None:
    assert list(known["step"]) == [
        "port 5555 of airflow@flower.service",
        "file /etc/systemd/system/airflow@flower.service.d/10-aerodrome.conf",
        "unit airflow@flower.service",
    ]
    assert "/bin/airflow celery flower --pages=3\n" in list(known["step"].values())[1]
    (environment,) = known["secrets"].values()
    assert [line.partition("=")[0] for line in environment.splitlines() if line.startswith("AIRFLOW__")] == [
        "AIRFLOW__CELERY__BROKER_URL"
    ]
    assert 5555 in known["guards"][0]


def test_it_is_judged_by_itself_alone(known: dict[str, Any]) -> None:
    assert '"ports": {"flower": 5555}' in known["gate"]
    assert known["rows"] == [["two", "flower", "ok", "port 5555 answers", "airflow@flower.service"]]
    assert known["journal"]["flower"] == "airflow@flower.service"


def test_it_has_a_task_with_help(tree: Path) -> None:
    listed = run(tree, FAB, "--list")
    assert "  roles.flower  " in listed and "Set up and start Flower" in listed
    assert "roles.database" not in listed
    assert "fab -H two roles.flower" in run(tree, FAB, "--help", "roles.flower")


def test_its_port_cannot_be_another_s(tree: Path) -> None:
    (tree / "clash.yaml").write_text(
        HOSTS.replace("webserver: [one]", "webserver: [two]") + "airflow: {web_port: 5555}\n"
    )
    said = run(tree, FAB, "plan", hosts="clash.yaml", code=1)
    assert "clash.yaml:6: airflow.web_port: Flower and the web server would both listen on port 5555 of two" in said


def test_what_a_host_says_of_it_is_checked(tree: Path) -> None:
    (tree / "wrong.yaml").write_text(HOSTS.replace("pages: 3", "pages: 33"))
    said = run(tree, FAB, "plan", hosts="wrong.yaml", code=1)
    assert "wrong.yaml:3: hosts.two.flower.pages: 33 is not valid; expected a number from 1 to 9" in said


def test_without_the_file_there_is_no_such_role(tree: Path) -> None:
    said = run(PROJECT, FAB, "plan", hosts=str(tree / "hosts.yaml"), code=1)
    assert "hosts.yaml:3: hosts.two.flower: unknown key" in said
    assert "hosts.yaml:4: roles.flower: unknown key" in said

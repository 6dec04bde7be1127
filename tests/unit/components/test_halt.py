"""Units that stop before a change that tasks would not survive, and the wait for tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.checks.celery import Unmoved
from aerodrome.components.halt import celery_places, halted, resumed, unmoved
from aerodrome.components.inputs import Inputs, Settings
from aerodrome.components.version import installation
from aerodrome.core.step import Step
from aerodrome.fleet.model import Broker, Deploy, Fleet
from aerodrome.resources.celery import Places
from aerodrome.resources.halted import Halted, Resumed
from aerodrome.secrets import Secret
from tests.unit.components.test_version import run
from tests.unit.make import HOSTS, ROLES_OF_FLEET, Shell, fleet, inputs

OWN = ("postgresql://10.0.0.1:5432/airflow_celery",) * 2
LINES = ("10.0.0.1:5432/airflow_celery",) * 2
SHARED = ("postgresql://10.0.0.1:5432/airflow",) * 2
REDIS = "redis://10.0.0.1:6379/0"
WITH_REDIS = {**ROLES_OF_FLEET, "redis": ("db1",)}


def names(host: str) -> tuple[tuple[str, str], ...]:
    own = HOSTS[host].address
    return (
        *((each.name, each.address) for each in HOSTS.values()),
        ("localhost", own),
        ("127.0.0.1", own),
        ("[::1]", own),
    )


def files(role: str) -> tuple[str, ...]:
    return "/etc/default/airflow.local", "/etc/default/airflow", f"/etc/default/airflow-{role}"


COMMANDS = ("vault b", "vault r")


@pytest.mark.parametrize(
    "of, wanted, before",
    [
        (fleet(), OWN, SHARED),
        (fleet(broker=Broker(separate=False)), SHARED, SHARED),
        (fleet(version="2.11.2"), SHARED, SHARED),
        (fleet(version="1.10.10"), SHARED, SHARED),
        (fleet(WITH_REDIS), (REDIS, REDIS), (REDIS, SHARED[1])),
        (fleet(WITH_REDIS, broker=Broker(separate=False)), (REDIS, SHARED[1]), (REDIS, SHARED[1])),
        (fleet(broker=Broker(url_command="vault b", result_backend_command="vault r")), COMMANDS, COMMANDS),
    ],
)
def test_where_schedulers_and_workers_are_to_look(of: Fleet, wanted: tuple[str, str], before: tuple[str, str]) -> None:
    given = inputs(of, redis_password=Secret("x"))
    for host, role in (("s1", "scheduler"), ("w1", "worker")):
        (found,) = celery_places(given, HOSTS[host], role)
        assert found == Places(files(role), wanted, found.lines, names(host), before)


def test_the_lines_that_need_no_look_have_no_login() -> None:
    (found,) = celery_places(inputs(), HOSTS["w1"], "worker")
    assert found.lines == ("10.0.0.1:5432/airflow_celery",) * 2


def test_what_hosts_yaml_sets_itself_counts() -> None:
    given = inputs(role_settings={"worker": Settings({"AIRFLOW__CELERY__RESULT_BACKEND": "db+mysql://m/x"})})
    assert celery_places(given, HOSTS["w1"], "worker")[0].wanted == (OWN[0], "mysql://m/x")


def test_others_do_not_use_them() -> None:
    assert celery_places(inputs(), HOSTS["web1"], "webserver") == ()
    assert celery_places(inputs(), HOSTS["web1"], "worker") == ()
    local = inputs(fleet(executor="LocalExecutor", roles={**ROLES_OF_FLEET, "worker": ()}))
    assert celery_places(local, HOSTS["s1"], "scheduler") == ()


def test_a_part_of_a_fleet_does_not_move_alone() -> None:
    given = inputs()
    worker = Unmoved(Places(files("worker"), OWN, LINES, names("w1"), SHARED), ("airflow@worker.service",))
    assert unmoved(given, HOSTS["w1"]) == (worker,)
    assert unmoved(given, HOSTS["web1"]) == ()
    assert unmoved(inputs(whole=True), HOSTS["w1"]) == ()
    both = inputs(fleet({**ROLES_OF_FLEET, "worker": ("s1",)}))
    assert unmoved(both, HOSTS["s1"])[0].units == ("airflow@scheduler.service", "airflow@worker.service")


def test_with_a_move_schedulers_and_workers_halt_and_with_a_version_all() -> None:
    unit, _ = halted(inputs(), HOSTS["w1"], ["worker"]).resources
    assert isinstance(unit, Halted)
    assert (unit.causes, unit.wait, unit.drain is None) == (
        (Places(files("worker"), OWN, LINES, names("w1"), SHARED),),
        None,
        False,
    )
    given = inputs(accept_downtime=True)
    unit, _ = halted(given, HOSTS["w1"], ["worker"]).resources
    assert isinstance(unit, Halted)
    assert unit.causes == (installation(given), Places(files("worker"), OWN, LINES, names("w1"), SHARED))
    step = halted(given, HOSTS["web1"], ["triggerer", "webserver"])
    assert step == Step(
        "halt.triggerer",
        tuple(Halted((installation(given),), f"airflow@{role}.service") for role in ("triggerer", "webserver")),
    )


def test_what_has_halted_in_vain_goes_on() -> None:
    step = [Step("halt.undone", (Resumed("airflow@scheduler.service"),))]
    assert resumed(inputs(), HOSTS["s1"]) == step
    assert resumed(inputs(), HOSTS["web1"]) == []
    assert [len(each.resources) for each in resumed(inputs(accept_downtime=True), HOSTS["s1"])] == [3]


def test_what_is_waited_for_is_reported() -> None:
    (unit,) = halted(inputs(), HOSTS["s1"], ["scheduler"], last=True).resources
    assert isinstance(unit, Halted) and unit.wait
    assert unit.wait.summary == "wait until no task is queued or running, at most 600 s"


# Waiting for tasks


def drained(sh: Shell, folder: Path, *tasks: str, seconds: int = 60, given: Inputs | None = None) -> tuple[int, str]:
    if tasks:
        (folder / "tasks").write_text("\n".join(tasks))
    of = fleet(deploy=Deploy(drain_timeout=seconds))
    (unit,) = halted(given or inputs(of), HOSTS["s1"], ["scheduler"], last=True).resources
    assert isinstance(unit, Halted) and unit.wait
    script = (
        unit.wait.script.replace("STUCK = 60", "STUCK = 0.3")
        .replace("AGAIN = 30", "AGAIN = 0.4")
        .replace("PAUSE = 2", "PAUSE = 0.05")
    )
    return run(sh, folder, script)


def test_it_waits_until_nothing_runs_and_nothing_is_queued(sh: Shell, tmp_path: Path) -> None:
    code, text = drained(sh, tmp_path, "running d t,queued d u", "running d u", ";")
    assert (code, text) == (0, "@waiting for 1 running and 1 queued: d.t, d.u; 0 of at most 60 s have passed\n")


def test_before_there_are_tasks_nothing_is_waited_for(sh: Shell, tmp_path: Path) -> None:
    assert drained(sh, tmp_path) == (0, "")


def test_what_is_queued_and_moves_no_more_is_not_waited_for(sh: Shell, tmp_path: Path) -> None:
    code, text = drained(sh, tmp_path, "queued d t")
    assert code == 0
    assert text.splitlines()[-1] == "@note: no worker takes 1 queued: d.t; Airflow queues them again, in ten minutes"


def test_tasks_that_run_for_too_long_are_reported_with_what_to_do(sh: Shell, tmp_path: Path) -> None:
    tasks = ",".join(f"running d t{number}" for number in range(10))
    code, text = drained(sh, tmp_path, tasks, seconds=1)
    assert code == 1
    first = "10 running: " + ", ".join(f"d.t{number}" for number in range(8)) + ", and 2 more"
    waits = [line for line in text.splitlines() if line.startswith("@")]
    assert len(waits) > 1 and all(line.startswith(f"@waiting for {first}; ") for line in waits)
    assert text.splitlines()[len(waits) :] == [
        f"still {first}",
        "10 tasks are queued or running after 1 s (deploy.drain_timeout)",
        "nothing has changed for them, and schedulers start again. Run the same command once they have finished, or:",
        "the same with --force waits as long, then kills running tasks; queued ones run ten minutes later",
    ]


def test_with_force_it_goes_on(sh: Shell, tmp_path: Path) -> None:
    given = inputs(fleet(deploy=Deploy(drain_timeout=1)), force=True)
    code, text = drained(sh, tmp_path, "running d t", given=given)
    assert code == 0
    assert text.splitlines()[-3:] == [
        "@note: still 1 running: d.t after 1 s; --force continues",
        "@note: Airflow ends or repeats them in about ten minutes; until then they count towards core.parallelism",
        "@note: if you set their states by hand, restart the schedulers afterwards, or they keep counting",
    ]


def test_a_name_cannot_lead_a_terminal_astray(sh: Shell, tmp_path: Path) -> None:
    _, text = drained(sh, tmp_path, "running d t\x1b[2J", ";")
    assert "d.t?[2J" in text

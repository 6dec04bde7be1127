"""The order across hosts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aerodrome.checks.celery import Unmoved
from aerodrome.components.census import drain
from aerodrome.components.inputs import Inputs
from aerodrome.core.stage import by_host, joined, only
from aerodrome.core.step import Step
from aerodrome.fleet.model import Database, Host, Network
from aerodrome.resources.drain import Unreported
from aerodrome.resources.late_link import ComparedEnvironments, Linked, NoNewErrors
from aerodrome.resources.retired import Retired
from aerodrome.resources.systemd import Service
from aerodrome.runbooks.deploy import stages
from aerodrome.runbooks.units import restart, role_stages, stop_stages
from aerodrome.secrets import Secret
from tests.unit.make import HOSTS, ROLES, ROLES_OF_FLEET, fleet, inputs

OLD_ROLES = {role: hosts for role, hosts in ROLES_OF_FLEET.items() if role != "dag-processor"}


def order(parts) -> list[tuple[str, dict[str, list[str]]]]:  # type: ignore[no-untyped-def]
    return [(stage.name, {host: list(gate.subjects) for host, gate in stage.gates.items()}) for stage in parts]


def test_a_deploy_goes_from_the_database_to_the_workers() -> None:
    parts = stages(inputs(), list(HOSTS), ROLES)
    assert [(stage.name, list(stage.steps)) for stage in parts] == [
        ("machines", ["db1", "s1", "web1", "w1", "w2"]),
        ("retire schedulers", ["db1", "web1", "w1", "w2"]),
        ("stop scheduler", ["s1"]),
        ("stop workers", ["w1", "w2"]),
        ("settings", ["s1", "web1", "w1", "w2"]),
        ("scheduler", ["s1"]),
        ("schedulers", ["s1"]),
        ("webservers", ["web1"]),
        ("workers", ["w1", "w2"]),
        ("retire workers", ["db1", "s1", "web1"]),
        ("retire webservers", ["db1", "s1", "w1", "w2"]),
        ("access", ["db1"]),
        ("leftovers", list(HOSTS)),
    ]


def test_each_stage_says_what_must_be_healthy_at_its_end() -> None:
    assert order(stages(inputs(), list(HOSTS), ROLES)) == [
        ("machines", {}),
        ("retire schedulers", {}),
        ("stop scheduler", {}),
        ("stop workers", {}),
        ("settings", {}),
        ("scheduler", {"s1": ["scheduler"]}),
        ("schedulers", {"s1": ["dag-processor", "triggerer"]}),
        ("webservers", {"web1": ["webserver"]}),
        ("workers", {"w1": ["worker"], "w2": ["worker"]}),
        ("retire workers", {}),
        ("retire webservers", {}),
        ("access", {}),
        ("leftovers", {}),
    ]


def test_workers_and_the_metadata_database_part_when_a_whole_fleet_is_deployed() -> None:
    def closes(given: Inputs, hosts: Sequence[str], roles: Sequence[str]) -> bool:
        return "access" in [stage.name for stage in stages(given, hosts, roles)]

    assert closes(inputs(), list(HOSTS), ROLES)
    assert not closes(inputs(), ["db1", "s1", "web1", "w1"], ROLES)
    assert not closes(inputs(), ["w1", "w2"], ROLES)
    assert not closes(inputs(), list(HOSTS), ["database", "scheduler"])
    assert closes(inputs(fleet(version="2.11.2")), list(HOSTS), ROLES)


def test_further_schedulers_wait_for_the_first_one() -> None:
    of = fleet(roles={**ROLES_OF_FLEET, "scheduler": ("w1", "s1")})
    assert order(role_stages(inputs(of), ROLES))[:2] == [
        ("scheduler", {"w1": ["scheduler"]}),
        ("schedulers", {"s1": ["scheduler", "dag-processor", "triggerer"]}),
    ]


def test_every_step_of_a_stage_belongs_to_a_role_that_it_waits_for() -> None:
    for stage in role_stages(inputs(), ROLES):
        for host, steps in stage.steps.items():
            assert [step.name for step in steps] == [f"roles.{role}" for role in stage.gates[host].subjects]


def test_one_host_for_everything() -> None:
    of = fleet(hosts={"one": Host("one", "10.0.0.1")}, roles=dict.fromkeys(ROLES, ("one",)))
    parts = stages(inputs(of, redis_password=Secret("x")), ["one"], ROLES)
    assert [step.name for step in parts[0].steps["one"]][:7] == [
        "database.packages",
        "database.server",
        "database.access",
        "database.account",
        "database.backup",
        "redis.packages",
        "node.packages",
    ]
    assert [(stage.name, list(stage.steps)) for stage in parts] == [
        ("machines", ["one"]),
        ("stop scheduler", ["one"]),
        ("stop workers", ["one"]),
        ("settings", ["one"]),
        ("scheduler", ["one"]),
        ("schedulers", ["one"]),
        ("webservers", ["one"]),
        ("workers", ["one"]),
        ("access", ["one"]),
    ]


def test_one_role_only() -> None:
    parts = stages(inputs(), list(HOSTS), ["worker"])
    assert [(stage.name, list(stage.steps)) for stage in parts] == [
        ("machines", ["w1", "w2"]),
        ("settings", ["w1", "w2"]),
        ("workers", ["w1", "w2"]),
        ("retire workers", ["db1", "s1", "web1"]),
    ]


def test_one_host_only() -> None:
    parts = stages(inputs(), ["w2"], ROLES)
    assert [(stage.name, list(stage.steps)) for stage in parts] == [
        ("machines", ["w2"]),
        ("retire schedulers", ["w2"]),
        ("settings", ["w2"]),
        ("workers", ["w2"]),
        ("retire webservers", ["w2"]),
        ("leftovers", ["w2"]),
    ]


def test_the_database_alone_makes_no_nodes() -> None:
    parts = stages(inputs(), list(HOSTS), ["database"])
    assert [(stage.name, list(stage.steps)) for stage in parts] == [("machines", ["db1"])]


def test_redis_is_set_up_with_the_machines_where_nothing_stops_between() -> None:
    given = inputs(fleet(roles={**ROLES_OF_FLEET, "redis": ("w2",)}), redis_password=Secret("x"))
    (part,) = joined(stages(given, list(HOSTS), ["redis"]), lambda stage: True)
    assert (part.name, {host: [step.name for step in steps] for host, steps in part.steps.items()}) == (
        "machines",
        {"w2": ["redis.packages", "network.firewall", "redis.server"]},
    )
    assert stages(given, ["w1"], ["redis"]) == []


def test_redis_restarts_only_once_its_users_have_halted() -> None:
    given = inputs(fleet(roles={**ROLES_OF_FLEET, "redis": ("w2",)}), redis_password=Secret("x"))
    parts = stages(given, list(HOSTS), ROLES)
    found = {stage.name: [step.name for step in stage.steps["w2"]] for stage in parts if "w2" in stage.steps}
    assert found["machines"][:2] == ["redis.packages", "node.packages"]
    assert found["settings"] == ["redis.server", "node.link", "node.unit", "node.environment", "node.dags"]
    names = [stage.name for stage in parts]
    assert names.index("stop workers") < names.index("settings") < names.index("scheduler")


def test_a_database_that_is_not_ours_is_no_machine() -> None:
    of = fleet(roles={**ROLES_OF_FLEET, "database": ()}, database=Database(managed=False, host="pg"))
    machines = stages(inputs(of), list(HOSTS), ROLES)[0].steps
    assert list(machines) == ["s1", "web1", "w1", "w2"]
    assert [[step.name for step in steps].count("database.login") for steps in machines.values()] == [1] * 4


def test_a_host_that_is_only_passed_through_takes_no_part() -> None:
    through = replace(HOSTS["w2"], jump="bastion")
    of = fleet(hosts={**HOSTS, "w2": through, "bastion": Host("bastion", "10.0.0.9")})
    assert stages(inputs(of), ["bastion"], ROLES) == []
    assert only(stop_stages(inputs(of), ROLES), ["bastion"]) == []


def test_what_a_host_no_longer_has_ends_there() -> None:
    of = fleet(hosts={**HOSTS, "old": Host("old", "10.0.0.9")})
    parts = stages(inputs(of), ["old"], ROLES)
    assert [stage.name for stage in parts] == ["retire schedulers", "retire workers", "retire webservers", "leftovers"]
    units = tuple(f"airflow@{name}.service" for name in ("scheduler", "dag-processor", "triggerer"))
    unwanted = (*units, "airflow@webserver.service", "airflow@worker.service")
    drained = drain(inputs(of), of.hosts["old"], "worker")
    assert drained is not None
    assert [stage.steps["old"] for stage in parts[:3]] == [
        [Step("retire.schedulers", (Retired(unwanted, units),))],
        [Step("retire.workers", (Unreported(unwanted[4]), Retired(unwanted, unwanted[4:], ((unwanted[4], drained),))))],
        [Step("retire.webservers", (Retired(unwanted, unwanted[3:4]),))],
    ]


def test_services_with_data_are_reported_and_without_a_role_there_is_no_firewall() -> None:
    of = fleet(roles={**ROLES_OF_FLEET, "redis": ("w1",)}, hosts={**HOSTS, "old": Host("old", "10.0.0.9")})
    of = replace(of, network=Network(firewall=True))
    kept = ["kept files of airflow", "retired files of airflow", "files put aside /etc/default/airflow.by-hand"]
    environment = ("retire.environment", kept)
    schedule = ("retire.backup", ["timer aerodrome-backup-airflow.timer"])
    steps = stages(inputs(of, redis_password=Secret("x")), list(of.hosts), ROLES)[-1].steps
    assert {
        host: [(step.name, [part.key for part in step.parts]) for step in own]
        for host, own in steps.items()
        if host in ("db1", "w1", "old")
    } == {
        "db1": [("retire.services", ["left Redis"]), environment],
        "w1": [("retire.services", ["left PostgreSQL"]), schedule],
        "old": [
            ("retire.services", ["left PostgreSQL Redis"]),
            schedule,
            environment,
            ("network.firewall", ["firewall aerodrome-firewall.service"]),
        ],
    }


def test_with_downtime_everything_stops_first_and_the_schedulers_before_all() -> None:
    parts = stages(inputs(accept_downtime=True), list(HOSTS), ROLES)
    names = list(HOSTS)
    assert [(stage.name, list(stage.steps)) for stage in parts[:5]] == [
        ("stop other schedulers", [name for name in names if name != "s1"]),
        ("stop scheduler", ["s1"]),
        ("stop workers", names),
        ("stop others", names),
        ("machines", names),
    ]
    for host, steps in by_host(parts).items():
        found = [step.name for step in steps]
        assert len(found) == len(set(found)), f"{host}: a plan is parted by the names of its steps"


def test_where_a_broker_moves_what_can_fail_without_a_stop_comes_first_and_then_its_users_stop() -> None:
    parts = stages(inputs(fleet(roles={**ROLES_OF_FLEET, "scheduler": ("s1", "w2")})), list(HOSTS), ROLES)
    assert [(stage.name, list(stage.steps)) for stage in parts[:6]] == [
        ("machines", list(HOSTS)),
        ("retire schedulers", ["db1", "web1", "w1", "w2"]),
        ("stop other schedulers", ["w2"]),
        ("stop scheduler", ["s1"]),
        ("stop workers", ["w1", "w2"]),
        ("settings", ["s1", "web1", "w1", "w2"]),
    ]
    halts = [stage for stage in parts if stage.way_back]
    assert [stage.name for stage in halts] == ["stop other schedulers", "stop scheduler", "stop workers"]
    undone = {
        host: [resource.key for step in steps for resource in step.resources]
        for host, steps in halts[0].way_back.items()
    }
    scheduler, worker = "unit airflow@scheduler.service", "unit airflow@worker.service"
    assert undone == {"s1": [scheduler], "w1": [worker], "w2": [scheduler, worker]}
    waits = [host for stage in halts for host, (step,) in stage.steps.items() if step.resources[0].wait]  # type: ignore[attr-defined]
    assert waits == ["s1"]


def test_only_a_whole_deploy_may_move_a_broker() -> None:
    def checks(hosts: Sequence[str], roles: Sequence[str]) -> bool:
        steps = by_host(stages(inputs(), hosts, roles))["w1"]
        return any(isinstance(check, Unmoved) for step in steps for check in step.requires)

    assert not checks(list(HOSTS), ROLES)
    assert checks(["w1", "w2"], ROLES)
    assert checks(list(HOSTS), ["worker"])
    assert checks(list(HOSTS), ["scheduler", "worker"])
    assert checks([name for name in HOSTS if name != "db1"], ROLES)


def test_settings_come_with_the_machines_where_nothing_stops_between() -> None:
    parts = stages(inputs(), list(HOSTS), ROLES)
    whole = joined(parts, lambda stage: True)
    assert [stage.name for stage in whole[:2]] == ["machines", "scheduler"]
    assert [step.name for step in whole[0].steps["w1"]] == [
        *(step.name for step in parts[0].steps["w1"]),
        *(step.name for step in parts[4].steps["w1"]),
    ]
    assert joined(parts, lambda stage: stage.name != "stop workers") == parts
    two = stages(inputs(), list(HOSTS), ["worker"])
    assert [stage.name for stage in joined(two, lambda stage: False)][:2] == ["machines", "workers"]
    assert joined(parts[5:], lambda stage: True) == parts[5:]


def test_what_an_airflow_does_not_have_is_left_out() -> None:
    of = fleet(version="1.10.10", roles={**ROLES_OF_FLEET, "dag-processor": (), "triggerer": ()})
    assert [stage.name for stage in stages(inputs(of), list(HOSTS), ROLES) if "retire" not in stage.name] == [
        "machines",
        "stop scheduler",
        "stop workers",
        "settings",
        "scheduler",
        "webservers",
        "workers",
        "access",
        "leftovers",
    ]


def test_a_restart_restarts_each_unit() -> None:
    services = [
        resource
        for stage in role_stages(inputs(), ROLES, again=True)
        for steps in stage.steps.values()
        for step in steps
        for resource in step.resources
        if isinstance(resource, Service)
    ]
    assert len(services) == 6
    assert all(service.again for service in services)


def test_a_restart_begins_with_what_running_tasks_need() -> None:
    def names(version: str) -> list[str]:
        given = inputs(fleet(ROLES_OF_FLEET if version[0] == "3" else OLD_ROLES, version=version))
        return [stage.name for stage in restart(given, list(HOSTS), ROLES).stages]

    assert names("3.3.2") == ["webservers", "scheduler", "schedulers", "workers"]
    assert names("2.11.2") == ["scheduler", "schedulers", "webservers", "workers"]


def test_a_stop_begins_with_the_scheduler_and_then_goes_the_other_way_round() -> None:
    parts = only(stop_stages(inputs(), ROLES), list(HOSTS))
    assert [(stage.name, list(stage.steps)) for stage in parts] == [
        ("stop scheduler", ["s1"]),
        ("stop worker", ["w1", "w2"]),
        ("stop webserver", ["web1"]),
        ("stop triggerer", ["s1"]),
        ("stop dag-processor", ["s1"]),
        ("stop leftovers", ["db1", "s1", "web1", "w1", "w2"]),
    ]
    assert [step.name for step in parts[-1].steps["s1"]] == ["roles.worker", "roles.webserver"]


def test_a_stop_of_one_role_on_one_host() -> None:
    parts = only(stop_stages(inputs(), ["worker"]), ["w2", "web1"])
    assert [(stage.name, list(stage.steps)) for stage in parts] == [
        ("stop worker", ["w2"]),
        ("stop leftovers", ["web1"]),
    ]


def test_dags_are_imported_before_anything_stops_or_another_environment_is_used() -> None:
    given = inputs(fleet(roles={**ROLES_OF_FLEET, "scheduler": ("s1", "w2")}), imports="1f3a", allow_import_errors=True)
    parts = stages(given, list(HOSTS), ROLES)
    assert [stage.name for stage in parts[:3]] == ["machines", "DAGs", "retire schedulers"]
    assert list(parts[1].steps) == ["s1", "web1", "w1", "w2"]
    assert all([step.name for step in steps] == ["node.imports"] for steps in parts[1].steps.values())
    (compared, errors) = parts[1].steps["w1"][0].resources
    assert errors == NoNewErrors("1f3a", allow=True)
    (linked,) = [
        step.resources[0]
        for stage in parts
        if stage.name == "settings"
        for step in stage.steps["w1"]
        if step.name == "node.link"
    ]
    assert isinstance(compared, ComparedEnvironments) and linked == Linked(compared.of)
    assert (compared.of.stays, compared.of.run) == (("3.3.2",), "1f3a")
    assert [stage.name for stage in stages(given, ["w1"], ["worker"])[:2]] == ["machines", "DAGs"]
    assert list(stages(given, list(HOSTS), ["worker"])[1].steps) == ["w1", "w2"]
    assert "DAGs" not in [stage.name for stage in stages(given, ["db1"], ROLES)]

"""Which hosts can have which roles."""

from __future__ import annotations

import pytest

from tests.unit.fleet.hosts_yaml import SMALL, fleet, problems


@pytest.mark.parametrize(
    "version, dag_processor, triggerer",
    [("3.3.2", ("s1",), ("s1",)), ("2.11.2", (), ("s1",)), ("1.10.10.*", (), ())],
)
def test_the_first_scheduler_takes_the_roles_that_its_airflow_has(
    version: str, dag_processor: tuple[str, ...], triggerer: tuple[str, ...]
) -> None:
    got = fleet(SMALL + f"airflow: {{version: {version}}}")
    assert (got.roles["dag-processor"], got.roles["triggerer"]) == (dag_processor, triggerer)


@pytest.mark.parametrize(
    "roles, airflow, problem",
    [
        ("scheduler: [s1], webserver: [s1], worker: [w1]", "",
         "roles.database: no host has this role; name one, as in database: [db1]"),
        ("database: [db1], webserver: [s1], worker: [w1]", "",
         "roles.scheduler: no host has this role; name one, as in scheduler: [db1]"),
        ("database: [db1], scheduler: [s1], worker: [w1]", "",
         "roles.webserver: no host has this role; name one, as in webserver: [db1]"),
        ("database: [db1], scheduler: [s1], webserver: [s1]", "",
         "roles.worker: CeleryExecutor needs a worker; name a host, or set executor: "
         "LocalExecutor"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: [w1]", "executor: LocalExecutor",
         "roles.worker: LocalExecutor does not use workers; remove them, or set executor: CeleryExecutor"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: [w1, w1]", "",
         "roles.worker: w1is listed twice; keep only one"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: [w1, wrkr]", "",
         "roles.worker: no host is named wrkr; known: db1, s1, w1"),
        ("database: [db1], scheduler: [s1], webserver: s1, worker: [w1]", "",
         "roles.webserver: is text, not a list; expected a list of hosts: [worker1, worker2]"),
        ("database: [db1], scheduler: [s1], webserver: [s1], workers: [w1], worker: [w1]", "",
         "roles.workers: unknown key; did you mean worker?"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: [w1], dag-processor: []", "",
         "roles.dag-processor: no host has this role, and Airflow 3 cannot read DAGs without it; name one, or omit "
         "the role"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: [w1], dag-processor: [s1]",
         "version: 2.11.2",
         "roles.dag-processor: Airflow 2.11 has no separate dag-processor; remove the role"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: [w1], triggerer: [s1]",
         "version: 1.10.10",
         "roles.triggerer: Airflow 1.10 has no separate triggerer; remove the role"),
        ("database: [db1], scheduler: [s1, w1], webserver: [s1], worker: [w1]", "version: 1.10.10",
         "roles.scheduler: Airflow 1.10 supports only one scheduler; name one host"),
        # tables
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: {environment: {A: b}}", "",
         "roles.worker: hosts is missing; expected a list of hosts: [worker1, worker2]"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: {hosts: []}", "",
         "roles.worker: CeleryExecutor needs a worker; name a host, or set executor: "
         "LocalExecutor"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: {hosts: w1}", "",
         "roles.worker.hosts: is text, not a list; expected a list of hosts: [worker1, worker2]"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: {hosts: [w1], env: {}}", "",
         "roles.worker.env: unknown key; known: hosts, environment, config, sandbox, read_write_paths"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: {hosts: [wrkr]}", "",
         "roles.worker: no host is named wrkr; known: db1, s1, w1"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: {hosts: [w1], environment: {AIRFLOW_HOME: /}}", "",
         "roles.worker.environment.AIRFLOW_HOME: Aerodrome sets this itself; set airflow.home"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: {hosts: [w1], config: {celery: {broker_url: x}}}",
         "", "roles.worker.config.celery.broker_url: Aerodrome sets this itself; set broker.url"),
        ("database: {hosts: [db1], config: {core: {a: b}}}, scheduler: [s1], webserver: [s1], worker: [w1]", "",
         "roles.database: this role supports only hosts:, because it does not run Airflow; remove "
            "the rest"),
        # one of each
        ("database: [db1, s1], scheduler: [s1], webserver: [s1], worker: [w1]", "",
         "roles.database: only one host can have this role; name one"),
        ("database: [db1], redis: [db1, s1], scheduler: [s1], webserver: [s1], worker: [w1]", "",
         "roles.redis: only one host can have this role; name one"),
        ("database: [db1], redis: [db1], scheduler: [s1], webserver: [s1]", "executor: LocalExecutor",
         "roles.redis: LocalExecutor does not use a broker; remove the role"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_roles(roles: str, airflow: str, problem: str) -> None:
    hosts = SMALL.partition("\n")[2]
    assert problems(f"roles: {{{roles}}}\nairflow: {{{airflow}}}\n{hosts}") == [f"hosts.yaml:1: {problem}"]

"""What each key accepts. Any YAML value in any key gives a fleet, or errors of one line each, but never a traceback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aerodrome.errors import InvalidInput
from aerodrome.fleet.keys import fleet_keys
from aerodrome.fleet.reader import Kind
from aerodrome.fleet.schema import Either, Map, Table
from tests.unit.fleet.hosts_yaml import SMALL, problems
from tests.unit.make import COMPONENTS, parse

VALUES = [
    "1", "-1", "1.5", "9" * 5000, ".nan", "true", "~", "''", "x" * 5000, "'\U0001f600'", "[]", "{}", "[[1]]", "[a, a]",
    "{a: b}", "{? [1] : 2}", "{core: ~}", "{core: {a: b}}", "!!binary aGk=", "!!set {a}", "!!python/name:os.system ''",
    "!env X", "!env [a]", "!command \"'\"", "!prompt x", "!foo bar", "2020-99-99", "&a [*a]", "*nope", "[one, two]",
    "10.0.0.1", "!!int x", "'~nosuch'", "\"\\ud800\"", "\"\\0\"", "<<",
]  # fmt: skip


def keys(kind: Kind, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every key that hosts.yaml can have."""
    if path:
        yield path
    if isinstance(kind, Table):
        for name, field in kind.fields.items():
            yield from keys(field, (*path, name))
    elif isinstance(kind, Map):
        yield from keys(kind.item, (*path, "one"))
    elif isinstance(kind, Either):
        yield from keys(kind.table, path)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:20])
def test_any_value_in_any_key(value: str) -> None:
    for path in dict.fromkeys(keys(fleet_keys(COMPONENTS.values()))):
        text = "hosts: {two: {address: 10.0.0.2}}\n" if path[0] != "hosts" else ""
        text += "".join(f"{'  ' * depth}{key}:\n" for depth, key in enumerate(path)).rstrip("\n") + f" {value}\n"
        try:
            parse(text, "hosts.yaml", base="/fleet", resolve=lambda _: "x")
        except InvalidInput as error:
            for problem in error.problems:
                assert problem.startswith("hosts.yaml:"), problem
                assert len(problem) < 500, problem


OWN_HOME = "use a directory of Airflow's own, such as /usr/local/airflow"
HOME = "expected an absolute path of letters, digits and . _ + -, to a directory of Airflow's own"


@pytest.mark.parametrize(
    "added, problem",
    [
        ("airflow: {executor: KubernetesExecutor}",
         "airflow.executor: 'KubernetesExecutor' is not valid; expected CeleryExecutor or LocalExecutor"),
        ("airflow: {version: 4.0.0}",
         "airflow.version: '4.0.0' is not valid; expected an Airflow version such as "
         "3.3.2, 2.11.2 or 1.10.10 (supported: 1.10, 2 from 2.3, and 3)"),
        # 2.0 to 2.2 have their database under [core], where they would not read our setting
        ("airflow: {version: 2.2.5}",
         "airflow.version: '2.2.5' is not valid; expected an Airflow version such as "
         "3.3.2, 2.11.2 or 1.10.10 (supported: 1.10, 2 from 2.3, and 3)"),
        ("airflow: {user: root}",
         "airflow.user: 'root' is not valid; expected a Linux user of lowercase letters, digits, _ "
         "and -, other than root and aerodrome"),
        ("airflow: {user: aerodrome}",
         "airflow.user: 'aerodrome' is not valid; expected a Linux user of lowercase letters, "
         "digits, _ and -, other than root and aerodrome"),
        ("airflow: {service: 'a;b'}",
         "airflow.service: 'a;b' is not valid; expected a unit name of lowercase letters, digits and -"),
        ("airflow: {home: /usr/local/}", f"airflow.home: /usr/local/ is shared with other software; {OWN_HOME}"),
        ("airflow: {home: /etc/systemd/}",
         f"airflow.home: /etc/systemd/ belongs to the system, as does everything in /etc; {OWN_HOME}"),
        ("airflow: {service: ssh}",
         "airflow.service: ssh is the name of a system service; choose another, such as airflow"),
        ("airflow: {home: /srv/../etc}", f"airflow.home: '/srv/../etc' is not valid; {HOME}"),
        ("airflow: {home: '/srv/a b'}", f"airflow.home: '/srv/a b' is not valid; {HOME}"),
        ("airflow: {home: '/srv/%h'}", f"airflow.home: '/srv/%h' is not valid; {HOME}"),
        ("airflow: {home: srv}", f"airflow.home: 'srv' is not valid; {HOME}"),
        ("airflow: {home: \"/srv/a\\n\"}", f"airflow.home: '/srv/a\\n' is not valid; {HOME}"),
        ("airflow: {python: python3 -v}", "airflow.python: 'python3 -v' is not valid; "
         "expected a command such as python3.11, or its absolute path"),
        ("airflow: {base_url: airflow.example.com}", "airflow.base_url: 'airflow.example.com' is not valid; "
         "expected a URL that starts with http:// or https://"),
        ("airflow: {web_port: 80}",
         "airflow.web_port: 80 is not valid; expected a number from 1024 to 65535 (lower ones need root)"),
        ("database: {name: template1}", "database.name: 'template1' is not valid; "
         "expected a database name of letters, digits and _ $ -, not one of PostgreSQL's own"),
        ("database: {user: postgres}", "database.user: 'postgres' is not valid; "
         "expected a database user of letters, digits and _ $ -, not one of PostgreSQL's own"),
        ("database: {user: \"a'b\"}", "database.user: \"a'b\" is not valid; "
         "expected a database user of letters, digits and _ $ -, not one of PostgreSQL's own"),
        ("  Web_1: {address: 10.0.0.9}", "hosts.Web_1: the name is not valid; "
         "expected a host name of lowercase letters, digits and -, such as worker1"),
        ("  localhost: {address: 10.0.0.9}", "hosts.localhost: the name is not valid; "
         "expected a host name of lowercase letters, digits and -, such as worker1"),
        ("  10.0.0.9: {address: 10.0.0.9}", "hosts.10.0.0.9: the name is not valid; "
         "expected a host name of lowercase letters, digits and -, such as worker1"),
        ("  x: {address: 10.0.0.9, user: -oProxyCommand}",
         "hosts.x.user: '-oProxyCommand' is not valid; expected a login name of letters, digits and . _ @ -"),
        ("  x: {address: 10.0.0.9, worker: {queues: ['a,b']}}",
         "hosts.x.worker.queues: 'a,b' is not valid; expected a queue name of letters, digits and . _ -"),
        ("  x: {address: 10.0.0.9, worker: {queues: [a, a]}}",
         "hosts.x.worker.queues: ais listed twice; keep only one"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_name_or_path(added: str, problem: str) -> None:
    assert problems(SMALL + added) == [f"hosts.yaml:6: {problem}"]

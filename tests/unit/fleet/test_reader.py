"""Text that is not YAML, or not the shape of a hosts.yaml; references and secrets."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.fleet.hosts_yaml import ANY_REFERENCE, SHIPPED, SMALL, fleet, problems


@pytest.mark.parametrize(
    "added, problem",
    [
        ("bogus: 1", "bogus: unknown key; known: hosts, roles, ssh, airflow, database, broker, network, deploy, "
         "backup"),
        ("deploy: [1]", "deploy: is a list, not a mapping; expected the keys of the section deploy"),
        ("deploy: {? [a] : 1}", "deploy: has a key that is not text; expected the keys of the section deploy"),
        ("deploy: !file x", "deploy: is a reference, not a mapping; expected the keys of the section deploy"),
        ("  x: 10.0.0.9", "hosts.x: is text, not a mapping; expected an address, as in {address: 10.0.0.1}"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_shape(added: str, problem: str) -> None:
    assert problems(SMALL + added) == [f"hosts.yaml:6: {problem}"]


@pytest.mark.parametrize(
    "added, problem",
    [
        ("database: {password: 123456}",
         "database.password: is a whole number, not text; expected a password, in quotes"),
        ("database: {password: ''}", "database.password: is not valid; expected a password"),
        ("database: {password: {a: b}}", "database.password: is a mapping, not text; expected a password"),
        ("database: {password: !hunter2 }", f"database.password: starts with ! but is not a known tag; "
         f"use {ANY_REFERENCE} or !prompt, or quote the text"),
        ("database: {password: !env [A]}", f"database.password: starts with ! but is not a known tag; "
         f"use {ANY_REFERENCE} or !prompt, or quote the text"),
        ("database: {password: !env A B}",
         "database.password: !env has no valid argument; use !env NAME"),
        ("database: {password: !file }",
         "database.password: !file has no valid argument; use !file PATH"),
        ('database: {password: !file "a\\0"}',
         "database.password: !file has no valid argument; use !file PATH"),
        ("database: {password: !command \"a 'b\"}", "database.password: !command has no "
         'valid argument; use !command "program argument …"'),
        ('database: {password: "a\\0b"}',
         "database.password: contains a control character; only tabs and newlines are allowed"),
        ("airflow: {fernet_key: hunter2}",
         "airflow.fernet_key: is not valid; expected 32 bytes as URL-safe base64 "
         "(43 characters and =), or several, separated by commas"),
        ("ssh: {sudo_password: \"a\\nb\"}", "ssh.sudo_password: is not valid; expected a one-line password"),
        ("airflow: {web_port: !prompt }",
         f"airflow.web_port: !prompt is only for secrets; use {ANY_REFERENCE}, or the value itself"),
        ("airflow: {web_port: !env PORT}",
         "airflow.web_port: !env cannot be looked up here; use the value itself"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_secret_or_reference(added: str, problem: str) -> None:
    assert problems(SMALL + added) == [f"hosts.yaml:6: {problem}"]


@pytest.mark.parametrize(
    "text, problem",
    [
        ("# nothing\n", "1: the file is empty; expected the sections hosts: and roles:, "
         "and optionally ssh:, airflow:, database:, broker:, network:, deploy:, backup:"),
        ("- a", "1: is a list, not a mapping; expected the sections hosts: and roles:, "
         "and optionally ssh:, airflow:, database:, broker:, network:, deploy:, backup:"),
        ("hosts:\n  a: b: c\n", "2: invalid YAML: mapping values are not allowed here; "
         "indent with spaces, and quote special characters"),
        ("hosts:\n\ta: b\n",
         "2: invalid YAML: while scanning for the next token found character '\\t' that cannot start "
         "any token; indent with spaces, and quote special characters"),
        ("hosts:\n  a: \x01",
         "2: invalid YAML: contains a control character; only tabs and newlines are allowed"),
        ("a: 1\n---\nb: 1\n",
         "2: invalid YAML: expected a single document in the stream but found another document; "
         "indent with spaces, and quote special characters"),
        ("hosts: {a: b\nc: d}", "2: invalid YAML: while parsing a flow mapping expected ',' or '}', but got ':'; "
         "indent with spaces, and quote special characters"),
        ("database: {password: *hunter2}", "1: invalid YAML: found undefined alias …; "
         "indent with spaces, and quote special characters"),
        ("database: {password: !hunter!2 x}",
         "1: invalid YAML: while parsing a node found undefined tag handle …; "
         "indent with spaces, and quote special characters"),
    ],
)  # fmt: skip
def test_what_is_not_yaml_is_one_mistake(text: str, problem: str) -> None:
    assert problems(text) == [f"hosts.yaml:{problem}"]


def test_an_alias_says_a_value_again() -> None:
    more = "  x: {address: 10.0.0.8, worker: &big {concurrency: 32}}\n  y: {address: 10.0.0.9, worker: *big}"
    got = fleet(SMALL + more)
    assert got.hosts["y"].of_role == got.hosts["x"].of_role == {"worker": {"concurrency": 32}}


@pytest.mark.parametrize(
    "added",
    [
        "airflow: {web_port: %s}" % ("9" * 5000),
        "airflow: {service: %s}" % ("a" * 5000),
        "airflow: {%s: 1}" % ("b" * 5000),
        "airflow: {executor: %s}" % ("c" * 5000),
        "database: {port: !!binary aGk=}",
        "database: {name: !!binary aGk=}",
        "database: {name: !!python/object:os.system x}",
    ],
)
def test_a_value_of_any_length_and_type_is_a_mistake_of_one_short_line(added: str) -> None:
    (told,) = problems(SMALL + added)
    assert told.startswith("hosts.yaml:6: ")
    assert len(told) < 400


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 1000])
def test_what_is_nested_too_deep_ends_no_process(text: str) -> None:
    # In a separate process: libyaml's composer overflows the stack.
    program = "import sys; from aerodrome.fleet.parse import parse; parse(sys.stdin.read(), 'hosts.yaml', ())"
    done = subprocess.run(
        [sys.executable, "-c", program], input=text, capture_output=True, text=True, cwd=SHIPPED.parent, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "aerodrome.errors.InvalidInput: hosts.yaml:1: invalid YAML: nested more than 100 levels deep; "
    )


def test_many_hosts_are_not_deep() -> None:
    hosts = "".join(f"  h{number}: {{address: 10.0.{number // 250}.{number % 250 + 1}}}\n" for number in range(300))
    assert (
        len(fleet(f"hosts:\n{hosts}roles: {{database: [h1], scheduler: [h1], webserver: [h1], worker: [h2]}}").hosts)
        == 300
    )

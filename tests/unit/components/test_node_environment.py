"""The step node.environment: files of variables, and commands that print secrets."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from aerodrome.components.inputs import Inputs, Settings
from aerodrome.core.resource import quote
from aerodrome.fleet.model import Broker
from aerodrome.resources.environment import CommandsAnswer, KeptVariables
from aerodrome.resources.files import Absent, File
from aerodrome.secrets import Secret
from tests.unit.components.node_steps import ALL, environment_file, resources
from tests.unit.make import FERNET_KEY, Shell, fleet, inputs, only_change, parameters


def test_the_environment_file_is_roots_alone() -> None:
    for path, host in (("/etc/default/ac", "w1"), ("/etc/default/ac-webserver", "web1")):
        file = environment_file(inputs(fleet(service="ac")), path, host)
        assert (file.owner, file.group, file.mode) == ("root", "root", 0o600)
    assert "jwt-secret" in file.content
    assert file.mask
    assert "jwt-secret" not in file.mask(file.content)


@pytest.mark.parametrize("old", ["hunter2", "first\nhunter2==\nlast", "first\n#hunter2\nZONE=hunter2"])
def test_neither_the_new_nor_the_old_secret_is_in_a_diff(old: str) -> None:
    before = environment_file(inputs(settings=Settings({"ZONE": "west", "KEY": Secret(old)})))
    after = environment_file(inputs(settings=Settings({"ZONE": "east", "KEY": Secret("first\nnew-one==")})))
    diff = only_change(after, f"regular file|root|root|600\n{before.content}").diff
    assert "+ZONE=east" in diff
    assert "hunter2" not in diff
    assert "new-one" not in diff


def found(file: File) -> str:
    return f"regular file|root|root|600\n{file.content}"


def test_what_a_worker_no_longer_needs_is_in_no_way_back() -> None:
    path = "/etc/default/airflow-worker"
    together = environment_file(inputs(fleet(broker=Broker(separate=False))), path)
    apart = environment_file(inputs(), path)
    assert "p%40ss" in together.content and "p%40ss" not in apart.content
    assert only_change(apart, found(together)).undo is None
    (absent,) = [each for each in resources("node.environment", None, "web1") if each.key == f"file {path}"]
    assert isinstance(absent, Absent)
    assert only_change(absent, found(together)).undo is None


@pytest.mark.parametrize("version", ["1.10.10", "2.11.2", "3.3.2"])
def test_plain_variables_have_a_way_back_that_keeps_no_secret(version: str) -> None:
    def files(**variables: str | Secret) -> list[File]:
        settings = Settings({"TOKEN": Secret("hunter2"), **variables})
        given = inputs(fleet(version=version), settings=settings, role_settings={"worker": settings})
        return [environment_file(given), environment_file(given, "/etc/default/airflow-worker")]

    secrets = (FERNET_KEY, "p%40ss", "hunter2", "web-secret", "celery-secret")
    for before, after in zip(files(SEASON="winter"), files(ZONE="west"), strict=True):
        for old, new in ((before, after), (after, before)):
            undo = only_change(new, found(old)).undo
            assert undo
            assert not [each for each in secrets if each in undo.script or each.encode() in undo.payload]
    for before, after in zip(files(), files(TOKEN=Secret("hunter3")), strict=True):
        assert only_change(after, found(before)).undo is None


def role_files(given: Inputs, host: str) -> dict[str, type[File | Absent]]:
    found = resources("node.environment", given, host)
    return {
        each.path.removeprefix("/etc/default/airflow-"): type(each)
        for each in found
        if isinstance(each, File | Absent) and each.path != "/etc/default/airflow"
    }


def test_a_host_has_the_files_of_its_own_roles_and_no_others() -> None:
    assert role_files(inputs(), "w1") == {**dict.fromkeys(ALL, Absent), "worker": File}
    assert role_files(inputs(), "s1") == {**dict.fromkeys(ALL[:3], File), "webserver": Absent, "worker": Absent}


def test_before_airflow_3_a_role_without_variables_of_its_own_has_no_file_of_them() -> None:
    of_role = Settings({"TOKEN": Secret("hunter2")}, {"celery": {"task_acks_late": "True"}})
    given = inputs(fleet(version="1.10.10"), role_settings={"worker": of_role})
    assert role_files(inputs(fleet(version="1.10.10")), "w2") == dict.fromkeys(ALL, Absent)
    file = environment_file(given, "/etc/default/airflow-worker")
    head, *variables = file.content.splitlines()
    assert head == (
        "# Written by Aerodrome from hosts.yaml: change it there. Read by systemd (systemd.exec(5), EnvironmentFile=)."
    )
    late, concurrency = "AIRFLOW__CELERY__TASK_ACKS_LATE=True", "AIRFLOW__CELERY__WORKER_CONCURRENCY=4"
    assert variables == [late, "TOKEN=hunter2", concurrency]
    assert file.mask is not None
    assert file.mask(file.content).splitlines()[1:] == [late, "TOKEN=********", concurrency]


def test_no_key_is_looked_for_where_the_nodes_ask_a_command_for_it() -> None:
    given = inputs(fleet(fernet_key_command="vault"), fernet_key=None)
    kept, file, *_, commands = resources("node.environment", given, "web1")
    assert (type(kept), type(file), type(commands)) == (KeptVariables, File, CommandsAnswer)
    assert (commands.file, commands.key) == (
        "/etc/default/airflow-webserver",
        "commands /etc/default/airflow-webserver",
    )


def test_each_role_asks_the_commands_that_it_needs() -> None:
    broker = Broker(url_command="vault broker", result_backend_command="vault results")
    asked = {}
    for version in ("2.11.2", "3.3.2"):
        given = inputs(fleet(version=version, broker=broker, fernet_key_command="vault key"), fernet_key=None)
        for host in ("s1", "w1"):
            found = resources("node.environment", given, host)
            asked[version, host] = [
                (
                    each.file.removeprefix("/etc/default/airflow"),
                    [name[:-4] for name in parameters(each.script)["names"]],
                )
                for each in found
                if isinstance(each, CommandsAnswer)
            ]
    key, celery = "AIRFLOW__CORE__FERNET_KEY", ["AIRFLOW__CELERY__BROKER_URL", "AIRFLOW__CELERY__RESULT_BACKEND"]
    everything = [("", [*celery, key])]
    assert asked == {
        ("2.11.2", "s1"): everything,
        ("2.11.2", "w1"): everything,
        ("3.3.2", "s1"): [("-scheduler", [*celery, key]), ("-dag-processor", [key]), ("-triggerer", [key])],
        ("3.3.2", "w1"): [("-worker", celery)],
    }


def asking(**airflow: Any) -> str:
    given = inputs(fleet(fernet_key_command="vault key", **airflow), fernet_key=None)
    (commands,) = [each for each in resources("node.environment", given, "web1") if isinstance(each, CommandsAnswer)]
    return commands.script


def test_commands_are_asked_as_the_service_user_in_the_units_environment() -> None:
    head, _, program = asking(service="ac").partition("<<'END_OF_FILE'\n")
    assert head == (
        "systemd-run --quiet --pipe --wait --collect -p User=astro -p Group=astro "
        "-p EnvironmentFile=-/etc/default/ac.local -p EnvironmentFile=/etc/default/ac "
        "-p EnvironmentFile=-/etc/default/ac-webserver "
        "-p WorkingDirectory=/ -p UMask=0027 /opt/aerodrome/ac/venv/bin/python -I - "
    )
    ast.parse(program.removesuffix("END_OF_FILE"), feature_version=(3, 6))
    assert parameters(program) == {"names": ["AIRFLOW__CORE__FERNET_KEY_CMD"]}


@pytest.mark.parametrize(
    "command, says, code",
    [
        ("printf %s hunter2", "", 0),
        ("printf '%s' 'hunter2 $HOME'", "", 0),
        ("echo hunter2", "it prints space or a newline around the value", 1),
        ("printf ' hunter2'", "it prints space or a newline around the value", 1),
        ("true", "it prints nothing", 1),
        ("false", "Command '['false']' returned non-zero exit status 1.", 1),
        ("no-such-program x", "[Errno 2] No such file or directory: 'no-such-program'", 1),
    ],
)
def test_a_command_that_does_not_answer_as_airflow_needs_it_is_reported(
    sh: Shell, command: str, says: str, code: int
) -> None:
    program = asking().partition("/venv/bin/python -I - ")[2]
    done = sh(f"export AIRFLOW__CORE__FERNET_KEY_CMD={quote(command)}\npython3 - {program}")
    wanted = f"AIRFLOW__CORE__FERNET_KEY_CMD: {says}\n" if says else ""
    assert (done.stderr.decode(), done.stdout, done.returncode) == (wanted, b"", code)
    assert "hunter2" not in done.stderr.decode()

"""The steps of a node."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

import pytest

from aerodrome.checks.celery import Unmoved
from aerodrome.checks.claims import OwnEnvironment, OwnUnits
from aerodrome.checks.keys import FoundKeys
from aerodrome.components.environment import mask_config
from aerodrome.components.inputs import Inputs, Settings
from aerodrome.components.node import dags, node
from aerodrome.core.check import Check
from aerodrome.core.resource import Seen, quote
from aerodrome.errors import AerodromeError
from aerodrome.fleet.model import Broker, Deploy
from aerodrome.resources.block import Block
from aerodrome.resources.environment import CommandsAnswer, KeptVariables
from aerodrome.resources.files import Absent, File
from aerodrome.resources.home import Default, ServiceHome
from aerodrome.resources.installer import Installer
from aerodrome.resources.module import Module
from aerodrome.resources.packages import Packages
from aerodrome.resources.python import Installed, VirtualEnvironment
from aerodrome.resources.release import Pruned
from aerodrome.resources.takeover import PutAside
from aerodrome.resources.tree import Tree
from aerodrome.resources.users import User
from aerodrome.secrets import Secret
from tests.unit.make import FERNET_KEY, HOSTS, Shell, fleet, inputs, only_change, parameters

UNIT = """\
# Written by Aerodrome. What is particular to a role or host is in drop-ins: systemctl cat airflow@ROLE
[Unit]
Description=Airflow %i
Documentation=https://airflow.apache.org/docs/
Wants=network-online.target
After=network-online.target cloud-config.service

[Service]
Type=simple
User=astro
Group=astro
WorkingDirectory=/usr/local/airflow
# Variables of this host that somebody wrote by hand; those of the next file win.
EnvironmentFile=-/etc/default/airflow.local
EnvironmentFile=/etc/default/airflow
# What only this role's processes need, with its secrets.
EnvironmentFile=-/etc/default/airflow-%i
ExecStart=/opt/aerodrome/airflow/venv/bin/airflow %i
Restart=always
RestartSec=5s
# SIGTERM goes to the main process only: a worker then ends its tasks before it leaves. Sent to all processes,
# as is the default, it kills the tasks.
KillMode=mixed
TimeoutStopSec=60s
UMask=0027

[Install]
WantedBy=multi-user.target
"""


def resources(name: str, given=None, host: str = "w1") -> tuple:  # type: ignore[no-untyped-def,type-arg]
    (step,) = [step for step in node(given or inputs(), HOSTS[host]) if step.name == name]
    return step.resources


def requires(name: str, given: Inputs | None = None) -> tuple[Check, ...]:
    (step,) = [step for step in node(given or inputs(), HOSTS["w1"]) if step.name == name]
    return step.requires


def test_the_steps_of_the_guide_in_order() -> None:
    assert [step.name for step in node(inputs(), HOSTS["w1"])] == [
        "node.packages",
        "node.user",
        "node.hosts",
        "node.venv",
        "node.install",
        "node.unit",
        "node.environment",
        "node.dags",
    ]


def test_no_two_resources_have_one_key() -> None:
    given = inputs(config_file="[core]\n", dags=Tree("/usr/local/airflow/dags", "1", 1, bytes, "astro"))
    keys = [resource.key for step in node(given, HOSTS["w1"]) for resource in step.parts]
    assert len(keys) == len(set(keys)) == 27


@pytest.mark.parametrize("python", ["python3", "python", "/usr/bin/python3.12", "pypy3.10", "python3.12-debug"])
def test_packages_of_the_guide(python: str) -> None:
    assert resources("node.packages", inputs(fleet(python=python))) == (
        Packages(
            apt=("sudo", "python3", "python3-venv", "python3-dev", "gcc"),
            dnf=("sudo", "python3", "python3-devel", "gcc"),
        ),
    )


def test_packages_follow_the_python_that_the_operator_names() -> None:
    assert resources("node.packages", inputs(fleet(python="python3.12"))) == (
        Packages(
            apt=("sudo", "python3.12", "python3.12-venv", "python3.12-dev", "gcc"),
            dnf=("sudo", "python3.12", "python3.12-devel", "gcc"),
        ),
    )


def test_the_user_of_the_guide() -> None:
    given = inputs(fleet(user="air", home="/srv/airflow"))
    assert resources("node.user", given) == (
        User("air", "/home/air", profile="export AIRFLOW_HOME=/srv/airflow"),
        ServiceHome("/srv/airflow", "air"),
        Default("/srv/airflow/airflow.cfg", given.catalogue.home_files["airflow.cfg"], "air"),
    )


@pytest.mark.parametrize(
    "version, names",
    [
        ("3.3.2", ["airflow.cfg"]),
        ("2.11.2", ["airflow.cfg", "webserver_config.py"]),
        ("1.10.10", ["airflow.cfg", "unittests.cfg", "webserver_config.py"]),
    ],
)
def test_what_airflow_would_write_into_its_home_is_there_before_it(version: str, names: list[str]) -> None:
    def found(**given: Any) -> list[str]:
        of = resources("node.user", inputs(fleet(version=version), **given))
        return [each.path for each in of if isinstance(each, Default)]

    assert found() == [f"/usr/local/airflow/{name}" for name in names]
    # One that is set in hosts.yaml is written elsewhere.
    assert found(config_file="[core]\n") == [f"/usr/local/airflow/{name}" for name in names[1:]]


NAME_FILE = """\
# Written by Aerodrome: the name of this host in hosts.yaml, which the other hosts can resolve.
# Airflow asks for it ([core] hostname_callable) to say where a task ran and where its log is, so that logs can be
# read whatever the machine calls itself.


def name():
    return "w1"
"""
NAME = (Module("/usr/local/airflow/config/aerodrome_host.py", NAME_FILE, "astro"),)


def test_every_host_knows_every_other_by_name() -> None:
    lines = ("10.0.0.1 db1", "10.0.0.2 s1", "10.0.0.3 web1", "10.0.0.4 w1", "10.0.0.5 w2")
    assert resources("node.hosts") == (Block("/etc/hosts", lines), *NAME)


def test_where_dns_knows_them_etc_hosts_is_left_alone() -> None:
    assert resources("node.hosts", inputs(fleet(deploy=Deploy(dns=True)))) == NAME


def test_a_host_whose_address_is_a_dns_name_is_known_by_it() -> None:
    def known_as(address: str, dns: bool) -> str:
        return inputs(fleet(deploy=Deploy(dns=dns))).known_as(replace(HOSTS["w1"], address=address))

    assert known_as("w1.example.com", True) == "w1.example.com"
    assert {known_as(address, True) for address in ("10.0.0.4", "fd00::4")} == {"w1"}
    assert known_as("10.0.0.4", False) == "w1"


def test_the_unit_as_a_whole() -> None:
    unit = File("/etc/systemd/system/airflow@.service", UNIT, reload=True, keep=True)
    assert resources("node.unit") == (unit,)
    assert requires("node.unit") == (OwnUnits("airflow"),)


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


def test_python_and_what_goes_into_it() -> None:
    given = inputs(
        fleet(version="2.11.2", python="/opt/python"),
        locks={"3.11": "lock"},
        uv="uv",
        index_url=Secret("https://a"),
        extra_index_url=Secret("https://b"),
    )
    (installer, venv), (installed, pruned) = resources("node.venv", given), resources("node.install", given)
    assert isinstance(venv, VirtualEnvironment)
    assert isinstance(installed, Installed)
    assert pruned == Pruned(installed)
    directories = ("/opt/aerodrome", "/opt/aerodrome/airflow", "/opt/aerodrome/airflow/venvs")
    assert installer == Installer(directories)
    assert venv.requirements == installed.requirements
    assert (venv.place, venv.python, venv.user) == ("/opt/aerodrome/airflow", "/opt/python", "astro")
    assert venv.unit == "/etc/systemd/system/airflow@.service"
    wanted = venv.requirements
    assert (wanted.name, wanted.locks, wanted.unpinned, wanted.uv) == ("2.11.2", {"3.11": "lock"}, "", "uv")
    assert wanted.supported == ("3.10", "3.11", "3.12")
    assert (wanted.index_url, wanted.extra_index_url) == (Secret("https://a"), Secret("https://b"))


def test_unpinned_as_the_operator_says() -> None:
    given = inputs(fleet(pinned=False, extras=("postgres", "celery")))
    assert resources("node.install", given)[0].requirements.unpinned == "apache-airflow[postgres,celery]==3.3.2"


def test_without_a_lock_the_celery_providers_that_lose_tasks_are_kept_out() -> None:
    wanted = resources("node.install", inputs(fleet(version="2.11.2", pinned=False)))[0].requirements
    assert wanted.unpinned.splitlines() == [
        "apache-airflow[postgres,celery,redis,fab]==2.11.2",
        "apache-airflow-providers-celery!=3.16.0,!=3.17.0,!=3.17.1",
    ]


def test_dags_and_airflow_cfg_where_there_are_any() -> None:
    tree = Tree("/usr/local/airflow/dags", "1", 1, bytes, "astro")
    assert dags(inputs()) == ()
    assert dags(inputs(config_file="[core]\n", dags=tree)) == (
        File("/usr/local/airflow/airflow.cfg", "[core]\n", "root", "astro", 0o640, mask=mask_config, keep=True),
        tree,
        Pruned(tree),
    )


def environment_file(given: Inputs, path: str = "/etc/default/airflow", host: str = "w1") -> File:
    found = [each for each in resources("node.environment", given, host) if isinstance(each, File)]
    (file,) = [each for each in found if each.path == path]
    return file


# Variables of roles

ALL = ["scheduler", "dag-processor", "triggerer", "webserver", "worker"]


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
    assert role_files(inputs(fleet(version="1.10.10")), "w2") == dict.fromkeys(
        ["scheduler", "webserver", "worker"], Absent
    )
    file = environment_file(given, "/etc/default/airflow-worker")
    head, *variables = file.content.splitlines()
    assert head == (
        "# Written by Aerodrome from hosts.yaml: change it there. Read by systemd (systemd.exec(5), EnvironmentFile=)."
    )
    late, concurrency = "AIRFLOW__CELERY__TASK_ACKS_LATE=True", "AIRFLOW__CELERY__WORKER_CONCURRENCY=4"
    assert variables == [late, "TOKEN=hunter2", concurrency]
    assert file.mask is not None
    assert file.mask(file.content).splitlines()[1:] == [late, "TOKEN=********", concurrency]


def test_a_key_in_the_file_of_a_role_is_not_replaced_by_one_that_nobody_gave() -> None:
    file = environment_file(inputs(made=frozenset({"fernet_key"})), "/etc/default/airflow-scheduler", "s1")
    assert len(file.changes(Seen(""))) == 1
    with pytest.raises(AerodromeError, match=NO_KEY_GIVEN):
        file.changes(Seen(HEAD + "# Written by Aerodrome\nAIRFLOW__CORE__FERNET_KEY=old\n"))


# Hosts set up by hand

HEAD = "regular file|root|root|600\n"
NO_KEY_GIVEN = (
    "the host has a Fernet key, but this checkout has none: a new one would make stored connections unreadable"
)


@pytest.mark.parametrize(
    "found, made, airflow, refused",
    [
        # Ours, from a run whose secrets.yaml is not here.
        ("# Written by Aerodrome\nAIRFLOW__CORE__FERNET_KEY=old\n", True, {}, True),
        ("# Written by Aerodrome\nAIRFLOW__CORE__FERNET_KEY_CMD=vault\n", True, {}, True),
        ("# Written by Aerodrome\nAIRFLOW__CORE__FERNET_KEY=old\n", False, {}, False),
        ("# Written by Aerodrome\nAIRFLOW__CORE__FERNET_KEY=old\n", True, {"fernet_key": Secret("given")}, False),
        ("# Written by Aerodrome\nAIRFLOW__CORE__FERNET_KEY=\n", True, {}, False),
        # Written by hand: a key is adopted; the output of a command cannot be.
        ("AIRFLOW__CORE__FERNET_KEY=old\n", True, {}, False),
        ("AIRFLOW__CORE__FERNET_KEY_CMD=vault\n", True, {}, True),
        (" AIRFLOW__CORE__FERNET_KEY_CMD = vault\n", False, {}, True),
        ("AIRFLOW__CORE__FERNET_KEY_CMD=vault\n", False, {"fernet_key": Secret("given")}, False),
        ("AIRFLOW__CORE__FERNET_KEY_CMD=vault\n", False, {"fernet_key_command": "vault"}, False),
        ("PATH=/bin\n", True, {}, False),
    ],
)
def test_a_key_that_nobody_gave_does_not_replace_one_that_a_host_has(
    found: str, made: bool, airflow: dict[str, Any], refused: bool
) -> None:
    file = environment_file(inputs(fleet(**airflow), made=frozenset({"fernet_key"} if made else ())))
    if refused:
        with pytest.raises(AerodromeError, match=NO_KEY_GIVEN):
            file.changes(Seen(HEAD + found))
    else:
        assert file.changes(Seen(HEAD + found)) != []


def test_keys_and_variables_are_taken_over_before_the_file_is_replaced() -> None:
    given = inputs(fleet(service="ac", home="/srv/air"))
    kept, file, *of_roles, aside = resources("node.environment", given)
    own, found, place = requires("node.environment", given)
    assert own == OwnEnvironment("/etc/default/ac")
    assert found == FoundKeys(
        "/etc/default/ac", "/srv/air/airflow.cfg", "AIRFLOW__CORE__FERNET_KEY", Secret(FERNET_KEY), "astro"
    )
    assert isinstance(kept, KeptVariables)
    assert (kept.path, kept.found_in) == ("/etc/default/ac.local", "/etc/default/ac")
    assert (file.path, file.keep) == ("/etc/default/ac", True)
    assert aside == PutAside(
        (
            "/etc/default/ac.by-hand",
            "/etc/systemd/system/ac@.service.by-hand",
            "/srv/air/airflow.cfg.by-hand",
        )
    )
    assert len(of_roles) == len(ALL)
    assert isinstance(place, Unmoved)


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


@pytest.mark.parametrize(
    "version, ours, not_ours",
    [
        (
            "3.3.2",
            "PATH AIRFLOW_HOME AIRFLOW__CORE__EXECUTOR AIRFLOW__API__PORT AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
            " AIRFLOW__API_AUTH__JWT_SECRET AIRFLOW__API_AUTH__JWT_SECRET_CMD"
            # under older names
            " AIRFLOW__CORE__SQL_ALCHEMY_CONN AIRFLOW__CORE__SQL_ALCHEMY_CONN_CMD AIRFLOW__WEBSERVER__WEB_SERVER_PORT"
            # as for a secrets backend
            " AIRFLOW__CORE__FERNET_KEY_CMD AIRFLOW__CELERY__BROKER_URL_SECRET AIRFLOW__WEBSERVER__SECRET_KEY_SECRET",
            "ZONE TEAM_NAME AIRFLOW__CORE__PARALLELISM CORE__FERNET_KEY AIRFLOW__API_AUTH__JWT AIRFLOW__",
        ),
        (
            "1.10.10",
            # under newer names
            "AIRFLOW__CORE__SQL_ALCHEMY_CONN AIRFLOW__DATABASE__SQL_ALCHEMY_CONN AIRFLOW__API__SECRET_KEY"
            " AIRFLOW__WEBSERVER__RBAC",
            "AIRFLOW__API_AUTH__JWT_SECRET AIRFLOW__SMTP__SMTP_PASSWORD",
        ),
    ],
)
def test_what_hosts_yaml_has_its_say_about_is_not_kept(version: str, ours: str, not_ours: str) -> None:
    (kept,) = [
        each
        for each in resources("node.environment", inputs(fleet(version=version)))
        if isinstance(each, KeptVariables)
    ]
    assert [name for name in ours.split() if not kept.ours(name)] == []
    assert [name for name in not_ours.split() if kept.ours(name)] == []


def test_a_key_of_before_does_not_outlive_the_command_that_gives_it() -> None:
    given = inputs(fleet(fernet_key_command="vault"), fernet_key=None)
    (kept,) = [each for each in resources("node.environment", given) if isinstance(each, KeptVariables)]
    assert kept.ours("AIRFLOW__CORE__FERNET_KEY")  # Airflow would prefer it to the command
    assert kept.ours("AIRFLOW__CORE__FERNET_KEY_CMD")


# Commands that print secrets


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


@pytest.mark.parametrize("line", ["AIRFLOW_HOME=/opt/airflow/", 'AIRFLOW_HOME="/opt/airflow"'])
def test_a_host_by_hand_with_another_home_is_refused(line: str) -> None:
    file = next(each for each in resources("node.environment") if isinstance(each, File))
    with pytest.raises(AerodromeError, match="set up by hand with AIRFLOW_HOME=/opt/airflow") as caught:
        file.changes(Seen(f"regular file|root|root|600\n{line}\n"))
    assert caught.value.hint.startswith("set airflow.home: /opt/airflow (")


def test_a_host_by_hand_with_the_same_home_or_none_is_not() -> None:
    file = next(each for each in resources("node.environment") if isinstance(each, File))
    for text in ("AIRFLOW_HOME=/usr/local/airflow/\n", "A=b\n", "# Written by Aerodrome\nAIRFLOW_HOME=/opt/x\n"):
        assert len(file.changes(Seen(f"regular file|root|root|600\n{text}"))) == 1

"""The sandbox of a role's unit: what its drop-in says for each level, and where its processes may write."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerodrome.components.inputs import Inputs, Settings
from aerodrome.components.sandbox import sandbox
from aerodrome.components.units import started
from aerodrome.errors import InvalidInput
from aerodrome.fleet.model import RoleSettings
from tests.unit.make import HOSTS, fleet, inputs, parse

STRICT = """\
# Sandbox: strict (hosts.yaml, airflow.sandbox). It reads the system, and writes only below ReadWritePaths=.
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths=/usr/local/airflow/logs
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
# Netlink: programs that list the machine's addresses ask by it.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
# Of these, the kernel itself allows an unprivileged process only what is harmless. Without chown, cp -p and rsync fail;
# without setuid, gunicorn 19 (Airflow 1.10), which sets the user that it has already.
SystemCallFilter=@chown @setuid
# A call that is not allowed fails; without this line the kernel kills the process.
SystemCallErrorNumber=EPERM
# Not ProtectProc=invisible: Airflow 3's worker no longer finds its own child (psutil.NoSuchProcess). Not
# MemoryDenyWriteExecute=yes: it breaks every just-in-time compiler (numba, Java, Node.js).
"""
RELAXED = """\
# Sandbox: relaxed (hosts.yaml, airflow.sandbox). It writes wherever its user may, except in /usr, /boot and /etc.
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=full
ReadWritePaths=/usr/local/airflow/logs
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
LockPersonality=yes
"""
OFF = "# Sandbox: off (hosts.yaml, airflow.sandbox).\n"
HOSTS_YAML = """\
hosts: {one: {address: 10.0.0.1}}
roles: {database: [one], scheduler: [one], webserver: [one], worker: %s}
"""


def dropin(given: Inputs, name: str = "triggerer") -> str:
    return started(given, HOSTS["s1"], name).resources[0].content  # type: ignore[attr-defined,no-any-return]


def of_role(name: str, settings: RoleSettings, **airflow: object) -> Inputs:
    return inputs(replace(fleet(**airflow), role_settings={name: settings}))  # type: ignore[arg-type]


@pytest.mark.parametrize("level, block", [("strict", STRICT), ("relaxed", RELAXED), ("off", OFF)])
def test_each_level_as_a_whole(level: str, block: str) -> None:
    head = "# Written by Aerodrome: what is particular to triggerer on this host.\n[Service]\n"
    assert dropin(inputs(fleet(sandbox=level))) == head + block


def test_a_role_may_have_a_sandbox_of_its_own() -> None:
    given = of_role("triggerer", RoleSettings(sandbox="off"), sandbox="relaxed")
    assert OFF in dropin(given)
    assert RELAXED in dropin(given, "dag-processor")


def test_paths_of_all_and_of_the_role_are_writable_and_mounted_before() -> None:
    given = of_role("triggerer", RoleSettings(read_write_paths=("/srv/b/", "/data")), read_write_paths=("/data",))
    text = dropin(given)
    assert "ReadWritePaths=/usr/local/airflow/logs\nReadWritePaths=/data\nReadWritePaths=/srv/b\nPrivateTmp" in text
    assert "[Unit]\n" in text and "\nRequiresMountsFor=/data /srv/b\n\n[Service]\n" in text
    assert "RequiresMountsFor=/data\n" in dropin(given, "dag-processor")


@pytest.mark.parametrize(
    "given",
    [
        inputs(settings=Settings(config={"logging": {"base_log_folder": "/var/log/airflow/"}})),
        inputs(settings=Settings({"AIRFLOW__LOGGING__BASE_LOG_FOLDER": "/var/log/airflow"})),
        inputs(role_settings={"triggerer": Settings(config={"core": {"base_log_folder": "/var/log/airflow"}})}),
        inputs(config_file="[logging]\nbase_log_folder = /var/log/airflow\n"),
    ],
)
def test_where_logs_go_is_writable(given: Inputs) -> None:
    assert sandbox(given, HOSTS["s1"], "triggerer").writable == ("/usr/local/airflow/logs", "-/var/log/airflow")


@pytest.mark.parametrize(
    "folder", ["/usr/local/airflow/logs", "/usr/local/airflow/logs/x/", "logs", "/var/$X", "s3://x"]
)
def test_what_is_writable_already_or_no_path_is_not_named(folder: str) -> None:
    given = inputs(config_file=f"[logging]\nbase_log_folder = {folder}\n")
    assert sandbox(given, HOSTS["s1"], "triggerer").writable == ("/usr/local/airflow/logs",)


@pytest.mark.parametrize("off", ["off", '"off"'])
def test_off_is_a_word_with_and_without_quotes(off: str) -> None:
    got = parse(
        HOSTS_YAML % "{hosts: [one], sandbox: relaxed, read_write_paths: [/data]}" + f"airflow: {{sandbox: {off}}}", "x"
    )
    assert got.airflow.sandbox == "off"
    assert got.role_settings["worker"] == RoleSettings(sandbox="relaxed", read_write_paths=("/data",))


@pytest.mark.parametrize("wrong", ["sandbox: none", "sandbox: no", "read_write_paths: [data]", "read_write_paths: [/]"])
def test_what_does_not_fit_is_one_line(wrong: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(HOSTS_YAML % "[one]" + f"airflow: {{{wrong}}}\n", "hosts.yaml")
    (problem,) = caught.value.problems
    assert problem.startswith(f"hosts.yaml:3: airflow.{wrong.partition(':')[0]}: ")

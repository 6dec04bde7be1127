"""Values of every kind arrive unchanged or are refused with a reason; none is ever run as shell."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest

from tests.fleet.conftest import HOSTS, Fleet
from tests.fleet.rest import log_in
from tests.real import PASSWORD

VALUES = {
    "SPACES": " two  words ",
    "QUOTES": 'it\'s "so"',
    "DOLLAR": "$HOME ${PATH} $(touch /tmp/run-as-shell) $$ $1",
    "BACKTICK": "`touch /tmp/run-as-shell`",
    "PERCENT": "100% %h %%n %i",
    "HASH": "# no comment # here",
    "SEMICOLON": "a; touch /tmp/run-as-shell; b",
    "NEWLINE": "first\nSECOND=line\n# third\n\n[Service]\nlast",
    "TAB": "a\tb",
    "BACKSLASH": "C:\\new\\table\\",
    "BACKSLASH_NEWLINE": "a\\\nb",
    "EQUALS": "a=b=c",
    "HEREDOC": "END_OF_FILE\nEND_OF_FILE_\ntouch /tmp/run-as-shell",
    "NOT_ASCII": "Grüße ☃ ÁÈ \U0001f600 é",
    "STAR": "* ? [a-z] ~ ~root !x &| <> {a,b}",
    "JINJA": "{{ 7 * 7 }} {% raw %}",
    "QUOTE_AT_END": "a'",
    "ONLY_QUOTE": '"',
    "EMPTY": "",
    "LONG": "x" * 5000,
}


def environ(fleet: Fleet, host: str, unit: str) -> dict[str, str]:
    """Return the variables of a unit's main process."""
    shown = fleet.sh(host, f"cat /proc/$(systemctl show -p MainPID --value {unit})/environ")
    return dict(entry.split("=", 1) for entry in shown.split("\0") if entry)


def with_environment(fleet: Fleet, variables: dict[str, str]) -> None:
    lines = "".join(f"    {name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in variables.items())
    marker = re.search(r"^  # environment:.*\n", fleet.hosts_yaml.read_text(), re.MULTILINE)
    assert marker
    fleet.change(marker[0], f"  environment:\n{lines}")


@pytest.fixture(scope="class")
def strange(deployed: Fleet) -> object:
    """The fleet with strange values in its variables and in the database's password."""
    text = deployed.hosts_yaml.read_text()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRANGE_PASSWORD", PASSWORD)
        with_environment(deployed, VALUES)
        deployed.change("# database:\n", "database:\n  password: !env STRANGE_PASSWORD\n")
        try:
            yield deployed
        finally:
            deployed.hosts_yaml.write_text(text)
            deployed.fab("deploy")
            deployed.nothing_to_do("deploy")


@pytest.fixture(scope="class")
def output(strange: Fleet) -> str:
    """Set up the database with the new password, deploy, and return everything that was printed."""
    shown = strange.fab("setup-db").text
    strange.nothing_to_do("setup-db")
    shown += strange.fab("plan", code=2).text
    shown += strange.fab("plan", "--script", code=2).text
    shown += strange.fab("deploy").text
    strange.nothing_to_do("deploy")
    return shown


class TestStrangeValues:
    """Variables and a password with every character that means something to some program."""

    # The web server and the workers set their titles in ps, which overwrites what the kernel shows of their variables.
    @pytest.mark.parametrize("role", ["scheduler", "dag-processor", "triggerer"])
    def test_they_arrive_in_a_units_process_as_they_are(self, strange: Fleet, output: str, role: str) -> None:
        found = environ(strange, "sched1", f"airflow@{role}")

        assert {name: found.get(name) for name in VALUES} == VALUES

    def test_nothing_was_run_as_shell(self, strange: Fleet, output: str) -> None:
        for host in HOSTS:
            assert strange.lab.run(host, "ls /tmp/run-as-shell").returncode != 0

    def test_the_password_works_end_to_end(self, strange: Fleet, output: str) -> None:
        assert all(row["healthy"] for row in json.loads(strange.fab("status", "--json").out))
        log_in(strange).succeed("hello_fleet")

    def test_the_password_is_shown_nowhere(self, strange: Fleet, output: str) -> None:
        assert PASSWORD not in output
        assert quote(PASSWORD, safe="") not in output
        assert PASSWORD.replace("'", "''") not in output


@pytest.mark.parametrize(
    ("section", "value", "expanded"),
    [
        ("smtp", "at $HOME", "$HOME"),
        ("smtp", "at ${HOME}/x", "${HOME}"),
        ("smtp", "~/keys", "~"),
        ("smtp", "~root/keys", "~root"),
    ],
)
def test_what_airflow_would_expand_is_refused_before_anything_is_touched(
    fleet: Fleet, section: str, value: str, expanded: str
) -> None:
    before = fleet.started()
    name = f"AIRFLOW__{section.upper()}__SMTP_MAIL_FROM"
    with_environment(fleet, {name: value})
    fleet.sh("worker1", "touch /run/before")

    for arguments in (["deploy"], ["plan"], ["-H", "worker1", "node.environment"]):
        refused = fleet.fab(*arguments, code=1)
        assert f"{name}: Airflow would expand the “{expanded}” in its value" in refused.err
        assert "→ use a command (the variable's name with _CMD" in refused.err

    assert fleet.started() == before
    assert fleet.sh("worker1", "find /etc/default /etc/systemd -newer /run/before; rm /run/before") == ""


def test_a_value_with_a_control_character_is_refused_with_its_line(fleet: Fleet) -> None:
    with_environment(fleet, {"BELL": "a"})
    fleet.change('BELL: "a"', 'BELL: "a\\x07"')
    number = fleet.hosts_yaml.read_text().splitlines().index('    BELL: "a\\x07"') + 1

    refused = fleet.fab("deploy", code=1)

    assert f"hosts.yaml:{number}: airflow.environment.BELL: " in refused.err
    assert "control character" in refused.err


def test_settings_of_a_role_and_of_a_host_reach_only_their_processes(fleet: Fleet) -> None:
    given = (
        "environment: {SEASON: role, TEAM: role}, config: {scheduler: {dag_dir_list_interval: 77}, shceduler: {a: b}}"
    )
    fleet.change("  scheduler: [sched1] ", f"  scheduler: {{hosts: [sched1], {given}}} ")
    fleet.change("  sched1:\n", "  sched1:\n    environment: {TEAM: host}\n    config: {core: {parallelism: 9}}\n")

    planned = fleet.fab("plan", code=2)
    assert "note: config: no section of Airflow 3 is called shceduler; was scheduler meant?" in planned.err
    assert planned.out.count("restart airflow@") == 3  # all of that host's, and none of another's
    fleet.fab("deploy")
    fleet.nothing_to_do("deploy")

    scheduler, triggerer = (environ(fleet, "sched1", f"airflow@{role}") for role in ("scheduler", "triggerer"))
    assert (scheduler["SEASON"], scheduler["TEAM"]) == ("role", "host")
    assert scheduler["AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL"] == "77"  # its name in Airflow 3
    assert ("SEASON" in triggerer, triggerer["TEAM"]) == (False, "host")
    assert scheduler["AIRFLOW__CORE__PARALLELISM"] == triggerer["AIRFLOW__CORE__PARALLELISM"] == "9"
    assert fleet.sh("sched1", "stat -c '%U:%G %a' /etc/default/airflow-scheduler").strip() == "root:root 600"
    assert "TEAM" not in fleet.sh("web1", "cat /etc/default/airflow")

    fleet.change(f"{{hosts: [sched1], {given}}}", "[sched1]")
    fleet.change("    environment: {TEAM: host}\n    config: {core: {parallelism: 9}}\n", "")
    fleet.fab("deploy")
    fleet.nothing_to_do("deploy")
    assert "SEASON" not in fleet.sh("sched1", "cat /etc/default/airflow-scheduler")

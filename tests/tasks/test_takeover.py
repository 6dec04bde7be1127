"""A host set up by hand: the tasks themselves, with this machine in place of the host."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import pytest
import yaml
from invoke import Context

from aerodrome.checks import keys
from aerodrome.checks.claims import OwnHome
from aerodrome.components import node as node_of
from aerodrome.components.inputs import Inputs
from aerodrome.core import plan as plans
from aerodrome.engine import lock as fleet_lock
from aerodrome.errors import FleetError
from aerodrome.fleet import checks
from aerodrome.resources import files
from aerodrome.resources.files import File
from aerodrome.resources.home import ServiceHome
from aerodrome.secrets import FERNET_KEY
from tasks import node, plan
from tasks.session import Session
from tests.unit.core.test_lock import lock_script_below
from tests.unit.make import ME, MY_GROUP, load
from tests.unit.remote.local import Local

Capture = pytest.CaptureFixture[str]

OLD, OLDER = "a-_" + "d" * 40 + "=", "+/" + "r" * 41 + "="
NOTE = "note: one: has its own Fernet key, which is added to the fleet's on all nodes"
HOSTS = """\
hosts:
  one: {{address: 127.0.0.1}}
roles: {{database: [one], scheduler: [one], webserver: [one]}}
airflow: {{executor: LocalExecutor, home: {home}}}
"""
BY_HAND = f"""\
AIRFLOW_HOME={{home}}/
PATH=$PATH:/home/astro/airflow-venv/bin
AIRFLOW__CORE__SQL_ALCHEMY_CONN=postgresql://airflow:old-password@localhost/airflow
AIRFLOW__CORE__FERNET_KEY="{OLD}"
TOKEN=by-hand-4711
LINES="first
by-hand-4712"
"""


class Site:
    """A fleet of one host whose environment file was written by hand."""

    def __init__(self, folder: Path) -> None:
        self.environment = folder / "default"
        self.kept, self.aside = folder / "default.local", folder / "default.by-hand"
        self.secrets = folder / "secrets.yaml"
        self.config = folder / "home" / "airflow.cfg"
        self.config.parent.mkdir()
        (folder / "hosts.yaml").write_text(HOSTS.format(home=self.config.parent))
        self.by_hand = BY_HAND.format(home=self.config.parent)
        self.environment.write_text(self.by_hand)
        self.environment.chmod(0o600)
        self.config.write_text(f"[core]\nfernet_key = {OLDER}\n")

    def key(self) -> str:
        """Return the key of the scheduler's environment file."""
        text = self.environment.with_name("default-scheduler").read_text()
        found = re.search("^AIRFLOW__CORE__FERNET_KEY=(.*)$", text, re.MULTILINE)
        assert found
        return found[1]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Redirect root's files on a host to a folder of this user."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AERODROME_HOSTS", raising=False)
    monkeypatch.setattr(plans, "LOCK", "")
    monkeypatch.setattr(fleet_lock, "lock_script", partial(lock_script_below, tmp_path))
    monkeypatch.setattr(keys, "as_user", lambda user, command: command)  # the service user is not on this machine
    monkeypatch.setattr(OwnHome, "judge", lambda self, answer: [])  # the tests' own user owns this folder
    monkeypatch.setattr(ServiceHome, "_check_parents", lambda self, found: None)
    monkeypatch.setattr(checks, "home_problem", lambda path: "")  # a test's folder is below /tmp
    site, local = Site(tmp_path), Local(tmp_path)
    local.fleet = load()
    monkeypatch.setattr(Session, "connections", local)
    monkeypatch.setattr(Inputs, "environment_file", property(lambda _: str(tmp_path / "default")))
    monkeypatch.setattr(node_of, "File", partial(File, owner=ME, group=MY_GROUP))
    renamed = files._renamed
    mine = lambda path, put, owner, group, mode: renamed(path, put, ME, MY_GROUP, mode)  # noqa: E731
    monkeypatch.setattr(files, "_renamed", mine)
    return site


def told(capsys: Capture) -> tuple[list[str], str]:
    """Return the lines on stderr, and stdout; assert that neither contains a value set by hand."""
    said = capsys.readouterr()
    for secret in (OLD, OLDER, "old-password", "by-hand-471"):
        assert secret not in said.out + said.err
    return said.err.splitlines(), said.out


def test_a_host_is_taken_over_and_nothing_is_lost(site: Site, capsys: Capture) -> None:
    node.environment(Context())
    lines, out = told(capsys)
    assert (lines[0], lines[-1], out) == (NOTE, "done: 1 host changed", "")
    assert [re.sub(" +", " ", line).replace(str(site.environment), "FILE") for line in lines[2:-1]] == [
        " one node.environment keep TOKEN, LINES of the hand-written FILE in FILE.local",
        " one node.environment write FILE",
        *(
            f" one node.environment write FILE-{role}"
            for role in ("scheduler", "dag-processor", "triggerer", "webserver")
        ),
    ]

    new, *adopted = site.key().split(",")
    assert re.fullmatch(FERNET_KEY, new)
    assert adopted == [OLD, OLDER]
    assert site.kept.read_text().partition("\n")[2] == 'TOKEN=by-hand-4711\nLINES="first\nby-hand-4712"\n'
    assert site.aside.read_text() == site.by_hand
    assert {path.stat().st_mode & 0o777 for path in (site.environment, site.kept, site.aside)} == {0o600}
    kept = yaml.safe_load(site.secrets.read_text())
    assert (kept["fernet_key"], kept["adopted_fernet_keys"]) == (new, f"{OLD},{OLDER}")


def test_the_second_time_there_is_nothing_to_do(site: Site, capsys: Capture) -> None:
    node.environment(Context())
    before = [path.read_text() for path in (site.environment, site.kept, site.secrets)]
    told(capsys)
    node.environment(Context())
    assert told(capsys) == (["no changes"], "")
    assert [path.read_text() for path in (site.environment, site.kept, site.secrets)] == before


@pytest.mark.parametrize("options", [{}, {"script": True}, {"json": True}])
def test_a_plan_shows_each_difference_and_no_value(site: Site, capsys: Capture, options: dict[str, bool]) -> None:
    with pytest.raises(SystemExit) as ended:
        plan.plan(Context(), role="scheduler", **options)
    assert ended.value.code == 2
    lines, out = told(capsys)
    assert lines[0] == NOTE
    assert re.fullmatch(r"\d+ changes on 1 of 1 hosts", lines[-1])
    assert f"keep TOKEN, LINES of the hand-written {site.environment}" in out
    if options.get("json"):
        (host,) = json.loads(out)
        (diff,) = [each["diff"] for each in host["changes"] if each["resource"] == f"file {site.environment}"]
        assert "-AIRFLOW__CORE__FERNET_KEY=******** (differs)" in diff.splitlines()


def test_a_plan_takes_nothing_over(site: Site) -> None:
    with pytest.raises(SystemExit):
        plan.plan(Context(), role="scheduler")
    assert site.environment.read_text() == site.by_hand
    assert [path.exists() for path in (site.kept, site.aside, site.secrets)] == [False] * 3


def test_what_a_command_gives_cannot_be_taken_in_and_stops_the_run(site: Site, capsys: Capture) -> None:
    site.environment.write_text("AIRFLOW__CORE__FERNET_KEY_CMD=vault key\n")
    site.config.unlink()
    with pytest.raises(FleetError) as caught:
        node.environment(Context())
    (failure,) = caught.value.failures
    assert failure.message.startswith("the host has a Fernet key, but this checkout has none")
    assert told(capsys) == ([], "")
    assert [path.exists() for path in (site.kept, site.aside, site.secrets)] == [False] * 3


def test_no_key_is_lost_where_a_change_fails_after_it_was_taken_in(
    site: Site, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Inputs, "kept_file", property(lambda _: "/no/such/folder/kept"))
    with pytest.raises(FleetError) as caught:
        node.environment(Context())
    (failure,) = caught.value.failures
    assert failure.message.startswith("could not keep TOKEN, LINES")
    assert told(capsys)[0][0] == NOTE
    # It is stored before the first change, because the host may already have it.
    assert yaml.safe_load(site.secrets.read_text())["adopted_fernet_keys"] == f"{OLD},{OLDER}"
    assert site.environment.read_text() == site.by_hand


# Notes of a plan


def test_a_plan_tells_what_an_operator_should_know(site: Site, capsys: Capture) -> None:
    hosts = site.secrets.with_name("hosts.yaml")
    hosts.write_text(
        hosts.read_text().replace("airflow: {", "airflow: {pinned: false, extra_index_url: 'https://i.example.com', ")
    )
    with pytest.raises(SystemExit):
        plan.plan(Context(), role="scheduler")
    lines, out = told(capsys)
    (note,) = [line for line in lines if line.startswith("note: airflow.extra_index_url without a lock file: ")]
    assert lines.index(note) < len(lines) - 1
    assert "note:" not in out


def test_a_host_with_another_home_is_not_taken_over(site: Site) -> None:
    text = site.by_hand.replace(f"{site.config.parent}/", "/opt/airflow/")
    site.environment.write_text(text)
    with pytest.raises(FleetError) as caught:
        node.environment(Context())
    (failure,) = caught.value.failures
    assert failure.message.startswith(
        "the host was set up by hand with AIRFLOW_HOME=/opt/airflow/, but hosts.yaml says "
    )
    assert site.environment.read_text() == text

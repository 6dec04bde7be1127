"""What is written down of a run, and what is read from it; nothing of it shows a secret."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aerodrome.core import record
from aerodrome.core.history import Past, history_script, read_history, read_record, run_script
from aerodrome.core.lock import Claim
from aerodrome.core.plan import PlannedChange
from aerodrome.core.record import Caller, Origin, Recorder, run_id
from aerodrome.core.resource import Change
from aerodrome.secrets import Redactor, Secret
from tests.unit.core.test_lock import ANN, below, event, line, lock_script_below, running, says

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
RUN = "20261124T120000Z-1f3a"
AWKWARD = 'p"\\é$ s3cret'


def recorder(redact: Callable[[str], str] = lambda text: text) -> Recorder:
    """Return a recorder whose clock goes on by a second each time that it is looked at."""
    times = iter(NOON + timedelta(seconds=number) for number in range(100))
    return Recorder(
        RUN,
        Caller("ann@laptop", "fab -H w1 deploy"),
        lambda: Origin("sha256:12", "1.0+ab"),
        redact,
        lambda: next(times),
    )


def planned(resource: str, script: str = "true", step: str = "node.hosts") -> PlannedChange:
    return PlannedChange(step, resource, Change("do it", script))


def test_the_name_of_a_run() -> None:
    assert run_id(NOON.replace(microsecond=121_980)) == RUN
    assert run_id(NOON) == "20261124T120000Z-0000"
    assert run_id(NOON.replace(microsecond=999_999)) == "20261124T120000Z-ffff"
    assert run_id(NOON.replace(microsecond=500)) < run_id(NOON.replace(microsecond=600)) < RUN


def test_what_is_written_down_is_read_as_it_was() -> None:
    of = recorder()
    assert of.claim("2 changes") == Claim(RUN, "ann@laptop", "fab -H w1 deploy", "2 changes")
    lines = [
        of.start("deploy", "2 changes"),
        of.at("machines", ["w1", "w2"]),
        of.end("failed", {"w1": ["file /etc/hosts", "user astro"]}, ["w2: node.user: could not add"]),
    ]
    assert all(each.isascii() and "\n" not in each for each in lines)
    assert read_record(RUN, "\n".join(lines)) == Past(
        RUN,
        "ann@laptop",
        "fab -H w1 deploy",
        "2 changes",
        "sha256:12",
        "1.0+ab",
        "2026-11-24T12:00:01Z",
        "failed",
        3.0,
        {"w1": ("file /etc/hosts", "user astro")},
        ("w2: node.user: could not add",),
        (("2026-11-24T12:00:02Z", "machines", ("w1", "w2")),),
        False,
        "2026-11-24T12:00:04Z",
        "deploy",
    )


def test_a_host_s_journal_is_told_who_changes_what_in_one_line() -> None:
    of = recorder()
    of.at("machines", ["w1"])
    changes = [planned("block /etc/hosts"), planned("file /x", script=""), planned("user astro", step="node.user")]
    assert of.line(changes) == (
        f"run {RUN} of ann@laptop: fab -H w1 deploy; stage machines;"
        " changes node.hosts: block /etc/hosts, node.user: user astro; aerodrome 1.0+ab, hosts file sha256:12"
    )
    long = of.line([planned(f"file /{number}\n" + "x" * 100) for number in range(100)])
    assert (len(long), "\n" in long) == (record.LONGEST_LINE + 2, False)


def test_a_large_run_is_written_down_in_short() -> None:
    of = recorder()
    whole = json.loads(of.end("changed", {"w1": [f"file /{number}" for number in range(300)]}, ["x" * 999] * 50))
    assert (whole["changed"]["w1"][199:], len(whole["errors"])) == (["file /199", "and 100 more"], 20)
    large = of.end("changed", {f"h{host}": [f"file /{host}/{n}" for n in range(150)] for host in range(500)}, [])
    assert len(large) < record.LONGEST_EVENT
    assert json.loads(large)["changed"]["h7"] == ["150 resources"]


def test_no_secret_is_written_down_in_any_form() -> None:
    redactor = Redactor()
    redactor.know(Secret(AWKWARD))
    of = recorder(redactor.hide)
    texts = [
        of.claim(f"for {AWKWARD}").record(),
        of.start("deploy", f"for {AWKWARD}"),
        of.at(AWKWARD, [AWKWARD]),
        of.end("failed", {"w1": [f"file {AWKWARD}"]}, [f"w1: x: bad {AWKWARD}!"]),
        of.line([planned(f"file {AWKWARD}")]),
    ]
    for text in texts:
        assert AWKWARD not in text
        assert json.dumps(AWKWARD)[1:-1] not in text
        assert "********" in text


# What is read


@pytest.mark.parametrize(
    "text, outcome, broken",
    [
        ("", "broken", False),
        ("{", "broken", True),
        ("\0" * 300, "broken", True),
        ("START", "killed", False),
        ("START\nSTAGE", "killed", False),
        ("START\nLOST", "killed", False),
        ('START\n{"event": "end", "at": "x", "out', "killed", True),
        ("STAGE", "broken", False),
        ('START\n{"event": "end", "at": 1}', "killed", True),
        ('START\n{"event": "end", "at": "x", "outcome": "changed", "seconds": 1e999, "changed": {}}', "killed", True),
        ('START\n{"event": "end", "at": "x", "outcome": "changed", "seconds": 1, "changed": []}', "killed", True),
        ("START\n[]\nnull\n1", "killed", True),
        ("START\n" + "[" * 100_000, "killed", True),
        ('START\n{"event": "news", "at": "x"}', "killed", False),
    ],
)
def test_a_record_that_makes_no_sense_is_one_line_and_no_traceback(text: str, outcome: str, broken: bool) -> None:
    of = recorder()
    whole = text.replace("START", of.start("deploy", "x")).replace("STAGE", of.at("a", []))
    past = read_record(RUN, whole.replace("LOST", '{"event": "lost", "at": "2026-11-24T12:00:09Z"}'))
    assert (past.outcome, past.broken) == (outcome, broken)
    assert read_record(RUN, whole, running=True).outcome in ("running", outcome)


def test_what_a_host_shows_is_bounded() -> None:
    given: dict[str, Any] = json.loads(recorder().start("deploy", "x"))
    past = read_record(RUN, json.dumps({**given, "why": "a\nb" + "x" * 9000, "performer": "\x1b[2J"}))
    assert (past.why[:4], len(past.why), past.performer) == ("a bx", 500, "\x1b[2J")


# The scripts


@pytest.fixture(params=["dash", "bash"])
def read(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], list[Past]]:
    def run(script: str) -> list[Past]:
        done = subprocess.run([request.param, "-c", below(tmp_path, script)], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        return read_history("n0nce", done.stdout)

    return run


def test_the_history_of_a_host(tmp_path: Path, read: Callable[[str], list[Past]]) -> None:
    assert read(history_script("n0nce", 5)) == []
    of = recorder()
    with running(lock_script_below(tmp_path, ANN, of.start("deploy", "x"))) as one:
        line(one)
        (past,) = read(history_script("n0nce", 5))
        assert (past.run, past.outcome) == (ANN.run, "running")
        event(one, **json.loads(of.at("machines", ["w1"])))
        event(one, **json.loads(of.end("changed", {"w1": ["a"]}, [])))
        says(one, "leave\n")
        line(one)
    folder = tmp_path / "var" / "history"
    (folder / "20251124T120000Z-aaab.jsonl").write_text('{"event": "start"')
    (folder / "20251124T120000Z-aaac.jsonl").write_text(of.start("x", "y") + "\n")
    (folder / "planted").write_text("x")
    assert [(past.run, past.outcome) for past in read(history_script("n0nce", 3))] == [
        (ANN.run, "changed"),
        ("20251124T120000Z-aaac", "killed"),
        ("20251124T120000Z-aaab", "broken"),
    ]
    assert [past.run for past in read(history_script("n0nce", 1))] == [ANN.run]
    (whole,) = read(run_script("n0nce", ANN.run))
    assert [stage for _, stage, _ in whole.stages] == ["machines"]
    assert [past.run[-4:] for past in read(run_script("n0nce", "-aaa"))] == ["aaaa", "aaac", "aaab"]
    assert read(run_script("n0nce", "'; touch x; .*")) == []


def test_a_history_that_is_not_whole_is_an_error() -> None:
    for output in ("", "\n@n0nce\n", "left\n0 {}\n\n@n0nce\n\n@n0nce 20251124T120000Z-aaac.jsonl\n{}\n"):
        with pytest.raises(ValueError, match="the history broke off"):
            read_history("n0nce", output)

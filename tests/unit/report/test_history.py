"""The output of the history and the fleet's lock, for people and for programs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from aerodrome.core.history import Past
from aerodrome.core.lock import Claim, Found
from aerodrome.report.history import (
    show_history,
    show_history_as_json,
    show_lock,
    show_lock_as_json,
    show_past,
    show_past_as_json,
)

Capture = pytest.CaptureFixture[str]
RUN = "20261124T120000Z-1f3a"
PAST = Past(
    RUN,
    "ann@laptop",
    "fab deploy",
    "2 changes on 1 of 3 hosts",
    "sha256:12",
    "1.0+ab",
    "2026-11-24T12:00:01Z",
    "failed",
    61.4,
    {"w1": ("file /etc/hosts",), "w2": ("user astro",)},
    ("w2: node.user: could not \x1b[2Jadd",),
    (("2026-11-24T12:00:02Z", "machines", ("w1", "w2")),),
    False,
    "2026-11-24T12:01:02Z",
    "deploy",
)
KILLED = Past("20261123T120000Z-0000", "bob@desk.example.com", "fab stop", outcome="killed", broken=True)
HELD = Past("20261122T120000Z-0000", "bob", "fab lock.hold", "new\nswitches", outcome="held", seconds=0.1)
CLAIM = Claim(RUN, "ann@laptop", "fab deploy", "2 changes")


def test_a_line_a_run(capsys: Capture) -> None:
    show_history([PAST, KILLED, HELD])
    assert capsys.readouterr().out.splitlines() == [
        f"{RUN}  ann@laptop            failed, 61 s  fab deploy: 2 hosts changed; w2: node.user: could not \\x1b[2Jadd",
        "20261123T120000Z-0000  bob@desk.example.com  killed        fab stop",
        "20261122T120000Z-0000  bob                   held, 0 s     fab lock.hold: new\\nswitches",
    ]
    show_history([])
    assert capsys.readouterr().out == ""


def test_one_run_whole(capsys: Capture) -> None:
    show_past(PAST)
    assert capsys.readouterr().out.splitlines() == [
        f"run            {RUN}",
        "performer      ann@laptop",
        "command        fab deploy",
        "why            2 changes on 1 of 3 hosts",
        "started        2026-11-24T12:00:01Z",
        "ended          2026-11-24T12:01:02Z",
        "outcome        failed, 61 s",
        "runbook        deploy",
        "hosts file     sha256:12",
        "aerodrome      1.0+ab",
        "stage          2026-11-24T12:00:02Z  machines on w1, w2",
        "changed on w1  file /etc/hosts",
        "changed on w2  user astro",
        "error          w2: node.user: could not \\x1b[2Jadd",
    ]
    show_past(KILLED)
    assert capsys.readouterr().out.splitlines()[-1] == "note        a part of this record cannot be read"


def test_programs_get_json(capsys: Capture) -> None:
    show_history_as_json([PAST, KILLED])
    first, second = json.loads(capsys.readouterr().out)
    assert (first["run"], first["seconds"], first["changed"]["w1"]) == (RUN, 61.4, ["file /etc/hosts"])
    assert (second["outcome"], second["seconds"], second["ended"], second["broken"]) == ("killed", None, None, True)
    show_past_as_json(PAST)
    (stage,) = json.loads(capsys.readouterr().out)["stages"]
    assert stage == {"at": "2026-11-24T12:00:02Z", "stage": "machines", "hosts": ["w1", "w2"]}


@pytest.mark.parametrize(
    "found, state, words",
    [
        (None, "free", "free"),
        (Found(CLAIM, 9, alive=True), "running", "ann@laptop has been changing the fleet for 9 s: fab deploy"),
        (Found(CLAIM, 9), "left", f"a run of ann@laptop that began 9 s ago did not end: fab deploy ({RUN})"),
        (Found(replace(CLAIM, hold=True), 9), "held", "ann@laptop has held the fleet for 9 s: 2 changes"),
        (
            Found(None, 9, "\x1b[2J"),
            "broken",
            "the record of the fleet's lock is broken (/var/lib/aerodrome/lock, 9 s old): \\x1b[2J",
        ),
    ],
)
def test_whose_the_lock_is(capsys: Capture, found: Found | None, state: str, words: str) -> None:
    show_lock(found)
    assert capsys.readouterr().out == f"{words}\n"
    show_lock_as_json(found)
    shown = json.loads(capsys.readouterr().out)
    assert shown["state"] == state
    assert "\x1b" not in json.dumps(shown, ensure_ascii=False).replace("\\u001b", "")

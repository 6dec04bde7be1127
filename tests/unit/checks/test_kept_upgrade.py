"""What an upgrade has kept, and what going back would lose: read as text that anybody may have written."""

from __future__ import annotations

import pytest

from aerodrome.checks.kept_upgrade import KeptUpgrade, Lost, LostByGoingBack
from aerodrome.core.check import Finding

RUN, KEPT = "20261201T040850Z-1c08", "airflow_before_20261201t040850z"
DONE = f"{RUN} 2.11.2 3.3.2 done\n"
NOTE = (
    "the upgrade from Airflow 2.11.2 to 3.3.2 still keeps the database of before: airflow_before_20261201t040850z "
    "(12.0 MB), since 2026-12-01 04:08 UTC; fab upgrade --back needs it, fab upgrade.finish drops it"
)
CHECK, LOST = KeptUpgrade("airflow"), LostByGoingBack("airflow", KEPT)


def test_a_finished_upgrade_that_keeps_its_database_is_noted() -> None:
    answer = f"{DONE}asked\nairflow_before_20261101t000000z|1\n{KEPT}|{12 << 20}\n"
    assert CHECK.judge(answer) == [Finding("kept by the upgrade", "warning", NOTE)]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        f"{RUN} 2.11.2 3.3.2 begun\nasked\n{KEPT}|1\n",
        f"{DONE}asked\n",
        f"{DONE}asked\nairflow_before_20261101t000000z|1\n",
        DONE,
        f"nonsense\nasked\n{KEPT}|1\n",
    ],
)
def test_otherwise_there_is_nothing_to_note(answer: str) -> None:
    assert CHECK.judge(answer) == []


def test_a_host_that_is_down_is_said_by_its_roles() -> None:
    assert CHECK.unknown("is down") == []


def test_what_going_back_would_lose() -> None:
    answer = "asked\nsince|2026-12-01 04:10\ndag_run|12\ntask_instance|34\ncounted\n"
    assert LOST.judge(answer) == [Lost("lost by going back", "ok", "", runs=12, tasks=34, since="2026-12-01 04:10 UTC")]
    assert LOST.judge("asked\nsince|never\ndag_run|0\ntask_instance|0\ncounted\n") == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "the database cannot be asked"),
        ("asked\nsince|2026-12-01 04:10\ndag_run|12\n", "the database cannot be asked"),
        ("asked\ncounted\n", "the database's answer makes no sense"),
        ("asked\nsince|unknown\ndag_run|1\ntask_instance|1\ncounted\n", "the database's answer makes no sense"),
        ("asked\nsince|2026-12-01 04:10\ndag_run|1\ncounted\n", "the database's answer makes no sense"),
        (
            "asked\nsince|2026-12-01 04:10\ndag_run|x\ntask_instance|1\ncounted\n",
            "the database's answer makes no sense",
        ),
    ],
)
def test_what_is_not_known_is_not_taken_for_nothing(answer: str, why: str) -> None:
    assert [(each.verdict, each.detail) for each in LOST.judge(answer)] == [("failed", why)]


def test_the_owner_of_the_database_decides_nothing_about_how_it_is_counted() -> None:
    script = LOST.probe()
    assert script.startswith(
        "echo asked; runuser -u postgres -- env PGDATABASE=airflow PGOPTIONS='-c search_path=pg_cat"
    )
    assert "restrict_nonsystem_relation_kind" in script and "atttypid = 'timestamptz'::regtype" in script
    assert f"datname = '{KEPT}'" in script and "FROM ONLY public.%I" in script


def test_without_a_record_no_process_starts() -> None:
    assert CHECK.probe().startswith("if [ -r /var/lib/aerodrome/upgrade ]; then head -c 200 ")

"""Another environment of the Airflow in use: installed, compared by what it imports, and only then put in use."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.core.undo import NOTHING
from aerodrome.errors import AerodromeError
from aerodrome.resources import dag_imports
from aerodrome.resources.dag_imports import recorded
from aerodrome.resources.late_link import ComparedEnvironments, Linked, NoNewErrors
from tests.unit.make import Shell, only_change
from tests.unit.resources.environments import LINK, NAME, READY, VENV, VENVS, installed

RUN = "20261201T005031Z-1f3a"
LATE = replace(installed(), stays=("3.3.2",), run=RUN)
OLD = f"{VENVS}/3.3.2-py3.11-0123456789ab"
INSTALLED = READY.replace(f"\n{VENV}\n", f"\n{OLD}\n", 1)
SCRIPT = f"""\
[ -d /run/aerodrome ] || mkdir -p -m 700 /run/aerodrome; rm -rf /run/aerodrome/dag-imports
mkdir -m 700 /run/aerodrome/dag-imports
{{ venv={OLD}
import
}} | head -c 4000000 | tr -d '\\n' >/run/aerodrome/dag-imports/before
[ -s /run/aerodrome/dag-imports/before ] || \
{{ echo 'the environment in use has not imported all DAGs: maybe the last one ended it'; exit 1; }}
{{ venv={VENV}
import
}} | head -c 4000000 | tr -d '\\n' >/run/aerodrome/dag-imports/after
[ -s /run/aerodrome/dag-imports/after ] || \
{{ echo 'the new one has not imported all DAGs: maybe the last one ended it'; exit 1; }}
dags() {{ sed -n 's/^{{"dags": \\([0-9]\\{{1,6\\}}\\),.*/\\1/p' /run/aerodrome/dag-imports/"$1"; }}
printf '%s\\n' '@note: '"the environment in use imports $(dags before) DAGs, the new one imports $(dags after)"
printf '%s\\n' {RUN} >/run/aerodrome/dag-imports/run"""


def compared() -> ComparedEnvironments:
    return ComparedEnvironments(LATE, lambda: "import")


def test_it_is_installed_but_the_one_in_use_stays() -> None:
    assert LATE.changes(Seen(INSTALLED)) == []
    (change,) = LATE.changes(Seen(f"3.11\n{OLD}\nmade {VENV}\n"))
    assert change.summary == f"install Airflow 3.3.2 into {VENV}"


@pytest.mark.parametrize("link", ["none", f"{VENVS}/2.11.2-py3.11-0f", f"{VENVS}/3.3.20-py3.11-0f", "/srv/3.3.2-py3-0"])
def test_what_is_no_environment_of_this_airflow_makes_way_at_once(link: str) -> None:
    (change,) = LATE.changes(Seen(READY.replace(f"\n{VENV}\n", f"\n{link}\n", 1)))
    assert change.summary.startswith(f"link {LINK} to it")
    for later in (compared(), Linked(LATE)):
        assert later.changes(Seen(READY.replace(f"\n{VENV}\n", f"\n{link}\n", 1))) == []


def test_all_dags_are_imported_with_both_once_by_a_run() -> None:
    change = only_change(compared(), INSTALLED)
    assert change.summary == f"import every DAG with environment {NAME} and with the one in use"
    assert (change.script, change.undo, change.interrupts) == (SCRIPT, NOTHING, False)
    assert compared().changes(Seen(f"{INSTALLED}imported\n")) == []
    assert compared().changes(Seen(READY)) == []


def test_then_the_link_is_switched_as_it_would_have_been_at_once() -> None:
    change = only_change(Linked(LATE), INSTALLED)
    assert change == replace(only_change(installed(), INSTALLED), summary=f"link {LINK} to {VENV}")
    assert change.undo and change.undo.summary == f"switch {LINK} back to {OLD.rpartition('/')[2]}"
    assert Linked(LATE).changes(Seen(READY)) == []


def test_while_python_is_still_to_come_everything_is_announced() -> None:
    seen = Seen(f"none\n{OLD}\n", frozenset({"packages python3.12"}))
    changes = [change for each in (LATE, compared(), Linked(LATE)) for change in each.changes(seen)]
    assert [(change.summary, change.script) for change in changes] == [
        ("install Airflow 3.3.2", ""),
        ("import every DAG with the new environment and with the one in use", ""),
        (f"link {LINK} to the new environment", ""),
    ]


def test_they_all_ask_one_question() -> None:
    assert LATE.probe() == compared().probe() == Linked(LATE).probe()
    assert LATE.key == Linked(LATE).key
    assert NoNewErrors(RUN).probe() == recorded(RUN)


def test_the_answers_of_another_run_do_not_count(sh: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag_imports, "RECORD", str(tmp_path))
    for run, said in ((RUN, True), ("20261201T005031Z-1f3b", False)):
        (tmp_path / "run").write_text(f"{run}\n")
        assert ("imported" in sh(LATE.probe()).stdout.decode().splitlines()) == said
    assert "imported" not in replace(LATE, run="").probe()


def test_errors_that_are_new_stop_it() -> None:
    def answer(**errors: str) -> str:
        return json.dumps({"dags": 1, "files": 2, "left": 0, "errors": errors})

    seen = Seen(f"done\n{answer()}\n{answer(a='ImportError: gone')}\n")
    with pytest.raises(AerodromeError) as caught:
        NoNewErrors(RUN).changes(seen)
    assert caught.value.message == (
        "1 of 2 DAG files can be imported by the environment in use, but not by the new one"
    )
    assert caught.value.detail == "a: ImportError: gone"
    assert NoNewErrors(RUN, allow=True).changes(seen) == []
    assert NoNewErrors(RUN).changes(Seen("")) == []
    with pytest.raises(AerodromeError, match="cannot be read"):
        NoNewErrors(RUN, allow=True).changes(Seen("done\nx\ny\n"))

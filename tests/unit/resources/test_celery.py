"""Where a host looks for Celery's broker and results."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.resources.celery import Places, lines, places
from aerodrome.resources.environment import escape
from tests.unit.make import Shell

BROKER, RESULTS = "AIRFLOW__CELERY__BROKER_URL", "AIRFLOW__CELERY__RESULT_BACKEND"
WANTED = ("postgresql://10.0.0.1:5432/airflow_celery", "postgresql://10.0.0.1:5432/airflow_celery")
PLACES = Places(("/etc/default/a b",), WANTED)


@pytest.mark.parametrize(
    "url, place",
    [
        ("sqla+postgresql://airflow:p%40ss%2F@10.0.0.1:5432/airflow", "postgresql://10.0.0.1:5432/airflow"),
        ("db+postgresql+psycopg2://airflow@10.0.0.1/airflow?sslmode=require", "postgresql://10.0.0.1:5432/airflow"),
        ("db+postgres://10.0.0.1/airflow", "postgresql://10.0.0.1:5432/airflow"),
        ("redis://:secret@10.0.0.1/0", "redis://10.0.0.1:6379/0"),
        ("redis://:secret@[fd00::1]:6380/0", "redis://[fd00::1]:6380/0"),
        ("rediss://:secret@h:6379/0", "rediss://h:6379/0"),
        ("pyamqp://u:p@h//", "amqp://h:5672//"),
        ("sqs://", "sqs://"),
        ("", ""),
    ],
)
def test_a_place_is_a_url_without_its_login(url: str, place: str) -> None:
    assert places({BROKER: url}, {}) == (place, "")
    assert places({RESULTS: url}, {}) == ("", place)


def test_a_server_may_go_by_its_name() -> None:
    names = {"db1": "10.0.0.1", "localhost": "10.0.0.1", "[::1]": "10.0.0.1"}
    for server in ("db1", "localhost", "[::1]:5432", "10.0.0.1:5432"):
        assert (
            places({BROKER: f"sqla+postgresql://u:p@{server}/airflow"}, names)[0]
            == "postgresql://10.0.0.1:5432/airflow"
        )
    moved = Places((), WANTED, names=tuple(names.items()))
    text = f"{BROKER}=sqla+postgresql://localhost/airflow_celery\n{RESULTS}=db+postgresql://db1/airflow_celery\n"
    assert moved.reason(text) == ""


def test_a_command_is_a_place_where_there_is_no_url() -> None:
    assert places({BROKER + "_CMD": "vault b", RESULTS + "_CMD": "vault r", RESULTS: "redis://h/0"}, {}) == (
        "vault b",
        "redis://h:6379/0",
    )


@pytest.mark.parametrize(
    "broker, results, reason",
    [
        (
            "sqla+postgresql://airflow_celery:x@10.0.0.1:5432/airflow_celery",
            "db+postgresql://10.0.0.1/airflow_celery",
            "",
        ),
        ('"sqla+postgresql://u:\\"@10.0.0.1/airflow_celery"', "'db+postgresql://10.0.0.1/airflow_celery'", ""),
        ("redis://h/0", "db+postgresql://10.0.0.1/airflow_celery", "Celery's broker moves"),
        ("sqla+postgresql://10.0.0.1/airflow_celery", "db+postgresql://10.0.0.1/airflow", "Celery's results move"),
        ("redis://h/0", "redis://h/0", "Celery's broker and results move"),
    ],
)
def test_what_moves(broker: str, results: str, reason: str) -> None:
    assert PLACES.reason(f"{BROKER}={broker}\n{RESULTS}={results}\n") == reason


def test_how_to_keep_what_is_there_is_said_where_it_moves_by_itself() -> None:
    shared = ("postgresql://10.0.0.1:5432/airflow",) * 2
    moved = Places((), WANTED, before=shared)
    keep = "; broker.separate: false keeps them where they are"
    text = f"{BROKER}=sqla+postgresql://10.0.0.1/airflow\n{RESULTS}=db+postgresql://10.0.0.1/{{}}\n"
    assert moved.reason(text.format("airflow")) == f"Celery's broker and results move{keep}"
    assert moved.reason(text.format("another")) == "Celery's broker and results move"
    assert Places((), shared, before=shared).reason(text.format("airflow")) == ""


def test_what_comes_later_wins() -> None:
    old, new = "redis://h/0", "sqla+postgresql://10.0.0.1/airflow_celery"
    results = f"{RESULTS}=db+postgresql://10.0.0.1/airflow_celery\n"
    assert PLACES.reason(f"{BROKER}={old}\n{BROKER}={new}\n{results}") == ""
    assert PLACES.reason(f"{BROKER}={new}\n{BROKER}={old}\n{results}") == "Celery's broker moves"


def test_where_there_was_no_broker_nothing_moves() -> None:
    assert PLACES.reason("") == ""
    assert PLACES.reason(f"{RESULTS}=redis://h/0\n") == ""


def test_without_a_url_airflow_takes_its_own_database_for_results() -> None:
    shared = Places((), ("redis://h:6379/0", ""))
    assert shared.reason(f"{BROKER}=redis://h/0\n") == ""
    assert shared.reason(f"{BROKER}=redis://h/0\n{RESULTS}=redis://h/0\n") == "Celery's results move"


def look(sh: Shell, folder: Path, *texts: str, wanted: tuple[str, str] = ("", "")) -> str:
    files = [folder / f"a {number}" for number, _ in enumerate(texts)]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    places = Places((f"{folder}/none", *map(str, files)), WANTED, wanted)
    # If nothing moves, no program is called.
    return sh(places.look("echo more"), programs={"grep": 'echo grep; /bin/grep "$@"'}).stdout.decode()


OTHERS = "AIRFLOW__CELERY__WORKER_CONCURRENCY=2\nPATH=/x@y\n"


def test_only_what_names_them_is_looked_at(sh: Shell, tmp_path: Path) -> None:
    first, second = f"{OTHERS}{BROKER}=redis://h/0\n# {RESULTS}=x\n", f"{RESULTS}_CMD=vault r\n"
    assert look(sh, tmp_path, first, second) == f"grep\n{BROKER}=redis://h/0\n{RESULTS}_CMD=vault r\nmore\n"


@pytest.mark.parametrize("no_broker", ["", OTHERS, f"{RESULTS}=redis://h/0\n"])
def test_without_a_broker_there_is_nothing_to_look_at(sh: Shell, tmp_path: Path, no_broker: str) -> None:
    assert look(sh, tmp_path, no_broker) == ""


@pytest.mark.parametrize(
    "variables",
    [
        {BROKER: "redis://:x@h:6379/0", RESULTS: "db+postgresql://u:y@h/a"},
        {BROKER: "sqla+postgresql://u:p%40ss'$x@h/a?b=*", RESULTS: "redis://h/0"},
        {BROKER + "_CMD": "vault kv get -field=\"a\" 'b c' $HOME", RESULTS + "_CMD": "vault r"},
        {BROKER: "redis://:x@h:6379/0"},
    ],
)
def test_what_is_as_wanted_is_told_without_a_process(sh: Shell, tmp_path: Path, variables: dict[str, str]) -> None:
    text = "".join(f"{name}={escape(value)}\n" for name, value in variables.items())
    wanted = lines(variables)
    assert look(sh, tmp_path, OTHERS, text, wanted=wanted) == ""
    assert look(sh, tmp_path, OTHERS, text.replace(":x@", ":another@"), wanted=wanted) == ""
    # Later values win; a missing or unwanted one is reported.
    other = f"{BROKER}=redis://other/0\n"
    assert look(sh, tmp_path, other, text, wanted=wanted) == ""
    for changed in (text + other, f"{text}{RESULTS}=redis://other/0\n", text.partition("\n")[0] + f"\n{RESULTS}=\n"):
        assert look(sh, tmp_path, OTHERS, changed, wanted=wanted).endswith("more\n")

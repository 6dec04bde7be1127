"""The directory that a service runs in: the parts that its user loses, and those that it keeps."""

from __future__ import annotations

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.home import Default, ServiceHome
from tests.unit.make import only_change

HOME = ServiceHome("/srv/my air", "astro")
PARENT = "/srv|directory|root|root|755\n"
TAKEN = f"{PARENT}/srv/my air|directory|root|root|755\n"
LOGS = "/srv/my air/logs|directory|astro|astro|750\n"


def found(text: str) -> list[tuple[str, str]]:
    return [(change.summary, change.script) for change in HOME.changes(Seen(text))]


def test_the_probe_as_a_whole() -> None:
    assert ServiceHome("/usr/local/air", "astro").probe() == (
        "stat -c '%n|%F|%U|%G|%a' /usr /usr/local /usr/local/air /usr/local/air/logs /usr/local/air/plugins"
    )


@pytest.mark.parametrize(
    "rest",
    [
        LOGS,
        LOGS.replace("750", "775"),
        "/srv/my air/logs|symbolic link|astro|astro|777\n",
        f"{LOGS}/srv/my air/plugins|directory|root|astro|755\n/srv/my air/config|symbolic link|astro|astro|777\n",
    ],
)
def test_one_that_is_as_it_should_be_needs_nothing(rest: str) -> None:
    assert found(TAKEN + rest) == []


def test_one_that_is_missing_is_made() -> None:
    assert found(PARENT) == [
        ("make directory /srv/my air", "install -d -o root -g root -m 0755 '/srv/my air'"),
        (
            "make directory /srv/my air/logs",
            "[ -h '/srv/my air/logs' ] || [ -e '/srv/my air/logs' ] || "
            "install -d -o astro -g astro -m 0750 '/srv/my air/logs'",
        ),
    ]


def test_one_of_the_service_users_is_taken_before_anything_in_it() -> None:
    plugins = "/srv/my air/plugins|directory|astro|astro|700\n"
    assert found(f"{PARENT}/srv/my air|directory|astro|astro|755\n{LOGS}{plugins}") == [
        (
            "take /srv/my air from astro: only logs in it stays astro's",
            "chown -h root:root '/srv/my air'\nchmod 0755 '/srv/my air'",
        ),
        (
            "take /srv/my air/plugins from astro",
            "if [ ! -h '/srv/my air/plugins' ] && [ -d '/srv/my air/plugins' ]; then\n"
            "chown -h root:astro '/srv/my air/plugins'\nchmod u=rwx,g=rx,o-w '/srv/my air/plugins'\nfi",
        ),
    ]


@pytest.mark.parametrize(
    "parent", ["astro|root|755", "root|root|1777", "root|astro|775", "astro|astro|777"], ids=lambda text: text
)
def test_one_that_somebody_could_replace_as_a_whole_is_refused(parent: str) -> None:
    with pytest.raises(AerodromeError, match="^/srv/my air is in /srv, which users other than root can write to$"):
        found(f"/srv|directory|{parent}\n")


@pytest.mark.parametrize(
    "parent", ["directory|root|staff|2775", "symbolic link|root|root|777", "directory|root|root|700"]
)
def test_what_only_roots_own_could_replace_is_not(parent: str) -> None:
    assert len(found(f"/srv|{parent}\n{TAKEN.removeprefix(PARENT)}")) == 1  # the logs


@pytest.mark.parametrize("kind", ["symbolic link", "regular file"])
def test_something_else_in_its_place_is_left_alone(kind: str) -> None:
    with pytest.raises(AerodromeError, match=f"^/srv/my air is a {kind}, but should be a directory$"):
        found(f"{PARENT}/srv/my air|{kind}|astro|astro|777\n")


@pytest.mark.parametrize("text", ["{}\n", "/srv\n", "/srv|directory|root|root|9\n", "[" * 9999])
def test_an_answer_that_no_stat_gives_is_an_error(text: str) -> None:
    with pytest.raises(AerodromeError, match="the host's answer is not the output of stat"):
        found(text)


# Default

CONFIG = Default("/srv/my air/airflow.cfg", "# ours\n", "astro")


def test_a_file_that_is_missing_is_written_for_the_service_to_read() -> None:
    change = only_change(CONFIG, "")
    assert change.summary == "write /srv/my air/airflow.cfg"
    assert 'chown root:astro "$temporary"\nchmod 0640 "$temporary"\n' in change.script
    assert change.diff.endswith("+# ours")


@pytest.mark.parametrize(
    "text",
    [
        "regular file|root|astro|640|1\n",
        "regular file|root|root|644|1\n",
        "regular file|root|root|600|2\n",
        "symbolic link|astro|astro|777|1\n",
        "regular file|astro|astro|600|2\n",  # it has a second hard link somewhere
        "regular file|ada|ada|644|1\n",
    ],
)
def test_one_that_somebody_else_has_put_there_is_kept(text: str) -> None:
    assert CONFIG.changes(Seen(text)) == []


@pytest.mark.parametrize("kind", ["regular file", "regular empty file"])
def test_one_of_the_service_users_becomes_roots_with_what_it_holds(kind: str) -> None:
    change = only_change(CONFIG, f"{kind}|astro|astro|600|1\n")
    assert (change.summary, change.attributes) == ("own /srv/my air/airflow.cfg root:astro 0640", True)
    assert change.script == (
        "[ -O '/srv/my air' ] || "
        "{ echo '/srv/my air does not belong to root: its owner could replace files that root writes'; exit 1; }\n"
        "if [ ! -h '/srv/my air/airflow.cfg' ] && [ -f '/srv/my air/airflow.cfg' ] && "
        "[ \"$(stat -c '%U %h' '/srv/my air/airflow.cfg')\" = 'astro 1' ]; then\n"
        "chown -h root:astro '/srv/my air/airflow.cfg'\n"
        "chmod 0640 '/srv/my air/airflow.cfg'\n"
        "fi"
    )


def test_a_directory_in_the_place_of_a_file_is_left_alone() -> None:
    with pytest.raises(AerodromeError, match="airflow.cfg is a directory, but should be a file$"):
        CONFIG.changes(Seen("directory|root|root|755|2\n"))

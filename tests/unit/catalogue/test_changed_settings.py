"""Values and defaults that a version reads differently."""

from __future__ import annotations

import pytest

from aerodrome.catalogue import changed_settings
from aerodrome.catalogue.changed_settings import advice, changed_defaults, changed_value
from aerodrome.catalogue.known_settings import is_unknown
from aerodrome.catalogue.settings import gone, rename


def test_defaults_that_change_have_the_names_of_the_later_version() -> None:
    found = {name: (each.before, each.after) for name, each in changed_defaults(1, 3)}
    assert found["scheduler", "catchup_by_default"] == ("True", "False")
    assert found["dag_processor", "min_file_process_interval"] == ("0", "30")
    assert ("scheduler", "catchup_by_default") not in {name for name, _ in changed_defaults(1, 2)}
    assert changed_defaults(3, 3) == []


def test_defaults_are_of_settings_that_the_version_has() -> None:
    for major, each in changed_settings._DEFAULTS.items():
        assert not [one for one in each if is_unknown(major, one.section, one.key) or gone(major, one.section, one.key)]


def test_advice_is_about_settings_that_are_gone() -> None:
    for major, settings in changed_settings._ADVICE.items():
        for name in settings:
            section, _, key = name.rpartition(".")
            assert gone(major, section, key), name
            assert rename(major - 1, section, key) == (section, key), name


@pytest.mark.parametrize(
    "before, after, name, expected",
    [
        (2, 3, "core.check_slas", "it has no SLAs; deadline alerts replace them"),
        (2, 3, "kubernetes.worker_pods_pending_timeout", "[scheduler] task_queued_timeout replaces it"),
        (1, 3, "webserver.rbac", "its web UI always has logins and roles"),
        (2, 3, "webserver.rbac", ""),
        (3, 3, "core.check_slas", ""),
        (2, 3, "webserver.analytics_id", ""),
    ],
)
def test_advice(before: int, after: int, name: str, expected: str) -> None:
    section, _, key = name.rpartition(".")
    assert advice(before, after, section, key) == expected


@pytest.mark.parametrize(
    "before, after, name, value, expected",
    [
        (1, 2, "core.hostname_callable", "socket:getfqdn", "write a dot before the function, not a colon"),
        (2, 3, "core.hostname_callable", "socket:getfqdn", ""),
        (1, 2, "core.hostname_callable", "socket.getfqdn", ""),
        (1, 3, "core.parallelism", " 0 ", "it must be greater than 0"),
        (2, 3, "core.parallelism", "10", ""),
        (2, 3, "core.xcom_backend", "airflow.contrib.x.Y", "it has no airflow.contrib"),
        (1, 2, "core.xcom_backend", "airflow.contrib.x.Y", ""),
        (2, 3, "fab.auth_backends", "airflow.api.auth.backend.session", "it has no airflow.api.auth"),
        (
            1,
            2,
            "core.log_filename_template",
            "{{ ti.dag_id }}/{{ ti.task_id }}/{{ ts }}/{{ try_number }}.log",
            "delete it: tasks of one run would share a log",
        ),
        (2, 3, "core.parallelism", "", ""),
    ],
)
def test_values(before: int, after: int, name: str, value: str, expected: str) -> None:
    section, _, key = name.rpartition(".")
    assert changed_value(before, after, section, key, value) == expected

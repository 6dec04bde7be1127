"""The settings that Airflow has."""

from __future__ import annotations

import pytest

from aerodrome.catalogue.known_settings import _known, is_unknown, nearest, of_variable
from aerodrome.catalogue.settings import _NAMES, rename


@pytest.mark.parametrize("major", [1, 2, 3])
def test_what_a_version_reads_is_known_by_its_names_of_any_version(major: int) -> None:
    strange = [
        f"{section}.{key}"
        for section, keys in _known(major).items()
        for key in keys
        if is_unknown(major, *rename(major, section, key))
    ]
    assert strange == []


@pytest.mark.parametrize("major", [1, 2, 3])
def test_every_setting_that_was_renamed_is_known_by_todays_name(major: int) -> None:
    today = {row[major - 1] for row in _NAMES.values() if row[major - 1] != ("", "")}
    assert sorted(name for name in today if is_unknown(major, *name)) == []


def test_numbers_of_settings_that_each_version_has() -> None:
    assert [sum(map(len, _known(major).values())) for major in (1, 2, 3)] == pytest.approx([220, 360, 380], rel=0.1)
    assert "parallelism" in _known(1)["core"] & _known(2)["core"] & _known(3)["core"]


def test_the_nearest() -> None:
    assert nearest(3, "core", "paralelism") == "core.parallelism"
    assert nearest(3, "webserver", "parallelism") == "core.parallelism"
    assert nearest(3, "core", "nothing_like_it") == ""


def test_a_section_may_have_a_dot() -> None:
    assert of_variable(3, "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH") == ("common.io", "xcom_objectstorage_path")
    assert of_variable(3, "AIRFLOW__MINE__X") is None
    assert of_variable(3, "AIRFLOW__CORE") is None
    assert of_variable(3, "OTHER__CORE__X") is None

"""The location of the pip wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes.find_pip import newest


def test_the_last_place_that_has_one_counts(tmp_path: Path) -> None:
    for place, version in (("a", "23.0"), ("b", "24.0"), ("b", "24.1"), ("c", "")):
        (tmp_path / place).mkdir(exist_ok=True)
        if version:
            (tmp_path / place / f"pip-{version}-py3-none-any.whl").touch()
    places = [None, *(str(tmp_path / each) for each in "abc")]
    assert newest(places) == f"{tmp_path}/b/pip-24.1-py3-none-any.whl"
    with pytest.raises(IndexError):
        newest([None, str(tmp_path / "c")])

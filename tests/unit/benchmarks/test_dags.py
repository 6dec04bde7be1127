from pathlib import Path

from benchmarks import dags


def test_the_files_are_the_same_in_every_run_and_none_is_like_another(tmp_path: Path) -> None:
    dags._write(tmp_path / "a")
    dags._write(tmp_path / "b")
    first, second = (
        {file.relative_to(tmp_path / each): file.read_bytes() for file in (tmp_path / each).rglob("*.py")}
        for each in "ab"
    )
    assert first == second
    assert len(set(first.values())) == len(first) == 1000
    # Longer if a letter is not ASCII.
    assert 10_000_000 <= sum(map(len, first.values())) < 10_500_000

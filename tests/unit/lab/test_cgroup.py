from pathlib import Path

from lab import cgroup


def test_trees_of_v1_and_v2(tmp_path: Path) -> None:
    assert cgroup.trees(tmp_path) == [tmp_path]
    for name in ("systemd", "unified", "memory"):
        (tmp_path / name).mkdir()
    assert cgroup.trees(tmp_path) == [tmp_path / "systemd", tmp_path / "unified"]


def test_remove_takes_groups_within_groups(tmp_path: Path) -> None:
    group = tmp_path / "aerodrome-demo-11"
    (group / "payload/system.slice/ssh.service").mkdir(parents=True)
    cgroup.remove([group])
    assert list(tmp_path.iterdir()) == []

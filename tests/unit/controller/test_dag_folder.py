"""The local DAG folder."""

from __future__ import annotations

import io
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aerodrome.controller.dag_folder import dag_tree
from aerodrome.errors import InvalidInput
from aerodrome.resources.tree import Tree


def tree(folder: Path) -> Tree:
    return dag_tree(str(folder), "/srv/dags", "astro")


def entries(packed: bytes) -> dict[str, tuple[int, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return {entry.name: (entry.mode, archive.extractfile(entry).read()) for entry in archive}  # type: ignore[union-attr]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub folder").mkdir()
    (tmp_path / "a.py").write_text("one")
    (tmp_path / "sub folder" / "é.sql").write_text("two")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o700)
    return tmp_path


def test_all_files_are_packed_with_the_rights_that_the_service_user_needs(folder: Path) -> None:
    found = tree(folder)
    assert (found.path, found.user, found.count) == ("/srv/dags", "astro", 3)
    assert entries(found.pack()) == {
        "a.py": (0o644, b"one"),
        "run.sh": (0o755, b"#!/bin/sh\n"),
        "sub folder/é.sql": (0o644, b"two"),
    }


@pytest.mark.parametrize("rubbish", ["__pycache__/a.cpython-311.pyc", ".git/config", "sub folder/b.pyc", ".DS_Store"])
def test_what_tools_leave_behind_is_left_out(folder: Path, rubbish: str) -> None:
    before = tree(folder).digest
    (folder / rubbish).parent.mkdir(exist_ok=True)
    (folder / rubbish).write_text("")
    assert tree(folder).digest == before
    assert rubbish not in entries(tree(folder).pack())


def test_hidden_files_that_are_no_rubbish_go_along(folder: Path) -> None:
    (folder / ".airflowignore").write_text("x")
    assert ".airflowignore" in entries(tree(folder).pack())


def links(packed: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return {entry.name: entry.linkname for entry in archive if entry.issym()}


@pytest.mark.parametrize(
    "name, target, there",
    [
        ("link.py", "a.py", "a.py"),
        ("sub folder/link.py", "../a.py", "../a.py"),
        ("link", "sub folder", "sub folder"),  # to a folder
        ("link.py", "link.sql", "link.sql"),  # to nothing, as an editor's lock may be
        ("link.py", "{folder}/a.py", "a.py"),  # absolute: the folder has another path on the node
        ("sub folder/link.py", "{folder}/sub folder/é.sql", "é.sql"),
        ("sub folder/link.py", "../../{name}/a.py", "../a.py"),  # by the folder's own name
    ],
)
def test_a_link_within_the_folder_stays_a_link(folder: Path, name: str, target: str, there: str) -> None:
    (folder / name).symlink_to(target.format(folder=folder, name=folder.name))
    assert links(tree(folder).pack()) == {name: there}
    assert tree(folder).count == 4


@pytest.mark.parametrize(
    "target", ["{elsewhere}", "{elsewhere}/id_ed25519", "../..", "/etc/shadow", "/", "{up}/id_ed25519"]
)
@pytest.mark.parametrize("name", ["link.py", "sub folder/link"])
def test_a_link_that_leaves_the_folder_is_refused(
    folder: Path, name: str, target: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "id_ed25519").write_text("hunter2")
    target = target.format(elsewhere=elsewhere, up=os.path.relpath(elsewhere, (folder / name).parent))
    (folder / name).symlink_to(target)
    with pytest.raises(InvalidInput) as caught:
        tree(folder)
    leads = os.path.realpath(folder / name)
    assert caught.value.problems == [f"deploy.dags: the link {folder / name} leads out of the folder, to {leads}"]


def test_a_link_that_leaves_by_way_of_another_is_refused(folder: Path) -> None:
    (folder / "out").symlink_to("..")
    (folder / "far").symlink_to("out/x")
    with pytest.raises(InvalidInput) as caught:
        tree(folder)
    assert len(caught.value.problems) == 2


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (folder / "link.py").symlink_to(folder / "a.py")
    path = tmp_path_factory.mktemp("elsewhere") / "dags"
    path.symlink_to(folder)
    assert tree(path).digest == tree(folder).digest
    assert links(tree(path).pack()) == {"link.py": "a.py"}


def test_where_a_link_leads_to_is_part_of_the_digest(folder: Path) -> None:
    digests = set()
    for target in ("a.py", "run.sh"):
        (folder / "link").unlink(missing_ok=True)
        (folder / "link").symlink_to(target)
        digests.add(tree(folder).digest)
    assert len(digests) == 2


def test_a_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(InvalidInput) as caught:
        tree(folder)
    assert caught.value.problems == [f"deploy.dags: {folder}/pipe is not a file, directory or link"]


def test_a_file_that_has_become_a_link_meanwhile_is_not_followed(folder: Path) -> None:
    found = tree(folder)
    (folder / "a.py").unlink()
    (folder / "a.py").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic links"):
        found.pack()


def test_the_digest_is_that_of_names_content_and_rights(folder: Path) -> None:
    digests = {tree(folder).digest}
    (folder / "a.py").write_text("ONE")
    digests.add(tree(folder).digest)
    (folder / "a.py").rename(folder / "b.py")
    digests.add(tree(folder).digest)
    (folder / "b.py").chmod(0o755)
    digests.add(tree(folder).digest)
    (folder / "b.py").unlink()
    digests.add(tree(folder).digest)
    assert len(digests) == 5


def test_a_fresh_checkout_of_the_same_files_is_the_same(folder: Path) -> None:
    before = tree(folder).digest
    for file in (folder / "a.py", folder / "run.sh"):
        os.utime(file, (1, 1))
    (folder / "a.py").chmod(0o664)  # umask 002
    assert tree(folder).digest == before


def test_where_one_file_ends_and_the_next_begins_counts(tmp_path: Path) -> None:
    for name, files in {"one": {"a": "xb", "c": ""}, "two": {"a": "x", "bc": ""}}.items():
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(text)
    assert tree(tmp_path / "one").digest != tree(tmp_path / "two").digest


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        tree(tmp_path / "dags")
    assert caught.value.problems == [f"deploy.dags: there is no directory {tmp_path}/dags"]


def test_a_file_name_that_is_no_utf_8_is_refused_or_taken(folder: Path) -> None:
    (folder / "caf\udce9.py").write_text("x")
    try:
        assert tree(folder).count == 4
    except InvalidInput as error:
        assert "deploy.dags" in error.message


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read(folder: Path) -> None:
    (folder / "a.py").chmod(0)
    with pytest.raises(InvalidInput, match="a.py: Permission denied"):
        tree(folder)


def test_files_are_packed_once_for_all_hosts(folder: Path) -> None:
    found = tree(folder)
    with ThreadPoolExecutor(4) as pool:
        packed = list(pool.map(lambda _: found.pack(), range(8)))
    assert all(each is packed[0] for each in packed)

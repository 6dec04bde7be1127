"""fab pin: the real uv, without a network, on the test's own wheels."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.tasks.conftest import PROJECT, Done, Fab


def wheel(folder: Path, name: str, version: str, *requires: str) -> None:
    """Make a wheel that contains only metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {r}" for r in requires),
    ]
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{stem}.dist-info/METADATA", "\n".join(metadata) + "\n")
        archive.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{stem}.dist-info/RECORD", "")


class Locker:
    """fab pin with a folder as its index."""

    def __init__(self, fab: Fab, folder: Path) -> None:
        self.fab, self.folder, self.output = fab, folder, folder / "made.txt"

    def __call__(self, *arguments: str) -> Done:
        return self.fab(
            "pin",
            f"--output={self.output}",
            *arguments,
            UV_NO_INDEX="1",
            UV_OFFLINE="1",
            UV_FIND_LINKS=str(self.folder / "wheels"),
            UV_CACHE_DIR=str(self.folder / "cache"),
        )

    def pins(self) -> list[str]:
        """Return the pins of the new lock."""
        return [
            line.split()[0] for line in self.output.read_text().splitlines() if "==" in line and line[0] not in "# "
        ]


@pytest.fixture
def lock(fab: Fab, tmp_path: Path) -> Locker:
    wheel(tmp_path / "wheels", "apache-airflow", "3.3.2", "six")
    wheel(tmp_path / "wheels", "six", "1.16.0")
    wheel(tmp_path / "wheels", "six", "1.17.0")
    return Locker(fab, tmp_path)


def test_a_lock_stays_within_the_operators_file(lock: Locker, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("# ours\nsix==1.16.0\n")
    done = lock(f"--constraints={tmp_path}/mine.txt")
    assert done.code == 0, done.err
    assert lock.pins() == ["apache-airflow==3.3.2", "six==1.16.0"]
    assert lock.output.read_text().count("--hash=sha256:") == 2
    assert "unchanged" in lock(f"--constraints={tmp_path}/mine.txt").err


class Quiet(SimpleHTTPRequestHandler):
    """A file server that logs nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """Serve an index of plain pages, without upload times."""
    for name, version, requires in (
        ("our-airflow", "3.3.2.post1", "apache-airflow==3.3.2"),
        ("apache-airflow", "3.3.2", ""),
    ):
        folder = tmp_path / "index" / name
        wheel(folder, name, version, *([requires] if requires else []))
        (file,) = folder.iterdir()
        (folder / "index.html").write_text(f'<!DOCTYPE html><a href="{file.name}">{file.name}</a>')
    handler = partial(Quiet, directory=str(tmp_path / "index"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_index_without_upload_times_and_with_a_login(lock: Locker, index: str) -> None:
    done = lock.fab(
        "pin",
        *("--distribution=our-airflow", "--version=3.3.2.*", "--date=2026-09-18", f"--output={lock.output}"),
        UV_DEFAULT_INDEX=f"http://me:uperSecret@{index}",
        UV_CACHE_DIR=str(lock.folder / "cache"),
    )
    assert done.code == 0, done.err
    assert lock.pins() == ["apache-airflow==3.3.2", "our-airflow==3.3.2.post1"]
    assert lock.output.read_text().count("--hash=sha256:") == 2
    assert "uperSecret" not in lock.output.read_text() + done.err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ("--version=2.11.2", "--python=3.13"),
            "Airflow 2.11.2 does not run on Python 3.13\n  → it runs on 3.10, 3.11, 3.12",
        ),
        (
            ("--version=1.10.10", "--python=3.11"),
            "Airflow 1.10.10 does not run on Python 3.11\n  → it runs on 3.7, 3.8",
        ),
        (("--version=4.0.0",), "--version=4.0.0: Airflow 1.10, 2 and 3 are supported"),
        (("--constraints=/no/such/file",), "--constraints=/no/such/file: no such file"),
    ],
)
def test_what_cannot_be_is_refused_before_uv_is_asked(lock: Locker, arguments: tuple[str, ...], error: str) -> None:
    done = lock(*arguments)
    assert (done.code, done.err) == (1, f"error: {error}\n")


def test_an_unknown_version(lock: Locker, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("")
    done = lock("--version=3.3.99", f"--constraints={tmp_path}/mine.txt")
    assert done.code == 1
    assert done.err.startswith("error: uv cannot lock apache-airflow 3.3.99: No solution found")
    assert not lock.output.exists()


def test_a_lock_file_that_ships_is_not_replaced_by_accident(fab: Fab) -> None:
    ships = PROJECT / "locks" / "airflow-3.3.2-py3.11.txt"
    before = ships.read_text()
    done = fab("pin", UV_NO_INDEX="1", UV_OFFLINE="1")
    assert done.code == 1
    assert done.err.splitlines() == [
        "error: locks/airflow-3.3.2-py3.11.txt ships with Aerodrome and was tested with it",
        "  → write your own with --output=locks/mine.txt and name it in hosts.yaml (airflow.lock: locks/mine.txt),"
        " or replace it with --force",
    ]
    assert ships.read_text() == before
    # With --output or --force it continues, and fails only because there is no index here.
    for arguments in (("--force",), (f"--output={ships}",)):
        assert "ships with Aerodrome" not in fab("pin", *arguments, UV_NO_INDEX="1", UV_OFFLINE="1").err
    assert ships.read_text() == before


@pytest.mark.parametrize("output", ["/", "~nosuch/lock.txt", "/dev/full"])
def test_an_output_that_is_not_a_file(fab: Fab, output: str) -> None:
    done = fab("pin", f"--output={output}", UV_NO_INDEX="1", UV_OFFLINE="1")
    assert (done.code, done.err.startswith("error: ")) == (1, True)


def test_the_old_name_still_works(fab: Fab) -> None:
    done = fab("lock", "--version=4.0.0")
    assert done.code == 1
    assert done.err == (
        "note: fab lock is called fab pin now\nerror: --version=4.0.0: Airflow 1.10, 2 and 3 are supported\n"
    )

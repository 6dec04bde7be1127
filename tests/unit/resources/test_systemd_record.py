"""What a unit was started with, as the host has it recorded."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.resources.systemd import Service
from tests.unit.make import Shell, only_change
from tests.unit.resources.units import GIVEN_UP, RUNS, SERVICE, STARTED, UNIT, reads, record


def test_what_a_unit_was_started_with_and_no_longer_reads_does_not_matter() -> None:
    """A setting may have been taken out of hosts.yaml, or taken back."""
    text = f"{RUNS}{reads(STARTED)}{record(STARTED)}record reads {STARTED}.5 9 77 /usr/local/airflow/airflow.cfg\n"
    assert SERVICE.changes(Seen(text)) == []


@pytest.mark.parametrize("start", ["0123abcd", "other"])
def test_a_time_in_the_future_restarts_nothing_a_second_time(start: str) -> None:
    text = f"{RUNS}Now={STARTED + 60}\n{reads(STARTED + 9999)}{record(STARTED + 9999, start=start)}"
    assert SERVICE.changes(Seen(text)) == []


def content(*digests: str, of: str = "content") -> str:
    """Return what a probe prints of the contents of what SERVICE reads."""
    return "".join(f"{of} {each} {path}\n" for each, path in zip(digests, SERVICE.reads, strict=False))


def test_the_same_content_in_another_file_restarts_nothing() -> None:
    text = RUNS + reads(STARTED + 9) + content("abc") + record(STARTED) + content("abc", of="record content")
    assert SERVICE.changes(Seen(text)) == []
    for other in (content("abd"), "", content("abc").replace("content ", "")):
        assert SERVICE.changes(Seen(text.replace(content("abc"), other, 1)))[0].summary.endswith("since its start)")
    # It may have read another one if it was started anew since then.
    assert SERVICE.changes(Seen(text.replace("record InvocationID=", "record InvocationID=x")))


def test_what_has_changed_before_a_start_by_hand_restarts_nothing() -> None:
    assert SERVICE.changes(Seen(f"{RUNS}{reads(STARTED - 5)}{record(STARTED - 99, start='other')}")) == []


def test_a_record_that_is_broken_is_none() -> None:
    assert SERVICE.changes(Seen(f"{RUNS}{reads(STARTED)}record reads x\nrecord \nreads\nreads x y z\n")) == []


def test_what_a_unit_was_started_with_is_recorded(sh: Shell, tmp_path: Path) -> None:
    path, log = tmp_path / "a file", tmp_path / "log"
    path.write_text("one")
    service = Service(UNIT, (str(path), f"{tmp_path}/none"))
    systemctl = (
        f'case $1 in show) echo "InvocationID=$(cat {log} 2>/dev/null | wc -l)";; restart) echo x >>{log};; esac'
    )

    def here(script: str) -> str:
        return script.replace("/var/lib/aerodrome", str(tmp_path)).replace("/run/aerodrome", str(tmp_path))

    script = only_change(Service(UNIT, service.reads, again=True), RUNS).script

    def asked() -> list[str]:
        text = sh(here(service.probe()), programs={"systemctl": systemctl}).stdout.decode()
        return [line for line in text.splitlines() if not line.startswith("Now=")]

    (invocation, before) = asked()
    assert sh(f"set -eu\n{here(script)}", programs={"systemctl": systemctl}).returncode == 0
    one = f"record content {sha256(b'one').hexdigest()} {path}"
    assert asked() == ["InvocationID=1", before, "record InvocationID=1", f"record {before}", one]
    assert (tmp_path / "started" / UNIT).stat().st_mode & 0o777 == 0o600
    assert invocation == "InvocationID=0"
    # What was up already has been recorded by nobody.
    path.write_text("another")
    start = only_change(service, GIVEN_UP).script
    assert sh(f"set -eu\n{here(start)}", programs={"systemctl": systemctl}).returncode == 0
    assert asked()[3:] == [f"record {before}", f"content {sha256(b'another').hexdigest()} {path}", one]
    assert asked()[1] != before


def test_a_file_that_was_replaced_is_looked_at_once(sh: Shell, tmp_path: Path) -> None:
    paths = [tmp_path / "a file", tmp_path / "file", tmp_path / "link"]
    for path in paths[:2]:
        path.write_text("one")
    paths[2].symlink_to("/tmp")
    beside = tuple((unit, tuple(map(str, paths))) for unit in (UNIT, "other.service"))
    service = Service(UNIT, beside[0][1], beside=beside)
    record = "".join(f"reads 1.5 3 77 {path}\n" for path in paths)
    (tmp_path / "started").mkdir()
    for unit, _ in beside:
        (tmp_path / "started" / unit).write_text(record)
    log = tmp_path / "log"
    programs = {
        "systemctl": ":",
        "sha256sum": f"echo hashed >>{log}; exec /usr/bin/sha256sum",
        "readlink": f'echo link >>{log}; exec /usr/bin/readlink "$@"',
    }

    def contents() -> tuple[set[str], int]:
        script = service.probe().replace("/var/lib/aerodrome", str(tmp_path)).replace("/run/aerodrome", str(tmp_path))
        log.write_text("")
        text = sh(script, programs=programs).stdout.decode()
        return {line for line in text.splitlines() if line.startswith("content ")}, len(log.read_text().split())

    one, other = sha256(b"one").hexdigest(), sha256(b"other").hexdigest()
    wanted = {f"content {one} {path}" for path in paths[:2]} | {f"content /tmp {paths[2]}"}
    assert contents() == (wanted, 3)  # by both units
    assert contents() == (wanted, 0)
    assert (tmp_path / "contents").stat().st_mode & 0o777 == 0o600
    paths[1].write_text("other")
    assert contents() == (wanted - {f"content {one} {paths[1]}"} | {f"content {other} {paths[1]}"}, 1)
    (tmp_path / "started" / UNIT).write_text(record + "reads 1.5 3 77 /etc/hostname\n")  # no longer read
    paths[1].unlink()
    assert contents() == (wanted - {f"content {one} {paths[1]}"}, 0)
    (tmp_path / "contents").write_text("x" * 8192 + "\n")
    assert contents()[1] == 2
    assert len((tmp_path / "contents").read_text()) < 8192
    assert contents()[1] == 0

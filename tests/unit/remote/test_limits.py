"""The limits of a script on a host, with this machine in place of the host and real shells."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.errors import HostError
from aerodrome.fleet.model import Deploy, Host
from aerodrome.remote import run as module
from aerodrome.remote.limits import Limit, LimitExceeded
from aerodrome.remote.run import run
from tests.unit.remote.local import Local

HOST = Host("db1", "10.0.0.1")
OPS = Host("db1", "10.0.0.1", user="ops")


def exceeded(call: Callable[[], object]) -> LimitExceeded:
    with pytest.raises(LimitExceeded) as caught:
        call()
    return caught.value


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_seconds_start_again_when_more_is_allowed() -> None:
    clock = Clock()
    limit = Limit(5, None, clock=clock)
    clock.now += 5
    assert limit.exceeded() == ""
    clock.now += 1
    assert limit.exceeded() == "did not finish within 5 s (deploy.probe_timeout)"
    limit.allow(60, "change_timeout")
    assert limit.exceeded() == ""
    clock.now += 61
    assert limit.exceeded() == "did not finish within 60 s (deploy.change_timeout)"
    limit.allow(None)
    assert limit.exceeded() == ""


def test_megabytes_are_those_of_both_streams_together() -> None:
    limit = Limit(None, 2)
    limit.printed(1_500_000)
    limit.printed(500_000)
    assert limit.exceeded() == ""
    limit.printed(1)
    assert limit.exceeded() == "printed more than 2 MB (deploy.output_limit)"


def test_a_stream_has_no_limits() -> None:
    limit = Limit.stream()
    limit.printed(10**12)
    assert limit.exceeded() == ""


def test_a_script_has_the_limits_of_a_question_unless_another_is_given(tmp_path: Path) -> None:
    local = Local(tmp_path, deploy=Deploy(probe_timeout=1))
    error = exceeded(lambda: run(local, HOST, "sleep 60"))  # type: ignore[arg-type]
    assert (error.host, error.message, error.hint) == (
        "db1",
        "did not finish within 1 s (deploy.probe_timeout)",
        "check what the host is doing: fab -H db1 run 'ps -ef'",
    )


@pytest.mark.parametrize("flood", ["yes", "yes >&2", "tr '\\0' x </dev/zero", "yes >&2 & yes"])
def test_a_flood_ends_where_the_limit_is(tmp_path: Path, flood: str) -> None:
    began = time.monotonic()
    error = exceeded(lambda: run(Local(tmp_path), HOST, flood, limit=Limit(60, 1)))  # type: ignore[arg-type]
    assert error.message == "printed more than 1 MB (deploy.output_limit)"
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("host", [HOST, OPS], ids=["root", "sudo"])
def test_what_exceeds_its_limit_is_killed_with_all_that_it_has_started(tmp_path: Path, host: Host) -> None:
    pids = tmp_path / "pids"
    script = f"echo $$ >'{pids}'; sh -c 'echo $$ >>{pids}; sleep 61 & echo $! >>{pids}; trap \"\" TERM; wait'"
    exceeded(lambda: run(Local(tmp_path), host, script, limit=Limit(1, 1)))  # type: ignore[arg-type]
    numbers = pids.read_text().split()
    assert len(numbers) == 3
    for number in numbers:
        state = subprocess.run(["ps", "-o", "stat=", "-p", number], capture_output=True, text=True).stdout
        assert state == "" or state.startswith("Z"), (number, state)


def test_without_keep_nothing_is_kept(tmp_path: Path) -> None:
    sizes: list[int] = []
    output = run(
        Local(tmp_path), HOST, "head -c 3000000 /dev/zero; seq 1000 >&2",  # type: ignore[arg-type]
        on_text=lambda text: sizes.append(len(text)), limit=Limit.stream(), keep=False,
    )  # fmt: skip
    assert (output.text, sum(sizes)) == ("", 3_000_000)


def test_stderr_is_handed_on_as_it_comes(tmp_path: Path) -> None:
    parts: list[str] = []
    run(Local(tmp_path), HOST, "echo one >&2; sleep 0.3; echo two >&2", on_errors=parts.append)  # type: ignore[arg-type]
    assert parts == ["one\n", "two\n"]


@pytest.mark.parametrize(
    "kept", ["sleep 62 &", "{ while :; do sleep 0.5; echo noise; done; } &"], ids=["quiet", "noisy"]
)
def test_a_process_that_keeps_stdout_open_does_not_hold_up_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    monkeypatch.setattr(module, "QUIET", 1.0)
    monkeypatch.setattr(module, "LINGER", 2.0)
    began = time.monotonic()
    output = run(Local(tmp_path), HOST, f"{kept} echo $! >'{tmp_path}/pid'; echo over; exit 3")  # type: ignore[arg-type]
    assert time.monotonic() - began < 15
    subprocess.run(["kill", (tmp_path / "pid").read_text().strip()], check=False)
    assert (output.status, output.text[:5]) == (3, "over\n")


def test_a_script_that_closes_its_stdout_is_waited_for(tmp_path: Path) -> None:
    assert run(Local(tmp_path), HOST, "echo x; exec >&- 2>&-; sleep 2; exit 5").status == 5  # type: ignore[arg-type]


def test_a_script_that_closes_its_stdout_and_hangs_is_ended_too(tmp_path: Path) -> None:
    script = "exec >&- 2>&-; sleep 63"
    exceeded(lambda: run(Local(tmp_path), HOST, script, limit=Limit(2, 1)))  # type: ignore[arg-type]


def test_a_host_that_does_not_answer_the_request_is_given_up(tmp_path: Path) -> None:
    local = Local(tmp_path)

    class Silent:
        """A channel on which nothing ever arrives."""

        status_event = threading.Event()

        def settimeout(self, seconds: float) -> None:
            pass

        def exec_command(self, command: str) -> None:
            threading.Event().wait()

        def recv(self, size: int) -> bytes:
            time.sleep(0.1)
            raise TimeoutError

        recv_stderr = recv

        def exit_status_ready(self) -> bool:
            return False

        def close(self) -> None:
            pass

    real = local.to(HOST)
    real.transport.open_session = lambda timeout: Silent()
    local.to = lambda host: real  # type: ignore[method-assign]
    error = exceeded(lambda: run(local, HOST, "true", limit=Limit(1, 1)))  # type: ignore[arg-type]
    assert error.message == "did not finish within 1 s (deploy.probe_timeout)"


def test_what_is_not_a_pid_is_output(tmp_path: Path) -> None:
    local = Local(tmp_path)
    shell = tmp_path / "shell"
    shell.write_text("#!/bin/sh\necho $1; echo 99999999999999999999999; echo x\n")
    shell.chmod(0o755)
    local._shell = str(shell)
    assert run(local, HOST, "true").text == "-c\n99999999999999999999999\nx\n"  # type: ignore[arg-type]


def test_a_host_that_cannot_be_reached_to_end_a_script_is_left_alone(tmp_path: Path) -> None:
    local = Local(tmp_path)
    calls: list[int] = []

    def broken(host: Host) -> Exception | None:
        calls.append(1)
        return HostError("db1", "connect", "gone") if len(calls) > 1 else None

    local.broken = broken
    exceeded(lambda: run(local, HOST, "sleep 3", limit=Limit(1, 1)))  # type: ignore[arg-type]
    assert len(calls) == 2

"""Running a script on a host: the wrappers in real shells, with a stand-in for sudo."""

from __future__ import annotations

from pathlib import Path

import paramiko
import pytest

from aerodrome.errors import HostError
from aerodrome.fleet.model import Host
from aerodrome.remote.run import run
from aerodrome.remote.shell import READ_SCRIPT, SUDO, execs
from tests.unit.make import AWKWARD
from tests.unit.remote.local import Local

ROOT = Host("db1", "10.0.0.1")
OPS = Host("web1", "10.0.0.3", user="ops")

# A login: user, the password that sudo wants, the one in hosts.yaml, and whether sudo gives tickets.
WAYS = {
    "root": (ROOT, "", None, True),
    "sudo without a password": (OPS, "", None, True),
    "sudo without a password, and one is given": (OPS, "", AWKWARD, True),
    "sudo with a password": (OPS, AWKWARD, AWKWARD, True),
    "sudo with a password, and it asks each time": (OPS, AWKWARD, AWKWARD, False),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> tuple[Host, str, str | None, bool]:
    return WAYS[request.param]


@pytest.fixture(params=["dash", "bash"])
def login_shell(request: pytest.FixtureRequest) -> str:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def host(way, tmp_path: Path, login_shell: str) -> tuple[Local, Host]:  # type: ignore[no-untyped-def]
    of, sudo, given, tickets = way
    return Local(tmp_path, sudo, given, login_shell, tickets), of


def test_the_wrappers_as_a_whole() -> None:
    assert READ_SCRIPT == (
        'echo $$; exec 3<&0; IFS= read -r size <&3 && script=$(head -c "$size" <&3) || exit; exec </dev/null;'
        ' eval "$script"'
    )
    assert (
        "IFS= read -r password\n"
        f"run='{READ_SCRIPT}'\n"
        'if [ -z "$password" ]; then\n'
        'sudo -n sh -c "$run"; status=$?\n'
        "[ $status != 1 ] || sudo -n true 2>/dev/null || exit 96\n"
        "exit $status\n"
        "fi\n"
        "printf '%s\\n' \"$password\" | sudo -S -p '' true 2>/dev/null || exit 97\n"
        'if sudo -n true 2>/dev/null; then sudo -n sh -c "$run"; status=$?; sudo -k; exit $status; fi\n'
        "{ printf '%s\\n' \"$password\"; exec cat; } | sudo -k -S -p '' sh -c \"$run\"\n"
    ) == SUDO


def test_a_script_runs_as_root_and_its_words_come_back(host: tuple[Local, Host]) -> None:
    local, of = host
    root = "" if of is ROOT else "yes"
    script = 'echo out; echo "err" >&2; echo "as root: ${AS_ROOT-}"; exit 7'
    output = run(local, of, script)  # type: ignore[arg-type]
    assert (output.status, output.text, output.errors) == (7, f"out\nas root: {root}\n", "err\n")


def test_the_payload_is_on_descriptor_3_to_the_byte(host: tuple[Local, Host]) -> None:
    local, of = host
    payload = bytes(range(256)) * 300  # more than a pipe holds, with every byte
    output = run(local, of, "head -c 10 <&3 | od -An -tu1; cat <&3 | wc -c", payload)  # type: ignore[arg-type]
    first, rest = output.text.split("\n")[:2]
    assert first.split() == [str(number) for number in range(10)]
    assert int(rest) == len(payload) - 10


def test_what_a_script_reads_of_stdin_is_nothing(host: tuple[Local, Host]) -> None:
    local, of = host
    assert run(local, of, "cat; echo over", b"payload").text == "over\n"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "line",
    ["$HOME `id` $(id)", 'it\'s "so" \\ \\n %s', "caf\udce9 é ☃", "-n", "  two  ", "a;b & c | d"],
    ids=ascii,
)
def test_a_script_arrives_as_it_is(host: tuple[Local, Host], line: str) -> None:
    local, of = host
    output = run(local, of, f"cat <<'END'\n{line}\nEND\n")  # type: ignore[arg-type]
    assert output.text == f"{line}\n"


def test_a_script_of_more_than_an_argument_can_hold(host: tuple[Local, Host]) -> None:
    local, of = host
    lines = "".join(f"line {number} é\n" for number in range(20000))
    output = run(local, of, f"cat <<'END'\n{lines}END\n")  # type: ignore[arg-type]
    assert output.text == lines


def test_a_script_that_does_not_read_its_payload_ends_anyway(host: tuple[Local, Host]) -> None:
    local, of = host
    assert run(local, of, "exit 3", b"x" * 1_000_000).status == 3  # type: ignore[arg-type]


def test_neither_script_nor_password_is_in_an_argument(tmp_path: Path) -> None:
    local = Local(tmp_path, AWKWARD, AWKWARD)
    run(local, OPS, "# secret-in-script\ntrue", b"secret-in-payload")  # type: ignore[arg-type]
    arguments = local.log.read_text()
    assert arguments.count("\n") == 4
    assert "secret" not in arguments
    assert AWKWARD not in arguments


def test_output_is_handed_on_as_it_comes(host: tuple[Local, Host]) -> None:
    local, of = host
    parts: list[str] = []
    run(local, of, "echo one; sleep 0.3; echo two", on_text=parts.append)  # type: ignore[arg-type]
    assert parts == ["one\n", "two\n"]


def test_a_script_ends_once_enough_has_been_read(host: tuple[Local, Host], tmp_path: Path) -> None:
    local, of = host
    script = f"while :; do echo look; sleep 0.1; done; touch '{tmp_path}/never'"
    parts: list[str] = []

    def enough(text: str) -> bool:
        parts.append(text)
        return len(parts) == 2

    assert run(local, of, script, on_text=enough).text == "look\nlook\n"  # type: ignore[arg-type]


def test_what_fails_while_reading_is_reported_and_ends_it_too(tmp_path: Path) -> None:
    def fail(text: str) -> None:
        raise HostError("db1", "roles.worker", text)

    with pytest.raises(HostError, match="look"):
        run(Local(tmp_path), ROOT, "while :; do echo look; sleep 0.1; done", on_text=fail)  # type: ignore[arg-type]


def test_a_letter_that_comes_in_two_parts_is_one_letter(host: tuple[Local, Host]) -> None:
    local, of = host
    parts: list[str] = []
    output = run(local, of, r"printf '\303'; sleep 0.3; printf '\251'", on_text=parts.append)  # type: ignore[arg-type]
    assert output.text == "".join(parts) == "é"


def test_stderr_that_fills_up_stops_nobody(host: tuple[Local, Host]) -> None:
    local, of = host
    output = run(local, of, "head -c 300000 /dev/zero | tr '\\0' x >&2; echo over")  # type: ignore[arg-type]
    assert (output.text, len(output.errors)) == ("over\n", 64000)  # its end


def test_a_script_takes_the_shell_that_was_started_before_it(tmp_path: Path, host: tuple[Local, Host]) -> None:
    local, of = host
    local.start(of)
    before = execs[of.name]
    assert run(local, of, "cat <&3", b"payload").text == "payload"  # type: ignore[arg-type]
    assert execs[of.name] == before
    assert run(local, of, "echo another").text == "another\n"  # type: ignore[arg-type]
    assert execs[of.name] == before + 1


def test_a_shell_that_gets_no_script_runs_none(tmp_path: Path, host: tuple[Local, Host]) -> None:
    local, of = host
    shell = local.start(of)
    shell.channel.settimeout(30)
    assert shell.channel.recv(100)  # its pid: sudo has let it begin
    shell.channel.shutdown_write()  # as when the connection is closed
    assert shell.channel.recv_exit_status() == 1


def test_every_run_is_counted(tmp_path: Path) -> None:
    before = execs["db1"]
    run(Local(tmp_path), ROOT, "true")  # type: ignore[arg-type]
    assert execs["db1"] == before + 1


@pytest.mark.parametrize("status", [0, 1, 7])
def test_sudo_is_called_no_more_than_it_must_be(tmp_path: Path, login_shell: str, status: int) -> None:
    free = Local(tmp_path, "", None, login_shell)
    assert run(free, OPS, f"exit {status}").status == status  # type: ignore[arg-type]
    asks_again = ["-n true"] if status == 1 else []  # was it sudo that ended with 1?
    assert [line[:7] for line in free.log.read_text().splitlines() if line[0] == "-"] == ["-n sh -", *asks_again]


def test_a_ticket_of_sudo_is_given_back(tmp_path: Path, login_shell: str) -> None:
    local = Local(tmp_path, AWKWARD, AWKWARD, login_shell)
    assert run(local, OPS, f"ls '{tmp_path}/sudo-programs'").text.count("ticket") == 1  # type: ignore[arg-type]
    assert not list(tmp_path.rglob("*ticket*"))


# What goes wrong


@pytest.mark.parametrize(
    "sudo, given, message, hint",
    [
        (
            AWKWARD,
            None,
            "sudo asks ops for a password, and hosts.yaml has none",
            "hosts.web1.sudo_password: !env NAME (or !file, !command, !prompt)",
        ),
        (AWKWARD, "hunter2-wrong", "sudo rejected the password of ops", "check hosts.web1.sudo_password"),
    ],
)
def test_a_sudo_that_does_not_let_us(
    tmp_path: Path, login_shell: str, sudo: str, given: str | None, message: str, hint: str
) -> None:
    local = Local(tmp_path, sudo, given, login_shell)
    with pytest.raises(HostError) as caught:
        run(local, OPS, f"touch '{tmp_path}/ran'", b"payload")  # type: ignore[arg-type]
    error = caught.value
    assert (error.host, error.step, error.message, error.hint) == ("web1", "sudo", message, hint)
    assert not (tmp_path / "ran").exists()


def test_a_script_may_end_with_the_codes_that_sudo_s_wrapper_uses_as_root(tmp_path: Path) -> None:
    assert run(Local(tmp_path), ROOT, "exit 97").status == 97  # type: ignore[arg-type]


def test_a_connection_that_breaks_is_a_failure_of_that_host(tmp_path: Path) -> None:
    local = Local(tmp_path)

    class Breaks:
        transport = property(lambda self: self)

        def open_session(self, timeout: float) -> None:
            raise paramiko.SSHException("Timeout opening channel.")

    local.to = lambda host: Breaks()  # type: ignore[method-assign]
    with pytest.raises(HostError) as caught:
        run(local, ROOT, "true")  # type: ignore[arg-type]
    assert (caught.value.host, caught.value.step) == ("db1", "connect")
    assert caught.value.message == "the connection broke: Timeout opening channel."

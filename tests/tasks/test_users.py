"""The password of a web UI user: where it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tasks.conftest import PROJECT, Fab


def test_a_password_in_an_argument_is_refused_and_not_shown(fab: Fab) -> None:
    done = fab("create-user", "--password=hunter2-hunter2")
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines() == [
        "error: --password: a literal password would be visible in the process list",
        "  → name its source: --password='!env NAME' (or '!file PATH', '!command …')",
    ]


@pytest.mark.parametrize(
    "password, error",
    [
        ("!env NO_SUCH", "--password: !env NO_SUCH: the variable is not set"),
        ("!file no/such", f"--password: !file: there is no file {PROJECT}/no/such"),
        ("!command false", "--password: !command false: exit code 1"),
    ],
)
def test_a_password_that_cannot_be_looked_up(fab: Fab, password: str, error: str) -> None:
    done = fab("create-user", f"--password={password}")
    assert (done.code, done.err.splitlines()[0]) == (1, f"error: {error}")


def test_a_name_of_several_lines_is_refused(fab: Fab, hosts: Path) -> None:
    done = fab("create-user", "--name=a\nb", "--password=!env LOGIN", LOGIN="x")
    assert (done.code, done.err.splitlines()[0]) == (1, "error: --name contains a control character")
    assert not (hosts.parent / "secrets.yaml").exists()


def test_a_command_with_quotes_can_give_a_password(fab: Fab, tmp_path: Path) -> None:
    # As in hosts.yaml: --password='!command "vault kv get"'. The error of a failing command names it.
    done = fab("create-user", '--password=!command "false"')
    assert done.err.splitlines()[0] == "error: --password: !command false: exit code 1"
    done = fab("create-user", '--password=!command sh -c "exit 3"')
    assert done.err.splitlines()[0] == "error: --password: !command sh: exit code 3"

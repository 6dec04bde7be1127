"""Secrets on the command line: asked for, refused, and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tasks.conftest import ONE, Fab


@pytest.mark.parametrize(
    "arguments, where",
    [
        (("create-user",), "create-user"),
        (("deploy",), "HOSTS:5: database.password"),
    ],
)
def test_a_question_without_a_terminal_fails_before_anything_else(
    fab: Fab, hosts: Path, arguments: tuple[str, ...], where: str
) -> None:
    hosts.write_text(ONE + "database: {password: !prompt }\n")
    done = fab(*arguments)
    assert done.code == 1
    assert done.err.splitlines() == [
        f"error: {where.replace('HOSTS', str(hosts))}: !prompt needs a terminal",
        "  → run fab in a terminal, or use !env NAME, !file PATH or !command",
    ]
    assert not (hosts.parent / "secrets.yaml").exists()


def test_no_secrets_are_kept_where_nothing_was_changed(fab: Fab, hosts: Path) -> None:
    fab("plan")
    fab("deploy")  # the host is down
    assert not (hosts.parent / "secrets.yaml").exists()


def test_secrets_that_others_can_read_are_refused(fab: Fab, hosts: Path) -> None:
    secrets = hosts.parent / "secrets.yaml"
    secrets.write_text("secret_key: abc\n")
    secrets.chmod(0o644)
    done = fab("deploy")
    assert done.code == 1
    assert done.err.startswith(
        f"error: {secrets}: other users can read or write it (mode 0644)\n  → chmod 600 {secrets}"
    )


def test_a_value_that_airflow_would_expand_is_refused_without_showing_it(fab: Fab, hosts: Path) -> None:
    hosts.write_text(ONE + "airflow: {environment: {AIRFLOW__SMTP__SMTP_PASSWORD: !env SMTP}}\n")
    done = fab("deploy", SMTP="abc$uperSecret")
    assert done.code == 1
    assert done.err.startswith("error: AIRFLOW__SMTP__SMTP_PASSWORD: ")
    assert "uperSecret" not in done.err

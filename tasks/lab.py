"""The practice fleet: five real hosts on this machine, to try everything on."""

from __future__ import annotations

from typing import Any

from invoke import task


@task
def up(context: Any) -> None:
    """Raise the practice fleet: five hosts with systemd and sshd (Linux, as root)."""
    from lab.fleet import Lab

    Lab().up()


@task
def down(context: Any) -> None:
    """Take the practice fleet away and leave nothing behind."""
    from lab.fleet import Lab

    Lab().down()


@task
def status(context: Any) -> None:
    """Show the practice fleet's hosts, and how one gets there."""
    from lab.fleet import Lab
    from lab.report import status_lines

    print("\n".join(status_lines(Lab().status())))

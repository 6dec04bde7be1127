"""The practice fleet: five real hosts on this machine for trying everything."""

from __future__ import annotations

from typing import Any

from invoke import task


@task
def up(context: Any) -> None:
    """Boot the practice fleet: five hosts with systemd and sshd on this machine (Linux, as root).

    Examples:
      fab lab.up
      fab lab.up deploy    # and deploy to it
    """
    from lab.fleet import Lab

    Lab().up()


@task
def down(context: Any) -> None:
    """Remove the practice fleet and everything that belongs to it.

    Examples:
      fab lab.down
      fab lab.down lab.up    # start again with bare hosts
    """
    from lab.fleet import Lab

    Lab().down()


@task
def status(context: Any) -> None:
    """List the practice fleet's hosts, and how to log in to each.

    Examples:
      fab lab.status
      fab lab.up lab.status
    """
    from lab.fleet import Lab
    from lab.report import status_lines

    print("\n".join(status_lines(Lab().status())))

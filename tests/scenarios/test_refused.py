"""A Python that a version does not support is refused before any host is touched, with a list of those that it does."""

from __future__ import annotations

from lab.fleet import Lab
from tests.scenarios.conftest import described, kept
from tests.scenarios.scenario import DEBIAN_13, HEAD, apart

SCENARIO = apart("2.11.2-on-debian-13", "2.11.2", {"worker": (DEBIAN_13,)})


def test_a_version_that_does_not_run_on_one_hosts_python_touches_none(lab: Lab) -> None:
    if not kept():
        lab.down()
    lab.up_host(HEAD)
    lab.up_host(DEBIAN_13, "trixie")
    site = described(lab, SCENARIO)
    mark = "touch /run/before; sleep 1"
    for host in site.hosts:
        site.sh(host, mark)

    for arguments in (["deploy"], ["-H", DEBIAN_13, "setup-node"], ["plan"]):
        told = site.fab(*arguments, code=1).err
        assert f"{DEBIAN_13}: node.venv: Airflow 2.11.2 does not run on Python 3.13" in told
        assert "it runs on 3.10, 3.11, 3.12: set airflow.python to one of these on the host" in told

    for host in site.hosts:
        assert site.sh(host, "find /etc /home /usr/local /var/lib/dpkg -newer /run/before -type f") == ""

"""The steps of a node."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aerodrome.checks.claims import OwnUnits
from aerodrome.components.environment import mask_config
from aerodrome.components.node import dags, node
from aerodrome.fleet.model import Deploy
from aerodrome.resources.block import Block
from aerodrome.resources.files import File
from aerodrome.resources.home import Default, ServiceHome
from aerodrome.resources.installer import Installer
from aerodrome.resources.module import Module
from aerodrome.resources.packages import Packages
from aerodrome.resources.python import Installed, VirtualEnvironment
from aerodrome.resources.release import Pruned
from aerodrome.resources.tree import Tree
from aerodrome.resources.users import User
from aerodrome.secrets import Secret
from tests.unit.components.node_steps import requires, resources
from tests.unit.make import HOSTS, fleet, inputs

UNIT = """\
# Written by Aerodrome. What is particular to a role or host is in drop-ins: systemctl cat airflow@ROLE
[Unit]
Description=Airflow %i
Documentation=https://airflow.apache.org/docs/
Wants=network-online.target
After=network-online.target cloud-config.service

[Service]
Type=simple
User=astro
Group=astro
WorkingDirectory=/usr/local/airflow
# Variables of this host that somebody wrote by hand; those of the next file win.
EnvironmentFile=-/etc/default/airflow.local
EnvironmentFile=/etc/default/airflow
# What only this role's processes need, with its secrets.
EnvironmentFile=-/etc/default/airflow-%i
ExecStart=/opt/aerodrome/airflow/venv/bin/airflow %i
Restart=always
RestartSec=5s
# SIGTERM goes to the main process only: a worker then ends its tasks before it leaves. Sent to all processes,
# as is the default, it kills the tasks.
KillMode=mixed
TimeoutStopSec=60s
UMask=0027

[Install]
WantedBy=multi-user.target
"""


def test_the_steps_of_the_guide_in_order() -> None:
    assert [step.name for step in node(inputs(), HOSTS["w1"])] == [
        "node.packages",
        "node.user",
        "node.hosts",
        "node.venv",
        "node.install",
        "node.unit",
        "node.environment",
        "node.dags",
    ]


def test_no_two_resources_have_one_key() -> None:
    given = inputs(config_file="[core]\n", dags=Tree("/usr/local/airflow/dags", "1", 1, bytes, "astro"))
    keys = [resource.key for step in node(given, HOSTS["w1"]) for resource in step.parts]
    assert len(keys) == len(set(keys)) == 27


@pytest.mark.parametrize("python", ["python3", "python", "/usr/bin/python3.12", "pypy3.10", "python3.12-debug"])
def test_packages_of_the_guide(python: str) -> None:
    assert resources("node.packages", inputs(fleet(python=python))) == (
        Packages(
            apt=("sudo", "python3", "python3-venv", "python3-dev", "gcc"),
            dnf=("sudo", "python3", "python3-devel", "gcc"),
        ),
    )


def test_packages_follow_the_python_that_the_operator_names() -> None:
    assert resources("node.packages", inputs(fleet(python="python3.12"))) == (
        Packages(
            apt=("sudo", "python3.12", "python3.12-venv", "python3.12-dev", "gcc"),
            dnf=("sudo", "python3.12", "python3.12-devel", "gcc"),
        ),
    )


def test_the_user_of_the_guide() -> None:
    given = inputs(fleet(user="air", home="/srv/airflow"))
    assert resources("node.user", given) == (
        User("air", "/home/air", profile="export AIRFLOW_HOME=/srv/airflow"),
        ServiceHome("/srv/airflow", "air"),
        Default("/srv/airflow/airflow.cfg", given.catalogue.home_files["airflow.cfg"], "air"),
    )


@pytest.mark.parametrize(
    "version, names",
    [
        ("3.3.2", ["airflow.cfg"]),
        ("2.11.2", ["airflow.cfg", "webserver_config.py"]),
        ("1.10.10", ["airflow.cfg", "unittests.cfg", "webserver_config.py"]),
    ],
)
def test_what_airflow_would_write_into_its_home_is_there_before_it(version: str, names: list[str]) -> None:
    def found(**given: Any) -> list[str]:
        of = resources("node.user", inputs(fleet(version=version), **given))
        return [each.path for each in of if isinstance(each, Default)]

    assert found() == [f"/usr/local/airflow/{name}" for name in names]
    # One that is set in hosts.yaml is written elsewhere.
    assert found(config_file="[core]\n") == [f"/usr/local/airflow/{name}" for name in names[1:]]


NAME_FILE = """\
# Written by Aerodrome: the name of this host in hosts.yaml, which the other hosts can resolve.
# Airflow asks for it ([core] hostname_callable) to say where a task ran and where its log is, so that logs can be
# read whatever the machine calls itself.


def name():
    return "w1"
"""
NAME = (Module("/usr/local/airflow/config/aerodrome_host.py", NAME_FILE, "astro"),)


def test_every_host_knows_every_other_by_name() -> None:
    lines = ("10.0.0.1 db1", "10.0.0.2 s1", "10.0.0.3 web1", "10.0.0.4 w1", "10.0.0.5 w2")
    assert resources("node.hosts") == (Block("/etc/hosts", lines), *NAME)


def test_where_dns_knows_them_etc_hosts_is_left_alone() -> None:
    assert resources("node.hosts", inputs(fleet(deploy=Deploy(dns=True)))) == NAME


def test_a_host_whose_address_is_a_dns_name_is_known_by_it() -> None:
    def known_as(address: str, dns: bool) -> str:
        return inputs(fleet(deploy=Deploy(dns=dns))).known_as(replace(HOSTS["w1"], address=address))

    assert known_as("w1.example.com", True) == "w1.example.com"
    assert {known_as(address, True) for address in ("10.0.0.4", "fd00::4")} == {"w1"}
    assert known_as("10.0.0.4", False) == "w1"


def test_the_unit_as_a_whole() -> None:
    unit = File("/etc/systemd/system/airflow@.service", UNIT, reload=True, keep=True)
    assert resources("node.unit") == (unit,)
    assert requires("node.unit") == (OwnUnits("airflow"),)


def test_python_and_what_goes_into_it() -> None:
    given = inputs(
        fleet(version="2.11.2", python="/opt/python"),
        locks={"3.11": "lock"},
        uv="uv",
        index_url=Secret("https://a"),
        extra_index_url=Secret("https://b"),
    )
    (installer, venv), (installed, pruned) = resources("node.venv", given), resources("node.install", given)
    assert isinstance(venv, VirtualEnvironment)
    assert isinstance(installed, Installed)
    assert pruned == Pruned(installed)
    directories = ("/opt/aerodrome", "/opt/aerodrome/airflow", "/opt/aerodrome/airflow/venvs")
    assert installer == Installer(directories)
    assert venv.requirements == installed.requirements
    assert (venv.place, venv.python, venv.user) == ("/opt/aerodrome/airflow", "/opt/python", "astro")
    assert venv.unit == "/etc/systemd/system/airflow@.service"
    wanted = venv.requirements
    assert (wanted.name, wanted.locks, wanted.unpinned, wanted.uv) == ("2.11.2", {"3.11": "lock"}, "", "uv")
    assert wanted.supported == ("3.10", "3.11", "3.12")
    assert (wanted.index_url, wanted.extra_index_url) == (Secret("https://a"), Secret("https://b"))


def test_unpinned_as_the_operator_says() -> None:
    given = inputs(fleet(pinned=False, extras=("postgres", "celery")))
    assert resources("node.install", given)[0].requirements.unpinned == "apache-airflow[postgres,celery]==3.3.2"


def test_without_a_lock_the_celery_providers_that_lose_tasks_are_kept_out() -> None:
    wanted = resources("node.install", inputs(fleet(version="2.11.2", pinned=False)))[0].requirements
    assert wanted.unpinned.splitlines() == [
        "apache-airflow[postgres,celery,redis,fab]==2.11.2",
        "apache-airflow-providers-celery!=3.16.0,!=3.17.0,!=3.17.1",
    ]


def test_dags_and_airflow_cfg_where_there_are_any() -> None:
    tree = Tree("/usr/local/airflow/dags", "1", 1, bytes, "astro")
    assert dags(inputs()) == ()
    assert dags(inputs(config_file="[core]\n", dags=tree)) == (
        File("/usr/local/airflow/airflow.cfg", "[core]\n", "root", "astro", 0o640, mask=mask_config, keep=True),
        tree,
        Pruned(tree),
    )

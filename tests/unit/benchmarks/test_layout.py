from typing import Any

from benchmarks.peers.layout import inventory, pins

LOCK = """\
# made by uv
a2wsgi==1.10.10 \\
    --hash=sha256:d5b21f4b \\
    --hash=sha256:e0f3e5d1
    # via apache-airflow-core
uvloop==0.22.1 ; platform_python_implementation != 'PyPy' \\
    --hash=sha256:05e4b5f8
"""


def test_pins_are_names_and_versions() -> None:
    assert pins(LOCK) == ["a2wsgi==1.10.10", "uvloop==0.22.1"]


def test_inventory_has_a_group_a_role_and_keeps_the_password_in_its_file() -> None:
    hosts: dict[str, dict[str, Any]] = {
        "db1": {"roles": ["database"]},
        "sched1": {"roles": ["scheduler", "dag-processor", "triggerer"]},
        "worker1": {"roles": ["worker"], "sudo_password_file": "/lab/sudo-password"},
    }
    made = inventory({"user": "astro", "dags": "/dags", "ssh_config": "/lab/ssh_config"}, hosts, "/lab/peers")
    assert made["all"]["children"] == {
        "nodes": {"hosts": {"sched1": {}, "worker1": {}}},
        "processors": {"hosts": {"sched1": {}}},
        "database": {"hosts": {"db1": {}}},
        "scheduler": {"hosts": {"sched1": {}}},
        "worker": {"hosts": {"worker1": {}}},
    }
    assert made["all"]["hosts"] == {
        "db1": {},
        "sched1": {},
        "worker1": {"ansible_become_password": "{{ lookup('file', '/lab/sudo-password') }}"},
    }
    assert made["all"]["vars"] == {
        "airflow_user": "astro",
        "dags": "/dags",
        "ssh_config": "/lab/ssh_config",
        "airflow_installer": "uv",
        "files": "/lab/peers/files/{{ inventory_hostname }}",
        "lock_file": "/lab/peers/lock.txt",
        "uv_file": "/lab/peers/uv.txt",
        "ansible_ssh_common_args": "-F /lab/ssh_config",
    }

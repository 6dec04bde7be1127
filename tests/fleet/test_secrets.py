"""No secret in any argv, output, journal or file that others can read."""

from __future__ import annotations

from urllib.parse import quote

import yaml

from tests.fleet.conftest import HOSTS, Fleet


def secrets(fleet: Fleet) -> set[str]:
    made = yaml.safe_load(fleet.hosts_yaml.with_name("secrets.yaml").read_text())
    assert set(made) == {"database_password", "celery_password", "fernet_key", "secret_key", "jwt_secret"}
    sudo = fleet.hosts_yaml.with_name("sudo-password").read_text().strip()
    values = {*made.values(), sudo}
    return values | {quote(value, safe="") for value in values}


def test_no_process_of_any_host_had_a_secret_in_its_argv(deployed: Fleet) -> None:
    assert deployed.sampler is not None
    argv = "\n".join(deployed.sampler.argv)

    assert "airflow db migrate" in argv  # the sampler has seen the hosts' processes
    assert "sudo" in argv
    assert [secret for secret in secrets(deployed) if secret in argv] == []


def test_no_output_has_a_secret(fleet: Fleet) -> None:
    assert fleet.first is not None
    shown = fleet.first.text
    fleet.sh("worker1", "echo >>/etc/default/airflow; echo >>/etc/default/airflow-worker")
    for arguments in (["plan"], ["plan", "--json"], ["plan", "--script"]):
        shown += fleet.fab("-H", "worker1", *arguments, code=2).text
    shown += fleet.fab("-H", "worker1", "node.environment", "deploy").text

    assert "AIRFLOW__API__SECRET_KEY=********" in shown
    assert [secret for secret in secrets(fleet) if secret in shown] == []


def test_what_puts_no_secret_on_a_host_generates_none_in_a_checkout_that_has_none(fleet: Fleet) -> None:
    # The next deploy would take a generated Fernet key for the fleet's own, and replace the one that encrypts.
    file = fleet.folder / "secrets.yaml"
    aside = file.rename(fleet.folder / "secrets.aside")
    try:
        restarted = fleet.fab("-H", "sched1", "restart", "--role=triggerer")
        assert restarted.err.splitlines()[-1] == "done: 1 host changed"
        assert not file.exists()
        refused = fleet.fab("deploy", code=1)
        assert "the host has a Fernet key, but this checkout has none" in refused.err
    finally:
        aside.rename(file)


def test_no_journal_no_history_and_no_readable_file_has_a_secret(fleet: Fleet) -> None:
    patterns = "\n".join(secrets(fleet))
    for host in HOSTS:
        # The patterns are in a file that only root can read, and that is not searched itself.
        path = f"/proc/{fleet.lab.pid(host)}/root/root/patterns"
        with open(path, "w") as file:
            file.write(patterns)
        try:
            fleet.sh(host, "chmod 600 /root/patterns")
            assert fleet.lab.run(host, "journalctl -q --no-pager | grep -F -f /root/patterns").stdout == ""
            assert fleet.lab.run(host, "grep -rlF --exclude-dir=undo -f /root/patterns /var/lib/aerodrome").stdout == ""
            readable = fleet.lab.run(
                host,
                "find / -xdev -path /proc -prune -o -path /var/cache/uv -prune -o -type f -perm -o+r "
                "-newer /etc/hostname -size -2000k -print0 | xargs -0 grep -lF -f /root/patterns",
            ).stdout
            assert readable == ""
        finally:
            fleet.sh(host, "rm -f /root/patterns")


def test_what_was_put_aside_of_a_host_that_was_taken_over_becomes_roots_alone(fleet: Fleet) -> None:
    aside = "/etc/default/airflow.by-hand"
    fleet.sh("worker1", f"install -m 644 /dev/null {aside}")
    try:
        assert f"node.environment: own {aside} root:root 0600" in fleet.fab("plan", code=2).out
        fleet.fab("-H", "worker1", "deploy")
        assert fleet.sh("worker1", f"stat -c '%U:%G %a' {aside}").strip() == "root:root 600"
        fleet.nothing_to_do("deploy")
    finally:
        fleet.sh("worker1", f"rm -f {aside}")


def test_files_with_secrets_are_roots_alone(fleet: Fleet) -> None:
    for host in HOSTS[1:]:
        found = fleet.sh(host, "stat -c '%n %U:%G %a' /etc/default/airflow /etc/default/airflow-*").splitlines()
        assert len(found) > 1
        assert {line.partition(" ")[2] for line in found} == {"root:root 600"}
    assert fleet.hosts_yaml.with_name("secrets.yaml").stat().st_mode & 0o777 == 0o600

"""Secrets from a store on the node: Airflow asks a command, and no file of ours contains a password."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from lab.fleet import Lab
from tests.real import PASSWORD
from tests.scenarios.conftest import Site, described, raise_hosts, run_the_dag
from tests.scenarios.scenario import HEAD, Scenario, apart

VAULT = Path(__file__).with_name("vault")
STORED = "vault kv get -field={} secret/airflow"
KEY = "c2NlbmFyaW8tb2YtYS1zdG9yZS1vbi10aGUtbm9kZSE="
SCENARIOS = (apart("1.10.10-celery-store", "1.10.10", python="3.7"), apart("3.3.2-celery-store", "3.3.2"))


def stored(site: Site) -> Mapping[str, str]:
    login = f"airflow:{quote(PASSWORD, safe='')}@{site.lab.address(HEAD)}:5432/airflow"
    return {
        "dsn": f"postgresql://{login}",
        "broker": f"sqla+postgresql://{login}",
        "results": f"db+postgresql://{login}",
        "fernet": KEY,
    }


def fill_store(site: Site) -> None:
    """Install the program and its secrets on all nodes; only the service user, who must exist, can read them."""
    site.fab("node.user")
    for host in site.hosts:
        site.sh(host, f"cat >/usr/local/bin/vault <<'END'\n{VAULT.read_text()}END\nchmod 755 /usr/local/bin/vault")
        site.sh(host, "install -d -o astro -m 700 /etc/vault-store/secret/airflow")
        for field, value in stored(site).items():
            path = f"/etc/vault-store/secret/airflow/{field}"
            site.sh(host, f"printf %s {shlex.quote(value)} >{path}; chown astro {path}; chmod 400 {path}")


@pytest.fixture(scope="module", params=[pytest.param(each, id=each.name) for each in SCENARIOS])
def site(request: pytest.FixtureRequest, lab: Lab) -> Site:
    """A fleet whose secrets are in the store; the database's password is known here too, for `setup-db`."""
    scenario: Scenario = request.param
    raise_hosts(lab, scenario)
    site = described(lab, scenario)
    site.change("\nairflow:\n", f'\nairflow:\n  fernet_key_command: "{STORED.format("fernet")}"\n')
    site.change("!file password}", f'!file password, connection_command: "{STORED.format("dsn")}"}}')
    site.hosts_yaml.write_text(
        f"{site.hosts_yaml.read_text()}broker:\n"
        f'  url_command: "{STORED.format("broker")}"\n  result_backend_command: "{STORED.format("results")}"\n'
    )
    return site


pytestmark = pytest.mark.slow


def test_a_command_that_does_not_answer_stops_the_deploy_before_anything_starts(site: Site) -> None:
    done = site.fab("deploy", code=1)

    assert f"{HEAD}: node.environment: could not ask the commands that give secrets" in done.err
    assert "AIRFLOW__CELERY__BROKER_URL_CMD: " in done.err
    assert site.sh(HEAD, "systemctl list-units --plain --no-legend 'airflow@*'") == ""


def test_a_newline_after_the_answer_is_reported(site: Site) -> None:
    fill_store(site)
    site.sh(HEAD, "echo >>/etc/vault-store/secret/airflow/fernet")
    site.sh(HEAD, "rm /etc/default/airflow*")
    done = site.fab("-H", HEAD, "setup-node", code=1)

    assert "AIRFLOW__CORE__FERNET_KEY_CMD: it prints space or a newline around the value" in done.err
    assert KEY not in done.text


def test_a_run_ends_well_with_secrets_of_the_store(site: Site) -> None:
    fill_store(site)
    site.fab("deploy")
    run_the_dag(site)
    site.nothing_to_do("deploy")


def test_the_service_user_has_asked_and_no_file_has_a_secret(site: Site) -> None:
    for host in site.hosts:
        asked = site.sh(host, "cat /var/tmp/vault-asked").splitlines()
        # An Airflow 3 worker asks only for what Celery needs.
        few = site.scenario.major >= 3 and host != HEAD
        needed = {"broker", "results"} if few else set(stored(site))
        assert {line for line in asked if "fernet" not in line or not few} >= {f"astro {field}" for field in needed}
        assert {line.split()[0] for line in asked} == {"astro"}
        found = site.sh(
            host, "cat /etc/default/airflow* /etc/systemd/system/airflow@*/* /etc/systemd/system/airflow@*e"
        )
        for secret in (PASSWORD, quote(PASSWORD, safe=""), KEY):
            assert secret not in found
        assert (f'AIRFLOW__CORE__FERNET_KEY_CMD="{STORED.format("fernet")}"' in found) is not few


def test_a_plan_asks_no_store(site: Site) -> None:
    before = site.sh(HEAD, "grep -c fernet /var/tmp/vault-asked; systemctl stop 'airflow@*'")
    assert site.fab("plan", code=2).out.count("start airflow@") >= 2
    assert site.sh(HEAD, "grep -c fernet /var/tmp/vault-asked") == before
    site.fab("deploy")


def test_without_the_password_the_role_is_left_alone(site: Site) -> None:
    site.change("password: !file password, ", "")
    site.nothing_to_do("setup-db")

    site.change("database: {", "database: {user: nobody_made_me, ")
    done = site.fab("setup-db", code=1)
    assert "there is no role nobody_made_me, and its password is unknown here" in done.err

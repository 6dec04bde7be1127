"""A RHEL-like host: the real dnf and rpm, the guide's packages under their RHEL names, and PostgreSQL's own paths.

The host is a Debian without apt and dpkg; its dnf knows one repository, which is built on the host.
"""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.fleet import Lab
from tests.real import Fleet
from tests.scenarios.conftest import kept

pytestmark = pytest.mark.slow

RHEL = Path(__file__).with_name("rhel")
HOST = "new1"
DATA = "/var/lib/pgsql/data"
VENV = "/opt/aerodrome/airflow/venv"
TYPES = f"stat -c %C {VENV} {VENV}/bin/python {VENV}/bin/airflow | cut -d: -f3"

HOSTS_YAML = """\
ssh: {{key: id_ed25519, known_hosts: known_hosts}}
hosts: {{{host}: {{address: {address}}}}}
roles: {{database: [{host}], scheduler: [{host}], webserver: [{host}]}}
airflow: {{executor: LocalExecutor, web_workers: 1}}
"""


@dataclass
class RhelLike(Fleet):
    """The host, and fab on it."""

    def do(self, command: str) -> str:
        """Run shell on the host as root, bypassing ssh, and return its output."""
        return self.sh(HOST, command).strip()

    def psql(self, statement: str) -> str:
        return self.do(f'runuser -u postgres -- psql -XAtqc "{statement}"')

    def installed(self) -> set[str]:
        """Return the names of all packages that rpm knows."""
        return set(self.do("rpm -qa --queryformat '%{NAME}\\n'").split())


@pytest.fixture(scope="module")
def rhel(lab: Lab) -> RhelLike:
    """The host after it has become RHEL-like."""
    if not kept():
        lab.down()
    lab.up_host(HOST)
    lab.wipe_host(HOST)  # a kept host is already RHEL-like
    rhel = RhelLike(lab, lab.layout.client, (HOST,), HOST)
    rhel.hosts_yaml.write_text(HOSTS_YAML.format(host=HOST, address=lab.address(HOST)))
    rhel.do(f"mkdir -p /srv/rhel; echo {packed(RHEL)} | base64 -d | tar -xC /srv/rhel; sh /srv/rhel/become.sh")
    return rhel


def packed(folder: Path) -> str:
    """Return a folder as a tar archive, in base64."""
    archive = subprocess.run(["tar", "-cC", folder, "."], capture_output=True, check=True).stdout
    return base64.b64encode(archive).decode()


def test_the_packages_of_the_guide_are_installed_by_dnf(rhel: RhelLike) -> None:
    assert rhel.installed() == set()

    done = rhel.fab("-H", HOST, "node.packages")

    assert "install sudo, python3, python3-devel, gcc" in done.err
    assert rhel.installed() == {"sudo", "python3", "python3-devel", "gcc"}
    rhel.nothing_to_do("-H", HOST, "node.packages")


def test_what_was_removed_is_installed_again_and_nothing_else(rhel: RhelLike) -> None:
    rhel.do("rpm -e gcc")

    done = rhel.fab("-H", HOST, "node.packages")

    assert "install gcc\n" in done.err
    rhel.nothing_to_do("-H", HOST, "node.packages")


def test_a_package_that_the_repository_lacks_is_one_clear_error(rhel: RhelLike) -> None:
    text = rhel.hosts_yaml.read_text()
    before = rhel.installed()
    rhel.hosts_yaml.write_text(text.replace("LocalExecutor", "LocalExecutor, python: python3.12"))
    try:
        failed = rhel.fab("-H", HOST, "node.packages", code=1)
    finally:
        rhel.hosts_yaml.write_text(text)

    assert f"{HOST}: node.packages: could not install python3.12, python3.12-devel (exit 1)" in failed.err
    assert "No match for argument: python3.12\n" in failed.err
    assert "its package sources do not have it: check dnf repolist" in failed.err
    assert "Traceback" not in failed.err
    assert rhel.installed() == before


def test_postgresql_is_made_and_started_where_it_is_at_home(rhel: RhelLike) -> None:
    rhel.fab("-H", HOST, "setup-db")
    rhel.nothing_to_do("-H", HOST, "setup-db")

    assert {"postgresql", "postgresql-server"} <= rhel.installed()
    assert rhel.psql("SHOW data_directory") == DATA
    assert rhel.psql("SHOW listen_addresses") == f"{rhel.lab.address(HOST)},127.0.0.1"
    exposed = rhel.do("systemd-analyze security --no-pager postgresql.service | tail -n 1")
    assert float(exposed.rpartition(": ")[2].split()[0]) <= 3.0, exposed
    assert rhel.do("systemctl is-active postgresql; systemctl is-enabled postgresql").split() == ["active", "enabled"]
    assert rhel.psql("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'airflow'") == "t"
    owner = "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'airflow'"
    assert rhel.psql(owner) == "airflow|UTF8"


def test_the_nodes_lines_come_before_those_of_initdb(rhel: RhelLike) -> None:
    path = f"{DATA}/pg_hba.conf"
    lines = rhel.do(f"grep -v '^#[^BE]*$' {path} | grep -v '^$'").splitlines()

    begin = lines.index("# BEGIN aerodrome")
    end = lines.index("# END aerodrome")
    assert lines[begin + 1 : end] == [
        f'host "airflow" "airflow" {rhel.lab.address(HOST)}/32 scram-sha-256',
        'host "aerodrome_scratch" "aerodrome_scratch" 127.0.0.1/32 scram-sha-256',
        f'host "aerodrome_scratch" "airflow" {rhel.lab.address(HOST)}/32 scram-sha-256',
    ]
    rest = [line.split()[-1] for line in lines[end + 1 :] if not line.startswith("#")]
    assert set(rest) == {"peer", "ident"}
    assert rhel.do(f"stat -c '%U:%G %a' {path}") == "postgres:postgres 600"
    assert rhel.psql("SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL") == "0"


def test_a_node_gets_in_with_the_password_and_not_without(rhel: RhelLike) -> None:
    secrets = rhel.hosts_yaml.with_name("secrets.yaml").read_text()
    (password,) = [line.split()[1] for line in secrets.splitlines() if line.startswith("database_password:")]
    ask = f"psql -w -h {rhel.lab.address(HOST)} -U airflow -XAtqc 'SELECT current_user' airflow"

    assert rhel.do(f"PGPASSWORD={password} {ask}") == "airflow"
    assert "password authentication failed" in rhel.lab.run(HOST, f"PGPASSWORD=wrong {ask}").stderr


def test_a_server_that_was_stopped_is_started_with_the_data_that_it_had(rhel: RhelLike) -> None:
    cluster = rhel.psql("SELECT system_identifier FROM pg_control_system()")
    rhel.do("systemctl disable --now postgresql")

    rhel.fab("-H", HOST, "setup-db")

    rhel.nothing_to_do("-H", HOST, "setup-db")
    assert rhel.psql("SELECT system_identifier FROM pg_control_system()") == cluster
    assert rhel.do("systemctl is-enabled postgresql") == "enabled"


def test_data_that_lies_elsewhere_is_found_by_the_unit(rhel: RhelLike) -> None:
    cluster = rhel.psql("SELECT system_identifier FROM pg_control_system()")
    drop_in = "/etc/systemd/system/postgresql.service.d/data.conf"
    rhel.do(
        f"systemctl stop postgresql; mv {DATA} /var/lib/pgsql/elsewhere; mkdir -p {Path(drop_in).parent}; "
        f"printf '[Service]\\nEnvironment=PGDATA=/var/lib/pgsql/elsewhere\\n' >{drop_in}; systemctl daemon-reload"
    )

    rhel.fab("-H", HOST, "setup-db")

    rhel.nothing_to_do("-H", HOST, "setup-db")
    assert rhel.psql("SHOW data_directory") == "/var/lib/pgsql/elsewhere"
    assert rhel.psql("SELECT system_identifier FROM pg_control_system()") == cluster


@pytest.fixture
def enforcing(rhel: RhelLike) -> Iterator[RhelLike]:
    """The host, as if its kernel enforced SELinux: policy, rules, semanage, matchpathcon and labels are real."""
    names = "getenforce selinuxenabled restorecon"
    may = "aerodrome ALL=(root) NOPASSWD: /usr/local/sbin/restorecon"
    rhel.do(f"cd /srv/rhel/selinux; cp {names} /usr/local/sbin; echo '{may}' >/etc/sudoers.d/restorecon")
    yield rhel
    rhel.do(f"cd /usr/local/sbin; rm {names} /etc/sudoers.d/restorecon")


def test_selinux_lets_systemd_execute_an_environment_below_opt_without_rules_of_the_operators(
    enforcing: RhelLike,
) -> None:
    enforcing.fab("deploy")
    enforcing.nothing_to_do("deploy")

    enforcing.fab("status")
    # The link itself, and the programs that systemd executes through it: the stock policy's types for /opt and bin.
    assert enforcing.do(TYPES).split() == ["usr_t", "bin_t", "bin_t"]


def test_without_selinux_everything_is_as_it_should_be(rhel: RhelLike) -> None:
    rhel.nothing_to_do("deploy")

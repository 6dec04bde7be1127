"""A RHEL-like host: the real dnf and rpm, the guide's packages under their names there, and PostgreSQL in its place.

The host is a Debian one that has lost apt and dpkg, and whose dnf knows one repository, which is built on it.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.fleet import Lab

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
RHEL = Path(__file__).with_name("rhel")
FAB = Path(sys.executable).with_name("fab")
HOST = "new1"
DATA = "/var/lib/pgsql/data"

HOSTS_YAML = """\
ssh: {{key: {client}/id_ed25519, known_hosts: {client}/known_hosts}}
hosts: {{{host}: {{address: {address}}}}}
roles: {{database: [{host}], scheduler: [{host}], webserver: [{host}]}}
airflow: {{executor: LocalExecutor}}
"""


@dataclass(frozen=True)
class Done:
    """How a run of fab ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class RhelLike:
    """The host, and fab on it."""

    lab: Lab
    hosts_yaml: Path

    def fab(self, *arguments: str, code: int = 0) -> Done:
        """Run fab on the host and hold its exit code."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AERODROME_")}
        done = subprocess.run(
            [FAB, "-H", HOST, *arguments],
            cwd=PROJECT,
            env={**kept, "AERODROME_HOSTS": str(self.hosts_yaml)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == code, f"{done.stdout}{done.stderr}\n{self.journal()}"
        return Done(done.returncode, done.stdout, done.stderr)

    def nothing_to_do(self, *arguments: str) -> None:
        """Run a task for the second time."""
        again = self.fab(*arguments)
        assert again.err.splitlines()[-1] == "no changes", again.err

    def sh(self, command: str) -> str:
        """Run shell on the host as root, past ssh, and return what it prints."""
        done = self.lab.run(HOST, command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def psql(self, statement: str) -> str:
        return self.sh(f'runuser -u postgres -- psql -XAtqc "{statement}"')

    def installed(self) -> set[str]:
        """Return the names of all packages that rpm knows."""
        return set(self.sh("rpm -qa --queryformat '%{NAME}\\n'").split())

    def journal(self) -> str:
        return self.lab.run(HOST, "journalctl --no-pager -q -n 25 -u postgresql").stdout


@pytest.fixture(scope="module")
def rhel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RhelLike]:
    lab = Lab(os.environ.get("AERODROME_SCENARIO_LAB", "scenarios"))
    lab.up_host(HOST)
    lab.wipe_host(HOST)
    hosts_yaml = tmp_path_factory.mktemp("rhel") / "hosts.yaml"
    hosts_yaml.write_text(HOSTS_YAML.format(client=lab.layout.client, host=HOST, address=lab.address(HOST)))
    host = RhelLike(lab, hosts_yaml)
    try:
        host.sh(f"mkdir /srv/rhel; echo {packed(RHEL)} | base64 -d | tar -xC /srv/rhel; sh /srv/rhel/become.sh")
        yield host
    finally:
        lab.wipe_host(HOST)  # nobody else is to find it without apt
        lab.down_host(HOST)
        if not any(other.up for other in lab.status()):
            lab.down()


def packed(folder: Path) -> str:
    """Return a folder as a tar archive, in letters."""
    archive = subprocess.run(["tar", "-cC", folder, "."], capture_output=True, check=True).stdout
    return base64.b64encode(archive).decode()


def test_the_packages_of_the_guide_are_installed_by_dnf(rhel: RhelLike) -> None:
    assert rhel.installed() == set()

    done = rhel.fab("node.packages")

    assert "install sudo, python3, python3-devel, gcc" in done.err
    assert rhel.installed() == {"sudo", "python3", "python3-devel", "gcc"}
    rhel.nothing_to_do("node.packages")


def test_what_was_removed_is_installed_again_and_nothing_else(rhel: RhelLike) -> None:
    rhel.sh("rpm -e gcc")

    done = rhel.fab("node.packages")

    assert "install gcc\n" in done.err
    rhel.nothing_to_do("node.packages")


def test_a_package_that_the_repository_lacks_is_one_clear_error(rhel: RhelLike) -> None:
    text = rhel.hosts_yaml.read_text()
    before = rhel.installed()
    rhel.hosts_yaml.write_text(text.replace("LocalExecutor", "LocalExecutor, python: python3.12"))
    try:
        failed = rhel.fab("node.packages", code=1)
    finally:
        rhel.hosts_yaml.write_text(text)

    assert f"{HOST}: node.packages: could not install python3.12, python3.12-devel (exit 1)" in failed.err
    assert "No match for argument: python3.12\n" in failed.err
    assert "its package sources do not have it: see dnf repolist" in failed.err
    assert "Traceback" not in failed.err
    assert rhel.installed() == before


def test_postgresql_is_made_and_started_where_it_is_at_home(rhel: RhelLike) -> None:
    rhel.fab("setup-db")
    rhel.nothing_to_do("setup-db")

    assert {"postgresql", "postgresql-server"} <= rhel.installed()
    assert rhel.psql("SHOW data_directory") == DATA
    assert rhel.psql("SHOW listen_addresses") == "*"
    assert rhel.sh("systemctl is-active postgresql; systemctl is-enabled postgresql").split() == ["active", "enabled"]
    assert rhel.psql("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'airflow'") == "t"
    owner = "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'airflow'"
    assert rhel.psql(owner) == "airflow|UTF8"


def test_the_nodes_lines_come_before_those_of_initdb(rhel: RhelLike) -> None:
    path = f"{DATA}/pg_hba.conf"
    lines = rhel.sh(f"grep -v '^#[^BE]*$' {path} | grep -v '^$'").splitlines()

    begin = lines.index("# BEGIN aerodrome")
    assert lines[begin + 1 : begin + 3] == [
        f'host "airflow" "airflow" {rhel.lab.address(HOST)}/32 scram-sha-256',
        "# END aerodrome",
    ]
    rest = [line.split()[-1] for line in lines[begin + 3 :] if not line.startswith("#")]
    assert set(rest) == {"peer", "ident"}
    assert rhel.sh(f"stat -c '%U:%G %a' {path}") == "postgres:postgres 600"
    assert rhel.psql("SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL") == "0"


def test_a_node_gets_in_with_the_password_and_not_without(rhel: RhelLike) -> None:
    secrets = rhel.hosts_yaml.with_name("secrets.yaml").read_text()
    (password,) = [line.split()[1] for line in secrets.splitlines() if line.startswith("database_password:")]
    ask = f"psql -w -h {rhel.lab.address(HOST)} -U airflow -XAtqc 'SELECT current_user' airflow"

    assert rhel.sh(f"PGPASSWORD={password} {ask}") == "airflow"
    assert "password authentication failed" in rhel.lab.run(HOST, f"PGPASSWORD=wrong {ask}").stderr


def test_a_server_that_was_stopped_is_started_with_the_data_that_it_had(rhel: RhelLike) -> None:
    cluster = rhel.psql("SELECT system_identifier FROM pg_control_system()")
    rhel.sh("systemctl disable --now postgresql")

    rhel.fab("setup-db")

    rhel.nothing_to_do("setup-db")
    assert rhel.psql("SELECT system_identifier FROM pg_control_system()") == cluster
    assert rhel.sh("systemctl is-enabled postgresql") == "enabled"


def test_data_that_lies_elsewhere_is_found_by_the_unit(rhel: RhelLike) -> None:
    cluster = rhel.psql("SELECT system_identifier FROM pg_control_system()")
    drop_in = "/etc/systemd/system/postgresql.service.d/data.conf"
    rhel.sh(
        f"systemctl stop postgresql; mv {DATA} /var/lib/pgsql/elsewhere; mkdir -p {Path(drop_in).parent}; "
        f"printf '[Service]\\nEnvironment=PGDATA=/var/lib/pgsql/elsewhere\\n' >{drop_in}; systemctl daemon-reload"
    )

    rhel.fab("setup-db")

    rhel.nothing_to_do("setup-db")
    assert rhel.psql("SHOW data_directory") == "/var/lib/pgsql/elsewhere"
    assert rhel.psql("SELECT system_identifier FROM pg_control_system()") == cluster

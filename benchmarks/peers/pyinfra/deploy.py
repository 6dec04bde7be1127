"""The fleet of hosts.yaml. Operations run in the order of this file, each on all of its hosts in parallel."""

import json
import os
from pathlib import Path

from pyinfra import host
from pyinfra.api import FactBase
from pyinfra.facts.postgres import PostgresRoles
from pyinfra.operations import apt, files, postgres, server, systemd

PEERS = Path(os.environ["PEERS"])
FLEET = json.loads((PEERS / "fleet.json").read_text())
USER, HOME, USER_HOME, SERVICE = (FLEET[key] for key in ("user", "home", "user_home", "service"))
ENVIRONMENT = FLEET["environment"]
ENVIRONMENTS = str(Path(ENVIRONMENT).parent)
UV = f"{ENVIRONMENTS}/uv/bin/uv"
PYTHON = f"{ENVIRONMENT}/bin/python"
POSTGRES = {"_sudo": True, "_sudo_user": "postgres"}


class Listens(FactBase):
    """The addresses that PostgreSQL listens on."""

    default = str

    def command(self):
        return "psql -XAtc 'SHOW listen_addresses' postgres"

    def process(self, output):
        return output[0] if output else ""


class Locked(FactBase):
    """The packages installed in the environment, as pins."""

    default = set

    def command(self, uv, python):
        return f"! command -v {uv} >/dev/null || {uv} pip freeze --python {python} 2>/dev/null || true"

    def process(self, output):
        return {line.lower() for line in output if "==" in line}


def database():
    apt.packages(name="Install PostgreSQL", packages=["postgresql"], no_recommends=True, _sudo=True)
    systemd.service(name="Start PostgreSQL, at boot too", service="postgresql", enabled=True, _sudo=True)
    if host.get_fact(Listens, **POSTGRES) != "*":
        postgres.sql(name="Listen on the network", sql="ALTER SYSTEM SET listen_addresses = '*'", **POSTGRES)
        systemd.service(name="Restart PostgreSQL", service="postgresql", restarted=True, _sudo=True)
    access = files.block(
        name="Let the nodes log in",
        path=FLEET["hba_file"],
        content=FLEET["hba_lines"],
        marker="# {mark} aerodrome",
        before=True,
        after=True,
        _sudo=True,
    )
    systemd.service(name="Reload PostgreSQL", service="postgresql", reloaded=True, _sudo=True, _if=access.did_change)
    # Given a password, pyinfra alters an existing role on every run, because it cannot tell whether it is the same.
    if FLEET["database_user"] not in host.get_fact(PostgresRoles, **POSTGRES):
        postgres.role(
            name="Make the role", role=FLEET["database_user"], password=FLEET["database_password"], **POSTGRES
        )
    postgres.database(
        name="Make the database",
        database=FLEET["database_name"],
        owner=FLEET["database_user"],
        template="template0",
        encoding="UTF8",
        **POSTGRES,
    )


def node():
    """Set up a node; return the operations after which its units have to restart."""
    apt.packages(
        name="Install the packages of the guide",
        packages=["sudo", "python3", "python3-venv", "python3-dev", "gcc"],
        no_recommends=True,
        _sudo=True,
    )
    server.user(  # noqa: S604
        name="Make the user",
        user=USER,
        home=USER_HOME,
        create_home=True,
        shell="/bin/false",
        system=True,
        _sudo=True,
    )
    for path in (USER_HOME, HOME, ENVIRONMENTS):
        files.directory(name=f"Make {path}", path=path, user=USER, group=USER, mode=755, _sudo=True)
    files.line(
        name="Name AIRFLOW_HOME to the user's shell",
        path=f"{USER_HOME}/.bashrc",
        line=f"export AIRFLOW_HOME={HOME}",
        _sudo=True,
    )
    files.block(
        name="Name the hosts to each other",
        path="/etc/hosts",
        content=FLEET["hosts_lines"],
        marker="# {mark} aerodrome",
        _sudo=True,
    )
    install()
    link = files.link(
        name="Put the environment in use",
        path=FLEET["link"],
        target=ENVIRONMENT,
        user=USER,
        group=USER,
        _sudo=True,
    )
    unit = put("Install the unit", f"/etc/systemd/system/{SERVICE}@.service", "644")
    files.directory(name="Make the folder of modules", path=f"{HOME}/config", mode=755, _sudo=True)
    name = put("Name the host to Airflow", f"{HOME}/config/aerodrome_host.py", "644")
    variables = put("Install the environment file", f"/etc/default/{SERVICE}", "600")
    files.sync(
        name="Send the DAGs",
        src=FLEET["dags"],
        dest=f"{HOME}/dags",
        user=USER,
        group=USER,
        exclude_dir=["__pycache__", "*/__pycache__"],
        _sudo=True,
    )
    return [link, unit, name, variables]


def install():
    """Install the locked packages with uv if any is missing; pyinfra would install a requirements file on every run."""
    wanted = {pin.lower() for pin in FLEET["pins"]}
    if wanted <= host.get_fact(Locked, uv=UV, python=PYTHON, _sudo=True):
        return
    for name in ("uv.txt", "lock.txt"):
        files.put(
            name=f"Send {name}", src=str(PEERS / name), dest=f"{ENVIRONMENTS}/{name}", user=USER, mode="644", _sudo=True
        )
    pip = f"{ENVIRONMENTS}/uv/bin/pip install -q --disable-pip-version-check --require-hashes"
    install = f"{UV} pip install -q --python {PYTHON} --require-hashes -r {ENVIRONMENTS}/lock.txt"
    server.shell(
        name="Install what is locked",
        commands=[
            f"[ -x {UV} ] || {{ python3 -m venv {ENVIRONMENTS}/uv && {pip} -r {ENVIRONMENTS}/uv.txt; }}",
            f"[ -x {PYTHON} ] || python3 -m venv --without-pip {ENVIRONMENT}",
            install,
        ],
        _sudo=True,
        _sudo_user=USER,
        _chdir=USER_HOME,
    )


def source(path):
    return PEERS / "files" / host.name / path.lstrip("/")


def put(name, path, mode):
    return files.put(name=name, src=str(source(path)), dest=path, user="root", group="root", mode=mode, _sudo=True)


def service(role, before):
    unit = f"{SERVICE}@{role}.service"
    dropin = put(f"Install the drop-in ({role})", f"/etc/systemd/system/{unit}.d/10-aerodrome.conf", "644")
    changed = [*before, dropin]
    variables = f"/etc/default/{SERVICE}-{role}"
    if source(variables).exists():
        changed.append(put(f"Install the variables of its own ({role})", variables, "600"))
    systemd.daemon_reload(name="Reload systemd", _sudo=True, _if=lambda: any(each.did_change() for each in changed))
    systemd.service(
        name=f"Restart it ({role})",
        service=unit,
        restarted=True,
        _sudo=True,
        _if=lambda: any(each.did_change() for each in changed),
    )
    systemd.service(name=f"Start it, at boot too ({role})", service=unit, enabled=True, _sudo=True)


roles = host.data.roles
if "database" in roles:
    database()
changes = node() if set(roles) - {"database"} else []
for each in ("scheduler", "dag-processor", "triggerer", "webserver", "worker"):
    if each in roles:
        service(each, changes)

"""A virtual environment that is wanted, for the tests of its parts."""

from __future__ import annotations

from aerodrome.lockfile import digest
from aerodrome.resources.python import Installed, Requirements, VirtualEnvironment

LOCK = "apache-airflow==3.3.2 \\\n    --hash=sha256:aa\n"
UV = "uv==0.13.9 \\\n    --hash=sha256:bb\n"
PINNED = Requirements("3.3.2", {"3.11": LOCK})
PLACE = "/opt/aerodrome/airflow"
VENVS, LINK, UNIT = f"{PLACE}/venvs", f"{PLACE}/venv", "/etc/systemd/system/airflow@.service"
NAME = f"3.3.2-py3.11-{digest(LOCK)}"
VENV, GIVEN = f"{VENVS}/{NAME}", f"{PLACE}/requirements/{NAME}"
INSTALLER = "runuser -u aerodrome -- env HOME=/var/cache/aerodrome"
READY = f"3.11\n{VENV}\nmade {VENV}\ncomplete {VENV}\n"


def venv(requirements: Requirements = PINNED, python: str = "python3") -> VirtualEnvironment:
    return VirtualEnvironment(PLACE, python, requirements, "astro", UNIT)


def installed(requirements: Requirements = PINNED, python: str = "python3") -> Installed:
    return Installed(PLACE, python, requirements, "astro", UNIT)

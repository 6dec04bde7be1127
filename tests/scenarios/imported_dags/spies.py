"""No DAG of Airflow: where DAGs are checked, it reports what it can read, reach and write to, in its import error."""

import glob
import os
import socket
from typing import Any

if os.environ["AIRFLOW_HOME"] != "/tmp/airflow":
    raise RuntimeError("not in the sandbox")
seen: list[str] = []


def tries(what: str, work: Any) -> None:
    try:
        if work():
            seen.append(what)
    except OSError:
        pass


def reads(path: str, *words: bytes) -> bool:
    with open(path, "rb") as opened:
        text = opened.read(1 << 20)
    return any(word in text for word in words) if words else bool(text)


def writes(path: str) -> bool:
    with open(path, "w") as opened:
        return opened.write("x") == 1


def connects(family: int, address: Any) -> bool:
    with socket.socket(family) as found:
        found.settimeout(2)
        return found.connect_ex(address) == 0


secrets = b"FERNET_KEY=", b"SECRET_KEY=", b"SQL_ALCHEMY_CONN=postgres", b"TOKEN=hush"
for path in (*glob.glob("/etc/default/airflow*"), "/usr/local/airflow/airflow.cfg", *glob.glob("/proc/[0-9]*/environ")):
    tries(path, lambda path=path: reads(path, *secrets))
seen += [name for name, value in os.environ.items() if "hush" in value or "postgres" in value]
for port in (5432, 8080, 22):
    tries(f"port {port}", lambda port=port: connects(socket.AF_INET, ("127.0.0.1", port)))
tries("database", lambda: connects(socket.AF_UNIX, "/run/postgresql/.s.PGSQL.5432"))
for folder in ("/tmp", "/var/tmp", "/home/astro", "/usr/local/airflow/logs", "/usr/local/airflow/dags", "/dev/shm"):
    tries(folder, lambda folder=folder: writes(f"{folder}/of-a-spy"))
for pid in glob.glob("/proc/[0-9]*"):
    tries(f"memory of {pid}", lambda pid=pid: int(pid[6:]) not in (os.getpid(), os.getppid()) and reads(f"{pid}/maps"))
for answer in glob.glob(f"/proc/{os.getppid()}/fd/*"):
    tries(answer, lambda answer=answer: writes(answer))
raise RuntimeError("saw " + " ".join(sorted(seen)) + "\x1b[31m")

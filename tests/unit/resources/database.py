"""What PostgreSQL 15.18 of Debian 12 printed, and the verifiers that it made."""

from __future__ import annotations

from aerodrome.resources.postgres import (
    Login,
    PostgresAccount,
)
from aerodrome.resources.postgres_access import PostgresAccess
from aerodrome.secrets import Secret

PSQL = "runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d postgres <<'END_OF_FILE'\n"


SALT = bytes(range(16))


def answer(server: str = "5432|*|*|3|f", role: str = "", database: str = "", file: str = "") -> str:
    """Return what the probe prints: psql's rows, then pg_hba.conf."""
    rows = [f"server|{server}", *filter(None, (role, database)), f"hba|{HBA}|1795381650"]
    return "\n".join(rows) + f"\n{file or hba(THEIRS)}"


LOGIN = Login("air-flow", "airflow", ("10.0.0.1", "fd00::1", "node.example.com"))


ACCESS = PostgresAccess((LOGIN,))


HBA = "/etc/postgresql/15/main/pg_hba.conf"


LINES = """\
# BEGIN aerodrome
host "airflow" "air-flow" 10.0.0.1/32 scram-sha-256
host "airflow" "air-flow" fd00::1/128 scram-sha-256
host "airflow" "air-flow" node.example.com scram-sha-256
# END aerodrome
"""


THEIRS = "local   all   all   peer\nhost    all   all   127.0.0.1/32   ident\n"


def hba(text: str, modified: int = 1795381644) -> str:
    return f"{modified}\nregular file|postgres|postgres|640\n{text}"


OLD = 'host "airflow" "air-flow" 10.0.0.9/32 scram-sha-256'


WITH_OLD = LINES.replace("# END", f"{OLD}\n# END")


ACCOUNT = PostgresAccount("air-flow", Secret("plain"), "air$flow", SALT)

"""The files that by_hand.sh has on the database's host."""

from __future__ import annotations

from pathlib import Path

from aerodrome.resources.postgres import PostgresAccount
from aerodrome.secrets import Secret
from benchmarks import kit


def test_all_accounts_are_in_one_file(tmp_path: Path) -> None:
    salt = b"0123456789abcdef"
    names = {"airflow": "airflow", "celery": "airflow_celery"}
    accounts = [PostgresAccount(user, Secret("s"), database, salt, private=True) for user, database in names.items()]
    kit._write(tmp_path, [*accounts])
    lines = (tmp_path / "account.sql").read_text().splitlines()
    assert [line.partition(" LOGIN")[0] for line in lines] == [
        'CREATE ROLE "airflow"',
        'CREATE DATABASE "airflow" OWNER "airflow";',
        'REVOKE CONNECT ON DATABASE "airflow" FROM PUBLIC;',
        'CREATE ROLE "celery"',
        'CREATE DATABASE "airflow_celery" OWNER "celery";',
        'REVOKE CONNECT ON DATABASE "airflow_celery" FROM PUBLIC;',
    ]

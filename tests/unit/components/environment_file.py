"""The environment file of a web server's host as a whole, and its secrets."""

from __future__ import annotations

from tests.unit.make import FERNET_KEY, HOSTS

PASSWORD = "p%40ss%2Fw%25rd%3A%24%20%27%22%5C%C3%A9%23%3B"
WEB1 = HOSTS["web1"]
HEAD = "# Written by Aerodrome from hosts.yaml: change it there. Read by systemd (systemd.exec(5), EnvironmentFile=).\n"
FILE = f"""\
{HEAD}\
AIRFLOW_HOME=/usr/local/airflow
PATH=/opt/aerodrome/airflow/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
AIRFLOW__CORE__EXECUTOR=CeleryExecutor
AIRFLOW__CORE__LOAD_EXAMPLES=False
AIRFLOW__API__PORT=8080
AIRFLOW__API__BASE_URL=http://10.0.0.3:8080
AIRFLOW__CORE__EXECUTION_API_SERVER_URL=http://10.0.0.3:8080/execution/
AIRFLOW__CORE__AUTH_MANAGER=airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager
AIRFLOW__CORE__HOSTNAME_CALLABLE=aerodrome_host.name
AIRFLOW__WORKERS__EXECUTION_API_RETRIES=15
AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX=15
AIRFLOW__API__HOST=10.0.0.3
"""
FERNET = f"AIRFLOW__CORE__FERNET_KEY={FERNET_KEY}"
DATABASE = f"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=postgresql+psycopg2://airflow:{PASSWORD}@10.0.0.1:5432/airflow"

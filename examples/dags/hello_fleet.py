"""A small DAG that shows which host runs what: two tasks on the default queue, one on `reports`."""

from __future__ import annotations

import platform
from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG


def say_hello() -> str:
    """Print and return the name of the host that runs this."""
    host = platform.node()
    print(f"hello from {host}")
    return host


with DAG("hello_fleet", start_date=datetime(2026, 1, 1), schedule=None, catchup=False, tags=["example"]):
    look = BashOperator(task_id="look_around", bash_command="hostname; uname -sr; uptime")
    hello = PythonOperator(task_id="say_hello", python_callable=say_hello)
    report = BashOperator(task_id="write_report", bash_command="echo written on $(hostname)", queue="reports")
    look >> hello >> report

"""A DAG of both versions, which asks for a variable, a connection and a variable of hosts.yaml."""

import os
from datetime import datetime

from airflow import DAG

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import BaseHook, Variable
except ImportError:
    from airflow.hooks.base import BaseHook
    from airflow.models import Variable
    from airflow.operators.bash import BashOperator

assert os.environ["TEAM"] == "data" and os.environ["API_TOKEN"] == "left-out"
table, limit = Variable.get("table_of_this"), Variable.get("limit_of_this", 7)
BaseHook.get_connection("warehouse_of_this")

with DAG("fine", start_date=datetime(2020, 1, 1)):
    BashOperator(task_id="only", bash_command=f"echo {table} {limit}")

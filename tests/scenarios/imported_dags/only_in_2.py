"""A DAG of Airflow 2: 3 has neither this module nor this argument."""

from datetime import datetime

from airflow import DAG
from airflow.operators.bash_operator import BashOperator

with DAG("only_in_2", start_date=datetime(2020, 1, 1), schedule_interval="@daily"):
    BashOperator(task_id="only", bash_command="true")

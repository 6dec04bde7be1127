"""A DAG with a task that takes long, one that runs every minute, and one that stays paused; for Airflow 2 and 3."""

import os
from datetime import datetime

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
    from airflow.operators.bash import BashOperator

PLACE = os.path.join(os.environ["AIRFLOW_HOME"], "logs")

with DAG("takes_long", start_date=datetime(2020, 1, 1), catchup=False, schedule=None) as long:
    BashOperator(task_id="sleep", bash_command=f"sleep 90; echo slept >>{PLACE}/took-long")

with DAG("every_minute", start_date=datetime(2020, 1, 1), catchup=False, schedule="* * * * *") as often:
    BashOperator(task_id="tick", bash_command=f"echo tick >>{PLACE}/ticked")

with DAG("paused", start_date=datetime(2020, 1, 1), catchup=False, schedule="* * * * *") as paused:
    BashOperator(task_id="never", bash_command="false")

"""Three tasks that sleep and leave a line each; for Airflow 2 and 3."""

import os
from datetime import datetime

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG

    TRIGGERED_ONLY = {"schedule": None}
except ImportError:
    from airflow import DAG

    TRIGGERED_ONLY = {"schedule_interval": None}

    try:  # Airflow 2
        from airflow.operators.bash import BashOperator
    except ImportError:  # Airflow 1.10
        from airflow.operators.bash_operator import BashOperator

PLACE = os.path.join(os.environ["AIRFLOW_HOME"], "logs", "slept")

with DAG("sleeps", start_date=datetime(2020, 1, 1), catchup=False, **TRIGGERED_ONLY) as dag:
    for number in range(3):
        BashOperator(task_id=f"sleep_{number}", bash_command=f"sleep 25; echo {number} >>{PLACE}")

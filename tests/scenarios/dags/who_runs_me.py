"""Two tasks that leave their host's name where they ran; for Airflow 1.10, 2 and 3."""

import os
import platform
from datetime import datetime

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.operators.python import PythonOperator
    from airflow.sdk import DAG

    TRIGGERED_ONLY = {"schedule": None}
except ImportError:
    from airflow import DAG

    TRIGGERED_ONLY = {"schedule_interval": None}  # its name until 2.4; 2 knows both

    try:  # Airflow 2
        from airflow.operators.bash import BashOperator
        from airflow.operators.python import PythonOperator
    except ImportError:  # Airflow 1.10
        from airflow.operators.bash_operator import BashOperator
        from airflow.operators.python_operator import PythonOperator

PLACE = os.path.join(os.environ["AIRFLOW_HOME"], "logs", "who-ran-me")


def in_python() -> None:
    """Write down and print the name of the host that runs this."""
    host = platform.node()
    print(f"run in Python on {host}")
    with open(PLACE, "a") as opened:
        opened.write(f"in_python {host}\n")


with DAG("who_runs_me", start_date=datetime(2020, 1, 1), catchup=False, **TRIGGERED_ONLY) as dag:
    bash = BashOperator(
        task_id="in_bash",
        bash_command=f"host=$(uname -n); echo run in Bash on $host; echo in_bash $host >>{PLACE}",
    )
    python = PythonOperator(task_id="in_python", python_callable=in_python)
    bash >> python

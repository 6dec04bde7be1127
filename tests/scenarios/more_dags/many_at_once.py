"""More tasks than a worker runs at once, so that some wait in the broker; for Airflow 3."""

import time
from datetime import datetime

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG


def last() -> None:
    """Run for as long as the schedulers and the web server need to restart."""
    time.sleep(45)


with DAG("many_at_once", start_date=datetime(2020, 1, 1), catchup=False, schedule=None) as dag:
    for number in range(4):
        PythonOperator(task_id=f"part_{number}", python_callable=last)

"""A DAG with a deferred task: its trigger waits in the database while the version changes; for Airflow 2 and 3."""

import os
from datetime import datetime, timedelta

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
    from airflow.sdk import DAG, BaseOperator
except ImportError:
    from airflow import DAG
    from airflow.models import BaseOperator
    from airflow.operators.bash import BashOperator
    from airflow.triggers.temporal import TimeDeltaTrigger

PLACE = os.path.join(os.environ["AIRFLOW_HOME"], "logs")


class Deferred(BaseOperator):
    """Waits by a trigger."""

    def execute(self, context):  # type: ignore[no-untyped-def]
        """Defer."""
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=240)), method_name="resume")

    def resume(self, context, event=None):  # type: ignore[no-untyped-def]
        """Leave a sign of having gone on."""
        with open(os.path.join(PLACE, "resumed"), "a") as opened:
            opened.write("resumed\n")


with DAG("deferring", start_date=datetime(2020, 1, 1), catchup=False, schedule=None) as dag:
    Deferred(task_id="wait") >> BashOperator(task_id="after", bash_command="true")

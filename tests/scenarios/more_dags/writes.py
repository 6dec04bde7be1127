"""A task that tries where it can write, and leaves the result; for Airflow 2 and 3."""

import os
from datetime import datetime

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.operators.bash import BashOperator

FOUND = os.path.join(os.environ["AIRFLOW_HOME"], "logs", "can-write")
# All of them belong to the service user, as far as permissions go; /tmp is anybody's.
TRY = f"""
for place in /data /srv/theirs /etc/theirs /home/astro /tmp; do
  if (: >$place/of-a-task) 2>/dev/null; then echo $place; fi
done >{FOUND}.new
mv {FOUND}.new {FOUND}
"""

with DAG("writes", start_date=datetime(2020, 1, 1), schedule=None, catchup=False) as dag:
    BashOperator(task_id="tries", bash_command=TRY)

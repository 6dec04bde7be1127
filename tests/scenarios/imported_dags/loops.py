"""No DAG of Airflow: where DAGs are checked, it prints forever, and whatever is raised to end it."""

import os
import sys

if os.environ["AIRFLOW_HOME"] != "/tmp/airflow":
    raise RuntimeError("not in the sandbox")
while True:
    try:
        os.write(1, b'{"dags": 0, "files": 0, "left": 0, "errors": {}}\n' * 1000)
        print("\x1b]0;hostile\x07" * 1000, file=sys.stderr)
    except BaseException as error:
        print(error)

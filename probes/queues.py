"""Run on a node, as the service user in the units' environment: declare its worker's queues in a database.

It reads Airflow's settings itself, because importing Airflow takes three times as long as everything else here.
"""

import configparser
import os
import shlex
import subprocess
import sys


def main(queues: "list[str]", section: str) -> None:
    """If the broker is a database, declare `queues`, or the default queue that Airflow's settings name in `section`."""
    try:
        url = broker()
        if url.startswith("sqla+"):
            declare(url, queues or [default_queue(section)])
    except Exception as error:  # the message may contain the URL, and its password
        sys.exit("cannot declare the queues: " + type(error).__name__)


def broker() -> str:
    """Return the broker's URL."""
    url = os.environ.get("AIRFLOW__CELERY__BROKER_URL")
    if url is None:  # a command on the node prints it: Airflow runs it in the same way
        command = shlex.split(os.environ["AIRFLOW__CELERY__BROKER_URL_CMD"])
        url = subprocess.check_output(command, cwd=os.environ.get("AIRFLOW_HOME")).decode()
    return url


def default_queue(section: str) -> str:
    """Return the queue of tasks that do not name one."""
    found = configparser.RawConfigParser(strict=False)
    found.read(os.path.join(os.environ["AIRFLOW_HOME"], "airflow.cfg"))
    configured = found.get(section, "default_queue", fallback="default")
    return os.environ.get(f"AIRFLOW__{section.upper()}__DEFAULT_QUEUE", configured)


def declare(url: str, queues: "list[str]") -> None:
    """Declare queues as Celery's worker does."""
    from kombu import Connection
    from sqlalchemy.exc import DBAPIError

    # If two workers insert the same row, one fails and then finds it. The first row also creates its table.
    for again in reversed(range(len(queues) + 2)):
        try:
            with Connection(url) as connection:
                channel = connection.channel()
                for queue in queues:
                    channel.queue_declare(queue)
            return
        except DBAPIError as error:
            if not again:
                sys.exit(f"{type(error.orig).__name__}: {error.orig}")

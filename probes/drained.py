"""Run on a node, as the service user in the units' environment, while no scheduler runs.

Wait until the workers have finished everything that is queued or running. Workers of another version cannot read the
messages of this one, and messages in one broker do not reach workers that use another. Lines that begin with an @ are
shown as they arrive.
"""

import sys
import time
from typing import Any

from probes.connection import bound, connect
from probes.failure import first_line
from probes.found_connection import found_connection

STUCK = 60  # seconds without a change after which a queued task, while none runs, is assumed to have no message
AGAIN = 30  # seconds between two progress lines
SHOWN = 8
PAUSE = 2  # seconds between two polls


def main(seconds: int, force: bool, waiting: str, note: str, variable: str, public: "list[str]") -> None:
    """Wait for at most `seconds`; `waiting` and `note` are the prefixes of lines that are shown as they arrive."""
    try:
        if not found_connection(variable):
            sys.exit(0)
        connection = connect(variable, public)
        sys.exit(wait(connection, seconds, force, waiting, note))
    except Exception as error:
        print(first_line(error))
        sys.exit(1)


def wait(connection: "Any", seconds: int, force: bool, waiting: str, note: str) -> int:
    """Return 0 once nothing is left to wait for, 1 on a timeout."""
    cursor = connection.cursor()
    began = changed = said = time.monotonic()
    before = None
    while True:
        connection.rollback()  # each poll is a transaction of its own: it sees the current rows
        tasks, now = unfinished(cursor), time.monotonic()
        if tasks and (before is None or now - said > AGAIN):
            said = now
            passed = int(now - began)
            print(f"{waiting}{told(tasks)}; {passed} of at most {seconds} s have passed", flush=True)
        if tasks != before:
            before, changed = tasks, now
        if not tasks:
            return 0
        if now - changed > STUCK and all(state == "queued" for state, _, _ in tasks):
            print(f"{note}no worker takes {told(tasks)}; Airflow queues them again, in ten minutes")
            return 0
        if now - began > seconds:
            return late(tasks, seconds, note if force else "")
        time.sleep(PAUSE)


def unfinished(cursor: "Any") -> "list[tuple[str, str, str]]":
    """Return state, DAG and task of everything that is running or queued."""
    bound(cursor)
    cursor.execute("SELECT to_regclass('task_instance')")
    if cursor.fetchone()[0] is None:
        return []
    cursor.execute(
        "SELECT state, dag_id, task_id FROM task_instance"
        " WHERE state IN ('running', 'queued', 'restarting') ORDER BY 1 DESC, 2, 3"
    )
    rows: list[tuple[str, str, str]] = cursor.fetchall()
    return rows


def late(tasks: "list[tuple[str, str, str]]", seconds: int, forced: str) -> int:
    """Report what still runs after the timeout; return 0 if the run may continue (`forced` is the prefix of a note)."""
    if forced:
        print(f"{forced}still {told(tasks)} after {seconds} s; --force continues")
        # Its executor adopts them, and drops them only when their timeouts end them: task_instance_heartbeat_timeout if
        # they ran, task_queued_timeout if they were queued (CeleryExecutor.try_adopt_task_instances; seen with 3.3.2).
        print(
            f"{forced}Airflow ends or repeats them in about ten minutes; until then they count towards core.parallelism"
        )
        print(f"{forced}if you set their states by hand, restart the schedulers afterwards, or they keep counting")
        return 0
    print(f"still {told(tasks)}")
    print(f"{len(tasks)} tasks are queued or running after {seconds} s (deploy.drain_timeout)")
    print("nothing has changed for them, and schedulers start again. Run the same command once they have finished, or:")
    print("the same with --force waits as long, then kills running tasks; queued ones run ten minutes later")
    return 1


def told(tasks: "list[tuple[str, str, str]]") -> str:
    """Return tasks in words: how many of each state, and the names of the first few."""
    states = [state for state, _, _ in tasks]
    counts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
    names = [f"{text(dag)}.{text(task)}" for _, dag, task in tasks[:SHOWN]]
    more = [f"and {len(tasks) - SHOWN} more"] if len(tasks) > SHOWN else []
    return "{}: {}".format(" and ".join(counts), ", ".join(names + more))


def text(value: object) -> str:
    """Return a name without characters that a terminal could interpret."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(value))[:200]

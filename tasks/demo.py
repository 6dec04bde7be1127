"""The practice fleet at work: a DAG run from trigger to success."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from invoke import task

DAG = "hello_fleet"
PASSWORD = Path(".lab/demo/web-password")


@task
def demo(context: Any) -> None:
    """Deploy to the practice fleet, create a web UI user, run the example DAG and show which host ran each task.

    Examples:
      fab demo
      fab lab.up demo    # boot the practice fleet first
    """
    from aerodrome.report.terminal import data, say
    from aerodrome.secrets import Secret
    from lab.demo import WebServer, keep_password
    from tasks.deploy import deploy
    from tasks.session import session
    from tasks.status import status
    from tasks.users import create_user

    say("1. fab deploy: PostgreSQL, five hosts, Airflow with Celery; a few minutes on bare hosts")
    deploy(context)
    with session(context) as run:
        url = run.inputs.web_url
    say("2. fab create-user: a web UI user")
    keep_password(PASSWORD)
    create_user(context, password=f"!file {PASSWORD}")
    web = WebServer(url, "admin", Secret(PASSWORD.read_text().strip()))
    say(f"3. run the DAG {DAG} over the REST API")
    web.unpause(DAG)
    run_id = web.trigger(DAG)
    state = web.await_end(DAG, run_id)
    say(f"   {run_id}: {state}")
    for name, host, result in web.tasks(DAG, run_id):
        data(f"   {name:14} ran on {host:10} {result}")
    say("4. fab status")
    status(context)
    data(f"\nOpen it:    {url}  login admin, password in {PASSWORD}")
    data("Stop it:    .venv/bin/fab lab.down")

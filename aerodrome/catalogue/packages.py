"""The packages of each Airflow version."""

from __future__ import annotations

DISTRIBUTION = "apache-airflow"

# The extras of each major version. 1.10 and 2 have no `standard`; 3 has no BashOperator without it.
EXTRAS = {
    1: ("postgres", "celery", "redis", "password", "crypto"),
    2: ("postgres", "celery", "redis", "fab"),
    3: ("postgres", "celery", "redis", "fab", "standard"),
}

# The day whose packages were tested together: uv resolves to the newest ones up to then.
DATES = {"1.10.10": "2020-04-11", "2.11.2": "2026-03-15", "3.3.2": "2026-09-18"}

# Additional requirements of a version.
# 2.11.2: providers-celery 3.16.0 to 3.17.1, newest on its day, send a Celery task by another name
# than they give it: the worker discards every task (KeyError: 'execute_command'). 3.15.2 was run.
# gunicorn 25.1.0, newest on its day, starts a thread before it forks: now and then no worker of the web server gets
# past its first line of log, and the web server never answers (gunicorn issues 3509 and 3529).
COMPANIONS = {"2.11.2": ("apache-airflow-providers-celery==3.15.2", "gunicorn!=25.1.0")}

# The same with a constraints file or a date, which select the versions: exclude only the bad ones.
EXCLUDED = {"2.11.2": ("apache-airflow-providers-celery!=3.16.0,!=3.17.0,!=3.17.1",)}

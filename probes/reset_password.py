"""Run on a node, as the service user in the units' environment: set a new password for a web UI user."""

import importlib
import sys
from typing import Any


def main(module: str, name: str) -> None:
    """Set the password of the user `name` to the line on stdin; `module` holds Airflow's web application."""
    from werkzeug.security import check_password_hash

    users, password = security_manager(importlib.import_module(module)), sys.stdin.buffer.readline().decode()[:-1]
    users.reset_password(users.find_user(username=name).id, password)
    # Flask-AppBuilder only logs errors, so verify the result.
    sys.exit(not check_password_hash(users.find_user(username=name).password, password))


def security_manager(web: "Any") -> "Any":
    """Return Flask-AppBuilder's security manager, created as Airflow 1.10 and 2 do."""
    if hasattr(web, "cached_appbuilder"):  # 1.10
        return web.cached_appbuilder().sm
    app = web.cached_app()
    app.app_context().push()
    return app.appbuilder.sm

"""The catalogue: everything that differs between Airflow 1.10, 2 and 3. Nothing outside this file asks for a version.

The facts are from 1.10.10, 2.11.2 and 3.3.2, each tested with CeleryExecutor over PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from urllib.parse import quote

from aerodrome.catalogue.settings import rename
from aerodrome.dataclass import dataclass
from aerodrome.secrets import Secret

# The module on a node that returns the node's name, in a directory of AIRFLOW_HOME that is on every version's path
# (`prepare_syspath` of airflow/settings.py), and its function.
NAME_MODULE, NAME_FUNCTION = "aerodrome_host", "name"

Setting = tuple[str, str]  # section and key, by their current names

DATABASE_URL: Setting = ("database", "sql_alchemy_conn")
FERNET_KEY: Setting = ("core", "fernet_key")  # encrypts connections, variables and triggers in the database
BROKER_URL: Setting = ("celery", "broker_url")
RESULT_BACKEND: Setting = ("celery", "result_backend")
SECRET_KEY: Setting = ("api", "secret_key")  # signs web sessions, and requests for task logs, which log servers verify
JWT_SECRET: Setting = ("api_auth", "jwt_secret")  # signs the tasks' own requests


@dataclass(frozen=True)
class Catalogue:
    """Everything specific to one version of Airflow."""

    version: str
    major: int
    pythons: tuple[str, ...]  # that this version runs on
    node_option: str  # of a worker: sets its Celery node name
    migrate: str
    health_path: str
    fixed: Mapping[tuple[str, str], str]  # settings that it needs to be safe and complete, by their current names
    over_redis: Mapping[tuple[str, str], str] = field(default_factory=dict)  # of a worker whose broker is Redis
    notes: tuple[str, ...] = ()  # for its operator
    scheduler_waits: bool = True  # for the tasks of LocalExecutor, when it is asked to stop
    secrets_differ: bool = False  # each role's processes need only some of the secrets
    # The module of the web application, which has the logins; empty if `airflow users reset-password` works.
    logins: str = ""
    # Files that it would create in AIRFLOW_HOME if they were missing, and our content for them.
    home_files: Mapping[str, str] = field(default_factory=dict)

    def variable(self, section: str, key: str) -> str:
        """Return the environment variable of a setting, given by its name in any version.

        Airflow writes a section's dots as _ (`_env_var_name` of airflow/configuration.py; 1.10 has no such section).
        """
        section, key = rename(self.major, section, key)
        return f"AIRFLOW__{section.upper().replace('.', '_')}__{key.upper()}"

    def web_host(self, address: str) -> str:
        """Return an address for the web server's setting: gunicorn (up to 2) needs IPv6 in brackets."""
        return f"[{address}]" if ":" in address and self.major < 3 else address

    def create_user(self, name: str, email: str, first: str, last: str, role: str) -> list[str]:
        """Return the `airflow` arguments that create a user; it prompts for the password on stdin, twice."""
        command = ["create_user"] if self.major == 1 else ["users", "create"]
        return [*command, "-u", name, "-e", email, "-f", first, "-l", last, "-r", role]


# Without settings: Airflow would write all of its defaults, which a later version would read as deliberate choices.
_CONFIG = "# Written by Aerodrome, once: the settings are variables in /etc/default. What is set here is kept.\n"

# Without their comments, the version's own config_templates/default_webserver_config.py.
_WEB_CONFIG_1 = """\
# Written by Aerodrome, once: what is changed here is kept.
import os
from flask_appbuilder.security.manager import AUTH_DB

from airflow.configuration import conf

basedir = os.path.abspath(os.path.dirname(__file__))
SQLALCHEMY_DATABASE_URI = conf.get('core', 'SQL_ALCHEMY_CONN')
CSRF_ENABLED = True
AUTH_TYPE = AUTH_DB
"""
_WEB_CONFIG_2 = """\
# Written by Aerodrome, once: what is changed here is kept.
import os

from flask_appbuilder.const import AUTH_DB

basedir = os.path.abspath(os.path.dirname(__file__))
WTF_CSRF_ENABLED = True
WTF_CSRF_TIME_LIMIT = None
AUTH_TYPE = AUTH_DB
"""

_FAB = "airflow.providers.fab.auth_manager"

_CATALOGUES = {
    1: Catalogue(
        version="1.10",
        major=1,
        pythons=("3.7", "3.8"),
        node_option="--celery_hostname",
        migrate="upgradedb",
        health_path="/health",
        fixed={
            ("webserver", "rbac"): "True",  # without it there is no login at all
            ("api", "auth_backend"): "airflow.api.auth.backend.deny_all",  # the experimental API has none
            ("core", "hostname_callable"): f"{NAME_MODULE}:{NAME_FUNCTION}",
        },
        notes=(
            "Airflow 1.10 shows a worker's task logs to anyone who can reach its port 8793: allow only the web server",
        ),
        scheduler_waits=False,
        logins="airflow.www_rbac.app",
        # It looks for its unit tests' configuration at every start.
        home_files={"airflow.cfg": _CONFIG, "unittests.cfg": _CONFIG, "webserver_config.py": _WEB_CONFIG_1},
    ),
    2: Catalogue(
        version="2",
        major=2,
        pythons=("3.10", "3.11", "3.12"),
        node_option="--celery-hostname",
        migrate="db migrate",
        health_path="/health",
        fixed={
            ("api", "auth_backends"): f"{_FAB}.api.auth.backend.basic_auth,{_FAB}.api.auth.backend.session",
            ("core", "hostname_callable"): f"{NAME_MODULE}.{NAME_FUNCTION}",
        },
        # A worker that is given its node name asks for workers of that name before it forks (providers-celery 3.15.2).
        # With Redis, its children then wait forever for an answer on the parent's pooled connection: they run no task,
        # although the worker says that it is ready. Without a pool, the connection is closed by then. 3.24 resets it.
        over_redis={("celery", "extra_celery_config"): '{"broker_pool_limit": 0}'},
        # The command came with 2.9 but fails in 2.11.2 (AssertionError: The sqlalchemy extension was not registered).
        logins="airflow.www.app",
        home_files={"airflow.cfg": _CONFIG, "webserver_config.py": _WEB_CONFIG_2},
    ),
    3: Catalogue(
        version="3",
        major=3,
        pythons=("3.10", "3.11", "3.12", "3.13", "3.14"),
        node_option="--celery-hostname",
        migrate="db migrate",
        health_path="/api/v2/monitor/health",
        # The default, the simple auth manager, writes its password to a world-readable file.
        fixed={
            ("core", "auth_manager"): f"{_FAB}.fab_auth_manager.FabAuthManager",
            ("core", "hostname_callable"): f"{NAME_MODULE}.{NAME_FUNCTION}",
            # A task that begins while the web server restarts (10 to 40 s) would fail after 6 s, with 5 attempts: seen
            # with 3.3.1. These take 95 s on average, by sdk/api/client.py (wait_random_exponential).
            ("workers", "execution_api_retries"): "15",
            ("workers", "execution_api_retry_wait_max"): "15",
        },
        home_files={"airflow.cfg": _CONFIG},
        # Read in 3.3.2 and tested. Each role lists its own.
        secrets_differ=True,
    ),
}


def catalogue(version: str) -> Catalogue:
    """Return the catalogue for a version such as `3.3.2` or `1.10.10.*`.

    Raises KeyError for an unknown major version.
    """
    return _CATALOGUES[int(version.split(".")[0])]


def url(scheme: str, user: str, password: Secret, host: str, port: int, path: str) -> Secret:
    """Return a URL with a login; characters that are not unreserved (RFC 3986) are percent-encoded, as UTF-8.

    So a password contains no `$` that Airflow would expand, and nothing that systemd would interpret.
    `path` is already encoded.
    """
    address = f"[{host}]" if ":" in host else host
    login = f"{quote(user, safe='')}:{quote(password.reveal(), safe='')}"
    return Secret(f"{scheme}://{login}@{address}:{port}/{path}")

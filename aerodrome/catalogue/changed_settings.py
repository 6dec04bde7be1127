"""Settings that a major version reads differently under the same name: values, and defaults of what nobody has set.

Read from 1.10.10, 2.11.2 and 3.3.2, as installed: `config_templates/config.yml` (defaults), `deprecated_values` of
airflow/configuration.py, and `CONFIGS_CHANGES` of airflow/cli/commands/config_command.py, which `airflow config lint`
uses. Names that were changed are in settings.py. `python tools/changed_defaults.py` lists all defaults that differ.
"""

from __future__ import annotations

import re

from aerodrome.catalogue.settings import Name, rename
from aerodrome.dataclass import dataclass

# Of a setting that is gone, by the name that it had last: what to do instead.
_ADVICE = {
    2: {
        "api.auth_backend": "[api] auth_backends is for the REST API of 2, and Aerodrome sets it",
        "webserver.rbac": "its web UI always has logins and roles",
    },
    3: {
        "api.auth_backends": "its REST API takes tokens; [fab] auth_backends is for FAB's own API",
        "celery.stalled_task_timeout": "[scheduler] task_queued_timeout replaces it",
        "celery.task_adoption_timeout": "[scheduler] task_queued_timeout replaces it",
        "core.check_slas": "it has no SLAs; deadline alerts replace them",
        "core.enable_xcom_pickling": "XComs have to be JSON, or need a [core] xcom_backend of your own",
        "core.strict_dataset_uri_validation": "URIs of assets are always checked",
        "kubernetes_executor.worker_pods_pending_timeout": "[scheduler] task_queued_timeout replaces it",
        "metrics.timer_unit_consistency": "all timers are in milliseconds",
        "scheduler.standalone_dag_processor": "the DAG processor is always a process of its own",
        "smtp.smtp_password": "the connection smtp_default has it",
        "smtp.smtp_user": "the connection smtp_default has it",
        "webserver.access_logfile": "[api] log_config names a file of logging settings",
        "webserver.force_log_out_after": "[fab] session_lifetime_minutes replaces it",
        "webserver.page_size": "[api] fallback_page_limit replaces it",
        "webserver.session_lifetime_days": "[fab] session_lifetime_minutes replaces it",
    },
}


@dataclass(frozen=True)
class Default:
    """The default of a setting changed with a major version."""

    section: str  # as that version names it
    key: str
    before: str
    after: str
    effect: str


_DEFAULTS = {
    2: (
        Default("core", "dag_run_conf_overrides_params", "False", "True", "a run's conf replaces params"),
        Default("core", "enable_xcom_pickling", "True", "False", "XComs that are not JSON fail"),
        Default("scheduler", "min_file_process_interval", "0", "30", "a changed DAG file is noticed later"),
        Default("webserver", "expose_hostname", "True", "False", "the web UI hides hostnames"),
    ),
    3: (
        Default("api", "fallback_page_limit", "100", "50", "lists of the REST API are shorter without a limit"),
        Default("api", "workers", "4", "1", "the web server has fewer processes"),
        Default("core", "dag_ignore_file_syntax", "regexp", "glob", "each .airflowignore is read differently"),
        Default("scheduler", "catchup_by_default", "True", "False", "DAGs without catchup= make up for no past run"),
        Default("scheduler", "create_cron_data_intervals", "True", "False", "runs are named after their start"),
        Default("scheduler", "create_delta_data_intervals", "True", "False", "runs are named after their start"),
    ),
}

# The first major version that reads a value differently, the setting ("" for any), the value, and what is wrong then.
_VALUES = (
    (2, "core.hostname_callable", r"[\w.]+:\w+", "write a dot before the function, not a colon"),
    (2, "email.email_backend", r"airflow\.contrib\..*", "airflow.providers.sendgrid.utils.emailer.send_email"),
    (2, "logging.log_filename_template", r".*/\{\{ ts \}\}/.*", "delete it: tasks of one run would share a log"),
    (3, "core.executor", "SequentialExecutor", "it has no such executor"),
    (3, "core.parallelism", "0", "it must be greater than 0"),
    (3, "webserver.dag_default_view", "tree", "it has no such view"),
    (3, "", r".*\bairflow\.contrib\..*", "it has no airflow.contrib"),
    (3, "", r"airflow\.api\.auth\..*", "it has no airflow.api.auth"),
)


def advice(before: int, after: int, section: str, key: str) -> str:
    """Return the replacement of a setting that is gone between two major versions; empty if nothing is known."""
    for major in range(before + 1, after + 1):
        for name in ((section, key), rename(major - 1, section, key)):
            if found := _ADVICE.get(major, {}).get(".".join(name).lower()):
                return found
    return ""


def changed_defaults(before: int, after: int) -> list[tuple[Name, Default]]:
    """Return the defaults that change between two major versions, each with the name that `after` has for it."""
    return [
        (rename(after, default.section, default.key), default)
        for major in range(before + 1, after + 1)
        for default in _DEFAULTS[major]
    ]


def changed_value(before: int, after: int, section: str, key: str, value: str) -> str:
    """Return the fault that a value has after the upgrade and did not have before; empty if there is none."""
    name = ".".join(rename(after, section, key)).lower()
    for major, setting, pattern, effect in _VALUES:
        today = ".".join(rename(after, *setting.split("."))) if setting else name
        if before < major <= after and today == name and re.fullmatch(pattern, value.strip(), re.DOTALL):
            return effect
    return ""

"""The names of Airflow's settings in each version."""

from __future__ import annotations

from collections import Counter

import pytest

from aerodrome.catalogue.settings import _NAMES, _NONE, _REMOVED, _SECTIONS, _rows, gone, rename, unknown
from aerodrome.catalogue.version import catalogue

MAJORS = {1: "1.10.10", 2: "2.11.2", 3: "3.3.2"}

# An option's names in 1.10.10, 2.11.2 and 3.3.2, as in those releases' config.yml; "" if it does not exist.
OPTIONS = [
    ("core.sql_alchemy_conn", "database.sql_alchemy_conn", "database.sql_alchemy_conn"),
    ("core.sql_alchemy_pool_size", "database.sql_alchemy_pool_size", "database.sql_alchemy_pool_size"),
    ("core.load_default_connections", "database.load_default_connections", ""),
    ("core.base_log_folder", "logging.base_log_folder", "logging.base_log_folder"),
    ("core.logging_level", "logging.logging_level", "logging.logging_level"),
    ("core.remote_logging", "logging.remote_logging", "logging.remote_logging"),
    ("core.log_filename_template", "logging.log_filename_template", "logging.log_filename_template"),
    ("core.dag_concurrency", "core.max_active_tasks_per_dag", "core.max_active_tasks_per_dag"),
    ("core.worker_precheck", "celery.worker_precheck", ""),
    ("core.dag_file_processor_timeout", "core.dag_file_processor_timeout", "dag_processor.dag_file_processor_timeout"),
    ("celery.worker_log_server_port", "logging.worker_log_server_port", "logging.worker_log_server_port"),
    ("celery.default_queue", "operators.default_queue", "operators.default_queue"),
    ("scheduler.dag_dir_list_interval", "scheduler.dag_dir_list_interval", "dag_processor.refresh_interval"),
    ("scheduler.max_threads", "scheduler.parsing_processes", "dag_processor.parsing_processes"),
    ("scheduler.statsd_on", "metrics.statsd_on", "metrics.statsd_on"),
    ("scheduler.statsd_allow_list", "metrics.metrics_allow_list", "metrics.metrics_allow_list"),
    ("webserver.secret_key", "webserver.secret_key", "api.secret_key"),
    ("webserver.base_url", "webserver.base_url", "api.base_url"),
    ("webserver.web_server_port", "webserver.web_server_port", "api.port"),
    ("webserver.web_server_host", "webserver.web_server_host", "api.host"),
    ("webserver.workers", "webserver.workers", "api.workers"),
    ("webserver.enable_proxy_fix", "webserver.enable_proxy_fix", "fab.enable_proxy_fix"),
    ("webserver.update_fab_perms", "fab.update_fab_perms", "fab.update_fab_perms"),
    ("", "webserver.instance_name", "api.instance_name"),
    ("", "triggerer.default_capacity", "triggerer.capacity"),
    ("kubernetes.namespace", "kubernetes_executor.namespace", "kubernetes_executor.namespace"),
    # Never renamed
    ("celery.worker_concurrency", "celery.worker_concurrency", "celery.worker_concurrency"),
    ("celery.broker_url", "celery.broker_url", "celery.broker_url"),
    ("celery.result_backend", "celery.result_backend", "celery.result_backend"),
    ("core.parallelism", "core.parallelism", "core.parallelism"),
    ("core.hostname_callable", "core.hostname_callable", "core.hostname_callable"),
    ("core.dags_folder", "core.dags_folder", "core.dags_folder"),
    ("core.fernet_key", "core.fernet_key", "core.fernet_key"),
    ("core.executor", "core.executor", "core.executor"),
    ("core.load_examples", "core.load_examples", "core.load_examples"),
    ("smtp.smtp_host", "smtp.smtp_host", "smtp.smtp_host"),
    ("smtp.smtp_mail_from", "smtp.smtp_mail_from", "smtp.smtp_mail_from"),
    ("", "common.io.xcom_objectstorage_path", "common.io.xcom_objectstorage_path"),
]


def name(text: str) -> tuple[str, str]:
    section, _, key = text.rpartition(".")
    return section, key


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("names", OPTIONS, ids=lambda names: names[1])
def test_a_setting_goes_by_the_name_that_the_version_reads(names: tuple[str, ...], major: int) -> None:
    for given in filter(None, names):
        assert rename(major, *name(given)) == name(names[major - 1] or given)


@pytest.mark.parametrize(
    "older, names",
    [
        ("celery.celeryd_concurrency", ("celery.worker_concurrency",) * 3),
        ("celery.celery_broker_url", ("celery.broker_url",) * 3),
        ("elasticsearch.elasticsearch_host", ("elasticsearch.host",) * 3),
        ("core.max_db_retries", ("", "database.max_db_retries", "database.max_db_retries")),
        ("scheduler.statsd_datadog_tags", ("", "metrics.statsd_datadog_tags", "metrics.statsd_datadog_tags")),
        ("metrics.statsd_allow_list", ("scheduler.statsd_allow_list", *["metrics.metrics_allow_list"] * 2)),
        ("webserver.auth_rate_limit", ("", "fab.auth_rate_limit", "fab.auth_rate_limit")),
    ],
)
def test_a_name_that_none_of_the_versions_has(older: str, names: tuple[str, ...]) -> None:
    assert [rename(major, *name(older)) for major in MAJORS] == [name(found or older) for found in names]


@pytest.mark.parametrize("suffix", ["_cmd", "_secret"])
def test_a_setting_that_a_command_or_a_store_gives(suffix: str) -> None:
    assert rename(1, "database", "sql_alchemy_conn" + suffix) == ("core", "sql_alchemy_conn" + suffix)
    assert rename(3, "webserver", "secret_key" + suffix) == ("api", "secret_key" + suffix)
    assert rename(2, "database", "sql_alchemy_conn" + suffix) == ("database", "sql_alchemy_conn" + suffix)
    assert rename(3, "database", "load_default_connections" + suffix) == (
        "database",
        "load_default_connections" + suffix,
    )


def test_a_setting_that_only_ends_like_one() -> None:
    assert rename(1, "api_auth", "jwt_secret") == ("api_auth", "jwt_secret")


def test_airflow_takes_no_notice_of_case() -> None:
    assert rename(1, "DATABASE", "SQL_ALCHEMY_CONN") == ("core", "sql_alchemy_conn")
    assert rename(1, "Kubernetes_Environment_Variables", "Path") == ("Kubernetes_Environment_Variables", "Path")


@pytest.mark.parametrize(
    "name",
    [
        ("api", "auth_backend"),
        ("api", "auth_backends"),
        ("fab", "auth_backends"),
        ("webserver", "access_logfile"),
        ("webserver", "page_size"),
        ("api", "fallback_page_limit"),
        ("webserver", "session_lifetime_days"),
        ("celery", "task_adoption_timeout"),
    ],
)
def test_what_came_to_mean_something_else_is_not_mapped(name: tuple[str, str]) -> None:
    assert {rename(major, *name) for major in MAJORS} == {name}


# The table as a whole


def test_no_name_stands_for_two_options() -> None:
    names = Counter(name for row in _rows() for name in set(row) - {_NONE})
    assert [name for name, times in names.items() if times > 1] == []
    assert len(names) == len(_NAMES) > 150


def test_every_row_says_something_and_is_written_as_airflow_writes() -> None:
    for row in _rows():
        assert len(row) >= 3
        assert len(set(row)) > 1
        assert row[2] != _NONE or row[1] != _NONE, "a name that 1.10 alone has is no rename"
        for section, key in set(row) - {_NONE}:
            assert section and key and f"{section}{key}" == f"{section}{key}".lower()


@pytest.mark.parametrize("major", MAJORS)
def test_a_new_name_is_not_renamed_again(major: int) -> None:
    for given in [*_NAMES, ("kubernetes", "namespace"), ("kubernetes_executor", "namespace")]:
        found = rename(major, *given)
        assert rename(major, *found) == found


@pytest.mark.parametrize("major", MAJORS)
def test_what_is_renamed_is_not_gone_and_lies_in_a_section_that_is_known(major: int) -> None:
    for row in _rows():
        if row[major - 1] != _NONE:
            assert not any(gone(major, *given) for given in row if given != _NONE)
            assert unknown(major, [row[major - 1][0]]) == {}


def test_nothing_that_is_gone_is_in_the_table_of_renamed_ones() -> None:
    for sections in _REMOVED.values():
        assert {(section, key) for section, keys in sections.items() for key in keys.split()} & set(_NAMES) == set()


# Against the catalogue


@pytest.mark.parametrize("major, version", MAJORS.items())
def test_a_setting_of_our_own_is_one_that_the_version_reads(major: int, version: str) -> None:
    for setting in catalogue(version).fixed:
        assert rename(major, *setting) == setting
        assert not gone(major, *setting)
        assert unknown(major, [setting[0]]) == {}


# Settings that a version has lost


@pytest.mark.parametrize(
    "section, key, first",
    [
        ("core", "store_serialized_dags", 2),
        ("webserver", "rbac", 2),
        ("api", "auth_backend", 2),
        ("api", "auth_backends", 3),
        ("core", "enable_xcom_pickling", 3),
        ("smtp", "smtp_user", 3),
        ("webserver", "worker_class", 3),
        ("scheduler", "standalone_dag_processor", 3),
        ("core", "worker_precheck", 3),
        ("celery", "worker_precheck", 3),
        ("core", "load_default_connections", 3),
        ("logging", "dag_processor_manager_log_location", 3),
        ("kubernetes", "worker_pods_pending_timeout", 3),
        ("WEBSERVER", "RBAC", 2),
        ("core", "parallelism", 4),
        ("webserver", "secret_key", 4),
        ("core", "sql_alchemy_conn", 4),
        ("smtp", "smtp_host", 4),
        ("dag_processor", "refresh_interval", 4),
        ("triggerer", "capacity", 4),
        ("team", "of_our_own", 4),
    ],
)
def test_what_is_gone_and_since_when(section: str, key: str, first: int) -> None:
    assert [major for major in MAJORS if gone(major, section, key)] == [m for m in MAJORS if m >= first]


# Sections that no version knows


@pytest.mark.parametrize("major", MAJORS)
def test_sections_that_a_version_reads(major: int) -> None:
    sections = ["core", "Celery", "smtp", "sentry", "kerberos", "elasticsearch", "hive", "secrets"]
    assert unknown(major, sections) == {}


@pytest.mark.parametrize("major", [2, 3])
def test_sections_of_providers(major: int) -> None:
    assert unknown(major, ["aws", "openlineage", "common.io", "providers.jdbc", "kubernetes_executor", "fab"]) == {}


@pytest.mark.parametrize(
    "major, section, nearest",
    [
        (1, "logging", ""),
        (1, "database", ""),
        (1, "triggerer", ""),
        (1, "webservers", "webserver"),
        (2, "dag_processor", ""),
        (2, "api_auth", ""),
        (2, "Metric", "metrics"),
        (2, "mesos", ""),
        (3, "cli", ""),
        (3, "dag-processor", "dag_processor"),
        (3, "schedular", "scheduler"),
        (3, "zzz", ""),
    ],
)
def test_a_section_that_a_version_does_not_read(major: int, section: str, nearest: str) -> None:
    assert unknown(major, ["core", section, section]) == {section: nearest}


def test_the_lists_of_sections_name_none_twice() -> None:
    for sections in _SECTIONS.values():
        assert max(Counter(sections.split()).values()) == 1

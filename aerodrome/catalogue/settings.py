"""The names of Airflow's settings: options that were moved, renamed or removed between 1.10, 2 and 3.

Each major version means its last releases: 1.10.10 to 1.10.15, 2.11.2, and 3.3.2. Everything was read from these:
1.10: airflow/config_templates/config.yml and default_airflow.cfg, and `deprecated_options` of airflow/configuration.py.
2: airflow/config_templates/config.yml and `deprecated_options` of airflow/configuration.py.
3: the same config.yml, `deprecated_options` of airflow/_shared/configuration/parser.py, and `CONFIGS_CHANGES` of
airflow/cli/commands/config_command.py, which `airflow config update` uses.
2 and 3 also: `config` in get_provider_info.py of each provider in locks/, and of those named at _PROVIDERS.

Only pure renames are mapped. These are not, because the new option means something else; `gone` knows them:
[api] auth_backend (the experimental API, one backend), [api] auth_backends (the REST API of 2) and [fab] auth_backends
(the API of FAB alone); [webserver] access_logfile (a log) and [api] log_config (how uvicorn logs);
[webserver] page_size (of the pages) and [api] fallback_page_limit; [webserver] session_lifetime_days (days) and
force_log_out_after, now session_lifetime_minutes; [celery] stalled_task_timeout and task_adoption_timeout and
[kubernetes_executor] worker_pods_pending_timeout, which were merged into [scheduler] task_queued_timeout;
[webserver] worker_refresh_batch_size and worker_refresh_interval, which came back in [api] for gunicorn alone.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

Name = tuple[str, str]  # section and key
_NONE = ("", "")  # for a version that does not have the setting

# The section in 1.10, in 2 and in 3, then in releases between them → the keys. Empty: not in that version.
_MOVED = {
    ("", "", "core", "workers"): "execution_api_server_url",
    ("", "database", "database", "core"): "max_db_retries sql_engine_collation_for_ids",
    ("", "fab", "fab", "webserver"): "auth_rate_limit auth_rate_limited",
    ("", "logging", "", "core"): "use_historical_filename_templates",
    ("", "logging", "logging", "core"): "interleave_timestamp_parser task_log_prefix_template",
    ("", "metrics", "metrics", "scheduler"): """
        stat_name_handler statsd_custom_client_path statsd_datadog_enabled statsd_datadog_metrics_tags
        statsd_datadog_tags""",
    ("", "scheduler", "dag_processor"): """
        file_parsing_sort_mode max_callbacks_per_loop parsing_pre_import_modules stale_dag_threshold""",
    ("", "webserver", "api"): """
        auto_refresh_interval enable_swagger_ui grid_view_sorting_order instance_name
        require_confirmation_dag_change""",
    ("", "webserver", "fab"): """
        access_denied_message config_file navbar_hover_color navbar_text_color navbar_text_hover_color
        session_backend""",
    ("celery", "logging", "logging"): "worker_log_server_port",
    ("celery", "operators", "operators"): "default_queue",
    ("core", "celery", ""): "worker_precheck",
    ("core", "core", "dag_processor"): "dag_file_processor_timeout",
    ("core", "database", ""): "load_default_connections",
    ("core", "database", "database"): """
        sql_alchemy_conn sql_alchemy_connect_args sql_alchemy_max_overflow sql_alchemy_pool_enabled
        sql_alchemy_pool_pre_ping sql_alchemy_pool_recycle sql_alchemy_pool_size sql_alchemy_schema
        sql_engine_encoding""",
    ("core", "logging", ""): """
        colored_formatter_class colored_log_format dag_processor_manager_log_location
        log_processor_filename_template""",
    ("core", "logging", "logging"): """
        base_log_folder colored_console_log encrypt_s3_logs fab_logging_level log_filename_template log_format
        logging_config_class logging_level remote_base_log_folder remote_log_conn_id remote_logging
        simple_log_format task_log_reader""",
    ("scheduler", "metrics", "metrics"): "statsd_host statsd_on statsd_port statsd_prefix",
    ("scheduler", "scheduler", "dag_processor"): "min_file_process_interval print_stats_interval",
    ("webserver", "fab", "fab"): "update_fab_perms",
    # expose_stacktrace: removed in 3.0 according to CONFIGS_CHANGES, but 3.3.2 has it again, unchanged, in [api].
    ("webserver", "webserver", "api"): """
        base_url default_wrap expose_config expose_stacktrace hide_paused_dags_by_default log_fetch_timeout_sec
        secret_key workers""",
    ("webserver", "webserver", "fab"): """
        cookie_samesite cookie_secure enable_proxy_fix expose_hostname navbar_color proxy_fix_x_for proxy_fix_x_host
        proxy_fix_x_port proxy_fix_x_prefix proxy_fix_x_proto session_lifetime_minutes""",
}

# Options whose key changed too: the name in 1.10, in 2 and in 3, then in releases between or before them.
_RENAMED = (
    ("", "", "scheduler.ti_metrics_interval", "scheduler.running_metrics_interval"),
    ("", "", "workers.missing_dag_retries", "workers.missing_dag_retires"),
    ("", *["api.access_control_allow_origins"] * 2, "api.access_control_allow_origin"),
    ("", "core.dataset_manager_class", "core.asset_manager_class"),
    ("", "core.dataset_manager_kwargs", "core.asset_manager_kwargs"),
    ("", *["core.sensitive_var_conn_names"] * 2, "admin.sensitive_variable_fields"),
    ("", *["metrics.metrics_block_list"] * 2, "metrics.statsd_block_list"),
    ("", "scheduler.local_task_job_heartbeat_sec", "scheduler.task_instance_heartbeat_sec"),
    ("", *["scheduler.parsing_cleanup_interval"] * 2, "scheduler.deactivate_stale_dags_interval"),
    (
        "",
        *["scheduler.task_queued_timeout_check_interval"] * 2,
        "kubernetes.worker_pods_pending_timeout_check_interval",
        "kubernetes_executor.worker_pods_pending_timeout_check_interval",
    ),
    ("", "scheduler.zombie_detection_interval", "scheduler.task_instance_heartbeat_timeout_detection_interval"),
    ("", "triggerer.default_capacity", "triggerer.capacity"),
    ("admin.hide_sensitive_variable_fields", *["core.hide_sensitive_var_conn_fields"] * 2),
    (*["celery.broker_url"] * 3, "celery.celery_broker_url"),
    (*["celery.result_backend"] * 3, "celery.celery_result_backend"),
    (*["celery.ssl_active"] * 3, "celery.celery_ssl_active"),
    (*["celery.ssl_cert"] * 3, "celery.celery_ssl_cert"),
    (*["celery.ssl_key"] * 3, "celery.celery_ssl_key"),
    (*["celery.worker_concurrency"] * 3, "celery.celeryd_concurrency"),
    ("core.dag_concurrency", *["core.max_active_tasks_per_dag"] * 2),
    (*["core.max_num_rendered_ti_fields_per_task"] * 2, "core.num_dag_runs_to_retain_rendered_fields"),
    ("core.non_pooled_task_slot_count", *["core.default_pool_task_slot_count"] * 2),
    (*["elasticsearch.end_of_log_mark"] * 3, "elasticsearch.elasticsearch_end_of_log_mark"),
    (*["elasticsearch.frontend"] * 3, "elasticsearch.elasticsearch_frontend"),
    (*["elasticsearch.host"] * 3, "elasticsearch.elasticsearch_host"),
    (*["elasticsearch.json_fields"] * 3, "elasticsearch.elasticsearch_json_fields"),
    (*["elasticsearch.json_format"] * 3, "elasticsearch.elasticsearch_json_format"),
    (*["elasticsearch.log_id_template"] * 3, "elasticsearch.elasticsearch_log_id_template"),
    (*["elasticsearch.write_stdout"] * 3, "elasticsearch.elasticsearch_write_stdout"),
    (*["scheduler.child_process_log_directory"] * 2, "logging.dag_processor_child_process_log_directory"),
    (*["scheduler.dag_dir_list_interval"] * 2, "dag_processor.refresh_interval"),
    # 1.10.14 and 1.10.15 have parsing_processes, and still read max_threads.
    ("scheduler.max_threads", "scheduler.parsing_processes", "dag_processor.parsing_processes"),
    ("scheduler.processor_poll_interval", *["scheduler.scheduler_idle_sleep_time"] * 2),
    (*["scheduler.scheduler_zombie_task_threshold"] * 2, "scheduler.task_instance_heartbeat_timeout"),
    ("scheduler.statsd_allow_list", *["metrics.metrics_allow_list"] * 2, "metrics.statsd_allow_list"),
    (*["webserver.web_server_host"] * 2, "api.host"),
    (*["webserver.web_server_port"] * 2, "api.port"),
    (*["webserver.web_server_ssl_cert"] * 2, "api.ssl_cert"),
    (*["webserver.web_server_ssl_key"] * 2, "api.ssl_key"),
    (*["webserver.web_server_worker_timeout"] * 2, "api.worker_timeout"),
)

# Sections that were renamed as a whole (`deprecated_sections` of 2.11.2; 3's provider has the new name only).
_SECTIONS_RENAMED = (("kubernetes", "kubernetes_executor", "kubernetes_executor"),)

# Options that were removed without a new name: the first version without them → section → keys.
_REMOVED = {
    2: {
        "api": "auth_backend",
        "core": "secure_mode store_dag_code store_serialized_dags",
        "scheduler": "authenticate run_duration",
        "webserver": "auth_backend authenticate demo_mode filter_by_owner owner_mode proxy_fix_num_proxies rbac",
    },
    3: {
        "api": """
            auth_backends enable_experimental_api enable_xcom_deserialize_support google_key_path
            google_oauth2_audience""",
        "celery": "stalled_task_timeout task_adoption_timeout",
        "cli": "api_client endpoint_url",
        "core": """
            check_slas database_access_isolation donot_pickle enable_xcom_pickling internal_api_secret_key
            internal_api_url min_serialized_dag_fetch_interval strict_dataset_uri_validation task_runner""",
        "debug": "fail_fast",
        "kubernetes_executor": "worker_pods_pending_timeout",
        "lineage": "backend",
        "logging": "dag_processor_manager_log_stdout enable_task_context_logger",
        "metrics": "metrics_use_pattern_match timer_unit_consistency",
        "operators": "allow_illegal_arguments",
        "scheduler": """
            allow_trigger_in_future dag_stale_not_seen_duration dependency_detector schedule_after_task_execution
            standalone_dag_processor""",
        "smtp": "smtp_password smtp_user",  # the connection smtp_default has them
        "traces": "otel_task_log_event",
        "webserver": """
            access_logfile access_logformat allow_raw_html_descriptions allowed_payload_size analytics_id analytics_tool
            analytics_url audit_view_excluded_events audit_view_included_events caching_hash_method dag_default_view
            dag_orientation default_dag_run_display_number default_ui_timezone error_logfile force_log_out_after
            instance_name_has_markup log_animation_speed log_auto_tailing_offset log_fetch_delay_sec
            max_form_memory_size max_form_parts navbar_logo_text_color num_recent_configurations_for_trigger page_size
            reload_on_plugin_change run_internal_api session_lifetime_days show_recent_stats_for_completed_runs
            show_trigger_form_if_no_params warn_deployment_exposure web_server_master_timeout worker_class
            worker_refresh_batch_size worker_refresh_interval x_frame_enabled""",
    },
}

# Of the providers amazon, apache-hive, cncf-kubernetes, edge3, elasticsearch, jdbc, keycloak, microsoft-azure, odbc,
# openlineage, opensearch, snowflake and yandex, as they were in September 2026.
_PROVIDERS = """
    aws aws_auth_manager aws_batch_executor aws_ecs_executor aws_eks_executor aws_lambda_executor azure_remote_logging
    edge elasticsearch elasticsearch_configs hive keycloak_auth_manager kubernetes_executor local_kubernetes_executor
    openlineage opensearch opensearch_configs providers.jdbc providers.odbc snowflake yandex"""

# Sections that a version, or a provider of it, reads.
_SECTIONS = {
    1: """
        admin api atlas celery celery_broker_transport_options cli core dask debug elasticsearch elasticsearch_configs
        email github_enterprise hive kerberos kubernetes kubernetes_annotations kubernetes_environment_variables
        kubernetes_labels kubernetes_node_selectors kubernetes_secrets ldap lineage mesos operators scheduler secrets
        security sentry smtp webserver""",
    2: f"""
        api celery celery_broker_transport_options celery_kubernetes_executor celery_result_backend_transport_options
        cli common.io core dask database debug email fab imap kerberos kubernetes_environment_variables
        kubernetes_secrets lineage logging metrics operators postgres scheduler secrets sensors sentry smtp traces
        triggerer webserver {_PROVIDERS}""",
    3: f"""
        api api_auth callbacks celery celery_broker_transport_options celery_kubernetes_executor
        celery_result_backend_transport_options common.io connection_test core dag_processor database debug email
        execution_api fab imap kerberos kubernetes_environment_variables kubernetes_secrets lineage logging metrics
        operators postgres profiling scheduler sdk secrets sensors sentry smtp standard state_store traces triggerer
        webserver workers {_PROVIDERS}""",
}

# Airflow can also read a secret setting from a command or a store: the same name with one of these suffixes.
_SUFFIXES = ("_cmd", "_secret")


def _name(text: str) -> Name:
    section, _, key = text.rpartition(".")
    return section, key


def _rows() -> Iterator[tuple[Name, ...]]:
    """Yield the names of each renamed option: in 1.10, 2 and 3, then any others."""
    for sections, keys in _MOVED.items():
        for key in keys.split():
            yield tuple((section, key) if section else _NONE for section in sections)
    for names in _RENAMED:
        yield tuple(map(_name, names))


_NAMES = {name: row for row in _rows() for name in row if name != _NONE}
_GONE = {
    (section, key): major
    for major, sections in _REMOVED.items()
    for section, keys in sections.items()
    for key in keys.split()
}


def rename(major: int, section: str, key: str) -> Name:
    """Return the section and key under which a major version reads a setting, given by its name in any version.

    A setting that the version lacks, or that was never renamed, is returned unchanged.
    """
    for suffix in ("", *_SUFFIXES):
        row = _NAMES.get((section.lower(), key.lower().removesuffix(suffix)))
        if row:
            found = row[major - 1]
            return (found[0], found[1] + suffix) if found != _NONE else (section, key)
    for names in _SECTIONS_RENAMED:
        if section.lower() in names:
            return names[major - 1], key
    return section, key


def has_had_names(section: str, key: str) -> bool:
    """Tell whether a setting, given by one of its names, has ever been renamed."""
    return (section.lower(), key.lower()) in _NAMES


def gone(major: int, section: str, key: str) -> bool:
    """Tell whether a major version lacks a setting that an older one had, under any name."""
    name = (section.lower(), key.lower())
    if row := _NAMES.get(name):
        return row[major - 1] == _NONE and any(earlier != _NONE for earlier in row[: major - 1])
    return _GONE.get(rename(major, *name), major + 1) <= major or _GONE.get(name, major + 1) <= major


def unknown(major: int, sections: Iterable[str]) -> dict[str, str]:
    """Return the sections that no Airflow of a major version reads, each with the most similar one that it does, or "".

    Pass sections as `rename` returns them.
    """
    known = _SECTIONS[major].split()
    strange = [section for section in dict.fromkeys(sections) if section.lower() not in known]
    return {section: next(iter(difflib.get_close_matches(section.lower(), known, 1, 0.8)), "") for section in strange}

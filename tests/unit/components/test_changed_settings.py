"""What another version of Airflow has renamed, removed or reads differently, in one sentence each."""

from __future__ import annotations

from typing import Any

import pytest

from aerodrome.checks.kept_settings import KeptSettings, SetByHand
from aerodrome.components.changed_settings import set_by_hand, settings_changed
from aerodrome.components.inputs import Inputs, Settings
from aerodrome.core.check import Finding
from aerodrome.secrets import Secret
from tests.unit.make import HOSTS, fleet, inputs

# Set by their newest names, so that the sentences about defaults do not get in the way.
DEFAULTS = {
    "api": {"fallback_page_limit": "100", "workers": "4"},
    "core": {"dag_ignore_file_syntax": "regexp", "dag_run_conf_overrides_params": "True"},
    "dag_processor": {"min_file_process_interval": "30"},
    "fab": {"expose_hostname": "True"},
    "scheduler": dict.fromkeys(
        ("catchup_by_default", "create_cron_data_intervals", "create_delta_data_intervals"), "True"
    ),
}


def of(version: str, config: dict[str, dict[str, Any]] | None = None, **given: Any) -> Inputs:
    merged = {section: {**DEFAULTS.get(section, {}), **(config or {}).get(section, {})} for section in DEFAULTS}
    merged |= {section: keys for section, keys in (config or {}).items() if section not in merged}
    environment = given.pop("environment", {})
    return inputs(fleet(version=version), settings=Settings(environment, merged), **given)


def changed(before: str, after: str, by_hand: list[SetByHand] | None = None, **given: Any) -> list[str]:
    return settings_changed(of(before, **given), of(after, **given), by_hand or [])


def hand(file: str, *names: str) -> SetByHand:
    return SetByHand("settings kept by hand", "ok", "", host="w1", file=file, names=names)


def test_nothing_changes_for_names_that_both_versions_have() -> None:
    given: dict[str, Any] = {
        "config": {"core": {"parallelism": "64"}},
        "environment": {"AIRFLOW__CORE__PARALLELISM": "9"},
    }
    assert changed("2.11.2", "3.3.2", **given) == []
    assert changed("3.3.2", "3.3.2", **given) == []


def test_renamed_settings_and_who_maps_them() -> None:
    given: dict[str, Any] = {
        "config": {"scheduler": {"dag_dir_list_interval": "30", "max_threads": "2"}},
        "environment": {
            "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "30",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "x",
        },
        "config_file": "[scheduler]\ndag_dir_list_interval = 5\n[broken\n",
        "host_settings": {"w1": Settings({}, {"scheduler": {"dag_dir_list_interval": "9"}})},
        "role_settings": {"worker": Settings({"AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": Secret("9")})},
    }
    by_hand = [hand("/etc/default/airflow.local", "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL", "AIRFLOW__NO__SECTION")]
    by_hand += [hand("/usr/local/airflow/airflow.cfg", "scheduler.dag_dir_list_interval")]
    found = changed("2.11.2", "3.3.2", by_hand, **given)
    assert [line for line in found if "dag_dir_list_interval" in line] == [
        "[scheduler] dag_dir_list_interval (hosts.yaml: airflow.config, hosts.yaml: hosts.w1.config) is "
        "[dag_processor] refresh_interval in 3.3.2: Aerodrome maps it",
        "[scheduler] dag_dir_list_interval (hosts.yaml: airflow.environment, hosts.yaml: roles.worker.environment, "
        "airflow.config_file, /etc/default/airflow.local on w1, /usr/local/airflow/airflow.cfg on w1) is "
        "[dag_processor] refresh_interval in 3.3.2: rename it after the upgrade, as 3.3.2 may ignore the old name",
    ]
    assert not [line for line in found if "sql_alchemy_conn" in line or "[no]" in line]


def test_removed_settings_and_what_replaces_them() -> None:
    given: dict[str, Any] = {
        "config": {"core": {"check_slas": "True", "dag_default_view": "x"}, "webserver": {"analytics_id": "1"}},
        "environment": {"AIRFLOW__API__AUTH_BACKENDS": "x"},
    }
    found = changed("2.11.2", "3.3.2", **given)
    assert [line for line in found if "delete" in line] == [
        "[core] check_slas (hosts.yaml: airflow.config) is removed in 3.3.2: delete it; it has no SLAs; "
        "deadline alerts replace them",
        "[webserver] analytics_id (hosts.yaml: airflow.config) is removed in 3.3.2: delete it",
        "[api] auth_backends (hosts.yaml: airflow.environment) is removed in 3.3.2: delete it; its REST API takes "
        "tokens; [fab] auth_backends is for FAB's own API",
    ]


def test_values_that_are_read_differently_but_no_secrets() -> None:
    given: dict[str, Any] = {
        "config": {"core": {"parallelism": "0", "xcom_backend": Secret("airflow.contrib.x")}},
        "config_file": "[core]\nparallelism = 0\nhostname_callable = socket:getfqdn\n",
    }
    found = changed("1.10.10", "3.3.2", **given)
    assert [line for line in found if "reads differently" in line] == [
        "[core] parallelism (hosts.yaml: airflow.config, airflow.config_file) has a value that 3.3.2 reads "
        "differently: it must be greater than 0",
        "[core] hostname_callable (airflow.config_file) has a value that 3.3.2 reads differently: write a dot "
        "before the function, not a colon",
    ]


def test_settings_that_only_the_version_in_use_knows() -> None:
    given: dict[str, Any] = {"config": {"fab": {"nonsense": "1"}, "kerberos": {"forwardable": "True"}}}
    assert changed("2.11.2", "3.3.2", **given) == []


def test_defaults_that_change_unless_they_are_set() -> None:
    old, new = inputs(fleet(version="2.11.2")), inputs(fleet(version="3.3.2", web_workers=2))
    assert settings_changed(old, new) == [
        "[api] fallback_page_limit is not set: its default was 100 and is 50 in 3.3.2 (lists of the REST API are "
        "shorter without a limit)",
        "[core] dag_ignore_file_syntax is not set: its default was regexp and is glob in 3.3.2 (each .airflowignore is "
        "read differently)",
        "[scheduler] catchup_by_default is not set: its default was True and is False in 3.3.2 (DAGs without catchup= "
        "make up for no past run)",
        "[scheduler] create_cron_data_intervals is not set: its default was True and is False in 3.3.2 (runs are "
        "named after their start)",
        "[scheduler] create_delta_data_intervals is not set: its default was True and is False in 3.3.2 (runs are "
        "named after their start)",
    ]
    assert not [line for line in changed("1.10.10", "2.11.2") if "xcom" not in line and "is not set" in line]


def test_a_generated_airflow_cfg_is_one_sentence() -> None:
    many = hand("/usr/local/airflow/airflow.cfg", *(f"core.key{number}" for number in range(400)))
    (*_, found) = changed("3.3.2", "3.3.2", [many])
    assert found == (
        "/usr/local/airflow/airflow.cfg on w1 sets 400 settings, as if Airflow itself had written it: a later version "
        "reads them as deliberate; move it aside"
    )


@pytest.mark.parametrize("config_file, path", [(None, "/usr/local/airflow/airflow.cfg"), ("[core]\n", "")])
def test_nodes_are_asked_for_what_they_set_themselves(config_file: str | None, path: str) -> None:
    asked: list[Any] = []
    found = hand("/etc/default/airflow.local", "AIRFLOW__CORE__X")

    def look(checks: Any) -> dict[str, list[Finding]]:
        asked.append(checks)
        return {"w1": [found], "w2": [Finding("?", "failed", "down")]}

    hosts = [HOSTS[name] for name in ("db1", "w1", "w2")]
    assert set_by_hand(inputs(config_file=config_file), hosts, look) == [found]
    assert asked == [{name: [KeptSettings(name, "/etc/default/airflow.local", path, "astro")] for name in ("w1", "w2")}]

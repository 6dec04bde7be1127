import configparser
import os


def found_connection(variable: str) -> bool:
    """Set `variable` from another version's variable or from airflow.cfg; tell whether a connection was found."""
    for name in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__SQL_ALCHEMY_CONN"):
        for suffix in ("", "_CMD"):
            if name + suffix in os.environ:
                os.environ.setdefault(variable + suffix, os.environ[name + suffix])
    if variable not in os.environ and variable + "_CMD" not in os.environ:
        config = configparser.RawConfigParser(strict=False)
        config.read(os.path.join(os.environ.get("AIRFLOW_HOME", "."), "airflow.cfg"))
        for section in ("database", "core"):
            url = config.get(section, "sql_alchemy_conn", fallback="")
            if url.startswith("postgres"):
                os.environ[variable] = url
                break
    return variable in os.environ or variable + "_CMD" in os.environ

"""The output of commands on hosts."""

from __future__ import annotations

import pytest

from aerodrome.report.output import json_document

LOG = "[2026-11-24T11:00:00.000+0000] {migration.py:216} INFO - Context impl PostgresqlImpl.\n"


@pytest.mark.parametrize(
    "text, document, rest",
    [
        (f'{LOG}[{{"dag_id": "a"}}]\n', '[{"dag_id": "a"}]', LOG),
        (f"{LOG}{LOG}[]\n{LOG}", "[]", LOG * 3),
        ('[\n  {\n    "a": [1]\n  }\n]\n', '[\n  {\n    "a": [1]\n  }\n]', ""),
        ('{"event": "a log line"}\n[{"dag_id": "[2026"}]', '[{"dag_id": "[2026"}]', '{"event": "a log line"}\n'),
        (f"{LOG}No data found\n", "[]", LOG),
        (f"{LOG}airflow: error\n", "", f"{LOG}airflow: error\n"),
        ("[1] is no document on a line of its own\n", "", "[1] is no document on a line of its own\n"),
        ("[" * 5000 + "\n", "", "[" * 5000 + "\n"),
        ("", "", ""),
    ],
)
def test_the_json_document_is_parted_from_the_log(text: str, document: str, rest: str) -> None:
    assert json_document(text) == (document, rest)

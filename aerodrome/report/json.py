"""Print plans and health for programs, as one JSON document on stdout."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aerodrome.components.health import Health
from aerodrome.core.plan import HostPlan
from aerodrome.report.sink import data, escape_json


def show_plans_as_json(plans: Sequence[HostPlan]) -> None:
    """Print what would change: `[{"host", "changes": [{"step", "resource", "summary", "diff", "restarts", …}]}]`.

    `way_back` is null for a change that is only worked out once what comes before it has been applied.
    """
    document = [
        {
            "host": plan.host,
            "changes": [
                {
                    "step": planned.step,
                    "resource": planned.resource,
                    "summary": planned.change.summary,
                    "diff": planned.change.diff,
                    "restarts": planned.change.restarts or None,
                    "way_back": planned.change.undo is not None if planned.change.script else None,
                }
                for planned in plan.changes
            ],
        }
        for plan in plans
    ]
    data(_json(document))


def show_status_as_json(rows: Sequence[Health]) -> None:
    """Print the health of each role; `since` is seconds since the epoch, by the host's clock."""
    document = [
        {
            "host": row.host,
            "role": row.role,
            "unit": row.unit,
            "active": row.state.active,
            "sub": row.state.sub,
            "restarts": row.state.restarts,
            "since": row.state.started or None,
            "version": row.version or None,
            "healthy": row.ok,
            "detail": row.detail,
            "body": row.body,
        }
        for row in rows
    ]
    data(_json(document))


def _json(document: object) -> str:
    """Return a document as JSON, with everything that a terminal could interpret escaped as JSON escapes it."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return escape_json(text)

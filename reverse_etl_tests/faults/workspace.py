"""What is in the sandbox, in the words of ``shop``, read through its own looking endpoints."""

from __future__ import annotations

from collections import Counter
from typing import Any

from reverse_etl_tests.faults.shop import FIRST_EVENT_AT, SEGMENT, Row
from reverse_etl_tests.servers.sandbox import RunningSandbox

Contents = Counter[tuple[str, str]]
"""Every thing in the workspace as ``(identifier, its values)``, with how often it is there."""


def contents(sandbox: RunningSandbox, kind: str) -> Contents:
    """The things that the sync's first query writes."""
    if kind == "objects":
        return Counter((each["object_id"], _as_text(each["attributes"])) for each in sandbox.objects())
    if kind == "events":
        return Counter(
            (each["person"]["id"], _as_text({**each["attributes"], "at": each["timestamp"], "name": each["name"]}))
            for each in sandbox.events()
        )
    key = "email" if kind == "emails" else "id"
    return Counter((each[key], _as_text({**each["attributes"], "email": each["email"]})) for each in sandbox.people())


def expected(row: Row, kind: str) -> tuple[str, str]:
    """What one row must be there."""
    values = row.attributes()
    if kind == "objects":
        return row.id, _as_text(values)
    if kind == "events":
        return row.id, _as_text({**values, "at": FIRST_EVENT_AT + 60 * row.number, "name": "visited"})
    return row.identifier(kind), _as_text({**values, "email": row.email})


def memberships(sandbox: RunningSandbox) -> dict[tuple[str, str], int]:
    """Relationships by person and object, each with its ``visits``."""
    return {(each["person"]["id"], each["object_id"]): each["attributes"]["visits"] for each in sandbox.relationships()}


def segment_members(sandbox: RunningSandbox) -> set[str]:
    """Ids of the people in the segment that the syncs fill."""
    return {
        person["id"] for segment in sandbox.segments() if segment["name"] == SEGMENT for person in segment["people"]
    }


def _as_text(values: dict[str, Any]) -> str:
    shown = {name: values[name] for name in ("email", "plan", "visits", "at", "name") if name in values}
    return repr(sorted(shown.items()))

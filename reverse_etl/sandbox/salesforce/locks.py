"""Records that are refused because their parent is locked, and any others that a fault is about.

A parent is locked while a request writes its children: of two requests at a time the later one's rows are refused.
A fault's ``details`` choose records: ``keys`` (values of key fields), ``parents`` (ids or external ids), ``every``
(each nth), or all; only where a request has more than ``most`` records. ``code`` and ``message`` are what is told;
``wrapped`` tells a lock as an error of a trigger, with the lock in its text.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from reverse_etl.sandbox.faults import Action
from reverse_etl.sandbox.salesforce.org import Org
from reverse_etl.sandbox.salesforce.problems import RecordError
from reverse_etl.sandbox.salesforce.table import Table
from reverse_etl.sandbox.salesforce.writing import Rows

OWN_FAULTS = {
    "row_lock": "UNABLE_TO_LOCK_ROW for records: keys, parents, every, most, wrapped in details",
    "refuse_records": "records are refused with a code and a message: as row_lock",
}
_LOCKED = "unable to obtain exclusive access to this record or 1 records"


def errors_of_fault(org: Org, table: Table, rows: Rows, fault: Action | None) -> None:
    """Gives the records that a fault is about their error."""
    if fault is None or fault.own not in OWN_FAULTS or rows.count <= fault.details.get("most", 0):
        return
    error = _error(fault)
    for n in _chosen(org, table, rows, fault.details):
        rows.errors[n] = rows.errors[n] or error


class InFlight:
    """The parents of the records that are being written now."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()

    def hold(self, parents: set[str]) -> set[str]:
        """Locks parents, by their ids; those that another request holds."""
        locked = {each for each in parents if self._held[each]}
        self._held.update(parents)
        return locked

    def release(self, parents: set[str]) -> None:
        """Frees parents again."""
        self._held.subtract(parents)


def parents_of(table: Table, rows: Rows) -> set[str]:
    """The ids of the records that rows refer to."""
    named = [rows.columns.get(name, []) for name, field in table.stored.items() if field.reference_to]
    return {each for values in named for each in values if isinstance(each, str)}


def refuse_locked(table: Table, rows: Rows, locked: set[str]) -> None:
    """Refuses the rows of locked parents."""
    for name, field in table.stored.items():
        if field.reference_to and locked:
            for n, parent in enumerate(rows.columns.get(name, [])):
                if parent in locked:
                    rows.errors[n] = rows.errors[n] or RecordError("UNABLE_TO_LOCK_ROW", _LOCKED)


def _error(fault: Action) -> RecordError:
    told = fault.details
    if fault.own == "refuse_records":
        message = told.get("message", "refused by a sandbox fault")
        return RecordError(
            told.get("code", "FIELD_CUSTOM_VALIDATION_EXCEPTION"), message, tuple(told.get("fields", ()))
        )
    if told.get("wrapped"):
        text = f"sandbox.Trigger: execution of AfterUpdate caused by: UNABLE_TO_LOCK_ROW, {_LOCKED}"
        return RecordError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", text)
    return RecordError("UNABLE_TO_LOCK_ROW", _LOCKED)


def _chosen(org: Org, table: Table, rows: Rows, details: dict[str, Any]) -> list[int]:
    chosen = range(rows.count)
    if "every" in details:
        chosen = range(details["every"] - 1, rows.count, details["every"])
    if "keys" not in details and "parents" not in details:
        return list(chosen)
    keys = {str(each).lower() for each in details.get("keys", [])}
    found = [
        n
        for name, field in table.stored.items()
        if keys and field.is_indexed and name in rows.columns
        for n in chosen
        if str(rows.columns[name][n]).lower() in keys
    ]
    for name, field in table.stored.items():
        if field.reference_to and name in rows.columns:
            ids = _ids(org.table(field.reference_to), details.get("parents", []))
            found += [n for n in chosen if rows.columns[name][n] in ids]
    return found


def _ids(parents: Table, named: list[str]) -> set[str]:
    places = {place for name in parents.index for each in named for place in parents.find(parents.stored[name], each)}
    return {*named, *map(parents.id_at, places)}

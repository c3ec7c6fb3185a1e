"""Writing many records of one object at once: first every row is judged, then those that may be are written.

A row of a collection and of a job are judged alike; their values are already cleaned, column by column.

Documented: required fields, unique values, external ids that several records have. Seen by clients: the same external
id twice in a request fails every row with it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Literal

from reverse_etl.sandbox.salesforce.problems import RecordError
from reverse_etl.sandbox.salesforce.schema import Field
from reverse_etl.sandbox.salesforce.table import Table

Operation = Literal["insert", "update", "upsert", "delete"]


class _Absent(Enum):
    ABSENT = "absent"


ABSENT: Final = _Absent.ABSENT
"""In place of a value: the row leaves the field alone."""


@dataclass(slots=True)
class Rows:
    """What is to be written.

    Attributes:
        columns: By the field's name, ``Id`` included: a cleaned value, null to clear or ``ABSENT`` for each row.
        errors: Why a row is refused already.
    """

    count: int
    columns: dict[str, list[Any]]
    errors: list[RecordError | None]


@dataclass(slots=True)
class Outcome:
    """What became of the rows.

    Attributes:
        places: Where each record is; -1 where it was refused before it had a place.
        created: Whether it is new.
    """

    places: list[int]
    created: list[bool]
    errors: list[RecordError | None] = field(default_factory=list)


def write(
    table: Table, operation: Operation, rows: Rows, key: Field | None, now: str, *, all_or_none: bool = False
) -> Outcome:
    """Writes them; ``key`` is the field that an upsert finds records by, None for ``Id``."""
    errors = rows.errors
    if operation == "insert" or key is not None:
        _refuse_ids(rows, operation)
    if operation == "upsert" and key is not None:
        targets = _found_by_key(table, rows, key)
    elif operation == "insert":
        targets = [-1] * rows.count
    else:
        targets = _found_by_id(table, rows, operation)
    if operation != "delete":
        _refuse_read_only(table, rows, targets)
        _refuse_missing(table, rows, targets)
        _refuse_taken(table, rows, targets, key if operation == "upsert" else None)
    if all_or_none and any(error is not None for error in errors):
        message = "Record rolled back because not all records were valid and the request was using AllOrNone header"
        rolled_back = RecordError("ALL_OR_NONE_OPERATION_ROLLED_BACK", message)
        errors[:] = [error or rolled_back for error in errors]
    outcome = Outcome(targets, [False] * rows.count, errors)
    is_open = [error is None for error in errors]
    if operation == "delete":
        for place in (target for target, open_ in zip(targets, is_open, strict=True) if open_):
            table.delete(place)
        return outcome
    _update(table, rows, [n for n, open_ in enumerate(is_open) if open_ and targets[n] >= 0], targets, now)
    _create(table, rows, [n for n, open_ in enumerate(is_open) if open_ and targets[n] < 0], outcome, now)
    return outcome


def _found_by_key(table: Table, rows: Rows, key: Field) -> list[int]:
    values = rows.columns.get(key.name, [ABSENT] * rows.count)
    folded = key.folded(values)
    found: list[Any] = list(map(table.index[key.name].get, folded))
    if None in folded or ABSENT in folded:
        for n, value in enumerate(values):
            if (value is None or value is ABSENT) and rows.errors[n] is None:
                rows.errors[n] = RecordError("MISSING_ARGUMENT", f"{key.name} not specified", (key.name,))
    if len(set(folded)) < rows.count:
        times = Counter(folded)
        for n, value in enumerate(folded):
            if times[value] > 1 and rows.errors[n] is None:
                message = f"Duplicate external id specified: {values[n]}"
                rows.errors[n] = RecordError("DUPLICATE_VALUE", message, (key.name,))
    targets = [-1 if place is None else place for place in found]
    for n, place in enumerate(targets):
        if isinstance(place, tuple):
            targets[n] = -1
            ids = ", ".join(map(table.id_at, place))
            message = f"More than one record found for external id field: [{ids}]"
            rows.errors[n] = rows.errors[n] or RecordError("DUPLICATE_EXTERNAL_ID", message, (key.name,))
    return targets


def _found_by_id(table: Table, rows: Rows, operation: Operation) -> list[int]:
    targets, seen = [-1] * rows.count, set()
    for n, value in enumerate(rows.columns.get("Id", [ABSENT] * rows.count)):
        if rows.errors[n] is not None:
            continue
        if value is None or value is ABSENT:
            if operation != "upsert":
                rows.errors[n] = RecordError("MISSING_ARGUMENT", f"Id not specified in an {operation} call")
            continue
        try:
            place = table.find_id(value)
        except ValueError:
            rows.errors[n] = RecordError(
                "MALFORMED_ID", f"{table.sobject.name} ID: id value of incorrect type", ("Id",)
            )
            continue
        if place is None:
            gone = table.was_deleted(value)
            rows.errors[n] = (
                RecordError("ENTITY_IS_DELETED", "entity is deleted")
                if gone
                else RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
            )
        elif place in seen:
            rows.errors[n] = RecordError("DUPLICATE_VALUE", f"Duplicate id specified: {value}", ("Id",))
        else:
            seen.add(place)
            targets[n] = place
    return targets


def _refuse_ids(rows: Rows, operation: Operation) -> None:
    for n, value in enumerate(rows.columns.get("Id", [])):
        if value is not None and value is not ABSENT and rows.errors[n] is None:
            message = f"cannot specify Id in an {operation} call"
            rows.errors[n] = RecordError("INVALID_FIELD_FOR_INSERT_UPDATE", message, ("Id",))


def _refuse_read_only(table: Table, rows: Rows, targets: list[int]) -> None:
    for name, values in rows.columns.items():
        found = table.sobject.field(name)
        if found is None or name == "Id" or (found.createable and found.updateable):
            continue
        for n, value in enumerate(values):
            may = found.createable if targets[n] < 0 else found.updateable
            if value is not ABSENT and not may and rows.errors[n] is None:
                message = f"Unable to create/update fields: {name}. Please check the security settings of this field"
                rows.errors[n] = RecordError("INVALID_FIELD_FOR_INSERT_UPDATE", message, (name,))


def _refuse_missing(table: Table, rows: Rows, targets: list[int]) -> None:
    missing: dict[int, list[str]] = {}
    for name, found in table.stored.items():
        if not found.is_required:
            continue
        values = rows.columns.get(name)
        for n, target in enumerate(targets):
            value = ABSENT if values is None else values[n]
            if value is None or (value is ABSENT and target < 0):
                missing.setdefault(n, []).append(name)
    for n, names in missing.items():
        if rows.errors[n] is None:
            message = f"Required fields are missing: [{', '.join(names)}]"
            rows.errors[n] = RecordError("REQUIRED_FIELD_MISSING", message, tuple(names))


def _refuse_taken(table: Table, rows: Rows, targets: list[int], key: Field | None) -> None:
    """Unique values of other records, and of rows before."""
    for name, values in rows.columns.items():
        found = table.stored.get(name)
        if found is None or not found.unique or (key is not None and name == key.name):
            continue
        keys, claimed = table.index[name], set()
        for n, value in enumerate(values):
            if value is None or value is ABSENT or rows.errors[n] is not None:
                continue
            folded = found.fold(value)
            holder = keys.get(folded)
            if holder is not None and holder != targets[n]:
                where = table.id_at(holder if isinstance(holder, int) else holder[0])
                message = f"duplicate value found: {name} duplicates value on record with id: {where}"
                rows.errors[n] = RecordError("DUPLICATE_VALUE", message, (name,))
            elif folded in claimed:
                message = f"duplicate value found: {name} duplicates value on another record of this request"
                rows.errors[n] = RecordError("DUPLICATE_VALUE", message, (name,))
            else:
                claimed.add(folded)


def _update(table: Table, rows: Rows, chosen: list[int], targets: list[int], now: str) -> None:
    if not chosen:
        return
    for name, values in rows.columns.items():
        found = table.stored.get(name)
        if found is None:
            continue
        column = table.columns[name]
        for n in chosen:
            value, place = values[n], targets[n]
            if value is ABSENT or value == column[place]:
                continue
            if found.is_indexed:
                if column[place] is not None:
                    table.drop_key(found, column[place], place)
                if value is not None:
                    table.add_key(found, value, place)
            column[place] = value
    for n in chosen:
        table.modified[targets[n]] = now


def _create(table: Table, rows: Rows, chosen: list[int], outcome: Outcome, now: str) -> None:
    if not chosen:
        return
    first = len(table.created)
    for name, found in table.stored.items():
        values = rows.columns.get(name)
        if values is None:
            table.columns[name].extend([found.default] * len(chosen))
            continue
        new = values if len(chosen) == rows.count else [values[n] for n in chosen]
        if ABSENT in new:
            new = [found.default if value is ABSENT else value for value in new]
        table.columns[name].extend(new)
        if found.is_indexed:
            table.add_keys(found, new, first)
    table.created.extend([now] * len(chosen))
    table.modified.extend([now] * len(chosen))
    for offset, n in enumerate(chosen):
        outcome.places[n] = first + offset
        outcome.created[n] = True

"""Collections: up to 200 records of one object a call, each answered in its place.

Documented: 200 records; results in the order sent; ``allOrNone`` is false unless given; an upsert's key is an External
ID field. Inferred, and a switch (``malformed``): whether an unknown field or a text that is no date fails its record or
the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from reverse_etl.sandbox.base import json_answer
from reverse_etl.sandbox.faults import Action
from reverse_etl.sandbox.salesforce import values
from reverse_etl.sandbox.salesforce.locks import errors_of_fault, refuse_locked
from reverse_etl.sandbox.salesforce.org import Org
from reverse_etl.sandbox.salesforce.problems import RecordError, RefusedValueError, RequestError
from reverse_etl.sandbox.salesforce.schema import Field, SObject
from reverse_etl.sandbox.salesforce.table import Table
from reverse_etl.sandbox.salesforce.writing import ABSENT, Operation, Outcome, Rows, write

MOST_RECORDS = 200


@dataclass(frozen=True, slots=True)
class Collection:
    """Records to insert, update or upsert.

    Attributes:
        key: The field that an upsert finds records by.
    """

    operation: Operation
    table: Table
    key: Field | None
    records: list[dict[str, Any]]
    all_or_none: bool

    def rows(self, org: Org) -> Rows:
        """The records' values, cleaned.

        Raises:
            RequestError: One is malformed, where that fails the request.
        """
        return rows_of(org, self.table, self.records)


def collection(org: Org, operation: Operation, body: dict[str, Any], upsert_by: tuple[str, str] | None) -> Collection:
    """What a body asks for; ``upsert_by`` are the object and the key field that the path names.

    Raises:
        RequestError: The request as a whole is malformed.
    """
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records) or not records:
        raise RequestError(400, "REQUIRED_FIELD_MISSING", "The records of the request are missing", ("records",))
    if len(records) > MOST_RECORDS:
        message = f"Record limit reached: {len(records)} records; the maximum is {MOST_RECORDS}"
        raise RequestError(400, "EXCEEDED_ID_LIMIT", message)
    table = org.table(upsert_by[0] if upsert_by else _type_of(records[0]), writes=True)
    key = None if upsert_by is None else external_id(table.sobject, upsert_by[1])
    for each in records:
        if _type_of(each).lower() != table.sobject.name.lower():
            raise RequestError(400, "INVALID_TYPE", f"All records must be of type {table.sobject.name}")
    return Collection(operation, table, key, records, body.get("allOrNone") is True)


def write_collection(
    org: Org, asked: Collection, locked: set[str], fault: Action | None, *, saves_duplicates: bool = False
) -> Response:
    """Writes a collection; records of the ``locked`` parents, named by their ids, are refused.

    New records that meet the org's duplicate rule are too, unless it gives an alert and the request saves them.

    Raises:
        RequestError: A record is malformed, where that fails the request.
    """
    rows = asked.rows(org)
    errors_of_fault(org, asked.table, rows, fault)
    refuse_locked(asked.table, rows, locked)
    if not (saves_duplicates and org.settings.duplicate_action == "alert"):
        _refuse_duplicates(org, asked, rows)
    outcome = write(asked.table, asked.operation, rows, asked.key, org.now(), all_or_none=asked.all_or_none)
    results = results_of(asked.table, outcome, told_created=asked.operation == "upsert")
    if fault is not None and fault.own == "missing_results":
        del results[1::2]
    return json_answer(200, results)


def _refuse_duplicates(org: Org, asked: Collection, rows: Rows) -> None:
    """Refuses new records with a value of the rule's field that a record has."""
    name = org.settings.duplicate_field
    if name not in asked.table.columns or asked.operation == "update":
        return
    live = [each for each in asked.table.records() if not each["IsDeleted"]]
    taken = {str(each[name]).casefold() for each in live if each[name] is not None}
    known = {str(each[asked.key.name]).casefold() for each in live} if asked.key is not None else set()
    for n, value in enumerate(rows.columns.get(name, [ABSENT] * rows.count)):
        is_new = asked.key is None or str(rows.columns[asked.key.name][n]).casefold() not in known
        if is_new and str(value).casefold() in taken and rows.errors[n] is None:
            rows.errors[n] = RecordError("DUPLICATES_DETECTED", "Use one of these records?")


def delete_collection(org: Org, ids: str, all_or_none: str, fault: Action | None) -> Response:
    """Deletes records of any objects by their ids.

    Raises:
        RequestError: There are none, or too many.
    """
    wanted = [each.strip() for each in ids.split(",") if each.strip()]
    if not wanted or len(wanted) > MOST_RECORDS:
        raise RequestError(400, "EXCEEDED_ID_LIMIT", f"Between 1 and {MOST_RECORDS} ids can be deleted")
    results: list[dict[str, Any]] = [{}] * len(wanted)
    by_prefix = {table.sobject.prefix: table for table in org}
    groups: dict[str, list[int]] = {}
    for n, each in enumerate(wanted):
        groups.setdefault(each[:3] if each[:3] in by_prefix else "001", []).append(n)
    for prefix, places in groups.items():
        table = by_prefix[prefix]
        rows = Rows(len(places), {"Id": [wanted[n] for n in places]}, [None] * len(places))
        errors_of_fault(org, table, rows, fault)
        outcome = write(table, "delete", rows, None, org.now(), all_or_none=all_or_none == "true")
        for n, result in zip(places, results_of(table, outcome, told_created=False), strict=True):
            results[n] = result
    if fault is not None and fault.own == "missing_results":
        del results[1::2]
    return json_answer(200, results)


def external_id(sobject: SObject, name: str) -> Field:
    """The External ID field of a name.

    Raises:
        RequestError: It is none.
    """
    found = sobject.field(name)
    if found is None or not found.external_id:
        message = f"Provided external ID field does not exist or is not accessible: {name}"
        raise RequestError(404, "NOT_FOUND", message)
    return found


def rows_of(org: Org, table: Table, records: list[dict[str, Any]]) -> Rows:
    """The records' values, cleaned, column by column.

    Raises:
        RequestError: One is malformed, where that fails the request.
    """
    fields = {field.name.lower(): field for field in table.sobject.fields}
    relations = {field.relationship.lower(): field for field in table.sobject.fields if field.relationship}
    count = len(records)
    rows = Rows(count, {}, [None] * count)
    for n, record in enumerate(records):
        for name, value in record.items():
            if name == "attributes":
                continue
            field = relations.get(name.lower()) if isinstance(value, dict) else fields.get(name.lower())
            try:
                cleaned = _cleaned(org, table, field, name, value)
            except RefusedValueError as refused:
                error = refused.error
                if org.settings.malformed == "request" and (field is None or error.code == "JSON_PARSER_ERROR"):
                    raise RequestError(400, error.code, error.message) from None
                rows.errors[n] = rows.errors[n] or error
                continue
            if field is not None:
                rows.columns.setdefault(field.name, [ABSENT] * count)[n] = cleaned
    return rows


def results_of(table: Table, outcome: Outcome, *, told_created: bool) -> list[dict[str, Any]]:
    """A result for each record, in the order sent."""
    results: list[dict[str, Any]] = []
    for place, created, error in zip(outcome.places, outcome.created, outcome.errors, strict=True):
        if error is not None:
            known = {"id": table.id_at(place)} if place >= 0 else {}
            results.append({**known, "success": False, "errors": [error.as_json()]})
        else:
            result = {"id": table.id_at(place), "success": True, "errors": []}
            results.append({**result, "created": created} if told_created else result)
    return results


def _cleaned(org: Org, table: Table, field: Field | None, name: str, value: Any) -> Any:
    if field is None:
        message = f"No such column '{name}' on sobject of type {table.sobject.name}"
        raise RefusedValueError(RecordError("INVALID_FIELD", message, (name,)))
    if field.name == "Id":
        return value if isinstance(value, str) else None
    if not isinstance(value, dict):
        cleaned = values.from_json(field, value)
        return org.parent_id(field, cleaned) if field.type == "reference" and cleaned is not None else cleaned
    keys = [(each, told) for each, told in value.items() if each != "attributes"]
    key = org.parent_key(field, keys[0][0]) if len(keys) == 1 else None
    if key is None:
        raise RefusedValueError(
            RecordError("INVALID_FIELD", f"{name} names no record by one external id", (field.name,))
        )
    return org.parent_by_key(field, key, values.from_json(key, keys[0][1]))


def _type_of(record: dict[str, Any]) -> str:
    attributes = record.get("attributes")
    found = attributes.get("type") if isinstance(attributes, dict) else None
    if not isinstance(found, str):
        raise RequestError(400, "INVALID_TYPE", "Each record needs its type in attributes")
    return found

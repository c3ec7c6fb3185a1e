"""One record a call: created, read, changed and deleted by its id or by an external id.

Documented: an upsert answers 201 when it creates and 200 when it changes, 300 with the addresses of the records when
several match; ``updateOnly=true`` creates nothing; a change by id and a deletion answer 204.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from reverse_etl.sandbox.base import json_answer
from reverse_etl.sandbox.faults import Action
from reverse_etl.sandbox.salesforce.composite import rows_of
from reverse_etl.sandbox.salesforce.locks import errors_of_fault
from reverse_etl.sandbox.salesforce.org import Org
from reverse_etl.sandbox.salesforce.problems import RefusedValueError, RequestError, not_found
from reverse_etl.sandbox.salesforce.schema import Field
from reverse_etl.sandbox.salesforce.table import Table
from reverse_etl.sandbox.salesforce.values import from_text
from reverse_etl.sandbox.salesforce.writing import Operation, Rows, write


class Addressed:
    """A record as a path names it: an object, a field and a value."""

    def __init__(self, org: Org, version: str, path: dict[str, str], *, writes: bool) -> None:
        self.table = org.table(path["object"], writes=writes)
        self.base = f"/services/data/v{version}/sobjects/{self.table.sobject.name}"
        self.key = self._key(path.get("field", "Id"))
        self.value = path["value"]

    def places(self) -> tuple[int, ...]:
        """The records that it names.

        Raises:
            RequestError: It is no id.
        """
        if self.key.name != "Id":
            return self.table.find(self.key, self._kept())
        try:
            place = self.table.find_id(self.value)
        except ValueError:
            raise not_found("Provided external ID field does not exist or is not accessible: Id") from None
        return () if place is None else (place,)

    def _kept(self) -> Any:
        try:
            return from_text(self.key, self.value)
        except RefusedValueError as refused:
            raise RequestError(400, refused.error.code, refused.error.message, refused.error.fields) from None

    def place(self) -> int:
        """The one record that it names.

        Raises:
            RequestError: There is none.
        """
        found = self.places()
        if not found:
            raise not_found()
        return found[0]

    def several(self) -> Response | None:
        """The answer where several records have the value."""
        found = self.places()
        if len(found) < 2:
            return None
        return json_answer(300, [f"{self.base}/{self.table.id_at(place)}" for place in found])

    def _key(self, name: str) -> Field:
        found = self.table.sobject.field(name)
        if found is None or not (found.name == "Id" or found.external_id or found.id_lookup):
            raise not_found(f"Provided external ID field does not exist or is not accessible: {name}")
        return found


def create(org: Org, name: str, body: dict[str, Any], fault: Action | None) -> Response:
    """A new record."""
    table = org.table(name, writes=True)
    return _written(org, table, "insert", rows_of(org, table, [body]), None, fault)


def read(addressed: Addressed, version: str, fields: str | None) -> Response:
    """A record, or some of its fields."""
    several = addressed.several()
    if several is not None:
        return several
    place, table = addressed.place(), addressed.table
    record = table.record(place)
    if fields:
        record = {name: record[name] for name in fields.split(",") if name in record}
    url = f"/services/data/v{version}/sobjects/{table.sobject.name}/{table.id_at(place)}"
    return json_answer(200, {"attributes": {"type": table.sobject.name, "url": url}, **record})


def change(
    org: Org, addressed: Addressed, body: dict[str, Any], fault: Action | None, *, update_only: bool
) -> Response:
    """A change by id, or an upsert by an external id."""
    table, key = addressed.table, addressed.key
    if key.name == "Id":
        rows = rows_of(org, table, [body])
        rows.columns["Id"] = [addressed.value]
        return _written(org, table, "update", rows, None, fault)
    several = addressed.several()
    if several is not None:
        return several
    if update_only and not addressed.places():
        raise not_found()
    if any(each.lower() == key.name.lower() for each in body):
        message = f"The {key.name} field should not be specified in the sobject data."
        raise RequestError(400, "INVALID_FIELD", message, (key.name,))
    return _written(org, table, "upsert", rows_of(org, table, [{**body, key.name: addressed.value}]), key, fault)


def delete(org: Org, addressed: Addressed, fault: Action | None) -> Response:
    """A deletion."""
    several = addressed.several()
    if several is not None:
        return several
    place = addressed.place()
    rows = Rows(1, {"Id": [addressed.table.id_at(place)]}, [None])
    return _written(org, addressed.table, "delete", rows, None, fault)


def _written(
    org: Org, table: Table, operation: Operation, rows: Rows, key: Field | None, fault: Action | None
) -> Response:
    errors_of_fault(org, table, rows, fault)
    outcome = write(table, operation, rows, key, org.now())
    error = outcome.errors[0]
    if error is not None:
        status = 404 if error.code in ("ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY") and not error.fields else 400
        raise RequestError(status, error.code, error.message, error.fields)
    if operation in ("update", "delete"):
        return Response(status_code=204)
    result: dict[str, Any] = {"id": table.id_at(outcome.places[0]), "success": True, "errors": []}
    if operation == "insert":
        return json_answer(201, result)
    return json_answer(201 if outcome.created[0] else 200, {**result, "created": outcome.created[0]})

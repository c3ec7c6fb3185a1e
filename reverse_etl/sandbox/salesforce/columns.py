"""The columns of a job's CSV, cleaned: what is plainly right by the column, the rest value by value as in JSON.

Documented: an empty value leaves the field alone, ``#N/A`` clears it; a parent is named by ``Rel__r.Ext__c``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.sandbox.salesforce import values
from reverse_etl.sandbox.salesforce.org import Org
from reverse_etl.sandbox.salesforce.problems import RecordError, RefusedValueError
from reverse_etl.sandbox.salesforce.schema import NUMBERS, Field, SObject
from reverse_etl.sandbox.salesforce.writing import ABSENT, Rows

CLEARS: Final = "#N/A"
_EXACT_DIGITS = 15
_PLAIN_INSTANT = r"^[1-8]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)$"
_PLAIN_EMAIL = r"^[\w.+-]+@[\w-]+(\.[\w-]+)+$"
"""Not all that there are: the rest is told value by value."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What a column's name means.

    Attributes:
        parent_key: The parent's field whose value the column has; null where the values are the field's own.
        is_spelt: Whether the name is written as describe has it.
    """

    field: Field
    parent_key: Field | None = None
    is_spelt: bool = True


def heading(org: Org, sobject: SObject, name: str) -> Heading | None:
    """The field that a column's name means; None where there is none."""
    relation, dot, rest = name.partition(".")
    if not dot:
        field = sobject.field(name)
        return None if field is None else Heading(field, is_spelt=field.name == name)
    for field in sobject.fields:
        if field.relationship is not None and field.relationship.lower() == relation.lower():
            key = org.parent_key(field, rest)
            spelt = key is not None and name == f"{field.relationship}.{key.name}"
            return None if key is None else Heading(field, key, spelt)
    return None


def rows_of(org: Org, headings: list[Heading], sent: pa.Table) -> Rows:
    """A part of the CSV as rows to write; ``sent`` has a text column for each heading."""
    rows = Rows(sent.num_rows, {}, [None] * sent.num_rows)
    for place, each in enumerate(headings):
        column = sent.column(place).combine_chunks()
        rows.columns[each.field.name] = _cleaned(org, each, column, rows.errors)
    return rows


def _cleaned(org: Org, each: Heading, column: pa.Array, errors: list[RecordError | None]) -> list[Any]:
    field = each.field
    is_empty = pc.equal(column, "")
    clears = pc.equal(column, CLEARS)
    decided = _plainly_right(each, column)
    if decided is not None:
        decided = pc.if_else(pc.or_(is_empty, clears), pa.scalar(None, decided.type), decided)
    cleaned: list[Any] = [None] * len(column) if decided is None else decided.to_pylist()
    if pc.any(is_empty).as_py():
        for n in pc.indices_nonzero(is_empty).to_pylist():
            cleaned[n] = ABSENT
    known: dict[str, Any] = {}
    undecided = pc.and_not(pa.array([True] * len(column)) if decided is None else pc.is_null(decided), is_empty)
    for n in pc.indices_nonzero(undecided).to_pylist():
        text = column[n].as_py()
        if text not in known:
            known[text] = _one(org, each, text)
        value = known[text]
        if isinstance(value, RecordError):
            errors[n] = errors[n] or value
            value = ABSENT
        cleaned[n] = value
    if field.name == "Id":
        return [None if value is ABSENT else value for value in cleaned]
    return cleaned


def _one(org: Org, each: Heading, text: str) -> Any:
    """One value as it is kept, or why it is refused."""
    try:
        if text == CLEARS:
            return values.clear(each.field)
        if each.parent_key is not None:
            return org.parent_by_key(each.field, each.parent_key, values.from_text(each.parent_key, text))
        if each.field.type == "reference":
            return org.parent_id(each.field, text)
        return values.from_text(each.field, text)
    except RefusedValueError as refused:
        return refused.error


def _plainly_right(each: Heading, column: pa.Array) -> pa.Array | None:
    """The values that can be told at once, null for the others; None where none can."""
    field = each.field
    if each.parent_key is not None or field.type == "reference":
        return None
    if field.name == "Id":
        return column
    if field.type in NUMBERS:
        return _numbers(field, column)
    told: dict[str, Callable[[Field, pa.Array], pa.Array]] = {"boolean": _truths, "date": _days, "datetime": _instants}
    return told.get(field.type, _texts)(field, column)


def _texts(field: Field, column: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(column)
    length = pc.utf8_length(trimmed)
    right = pc.and_(pc.less_equal(length, field.length), pc.greater(length, 0))
    if field.restricted:
        right = pc.and_(right, pc.is_in(trimmed, pa.array(field.options, pa.string())))
    elif field.type == "email":
        right = pc.and_(right, pc.match_substring_regex(trimmed, _PLAIN_EMAIL))
    return _where(right, trimmed)


def _numbers(field: Field, column: pa.Array) -> pa.Array:
    before = min(field.precision - field.scale, _EXACT_DIGITS - field.scale)
    after = rf"(\.\d{{1,{field.scale}}})?" if field.scale else ""
    right = pc.match_substring_regex(column, rf"^-?\d{{1,{before}}}{after}$")
    return _where(right, column).cast(pa.int64() if field.type == "int" else pa.float64())


def _truths(_field: Field, column: pa.Array) -> pa.Array:
    lower = pc.utf8_lower(column)
    right = pc.is_in(lower, pa.array(["true", "false"]))
    return _where(right, pc.equal(lower, "true"))


def _days(_field: Field, column: pa.Array) -> pa.Array:
    shaped = _where(pc.match_substring_regex(column, f"^{values.DAY}$"), column)
    try:
        shaped.cast(pa.date32())
    except pa.ArrowInvalid:
        return pa.nulls(len(column), pa.string())
    return shaped


def _instants(_field: Field, column: pa.Array) -> pa.Array:
    shaped = _where(pc.match_substring_regex(column, _PLAIN_INSTANT), column)
    try:
        instants = shaped.cast(pa.timestamp("ms", "UTC"))
    except pa.ArrowInvalid:
        return pa.nulls(len(column), pa.string())
    return pc.strftime(instants, format="%Y-%m-%dT%H:%M:%S+0000")


def _where(right: pa.Array, column: pa.Array) -> pa.Array:
    return pc.if_else(right, column, pa.scalar(None, column.type))

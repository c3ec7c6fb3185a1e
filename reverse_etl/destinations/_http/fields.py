"""Rows checked against a service's fields before they are sent: the service would refuse such rows itself.

A sync whose columns are no fields at all ends before its first row; a value that does not fit rejects its row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import numbers_where
from reverse_etl.changeset.text import as_text
from reverse_etl.config.model import nearest
from reverse_etl.destinations.base import KeptBack
from reverse_etl.errors import ConfigError
from reverse_etl.report import Outcome, Reason

Kind = Literal["text", "number", "integer", "boolean", "date", "datetime", "choice", "choices", "other"]

NUMBER: Final = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
"""A number as JSON writes it."""

BOOLEANS: Final = {"0": "false", "1": "true"}
"""What an integer is in a field of booleans."""

_INTEGER: Final = r"^-?[0-9]+$"
_DAY: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_MS_A_DAY: Final = 86_400_000
_TO_BE_RENAMED: Final = "Write `... AS {near}` in the query, or that name in `columns` where the sync has one."
_SHOWN_OPTIONS: Final = 8


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a kind of record.

    Attributes:
        name: As the service's API has it, which is the name of its column.
        kind: What it holds; ``other`` is not looked at.
        max_length: Characters of a text; None where it is not known.
        options: The values of a choice; empty where they are not known.
        is_required: Whether a new record needs a value.
        is_writable: Whether the service lets it be set.
        is_unique: Whether no two records have the same value, so that it identifies them.
    """

    name: str
    kind: Kind = "other"
    max_length: int | None = None
    options: tuple[str, ...] = ()
    is_required: bool = False
    is_writable: bool = True
    is_unique: bool = False


def require_fields(fields: Mapping[str, Field], names: Iterable[str], *, where: str, word: str) -> None:
    """Makes sure that columns are fields that can be set.

    Args:
        fields: By name.
        names: The columns'.
        where: Destination and kind of record, for messages: ``destination crm, contacts``.
        word: What the service calls a field.

    Raises:
        ConfigError: One is none, or is read-only.
    """
    for name in names:
        if name not in fields:
            raise _unknown(fields, name, where=where, word=word)
        if not fields[name].is_writable:
            hint = "Leave the column out of the query, or of `columns` or the transform where the sync has one."
            raise ConfigError(f"{where}: {word} {name} is read-only.", hint=hint)


def require_key(fields: Mapping[str, Field], name: str, *, where: str, word: str, key: str = "identify_by") -> None:
    """Makes sure that a field identifies records. Raises ConfigError."""
    if name not in fields:
        raise _unknown(fields, name, where=where, word=word, renamed=False)
    if not fields[name].is_unique:
        unique = [each.name for each in fields.values() if each.is_unique]
        raise ConfigError(
            f"{where}: {word} {name} is not unique, so that it identifies no record.",
            hint=f"Set `{key}` to one of: {', '.join(unique)}." if unique else f"Make a unique {word} there.",
        )


def require_complete(fields: Mapping[str, Field], names: Sequence[str], *, where: str, word: str) -> None:
    """Makes sure that new records can have all that they need. Raises ConfigError."""
    for each in fields.values():
        if each.is_required and each.is_writable and each.name not in names:
            raise ConfigError(
                f"{where}: a new record needs {word} {each.name}, which the query does not return.",
                hint="Select it, or write `write: update_only`.",
            )


def kept_back(batch: pa.RecordBatch, fields: Iterable[Field], *, creates: bool = False) -> list[KeptBack]:
    """The rows with a value that its field does not take, one entry a fault and column; a row has one outcome.

    Args:
        batch: Rows with ``ROW_NUMBER``. Columns that are missing are passed over, and so are empty values.
        fields: Those to hold columns against.
        creates: Whether an empty value of a required field is a fault.
    """
    found: list[KeptBack] = []
    taken = pa.array([False] * batch.num_rows)
    for field in fields:
        index = batch.schema.get_field_index(field.name)
        if index < 0:
            continue
        column, about = batch.column(index), batch.schema.field(index)
        for mask, why in _faults(column, about, field, creates=creates):
            mask = pc.and_not(pc.fill_null(mask, False), taken)
            rows = numbers_where(batch, mask)
            if len(rows):
                taken = pc.or_(taken, mask)
                found.append(KeptBack(rows, Outcome.REJECTED, why))
    return found


def _unknown(fields: Mapping[str, Field], name: str, *, where: str, word: str, renamed: bool = True) -> ConfigError:
    near = nearest(name, fields)
    hint = f"Make it there, or leave the column out. {word.capitalize()} names are those of the API, not labels."
    if near is not None:
        hint = f"Did you mean `{near}`? {_TO_BE_RENAMED.format(near=near) if renamed else ''}".rstrip()
    return ConfigError(f"{where}: there is no {word} {name}.", hint=hint)


def _faults(
    column: pa.Array, about: pa.Field, field: Field, *, creates: bool
) -> Iterator[tuple[pa.BooleanArray, Reason]]:
    """Where a column does not fit its field, and why; null counts as false."""

    def because(reason: str, message: str) -> Reason:
        return Reason(reason, field.name, f"column `{field.name}` {message}.")

    texts = as_text(column, about)
    empty = pc.equal(pc.fill_null(texts, ""), "")
    if creates and field.is_required:
        yield empty, because("required", "is empty, and a new record needs it")
    filled = pc.invert(empty)
    if field.kind == "text" and field.max_length is not None:
        too_long = pc.greater(pc.utf8_length(texts), field.max_length)
        yield too_long, because("too_long", f"has more than {field.max_length:,} characters")
    elif field.kind in ("choice", "choices") and field.options:
        shown = ", ".join(field.options[:_SHOWN_OPTIONS]) + (", …" if len(field.options) > _SHOWN_OPTIONS else "")
        known = _are_options(texts, field)
        yield pc.and_not(filled, known), because("invalid_option", f"holds no option of its field: {shown}")
    elif (fits := _fits(column, texts, field.kind)) is not None:
        yield pc.and_not(filled, pc.fill_null(fits, False)), because("wrong_type", f"holds no {field.kind}")


def _are_options(texts: pa.StringArray, field: Field) -> pa.BooleanArray:
    options = pa.array(field.options, pa.string())
    if field.kind == "choice":
        return pc.is_in(texts, value_set=options)
    # Several values are one text with semicolons; most columns have few different ones.
    different = texts.dictionary_encode()
    values = different.dictionary.to_pylist()
    known = [set(value.strip(";").split(";")) <= set(field.options) for value in values]
    return pc.fill_null(pc.take(pa.array(known, pa.bool_()), different.indices), False)


def _fits(column: pa.Array, texts: pa.StringArray, kind: Kind) -> pa.BooleanArray | None:
    """Whether each value is of a kind; None where there is nothing to look at."""
    given = column.type
    if kind == "boolean":
        # Some databases have no booleans but 0 and 1.
        words = BOOLEANS if pa.types.is_integer(given) else BOOLEANS.values()
        return None if pa.types.is_boolean(given) else pc.is_in(texts, value_set=pa.array([*words]))
    if pa.types.is_boolean(given) and kind in ("number", "integer", "date", "datetime"):
        return pa.array([False] * len(texts))
    if kind == "number":
        return None if pa.types.is_integer(given) else pc.match_substring_regex(texts, NUMBER)
    if kind == "integer":
        return None if pa.types.is_integer(given) else pc.match_substring_regex(texts, _INTEGER)
    if kind == "date":
        return None if pa.types.is_date(given) else _are_days(column, texts)
    return None


def _are_days(column: pa.Array, texts: pa.StringArray) -> pa.BooleanArray:
    """Whether values are days: a time is one at midnight in UTC, and so are milliseconds of it."""
    if pa.types.is_timestamp(column.type):
        return pc.equal(pc.floor_temporal(column, unit="day"), column)
    if pa.types.is_integer(column.type):
        return pc.equal(column, pc.multiply(pc.divide(column, _MS_A_DAY), _MS_A_DAY))
    days = pc.if_else(pc.match_substring_regex(texts, _DAY), texts, pa.scalar(None, pa.string()))
    # A day that its month has not is read as one of the next month.
    read = pc.strftime(pc.strptime(days, "%Y-%m-%d", "s", error_is_null=True), "%Y-%m-%d")
    return pc.or_(pc.fill_null(pc.equal(read, texts), False), pc.match_substring_regex(texts, _INTEGER))

"""The destination's columns, each made of columns of the query, of constants, or of facts of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import reduce
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.config.column_values import ColumnValue
from reverse_etl.config.problems import key_text
from reverse_etl.errors import ConfigError
from reverse_etl.shaping.convert import CAN, converted, text_of
from reverse_etl.shaping.kinds import WORDS, ColumnKind, kind_of, missing_column
from reverse_etl.sources.base import marked

_THEN: Final[dict[str, Callable[[Any], Any]]] = {
    "trim": pc.utf8_trim_whitespace,
    "lower": pc.utf8_lower,
    "upper": pc.utf8_upper,
    "capitalize": pc.utf8_capitalize,
    "title": pc.utf8_title,
    "single_spaces": lambda texts: pc.replace_substring_regex(texts, pattern=r"\s+", replacement=" "),
    "digits": lambda texts: pc.replace_substring_regex(texts, pattern=r"[^0-9]+", replacement=""),
    "null_if_empty": lambda texts: pc.if_else(pc.equal(texts, ""), None, texts),
}


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a column may hold of the run that reads the rows.

    Attributes:
        started_at: By the database's clock.
        run_id: Its id.
        sync: The sync's name.
    """

    started_at: datetime
    run_id: str
    sync: str


@dataclass(frozen=True, slots=True)
class NotMade:
    """Rows in which one column could not be made.

    Attributes:
        rows: Where, as long as the batch, without nulls.
        column: The destination's.
        message: Why, a sentence without a value.
    """

    rows: pa.BooleanArray
    column: str
    message: str


def with_columns(
    values: Mapping[str, ColumnValue], batch: pa.RecordBatch, facts: RunFacts, *, timezone: str, of: str
) -> tuple[pa.RecordBatch, list[NotMade]]:
    """The batch with the destination's columns alone, as long, and the rows in which one could not be made.

    Args:
        values: What each is made of, in order.
        batch: In canonical types.
        facts: Of the run.
        timezone: How a text of a time without a zone is read.
        of: What the batch's columns are those of: ``the query``.

    Raises:
        ConfigError: A column is not there, or holds what cannot be made into what is asked.
    """
    arrays, fields, found = [], [], []
    for name, value in values.items():
        array, field, lost = _made(value, batch, facts, timezone=timezone, of=of)
        arrays.append(array)
        fields.append(field.with_name(name))
        if lost is not None and pc.any(lost).as_py():
            found.append(NotMade(lost, name, _why(name, value)))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields)), found


def _why(name: str, value: ColumnValue) -> str:
    made_of = " and ".join(f"`{column}`" for column in dict.fromkeys(value.columns)) or f"its {value.source}"
    what = {"integer": "a whole number of 64 bits", "timestamp": "a time", "": "text"}.get(
        value.kind, f"a {value.kind}"
    )
    return f"column `{name}` cannot be made: the value of {made_of} is not {what}."


def _made(
    value: ColumnValue, batch: pa.RecordBatch, facts: RunFacts, *, timezone: str, of: str
) -> tuple[pa.Array, pa.Field, pa.BooleanArray | None]:
    """A column, its field, and where a value is lost."""
    lost: pa.BooleanArray | None = None
    if value.source == "column":
        field, column = _column(value, value.columns[0], batch, of=of)
    elif value.source in ("join", "template"):
        column, lost = _text(value, batch, of=of)
        field = pa.field("", pa.string())
    else:
        field, column = _constant(value, batch.num_rows, facts)
    kind = kind_of(field)
    if value.then:
        if kind not in ("text", "nothing"):
            raise _misfit(value, kind, "then takes text", "Leave then out, or select the column as text.")
        if kind == "text":
            column = reduce(lambda texts, word: _THEN[word](texts), value.then, column)
    if value.kind:
        if kind != "nothing" and kind not in CAN[value.kind]:
            hint = f"as: {value.kind} takes {', '.join(sorted({WORDS[each] for each in CAN[value.kind]}))}."
            raise _misfit(value, kind, f"it cannot be {value.kind}", hint)
        column, mark, bad = converted(column, kind, value.kind, timezone=timezone)
        field = marked("", mark) if mark else pa.field("", column.type)
        lost = bad if lost is None else pc.or_(lost, bad)
    return column, field, lost


def _misfit(value: ColumnValue, kind: ColumnKind, what: str, hint: str) -> ConfigError:
    named = f"column `{value.columns[0]}`" if value.columns else "it"
    return ConfigError(f"{key_text(value.at)}: {named} holds {WORDS[kind]}, and {what}.", hint=hint)


def _column(value: ColumnValue, name: str, batch: pa.RecordBatch, *, of: str) -> tuple[pa.Field, pa.Array]:
    index = batch.schema.get_field_index(name)
    if index < 0:
        raise missing_column(key_text(value.at), name, batch.schema.names, of=of)
    return batch.schema.field(index), batch.column(index)


def _text(value: ColumnValue, batch: pa.RecordBatch, *, of: str) -> tuple[pa.StringArray, pa.BooleanArray]:
    """Columns put together as text; NULL where none of them has a value."""
    parts, lost = [], []
    for name in value.columns:
        field, column = _column(value, name, batch, of=of)
        kind = kind_of(field)
        if kind == "binary":
            raise ConfigError(f"{key_text(value.at)}: column `{name}` holds bytes, which are no text.")
        text, _, bad = text_of(column, kind)
        parts.append(text)
        lost.append(bad)
    missing = reduce(pc.and_, (part.is_null() for part in parts))
    if value.source == "join":
        parts = [pc.if_else(pc.equal(part, ""), None, part) for part in parts]
        missing = reduce(pc.and_, (part.is_null() for part in parts))
        # Arrow leaves out rows in which every part is null, and the column is too short (26.0).
        parts[0] = pc.if_else(missing, "", parts[0])
        made = pc.binary_join_element_wise(*parts, value.texts[0], null_handling="skip")
    else:
        filled = [part.fill_null("") for part in parts]
        pieces: list[Any] = [value.texts[0]]
        for part, text in zip(filled, value.texts[1:], strict=True):
            pieces += [part, text]
        made = pc.binary_join_element_wise(*map(_text_scalar, pieces), "")
    return pc.if_else(missing, None, made), _any(lost)


def _text_scalar(piece: Any) -> Any:
    return pa.scalar(piece, pa.string()) if isinstance(piece, str) else piece


def _any(masks: Iterable[pa.BooleanArray]) -> pa.BooleanArray:
    return reduce(pc.or_, masks)


def _constant(value: ColumnValue, rows: int, facts: RunFacts) -> tuple[pa.Field, pa.Array]:
    given: Any = value.value if value.source == "value" else getattr(facts, str(value.value))
    mark = ""
    if isinstance(given, Decimal) or (isinstance(given, int) and not -(2**63) <= given < 2**63):
        given, mark = format(Decimal(given), "f"), "decimal"
    kind = pa.timestamp("us", "UTC") if isinstance(given, datetime) else None
    column = pa.repeat(pa.scalar(given, kind), rows)
    return (marked("", mark) if mark else pa.field("", column.type)), column

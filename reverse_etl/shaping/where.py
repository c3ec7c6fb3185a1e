"""Which rows a condition keeps, a column at a time.

A test is true or false, never unknown: a missing value is not equal to, part of, more or less than anything, so that
``is_not``, ``not_one_of``, ``does_not_contain`` and ``not_between`` hold for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import reduce
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.config.conditions import NEGATED, TEXT_ONLY, TIMES_ONLY, Comparison, Condition, Value
from reverse_etl.config.problems import key_text
from reverse_etl.errors import ConfigError
from reverse_etl.shaping.kinds import WORDS, ColumnKind, kind_of, missing_column

_DIGITS: Final = pa.decimal256(76, 38)
"""Decimals as they are compared; those with more digits are compared one by one."""

_NUMBER: Final = r"^-?[0-9]{1,38}(\.[0-9]{1,38})?$"
_INT64: Final = range(-(2**63), 2**63)
_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "is": pc.equal,
    "more_than": pc.greater,
    "at_least": pc.greater_equal,
    "less_than": pc.less,
    "at_most": pc.less_equal,
}
_COMPARE_ONE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "is": lambda one, other: bool(one == other),
    "more_than": lambda one, other: bool(one > other),
    "at_least": lambda one, other: bool(one >= other),
    "less_than": lambda one, other: bool(one < other),
    "at_most": lambda one, other: bool(one <= other),
}
_TEXT: Final[dict[str, Callable[[Any, str], Any]]] = {
    "contains": pc.match_substring,
    "starts_with": pc.starts_with,
    "ends_with": pc.ends_with,
}
_NUMBERS: Final = frozenset({"integer", "float", "decimal"})
_TIMES: Final = frozenset({"timestamp", "date"})


def kept(condition: Condition, batch: pa.RecordBatch) -> pa.BooleanArray:
    """Where a condition is true, as long as the batch and without nulls.

    Args:
        condition: What is asked.
        batch: Rows in canonical types.

    Raises:
        ConfigError: A column is not there, or holds values of another kind than those it is compared with.
    """
    if isinstance(condition, Comparison):
        return _compare_column(condition, batch)
    masks = (kept(member, batch) for member in condition.members)
    if condition.how == "any":
        return reduce(pc.or_, masks)
    every = reduce(pc.and_, masks)
    return pc.invert(every) if condition.how == "not" else every


def _compare_column(comparison: Comparison, batch: pa.RecordBatch) -> pa.BooleanArray:
    index = batch.schema.get_field_index(comparison.column)
    if index < 0:
        raise missing_column(key_text(comparison.at[:1]), comparison.column, batch.schema.names, of="the query")
    column, kind = batch.column(index), kind_of(batch.schema.field(index))
    operator = TIMES_ONLY.get(comparison.operator, comparison.operator)
    positive = NEGATED.get(operator, operator)
    if problem := _misfit(comparison, kind):
        raise problem
    mask = _true(positive, column, kind, comparison)
    return pc.invert(mask) if positive != operator else mask


def _true(operator: str, column: pa.Array, kind: ColumnKind, comparison: Comparison) -> pa.BooleanArray:
    """Where a positive operator holds; a missing value is never it."""
    values = comparison.values
    if operator in ("exists", "is_empty", "is_true", "is_false"):
        mask = _flag(operator, column, kind)
        return mask if values[0] else pc.invert(mask)
    if kind == "nothing":
        return column.is_valid()
    if operator in TEXT_ONLY:
        mask = _TEXT[operator](column, str(values[0]))
    elif operator == "one_of":
        mask = _one_of(column, kind, comparison)
    elif operator == "between":
        mask = pc.and_(
            _compared("at_least", column, kind, comparison, values[0]),
            _compared("at_most", column, kind, comparison, values[1]),
        )
    else:
        mask = _compared(operator, column, kind, comparison, values[0])
    return pc.fill_null(mask, False)


def _flag(operator: str, column: pa.Array, kind: ColumnKind) -> pa.BooleanArray:
    if operator == "exists":
        return column.is_valid()
    if operator == "is_empty":
        missing = column.is_null()
        return pc.or_(missing, pc.fill_null(pc.equal(column, ""), False)) if kind == "text" else missing
    if kind == "nothing":
        return column.is_valid()
    return pc.fill_null(column if operator == "is_true" else pc.invert(column), False)


def _misfit(comparison: Comparison, kind: ColumnKind) -> ConfigError | None:
    """That a column holds values of another kind than the test is about."""
    operator, value, place = comparison.operator, comparison.values[0], key_text(comparison.at)
    if kind == "nothing" or operator in ("exists", "is_empty"):
        return None
    holds = f"{place}: column `{comparison.column}` holds {WORDS[kind]}"
    if operator in ("is_true", "is_false"):
        hint = "Compare it with a value: `is: ...`."
        return None if kind == "boolean" else ConfigError(f"{holds}, and {operator} takes booleans.", hint=hint)
    if kind in ("json", "binary"):
        hint = "Select the part of it that decides, under a name of its own, and test that column."
        return ConfigError(f"{holds}, which only exists and is_empty can test.", hint=hint)
    if operator in TIMES_ONLY and kind not in _TIMES:
        return ConfigError(
            f"{holds}, and {operator} takes dates and times.", hint="Use at_least, at_most or their like."
        )
    if operator in TEXT_ONLY or operator == "does_not_contain":
        hint = "Compare the whole value, or select it as text."
        return None if kind == "text" else ConfigError(f"{holds}, and {operator} takes text.", hint=hint)
    if isinstance(value, bool) or kind == "boolean":
        fits = isinstance(value, bool) and kind == "boolean"
        hint = "Write true or false without quotes." if kind == "boolean" else "Write the value that it holds."
    elif isinstance(value, str):
        fits = kind == "text" or kind in _TIMES
        hint = "Write the number without quotes."
    else:
        fits = kind in _NUMBERS
        hint = "Put the value in quotes." if kind == "text" else "Write a date, such as 2026-01-05."
    word = "a boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "a number"
    return None if fits else ConfigError(f"{holds}, and the value is {word}.", hint=hint)


def _one_of(column: pa.Array, kind: ColumnKind, comparison: Comparison) -> pa.BooleanArray:
    if kind == "text":
        return pc.is_in(column, value_set=pa.array(comparison.values, pa.string()))
    if kind == "integer":
        whole = [int(value) for value in _numbers(comparison.values) if value == int(value) and int(value) in _INT64]
        return pc.is_in(column, value_set=pa.array(whole, pa.int64()))
    return _any(pc.fill_null(_compared("is", column, kind, comparison, value), False) for value in comparison.values)


def _compared(
    operator: str, column: pa.Array, kind: ColumnKind, comparison: Comparison, value: Value
) -> pa.BooleanArray:
    """Where a value that is there compares so; null where it is missing."""
    if kind in _TIMES:
        return _COMPARE[operator](column, _time(column.type, comparison, str(value)))
    if kind in ("text", "boolean"):
        return _COMPARE[operator](column, pa.scalar(value))
    number = Decimal(value)
    if kind == "integer":
        return _with_integers(operator, column, number)
    if kind == "float":
        return _COMPARE[operator](column, pa.scalar(float(number)))
    return _with_decimals(operator, column, number)


def _with_integers(operator: str, column: pa.Array, number: Decimal) -> pa.BooleanArray:
    """Exact, also with a fraction or beyond 64 bits, where the number is between two integers or on neither side."""
    if operator == "is" and number != number.to_integral_value():
        return _all(False, column)
    bound = math.ceil(number) if operator in ("at_least", "less_than") else math.floor(number)
    if bound in _INT64:
        return _COMPARE[operator](column, pa.scalar(bound, pa.int64()))
    return _all(_COMPARE_ONE[operator](0, bound), column)


def _with_decimals(operator: str, column: pa.StringArray, number: Decimal) -> pa.BooleanArray:
    """Exact, whatever digits there are; NaN and infinities compare with nothing."""
    _, digits, exponent = number.as_tuple()
    usual = pc.all(pc.match_substring_regex(column, _NUMBER)).as_py() is not False
    if usual and isinstance(exponent, int) and exponent >= -38 and len(digits) + max(exponent, 0) <= 38:
        return _COMPARE[operator](pc.cast(column, _DIGITS), pa.scalar(number, _DIGITS))
    found = (None if text is None else Decimal(text) for text in column.to_pylist())
    compare = _COMPARE_ONE[operator]
    return pa.array(
        [None if each is None else each.is_finite() and compare(each, number) for each in found], pa.bool_()
    )


def _time(kind: pa.DataType, comparison: Comparison, text: str) -> pa.Scalar:
    """A value that a column of times is compared with."""
    place = key_text(comparison.at)
    if pa.types.is_date(kind):
        try:
            return pa.scalar(date.fromisoformat(text.strip()), kind)
        except ValueError:
            message = f"{place}: column `{comparison.column}` holds dates, and the value is none."
            raise ConfigError(message, hint="Write a date, such as 2026-01-05.") from None
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        message = f"{place}: column `{comparison.column}` holds date-times, and the value is none."
        raise ConfigError(message, hint="Write it as 2026-01-05T01:30:00Z, or a date such as 2026-01-05.") from None
    if at.tzinfo is None and len(text.strip()) > len("2026-01-05"):
        message = f"{place}: the value has no time zone, and column `{comparison.column}` holds instants."
        raise ConfigError(message, hint="Add the zone at its end: Z for UTC, or an offset such as +02:00.")
    return pa.scalar(at if at.tzinfo else at.replace(tzinfo=UTC), kind)


def _numbers(values: Iterable[Value]) -> list[Decimal]:
    return [Decimal(value) for value in values]


def _any(masks: Iterable[pa.BooleanArray]) -> pa.BooleanArray:
    return reduce(pc.or_, masks)


def _all(value: bool, column: pa.Array) -> pa.BooleanArray:
    """The same for each value that is there."""
    return pc.if_else(column.is_valid(), value, None)

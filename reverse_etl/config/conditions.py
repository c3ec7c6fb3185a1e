"""The grammar of ``where:``: which rows are kept, as a tree. How it is applied to rows is ``shaping.where``.

where:
  plan: {one_of: [pro, team]}
  any:
    - balance: {at_least: 100}
    - email: {ends_with: "@example.com"}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from reverse_etl.config.numbers import exact
from reverse_etl.config.problems import Path, did_you_mean

Value = str | int | bool | Decimal

TEXT_ONLY: Final = frozenset({"contains", "does_not_contain", "starts_with", "ends_with"})
"""Operators on text."""

TIMES_ONLY: Final = {"before": "less_than", "on_or_before": "at_most", "after": "more_than", "on_or_after": "at_least"}
"""Operators on dates and date-times, each with the one that it is of any values."""

FLAGS: Final = frozenset({"exists", "is_empty", "is_true", "is_false"})
"""Operators whose value is true or false: whether it is so."""

LISTS: Final = frozenset({"one_of", "not_one_of"})
RANGES: Final = frozenset({"between", "not_between"})

NEGATED: Final = {
    "is_not": "is",
    "not_one_of": "one_of",
    "does_not_contain": "contains",
    "not_between": "between",
}
"""Operators that are true where another one is not, a missing value included."""

OPERATORS: Final = {
    "is": "This value.",
    "is_not": "Not this value.",
    "one_of": "One of a list.",
    "not_one_of": "None of a list.",
    "contains": "Has this text in it.",
    "does_not_contain": "Does not have this text in it.",
    "starts_with": "Begins with this text.",
    "ends_with": "Ends with this text.",
    "at_least": "This or more.",
    "at_most": "This or less.",
    "more_than": "More than this.",
    "less_than": "Less than this.",
    "between": "Between two values, both included.",
    "not_between": "Not between two values.",
    "before": "Before this date or date-time.",
    "on_or_before": "Then or before.",
    "after": "After this date or date-time.",
    "on_or_after": "Then or after.",
    "exists": "true: has a value; false: is NULL.",
    "is_empty": "true: is NULL or an empty text; false: is neither.",
    "is_true": "true: is true; false: is false or has no value.",
    "is_false": "true: is false; false: is true or has no value.",
}
"""Every operator, and what a column's value must be."""

_MEANT: Final = {
    word: operator
    for operator, words in {
        "is": "equals eq equal = ==",
        "is_not": "not_equals ne not_equal != <>",
        "one_of": "in any_of is_one_of",
        "not_one_of": "not_in none_of is_not_one_of",
        "contains": "like includes ilike",
        "does_not_contain": "not_contains not_like",
        "at_least": "gte ge min >= greater_or_equal",
        "at_most": "lte le max <= less_or_equal",
        "more_than": "gt > greater_than is_greater_than",
        "less_than": "lt < is_less_than",
        "exists": "is_not_null not_null",
        "is_empty": "empty is_null null",
    }.items()
    for word in words.split()
}
"""What other tools call them."""

GROUPS: Final = ("all", "any", "not")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One condition on one column.

    Attributes:
        column: Its name.
        operator: One of ``OPERATORS``.
        values: One, of ``between`` two, of ``one_of`` any number; of ``FLAGS`` a boolean.
        at: Where it is written, under the sync's file.
    """

    column: str
    operator: str
    values: tuple[Value, ...]
    at: Path


@dataclass(frozen=True, slots=True)
class Group:
    """Several conditions.

    Attributes:
        how: Whether all hold, any does, or not all do.
        members: At least one.
    """

    how: Literal["all", "any", "not"]
    members: tuple[Condition, ...]


Condition = Comparison | Group


def columns_of(condition: Condition) -> Iterator[Comparison]:
    """Every test, in the order in which they are written."""
    if isinstance(condition, Comparison):
        yield condition
    else:
        for member in condition.members:
            yield from columns_of(member)


def read_condition(written: Any, at: Path = ("where",)) -> tuple[Condition | None, list[tuple[Path, str]]]:
    """The tree that a mapping spells, and what is wrong with it: each a place and a sentence.

    Args:
        written: The value of ``where``.
        at: Where it is.

    Returns:
        The condition as far as it could be read, None where nothing could.
    """
    problems: list[tuple[Path, str]] = []
    found = _mapping(written, at, "all", problems)
    return found, problems


def _mapping(
    written: Any, at: Path, how: Literal["all", "any", "not"], problems: list[tuple[Path, str]]
) -> Condition | None:
    if not isinstance(written, Mapping) or not written:
        state = "is empty" if written is None or written in ({}, []) else "must be conditions by column"
        problems.append((at, f"{state}: write `column: {{is: value}}`"))
        return None
    members: list[Condition] = []
    for name, given in written.items():
        here = (*at, name)
        if not isinstance(name, str):
            problems.append((at, "a column's name must be text: put it in quotes"))
        elif name in GROUPS:
            members += _group(name, given, here, problems)
        else:
            members += _tests(name, given, here, problems)
    return Group(how, tuple(members)) if members else None


def _group(name: Any, given: Any, at: Path, problems: list[tuple[Path, str]]) -> Iterator[Condition]:
    if not isinstance(given, list):
        found = _mapping(given, at, name, problems)
        yield from [found] if found else []
        return
    if not given:
        problems.append((at, "is empty: write a list of conditions"))
    members = [_mapping(each, (*at, index), "all", problems) for index, each in enumerate(given)]
    whole = tuple(member for member in members if member)
    if whole and name == "not":
        # A list after `not` reads as "none of these".
        yield Group("not", (Group("any", whole),))
    elif whole:
        yield Group(name, whole)


def _tests(column: str, given: Any, at: Path, problems: list[tuple[Path, str]]) -> Iterator[Condition]:
    if given is None:
        problems.append((at, "is empty: write `{exists: false}` for rows without a value"))
        return
    if isinstance(given, list):
        problems.append((at, "is a list: write `{one_of: [...]}`"))
        return
    if not isinstance(given, Mapping):
        given = {"is": given}
    elif not given:
        problems.append((at, "is empty: write an operator, such as `{is: value}`"))
    for operator, value in given.items():
        here = (*at, operator) if isinstance(operator, str) else at
        if operator not in OPERATORS:
            meant = did_you_mean(_MEANT.get(str(operator).lower(), operator), OPERATORS, otherwise="known are")
            problems.append((here, f"unknown operator{meant}"))
            continue
        values, problem = _values(operator, value)
        if problem:
            problems.append((here, problem))
        else:
            yield Comparison(column, operator, values, here)


def _values(operator: str, given: Any) -> tuple[tuple[Value, ...], str]:
    """The values of an operator, and what is wrong with them."""
    if operator in FLAGS:
        return ((given,), "") if isinstance(given, bool) else ((), "must be true or false")
    if operator in LISTS:
        if not isinstance(given, list) or not given:
            return (), "must be a list of values, such as `[pro, team]`"
    elif operator in RANGES:
        if not isinstance(given, list) or len(given) != 2:
            return (), "must be a list of two values: the least and the most"
    elif isinstance(given, list):
        return (), "takes one value, not a list"
    else:
        given = [given]
    values = []
    for each in given:
        value = plain_value(each)
        if value is None:
            hint = "is empty: rows without a value are `{exists: false}`" if each is None else "must be a plain value"
            return (), hint
        values.append(value)
    if len({_sort(value) for value in values}) > 1:
        return (), "mixes texts, numbers and booleans: write values of one kind"
    return tuple(values), _misfit(operator, values)


def _misfit(operator: str, values: list[Value]) -> str:
    """Why an operator does not take values of this kind."""
    sort = _sort(values[0])
    if operator in TEXT_ONLY and sort != "text":
        return f"takes text, not a {sort}: put it in quotes"
    if operator in TEXT_ONLY and values[0] == "":
        return "is empty: write the text to look for"
    if operator in TIMES_ONLY and sort != "text":
        return "takes a date or a time, such as 2026-01-05 or 2026-01-05T01:30:00Z"
    if sort == "boolean" and operator not in ("is", "is_not"):
        return "takes no boolean: write `is: true`"
    if operator in RANGES and sort == "number" and Decimal(values[0]) > Decimal(values[1]):
        return "has its least value last: swap the two"
    return ""


def plain_value(given: Any) -> Value | None:
    """A text, number or boolean as it is compared; dates as text; None for anything else."""
    given = exact(given)
    if isinstance(given, Decimal):
        return given if given.is_finite() else None
    if isinstance(given, datetime | date):
        return given.isoformat()
    return given if isinstance(given, str | int | bool) else None


def _sort(value: Value) -> str:
    return "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"

"""The cron syntax that a schedule may use: five fields or a nickname, as Dagster's scheduler reads it."""

from __future__ import annotations

import re
from typing import Final

_NICKNAMES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final[tuple[tuple[str, int, int, dict[str, int]], ...]] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 7, {name: number for number, name in enumerate(_DAYS)}),
)
_PART: Final = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/([0-9]+))?", re.ASCII)
_LONGEST_MONTHS: Final = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


def check_cron(text: str) -> str:
    """The expression, with single spaces.

    Raises:
        ValueError: It is none, or can never come due; the message says which field is wrong.
    """
    if text.startswith("@"):
        if text not in _NICKNAMES:
            raise ValueError(f"unknown nickname {text!r}: one of {', '.join(sorted(_NICKNAMES))}")
        return text
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError('a cron expression has five fields (minute hour day month weekday), as in "15 * * * *"')
    values = [_values(text, *limits) for text, limits in zip(fields, _FIELDS, strict=True)]
    days, months = values[2], values[3]
    # Dagster refuses such a day with a weekday beside it, too, although that would come due.
    if not any(min(days) <= _LONGEST_MONTHS.get(month, 31) for month in months):
        raise ValueError(f"never comes due: no such day in month {fields[3]}")
    return " ".join(fields)


def cron_values(text: str) -> tuple[set[int], ...]:
    """The values of the five fields of an expression that ``check_cron`` accepts; Sunday is 0 or 7."""
    fields = _NICKNAMES.get(text, text).split()
    return tuple(_values(field, *limits) for field, limits in zip(fields, _FIELDS, strict=True))


def _values(text: str, name: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{text!r} is not a valid {name}")
        star, first, last, step = match.groups()
        start = low if star else _number(first, name, low, high, names)
        end = high if star or (step and not last) else _number(last or first, name, low, high, names)
        if last and start == end:
            # Dagster's scheduler takes 9-9 for every value, not for 9.
            raise ValueError(f"{part!r} is one value of the {name}: write {first}")
        if start > end:
            raise ValueError(f"{part!r} runs backwards in the {name}")
        if step and not 1 <= int(step) <= high:
            raise ValueError(f"the step /{step} does not fit the {name}")
        found.update(range(start, end + 1, int(step or 1)))
    return found


def _number(text: str, name: str, low: int, high: int, names: dict[str, int]) -> int:
    number = names[text] if text in names else int(text) if text.isdecimal() and len(text) < 5 else -1
    if not low <= number <= high:
        raise ValueError(f"{text!r} is not a valid {name} ({low} to {high})")
    return number

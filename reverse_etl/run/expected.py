"""What a test expects of its rows beside what became of them: each difference, in texts that can stand side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.config.numbers import exact
from reverse_etl.config.streams import ROWS

if TYPE_CHECKING:
    from reverse_etl.config.sync_tests import ExpectedConfig

NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was expected.

    Attributes:
        where: The operation, or the row.
        expected: In words or JSON.
        found: The same.
        key: In an operation; empty for the whole.
    """

    where: str
    expected: str
    found: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """What would be sent for a row.

    Attributes:
        query: The stream's name.
        row: Its number.
        text: JSON, as it would be sent.
    """

    query: str
    row: int
    text: str


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A row that is not sent.

    Attributes:
        query: The stream's name.
        row: Its number.
        outcome: ``rejected`` or ``excluded``.
        reason: A rule's name.
        field: The column at fault; empty for none.
        message: A sentence.
    """

    query: str
    row: int
    outcome: str
    reason: str
    field: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What became of the rows of a test.

    Attributes:
        operations: In the order in which they would be sent.
        kept: The rows that would not.
        stopped: The name of the check that stops the run; empty for none.
        why: Why it does, a sentence.
    """

    operations: tuple[Operation, ...]
    kept: tuple[KeptRow, ...]
    stopped: str = ""
    why: str = ""


def differences(expected: ExpectedConfig, found: Found) -> Iterator[Difference]:
    """What is not as expected; nothing where all is."""
    if expected.stopped != found.stopped:
        wanted = f"stopped by {expected.stopped}" if expected.stopped else "not stopped"
        yield Difference("the run", wanted, found.why or "not stopped")
        return
    yield from _rows(expected, found)
    yield from _operations(expected, found.operations)


def _rows(expected: ExpectedConfig, found: Found) -> Iterator[Difference]:
    kept = {(each.query, each.row): each for each in found.kept}
    wanted = {
        (row.query, row.row): (outcome, row.reason, getattr(row, "field", None))
        for outcome, rows in (("rejected", expected.rejected), ("excluded", expected.excluded))
        for row in rows
    }
    for place in sorted({*kept, *wanted}):
        query, row = place
        where = f"row {row}" if query == ROWS else f"{query}, row {row}"
        is_there, is_wanted = kept.get(place), wanted.get(place)
        if is_there is None:
            yield Difference(where, _outcome(*is_wanted) if is_wanted else "", "sent")
            continue
        shown = f"{_outcome(is_there.outcome, is_there.reason, is_there.field or None)}: {is_there.message}"
        if is_wanted is None:
            yield Difference(where, "sent", shown)
        elif is_wanted[:2] != (is_there.outcome, is_there.reason) or is_wanted[2] not in (None, is_there.field):
            yield Difference(where, _outcome(*is_wanted), shown)


def _outcome(outcome: str, reason: str, field: str | None) -> str:
    return f"{outcome}: {reason}" + (f" ({field})" if field else "")


def _operations(expected: ExpectedConfig, found: Sequence[Operation]) -> Iterator[Difference]:
    wanted = [_exact(each) for each in expected.operations]
    there = [json.loads(each.text, parse_float=Decimal) for each in found]
    if expected.match == "subset":
        there = [_of_interest(each, like) for each, like in zip(there, wanted, strict=False)] + there[len(wanted) :]
    texts = [_json(each) for each in wanted], [_json(each) for each in there]
    for how, first, last, begin, end in SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        if how == "equal":
            continue
        for at, is_there in zip_longest(range(first, last), range(begin, end)):
            name = f"operation {(at if at is not None else is_there) + 1}"
            if is_there is None:
                yield Difference(name, texts[0][at], NOTHING)
                continue
            of = found[is_there]
            name += f", row {of.row}" if of.query == ROWS else f", {of.query} row {of.row}"
            if at is None:
                yield Difference(name, NOTHING, texts[1][is_there])
            else:
                yield from _keys(name, dict(_flat(wanted[at])), dict(_flat(there[is_there])))


def _keys(name: str, expected: Mapping[str, str], found: Mapping[str, str]) -> Iterator[Difference]:
    for key in dict.fromkeys((*expected, *found)):
        wanted, there = expected.get(key, NOTHING), found.get(key, NOTHING)
        if wanted != there:
            yield Difference(name, wanted, there, key)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The values of an operation, each under its path."""
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _flat(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for at, each in enumerate(value):
            yield from _flat(each, f"{path}[{at}]")
    else:
        yield path, _json(value)


def _of_interest(found: Any, expected: Any) -> Any:
    """What was found without the keys that nobody expects."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return {key: _of_interest(each, expected[key]) for key, each in found.items() if key in expected}
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        return [_of_interest(*pair) for pair in zip(found, expected, strict=True)]
    return found


def _exact(value: Any) -> Any:
    """Values of a file with their numbers as they were written."""
    if isinstance(value, dict):
        return {key: _exact(each) for key, each in value.items()}
    return [_exact(each) for each in value] if isinstance(value, (list, tuple)) else exact(value)


def _json(value: Any) -> str:
    """JSON that is equal exactly where the values are: keys sorted, numbers without zeros at their end."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_json(key)}: {_json(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    if isinstance(value, Decimal):
        return _number(value)
    return json.dumps(value, ensure_ascii=False)


def _number(number: Decimal) -> str:
    if not number.is_finite():
        return str(number)
    text = f"{abs(number):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"-{text}" if number < 0 else text

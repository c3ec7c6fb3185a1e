"""Customer.io's words about an item, made fit to be kept: short, on one line, without the item's own values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import Any, Final

import orjson

from reverse_etl.destinations.base import Refusal
from reverse_etl.destinations.customerio.raw_search import beginnings, may_hold

MOST_CHARACTERS: Final = 300
_MOST_REASON_CHARACTERS: Final = 60
_MOST_FIELD_CHARACTERS: Final = 200
_MOST_READ_CHARACTERS: Final = 250_000
"""More than an item can be in any spelling: what begins in the text that is kept ends before."""

_MASK: Final = "…"
_QUOTES: Final = frozenset("\"'`")

_ALWAYS_MASKED_TEXT: Final = 4
_ALWAYS_MASKED_NUMBER: Final = 5
"""Shorter ones (``pro``, ``1000``) are masked in quotes alone: unquoted they are the message's own words and limits."""

_NUMERIC: Final = re.compile(r"""[-0-9](?:(?<!\w[0-9])(?=[0-9.e+-]{4})|(?<=["'`].)(?=[0-9.e+-]*["'`]))""")
"""Where a number of the item may begin in a text: it is long, or in quotes. What is before a minus may be masked."""

_NUMBER: Final = re.compile(r"\s*(-[0-9][0-9.e+-]{0,3}|[0-9][0-9.e+-]{0,4})")
"""Its beginning, at most as long as numbers are that are masked without quotes."""

_NEARLY_ASCII: Final = re.compile("[İıſ\u212a]")
"""Letters beyond ASCII that are one of ASCII but for their case."""

_ATTRIBUTES: Final = ("attributes", "relationship_attributes")
_OWN_VALUES: Final = ("type", "action")

_MANY: Final = 4
"""Fewer items are looked at one by one at once."""

_OWN_REASONS: Final = frozenset({"invalid", "parse", "required", "suppressed", "too_large"})
"""Customer.io's own words, which say nothing about a row even where a value is the same word."""

_Texts = tuple[str, str, str]
"""Reason, field and message of a refusal."""


def shortened(text: object, most_characters: int = MOST_CHARACTERS) -> str:
    """Printable text on one line; empty for anything but text."""
    if not isinstance(text, str):
        return ""
    text = text[: 4 * most_characters]
    line = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(line.split())
    return line if len(line) <= most_characters else line[: most_characters - 1] + _MASK


def masked_refusals(refusals: Sequence[Refusal], items: Sequence[bytes]) -> list[Refusal]:
    """The refusals of an answer, their texts short, on one line, and without the values of the item that each is about.

    Values are looked for as they are and as JSON spells them, without regard to case. One of Customer.io's own reasons,
    and a field that is an attribute's name, stay as they are.

    Args:
        refusals: Their texts are Customer.io's, whole; any may be empty.
        items: Those of the request, as they were sent: valid JSON.
    """
    by_texts: dict[_Texts, list[int]] = {}
    for place, reason, field, message in refusals:
        by_texts.setdefault((reason, field, message), []).append(place)
    masked: dict[int, _Texts] = {}
    for texts, places in by_texts.items():
        told = _Told(texts)
        if told.may_repeat([items[place] for place in places]):
            masked |= {place: told.masked(items[place]) for place in places}
        elif (kept := told.kept()) != texts:
            masked |= dict.fromkeys(places, kept)
    return [Refusal(one.place, *masked[one.place]) if one.place in masked else one for one in refusals]


class _Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


_Spelled = tuple[int, str, bool]
"""A value as it is written, without regard to case: minus its length, itself, whether quotes alone give it away."""


class _Told:
    """What Customer.io said of one item or, in the same words, of many."""

    __slots__ = ("_escaped", "_message", "_numbers", "_said", "_texts", "_words")

    def __init__(self, texts: _Texts) -> None:
        self._texts = reason, field, message = texts
        self._words, numbers = _words(reason, field)
        self._message = _folded(message[:_MOST_READ_CHARACTERS])
        self._said = f"{self._words}\n{self._message}"
        self._escaped = "\\" in self._said
        self._numbers = numbers + _numbers(self._message)

    def kept(self) -> _Texts:
        """The texts as they are."""
        reason, field, message = self._texts
        return *_kept(reason, field), shortened(message)

    def may_repeat(self, items: list[bytes]) -> bool:
        """Whether a value of one of some items may be in the texts: it is worth looking closer."""
        if len(items) < _MANY or self._numbers:
            return True
        starts = beginnings((*self._words.split("\n"), self._message))
        return starts is None or may_hold(items, starts)

    def masked(self, item: bytes) -> _Texts:
        """The texts without the values of an item."""
        operation = orjson.loads(item)
        if self._numbers:
            text = item.lower()
            if any(number in text for number in self._numbers):
                operation = json.loads(item, parse_int=_Number, parse_float=_Number)
        values: list[str] = []
        _add_values(operation, values)
        if not self._escaped:
            said, may_be_in = self._said, self._may_be_in
            values = [value for value in values if (value.lower() in said if value.isascii() else may_be_in(value))]
        return self._without(values, operation) if values else self.kept()

    def _may_be_in(self, value: str) -> bool:
        if self._said.isascii() and not _NEARLY_ASCII.search(value):
            return False
        return _folded(value) in self._said

    def _without(self, values: list[str], operation: Any) -> _Texts:
        spelled = sorted({_spelled(value, value) for value in values})
        if self._escaped:
            spelled = sorted({*spelled, *(_spelled(text, value) for value in values for text in _escaped(value))})
        reason, field, message = self._texts
        if any(text in self._words for _, text, _ in spelled):
            reason = reason if reason in _OWN_REASONS else _whole_or_parts(reason, spelled)
            masked_field = _whole_or_parts(field, spelled)
            field = field if masked_field == field or field in _names(operation) else masked_field
        return *_kept(reason, field), shortened(_without(message[:_MOST_READ_CHARACTERS], self._message, spelled))


@lru_cache(maxsize=64)
def _words(reason: str, field: str) -> tuple[str, tuple[bytes, ...]]:
    """Both without regard to case, and how numbers begin that may be in one of them, or all of it."""
    texts = [_folded(reason), _folded(field)]
    alone = tuple(whole[1].encode() for text in texts if (whole := _NUMBER.match(text)))
    return "\n".join(texts), alone + _numbers(texts[0]) + _numbers(texts[1])


def _numbers(text: str) -> tuple[bytes, ...]:
    """How numbers of an item begin that may be in a text."""
    places = [found.start() for found in _NUMERIC.finditer(text)]
    return tuple(found[1].encode() for at in places if (found := _NUMBER.match(text, at)))


@lru_cache(maxsize=64)
def _kept(reason: str, field: str) -> tuple[str, str]:
    return shortened(reason, _MOST_REASON_CHARACTERS), shortened(field, _MOST_FIELD_CHARACTERS)


def _spelled(text: str, value: str) -> _Spelled:
    least = _ALWAYS_MASKED_NUMBER if isinstance(value, _Number) else _ALWAYS_MASKED_TEXT
    return -len(text), _folded(text), len(text) < least


def _escaped(value: str) -> tuple[str, ...]:
    """A text as JSON spells it, with ASCII alone and without."""
    is_number = isinstance(value, _Number)
    return () if is_number else (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])


def _whole_or_parts(text: str, spelled: Iterable[_Spelled]) -> str:
    """A text that is nothing but a value is masked however short it is."""
    whole = _folded(text.strip())
    if whole and any(whole == value for _, value, _ in spelled):
        return _MASK
    return _without(text, _folded(text), spelled)


def _without(text: str, folded: str, spelled: Iterable[_Spelled]) -> str:
    """A text, which is given without regard to case too, without values; the longest come first."""
    for _, value, in_quotes in spelled:
        found = [*_places(text, folded, value, in_quotes=in_quotes)]
        if found:
            text, folded = _cut(text, found, len(value)), _cut(folded, found, len(value))
    return text


def _cut(text: str, places: list[int], length: int) -> str:
    pieces, begin = [], 0
    for at in places:
        pieces.append(text[begin:at])
        begin = at + length
    return _MASK.join([*pieces, text[begin:]])


def _places(text: str, folded: str, value: str, *, in_quotes: bool) -> Iterator[int]:
    """Where a value is: in quotes, or unless it must be in quotes, where it is no part of a longer word."""
    at = folded.find(value)
    while at >= 0:
        end = at + len(value)
        before, after = text[at - 1 : at], text[end : end + 1]
        if (before in _QUOTES and after in _QUOTES) or not (in_quotes or _is_of_word(before) or _is_of_word(after)):
            yield at
            at = end - 1
        at = folded.find(value, at + 1)


def _is_of_word(character: str) -> bool:
    """Whether a character is one that words are made of, for regular expressions too; false for none."""
    return character.isalnum() or character == "_"


def _folded(text: str) -> str:
    """Text without regard to case, character by character, as regular expressions compare."""
    if text.isascii():
        return text.lower()
    return text.replace("İ", "i").lower().translate(_same_letters())


@cache
def _same_letters() -> dict[int, str]:
    """Letters that stand for the same capital as another small one, and that one: ``ς`` and ``σ``."""
    small = {ord(c): c.upper().lower() for c in map(chr, range(0x80, 0x2000))}
    same = {code: other for code, other in small.items() if len(other) == 1 and chr(code) not in (other, other.upper())}
    return same | {0x1FD3: "\u0390", 0x1FE3: "\u03b0", 0xFB05: "\ufb06"}


def _add_values(operation: dict[str, Any], values: list[str]) -> None:
    """Adds every value of an operation, or of a part of one, that comes from the row."""
    for name, part in operation.items():
        if isinstance(part, str):
            if part and name not in _OWN_VALUES:
                values.append(part)
        elif isinstance(part, dict):
            if name in _ATTRIBUTES:
                _add_content(part.values(), values)
            else:
                _add_values(part, values)
        elif isinstance(part, list):
            for each in part:
                if isinstance(each, dict):
                    _add_values(each, values)
                else:
                    _add_content((each,), values)


def _add_content(content: Iterable[Any], values: list[str]) -> None:
    """Adds the texts in what a row has; the names inside a JSON value are part of it."""
    for value in content:
        kind = type(value)
        if kind is str or kind is _Number:
            if value:
                values.append(value)
        elif kind is list:
            _add_content(value, values)
        elif kind is dict:
            _add_content(value, values)
            _add_content(value.values(), values)


def _names(item: Any) -> Iterator[str]:
    """Names that are no row's: the API's own, and those of columns."""
    if isinstance(item, dict):
        for name, value in item.items():
            yield name
            if name not in _ATTRIBUTES:
                yield from _names(value)
            elif isinstance(value, dict):
                yield from value
                yield from (f"{name}.{column}" for column in value)
    elif isinstance(item, list):
        for value in item:
            yield from _names(value)

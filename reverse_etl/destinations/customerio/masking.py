"""Customer.io's words about an item, made fit to be kept: short, on one line, without the item's own values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

import orjson

MOST_CHARACTERS: Final = 300
_MOST_REASON_CHARACTERS: Final = 60
_MOST_FIELD_CHARACTERS: Final = 200
_MOST_READ_CHARACTERS: Final = 250_000
"""More than an item can be in any spelling: what begins in the text that is kept ends before."""

_MASK: Final = "…"

_ALWAYS_MASKED_TEXT: Final = 4
_ALWAYS_MASKED_NUMBER: Final = 5
"""Shorter ones (``pro``, ``1000``) are masked in quotes alone: unquoted they are the message's own words and limits."""

_ATTRIBUTES: Final = ("attributes", "relationship_attributes")

_OWN_REASONS: Final = frozenset({"invalid", "parse", "required", "suppressed", "too_large"})
"""Customer.io's own words, which say nothing about a row even where a value is the same word."""


def shortened(text: object, most_characters: int = MOST_CHARACTERS) -> str:
    """Printable text on one line; empty for anything but text."""
    if not isinstance(text, str):
        return ""
    text = text[: 4 * most_characters]
    line = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(line.split())
    return line if len(line) <= most_characters else line[: most_characters - 1] + _MASK


def masked(message: str, item: bytes) -> str:
    """A message as ``masked_refusal`` gives it."""
    return masked_refusal("", "", message, item)[2]


def masked_refusal(reason: str, field: str, message: str, item: bytes) -> tuple[str, str, str]:
    """Reason, field and message of a refusal: short, on one line, without the values of the item that it is about.

    Values are looked for as they are and as JSON spells them, without regard to case. One of Customer.io's own reasons,
    and a field that is an attribute's name, stay as they are.

    Args:
        reason: Customer.io's, whole; likewise ``field`` and ``message``.
        field: May be empty, as may the others.
        message: A sentence.
        item: The item as it was sent: valid JSON.
    """
    parsed = orjson.loads(item)
    if not _may_hold_values(reason, field, message, parsed):
        return _kept(reason, field, message)
    exact = json.loads(item, parse_int=_Number, parse_float=_Number)
    values = sorted({spelled for value in _values(exact) for spelled in _spelled(value)}, key=len, reverse=True)
    return _kept(
        reason if reason in _OWN_REASONS else _whole_or_parts(reason, values),
        field if field in _names(exact) else _whole_or_parts(field, values),
        _without(message[:_MOST_READ_CHARACTERS], values),
    )


class _Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


@lru_cache(maxsize=64)
def _kept(reason: str, field: str, message: str) -> tuple[str, str, str]:
    return (
        shortened(reason, _MOST_REASON_CHARACTERS),
        shortened(field, _MOST_FIELD_CHARACTERS),
        shortened(message),
    )


@lru_cache(maxsize=64)
def _told(reason: str, field: str, message: str) -> tuple[str, bool]:
    """The three texts in lower case, and whether a number or another spelling of a value may be among them."""
    texts = f"{reason}\n{field}\n{message}".lower()
    return texts, "\\" in texts or any(c.isdigit() for c in texts)


def _may_hold_values(reason: str, field: str, message: str, item: Any) -> bool:
    """Whether it is worth looking closer: most refusals repeat nothing, and there may be thousands of them."""
    texts, closer = _told(reason, field, message)
    if closer:
        return True
    return any(not value.isascii() or value.lower() in texts for value in _values(item) if isinstance(value, str))


def _without(text: str, values: Iterable[str]) -> str:
    for value in values:
        if value.isascii() and text.isascii() and value.lower() not in text.lower():
            continue
        bare = re.escape(value)
        text = re.sub(rf"""(?<=["'`]){bare}(?=["'`])""", _MASK, text, flags=re.IGNORECASE)
        if len(value) >= (_ALWAYS_MASKED_NUMBER if isinstance(value, _Number) else _ALWAYS_MASKED_TEXT):
            text = re.sub(rf"(?<!\w){bare}(?!\w)", _MASK, text, flags=re.IGNORECASE)
    return text


def _whole_or_parts(text: str, values: Iterable[str]) -> str:
    """A text that is nothing but a value is masked however short it is."""
    same = text.strip().lower()
    return _MASK if same and any(same == value.lower() for value in values) else _without(text, values)


def _spelled(value: str) -> Iterator[str]:
    if isinstance(value, _Number):
        yield value
    else:
        yield from (value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])


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


def _values(item: Any) -> Iterator[str]:
    """Every value of an operation that comes from the row; the names inside a JSON value are part of it."""
    if isinstance(item, dict):
        for name, value in item.items():
            if name in _ATTRIBUTES and isinstance(value, dict):
                for attribute in value.values():
                    yield from _inside(attribute)
            elif name not in ("type", "action"):
                yield from _values(value)
    elif isinstance(item, list):
        for value in item:
            yield from _values(value)
    elif isinstance(item, str) and item:
        yield item


def _inside(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name:
                yield name
            yield from _inside(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _inside(inner)
    elif isinstance(value, str) and value:
        yield value

"""Customer.io's words about an item, made fit to be kept: short, on one line, without the item's own values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

MOST_CHARACTERS: Final = 300
_MASK: Final = "…"

_ALWAYS_MASKED_TEXT: Final = 4
_ALWAYS_MASKED_NUMBER: Final = 5
"""Shorter ones (``pro``, ``1000``) are masked in quotes alone: unquoted they are the message's own words and limits."""


def shortened(text: object, most_characters: int = MOST_CHARACTERS) -> str:
    """Printable text on one line; empty for anything but text."""
    if not isinstance(text, str):
        return ""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * most_characters]).split())
    return line if len(line) <= most_characters else line[: most_characters - 1] + _MASK


def masked(message: str, item: bytes) -> str:
    """The message on one line, shortened, without the values of the item that it is about.

    Values are looked for as they are and as JSON spells them, without regard to case.

    Args:
        message: Customer.io's, whole.
        item: The item as it was sent: valid JSON.
    """
    values = set(_values(json.loads(item, parse_int=_Number, parse_float=_Number)))
    for value in sorted(values, key=len, reverse=True):
        bare = re.escape(value)
        message = re.sub(rf"""(?<=["'`]){bare}(?=["'`])""", _MASK, message, flags=re.IGNORECASE)
        if len(value) >= (_ALWAYS_MASKED_NUMBER if isinstance(value, _Number) else _ALWAYS_MASKED_TEXT):
            message = re.sub(rf"(?<!\w){bare}(?!\w)", _MASK, message, flags=re.IGNORECASE)
    return shortened(message)


class _Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


def _values(item: Any) -> Iterator[str]:
    """Every value of an operation that comes from the row."""
    if isinstance(item, dict):
        for name, value in item.items():
            if name not in ("type", "action"):
                yield from _values(value)
    elif isinstance(item, list):
        for value in item:
            yield from _values(value)
    elif isinstance(item, str) and item:
        yield item
        yield json.dumps(item)[1:-1]
        yield json.dumps(item, ensure_ascii=False)[1:-1]

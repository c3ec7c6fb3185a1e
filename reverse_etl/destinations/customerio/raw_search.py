"""Whether a value of items may be in a text, told from their JSON as it was sent: most refusals repeat nothing.

A value that is in a text begins where a word of the text begins, and in JSON after a quotation mark. So does a name,
but a colon follows it. Numbers, and what JSON or the alphabet spells in several ways, are for ``masking``.
"""

from __future__ import annotations

import re
from typing import Final

_BEGINNINGS: Final = re.compile(r"""\W(?=([^\n"'`]{1,4}))""")

_NAMES: Final = re.compile(rb'"[^"\\]*":')

_WITH_QUOTES: Final = (b'"\\"', b"\"'", b'"`')
"""How values begin that begin with a quotation mark, as JSON spells them."""

_SEVERAL_SPELLINGS: Final = tuple(text.encode() for text in ("İ", "ı", "ſ", "\u212a", "\\u", "\\/"))
"""Letters that are one of ASCII but for their case, and escapes that need not be."""

_OBJECTS_AN_ITEM: Final = 3
"""The item, its identifiers and its attributes."""


def beginnings(texts: tuple[str, ...]) -> tuple[bytes, ...] | None:
    """How the JSON of a value begins that is in one of some texts; None where that cannot be told.

    Args:
        texts: In lower case.
    """
    together = "\n".join(("", *texts))
    if not together.isascii() or "\\" in together or not all(text.isprintable() for text in texts):
        return None
    found = {b'"' + start.encode() for start in _BEGINNINGS.findall(together)}
    return (*found, *(_WITH_QUOTES if any(quote in together for quote in "\"'`") else ()))


def may_hold(items: list[bytes], starts: tuple[bytes, ...]) -> bool:
    """Whether a value of some items may begin in one of some ways.

    Args:
        items: As they were sent.
        starts: As ``beginnings`` gave them.
    """
    text = b",".join(items).lower()
    for spelling in _SEVERAL_SPELLINGS:
        # A single byte is found much faster.
        if spelling[:1] in text and spelling in text:
            return True
    found = [start for start in starts if start in text]
    if not found:
        return False
    # Names inside a JSON value are the row's.
    if text.count(b"{") != _OBJECTS_AN_ITEM * len(items):
        return True
    names = set(_NAMES.findall(items[0].lower()))
    return any(not _are_names(text, start, names) and _is_value(text, start) for start in found)


def _are_names(text: bytes, start: bytes, names: set[bytes]) -> bool:
    """Whether all texts that begin so are names."""
    alike = [name for name in names if name.startswith(start)]
    return text.count(start) == sum(text.count(name) for name in alike)


def _is_value(text: bytes, start: bytes) -> bool:
    """Whether one of the texts that begin so is neither a name nor a word of the API."""
    at = text.find(start)
    while at >= 0:
        end = text.find(b'"', at + 1)
        is_name = text[end + 1 : end + 2] == b":" and text[end - 1 : end] != b"\\"
        if not (is_name or _is_own(text, at)):
            return True
        at = text.find(start, end)
    return False


def _is_own(text: bytes, at: int) -> bool:
    """Whether the text at a place is the item's type or action."""
    of_item = text[at - 8 : at] == b'{"type":' and (at == 8 or text[at - 9 : at - 8] == b",")
    return of_item or text[at - 11 : at] == b'},"action":'

"""How a suppression list names people: by which columns, and what a cell means.

What is certain is read, however it is spelled; anything else is named as not certain, so that a reader
can stop. How a list is read and kept is ``suppression``.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

IDENTIFIERS: Final = ("id", "email")

OTHER_ID: Final = "other_id"
"""A column that holds another identifier than ``id``, such as Customer.io's own ``cio_id``."""

_WHO: Final = "customerio|customer|user|person|people|member|subscriber|contact|profile|client|recipient"
_WHOSE: Final = rf"(?:{_WHO}|external|internal|primary|main|account)"
_ID: Final = r"(?:ids?|identifier|uid|uuid|guid)"
_COLUMNS: Final = (
    (OTHER_ID, re.compile(rf"(?:cio|customerio|account){_ID}|identifier|uid|uuid|guid")),
    ("email", re.compile(rf"{_WHOSE}*e?mail(?:s|id|addr|address|addresses|adresse)?[0-9]*")),
    ("id", re.compile(rf"{_WHOSE}*{_ID}|{_WHOSE}+(?:key|no|nr|number)|(?:{_WHO})s?")),
)
"""What a column's name means, by its letters and digits."""

_ODD: Final = {"id": r"[^0-9A-Za-z_-]|^[0-9A-Fa-f]{8}-", "email": r"[^0-9A-Za-z._@+-]"}
"""Cells that may not be what they look like; the others, nearly all, are compared as they are."""

_NOT_BLANK: Final = r"[^\s\p{Z}\p{C}]"
_AROUND: Final = r"^[\s\p{Z}\p{C}]+|[\s\p{Z}\p{C}]+$"
_FOR_SPREADSHEETS: Final = ((r'^\'?="(.*)"$', r"\1"), (r'^"(.*)"$', r"\1"), (r"^'+(.*?)'?$", r"\1"))
"""How text is kept from becoming a number or a formula: ``="007"``, ``'007``; and quotes that stayed."""

_AROUND_ADDRESSES: Final = ((r"^.*<([^<>]*)>$", r"\1"), (r"^mailto:([^?%]*)(?:\?.*)?$", r"\1"), (r"[;,\s]+$", ""))
_ADDRESS: Final = r'^(?:[^\s@<>()\[\],;:\\"]+|"[^"]+")@(?:[a-z0-9.-]*[a-z0-9]|\[[0-9a-z.:]+\])$'
_ALTERED: Final = r"%[0-9a-f]{2}|\x{fffd}"
"""Percent-encoded, or not decoded."""


_UUID: Final = r"^\{?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?$"
_MONTH: Final = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_CHANGED: Final = (
    r"^[+-]?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+$|^[+-]?[0-9][.,][0-9]+[eE][0-9]+$"  # 1.23E+18: its last digits are lost
    rf"|^(?i:[0-9]{{1,2}}-{_MONTH}(?:-[0-9]+)?|{_MONTH}-[0-9]{{2}})$"  # 1-2 as a date
    r"|^(?i:true|false|yes|no)$"
    r"|^#(?:#+|N/A|NAME\?|REF!|VALUE!|NULL!|NUM!|DIV/0!)$"
    r"|^=|^[\[{]|[\r\n\x{fffd}]"
    r"|^-?[0-9]+(?:\s*[,;|\s]\s*[0-9]+)+$"  # 1,234,567 or 7; 8
)
_EXACT_FLOAT: Final = 2.0**53

_NO_VALUE: Final = (
    r"^(?i:[<(\[]?(?:null|nil|none|nan|nat|na|n/a|n\.a\.?|empty|blank|undefined|unknown|missing)[>)\]]?|\\n)$"
    r"|^[^\p{L}\p{N}*%#]+$"
)
"""What exports and hands write where there is no value; dashes and the like too."""

_PATTERNS: Final = {
    "id": r"[*•]|\.\.\.|^%|%$|^\?|\?$|^@[^@\s]+\.[^@\s]+$",
    "email": r"[*?•]|\.\.\.|^%|%@|@%|%$|^[^\p{L}\p{N}_]*@|^[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}$",
}
"""Wildcards, what is shortened or masked, and domains."""


def meaning(column: str) -> str:
    """``id``, ``email`` or ``OTHER_ID`` where a column's name is that in any spelling; empty for other columns."""
    letters = (letter for letter in unicodedata.normalize("NFKC", column) if letter.isalnum())
    folded = "".join(letters).casefold()
    return next((meant for meant, pattern in _COLUMNS if pattern.fullmatch(folded)), "")


def comparable(texts: pa.StringArray, name: str) -> pa.StringArray:
    """Identifiers of the list or of rows, so that equal ones are the same person: rather too many than too few.

    Blanks and quotes around them do not count, nor what spreadsheets put there, nor a plus before digits, nor a
    fraction of zeros, nor the case of e-mail addresses and UUIDs; of ``mailto:ann@example.com`` and
    ``Ann <ann@example.com>`` the address counts.

    Args:
        texts: As ``changeset.text.as_text`` makes them.
        name: ``id`` or ``email``.
    """
    odd = pc.fill_null(pc.match_substring_regex(texts, _ODD[name]), False)
    if pc.any(odd).as_py():
        cleaned = _email if name == "email" else _id
        texts = pc.replace_with_mask(texts, odd, cleaned(pc.utf8_normalize(pc.filter(texts, odd), "NFKC")))
    return pc.utf8_lower(texts) if name == "email" else texts


def uncertain(column: pa.Array, cells: pa.StringArray, name: str) -> pa.BooleanArray:
    """Which cells of a list do not surely name one person; as long as the column.

    Args:
        column: In canonical types.
        cells: The same, ``comparable``.
        name: ``id`` or ``email``.
    """
    given = filled(cells)
    if name == "email":
        altered = pc.match_substring_regex(cells, _ALTERED)
        return pc.and_(given, pc.or_(altered, pc.invert(pc.match_substring_regex(cells, _ADDRESS))))
    changed = pc.match_substring_regex(cells, _CHANGED)
    if pa.types.is_floating(column.type):
        changed = pc.or_(changed, pc.greater_equal(pc.abs(column), _EXACT_FLOAT))
    return pc.and_(given, changed)


def filled(texts: pa.StringArray) -> pa.BooleanArray:
    """Which cells are neither null nor blank."""
    return pc.fill_null(pc.match_substring_regex(texts, _NOT_BLANK), False)


def no_value(cells: pa.StringArray) -> pa.BooleanArray:
    """Which cells, ``comparable``, hold a word for no value, such as ``NULL``; false for null and empty ones."""
    return pc.fill_null(pc.match_substring_regex(cells, _NO_VALUE), False)


def pattern(cells: pa.StringArray, name: str) -> pa.BooleanArray:
    """Which cells, ``comparable``, mean several people: by a wildcard, or by a domain."""
    return pc.fill_null(pc.match_substring_regex(cells, _PATTERNS[name]), False)


def _email(texts: pa.StringArray) -> pa.StringArray:
    return _without(pc.utf8_lower(_without(texts, *_FOR_SPREADSHEETS)), *_AROUND_ADDRESSES)


def _id(texts: pa.StringArray) -> pa.StringArray:
    texts = _without(texts, *_FOR_SPREADSHEETS)
    texts = pc.if_else(pc.match_substring_regex(texts, _UUID), pc.utf8_trim(pc.utf8_lower(texts), "{}"), texts)
    return _without(texts, (r"^\+([0-9]+(?:\.[0-9]*)?)$", r"\1"), (r"^(-?[0-9]+)\.0*$", r"\1"))


def _without(texts: pa.StringArray, *patterns: tuple[str, str]) -> pa.StringArray:
    texts = pc.replace_substring_regex(texts, pattern=_AROUND, replacement="")
    for pattern, replacement in patterns:
        texts = pc.replace_substring_regex(texts, pattern=pattern, replacement=replacement)
        texts = pc.replace_substring_regex(texts, pattern=_AROUND, replacement="")
    return texts

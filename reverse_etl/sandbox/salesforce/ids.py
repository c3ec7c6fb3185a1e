"""Ids of records: 15 characters and three that tell their cases apart, made from a record's place in its table.

Source: Salesforce's help article on 15- and 18-character ids: each of the last three characters encodes which of five
characters are capitals.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_MIDDLE = "Sb0"
_PLACES = 9


def record_id(prefix: str, place: int) -> str:
    """The 18 characters of the record at a place; ``prefix`` are the three of its object."""
    return id_with_suffix(prefix + _MIDDLE + _based(place + 1, _PLACES))


def id_with_suffix(short: str) -> str:
    """The 18 characters of an id of 15."""
    parts = (short[start : start + 5] for start in (0, 5, 10))
    return short + "".join(_SUFFIX[sum(1 << n for n, char in enumerate(part) if char.isupper())] for part in parts)


def place_of(prefix: str, text: str) -> int | None:
    """The place that an id of 15 or 18 characters is of; None where it is of no record of this object.

    Raises:
        ValueError: It is no id at all.
    """
    short = text[:15]
    if len(text) not in (15, 18) or not text.isascii() or not text.isalnum():
        raise ValueError(text)
    if len(text) == 18 and id_with_suffix(short).lower() != text.lower():
        raise ValueError(text)
    if not short.startswith(prefix + _MIDDLE):
        return None
    place = 0
    for digit in short[-_PLACES:]:
        place = place * len(_DIGITS) + _VALUES[digit]
    return place - 1 if place else None


def record_ids(prefix: str, places: np.ndarray) -> pa.Array:
    """The ids of many records, as a column of text."""
    left = places + 1
    chars = np.empty((len(left), 18), dtype=np.uint8)
    chars[:, :6] = np.frombuffer((prefix + _MIDDLE).encode(), dtype=np.uint8)
    digits = np.frombuffer(_DIGITS.encode(), dtype=np.uint8)
    for position in range(14, 5, -1):
        chars[:, position] = digits[left % len(_DIGITS)]
        left //= len(_DIGITS)
    is_capital = (chars[:, :15] >= ord("A")) & (chars[:, :15] <= ord("Z"))
    weights = np.array([1, 2, 4, 8, 16])
    suffix = np.frombuffer(_SUFFIX.encode(), dtype=np.uint8)
    for part in range(3):
        chars[:, 15 + part] = suffix[is_capital[:, part * 5 : part * 5 + 5] @ weights]
    fixed = pa.Array.from_buffers(pa.binary(18), len(chars), [None, pa.py_buffer(chars.tobytes())])
    return fixed.cast(pa.binary()).cast(pa.string())


def _based(number: int, places: int) -> str:
    digits = []
    for _ in range(places):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))

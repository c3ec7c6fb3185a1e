"""JSON in and out without losing a digit, and the size of each item as it was sent.

orjson is fast but reads a number of 29 digits as the nearest float. A stand-in that did so could not tell a client
that keeps a decimal's digits from one that drops them, so such numbers are read as ``Decimal``.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import orjson

_MANY_DIGITS = re.compile(rb"\d[\d.]{15,}")
_SPACE = " \t\n\r"
_DIGITS_OF_64_BITS = 18
_LARGEST_INTEGER = 2**64 - 1
_SMALLEST_INTEGER = -(2**63)


def loads(body: bytes) -> Any:
    """The value; a number that neither a float nor 64 bits hold exactly is a ``Decimal``.

    Raises:
        ValueError: The body is not JSON (NaN and infinities are not).
    """
    value = orjson.loads(body)
    if all(map(_is_exact, _MANY_DIGITS.findall(body))):
        return value
    return json.loads(body, parse_float=_exact_float, parse_int=_exact_integer)


def dumps(value: Any) -> bytes:
    """Compact JSON; a ``Decimal`` becomes a number with all its digits."""
    return orjson.dumps(value, default=_digits)


def item_sizes(body: bytes, items: list[Any], limit_bytes: int) -> list[int]:
    """Bytes of each item of ``{"batch": [...]}`` as sent, white space and escapes included.

    The compact size is exact for a compact body. Only where the body holds enough more than that to lift one item over
    ``limit_bytes`` are the items' own texts measured; smaller sizes may then be compact ones.
    """
    sizes = [len(dumps(item)) for item in items]
    slack = max(0, len(body) - sum(sizes) - len(items))
    if not sizes or max(sizes) + slack <= limit_bytes:
        return sizes
    texts = _item_texts(body.decode())
    return sizes if texts is None or len(texts) != len(items) else [len(text.encode()) for text in texts]


def _item_texts(text: str) -> list[str] | None:
    """The items of the last ``batch`` of a JSON object, as written; None where the text is built otherwise."""
    decode = json.JSONDecoder().raw_decode
    found: list[str] | None = None
    position = _skip(text, 0) + 1
    while (position := _skip(text, position)) < len(text) and text[position] != "}":
        name, position = decode(text, position)
        position = _skip(text, _skip(text, position) + 1)
        if name == "batch" and text[position] == "[":
            found = []
            position = _skip(text, position + 1)
            while text[position] != "]":
                _, end = decode(text, position)
                found.append(text[position:end])
                position = _skip(text, end)
                if text[position] == ",":
                    position = _skip(text, position + 1)
            position += 1
        else:
            _, position = decode(text, position)
        position = _skip(text, position)
        if position < len(text) and text[position] == ",":
            position += 1
    return found


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _SPACE:
        position += 1
    return position


def _is_exact(digits: bytes) -> bool:
    """Whether orjson reads a number with these digits exactly; true of what is no number."""
    if b"." not in digits:
        return len(digits) <= _DIGITS_OF_64_BITS
    return digits.count(b".") > 1 or repr(float(digits)).encode() == digits


def _exact_float(text: str) -> float | Decimal:
    nearest = float(text)
    exact = Decimal(text)
    return nearest if Decimal(repr(nearest)) == exact else exact


def _exact_integer(text: str) -> int | Decimal:
    value = int(text)
    return value if _SMALLEST_INTEGER <= value <= _LARGEST_INTEGER else Decimal(text)


def _digits(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(f"{type(value).__name__} is not JSON")

"""Text as the ODBC driver gives it: UTF-16, in which SQL Server also keeps halves of surrogate pairs.

pyodbc would end the query at the first such text. So it hands over the bytes, each as the character of that number
(Latin-1), and they are read here, a column at a time, which is faster than to have each value decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from reverse_etl.sources._values import column

ENCODING: Final = "latin-1"
"""What pyodbc is to take text for."""

_ASCII: Final = 0x80
_THREE_BYTES: Final = 0x800
"""From here on characters take as many bytes in UTF-8; each half of a surrogate pair takes two."""


class Text(str):
    """A text that is ready, such as what a converter has made."""

    __slots__ = ()


def readable(values: Sequence[Any]) -> Sequence[Any] | pa.StringArray:
    """A column with its text as text: as an Arrow array where all of it is text, otherwise with Python's values."""
    kinds = set(map(type, values))
    if str not in kinds:
        return values
    if kinds <= {str, type(None)}:
        return _texts(values)
    return [text(value) for value in values]


def text(value: Any) -> Any:
    """One value; a half of a surrogate pair stays one, and what is not the driver's text is as it was."""
    return value.encode(ENCODING).decode("utf-16-le", "surrogatepass") if type(value) is str else value


def _texts(values: Sequence[str | None]) -> pa.StringArray:
    written = [value or "" for value in values]
    raw = "".join(written).encode(ENCODING)
    units = np.frombuffer(raw, "<u2")
    ends = np.cumsum(np.fromiter(map(len, written), np.int64, len(written))) // 2
    if units.max(initial=0) < _ASCII:
        data = units.astype(np.uint8).tobytes()
    elif _has_halves(units, ends):
        array, _ = column([text(value) for value in values], timezone="UTC")
        return array
    else:
        data = raw.decode("utf-16-le").encode()
        bytes_before = np.zeros(len(units) + 1, np.int64)
        np.cumsum(1 + (units >= _ASCII) + ((units >= _THREE_BYTES) & ~_are(units, 0xD800, 5)), out=bytes_before[1:])
        ends = bytes_before[ends]
    offsets = np.zeros(len(values) + 1, np.int32)
    offsets[1:] = ends
    valid = None
    if None in values:
        valid = pa.py_buffer(np.packbits([value is not None for value in values], bitorder="little"))
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(offsets), pa.py_buffer(data), valid)


def _has_halves(units: np.ndarray[Any, Any], ends: np.ndarray[Any, Any]) -> bool:
    """Whether a surrogate stands without its other half, which may not be in another value."""
    if not _are(units, 0xD800, 5).any():
        return False
    leading, trailing = _are(units, 0xD800, 6), _are(units, 0xDC00, 6)
    starts = ends[ends < len(units)]
    paired = np.array_equal(leading[:-1], trailing[1:]) and not (leading[-1] or trailing[0])
    return bool(not paired or trailing[starts].any())


def _are(units: np.ndarray[Any, Any], kind: int, bits: int) -> np.ndarray[Any, Any]:
    """Which of them begin with the first bits of a kind."""
    found: np.ndarray[Any, Any] = (units >> (16 - bits)) == (kind >> (16 - bits))
    return found

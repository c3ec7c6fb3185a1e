"""From rows as they come on the wire to a canonical batch, a column at a time.

Numbers, booleans and intervals come in binary, everything else as the server's own text, which is read as
PostgreSQL's is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.sources._arrow import canonical_field, iso_duration
from reverse_etl.sources.base import BATCH_BYTES, BATCH_ROWS
from reverse_etl.sources.postgres import values as postgres_values
from reverse_etl.sources.postgres.types import Kind

_FIXED: Final = {
    16: np.dtype("?"),
    20: np.dtype(">i8"),
    21: np.dtype(">i2"),
    23: np.dtype(">i4"),
    26: np.dtype(">u4"),  # oid
    700: np.dtype(">f4"),
    701: np.dtype(">f8"),
}
_VARBYTE: Final = 6551
_DAY_US: Final = 86_400_000_000

_KINDS: Final = {
    114: Kind.JSON,
    1042: Kind.PADDED_TEXT,  # CHAR, BPCHAR
    1082: Kind.DATE,
    1114: Kind.WALL_CLOCK,
    1184: Kind.INSTANT,
    1700: Kind.DECIMAL,
    3802: Kind.JSON,
    4000: Kind.JSON,  # SUPER
}
"""What text of the types is; every other one is text and nothing more. Source: the driver's utils/oids.py, 2.2.0."""


def _interval(raw: bytes) -> str:
    """Time, days where the server counts them apart (PostgreSQL 8.0 did not), months."""
    us, *apart, months = struct.unpack("!qii" if len(raw) == 16 else "!qi", raw)
    days, us = (apart[0], us) if apart else _whole(us, _DAY_US)
    return iso_duration(months, days, us * 1000)


def _year_to_month(raw: bytes) -> str:
    return iso_duration(struct.unpack("!i", raw)[0], 0, 0)


def _day_to_second(raw: bytes) -> str:
    days, us = _whole(struct.unpack("!q", raw)[0], _DAY_US)
    return iso_duration(0, days, us * 1000)


def _whole(count: int, size: int) -> tuple[int, int]:
    whole, rest = divmod(abs(count), size)
    return (whole, rest) if count >= 0 else (-whole, -rest)


_INTERVALS: Final[dict[int, Callable[[bytes], str]]] = {1186: _interval, 1188: _year_to_month, 1190: _day_to_second}

IN_BINARY: Final = frozenset(_FIXED) | frozenset(_INTERVALS)
"""OIDs of the types whose values are asked for in binary."""


class Blocks:
    """Rows on their way into batches of ``BATCH_ROWS`` or about ``BATCH_BYTES``."""

    def __init__(self) -> None:
        self.rest: list[bytes] = []
        self._rest_bytes = 0

    def add(self, rows: list[bytes], size: int) -> list[list[bytes]]:
        """Takes rows of that many bytes in all; returns the blocks that are full now, what is left is in ``rest``."""
        self.rest += rows
        self._rest_bytes += size
        if len(self.rest) < BATCH_ROWS and self._rest_bytes < BATCH_BYTES:
            return []
        full = []
        first = block_bytes = 0
        for number, row in enumerate(self.rest, 1):
            block_bytes += len(row)
            if number - first == BATCH_ROWS or block_bytes >= BATCH_BYTES:
                full.append(self.rest[first:number])
                first, block_bytes = number, 0
        self.rest, self._rest_bytes = self.rest[first:], block_bytes
        return full


def batch(rows: list[bytes], columns: Sequence[tuple[str, int]], *, timezone: str) -> pa.RecordBatch:
    """Rows in canonical types; there may be none.

    Args:
        rows: DataRow messages without their heads, with ``TimeZone`` UTC and ``DateStyle`` ISO.
        columns: Name and type OID of each value.
        timezone: How date-times without a zone are read.
    """
    joined = b"".join(rows)
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    at = np.cumsum(lengths) - lengths + 2
    made = []
    for _, oid in columns:
        values = _Values(joined, at)
        made.append(_canonical(values, oid, timezone))
        at = values.ends
    fields = [canonical_field(name, array, mark) for (name, _), (array, mark) in zip(columns, made, strict=True)]
    return pa.RecordBatch.from_arrays([array for array, _ in made], schema=pa.schema(fields))


class _Values:
    """Where one column's values lie in a block.

    Attributes:
        valid: False for NULL.
        starts: First byte of each value.
        ends: The byte after it; where NULL, the same as its start.
    """

    def __init__(self, joined: bytes, at: np.ndarray[Any, Any]) -> None:
        self._joined = joined
        lengths = self._cut(at, 4).view(">i4")[:, 0] if len(at) else np.empty(0, ">i4")
        self.valid = lengths >= 0
        self.starts = at + 4
        self.ends = self.starts + np.maximum(lengths, 0)

    def numbers(self, kind: np.dtype[Any]) -> np.ndarray[Any, Any]:
        """Values of one width in the machine's byte order; zero where NULL."""
        numbers = np.zeros(len(self.valid), kind.newbyteorder("="))
        if self.valid.any():
            numbers[self.valid] = self._cut(self.starts[self.valid], kind.itemsize).view(kind)[:, 0]
        return numbers

    def raw(self) -> pa.BinaryArray:
        """The values' bytes; null where NULL."""
        count = len(self.valid)
        # Values and what lies between them are slices of one buffer: every second one is a value.
        offsets = np.zeros(2 * count + 1, np.int32)
        offsets[1::2] = self.starts
        offsets[2::2] = self.ends
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self._joined)]
        slices = pa.Array.from_buffers(pa.binary(), 2 * count, buffers)
        return slices.take(pa.array(np.arange(1, 2 * count, 2), mask=~self.valid))

    def _cut(self, at: np.ndarray[Any, Any], width: int) -> np.ndarray[Any, Any]:
        return np.frombuffer(self._joined, np.uint8)[at[:, None] + np.arange(width)]


def _canonical(values: _Values, oid: int, timezone: str) -> tuple[pa.Array, str]:
    fixed = _FIXED.get(oid)
    if fixed is not None:
        return _number(pa.array(values.numbers(fixed), mask=~values.valid)), ""
    raw = values.raw()
    if oid in _INTERVALS:
        say = _INTERVALS[oid]
        return pa.array([None if value is None else say(value) for value in raw.to_pylist()], pa.string()), ""
    if oid == _VARBYTE:
        decoded = [None if digits is None else bytes.fromhex(digits.decode()) for digits in raw.to_pylist()]
        return pa.array(decoded, pa.binary()), ""
    kind = _KINDS.get(oid, Kind.TEXT)
    column = raw if kind in (Kind.TEXT, Kind.PADDED_TEXT, Kind.JSON) else pc.cast(raw, pa.string())
    return postgres_values.canonical(column, kind, timezone=timezone)


def _number(numbers: pa.Array) -> pa.Array:
    if pa.types.is_boolean(numbers.type):
        return numbers
    if pa.types.is_float32(numbers.type):
        # The shortest digits that mean the number: 0.1 rather than 0.10000000149011612.
        return pc.cast(pc.cast(numbers, pa.string()), pa.float64())
    return numbers if pa.types.is_float64(numbers.type) else pc.cast(numbers, pa.int64())

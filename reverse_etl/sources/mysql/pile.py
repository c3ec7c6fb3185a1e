"""Rows of one batch as they come in: packets are put into columns a megabyte at a time, a driver's rows by hundreds.

Keeping a whole batch as Python objects costs twice the time: the garbage collector looks at each again and
again, and none is in the processor's cache any more when its column is made.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from reverse_etl.sources.base import BATCH_BYTES, BATCH_ROWS
from reverse_etl.sources.mysql.packets import Packets

if TYPE_CHECKING:
    from reverse_etl.sources.mysql.wire import Row

_FIRST_ROWS: Final = 16
_MOST_ROWS: Final = 512

_PACKETS_BYTES: Final = 1_000_000
"""How much is put into columns at once: a whole batch takes 10 MB more, half as much a tenth more time."""


class Pile:
    """Columns that grow to the size of a batch, again and again.

    Attributes:
        rows: How many it holds.
        left: How many more may come, in this batch and all later ones.
    """

    def __init__(self, columns: int, *, limit: int | None) -> None:
        self.rows = 0
        self.left = sys.maxsize if limit is None else limit
        self._columns = columns
        self._parts: list[list[pa.BinaryArray]] = []
        self._packets = Packets()
        self._bytes = 0
        self._portion = _FIRST_ROWS

    @property
    def room(self) -> int:
        """How many rows to read next, few while they may be wide; 0 when the batch is full or nothing is left."""
        if self._bytes >= BATCH_BYTES:
            return 0
        return min(self._portion, BATCH_ROWS - self.rows, self.left)

    def add_received(self, buffer: bytearray, begin: int, end: int, *, number: int) -> tuple[int, int]:
        """Takes in rows as a server sent them, as ``Packets.add`` does, as many as there is room for."""
        most = min(BATCH_ROWS - self.rows, self.left)
        rows, next_packet = self._packets.add(buffer, begin, end, number=number, most=most)
        self._count(rows, next_packet - begin)
        if self._packets.nbytes >= _PACKETS_BYTES:
            self._unpack()
        return rows, next_packet

    def add(self, rows: Sequence[Row]) -> None:
        """Takes rows in, at least one."""
        self._unpack()
        part = [pa.array(values, pa.binary()) for values in zip(*rows, strict=True)]
        size = sum(column.nbytes for column in part)
        self._parts.append(part)
        self._count(len(rows), size)
        row_bytes = max(1, size // len(rows))
        self._portion = max(1, min(_MOST_ROWS, self._portion * 2, BATCH_BYTES // 8 // row_bytes))

    def take(self) -> list[pa.BinaryArray]:
        """The columns of a batch, as the server sent them; afterwards the pile holds none.

        Raises:
            Refused: A row has not as many columns.
        """
        self._unpack()
        parts = self._parts or [[pa.array([], pa.binary())] * self._columns]
        self._parts, self._bytes, self.rows = [], 0, 0
        return [pa.concat_arrays(pieces) for pieces in zip(*parts, strict=True)]

    def _unpack(self) -> None:
        if self._packets.nbytes:
            self._parts.append(self._packets.take(self._columns))

    def _count(self, rows: int, size: int) -> None:
        self._bytes += size
        self.rows += rows
        self.left -= rows

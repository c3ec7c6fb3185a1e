"""Messages of PostgreSQL's logical replication, read for the keys that they name.

Source: postgresql.org/docs/current/protocol-logicalrep-message-formats.html, protocol version 1, read 2026-11.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from reverse_etl.sources.powers import GapError

_BPCHAR: Final = 1042
"""The type of CHAR(n): blanks that fill its width are no part of a value."""

Keyed = tuple[str, str]
"""A table's name, and the column whose values are asked for."""


class KeyReader:
    """Reads messages in their order, and remembers what they say of tables.

    Attributes:
        tables: What is asked for, by OID.
    """

    def __init__(self, tables: Mapping[int, Keyed]) -> None:
        self.tables = tables
        self._columns: dict[int, tuple[str, int, bool]] = {}

    def keys(self, messages: Iterable[bytes]) -> Iterator[tuple[str, str]]:
        """The table and key of each row that was written, with repeats. Raises GapError."""
        for message in messages:
            kind = message[:1]
            if kind in b"IUD":
                found = self._columns.get(int.from_bytes(message[1:5], "big"))
                if found is not None:
                    yield from self._row(message, *found)
            elif kind == b"R":
                self._relation(message)
            elif kind == b"T":
                self._truncated(message)

    def _relation(self, message: bytes) -> None:
        oid = int.from_bytes(message[1:5], "big")
        keyed = self.tables.get(oid)
        if keyed is None:
            return
        table, wanted = keyed
        _, _, rest = message[5:].split(b"\0", 2)
        (count,), rest = struct.unpack_from(">H", rest, 1), rest[3:]
        for number in range(count):
            is_key = bool(rest[0] & 1)
            name, rest = rest[1:].split(b"\0", 1)
            if name.decode() == wanted:
                if not is_key:
                    raise GapError(f"The log does not have {table}.{wanted} of deleted and moved rows.")
                is_padded = int.from_bytes(rest[:4], "big") == _BPCHAR
                self._columns[oid] = table, number, is_padded
                return
            rest = rest[8:]
        raise GapError(f"The log does not have {table}.{wanted}.")

    def _row(self, message: bytes, table: str, number: int, is_padded: bool) -> Iterator[tuple[str, str]]:
        at = 5
        while at < len(message):
            # N: the new row, K: the old one's key, O: the old one.
            (count,) = struct.unpack_from(">H", message, at + 1)
            at += 3
            for column in range(count):
                kind = message[at : at + 1]
                at += 1
                if kind in b"tb":
                    size = int.from_bytes(message[at : at + 4], "big")
                    at += 4
                    if column == number:
                        text = message[at : at + size].decode(errors="replace")
                        yield table, text.rstrip(" ") if is_padded else text
                    at += size
                elif kind == b"u" and column == number:
                    raise GapError(f"The log leaves out long values of {table}.")

    def _truncated(self, message: bytes) -> None:
        (count,) = struct.unpack_from(">I", message, 1)
        for (oid,) in struct.iter_unpack(">I", message[6 : 6 + 4 * count]):
            if oid in self.tables:
                raise GapError(f"{self.tables[oid][0]} was emptied with TRUNCATE.")

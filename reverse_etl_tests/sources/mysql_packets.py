"""Rows in packets, as a MySQL server sends them in its text protocol."""

from __future__ import annotations

from collections.abc import Sequence

from reverse_etl.sources.mysql.wire import Row


def value(content: bytes | None) -> bytes:
    """A value as a row has it."""
    if content is None:
        return b"\xfb"
    size = len(content)
    if size < 251:
        return bytes([size]) + content
    mark, count = (b"\xfc", 2) if size < 2**16 else (b"\xfd", 3)
    return mark + size.to_bytes(count, "little") + content


def packet(payload: bytes, number: int) -> bytes:
    """A packet with its header."""
    return len(payload).to_bytes(3, "little") + bytes([number & 0xFF]) + payload


def sent(rows: Sequence[Row], number: int = 0) -> bytearray:
    """Rows as a server sends them."""
    return bytearray(
        b"".join(packet(b"".join(map(value, row)), number + place) for place, row in enumerate(rows)),
    )

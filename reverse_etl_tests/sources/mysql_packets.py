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


def plainly(payload: bytes, columns: int) -> Row | None:
    """The values of a packet, one after the other; None where it has not as many columns."""
    row: list[bytes | None] = []
    at = 0
    for _ in range(columns):
        if at >= len(payload) or payload[at] > 0xFD:
            return None
        mark, at = payload[at], at + 1
        if mark == 0xFB:
            row.append(None)
            continue
        count = {0xFC: 2, 0xFD: 3}.get(mark, 0)
        size = int.from_bytes(payload[at : at + count], "little") if count else mark
        row.append(payload[at + count : at + count + size])
        at += count + size
    return tuple(row) if at == len(payload) else None


def packet(payload: bytes, number: int) -> bytes:
    """A packet with its header."""
    return len(payload).to_bytes(3, "little") + bytes([number & 0xFF]) + payload


def sent(rows: Sequence[Row], number: int = 0) -> bytearray:
    """Rows as a server sends them."""
    return bytearray(
        b"".join(packet(b"".join(map(value, row)), number + place) for place, row in enumerate(rows)),
    )

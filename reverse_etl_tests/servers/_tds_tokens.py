"""What a TDS 7.4 server says: tokens, and columns of Arrow values as cells of each type on the wire.

Which type a column has is decided in ``_tds_sql``. Source: [MS-TDS] sections 2.2.5 and 2.2.7, read 2026-11.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

LATIN_COLLATION = bytes.fromhex("0904d00034")
"""SQL_Latin1_General_CP1_CI_AS: code page 1252."""
MAX = 0xFFFF
HALF_PAIR = "\ue000"
"""Stands in DuckDB, whose text is UTF-8, for the half of a surrogate pair that SQL Server can hold."""
MORE, FAILED, COUNTED, ATTENTION = 0x01, 0x02, 0x10, 0x20

_DAYS_TO_1970 = 719_162
_DAYS_1900_TO_1970 = 25_567
_DAYS_1970_TO_9999 = 2_932_896
_DAY_US = 86_400_000_000
_TIME_BYTES = (3, 3, 3, 4, 4, 5, 5, 5)


@dataclass(frozen=True, slots=True)
class Type:
    """A column's type on the wire.

    Attributes:
        name: As in [MS-TDS], such as ``INTN``.
        size: Bytes of a number, characters or bytes of text, ``MAX`` for a value in chunks.
        precision: Digits of a decimal.
        scale: Digits after the point.
    """

    name: str
    size: int = 0
    precision: int = 0
    scale: int = 0


def utf16(text: str) -> bytes:
    """Text as SQL Server writes it, halves of surrogate pairs as it keeps them."""
    return text.replace(HALF_PAIR, "\ud83d").encode("utf-16-le", "surrogatepass")


def short(text: str) -> bytes:
    """B_VARCHAR."""
    return bytes([len(utf16(text)) // 2]) + utf16(text)


def token(kind: int, body: bytes) -> bytes:
    """A token with its length before it."""
    return struct.pack("<BH", kind, len(body)) + body


def changed(kind: int, new: str, old: str = "") -> bytes:
    """ENVCHANGE of a text."""
    return token(0xE3, bytes([kind]) + short(new) + short(old))


def collation() -> bytes:
    """ENVCHANGE of the collation."""
    return token(0xE3, bytes([7, 5]) + LATIN_COLLATION + b"\0")


def message(number: int, text: str, *, severity: int, is_error: bool = True) -> bytes:
    """ERROR or INFO."""
    said = struct.pack("<H", len(utf16(text)) // 2) + utf16(text)
    return token(
        0xAA if is_error else 0xAB,
        struct.pack("<iBB", number, 1, severity) + said + short("counterpart") + short("") + struct.pack("<i", 1),
    )


def logged_in(version: tuple[int, int, int]) -> bytes:
    """LOGINACK of TDS 7.4."""
    major, minor, build = version
    program = short("Microsoft SQL Server") + struct.pack(">BBH", major, minor, build)
    return token(0xAD, b"\x01\x74\x00\x00\x04" + program)


def done(status: int = 0, rows: int = 0) -> bytes:
    """DONE."""
    return struct.pack("<BHHQ", 0xFD, status, 0xC1, rows)


def columns(names: Sequence[str], types: Sequence[Type]) -> bytes:
    """COLMETADATA; every column may be null."""
    described = (
        struct.pack("<IH", 0, 9) + _described(kind) + short(name) for name, kind in zip(names, types, strict=True)
    )
    return b"\x81" + struct.pack("<H", len(names)) + b"".join(described)


def rows(batch: pa.RecordBatch, types: Sequence[Type]) -> bytes:
    """ROW tokens, or NBCROW for rows with nulls where several columns have some."""
    with_nulls = [column.null_count > 0 for column in batch.columns]
    starts: Iterable[bytes] = itertools.repeat(b"\xd1", batch.num_rows)
    packed = sum(with_nulls) > 1
    if packed:
        nulls = np.column_stack([pc.is_null(column).to_numpy(zero_copy_only=False) for column in batch.columns])
        maps = np.packbits(nulls, axis=1, bitorder="little")
        some: list[bool] = np.any(nulls, axis=1).tolist()
        starts = [b"\xd2" + bits.tobytes() if any_ else b"\xd1" for bits, any_ in zip(maps, some, strict=True)]
    cells = [_cells(column, kind, packed=packed) for column, kind in zip(batch.columns, types, strict=True)]
    return b"".join(itertools.chain.from_iterable(zip(starts, *cells, strict=True)))


_CODES = {
    "INTN": 0x26, "BITN": 0x68, "FLTN": 0x6D, "DECIMALN": 0x6A, "NUMERICN": 0x6C, "MONEYN": 0x6E, "DATETIMN": 0x6F,
    "DATEN": 0x28, "TIMEN": 0x29, "DATETIME2N": 0x2A, "DATETIMEOFFSETN": 0x2B, "GUID": 0x24, "BIGVARCHAR": 0xA7,
    "BIGCHAR": 0xAF, "NVARCHAR": 0xE7, "NCHAR": 0xEF, "BIGVARBIN": 0xA5, "BIGBINARY": 0xAD, "SSVARIANT": 0x62,
}  # fmt: skip
_INT8, _NVARCHAR = 0x7F, 0xE7
"""The base types of SSVARIANT here: BIGINT and NVARCHAR."""
_TEXTS = {"NVARCHAR": "utf-16-le", "NCHAR": "utf-16-le", "BIGVARCHAR": "cp1252", "BIGCHAR": "cp1252"}
_LONG = frozenset({*_TEXTS, "BIGVARBIN", "BIGBINARY"})


def _described(kind: Type) -> bytes:
    """TYPE_INFO."""
    code = bytes([_CODES[kind.name]])
    if kind.name in _LONG:
        width = 2 if _TEXTS.get(kind.name) == "utf-16-le" else 1
        size = MAX if kind.size == MAX else kind.size * width
        return code + struct.pack("<H", size) + (LATIN_COLLATION if kind.name in _TEXTS else b"")
    if kind.name in {"DECIMALN", "NUMERICN"}:
        return code + bytes([17, kind.precision, kind.scale])
    if kind.name == "DATEN":
        return code
    if kind.name == "SSVARIANT":
        return code + struct.pack("<I", kind.size)
    if kind.name in {"TIMEN", "DATETIME2N", "DATETIMEOFFSETN"}:
        return code + bytes([kind.scale])
    return code + bytes([kind.size])


def _cells(column: pa.Array, kind: Type, *, packed: bool) -> list[bytes]:
    """The column's cells; a null is nothing in a packed row, otherwise the type's own mark."""
    null = b"" if packed else b"\0"
    if not packed and kind.name in _LONG:
        null = b"\xff" * (8 if kind.size == MAX else 2)
    if kind.name == "BITN":
        said = {None: null, False: b"\x01\x00", True: b"\x01\x01"}
        return [said[value] for value in column.to_pylist()]
    if kind.name in _LONG:
        return [null if value is None else _long(value, kind) for value in column.to_pylist()]
    if kind.name == "SSVARIANT":
        none = null and b"\0" * 4
        return [none if value is None else _variant(value) for value in column.to_pylist()]
    if kind.name == "GUID":
        return [null if value is None else b"\x10" + _uuid(value).bytes_le for value in column.to_pylist()]
    if kind.name in {"DECIMALN", "NUMERICN", "MONEYN"}:
        digits = _unscaled(column, 4 if kind.name == "MONEYN" else kind.scale)
        return [null if value is None else _decimal(value, kind) for value in digits]
    cells = _fixed(column, kind)
    if column.null_count:
        cells = [null if missing else cell for cell, missing in zip(cells, pc.is_null(column).to_pylist(), strict=True)]
    return cells


def _variant(value: str | int) -> bytes:
    if isinstance(value, int):
        return struct.pack("<IBBq", 10, _INT8, 0, value)
    raw = utf16(value)
    properties = LATIN_COLLATION + struct.pack("<H", 8000)
    return struct.pack("<IBB", len(raw) + 9, _NVARCHAR, len(properties)) + properties + raw


def _long(value: str | bytes, kind: Type) -> bytes:
    encoding = _TEXTS.get(kind.name)
    if isinstance(value, str):
        raw = utf16(value) if encoding == "utf-16-le" else value.encode("cp1252", "replace")
    else:
        raw = bytes(value)
    if kind.name in {"NCHAR", "BIGCHAR", "BIGBINARY"}:
        width = 2 if kind.name == "NCHAR" else 1
        blank = b"\0" if kind.name == "BIGBINARY" else b" ".ljust(width, b"\0")
        raw += blank * (kind.size - len(raw) // width)
    if kind.size != MAX:
        return struct.pack("<H", len(raw)) + raw
    pieces = (raw[start : start + 60_000] for start in range(0, len(raw), 60_000))
    chunks = b"".join(struct.pack("<I", len(piece)) + piece for piece in pieces)
    return struct.pack("<Q", len(raw)) + chunks + b"\0\0\0\0"


def _uuid(value: Any) -> UUID:
    if isinstance(value, UUID):
        return value
    return UUID(bytes=value) if isinstance(value, bytes) else UUID(value)


def _unscaled(column: pa.Array, scale: int) -> list[int | None]:
    if not pa.types.is_decimal(column.type):
        column = pc.cast(column, pa.decimal128(38, 0))
    column = pc.cast(column, pa.decimal128(38, scale))
    valid = column.is_valid().to_pylist()
    raw = memoryview(column.buffers()[1])[column.offset * 16 :]
    return [
        int.from_bytes(raw[row * 16 : row * 16 + 16], "little", signed=True) if there else None
        for row, there in enumerate(valid)
    ]


def _decimal(value: int, kind: Type) -> bytes:
    if kind.name == "MONEYN":
        return bytes([kind.size]) + (
            struct.pack("<iI", value >> 32, value & 0xFFFFFFFF) if kind.size == 8 else struct.pack("<i", value)
        )
    return b"\x11" + (b"\x01" if value >= 0 else b"\x00") + abs(value).to_bytes(16, "little")


def _fixed(column: pa.Array, kind: Type) -> list[bytes]:
    """Cells of numbers and instants; what stands for a null is of no matter."""
    if kind.name == "FLTN":
        return _counted(f"<f{kind.size}", pc.fill_null(column, 0).to_numpy(zero_copy_only=False))
    if kind.name == "INTN":
        integers = pc.fill_null(pc.cast(column, pa.int64()), 0).to_numpy(zero_copy_only=False)
        return _counted("u1" if kind.size == 1 else f"<i{kind.size}", integers)
    unit = {"DATEN": pa.int32(), "TIMEN": pa.int64()}.get(kind.name, pa.int64())
    if kind.name == "DATEN":
        days = _filled(pc.cast(column, pa.date32()), unit) + _DAYS_TO_1970
        return _joined(3, (days, 3))
    if kind.name == "TIMEN":
        return _joined(
            _TIME_BYTES[kind.scale],
            (_ticks(_filled(pc.cast(column, pa.time64("us")), unit), kind.scale), _TIME_BYTES[kind.scale]),
        )
    zone = "UTC" if kind.name == "DATETIMEOFFSETN" else None
    us = _filled(pc.cast(column, pa.timestamp("us", zone)), unit)
    days, us = us // _DAY_US, us % _DAY_US
    if kind.name == "DATETIMN" and kind.size == 8:
        return _joined(8, (days + _DAYS_1900_TO_1970, 4), ((us * 3 + 5_000) // 10_000, 4))
    if kind.name == "DATETIMN":
        return _joined(4, (days + _DAYS_1900_TO_1970, 2), (us // 60_000_000, 2))
    width = _TIME_BYTES[kind.scale]
    parts = [(_ticks(us, kind.scale), width), (days + _DAYS_TO_1970, 3)]
    if kind.name == "DATETIMEOFFSETN":
        # The offset that it was written with, two hours; the instant itself is UTC.
        parts.append((np.where(days < _DAYS_1970_TO_9999, 120, 0), 2))
    return _joined(sum(width for _, width in parts), *parts)


def _filled(column: pa.Array, unit: pa.DataType) -> Any:
    return pc.fill_null(column.cast(unit), 0).to_numpy(zero_copy_only=False).astype("i8")


def _ticks(us: Any, scale: int) -> Any:
    return us * 10 ** (scale - 6) if scale >= 6 else us // 10 ** (6 - scale)


def _counted(kind: str, values: Any) -> list[bytes]:
    cells = np.empty(len(values), dtype=np.dtype([("size", "u1"), ("value", kind)]))
    cells["size"] = np.dtype(kind).itemsize
    cells["value"] = values
    return _split(cells)


def _joined(size: int, *parts: tuple[Any, int]) -> list[bytes]:
    """Cells of little-endian integers of the widths given, with the size before them."""
    raw = [np.full((len(parts[0][0]), 1), size, "u1")]
    raw += [values.astype("<i8").view("u1").reshape(-1, 8)[:, :width] for values, width in parts]
    return _split(np.ascontiguousarray(np.hstack(raw)))


def _split(cells: Any) -> list[bytes]:
    if not len(cells):
        return []
    size = cells.nbytes // len(cells)
    split: list[bytes] = cells.view(f"V{size}").reshape(-1).tolist()
    return split

"""From any Arrow batch to canonical types, for engines and callers whose data is Arrow already.

Columns of Python values are ``_values``; what becomes of date-times is ``_instants``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.sources._instants import instants, values
from reverse_etl.sources._json import UNSENDABLE, dump, named, plain
from reverse_etl.sources.base import NOT_JSON, NOT_TEXT, logical_type, marked

MARKS: Final = frozenset({"decimal", "json"})


def canonical(batch: pa.RecordBatch, *, timezone: str) -> pa.RecordBatch:
    """A batch in canonical types (``base``): same rows, names and order; nulls kept.

    Args:
        batch: Any Arrow types. A batch that is canonical already comes back equal.
        timezone: How zone-less timestamps are read.

    Returns:
        Times, durations, intervals and UUIDs as text; lists, structs, maps and unions as JSON; decimals and
        integers beyond int64 as marked digits; dictionaries and views decoded.

    Raises:
        ConfigError: This machine has no data for the time zone.
    """
    columns = []
    fields = []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        mark = logical_type(field)
        made, mark = (column, mark) if mark in MARKS else _column(column, timezone)
        columns.append(made)
        fields.append(canonical_field(field.name, made, mark))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def canonical_field(name: str, column: pa.Array, mark: str) -> pa.Field:
    """The field of a canonical column; ``mark`` is ``decimal``, ``json`` or empty."""
    return marked(name, mark) if mark else pa.field(name, column.type)


def decoded(column: pa.BinaryArray, mark: str = "") -> pa.StringArray:
    """UTF-8 as text, with ``NOT_TEXT``, or ``NOT_JSON`` in a json column, where bytes are none; nulls kept."""
    try:
        return pc.cast(column, pa.string())
    except pa.ArrowInvalid:
        instead = NOT_JSON if mark == "json" else NOT_TEXT
        return pa.array([None if raw is None else _utf8(raw, instead) for raw in column.to_pylist()], pa.string())


def _utf8(raw: bytes, instead: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return instead


def _column(column: pa.Array, timezone: str) -> tuple[pa.Array, str]:
    """A canonical column and its mark."""
    kind = column.type
    is_ = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return _extension(column, timezone)
    if is_.is_dictionary(kind):
        return _column(column.dictionary_decode(), timezone)
    if is_.is_run_end_encoded(kind):
        return _column(pc.run_end_decode(column), timezone)
    if is_.is_null(kind) or is_.is_boolean(kind):
        return column, ""
    if is_.is_uint64(kind):
        return _unsigned(column)
    if is_.is_integer(kind):
        return pc.cast(column, pa.int64()), ""
    if is_.is_floating(kind):
        return doubles(column), ""
    if is_.is_decimal(kind):
        return _digits(column), "decimal"
    if is_.is_timestamp(kind) or is_.is_date(kind):
        return instants(column, timezone=timezone), ""
    if _holds_bytes(kind):
        return pc.cast(column, pa.binary()), ""
    if is_.is_nested(kind):
        texts = [None if value is None else dump(value) for value in _plain(column, timezone)]
        return pa.array(texts, pa.string()), "json"
    return _text(column), ""


def _holds_bytes(kind: pa.DataType) -> bool:
    is_ = pa.types
    return bool(
        is_.is_binary(kind) or is_.is_large_binary(kind) or is_.is_fixed_size_binary(kind) or is_.is_binary_view(kind)
    )


def _extension(column: pa.ExtensionArray, timezone: str) -> tuple[pa.Array, str]:
    name = column.type.extension_name
    if name == "arrow.uuid":
        texts = [None if raw is None else str(UUID(bytes=raw)) for raw in column.storage.to_pylist()]
        return pa.array(texts, pa.string()), ""
    if name == "arrow.json":
        return pc.cast(column.storage, pa.string()), "json"
    if name == "arrow.bool8":
        return pc.cast(column.storage, pa.bool_()), ""
    return _column(column.storage, timezone)


def _unsigned(column: pa.Array) -> tuple[pa.Array, str]:
    try:
        return pc.cast(column, pa.int64()), ""
    except pa.ArrowInvalid:
        return pc.cast(column, pa.string()), "decimal"


def doubles(column: pa.Array) -> pa.DoubleArray:
    """Floats as 64 bits with the digits that people see: 0.1 in 32 bits is 0.1, not 0.10000000149011612."""
    if pa.types.is_float64(column.type):
        return column
    if pa.types.is_float16(column.type):
        # Arrow writes the digits of a 64-bit float here; numpy the shortest that are this number in 16 bits.
        shortest = column.to_numpy(zero_copy_only=False).astype(np.float16).astype(str)
        return pa.array(shortest.astype(np.float64), mask=np.asarray(column.is_null()))
    return pc.cast(pc.cast(column, pa.string()), pa.float64())


def _digits(column: pa.Array) -> pa.StringArray:
    texts = pc.cast(column, pa.string())
    # Arrow writes small and negatively scaled decimals with an exponent: 0E-10.
    if pc.any(pc.match_substring(texts, "E")).as_py():
        plain_texts = [None if text is None else format(Decimal(text), "f") for text in texts.to_pylist()]
        return pa.array(plain_texts, pa.string())
    return texts


def _text(column: pa.Array) -> pa.StringArray:
    kind = column.type
    if pa.types.is_time(kind):
        texts = pc.cast(column, pa.string())
        fraction_trimmed = pc.replace_substring_regex(texts, pattern=r"(\.\d*?)0+$", replacement=r"\1")
        return pc.replace_substring_regex(fraction_trimmed, pattern=r"\.$", replacement="")
    if pa.types.is_duration(kind):
        us = pc.cast(column, pa.duration("us"), safe=False).cast(pa.int64()).to_pylist()
        return pa.array([None if value is None else iso_duration(0, 0, value * 1000) for value in us], pa.string())
    if pa.types.is_interval(kind):
        texts = [None if value is None else iso_duration(*value) for value in column.to_pylist()]
        return pa.array(texts, pa.string())
    return pc.cast(column, pa.string())


def iso_duration(months: int, days: int, nanoseconds: int) -> str:
    """An interval as ISO 8601 text, as PostgreSQL writes it: ``P1Y2M3DT4H5M6.5S``; zero is ``PT0S``."""
    years, months = _parts(months, 12)
    minutes, rest = _parts(nanoseconds, 60_000_000_000)
    hours, minutes = _parts(minutes, 60)
    sign = "-" if rest < 0 else ""
    seconds = f"{abs(rest) // 1_000_000_000}.{abs(rest) % 1_000_000_000:09d}".rstrip("0").rstrip(".")
    when = "".join(f"{count}{unit}" for count, unit in ((years, "Y"), (months, "M"), (days, "D")) if count)
    clock = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M")) if count)
    clock += f"{sign}{seconds}S" if rest or not (when or clock) else ""
    return f"P{when}T{clock}" if clock else f"P{when}"


def _parts(count: int, size: int) -> tuple[int, int]:
    """Whole ``size``s and the rest, both with the sign of ``count``."""
    whole, rest = divmod(abs(count), size)
    return (whole, rest) if count >= 0 else (-whole, -rest)


def _plain(column: pa.Array, timezone: str) -> list[Any]:
    """The column as values for ``dump``: leaves converted a column at a time, then put together."""
    kind = column.type
    is_ = pa.types
    if is_.is_map(kind):
        column = pc.cast(column, pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)])))
        pairs = _plain(column, timezone)
        return [None if row is None else named((pair["key"], pair["value"]) for pair in row) for row in pairs]
    if is_.is_struct(kind):
        children = [_plain(child, timezone) for child in column.flatten()]
        names = [field.name for field in kind]
        rows = zip(*children, strict=True) if children else ((),) * len(column)
        valid = column.is_valid().to_pylist()
        return [dict(zip(names, row, strict=True)) if there else None for there, row in zip(valid, rows, strict=True)]
    if is_.is_union(kind):
        return _unions(column, timezone)
    if is_.is_nested(kind):
        return _lists(column, timezone)
    return _leaves(*_column(column, timezone))


def _unions(column: pa.UnionArray, timezone: str) -> list[Any]:
    if column.offset:
        # Codes and offsets of a slice are those of the whole array (Arrow 26).
        column = column.take(pa.array(range(len(column))))
    members = [_plain(column.field(number), timezone) for number in range(column.type.num_fields)]
    places = range(len(column)) if column.type.mode == "sparse" else column.offsets.to_pylist()
    codes = {code: number for number, code in enumerate(column.type.type_codes)}
    return [members[codes[code]][place] for code, place in zip(column.type_codes.to_pylist(), places, strict=True)]


def _lists(column: pa.Array, timezone: str) -> list[Any]:
    items = iter(_plain(column.flatten(), timezone))
    if pa.types.is_fixed_size_list(column.type):
        lengths = [column.type.list_size if valid else None for valid in column.is_valid().to_pylist()]
    else:
        lengths = pc.list_value_length(column).to_pylist()
    return [None if length is None else [next(items) for _ in range(length)] for length in lengths]


def _leaves(column: pa.Array, mark: str) -> list[Any]:
    leaves = values(column)
    if mark:
        words = {"NaN", "Infinity", "-Infinity"}
        return [
            None if text is None else UNSENDABLE if text in words else orjson.Fragment(text.encode()) for text in leaves
        ]
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return [UNSENDABLE if isinstance(leaf, str) else None if leaf is None else leaf.isoformat() for leaf in leaves]
    if pa.types.is_floating(column.type) or pa.types.is_binary(column.type):
        return [plain(leaf) for leaf in leaves]
    return leaves

"""One item may have 32 kB. This rule checks it before anything is sent; delivery checks the item itself once more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.text import as_text
from reverse_etl.checks._batch import broken, columns
from reverse_etl.checks.base import Finding, Rule
from reverse_etl.sources.base import logical_type

MAX_BYTES = 32_000
"""Safe whether Customer.io's "32 kb" means 32,000 or 32,768. Source: Track API OpenAPI, August 2026."""

_ENVELOPE_BYTES = 200
"""Type, action and the identifiers' names around the values: at most so much for every kind."""

_LONGEST_ESCAPE = 6
"""Bytes that JSON needs at most for one byte of text."""

_LONGEST_NUMBER = 26

_Bytes = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class ItemSize:
    """No row becomes an item of more than 32,000 bytes. ``delete``: whether empty values are sent."""

    rule: Rule
    delete: bool

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows that do; their size is worked out only where a generous bound does not settle it."""
        if batch.num_rows == 0 or _upper_bound(batch) <= MAX_BYTES:
            return
        too_large = item_bytes(batch, delete=self.delete) > MAX_BYTES
        message = f"the row makes an item of more than {MAX_BYTES:,} bytes."
        yield from broken(batch, pa.array(too_large), "", message)


def item_bytes(batch: pa.RecordBatch, *, delete: bool) -> _Bytes:
    """About how many bytes each row's item has: a little too many rather than too few."""
    total = np.full(batch.num_rows, _ENVELOPE_BYTES, dtype=np.int64)
    for name, column, field in columns(batch):
        lengths = _numpy(_value_bytes(column, field))
        around = len(json.dumps(name, ensure_ascii=False).encode()) + 2
        absent = 4 + around if delete else 0
        total += np.where(_numpy(column.is_valid()), lengths + around, absent)
    return total


def _upper_bound(batch: pa.RecordBatch) -> int:
    total = _ENVELOPE_BYTES
    for name, column, field in columns(batch):
        longest = _LONGEST_NUMBER
        if _has_bytes(field.type):
            longest = 2 + _LONGEST_ESCAPE * (pc.max(pc.binary_length(column)).as_py() or 0)
        total += longest + _LONGEST_ESCAPE * len(name.encode()) + 4
    return total


def _value_bytes(column: pa.Array, field: pa.Field) -> pa.Array:
    if pa.types.is_floating(field.type):
        return pc.add(pc.binary_length(pc.cast(column, pa.string())), 2)
    if not _has_bytes(field.type):
        written = pc.cast(column, pa.string()) if pa.types.is_floating(field.type) else as_text(column, field)
        return pc.add(pc.binary_length(written), 2)
    lengths = pc.binary_length(column)
    if not pa.types.is_string(field.type) or logical_type(field) in ("decimal", "json"):
        return lengths
    short = pc.count_substring_regex(column, r'["\\\x08\t\n\x0c\r]')
    long = pc.multiply(pc.count_substring_regex(column, r"[\x00-\x07\x0b\x0e-\x1f]"), _LONGEST_ESCAPE - 1)
    return pc.add(pc.add(lengths, 2), pc.add(short, long))


def _has_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def _numpy(column: pa.Array) -> _Bytes:
    filled = pc.fill_null(pc.cast(column, pa.int64()), 0)
    return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=np.int64)

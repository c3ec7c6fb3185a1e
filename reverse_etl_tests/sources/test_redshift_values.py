"""Redshift's rows as they come on the wire, without a server."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.sources.base import NOT_JSON, NOT_TEXT, logical_type
from reverse_etl.sources.redshift import values as values
from reverse_etl_tests.sources.conformance import texts


@pytest.mark.parametrize(
    ("oid", "raw", "said"),
    [
        (1186, struct.pack("!qi", 2 * 86_400_000_000 + 3_500_000, 12), "P1Y2DT3.5S"),
        (1188, struct.pack("!i", -14), "P-1Y-2M"),
        (1190, struct.pack("!q", -90_000_000_000), "P-1DT-1H"),
    ],
)
def test_intervals_as_only_redshift_sends_them(oid: int, raw: bytes, said: str) -> None:
    """Two numbers as in PostgreSQL 8.0, and the two types of the SQL standard, beside a NULL."""
    rows = [struct.pack("!hi", 1, len(raw)) + raw, struct.pack("!hi", 1, -1)]

    assert values.batch(rows, [("length", oid)], timezone="UTC").to_pylist() == [{"length": said}, {"length": None}]


_CELLS = st.tuples(
    st.none() | st.booleans(),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.floats(width=32, allow_nan=False),
    texts(),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(_CELLS, max_size=6))
def test_rows_become_columns_cell_by_cell(cells: list[tuple[Any, ...]]) -> None:
    """Whatever is NULL or empty beside what: each value stands in its row and column."""
    columns = [("yes", 16), ("count", 20), ("share", 700), ("name", 1043)]
    formats = ("!?", "!q", "!f")

    def cell(value: Any, position: int) -> bytes:
        if value is None:
            return struct.pack("!i", -1)
        raw = value.encode() if position == 3 else struct.pack(formats[position], value)
        return struct.pack("!i", len(raw)) + raw

    wire = [struct.pack("!h", 4) + b"".join(map(cell, row, range(4))) for row in cells]
    found = values.batch(wire, columns, timezone="UTC")

    assert found.num_rows == len(cells)
    got = [tuple(row.values()) for row in found.to_pylist()]
    assert [(yes, count, name) for yes, count, _, name in got] == [(row[0], row[1], row[3]) for row in cells]
    assert [None if share is None else np.float32(share) for _, _, share, _ in got] == [row[2] for row in cells]


def test_text_that_is_not_utf8_spoils_no_other_row() -> None:
    """Of VARCHAR, CHAR and SUPER; the others keep their type."""
    columns = [("name", 1043), ("code", 1042), ("doc", 4000)]
    rows = [(b"Zo\xeb", b"\xed\xa0\xbd ", b'"\xff"'), (b"Zo\xc3\xab", b"ab  ", b'{"a":1}')]
    wire = [struct.pack("!h", 3) + b"".join(struct.pack("!i", len(raw)) + raw for raw in row) for row in rows]

    found = values.batch(wire, columns, timezone="UTC")

    assert [logical_type(field) for field in found.schema] == ["string", "string", "json"]
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        (NOT_TEXT, NOT_TEXT, NOT_JSON),
        ("Zoë", "ab", '{"a":1}'),
    ]

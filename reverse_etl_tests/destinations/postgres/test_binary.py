"""Rows in COPY's binary format, read back from a server."""

from __future__ import annotations

import datetime as dt
import struct

import pyarrow as pa

from reverse_etl.destinations.postgres.binary import HEADER, TRAILER, encoded, stage_type
from reverse_etl_tests.destinations.postgres.server import Postgres

ROWS = 5_000
"""More than are encoded at a time."""
INSTANTS = [
    dt.datetime(1, 1, 1, tzinfo=dt.UTC),
    dt.datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
    dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
]
VALUES: dict[pa.DataType, list[object]] = {
    pa.bool_(): [True, False],
    pa.int32(): [-(2**31), 0, 2**31 - 1],
    pa.int64(): [-(2**63), -1, 2**63 - 1],
    pa.float64(): [5e-324, -0.0, 0.1, -1.7976931348623157e308, float("inf")],
    pa.string(): ["", "é\t'\"\\\n\r", "🙂" * 100, "NULL", "\\N"],
    pa.date32(): [dt.date(1, 1, 1), dt.date(1999, 12, 31), dt.date(9999, 12, 31)],
    pa.timestamp("us"): [each.replace(tzinfo=None) for each in INSTANTS],
    pa.timestamp("us", "UTC"): list(INSTANTS),
}


def test_values_of_every_type_arrive_to_the_last_bit(server: Postgres) -> None:
    """Each type twice, with NULL and without, in rows that begin within their batch."""
    columns = [
        pa.array([some[at % len(some)] for at in range(ROWS)], kind)
        for kind, values in VALUES.items()
        for some in (values, [*values, None])
    ]
    names = [f"c{at}" for at in range(len(columns))]
    batch = pa.RecordBatch.from_arrays(columns, names=names).slice(1)
    with server.running.admin() as admin:
        admin.execute("SET TimeZone = 'UTC'")
        types = ", ".join(f"{field.name} {stage_type(field.type)}" for field in batch.schema)
        admin.execute(f"CREATE TEMPORARY TABLE stage ({types})")
        with admin.cursor().copy("COPY stage FROM STDIN (FORMAT binary)") as copy:
            for some in (HEADER, *encoded(batch), TRAILER):
                copy.write(some)
        found = admin.execute("SELECT * FROM stage").fetchall()
    for name, there in zip(names, zip(*found, strict=True), strict=True):
        given = batch.column(name).to_pylist()
        if pa.types.is_floating(batch.schema.field(name).type):
            assert list(map(_bits, given)) == list(map(_bits, there))
        else:
            assert given == list(there), name


def _bits(number: float | None) -> bytes | None:
    """Zeros of both signs are equal, and no NaN is."""
    return None if number is None else struct.pack(">d", number)

"""Shaping: `where` and `columns` over 1,000,000 rows of 10 columns; a function of each row, in each way there is.

``python -m reverse_etl_tests.benchmarks.shaping [rows]``. Seconds and rates are of processor time, that of the process
which calls the function included, once it has started: so they hold on a machine that does other things.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa

from reverse_etl.config.column_values import read_columns
from reverse_etl.config.conditions import read_condition
from reverse_etl.config.shaping import Shape
from reverse_etl.config.streams import Stream
from reverse_etl.config.transforms import Transform
from reverse_etl.shaping.columns import RunFacts
from reverse_etl.shaping.shape import Shaper
from reverse_etl.sources.base import BATCH_ROWS, marked

ROWS: Final = 1_000_000
MOST_S: Final = 0.6
"""For `where` and `columns` over ``ROWS``."""

LEAST: Final = {"python": 60_000, "javascript": 80_000, "python, many rows at once": 400_000}
"""Rows of a processor second."""

WHERE: Final[dict[str, Any]] = {
    "plan": {"one_of": ["pro", "team", "free"]},
    "any": [{"score": {"at_least": 500}}, {"email": {"ends_with": "@example.com"}}],
    "id": {"is_not": 7},
}
COLUMNS: Final[dict[str, Any]] = {
    "id": "id",
    "email": {"column": "email", "then": ["trim", "lower"]},
    "full_name": {"join": ["first_name", "last_name"], "with": " "},
    "plan": "plan",
    "score": "score",
    "balance": "balance",
    "active": "active",
    "joined_on": {"column": "created_at", "as": "date"},
    "source": {"value": "shop"},
    "synced_at": {"run": "started_at"},
}
PYTHON: Final = """
def transform(row):
    return {"id": row["id"], "email": row["email"].lower(), "balance": row["balance"],
            "full_name": " ".join(x for x in (row["first_name"], row["last_name"]) if x),
            "joined_on": row["created_at"].date()}
"""
JAVASCRIPT: Final = """
function transform(row) {
  return { id: row.id, email: row.email.toLowerCase(), balance: row.balance,
           full_name: [row.first_name, row.last_name].filter(Boolean).join(" "),
           joined_on: row.created_at.slice(0, 10) };
}
"""
BATCH: Final = """
import pyarrow as pa
import pyarrow.compute as pc
def transform_batch(table):
    name = pc.binary_join_element_wise(table["first_name"].fill_null(""), table["last_name"], " ")
    return pa.table({"id": table["id"], "email": pc.utf8_lower(table["email"]),
                     "balance": table["balance"], "full_name": name,
                     "joined_on": table["created_at"].cast(pa.date32(), safe=False)})
"""
FUNCTIONS: Final = {
    "python": Transform("t.py", "python", PYTHON),
    "javascript": Transform("t.js", "javascript", JAVASCRIPT),
    "python, many rows at once": Transform("t.py", "python", BATCH, by_batch=True),
}
_SIX: Final = ["id", "email", "first_name", "last_name", "created_at", "balance"]


def batch() -> pa.RecordBatch:
    """As many rows as a database's session gives at once."""
    numbers = range(BATCH_ROWS)
    columns = {
        pa.field("id", pa.int64()): pa.array(numbers),
        pa.field("email", pa.string()): pa.array([f"User.{n}@Example.com" for n in numbers]),
        pa.field("first_name", pa.string()): pa.array(["Ann", None] * (BATCH_ROWS // 2)),
        pa.field("last_name", pa.string()): pa.array(["O'Neil"] * BATCH_ROWS),
        pa.field("plan", pa.string()): pa.array(["pro", "free"] * (BATCH_ROWS // 2)),
        pa.field("score", pa.int64()): pa.array([n % 1000 for n in numbers]),
        marked("balance", "decimal"): pa.array([f"{n}.50" for n in numbers]),
        pa.field("active", pa.bool_()): pa.array([True, None] * (BATCH_ROWS // 2)),
        pa.field("created_at", pa.timestamp("us", "UTC")): pa.array(
            [1_700_000_000_000_000 + n for n in numbers], pa.timestamp("us", "UTC")
        ),
        pa.field("note", pa.string()): pa.array(["a note of some length"] * BATCH_ROWS),
    }
    return pa.RecordBatch.from_arrays([*columns.values()], schema=pa.schema([*columns]))


def shaper(shape: Shape) -> Shaper:
    """The shaping of a stream of rows."""
    return Shaper(shape, Stream("rows", "", identifier=("id",)), "bench", RunFacts(datetime.now(UTC), "run", "sync"))


def by_expressions(rows: int) -> float:
    """Processor seconds of `where` and `columns`."""
    shape, of = Shape(read_condition(WHERE)[0], read_columns(COLUMNS)[0]), batch()
    made = shaper(shape)
    made.shaped(of)
    began = time.process_time()
    for _ in range(rows // of.num_rows):
        made.shaped(of)
    return time.process_time() - began


def by_function(transform: Transform, rows: int) -> float:
    """Processor seconds of a function, of both processes."""
    of = batch().select(_SIX)
    with closing(shaper(Shape(transform=transform))) as made:
        made.shaped(of)
        child = made.process_id
        began, before = time.process_time(), _used(child)
        for _ in range(rows // of.num_rows):
            made.shaped(of)
        return time.process_time() - began + _used(child) - before


def _used(process: int) -> float:
    with open(f"/proc/{process}/stat") as file:  # noqa: PTH123 - a number in a file of the kernel
        user, system = file.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main(rows: int = ROWS) -> None:
    """Prints one line each; ends with an error when one is beyond its limit."""
    seconds = by_expressions(rows)
    fine = seconds <= MOST_S * rows / ROWS
    print(f"where and columns: {seconds:.2f} s for {rows:,} rows of 10 columns{'' if fine else '  BEYOND THE LIMIT'}")
    for name, transform in FUNCTIONS.items():
        some = rows // 2
        rate = some / by_function(transform, some)
        enough = rate >= LEAST[name]
        fine = fine and enough
        print(f"transform, {name}: {rate:,.0f} rows of a processor second{'' if enough else '  BELOW THE LIMIT'}")
    if not fine:
        sys.exit("shaping is beyond its limits")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)

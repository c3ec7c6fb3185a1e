"""Rows of 10 columns, extracted and checked, delivered to a table of a private server of each engine as shipped.

    python -m reverse_etl_tests.benchmarks.tables [ROWS [postgres|mysql|clickhouse [plain|constrained|keyless]]]

For each table and state of it: wall time, the processor's time here and on the server, rows for each second of both,
and the peak of the memory here over that of a bare interpreter. Each delivery is a process of its own
(``table_delivery``). Of ``1 % bad``, a third each breaks a check, a reference and a unique value, and ends with that
constraint in the ledger; of ClickHouse, all break a check. Beside the new rows of a plain table of PostgreSQL, drt
writes some of them (``drt``). The server does not wait for its disk (fsync is off); TLS is on.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import Parts, with_row_numbers
from reverse_etl_tests.benchmarks import drt, table_delivery
from reverse_etl_tests.benchmarks.memory import bare_mb
from reverse_etl_tests.benchmarks.table_places import Place, PostgresPlace, place

SIZES = {"plain": 1_000_000, "constrained": 200_000, "keyless": 100_000}
"""Rows of each table. Without an index each slice reads the whole of it."""
BATCH_ROWS = 25_000
COLUMNS = ["first", "last", "plan", "city", "note"]
_NEW = {"new": "", "the same": "", "1 in 10 changed": "changed"}
CASES = {
    "plain": _NEW,
    "constrained": _NEW | {"1 % bad, new": "bad"},
    "keyless": {"new": "", "the same": ""},
}
"""What is delivered to each table, one after the other; those that are new, to an empty one."""


def batch(first: int, rows: int, kind: str) -> pa.RecordBatch:
    """Rows ``first`` to ``first + rows``, some of them changed or bad."""
    numbers = np.arange(first, first + rows)
    texts = {name: [f"{name} {n % 10 if name == 'plan' else n}" for n in numbers] for name in COLUMNS}
    emails = [f"person{n}@example.com" for n in numbers]
    scores = (numbers % 1000).astype(np.int64)
    if kind == "changed":
        scores[::10] += 1
    if kind.startswith("bad"):
        for at in range(0, rows, 100):
            why = at // 100 % 3 if kind == "bad" else 0
            if why == 0:
                scores[at] = 1_000_000
            elif why == 1:
                texts["plan"][at] = "none"
            else:
                emails[at] = "taken@example.com"
    at = pa.array(numbers * 1_000_000 + 1_700_000_000_000_000, pa.timestamp("us", "UTC"))
    return pa.RecordBatch.from_pydict(
        {"id": numbers, "email": emails, **texts, "score": scores, "balance": numbers / 100, "seen": at}
    )


def batches(rows: int, kind: str = "") -> Iterator[pa.RecordBatch]:
    """The same, as many at once as a database's session gives."""
    return (batch(first, min(BATCH_ROWS, rows - first), kind) for first in range(0, rows, BATCH_ROWS))


def deliver_apart(server: Any, rows: int, kind: str) -> dict[str, Any]:
    """One delivery in a process of its own, of rows that are stored before it starts."""
    with tempfile.TemporaryDirectory() as folder:
        Parts(Path(folder), "rows").write(with_row_numbers(batches(rows, kind)))
        return table_delivery.apart(server, Path(folder), rows)


@dataclass(slots=True)
class _Measured:
    """A delivery, and the server's processor seconds."""

    rows: int
    done: dict[str, Any]
    server_s: float

    @property
    def core_s(self) -> float:
        return float(self.done["client"]) + self.server_s

    def line(self, over_mb: float) -> str:
        done = self.done
        return (
            f"{done['wall']:6.2f} s  {done['client']:5.2f} s here + {self.server_s:5.2f} s there  "
            f"{self.rows / self.core_s:9,.0f} rows/core-s  {done['peak_mb'] - over_mb:4.0f} MB  "
            f"{done['delivered']:,} delivered {done['reasons'] or ''}"
        )


def main(rows: int = 0, kinds: Sequence[str] = ("postgres", "mysql", "clickhouse"), table: str = "") -> None:
    """Prints a line for each engine, table and case; as many rows as ``SIZES`` has, if not said otherwise."""
    bare = bare_mb()
    for kind in kinds:
        with pytest.MonkeyPatch.context() as patch, place(kind) as where:
            patch.setenv(where.server.password_variable, where.server.password)
            for name in where.tables:
                if table in ("", name):
                    _measure_table(where, name, rows or SIZES[name], bare)


def _measure_table(where: Place, table: str, rows: int, bare: float) -> None:
    measured: dict[str, _Measured] = {}
    for case, change in CASES[table].items():
        if "new" in case:
            where.empty()
            where.make(table)
        measured[case] = _measure(where, rows, where.bad if change == "bad" else change)
        more = f" {measured[case].core_s / measured['new'].core_s - 1:+.0%} time" if change == "bad" else ""
        print(f"{where.server.kind:10} {table:11} {case:15} {measured[case].line(bare)}{more}", flush=True)
    if table == "plain" and isinstance(where, PostgresPlace):
        ours = measured["new"]
        where.empty()
        where.make(table)
        print(drt.compared(where, rows / ours.done["wall"], rows / ours.core_s), flush=True)


def _measure(where: Place, rows: int, kind: str) -> _Measured:
    before = where.cpu_s()
    done = deliver_apart(where.server, rows, kind)
    return _Measured(rows, done, where.cpu_s() - before)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*map(int, given[:1]), *([given[1:2]] if given[1:] else []), *given[2:3])

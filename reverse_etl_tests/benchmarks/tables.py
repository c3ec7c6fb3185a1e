"""Rows of 10 columns, already extracted and checked, delivered to a table of a private PostgreSQL as shipped.

    python -m reverse_etl_tests.benchmarks.tables [ROWS]

For each state of the table: wall time, the processor's time here and on the server, rows for each second of both, and
the peak of the memory here.
Each delivery is a process of its own. Of ``1 % bad``, a third each breaks a check, a reference and a unique value, and
ends with that constraint in the ledger. The server does not wait for its disk (fsync is off); TLS is on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from reverse_etl_tests.benchmarks.memory import peak_mb
from reverse_etl_tests.destinations.postgres.server import EMPTY, WRITER, Postgres
from reverse_etl_tests.destinations.sql.tables import Delivery
from reverse_etl_tests.servers.postgres import (
    PASSWORD,
    PASSWORD_VARIABLE,
    PostgresServer,
    find_binaries,
    postgres_server,
)

ROWS = 100_000
BATCH_ROWS = 25_000
COLUMNS = ["first", "last", "plan", "city", "note"]
TABLE = """
CREATE TABLE plans (name text PRIMARY KEY); INSERT INTO plans SELECT 'plan ' || n FROM generate_series(0, 9) AS n;
CREATE TABLE customers (id bigint {key}, email text UNIQUE, first text, last text, plan text REFERENCES plans,
  city varchar(40), note text NOT NULL, score int CHECK (score < 1000000), balance numeric(12,2), seen timestamptz);
INSERT INTO customers (id, email, note) VALUES (-1, 'taken@example.com', '');
"""
CASES = {
    "new": "",
    "the same": "",
    "1 in 10 changed": "changed",
    "1 % bad, new": "bad",
    "new, no unique key": "",
    "the same, no unique key": "",
}


def batch(first: int, rows: int, kind: str) -> pa.RecordBatch:
    """Rows ``first`` to ``first + rows``, some of them changed or bad."""
    numbers = np.arange(first, first + rows)
    texts = {name: [f"{name} {n % 10 if name == 'plan' else n}" for n in numbers] for name in COLUMNS}
    emails = [f"person{n}@example.com" for n in numbers]
    scores = (numbers % 1000).astype(np.int64)
    if kind == "changed":
        scores[::10] += 1
    if kind == "bad":
        for place in range(0, rows, 100):
            why = place // 100 % 3
            if why == 0:
                scores[place] = 1_000_000
            elif why == 1:
                texts["plan"][place] = "none"
            else:
                emails[place] = "taken@example.com"
    at = pa.array(numbers * 1_000_000 + 1_700_000_000_000_000, pa.timestamp("us", "UTC"))
    return pa.RecordBatch.from_pydict(
        {"id": numbers, "email": emails, **texts, "score": scores, "balance": numbers / 100, "seen": at}
    )


def deliver_in(folder: str, server: Postgres, rows: int, kind: str) -> dict[str, Any]:
    """Delivers rows that are stored before the clock starts."""
    batches = (batch(first, min(BATCH_ROWS, rows - first), kind) for first in range(0, rows, BATCH_ROWS))
    delivery = Delivery(server, Path(folder), batches, {"table": "customers", "identify_by": "id"})
    began, cpu = time.monotonic(), time.process_time()
    counts = delivery.deliver().counts
    return {
        "wall": time.monotonic() - began,
        "client": time.process_time() - cpu,
        "peak_mb": peak_mb(),
        "delivered": counts.delivered,
        "reasons": {f"{reason} {field}": n for (reason, field), n in Counter(delivery.reasons().values()).items()},
    }


def deliver_apart(server: Postgres, rows: int, kind: str) -> dict[str, Any]:
    """One delivery in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        told = json.dumps([folder, str(server.running.folder), server.port, rows, kind])
        command = [sys.executable, "-m", "reverse_etl_tests.benchmarks.tables", "child", told]
        done: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return done


def server_cpu_s(server: PostgresServer) -> float:
    """What the server's ended processes took, those of connections among them."""
    pid = (server.folder / "data" / "postmaster.pid").read_text().splitlines()[0]
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Prints a line for each case."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    binaries = find_binaries()
    assert binaries is not None
    with pytest.MonkeyPatch.context() as patch, postgres_server(binaries) as running:
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        server = Postgres(running, running.port)
        for case, kind in CASES.items():
            if case.startswith(("new", "1 % bad")):
                server.run(EMPTY + WRITER)
                server.run(TABLE.format(key="" if "no unique" in case else "PRIMARY KEY"))
            before = server_cpu_s(running)
            done = deliver_apart(server, rows, kind)
            cpu = server_cpu_s(running) - before
            rate = rows / (done["client"] + cpu)
            print(
                f"{case:26} {done['wall']:6.2f} s  {done['client']:5.2f} s here + {cpu:5.2f} s there  "
                f"{rate:9,.0f} rows/core-s  {done['peak_mb']:4.0f} MB  "
                f"{done['delivered']:,} delivered {done['reasons'] or ''}"
            )


def child() -> None:
    """One delivery, for ``main``."""
    folder, server_folder, port, rows, kind = json.loads(sys.argv[2])
    running = PostgresServer(port, Path(server_folder) / "ca.pem", Path(server_folder))
    print(json.dumps(deliver_in(folder, Postgres(running, port), rows, kind)))


if __name__ == "__main__":
    child() if sys.argv[1:2] == ["child"] else main()

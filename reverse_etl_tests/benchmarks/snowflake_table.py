"""Rows of 10 columns, extracted and checked, delivered to a table of Snowflake's counterpart: our own part of it.

    python -m reverse_etl_tests.benchmarks.snowflake_table [ROWS]

The counterpart's speed says nothing about Snowflake's; so the processor's time and the memory are those of this side
alone: fitting, Parquet, the connector's upload, the statements and what is read back. Each delivery is a process of
its own, whose memory before the delivery, that of generating the rows included, is shown beside its peak.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from reverse_etl_tests.benchmarks.memory import peak_mb
from reverse_etl_tests.benchmarks.tables import BATCH_ROWS, batch
from reverse_etl_tests.destinations.snowflake.server import FORGET, GRANTS, WRITTEN, Snowflake
from reverse_etl_tests.destinations.sql.tables import Delivery
from reverse_etl_tests.servers.snowflake import PASSWORD, PASSWORD_VARIABLE, SnowflakeServer, snowflake_server

ROWS = 100_000
TABLE = """
CREATE TABLE customers (id bigint, email varchar, first varchar, last varchar, plan varchar(20), city varchar(40),
  note varchar NOT NULL, score int, balance numeric(12,2), seen timestamp_ltz)
"""
CASES = {"new": "", "the same": "", "1 in 10 changed": "changed"}


def main(rows: int = ROWS) -> None:
    """Prints a line for each case."""
    with pytest.MonkeyPatch.context() as patch, snowflake_server() as running, running.admin(WRITTEN) as owner:
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        Snowflake(running, running.port, owner).run(f"{FORGET};{GRANTS};{TABLE}")
        for case, kind in CASES.items():
            given = json.dumps([running.port, rows, kind])
            command = [sys.executable, "-m", "reverse_etl_tests.benchmarks.snowflake_table", "child", given]
            done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            print(
                f"snowflake {case:16} {done['client']:5.2f} s here  {rows / done['client']:9,.0f} rows/core-s  "
                f"{done['before_mb']:4.0f} -> {done['peak_mb']:4.0f} MB  {done['delivered']:,} delivered",
                flush=True,
            )


def child(port: int, rows: int, kind: str) -> None:
    """One delivery of rows that are stored before the clock starts."""
    server = Snowflake(SnowflakeServer(port, 0, 0, Path(), Path(), "", ""), port, None)
    with tempfile.TemporaryDirectory() as folder:
        batches = (batch(first, min(BATCH_ROWS, rows - first), kind) for first in range(0, rows, BATCH_ROWS))
        delivery = Delivery(server, Path(folder), batches, {"table": "customers", "identify_by": "id"})
        before, began = peak_mb(), time.process_time()
        counts = delivery.deliver().counts
        client = time.process_time() - began
    print(json.dumps({"client": client, "before_mb": before, "peak_mb": peak_mb(), "delivered": counts.delivered}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(*json.loads(sys.argv[2]))
    else:
        main(*map(int, sys.argv[1:2]))

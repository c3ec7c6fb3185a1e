"""drt's destination for PostgreSQL, fed the same rows: what ours is compared with.

Source: pypi.org/project/drt-core/1.2.1, ``drt.destinations.postgres``. A batch has 100 rows by default, a connection
and a transaction of its own. uv installs it beside the project for as long as it is measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from reverse_etl_tests.benchmarks.table_places import PostgresPlace

VERSION: Final = "1.2.1"
ROWS: Final = 20_000
_PROGRAM: Final = """
import json, sys, time
from datetime import datetime, timedelta, timezone
from drt.config.models import PostgresDestinationConfig, SyncOptions
from drt.destinations.postgres import PostgresDestination

given = json.loads(sys.argv[1])
config = PostgresDestinationConfig(type="postgres", table="public.customers", upsert_key=["id"], **given["server"])
options, texts = SyncOptions(), ("first", "last", "city", "note")
start = datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)
rows = [
    {"id": n, "email": f"person{n}@example.com", **{name: f"{name} {n}" for name in texts}, "plan": f"plan {n % 10}",
     "score": n % 1000, "balance": n / 100, "seen": start + timedelta(seconds=n)}
    for n in range(given["rows"])
]
drt = PostgresDestination()
wall, cpu, written = time.monotonic(), time.process_time(), 0
for first in range(0, len(rows), options.batch_size):
    written += drt.load(rows[first : first + options.batch_size], config, options).success
print(json.dumps({"wall": time.monotonic() - wall, "client": time.process_time() - cpu, "written": written}))
"""


def compared(where: PostgresPlace, rate: float, core_rate: float) -> str:
    """A line about drt, and how many times as fast ours is.

    Args:
        where: A server with an empty table.
        rate: Rows of ours in a second.
        core_rate: Rows of ours in a processor second, client and server together.
    """
    server = where.server
    login = {"host": "localhost", "port": server.port, "dbname": server.database, "user": server.user}
    given = json.dumps({"rows": ROWS, "server": login | {"password": server.password}})
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "run", "--quiet", "--no-project", "--isolated", "--python", sys.executable]
    before = where.cpu_s()
    ran = subprocess.run(
        [*command, "--with", f"drt-core[postgres]=={VERSION}", "python", "-c", _PROGRAM, given],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ran.returncode:
        return f"drt {VERSION} is not measured: {(ran.stderr.strip() or 'no reason given').splitlines()[-1]}"
    done = json.loads(ran.stdout)
    [(there,)] = server.fetch("SELECT count(*) FROM customers")
    if not there == done["written"] == ROWS:
        return f"drt {VERSION} is not measured: it wrote {there:,} of {ROWS:,} rows"
    core_s = done["client"] + where.cpu_s() - before
    return (
        f"drt {VERSION}: {ROWS:,} rows, {ROWS / done['wall']:,.0f} rows/s, {ROWS / core_s:,.0f} rows/core-s; "
        f"ours: {rate / (ROWS / done['wall']):.0f} times as fast, {core_rate / (ROWS / core_s):.0f} times a core-second"
    )

"""A million people of 10 columns of which one in a hundred changed, PostgreSQL to the sandbox, compared.

Beside it, keys of ten million rows compared and committed on their own: seconds of processor time, memory, disk.
``python -m reverse_etl_tests.benchmarks.comparing``; two numbers on the command line are the rows of the two parts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reverse_etl.changes.commit import Reading, commit
from reverse_etl.changes.compare import enter_plan, write_plan
from reverse_etl.changes.keyed import FINGERPRINTS_FILE
from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.config.loader import load_project
from reverse_etl.files.scratch import scratch_in
from reverse_etl.report import Outcome
from reverse_etl_tests.benchmarks.end_to_end import CONNECTION, TABLE, measured_run
from reverse_etl_tests.benchmarks.memory import bare_mb, peak_mb
from reverse_etl_tests.benchmarks.reading import read_apart
from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.postgres import INSTALL, PASSWORD, PASSWORD_VARIABLE, find_binaries, postgres_server
from reverse_etl_tests.servers.sandbox import RunningSandbox, running_sandbox

ROWS = 1_000_000
KEYS = 10_000_000
_BATCH = 100_000

QUERY = "SELECT * FROM people"
SYNC = f"""\
database: shop
workspace: main
schedule: manual
people: {{identify_by: id}}
query: {QUERY}
changes: {{by: compare}}
"""


def whole_runs(rows: int) -> None:
    """A first run, and one in which one row in a hundred changed; reading alone beside them."""
    binaries = find_binaries()
    if binaries is None:
        sys.exit(INSTALL)
    with tempfile.TemporaryDirectory() as folder, postgres_server(binaries) as server, running_sandbox() as sandbox:
        project = Project(Path(folder), {PASSWORD_VARIABLE: PASSWORD})
        os.environ[PASSWORD_VARIABLE] = PASSWORD
        with server.admin() as admin:
            admin.execute(TABLE % rows)
        project.connections(CONNECTION.format(server=server), sandbox.url)
        project.write("people.yaml", SYNC)
        os.chdir(folder)
        config = load_project(Path("syncs")).databases["shop"]
        first = measured_run(project, "people", full=False)
        for _ in range(3):
            with server.admin() as admin:
                admin.execute("UPDATE people SET age = age + 1 WHERE number % 100 = 0")
            before = _batches(sandbox)
            read = read_apart(config, QUERY)
            changed = measured_run(project, "people", full=False)
            times = f"{changed['run_s']:.1f} s in the run, {read.seconds:.1f} s to read alone"
            print(
                f"{rows:,} rows, {changed['rows']:,.0f} sent: {times}: {changed['run_s'] / read.seconds:.2f} x; "
                f"{_batches(sandbox) - before} requests; peak {changed['peak_mb']:.0f} MB "
                f"(first run: {first['run_s']:.1f} s, {first['peak_mb']:.0f} MB)"
            )


def _batches(sandbox: RunningSandbox) -> int:
    return sum(each["path"] == "/api/v2/batch" for each in sandbox.requests())


def keys_alone(rows: int) -> None:
    """Compares and commits fingerprints of which one in a hundred changed, in a process of its own."""
    command = [sys.executable, "-m", "reverse_etl_tests.benchmarks.comparing", "keys", str(rows)]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])


def _keys_alone(rows: int) -> None:
    # As a run has it that reads from a database.
    pa.set_memory_pool(pa.system_memory_pool())
    with tempfile.TemporaryDirectory() as folder:
        parts = Parts(Path(folder) / "rows", "rows")
        if os.fork() == 0:
            _write(parts, rows)
            os._exit(0)
        os.wait()
        first, second = Path(folder) / "first.parquet", Path(folder) / "second.parquet"
        # A run has a database for the comparison, and another one when it ends.
        with scratch_in(Path(folder) / "scratch") as database:
            _commit(parts, None, first, database, np.zeros(rows, np.uint8))
        if os.fork() == 0:
            _write(parts, rows, changed=100)
            os._exit(0)
        os.wait()
        began = time.process_time()
        outcomes = np.zeros(rows, np.uint8)
        with scratch_in(Path(folder) / "scratch") as database:
            write_plan(parts, first, database, all_rows=False)
            found = enter_plan(parts, outcomes)
        compared = time.process_time()
        with scratch_in(Path(folder) / "scratch") as database:
            _commit(parts, first, second, database, outcomes)
        committed = time.process_time()
        size = second.stat().st_size / rows
        times = f"compared in {compared - began:.1f} s of processor time, committed in {committed - compared:.1f} s"
        print(
            f"{rows:,} keys, {found.changed:,} changed: {times}; "
            f"{peak_mb() - bare_mb():.0f} MB over a bare interpreter; {size:.1f} bytes a row"
        )


def _commit(parts: Parts, before: Path | None, after: Path, database: object, outcomes: np.ndarray) -> None:  # type: ignore[type-arg]
    outcomes[outcomes == Outcome.UNDELIVERED] = Outcome.DELIVERED
    parts.write_outcomes(outcomes)
    commit(parts, before, after, database, Reading(read_at=1, whole=True, certain=True))  # type: ignore[arg-type]


def _write(parts: Parts, rows: int, *, changed: int = 0) -> None:
    """Rows without anything but numbers and fingerprints; with ``changed``, one of that many has another value."""
    chance = np.random.default_rng(1)
    batches = (
        pa.RecordBatch.from_arrays([pa.array(np.arange(first, first + _BATCH) + 1)], names=[ROW_NUMBER])
        for first in range(0, rows, _BATCH)
    )
    parts.write(batches)
    writer = None
    for first in range(0, rows, _BATCH):
        numbers = np.arange(first, first + _BATCH)
        high, low, row = (chance.integers(0, 2**64, _BATCH, np.uint64) for _ in range(3))
        if changed:
            row[::changed] += np.uint64(1)
        table = pa.table({"kh": high, "kl": low, "rh": row, "row": numbers + 1, "sendable": np.ones(_BATCH, np.bool_)})
        writer = writer or pq.ParquetWriter(parts.folder / FINGERPRINTS_FILE, table.schema, compression="none")
        writer.write_table(table)
    if writer is not None:
        writer.close()


def main() -> None:
    """Prints a line for each."""
    whole_runs(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
    keys_alone(int(sys.argv[2]) if len(sys.argv) > 2 else KEYS)


if __name__ == "__main__":
    if sys.argv[1:2] == ["keys"]:
        _keys_alone(int(sys.argv[2]))
    else:
        main()

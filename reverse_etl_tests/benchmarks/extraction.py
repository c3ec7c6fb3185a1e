"""Extraction to Parquet of 1,000,000 rows of 10 columns, each engine against its driver's own bare fetch loop.

``python -m reverse_etl_tests.benchmarks.extraction [rows] [engine …]``. Both are timed in one run, each in a process
of its own. The peak is the process's, over that of the same process with an empty result. Where the counterpart is a
stand-in written in Python, both loops mostly wait for it.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from reverse_etl_tests.benchmarks.engines import ENGINES, Engine

ROWS = 1_000_000
WORST_RATIO = 3.0
WORST_PEAK_MB = 250


def to_parquet(config: object, query: str) -> int:
    """What a run does: stream, number, write parts."""
    from reverse_etl.changeset.parts import Parts, with_row_numbers
    from reverse_etl.config.connections import DatabaseConfig
    from reverse_etl.sources import connect

    assert isinstance(config, DatabaseConfig)
    with tempfile.TemporaryDirectory() as folder, connect(config) as session:
        return Parts(Path(folder) / "rows", "rows").write(with_row_numbers(session.stream(query)))


def apart(measured: Callable[[object, str], int], config: object, query: str) -> tuple[int, float, float]:
    """Rows, seconds and peak megabytes, in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (measured, config, query))


def _measured(measured: Callable[[object, str], int], config: object, query: str) -> tuple[int, float, float]:
    warnings.simplefilter("ignore")
    measured(config, f"SELECT * FROM ({query}) AS q WHERE 1 = 0")
    began = time.perf_counter()
    count = measured(config, query)
    return count, time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(name: str, engine: Engine, rows: int) -> bool:
    """Prints one line; whether it keeps to the limits."""
    with engine.filled(rows) as (config, query, environment):
        os.environ.update(environment)
        _, _, idle = apart(to_parquet, config, f"SELECT * FROM ({query}) AS q WHERE 1 = 0")
        bare_rows, bare_s, _ = apart(engine.bare, config, query)
        own_rows, own_s, peak = apart(to_parquet, config, query)
    assert bare_rows == own_rows == rows, (bare_rows, own_rows)
    ratio, over = own_s / bare_s, peak - idle
    fine = ratio <= WORST_RATIO and over <= WORST_PEAK_MB
    print(
        f"{name:10} {rows / own_s:>9,.0f} rows/s to Parquet, driver's loop {rows / bare_s:>9,.0f} rows/s, "
        f"ratio {ratio:4.2f}, {over:4.0f} MB over an empty result{'' if fine else '  BEYOND THE LIMIT'}",
        flush=True,
    )
    return fine


def main(rows: int = ROWS, *engines: str) -> None:
    """Prints one line per engine; ends with an error when one is beyond its limits."""
    fine = [measure(name, engine, rows) for name, engine in ENGINES.items() if not engines or name in engines]
    if not all(fine):
        sys.exit("an engine is beyond its limits")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS, *sys.argv[2:])

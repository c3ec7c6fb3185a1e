"""Extraction to Parquet of 1,000,000 rows of 10 columns, each engine against its driver's own bare fetch loop.

``python -m reverse_etl_tests.benchmarks.extraction [rows] [engine …]``. Both are timed in one run, each in a process
of its own. The peak is the process's, over that of a bare interpreter, drivers and Arrow included, and over that of the
same process with an empty result. Where the counterpart is a stand-in written in Python, both loops mostly wait for it.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Callable

from reverse_etl_tests.benchmarks.engines import ENGINES, Engine
from reverse_etl_tests.benchmarks.memory import bare_mb
from reverse_etl_tests.benchmarks.reading import empty, read_apart

ROWS = 1_000_000
WORST_RATIO = 3.0
WORST_PEAK_MB = 250


def measure(name: str, engine: Engine, rows: int) -> bool:
    """Prints one line; whether it keeps to the limits."""
    with engine.filled(rows) as (config, query, environment):
        os.environ.update(environment)
        idle = read_apart(config, empty(query))
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            bare_rows, bare_s = pool.apply(_timed, (engine.bare, config, query))
        own = read_apart(config, query)
    assert bare_rows == own.rows == rows, (bare_rows, own.rows)
    ratio, over = own.seconds / bare_s, own.peak_mb - bare_mb()
    fine = ratio <= WORST_RATIO and over <= WORST_PEAK_MB
    print(
        f"{name:10} ratio {ratio:4.2f} ({rows / own.seconds:,.0f} rows/s to Parquet, driver's loop "
        f"{rows / bare_s:,.0f}), {over:.0f} MB over a bare interpreter, {own.peak_mb - idle.peak_mb:.0f} over an "
        f"empty result{'' if fine else '  BEYOND THE LIMIT'}",
        flush=True,
    )
    return fine


def _timed(bare: Callable[[object, str], int], config: object, query: str) -> tuple[int, float]:
    """Rows and seconds of a driver's loop, after an empty result."""
    warnings.simplefilter("ignore")
    bare(config, empty(query))
    began = time.perf_counter()
    return bare(config, query), time.perf_counter() - began


def main(rows: int = ROWS, *engines: str) -> None:
    """Prints one line per engine; ends with an error when one is beyond its limits."""
    fine = [measure(name, engine, rows) for name, engine in ENGINES.items() if not engines or name in engines]
    if not all(fine):
        sys.exit("an engine is beyond its limits")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS, *sys.argv[2:])

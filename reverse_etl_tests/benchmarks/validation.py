"""Validation: 1,000,000 rows of 10 columns, with every built-in rule of people and five checks.

``python -m reverse_etl_tests.benchmarks.validation [rows]``. Rows are on disk before the clock starts, as an extraction
leaves them; a process of its own marks each, and writes down what it found. One row in a thousand is bad. Seconds are
those of a clock on the wall.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa

from reverse_etl.changeset.facts import StreamFacts
from reverse_etl.changeset.parts import Facts, RunFolder, with_row_numbers
from reverse_etl.checks import accepted_values, in_range, matches, not_null, unique
from reverse_etl.checks.runner import validate
from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.destinations.customerio.sections import PeopleConfig
from reverse_etl.destinations.customerio.sync import Sync
from reverse_etl.sources.base import BATCH_ROWS, marked
from reverse_etl_tests.benchmarks.memory import bare_mb, peak_mb

ROWS: Final = 1_000_000
LEAST_PER_S: Final = 250_000
MOST_MB: Final = 400
"""Over a bare interpreter."""

STARTED_AT: Final = 1_767_600_000
TURNS: Final = 3

CHECKS: Final = (
    not_null.Config(column="plan"),
    accepted_values.Config(column="plan", values=("free", "pro", "team")),
    matches.Config(column="sku", pattern="[A-Z]{3}-[0-9]+"),
    in_range.Config(column="age", min=0, max=150),  # type: ignore[arg-type]
    unique.Config(column="phone"),
)


def sync() -> Sync:
    """People with an id and an address, and five checks."""
    return Sync(
        name="people",
        file="people.yaml",
        database="shop",
        workspace="main",
        schedule=ScheduleConfig(),
        query="SELECT 1",
        people=PeopleConfig(),
        checks=CHECKS,
    )


def batches(rows: int) -> Iterator[pa.RecordBatch]:
    """Rows as a database's session gives them."""
    for start in range(0, rows, BATCH_ROWS):
        numbers = range(start, min(start + BATCH_ROWS, rows))
        columns = {
            pa.field("id", pa.int64()): pa.array(numbers),
            pa.field("email", pa.string()): pa.array(
                [f"user.{n}@example.com" if n % 1000 else "nobody" for n in numbers]
            ),
            pa.field("phone", pa.string()): pa.array([f"+49{n:09}" for n in numbers]),
            pa.field("plan", pa.string()): pa.array(["pro" if n % 2 else "free" for n in numbers]),
            pa.field("sku", pa.string()): pa.array([f"ABC-{n}" for n in numbers]),
            pa.field("age", pa.int64()): pa.array([n % 100 for n in numbers]),
            marked("balance", "decimal"): pa.array([f"{n}.50" for n in numbers]),
            pa.field("active", pa.bool_()): pa.array([n % 3 == 0 for n in numbers]),
            pa.field("created_at", pa.timestamp("us", "UTC")): pa.array(
                [1_700_000_000_000_000 + n for n in numbers], pa.timestamp("us", "UTC")
            ),
            pa.field("last_login_at", pa.string()): pa.array(["2025-11-05T10:00:00Z"] * len(numbers)),
        }
        yield pa.RecordBatch.from_arrays([*columns.values()], schema=pa.schema([*columns]))


def validated(folder: Path) -> tuple[float, float]:
    """Seconds, and this process's peak in MB."""
    began = time.perf_counter()
    found = validate(sync(), RunFolder(folder))
    seconds = time.perf_counter() - began
    assert found.counts["rows"].rejected == -(-found.counts["rows"].extracted // 1000), found.counts
    return seconds, peak_mb()


def main(rows: int = ROWS) -> None:
    """Prints the rate and the peak, and whether they are as they should be."""
    with tempfile.TemporaryDirectory(prefix="reverse-etl-bench-") as made:
        folder = Path(made)
        run = RunFolder(folder)
        stored = run.parts("rows").write(with_row_numbers(batches(rows)))
        run.seal(Facts("people", 0, STARTED_AT, {"rows": StreamFacts(stored)}))
        found = []
        for _ in range(TURNS):
            command = [sys.executable, "-m", __spec__.name if __name__ == "__main__" else __name__, "--in", made]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds, peak = map(float, done.stdout.split())
            found.append((seconds, peak))
    seconds, over = min(found)[0], max(peak for _, peak in found) - bare_mb()
    rate = rows / seconds
    verdict = "ok" if rate >= LEAST_PER_S and over <= MOST_MB else "MISSED"
    print(
        f"validation, {rows:,} rows of 10 columns: {rate:,.0f} rows/s (at least {LEAST_PER_S:,}), "
        f"{over:.0f} MB over a bare interpreter (at most {MOST_MB}): {verdict}"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in"]:
        print(*validated(Path(sys.argv[2])))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)

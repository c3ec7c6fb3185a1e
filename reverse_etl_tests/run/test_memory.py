"""Memory is flat: what a run of many rows needs at its peak, stage by stage, beside one of few."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from reverse_etl_tests.benchmarks.whole.child import ran
from reverse_etl_tests.benchmarks.whole.sink import running_sink
from reverse_etl_tests.project import SHOP, Project, people

FLAT: Final = 1.15
_MORE_TRIES: Final = 2
"""On a busy machine threads that wait for each other hold more at times; what grows with the rows does so each time."""

_FEW: Final = 1_000_000
_MANY: Final = 3_000_000
_NUMBERS: Final = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"


@pytest.mark.thorough
def test_three_million_rows_take_the_memory_of_one_million(tmp_path: Path) -> None:
    """Within 15 % after reading, checking and sending; each in a process of its own, which counts its own pages."""

    def peaks(rows: int) -> dict[str, float]:
        folder = tmp_path / str(rows)
        folder.mkdir(exist_ok=True)
        with closing(sqlite3.connect(folder / "shop.db")):
            pass
        with running_sink() as sink:
            project = Project(folder)
            project.connections(SHOP, sink.url)
            project.write(
                "people.yaml", people(f"{_NUMBERS.format(rows=rows)} SELECT 'c' || i AS id, i AS visits FROM n")
            )
            command = [sys.executable, "-m", "reverse_etl_tests.benchmarks.whole.stages", "people"]
            printed: dict[str, Any] = ran(command, folder=folder, environment=project.env()).printed
            assert rows == sink.counts().operations
        return {stage: took["peak_mb"] for stage, took in printed.items()}

    few, many = peaks(_FEW), peaks(_MANY)
    assert ["extract", "validate", "deliver"] == [*few]
    for _ in range(_MORE_TRIES):
        if not _grown(few, many):
            break
        again = peaks(_MANY)
        many = {stage: min(peak_mb, again[stage]) for stage, peak_mb in many.items()}
    assert [] == _grown(few, many), (few, many)


def _grown(few: dict[str, float], many: dict[str, float]) -> list[str]:
    return [stage for stage, peak_mb in many.items() if peak_mb >= FLAT * few[stage]]

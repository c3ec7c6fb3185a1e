"""What measures many syncs: the folder that it makes, and the page that it writes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from reverse_etl.config.loader import load_project
from reverse_etl_tests.benchmarks.scale import page
from reverse_etl_tests.benchmarks.scale.project import many_syncs

SIZE: dict[str, Any] = {"load_cpu_s": 3.2, "snapshot_cpu_s": 5.7, "snapshot_mb": 4.9, "job_kb": 250.0, "peak_mb": 255.0}
SIZE |= {"queued": 5, "dequeued": 4, "tick_s": 1.4, "tick_cpu_s": 0.6, "tick_connections": 300}
SIZE |= {"dequeue_connections": 40}
MEASURED: dict[str, Any] = {
    "machine": "2 processors",
    "taken_at": "2026-11-28T12:00+00:00",
    "busy": "quiet",
    "workspaces": 100,
    "threads": 8,
    "run": {"events": 32.0, "check_rows": 2.0, "event_bytes": 200_000.0, "run_cpu_s": 4.0},
    "small": SIZE | {"syncs": 30},
    "sizes": {"300": SIZE | {"syncs": 300}, "3000": {"syncs": 3000, "load_cpu_s": 20.0, "error": "not done"}},
}


def test_syncs_are_spread_over_minutes_and_workspaces(tmp_path: Path) -> None:
    """Two that are due in one minute are in different workspaces; each file is valid."""
    made = many_syncs(tmp_path, 150, 100, url="http://127.0.0.1:9", environment={})
    syncs = load_project(made.folder / "syncs").syncs.values()
    due = Counter((str(sync.schedule.start_at), sync.destination) for sync in syncs)
    assert (len(due), set(due.values())) == (150, {1})


def test_a_size_that_failed_is_a_column_of_the_table() -> None:
    """What was measured of it stays; what a tick costs is that of the sizes that were measured."""
    text = page.page(MEASURED)
    assert "| load, processor s | 3.2 | 20.0 |" in text
    assert "| due in one minute | 5 | failed: not done |" in text
    assert "| hourly runs of all: events a day, GB of JSON | 1.4 | 14.4 |" in text
    assert "for each sync that is queued 60 where 5 are due." in text
    assert "Taking a run out of the queue opens 10 more" in text


def test_the_page_is_that_of_the_figures() -> None:
    """`python -m reverse_etl_tests.benchmarks.scale.page` writes it from scale.json."""
    figures = json.loads(page.FIGURES.read_text(encoding="utf-8"))
    assert page.PAGE.read_text(encoding="utf-8") == page.page(figures)

"""The views for BI tools, in both kinds of state database."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import reverse_etl
from reverse_etl.report import Counts, PieceOf, RunReport, Status
from reverse_etl.state.alerts import facts_of
from reverse_etl.state.store import Store, open_store
from reverse_etl.state.syncs import note_interval, set_paused
from reverse_etl.state.views import KEYS, drop_views, make_views, selects
from reverse_etl_tests.state.conftest import begin, close, failed_row, report

PAGE = Path(reverse_etl.__file__).parents[1] / "docs" / "monitoring.md"


def ran(
    store: Store,
    run_id: str,
    *,
    rows: int = 3,
    failed: int = 0,
    ago: timedelta = timedelta(),
    status: Status | None = None,
    sync: str = "people",
    reads: str = "changes",
    read_from: int = 7,
    piece: PieceOf | None = None,
) -> RunReport:
    """A run with so many rows that ended some time ago."""
    at = datetime.now(UTC) - ago
    begin(store, run_id, at=at, sync=sync)
    counts = Counts(extracted=rows, delivered=rows - failed, rejected=failed)
    ended = status or (Status.SOME_ROWS_FAILED if failed else Status.COMPLETED)
    made = report(run_id, status=ended, at=at, sync=sync)
    made = replace(made, streams={"rows": counts}, duration_s=0.0, reads=reads, read_from=read_from, piece=piece)
    return close(store, made, failed=tuple(failed_row(number) for number in range(1, min(failed, 3) + 1)))


def read(store: Store, view: str, *columns: str) -> list[tuple[Any, ...]]:
    """Columns of a view."""
    with store.reading() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(f"SELECT {', '.join(columns)} FROM {view} ORDER BY 1")]


def test_every_view_is_there_with_the_columns_of_its_page(store: Store) -> None:
    """Neither more nor fewer, in order; keys are among them."""
    page = PAGE.read_text(encoding="utf-8")
    with store.reading() as connection:
        for view, key in KEYS.items():
            section = page.split(f"### {view}\n")[1].split("\n### ")[0].split("\n## ")[0]
            named = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
            columns = list(connection.exec_driver_sql(f"SELECT * FROM {view}").keys())
            assert named == columns, view
            assert set(key) <= set(columns)


def test_a_run_is_one_row_with_its_counts(store: Store) -> None:
    """Failed rows and their share; its failed rows beside it."""
    ran(store, "r1", rows=20, failed=3)
    assert read(store, "sync_runs", "run_id", "status", "rows_extracted", "rows_failed", "failed_row_rate") == [
        ("r1", "some_rows_failed", 20, 3, 0.15)
    ]
    assert read(store, "failed_rows", "position", "sync", "row_number", "reason") == [
        (number, "people", number + 1, "email_valid") for number in range(3)
    ]
    assert read(store, "sync_state", "sync", "destination", "last_run_id", "last_status") == [
        ("people", "main", "r1", "some_rows_failed")
    ]


@pytest.mark.parametrize(
    ("ago_h", "failed", "status", "health", "reason"),
    [
        (1, 0, None, "HEALTHY", ""),
        (7, 0, None, "WARNING", "late"),
        (9, 0, None, "STALE", "stale"),
        (1, 1, None, "WARNING", "some_rows_failed"),
        (1, 10, None, "WARNING", "some_rows_failed"),
        (1, 11, None, "WARNING", "many_rows_failed"),
        (1, 0, Status.FAILED, "WARNING", "last_run_failed"),
    ],
)
def test_health_goes_by_the_interval_and_by_the_last_run(
    ago_h: int, failed: int, status: Status | None, health: str, reason: str, store: Store
) -> None:
    """A sync that is due every four hours."""
    ran(store, "r1", rows=100, failed=failed, ago=timedelta(hours=ago_h), status=status)
    note_interval(store, "people", 4 * 3600.0)
    [(_, found, why, age_s)] = read(store, "sync_health", "sync", "health", "reason", "age_s")
    assert (found, why) == (health, reason)
    assert abs(age_s - ago_h * 3600) < 300


def test_a_paused_sync_and_one_that_runs_by_hand_are_never_stale(store: Store) -> None:
    """Their age is known all the same."""
    for sync in ("by_hand", "paused", "due"):
        ran(store, sync, ago=timedelta(days=30), sync=sync)
        note_interval(store, sync, None if sync == "by_hand" else 60.0)
    set_paused(store, "paused", True)
    assert read(store, "sync_health", "sync", "health") == [
        ("by_hand", "HEALTHY"),
        ("due", "STALE"),
        ("paused", "HEALTHY"),
    ]


def test_row_counts_are_compared_with_the_run_before_that_read_the_same_way(store: Store) -> None:
    """More than half, and over a hundred rows; runs that failed or read a part do not count."""
    for hours, (rows, given) in enumerate(
        [
            (300, {}),
            (9_000, {"reads": "full", "read_from": 0}),
            (1, {"reads": "retry"}),
            (0, {"status": Status.FAILED}),
            (450, {}),
            (200, {}),
            (20, {}),
            (90, {}),
            (9_001, {"read_from": 0}),
            (9, {"read_from": 0, "piece": PieceOf(2, 2)}),
        ]
    ):
        ran(store, f"r{hours}", rows=rows, ago=timedelta(hours=20 - hours), **given)  # type: ignore[arg-type]
    found = read(store, "row_count_changes", "run_id", "rows_before", "rows_changed", "is_anomaly")
    assert found == [
        ("r0", None, None, 0),
        ("r1", None, None, 0),
        ("r4", 300, 150, 0),
        ("r5", 450, -250, 1),
        ("r6", 200, -180, 1),
        ("r7", 20, 70, 0),
        ("r8", 9_000, 1, 0),
    ]


@pytest.mark.parametrize(
    ("given", "before"),
    [
        ({}, 300),
        ({"reads": "full", "read_from": 0}, 9_000),
        ({"reads": "retry"}, None),
        ({"reads": "full", "read_from": 0, "piece": PieceOf(1, 3)}, None),
        ({"status": Status.FAILED}, None),
    ],
)
def test_an_alert_compares_with_the_run_that_the_view_compares_with(
    given: dict[str, Any], before: int | None, store: Store
) -> None:
    """Everything with everything, what changed with what changed; nothing else with anything."""
    for hours, (rows, was) in enumerate([(300, {}), (9_000, {"read_from": 0}), (1, {"reads": "retry"})]):
        ran(store, f"r{hours}", rows=rows, ago=timedelta(hours=20 - hours), **was)  # type: ignore[arg-type]
    assert facts_of(store, ["people"])["people"].rows_before is None
    ran(store, "r9", rows=5, **given)
    assert before == facts_of(store, ["people"])["people"].rows_before


def test_error_rates_are_by_day(store: Store) -> None:
    """Over ten per cent is high; skipped runs do not count."""
    now = datetime.now(UTC)
    ran(store, "r1", rows=10, failed=1)
    ran(store, "r2", rows=10, failed=1, ago=timedelta(days=1))
    ran(store, "r3", rows=10, failed=2, ago=timedelta(days=1))
    ran(store, "r4", rows=0, ago=timedelta(days=1), status=Status.FAILED)
    found = read(store, "error_rates", "day", "runs", "runs_failed", "rows_failed", "failed_row_rate", "is_high")
    assert [row[1:] for row in found] == [(3, 1, 3, 0.15, 1), (1, 0, 1, 0.1, 0)]
    assert [str(row[0]) for row in found] == [f"{now - timedelta(days=1):%Y-%m-%d}", f"{now:%Y-%m-%d}"]


def test_a_relation_of_somebody_else_is_left_alone(store: Store, state_url: str) -> None:
    """Neither replaced nor in the way of the other views; ours are made anew."""
    with store.writing() as connection:
        drop_views(connection)
        connection.exec_driver_sql("CREATE TABLE sync_runs (theirs INTEGER)")
        connection.exec_driver_sql("CREATE VIEW sync_state AS SELECT theirs FROM sync_runs")
        for _ in range(2):
            drop_views(connection)
            make_views(connection)
        assert set(KEYS) - {"sync_runs"} <= set(sa.inspect(connection).get_view_names())
    assert read(store, "sync_state", "theirs") == []
    assert open_store(state_url).place == store.place
    assert set(selects(sqlite=store.sqlite)) == set(KEYS)

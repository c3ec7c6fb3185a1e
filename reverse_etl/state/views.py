"""What the state database shows to BI tools: views with names and columns that stay (``docs/monitoring.md``).

They are made anew whenever the tables change (``migrate``). A column may come; one that is there keeps its name and
meaning. A relation of the same name that is not ours is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Mapping

_OURS: Final = "reverse_etl_"
"""What the tables begin with that our views read."""

LATE: Final = 1.5
"""Intervals after which a sync's data is late; it is stale after two (``notify.freshness``)."""

HIGH_RATE: Final = 0.1
"""More failed rows than this share are many."""

ANOMALY: Final = 0.5
"""A number of rows that changed by more than this share, and by more than ``ANOMALY_ROWS``, is an anomaly."""

ANOMALY_ROWS: Final = 100

_SQLITE: Final = {
    "now": "((julianday('now') - 2440587.5) * 86400.0)",
    "seconds": "((julianday({}) - 2440587.5) * 86400.0)",
    "day": "substr({}, 1, 10)",
    "at": "strftime('%Y-%m-%d %H:%M:%S', {}, 'unixepoch')",
}
_POSTGRES: Final = {
    "now": "CAST(EXTRACT(EPOCH FROM now()) AS DOUBLE PRECISION)",
    "seconds": "CAST(EXTRACT(EPOCH FROM {}) AS DOUBLE PRECISION)",
    "day": "CAST(({} AT TIME ZONE 'UTC') AS DATE)",
    "at": "to_timestamp({})",
}
"""Times in the words of each database; both have all else in common."""

_COUNTED: Final = """
    SELECT run_id,
        CAST(SUM(extracted) AS BIGINT) AS rows_extracted,
        CAST(SUM(delivered) AS BIGINT) AS rows_delivered,
        CAST(SUM(rejected) AS BIGINT) AS rows_rejected,
        CAST(SUM(refused) AS BIGINT) AS rows_refused,
        CAST(SUM(excluded) AS BIGINT) AS rows_excluded,
        CAST(SUM(unchanged) AS BIGINT) AS rows_unchanged,
        CAST(SUM(undelivered) AS BIGINT) AS rows_undelivered,
        CAST(SUM(rejected + refused + undelivered) AS BIGINT) AS rows_failed
    FROM reverse_etl_run_stream GROUP BY run_id
"""

_RATE: Final = "CASE WHEN c.rows_extracted > 0 THEN CAST(c.rows_failed AS DOUBLE PRECISION) / c.rows_extracted END"

_RUNS: Final = f"""
    SELECT r.run_id, r.root_run_id, r.sync, r.workspace AS destination, r.status, r.reads, r.started_at, r.finished_at,
        r.duration_s, r.read_from, r.last_sync_time,
        COALESCE(c.rows_extracted, 0) AS rows_extracted, COALESCE(c.rows_delivered, 0) AS rows_delivered,
        COALESCE(c.rows_rejected, 0) AS rows_rejected, COALESCE(c.rows_refused, 0) AS rows_refused,
        COALESCE(c.rows_excluded, 0) AS rows_excluded, COALESCE(c.rows_unchanged, 0) AS rows_unchanged,
        COALESCE(c.rows_undelivered, 0) AS rows_undelivered, COALESCE(c.rows_failed, 0) AS rows_failed,
        {_RATE} AS failed_row_rate, r.exit_code, r.message, r.blocking_run_id
    FROM reverse_etl_run r LEFT JOIN ({_COUNTED}) c ON c.run_id = r.run_id
"""

_DELIVERED: Final = """
    SELECT sync, MAX(finished_at) AS delivered_at FROM reverse_etl_run
    WHERE status IN ('completed', 'some_rows_failed') AND COALESCE(reads, '') <> 'undo' GROUP BY sync
"""

_ENDED: Final = """
    SELECT run_id, sync, status FROM (
        SELECT run_id, sync, status,
            ROW_NUMBER() OVER (PARTITION BY sync ORDER BY started_at DESC, run_id DESC) AS newest
        FROM reverse_etl_run WHERE status IN ('completed', 'some_rows_failed', 'failed')
    ) ended WHERE newest = 1
"""

_STATE: Final = f"""
    SELECT s.name AS sync, s.workspace AS destination, s.last_sync_time,
        CASE WHEN s.last_sync_time > 0 THEN {{at_last_sync}} END AS last_sync_at,
        s.first_seen_at, s.paused, s.interval_s, s.last_run_id, r.status AS last_status,
        r.started_at AS last_started_at, d.delivered_at AS last_delivered_at
    FROM reverse_etl_sync s
    LEFT JOIN reverse_etl_run r ON r.run_id = s.last_run_id
    LEFT JOIN ({_DELIVERED}) d ON d.sync = s.name
"""

_FAILED: Final = """
    SELECT f.run_id, f.position, r.sync, r.workspace AS destination, r.started_at, f.row_number, f.query AS stream,
        f.identifier, f.stage, f.reason, f.field, f.message, f.attempt
    FROM reverse_etl_failed_row f JOIN reverse_etl_run r ON r.run_id = f.run_id
"""

_AGES: Final = f"""
    SELECT s.name AS sync, s.workspace AS destination, s.paused, s.interval_s, e.status AS last_status,
        d.delivered_at AS last_delivered_at, c.rows_extracted, c.rows_failed,
        {{now}} - CASE WHEN d.delivered_at IS NOT NULL THEN {{delivered}}
            WHEN s.last_sync_time > 0 THEN CAST(s.last_sync_time AS DOUBLE PRECISION)
            ELSE {{seen}} END AS age_s
    FROM reverse_etl_sync s
    LEFT JOIN ({_DELIVERED}) d ON d.sync = s.name
    LEFT JOIN ({_ENDED}) e ON e.sync = s.name
    LEFT JOIN ({_COUNTED}) c ON c.run_id = e.run_id
"""

_REASONS: Final = f"""
    SELECT c.sync, c.destination, c.paused, c.interval_s, c.last_status, c.last_delivered_at, c.age_s,
        {_RATE} AS failed_row_rate,
        CASE WHEN NOT c.paused AND c.age_s > 2 * c.interval_s THEN 'stale'
            WHEN c.last_status = 'failed' THEN 'last_run_failed'
            WHEN c.rows_failed > {HIGH_RATE} * c.rows_extracted THEN 'many_rows_failed'
            WHEN c.last_status = 'some_rows_failed' THEN 'some_rows_failed'
            WHEN NOT c.paused AND c.age_s > {LATE} * c.interval_s THEN 'late'
            ELSE '' END AS reason
    FROM ({_AGES}) c
"""

_HEALTH: Final = f"""
    SELECT sync, destination,
        CASE reason WHEN '' THEN 'HEALTHY' WHEN 'stale' THEN 'STALE' ELSE 'WARNING' END AS health,
        reason, paused, last_status, last_delivered_at, age_s, interval_s, failed_row_rate
    FROM ({_REASONS}) judged
"""

_RATES: Final = f"""
    SELECT c.sync, c.day, c.runs, c.runs_failed, c.rows_extracted, c.rows_failed, {_RATE} AS failed_row_rate,
        CASE WHEN c.rows_failed > {HIGH_RATE} * c.rows_extracted THEN 1 ELSE 0 END AS is_high
    FROM (
        SELECT r.sync, {{day}} AS day, COUNT(*) AS runs,
            CAST(SUM(CASE WHEN r.status = 'failed' THEN 1 ELSE 0 END) AS BIGINT) AS runs_failed,
            CAST(SUM(r.rows_extracted) AS BIGINT) AS rows_extracted, CAST(SUM(r.rows_failed) AS BIGINT) AS rows_failed
        FROM ({_RUNS}) r
        WHERE r.status IN ('completed', 'some_rows_failed', 'failed')
        GROUP BY r.sync, {{day}}
    ) c
"""

_CHANGES: Final = f"""
    SELECT run_id, sync, started_at, rows_extracted, rows_before, rows_extracted - rows_before AS rows_changed,
        CASE WHEN rows_before > 0
            THEN CAST(rows_extracted - rows_before AS DOUBLE PRECISION) / rows_before END AS change_rate,
        CASE WHEN ABS(rows_extracted - rows_before) > {ANOMALY} * rows_before
            AND ABS(rows_extracted - rows_before) > {ANOMALY_ROWS} THEN 1 ELSE 0 END AS is_anomaly
    FROM (
        SELECT r.run_id, r.sync, r.started_at, r.rows_extracted,
            LAG(r.rows_extracted) OVER (
                PARTITION BY r.sync, CASE WHEN COALESCE(r.read_from, 0) = 0 THEN 1 ELSE 0 END
                ORDER BY r.started_at, r.run_id
            ) AS rows_before
        FROM ({_RUNS}) r
        WHERE r.status IN ('completed', 'some_rows_failed') AND COALESCE(r.reads, 'changes') IN ('changes', 'full')
            AND NOT EXISTS (SELECT 1 FROM reverse_etl_run p WHERE p.run_id = r.run_id AND p.piece IS NOT NULL)
    ) compared
"""

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "sync_runs": ("run_id",),
    "sync_state": ("sync",),
    "failed_rows": ("run_id", "position"),
    "sync_health": ("sync",),
    "error_rates": ("sync", "day"),
    "row_count_changes": ("run_id",),
}
"""The views, and the columns that identify a row of each."""


def selects(*, sqlite: bool) -> dict[str, str]:
    """The query of each view, by its name."""
    words = _SQLITE if sqlite else _POSTGRES
    return {
        "sync_runs": _RUNS,
        "sync_state": _STATE.format(at_last_sync=words["at"].format("s.last_sync_time")),
        "failed_rows": _FAILED,
        "sync_health": _HEALTH.format(
            now=words["now"],
            delivered=words["seconds"].format("d.delivered_at"),
            seen=words["seconds"].format("s.first_seen_at"),
        ),
        "error_rates": _RATES.format(day=words["day"].format("r.started_at")),
        "row_count_changes": _CHANGES,
    }


def drop_views(connection: sa.Connection) -> None:
    """Removes our views, which stand in the way of changes to the tables."""
    found = sa.inspect(connection)
    for name in found.get_view_names():
        if name in KEYS and _OURS in (found.get_view_definition(name) or ""):
            connection.exec_driver_sql(f"DROP VIEW {name}")


def make_views(connection: sa.Connection) -> None:
    """Makes the views for which there is no other relation of the same name."""
    found = sa.inspect(connection)
    taken = {*found.get_table_names(), *found.get_view_names()}
    for name, query in selects(sqlite=connection.dialect.name == "sqlite").items():
        if name not in taken:
            connection.exec_driver_sql(f"CREATE VIEW {name} AS {query}")

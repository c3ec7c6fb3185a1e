"""Runs of the history as they were written: what every look at it is made of."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from reverse_etl.exclusions import from_stored
from reverse_etl.report import Carried, Counts, PieceOf, RunReport, Status
from reverse_etl.state.check_results import warnings_of
from reverse_etl.state.schema import COUNTS, RUN_STREAM
from reverse_etl.warned import Warned


def run_reports(connection: sa.Connection, wanted: sa.Select[Any]) -> list[RunReport]:
    """The runs that a query of the table of runs returns, in its order."""
    rows = connection.execute(wanted).all()
    counted = sa.select(RUN_STREAM).where(RUN_STREAM.c.run_id.in_([row.run_id for row in rows]))
    streams: dict[str, dict[str, Counts]] = {}
    for row in connection.execute(counted.order_by(RUN_STREAM.c.run_id, RUN_STREAM.c.position)) if rows else ():
        counts = Counts(*(getattr(row, count) for count in COUNTS))
        streams.setdefault(row.run_id, {})[row.stream] = counts
    warnings = warnings_of(connection, [row.run_id for row in rows])
    return [_run_report(row, streams.get(row.run_id, {}), warnings.get(row.run_id, ())) for row in rows]


def _run_report(row: sa.Row[Any], streams: dict[str, Counts], warnings: tuple[Warned, ...]) -> RunReport:
    return RunReport(
        sync=row.sync,
        run_id=row.run_id,
        status=Status(row.status),
        started_at=row.started_at,
        duration_s=row.duration_s,
        last_sync_time=row.last_sync_time,
        read_from=row.read_from,
        streams=streams,
        failed_rows_csv=row.failed_rows_csv,
        message=row.message,
        exit_code=row.exit_code,
        reads=row.reads or "",
        carried=Carried(**json.loads(row.carried)) if row.carried else None,
        excluded_by=from_stored(json.loads(row.excluded_by or "[]")),
        warnings=warnings,
        piece=PieceOf(row.piece, row.pieces) if row.piece else None,
        added=row.added,
        changed=row.changed,
    )

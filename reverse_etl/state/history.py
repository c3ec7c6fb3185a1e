"""Between the rows of the state database and what the other rooms see. The statements themselves: ``store``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from reverse_etl.changeset.recipient import Recipient
from reverse_etl.report import Counts, RunReport, Status
from reverse_etl.state.schema import COUNTS, RUN_STREAM

if TYPE_CHECKING:
    from reverse_etl.changeset.extract import Before


@dataclass(frozen=True, slots=True)
class Reading:
    """What a run that becomes the last completed one leaves for the next, beside its start.

    Attributes:
        reaches_to: Unix seconds from when the next run is to read; None where it is not known.
        clock_ahead_s: How far the database's clock was ahead of this machine's; None likewise.
        asked: What the sync asked for, by part, as hashes.
        recipient: Who acknowledged its rows; None where that is not known.
    """

    reaches_to: int | None = None
    clock_ahead_s: float | None = None
    asked: dict[str, str] = field(default_factory=dict)
    recipient: Recipient | None = None


@dataclass(frozen=True, slots=True)
class SyncState:
    """What is remembered of one sync.

    Attributes:
        workspace: That of its newest run; empty before the first.
        last_sync_time: Unix seconds that the next run will use; 0 until a run has completed.
        first_seen_at: Aware UTC; None before it was first scheduled or run.
        paused: Whether due runs are left out.
        last_run_id: Its newest run that was not skipped; empty before the first.
        reaches_to: What the run left that last sync time is the start of; ``clock_ahead_s`` and ``asked`` likewise
            (``Reading``).
        recipient: Whose last sync time it is; None where that is not known.
    """

    name: str
    workspace: str = ""
    last_sync_time: int = 0
    first_seen_at: datetime | None = None
    paused: bool = False
    last_run_id: str = ""
    reaches_to: int | None = None
    clock_ahead_s: float | None = None
    asked: dict[str, str] = field(default_factory=dict)
    recipient: Recipient | None = None

    def before(self) -> Before:
        """What the next run is to know of the last completed one."""
        from reverse_etl.changeset.extract import Before
        from reverse_etl.changeset.watermark import Watermark

        return Before(Watermark(self.last_sync_time, self.reaches_to, self.clock_ahead_s), self.asked)


def sync_state(row: sa.Row[Any]) -> SyncState:
    """A row of the table of syncs."""
    return SyncState(
        name=row.name,
        workspace=row.workspace,
        last_sync_time=row.last_sync_time,
        first_seen_at=row.first_seen_at,
        paused=row.paused,
        last_run_id=row.last_run_id or "",
        reaches_to=row.reaches_to,
        clock_ahead_s=row.clock_ahead_s,
        asked=json.loads(row.asked) if row.asked else {},
        recipient=Recipient.from_text(row.recipient),
    )


def run_reports(connection: sa.Connection, wanted: sa.Select[Any]) -> list[RunReport]:
    """The runs that a query of the table of runs returns, in its order."""
    rows = connection.execute(wanted).all()
    counted = sa.select(RUN_STREAM).where(RUN_STREAM.c.run_id.in_([row.run_id for row in rows]))
    streams: dict[str, dict[str, Counts]] = {}
    for row in connection.execute(counted.order_by(RUN_STREAM.c.run_id, RUN_STREAM.c.position)) if rows else ():
        counts = Counts(*(getattr(row, count) for count in COUNTS))
        streams.setdefault(row.run_id, {})[row.stream] = counts
    return [_run_report(row, streams.get(row.run_id, {})) for row in rows]


def put_streams(connection: sa.Connection, report: RunReport) -> None:
    """Writes what became of a run's rows in place of what was known before."""
    connection.execute(sa.delete(RUN_STREAM).where(RUN_STREAM.c.run_id == report.run_id))
    rows = [
        {"run_id": report.run_id, "position": position, "stream": stream, **asdict(counts)}
        for position, (stream, counts) in enumerate(report.streams.items())
    ]
    if rows:
        connection.execute(sa.insert(RUN_STREAM), rows)


def _run_report(row: sa.Row[Any], streams: dict[str, Counts]) -> RunReport:
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
    )


def run_values(report: RunReport, *, root_run_id: str, workspace: str, since: int | None) -> dict[str, Any]:
    """The columns of the table of runs."""
    running = report.status is Status.RUNNING
    return {
        "run_id": report.run_id,
        "root_run_id": root_run_id,
        "sync": report.sync,
        "workspace": workspace,
        "status": report.status.value,
        "started_at": report.started_at,
        "finished_at": None if running else report.started_at + timedelta(seconds=report.duration_s),
        "duration_s": report.duration_s,
        "since": since,
        "read_from": report.read_from,
        "last_sync_time": report.last_sync_time,
        "failed_rows_csv": report.failed_rows_csv,
        "message": report.message,
        "exit_code": report.exit_code,
        "blocking_run_id": None,
    }

"""The runs of the history, as they are written: begun, closed with what became of the rows, skipped.

How they are looked for is ``run_history``; why their rows failed is ``failures``.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from reverse_etl.errors import WorkspaceBusyError
from reverse_etl.report import Carried, RunReport, Status
from reverse_etl.state import syncs
from reverse_etl.state.failures import digest, forget_failures, remember_failures
from reverse_etl.state.pieces import end_pieces, move_pieces, take_back
from reverse_etl.state.schema import RUN, RUN_STREAM, SYNC
from reverse_etl.state.snapshots import move_snapshot

if TYPE_CHECKING:
    import pyarrow as pa

    from reverse_etl.changeset.pieces import Piece
    from reverse_etl.changeset.recipient import Recipient
    from reverse_etl.state.store import Store


@dataclass(frozen=True, slots=True)
class Reading:
    """What a run that becomes the last completed one leaves for the next, beside its start.

    Attributes:
        reaches_to: Unix seconds from when the next run is to read; None where it is not known.
        clock_ahead_s: How far the database's clock was ahead of this machine's; None likewise.
        asked: What the sync asked for, by part, as hashes.
        recipient: Who acknowledged its rows; None where that is not known.
        place: Which rows the database had, in its engine's own words; empty where no query asks for it.
        piece: Which piece of everything it read; None where that was not in pieces.
        everything: Whether it read all rows in one.
    """

    reaches_to: int | None = None
    clock_ahead_s: float | None = None
    asked: dict[str, str] = field(default_factory=dict)
    recipient: Recipient | None = None
    place: str = ""
    piece: Piece | None = None
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Carrying:
    """What becomes of the failed rows that runs leave each other (``changeset.carried``) when a run ends.

    Attributes:
        before: The run that left those which hold when they were looked at; empty for none.
        after: The one that holds from now on.
        holds: Whether last sync time stays for rows that failed.
        counts: Of the run's report.
    """

    before: str
    after: str
    holds: bool
    counts: Carried


def begin_run(
    store: Store, run_id: str, *, root_run_id: str, sync: str, workspace: str, started_at: datetime, since: int
) -> None:
    """Writes a run that is in progress; a run that begins again starts its row again.

    Args:
        store: The history.
        run_id: Dagster's run id.
        root_run_id: The run whose changeset is used; ``run_id`` itself except for a re-execution.
        sync: The sync's name.
        workspace: The workspace's name.
        started_at: Aware.
        since: The last sync time; 0 for everything.
    """
    with store.writing() as connection:
        syncs.see(store, connection, sync, workspace, started_at)
        current = _last_sync_time(connection, sync)
        report = RunReport(
            sync=sync, run_id=run_id, status=Status.RUNNING, started_at=started_at, last_sync_time=current
        )
        forget_failures(connection, run_id)
        _put(store, connection, _values(report, root_run_id=root_run_id, workspace=workspace, since=since))
        _put_streams(connection, report)


def close_run(
    store: Store,
    report: RunReport,
    *,
    root_run_id: str,
    workspace: str,
    failed_rows: Iterable[pa.RecordBatch],
    addresses: Container[str] = (),
    new_last_sync_time: int | None,
    sent_as_of: int | None = None,
    read: Reading | None = None,
    snapshot: tuple[int, str] | None = None,
    carrying: Carrying | None = None,
) -> RunReport:
    """Writes how a run ended, its failed rows and the sync's last sync time: all or nothing.

    The last sync time, and the piece that is next, move on with a ``completed`` run, or with one whose failed rows
    are carried. They never move past rows that no run has read. They move back where a newer run moved them past the
    reading of this one, because its rows may have overwritten newer ones. Closing a run again replaces what was
    written before.

    Args:
        store: The history.
        report: The run; it need not have begun here (a re-execution starts at a later step).
        root_run_id: The run whose changeset was used.
        workspace: The workspace's name.
        failed_rows: All of them by ``changeset.failed_rows.FAILED_ROWS``, read once; the first ``MAX_FAILED_ROWS`` and
            all causes are remembered.
        addresses: Queries whose identifiers are e-mail addresses: they are masked.
        new_last_sync_time: Unix seconds; the start of the run that read the changeset. None: it stays.
        sent_as_of: The same for a run that sent rows, however it ended: the last sync time is not later.
        read: What is remembered with either of the two when it becomes the last sync time.
        snapshot: The generation that what is acknowledged now follows, and the changeset that it accounts for.
        carrying: What becomes of failed rows that are carried; None: nothing.

    Returns:
        The report with the last sync time that the next run will use.
    """
    failures = digest(failed_rows, addresses=addresses)
    with store.writing() as connection:
        syncs.see(store, connection, report.sync, workspace, report.started_at)
        since = _since(connection, report.run_id, root_run_id)
        current = _last_sync_time(connection, report.sync)
        read = read or Reading()
        # What it did not read was visible to the run that last sync time was the start of.
        takes_over = _carry(connection, report, carrying) or report.status is Status.COMPLETED
        moves = takes_over and since is not None and since <= current
        if read.piece is not None:
            rows = report.read.extracted
            moves = moves and move_pieces(store, connection, report.sync, read.piece, rows)
        if new_last_sync_time is not None and moves:
            current = new_last_sync_time
            asked = json.dumps(read.asked) if read.asked else None
            recipient = {"recipient": read.recipient.as_text()} if read.recipient else {}
            syncs.put(store, connection, report.sync, {**_mark(current, read), **recipient, "asked": asked})
            if read.everything:
                end_pieces(connection, report.sync, current)
        elif sent_as_of == current:
            # Which of two that began within one second saw less is not known: the next run reads everything.
            syncs.put(store, connection, report.sync, {"place": None})
        if sent_as_of is not None:
            take_back(connection, report.sync, sent_as_of, read.reaches_to)
        if sent_as_of is not None and sent_as_of < current:
            current = sent_as_of
            syncs.put(store, connection, report.sync, _mark(current, read))
        if snapshot is not None:
            move_snapshot(connection, report.sync, generation=snapshot[0], changeset=snapshot[1])
        report = replace(report, last_sync_time=current)
        forget_failures(connection, report.run_id)
        values = _values(report, root_run_id=root_run_id, workspace=workspace, since=since)
        _put(store, connection, values | {"recipient": read.recipient.as_text() if read.recipient else None})
        _put_streams(connection, report)
        remember_failures(connection, report.run_id, failures)
    return report


def record_skipped(
    store: Store, sync: str, workspace: str, at: datetime, blocking_run_id: str, *, message: str = "", run_id: str = ""
) -> RunReport:
    """Writes that a run did not happen because another one was in progress; the same one is recorded once.

    Args:
        store: The history.
        sync: The sync's name.
        workspace: Its workspace.
        at: When it was due or began, aware.
        blocking_run_id: The run that was in the way.
        message: That in words; empty: with that run's id.
        run_id: Dagster's; empty where there was only a due time.
    """
    report = RunReport(
        sync=sync,
        run_id=run_id or f"skipped-{sync}-{at.timestamp():.0f}",
        status=Status.SKIPPED,
        started_at=at,
        message=message or f"Run {blocking_run_id} was in progress.",
        exit_code=WorkspaceBusyError.exit_code,
    )
    with store.writing() as connection:
        syncs.see(store, connection, sync, workspace, at)
        report = replace(report, last_sync_time=_last_sync_time(connection, sync))
        skipped = _values(report, root_run_id=report.run_id, workspace=workspace, since=None)
        store.put(connection, RUN, skipped | {"blocking_run_id": blocking_run_id}, {})
    return report


def _carry(connection: sa.Connection, report: RunReport, carrying: Carrying | None) -> bool:
    """Lets what a run leaves hold; whether no later run needs its reading for the rows that failed."""
    if carrying is None or report.status not in (Status.COMPLETED, Status.SOME_ROWS_FAILED):
        return False
    as_before = sa.and_(SYNC.c.name == report.sync, sa.func.coalesce(SYNC.c.carried, "") == carrying.before)
    changed = connection.execute(sa.update(SYNC).where(as_before).values(carried=carrying.after or None)).rowcount
    return bool(changed) and not carrying.holds


def _put_streams(connection: sa.Connection, report: RunReport) -> None:
    """Writes what became of a run's rows in place of what was known before."""
    connection.execute(sa.delete(RUN_STREAM).where(RUN_STREAM.c.run_id == report.run_id))
    rows = [
        {"run_id": report.run_id, "position": position, "stream": stream, **asdict(counts)}
        for position, (stream, counts) in enumerate(report.streams.items())
    ]
    if rows:
        connection.execute(sa.insert(RUN_STREAM), rows)


def _values(report: RunReport, *, root_run_id: str, workspace: str, since: int | None) -> dict[str, Any]:
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
        "reads": report.reads or None,
        "carried": json.dumps(asdict(report.carried)) if report.carried else None,
        "excluded_by": json.dumps([asdict(each) for each in report.excluded_by]) if report.excluded_by else None,
        "piece": report.piece.number if report.piece else None,
        "pieces": report.piece.of if report.piece else None,
        "added": report.added,
        "changed": report.changed,
        "blocking_run_id": None,
    }


def _put(store: Store, connection: sa.Connection, values: Mapping[str, Any]) -> None:
    store.put(connection, RUN, values, values)
    newest = (
        sa.select(RUN.c.run_id)
        .where(RUN.c.sync == values["sync"], RUN.c.status != Status.SKIPPED.value)
        .order_by(RUN.c.started_at.desc(), RUN.c.run_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    connection.execute(sa.update(SYNC).where(SYNC.c.name == values["sync"]).values(last_run_id=newest))


def _last_sync_time(connection: sa.Connection, sync: str) -> int:
    current: int = connection.execute(sa.select(SYNC.c.last_sync_time).where(SYNC.c.name == sync)).scalar_one()
    return current


def _mark(last_sync_time: int, read: Reading) -> dict[str, Any]:
    return {
        "last_sync_time": last_sync_time,
        "reaches_to": read.reaches_to,
        "clock_ahead_s": read.clock_ahead_s,
        "place": read.place or None,
    }


def _since(connection: sa.Connection, run_id: str, root_run_id: str) -> int | None:
    """The last sync time when a run's changeset was read; None where nothing is known of that run."""
    begun = sa.select(RUN.c.run_id, RUN.c.since).where(RUN.c.run_id.in_([run_id, root_run_id]))
    known = {row.run_id: row.since for row in connection.execute(begun)}
    return known.get(root_run_id, known.get(run_id))

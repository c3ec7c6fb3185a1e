"""What is remembered between runs: last sync times, paused syncs, the history of runs and their failed rows.

Every call is one short transaction of its own. Where the database lies: ``engine``; its tables: ``schema``; what
is forgotten, and when: ``retention``.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from reverse_etl.errors import WorkspaceBusyError
from reverse_etl.report import FailedRow, RunReport, Status
from reverse_etl.state.engine import Database
from reverse_etl.state.failures import FailedCause, digest, forget_failures, remember_failures
from reverse_etl.state.history import Reading, SyncState, put_streams, run_reports, run_values, sync_state
from reverse_etl.state.migrate import bring_up_to_date
from reverse_etl.state.schema import FAILED_CAUSE, FAILED_ROW, RUN, SYNC

_PAGE_ROWS: Final = 1_000


def open_store(url: str) -> Store:
    """The store behind a URL; its tables are made or brought up to date first.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/DATABASE``; ``Home.state_url`` has it.

    Raises:
        StateError: It cannot be used; the hint says what to do.
        MissingDriverError: The Postgres driver is not installed.
    """
    bring_up_to_date(database := Database(url))
    return Store(database)


class Store:
    """The state database, open. Any number of processes may use it at once; every method raises StateError."""

    def __init__(self, database: Database) -> None:
        """Takes a database whose tables are as this release needs them: ``open_store`` gives one."""
        self.database = database

    def syncs(self) -> list[SyncState]:
        """Every sync that was ever scheduled, paused or run, by name."""
        with self.database.reading() as connection:
            return [sync_state(row) for row in connection.execute(sa.select(SYNC).order_by(SYNC.c.name))]

    def sync(self, name: str) -> SyncState:
        """One sync; as never seen where nothing is remembered of it."""
        with self.database.reading() as connection:
            row = connection.execute(sa.select(SYNC).where(SYNC.c.name == name)).one_or_none()
        return sync_state(row) if row else SyncState(name)

    def last_sync_time(self, sync: str) -> int:
        """Unix seconds that the sync's next run uses; 0 until a run has completed."""
        return self.sync(sync).last_sync_time

    def paused(self, sync: str) -> bool:
        """Whether the sync's due runs are left out."""
        return self.sync(sync).paused

    def first_seen_at(self, sync: str) -> datetime | None:
        """When the sync was first scheduled or run, aware UTC; None before."""
        return self.sync(sync).first_seen_at

    def set_paused(self, sync: str, paused: bool) -> None:
        """Pauses or resumes a sync; doing so twice changes nothing."""
        with self.database.writing() as connection:
            self._put_sync(connection, sync, {"paused": paused})

    def record_seen(self, sync: str, workspace: str, at: datetime) -> datetime:
        """Remembers when a sync was first seen, and returns it: the first ``at`` of all calls, aware UTC."""
        seen = self.first_seen_at(sync)
        if seen is not None:
            return seen
        with self.database.writing() as connection:
            self._see(connection, sync, workspace, at)
            first: datetime = connection.execute(
                sa.select(SYNC.c.first_seen_at).where(SYNC.c.name == sync)
            ).scalar_one()
        return first

    def begin_run(
        self, run_id: str, *, root_run_id: str, sync: str, workspace: str, started_at: datetime, since: int
    ) -> None:
        """Writes a run that is in progress; a run that begins again starts its row again.

        Args:
            run_id: Dagster's run id.
            root_run_id: The run whose changeset is used; ``run_id`` itself except for a re-execution.
            sync: The sync's name.
            workspace: The workspace's name.
            started_at: Aware.
            since: The last sync time; 0 for everything.
        """
        with self.database.writing() as connection:
            self._see(connection, sync, workspace, started_at)
            current = _last_sync_time(connection, sync)
            report = RunReport(
                sync=sync, run_id=run_id, status=Status.RUNNING, started_at=started_at, last_sync_time=current
            )
            forget_failures(connection, run_id)
            self._put_run(connection, run_values(report, root_run_id=root_run_id, workspace=workspace, since=since))
            put_streams(connection, report)

    def close_run(
        self,
        report: RunReport,
        *,
        root_run_id: str,
        workspace: str,
        failed_rows: Iterable[FailedRow],
        addresses: Container[str] = (),
        new_last_sync_time: int | None,
        sent_as_of: int | None = None,
        read: Reading | None = None,
    ) -> RunReport:
        """Writes how a run ended, its failed rows and the sync's last sync time: all or nothing.

        The last sync time moves on with a ``completed`` run only, never past rows that no run has read, and back where
        a newer run moved it past the reading of this one, whose rows may have overwritten newer ones. Closing a run
        again replaces what was written before.

        Args:
            report: The run; it need not have begun here (a re-execution starts at a later step).
            root_run_id: The run whose changeset was used.
            workspace: The workspace's name.
            failed_rows: All of them, read once; the first ``MAX_FAILED_ROWS`` and all causes are remembered.
            addresses: Queries whose identifiers are e-mail addresses: they are masked.
            new_last_sync_time: Unix seconds; the start of the run that read the changeset. None: it stays.
            sent_as_of: The same for a run that sent rows, however it ended: the last sync time is not later.
            read: What is remembered with either of the two when it becomes the last sync time.

        Returns:
            The report with the last sync time that the next run will use.
        """
        failures = digest(failed_rows, addresses=addresses)
        with self.database.writing() as connection:
            self._see(connection, report.sync, workspace, report.started_at)
            since = _since(connection, report.run_id, root_run_id)
            current = _last_sync_time(connection, report.sync)
            read = read or Reading()
            # What it did not read was visible to the run that last sync time was the start of.
            moves = report.status is Status.COMPLETED and since is not None and since <= current
            if new_last_sync_time is not None and moves:
                current = new_last_sync_time
                asked = json.dumps(read.asked) if read.asked else None
                whose = {"recipient": read.recipient.as_text()} if read.recipient else {}
                self._put_sync(connection, report.sync, {**_mark(current, read), **whose, "asked": asked})
            if sent_as_of is not None and sent_as_of < current:
                current = sent_as_of
                self._put_sync(connection, report.sync, _mark(current, read))
            report = replace(report, last_sync_time=current)
            forget_failures(connection, report.run_id)
            values = run_values(report, root_run_id=root_run_id, workspace=workspace, since=since)
            self._put_run(connection, values | {"recipient": read.recipient.as_text() if read.recipient else None})
            put_streams(connection, report)
            remember_failures(connection, report.run_id, failures)
        return report

    def record_skipped(
        self, sync: str, workspace: str, at: datetime, blocking_run_id: str, *, message: str = "", run_id: str = ""
    ) -> RunReport:
        """Writes that a run did not happen because another one was in progress; the same one is recorded once.

        Args:
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
            message=message or f"Run {blocking_run_id} was in progress in workspace {workspace}.",
            exit_code=WorkspaceBusyError.exit_code,
        )
        with self.database.writing() as connection:
            self._see(connection, sync, workspace, at)
            report = replace(report, last_sync_time=_last_sync_time(connection, sync))
            skipped = run_values(report, root_run_id=report.run_id, workspace=workspace, since=None)
            self._put(connection, RUN, skipped | {"blocking_run_id": blocking_run_id}, {})
        return report

    def run(self, run_id: str) -> RunReport | None:
        """One run; None where it is not, or no longer, in the history."""
        found = self._runs(sa.select(RUN).where(RUN.c.run_id == run_id))
        return found[0] if found else None

    def runs(self, sync: str | None = None, *, limit: int = 20, status: Status | None = None) -> list[RunReport]:
        """The newest runs first, skipped ones and those in progress included.

        Args:
            sync: Only this sync's.
            limit: At most this many.
            status: Only those with this status.
        """
        wanted = sa.select(RUN).order_by(RUN.c.started_at.desc(), RUN.c.run_id.desc()).limit(limit)
        if sync is not None:
            wanted = wanted.where(RUN.c.sync == sync)
        if status is not None:
            wanted = wanted.where(RUN.c.status == status.value)
        return self._runs(wanted)

    def latest_run(self, sync: str) -> RunReport | None:
        """The sync's newest run that was not skipped; None before the first."""
        return self.latest_runs(sync).get(sync)

    def latest_runs(self, *syncs: str) -> dict[str, RunReport]:
        """The newest run that was not skipped, of each of these syncs or of all; only of those that have one."""
        wanted = sa.select(RUN).join(SYNC, SYNC.c.last_run_id == RUN.c.run_id)
        if syncs:
            wanted = wanted.where(SYNC.c.name.in_(syncs))
        return {report.sync: report for report in self._runs(wanted)}

    def causes(self, run_id: str) -> list[FailedCause]:
        """Why rows of a run failed, with all rows counted, most rows first; empty when none failed."""
        with self.database.reading() as connection:
            wanted = sa.select(FAILED_CAUSE).where(FAILED_CAUSE.c.run_id == run_id).order_by(FAILED_CAUSE.c.position)
            return [FailedCause(*row[2:]) for row in connection.execute(wanted)]

    def failed_rows(self, run_id: str) -> Iterator[FailedRow]:
        """The first ``MAX_FAILED_ROWS`` failed rows of a run, in the CSV's order, e-mail addresses masked; one pass."""
        position = -1
        while True:
            wanted = (
                sa.select(FAILED_ROW)
                .where(FAILED_ROW.c.run_id == run_id, FAILED_ROW.c.position > position)
                .order_by(FAILED_ROW.c.position)
                .limit(_PAGE_ROWS)
            )
            with self.database.reading() as connection:
                page = connection.execute(wanted).all()
            yield from (FailedRow(*row[2:]) for row in page)
            if len(page) < _PAGE_ROWS:
                return
            position = page[-1].position

    def _runs(self, wanted: sa.Select[Any]) -> list[RunReport]:
        with self.database.reading() as connection:
            return run_reports(connection, wanted)

    def _see(self, connection: sa.Connection, sync: str, workspace: str, at: datetime) -> None:
        self._put_sync(connection, sync, {"workspace": workspace})
        unseen = sa.update(SYNC).where(SYNC.c.name == sync, SYNC.c.first_seen_at.is_(None))
        connection.execute(unseen.values(first_seen_at=at))

    def _put_sync(self, connection: sa.Connection, sync: str, known: Mapping[str, Any]) -> None:
        unknown = {"name": sync, "workspace": "", "last_sync_time": 0, "paused": False}
        self._put(connection, SYNC, {**unknown, **known}, known)

    def _put_run(self, connection: sa.Connection, values: Mapping[str, Any]) -> None:
        self._put(connection, RUN, values, values)
        newest = (
            sa.select(RUN.c.run_id)
            .where(RUN.c.sync == values["sync"], RUN.c.status != Status.SKIPPED.value)
            .order_by(RUN.c.started_at.desc(), RUN.c.run_id.desc())
            .limit(1)
            .scalar_subquery()
        )
        connection.execute(sa.update(SYNC).where(SYNC.c.name == values["sync"]).values(last_run_id=newest))

    def _put(
        self, connection: sa.Connection, table: sa.Table, values: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> None:
        """Inserts a row; where its key is taken, only ``changes`` apply."""
        insert = self.database.insert(table)
        key = list(table.primary_key.columns)
        row = insert.values(**values)
        connection.execute(
            row.on_conflict_do_update(index_elements=key, set_=dict(changes))
            if changes
            else row.on_conflict_do_nothing(index_elements=key)
        )


def _last_sync_time(connection: sa.Connection, sync: str) -> int:
    current: int = connection.execute(sa.select(SYNC.c.last_sync_time).where(SYNC.c.name == sync)).scalar_one()
    return current


def _mark(last_sync_time: int, read: Reading) -> dict[str, Any]:
    return {"last_sync_time": last_sync_time, "reaches_to": read.reaches_to, "clock_ahead_s": read.clock_ahead_s}


def _since(connection: sa.Connection, run_id: str, root_run_id: str) -> int | None:
    """The last sync time when a run's changeset was read; None where nothing is known of that run."""
    begun = sa.select(RUN.c.run_id, RUN.c.since).where(RUN.c.run_id.in_([run_id, root_run_id]))
    known = {row.run_id: row.since for row in connection.execute(begun)}
    return known.get(root_run_id, known.get(run_id))

"""The history of runs, as it is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from reverse_etl.changeset.recipient import Recipient
from reverse_etl.changeset.scope import Reads
from reverse_etl.errors import INTERRUPTED_EXIT_CODE
from reverse_etl.report import RunReport, Status
from reverse_etl.state.reports import run_reports
from reverse_etl.state.run_ids import id_of_sync
from reverse_etl.state.schema import RUN, RUN_STREAM, SYNC

if TYPE_CHECKING:
    from collections.abc import Collection

    from reverse_etl.state.store import Store

_DELIVERED: Final = [Status.COMPLETED.value, Status.SOME_ROWS_FAILED.value]
_STOPPED: Final = [Status.FAILED.value, Status.CANCELED.value]
_WHOLE: Final = [reads.value for reads in Reads if reads.is_whole]
_READ_TO_THE_END: Final = sa.or_(RUN.c.pieces.is_(None), RUN.c.piece == RUN.c.pieces)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A run that delivered.

    Attributes:
        run_id: Its id.
        ended_at: Aware UTC, by the clock of its machine.
    """

    run_id: str
    ended_at: datetime


def find_run(store: Store, run_id: str) -> RunReport | None:
    """One run; None where it is not, or no longer, in the history. Raises StateError."""
    found = _runs(store, sa.select(RUN).where(RUN.c.run_id == run_id))
    return found[0] if found else None


def runs_called(store: Store, sync: str | None, run_id: str) -> list[RunReport]:
    """The sync's run with an id, or any sync's; without one, up to two whose ids begin with it. Raises StateError."""
    begins_so = sa.func.substr(RUN.c.run_id, 1, len(run_id)) == run_id
    of_sync = sa.true() if sync is None else RUN.c.sync == sync
    wanted = sa.select(RUN).where(of_sync, begins_so).order_by(sa.func.length(RUN.c.run_id)).limit(2)
    found = _runs(store, wanted)
    return found[:1] if found and found[0].run_id == run_id else found


def newest_ended(store: Store, sync: str, *, with_rows: bool = False) -> RunReport | None:
    """The sync's newest run that is neither in progress nor skipped; None where there is none.

    Args:
        store: The history.
        sync: The sync's name.
        with_rows: Without runs that stopped before they had read a row.

    Raises:
        StateError: The history cannot be read.
    """
    ended = RUN.c.status.in_([*_DELIVERED, *_STOPPED])
    wanted = sa.select(RUN).where(RUN.c.sync == sync, ended).order_by(RUN.c.started_at.desc(), RUN.c.run_id.desc())
    if with_rows:
        read = sa.exists().where(RUN_STREAM.c.run_id == RUN.c.run_id, RUN_STREAM.c.extracted > 0)
        wanted = wanted.where(RUN.c.status.in_(_DELIVERED) | read)
    return next(iter(_runs(store, wanted.limit(1))), None)


def list_runs(
    store: Store, sync: str | None = None, *, limit: int = 20, offset: int = 0, status: Status | None = None
) -> list[RunReport]:
    """The newest runs first, skipped ones and those in progress included.

    Args:
        store: The history.
        sync: Only this sync's.
        limit: At most this many.
        offset: Without this many of the newest.
        status: Only those with this status.
    """
    wanted = sa.select(RUN).order_by(RUN.c.started_at.desc(), RUN.c.run_id.desc()).limit(limit).offset(offset)
    if sync is not None:
        wanted = wanted.where(RUN.c.sync == sync)
    if status is not None:
        wanted = wanted.where(RUN.c.status == status.value)
    return _runs(store, wanted)


def latest_run(store: Store, sync: str) -> RunReport | None:
    """The sync's newest run that was not skipped; None before the first."""
    return latest_runs(store, sync).get(sync)


def latest_runs(store: Store, *syncs: str) -> dict[str, RunReport]:
    """The newest run that was not skipped, of each of these syncs or of all; only of those that have one."""
    wanted = sa.select(RUN).join(SYNC, SYNC.c.last_run_id == RUN.c.run_id)
    if syncs:
        wanted = wanted.where(SYNC.c.name.in_(syncs))
    return {report.sync: report for report in _runs(store, wanted)}


def attempt_of(store: Store, run_id: str, *, root_run_id: str, began_at: datetime) -> int:
    """The number, from 1, of a run among those that share its changeset: itself, its re-executions.

    Args:
        store: The history.
        run_id: The run, whether or not it is in the history.
        root_run_id: The first of its chain.
        began_at: When the run began, aware.

    Raises:
        StateError: The history cannot be read.
    """
    earlier = (
        sa.select(sa.func.count())
        .select_from(RUN)
        .where(RUN.c.root_run_id == root_run_id, RUN.c.run_id != run_id, RUN.c.started_at <= began_at)
    )
    with store.reading() as connection:
        return 1 + int(connection.execute(earlier).scalar_one())


def last_delivered(store: Store, syncs: Collection[str]) -> dict[str, Delivery]:
    """By sync, its newest run that delivered, failed rows or not; without those that have none.

    A run that took rows back delivered none, and a piece of everything before the last one is no delivery.

    Raises:
        StateError: The history cannot be read.
    """
    run_id, ended_at = (_of_newest_delivery(column, _READ_TO_THE_END) for column in (RUN.c.run_id, RUN.c.finished_at))
    with store.reading() as connection:
        rows = connection.execute(sa.select(SYNC.c.name, run_id, ended_at).where(SYNC.c.name.in_(syncs)))
        return {name: Delivery(run_id, ended_at) for name, run_id, ended_at in rows if run_id is not None}


def last_reading_at(store: Store, sync: str, *, since: datetime) -> datetime | None:
    """When the newest reading began whose rows need no other run: they were delivered, or somebody canceled that.

    What failed, was skipped, or canceled before its rows were read, does not count; nor does a run of a few rows. Of a
    re-execution, and of the last one of several pieces, the run counts that the reading began with.

    Args:
        store: The history.
        sync: The sync's name.
        since: Only runs that began at this time, aware, or later are looked at.

    Returns:
        Aware UTC; None where there is no such run, or it is not known when its reading began.

    Raises:
        StateError: The history cannot be read.
    """
    root, first = RUN.alias("root"), RUN.alias("first")
    root_began = sa.select(root.c.started_at).where(root.c.run_id == RUN.c.root_run_id).scalar_subquery()
    first_piece_began = (
        sa.select(sa.func.max(first.c.started_at))
        .where(
            first.c.sync == RUN.c.sync,
            first.c.piece == 1,
            first.c.run_id == first.c.root_run_id,
            first.c.started_at <= RUN.c.started_at,
        )
        .scalar_subquery()
    )
    wanted = sa.select(
        sa.func.max(sa.case((RUN.c.pieces.is_(None), root_began), else_=first_piece_began), type_=RUN.c.started_at.type)
    ).where(RUN.c.sync == sync, RUN.c.started_at >= since, *_needs_no_other())
    with store.reading() as connection:
        began: datetime | None = connection.execute(wanted).scalar_one()
    return began


def readings_in(store: Store, sync: str, dagster_run_ids: Collection[str]) -> set[str]:
    """Those of Dagster's runs of several assets in which a sync's rows were read, as ``last_reading_at`` counts.

    What such a run makes upstream of the sync it makes before that, though all of it has the run's one start.

    Raises:
        StateError: The history cannot be read.
    """
    ids = {id_of_sync(run_id, sync, job=""): run_id for run_id in dagster_run_ids}
    wanted = sa.select(RUN.c.root_run_id).where(
        RUN.c.sync == sync, RUN.c.root_run_id.in_(ids), RUN.c.pieces.is_(None), *_needs_no_other()
    )
    with store.reading() as connection:
        return {ids[run_id] for run_id in connection.scalars(wanted)}


def last_delivered_at(connection: sa.Connection, syncs: Collection[str] | None = None) -> dict[str, datetime]:
    """By sync, when its rows last arrived: the aware end of its newest run that came to one, failed rows or not.

    Without those that have no such run in the history; a run that took rows back brought none.

    Args:
        connection: To the state database.
        syncs: Only of these; None: of all.
    """
    newest = _of_newest_delivery(RUN.c.finished_at)
    wanted = sa.select(SYNC.c.name, newest.label("delivered_at"))
    if syncs is not None:
        wanted = wanted.where(SYNC.c.name.in_(syncs))
    return {row.name: row.delivered_at for row in connection.execute(wanted) if row.delivered_at is not None}


def _needs_no_other() -> tuple[sa.ColumnElement[bool], ...]:
    """Whether a run delivered all that there was, or somebody canceled it once its rows were read."""
    canceled = sa.and_(
        RUN.c.status == Status.CANCELED.value, RUN.c.exit_code == INTERRUPTED_EXIT_CODE, RUN.c.reads.is_not(None)
    )
    whole = sa.func.coalesce(RUN.c.reads, Reads.CHANGES.value).in_(_WHOLE)
    return sa.or_(RUN.c.status.in_(_DELIVERED), canceled), whole, _READ_TO_THE_END


def _of_newest_delivery(column: sa.ColumnElement[Any], *conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
    """A column of the newest run of a sync that came to an end and was no undo."""
    return (
        sa.select(column)
        .where(
            RUN.c.sync == SYNC.c.name,
            RUN.c.status.in_(_DELIVERED),
            sa.func.coalesce(RUN.c.reads, "") != Reads.UNDO.value,
            *conditions,
        )
        .order_by(RUN.c.started_at.desc(), RUN.c.run_id.desc())
        .limit(1)
        .scalar_subquery()
    )


def root_of_run(store: Store, run_id: str) -> str:
    """The run whose changeset a run uses, as far as it is in the history: itself otherwise. Raises StateError."""
    with store.reading() as connection:
        found = connection.execute(sa.select(RUN.c.root_run_id).where(RUN.c.run_id == run_id)).scalar_one_or_none()
    return found or run_id


def recipient_of_run(store: Store, run_id: str) -> Recipient | None:
    """For whom a run's rows were read; None where that is not, or no longer, known. Raises StateError."""
    with store.reading() as connection:
        found = connection.execute(sa.select(RUN.c.recipient).where(RUN.c.run_id == run_id)).scalar_one_or_none()
    return Recipient.from_text(found)


def _runs(store: Store, wanted: sa.Select[Any]) -> list[RunReport]:
    with store.reading() as connection:
        return run_reports(connection, wanted)

"""What is forgotten, and when: changesets first, then history with its failed rows and their CSVs.

Called after each run; safe while other runs are in progress and while others prune too.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import sqlalchemy as sa

from reverse_etl.counted import counted
from reverse_etl.errors import StateError
from reverse_etl.files.storage import storage_from_environment
from reverse_etl.report import Status
from reverse_etl.state.home import carried_name
from reverse_etl.state.schema import RUN, SYNC
from reverse_etl.state.sent_keys import forget_old_keys
from reverse_etl.state.shared_changesets import forget, unused_since

if TYPE_CHECKING:
    from reverse_etl.config.connections import RetentionConfig
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import Store

_AT_ONCE: Final = 500

_CARRIED: Final = sa.select(SYNC.c.name, SYNC.c.carried).where(SYNC.c.carried.is_not(None))

Item = TypeVar("Item")


def prune(store: Store, home: Home, retention: RetentionConfig, now: datetime) -> None:
    """Deletes what is older than the project keeps it.

    A changeset's age counts from its last use: a re-executed run makes it young again, and one in progress keeps it.
    Of the history, each sync keeps its newest entry and its newest run that was not skipped, whatever their age.

    Args:
        store: The history.
        home: Where changesets and failed-row CSVs lie.
        retention: How long they are kept.
        now: Aware.

    Raises:
        StateError: Something cannot be deleted; everything else is.
    """
    left: list[StateError] = []
    _prune_changesets(store, home, now - retention.changesets, left)
    _prune_carried(store, home, now - retention.changesets, left)
    with _left_over(left):
        _prune_stored(store, now - retention.changesets)
    _prune_history(store, home, now - retention.history, left)
    forget_old_keys(store, now)
    if left:
        more = f" {counted(len(left) - 1, 'other is', 'others are')} left too." if len(left) > 1 else ""
        raise StateError(f"{left[0].message}{more}", hint=left[0].hint)


def _prune_changesets(store: Store, home: Home, before: datetime, left: list[StateError]) -> None:
    folders = [folder for folder in home.changesets.glob("*/*") if _changed_at(folder) < before]
    for some in _chunks(folders):
        in_use = _used_since(store, [folder.name for folder in some], before)
        for folder in some:
            if folder.name not in in_use:
                with _left_over(left):
                    shutil.rmtree(folder, onerror=_unless_gone)


def _prune_carried(store: Store, home: Home, before: datetime, left: list[StateError]) -> None:
    """Failed rows that no run reads again: those that another machine's run took over, or that a crash left."""
    with store.reading() as connection:
        held = {home.carried_file(row.name, row.carried) for row in connection.execute(_CARRIED)}
    for path in home.carried.glob("*/*"):
        if path not in held and _changed_at(path) < before:
            with _left_over(left):
                _delete(path)


def _prune_stored(store: Store, before: datetime) -> None:
    """The same in the place that all machines share, whichever of them a changeset came from."""
    storage = storage_from_environment()
    with store.reading() as connection:
        held = {carried_name(row.name, row.carried) for row in connection.execute(_CARRIED)}
    for some in _chunks(unused_since(store, before) if storage else []):
        in_use = _used_since(store, [name.rpartition("/")[2] for name in some], before)
        for name in some:
            if storage and name.rpartition("/")[2] not in in_use and name not in held:
                storage.remove(name)
                forget(store, name)


def _used_since(store: Store, root_run_ids: list[str], before: datetime) -> set[str]:
    """The runs of which one, or a re-execution of one, is in progress or ended at or after ``before``."""
    wanted = sa.select(RUN.c.root_run_id).where(
        RUN.c.root_run_id.in_(root_run_ids),
        sa.or_(RUN.c.status == Status.RUNNING.value, RUN.c.finished_at >= before),
    )
    with store.reading() as connection:
        return set(connection.execute(wanted).scalars())


def _prune_history(store: Store, home: Home, before: datetime, left: list[StateError]) -> None:
    later = RUN.alias("later")
    newer_run = sa.exists().where(later.c.sync == RUN.c.sync, later.c.started_at > RUN.c.started_at)
    last_runs = sa.select(SYNC.c.last_run_id).where(SYNC.c.last_run_id.is_not(None))
    old = sa.select(RUN.c.run_id, RUN.c.sync).where(
        RUN.c.started_at < before,
        RUN.c.status != Status.RUNNING.value,
        RUN.c.run_id.not_in(last_runs),
        newer_run,
    )
    with store.reading() as connection:
        forgotten = connection.execute(old).all()
    for some in _chunks(forgotten):
        deleted = []
        for run in some:
            with _left_over(left):
                _delete(home.failed_rows_csv(run.sync, run.run_id))
                home.unshare_failed_rows(run.sync, run.run_id)
                deleted.append(run.run_id)
        with store.writing() as connection:
            connection.execute(sa.delete(RUN).where(RUN.c.run_id.in_(deleted)))


@contextmanager
def _left_over(left: list[StateError]) -> Iterator[None]:
    """What cannot be deleted keeps nothing else from being deleted."""
    try:
        yield
    except StateError as error:
        left.append(error)


def _changed_at(folder: Path) -> datetime:
    """When something was last written in a run's folder; a delivery in progress writes in those of its queries."""
    times = [datetime.min.replace(tzinfo=UTC)]
    for path in (folder, *folder.glob("*")):
        with contextlib.suppress(OSError):
            times.append(datetime.fromtimestamp(path.stat().st_mtime, UTC))
    return max(times)


def _delete(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise _undeletable(file, error) from None


def _unless_gone(
    function: Callable[..., Any],  # noqa: ARG001
    path: str,
    caught: tuple[type[BaseException], BaseException, TracebackType],
) -> None:
    error = caught[1]
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        raise _undeletable(Path(path), error) from None


def _undeletable(path: Path, error: OSError) -> StateError:
    return StateError(
        f"{path} is older than it may be kept, and cannot be deleted: {error.strerror}.",
        hint="Let the user who runs the syncs own the home folder.",
    )


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]

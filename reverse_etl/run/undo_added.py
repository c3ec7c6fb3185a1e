"""Whether an undo may delete rows that a run added, and how many: within the limits of what is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.changes.gone import count_known
from reverse_etl.changes.undo_added import Added, write_added
from reverse_etl.config.limits import parse_limit
from reverse_etl.counted import counted
from reverse_etl.errors import CheckFailedError, ConfigError
from reverse_etl.run.gone import elsewhere

if TYPE_CHECKING:
    import duckdb

    from reverse_etl.changes.attributes import StreamValues
    from reverse_etl.changes.undo import RowsOf, Run
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.run.record import SyncRun

_DELETE = "delete"


def streams_that_delete(sync: SyncConfig) -> tuple[str, ...]:
    """The streams from whose rows those may be deleted that a run added: those with ``gone: delete``.

    Only then the limits are known, who is known by which identifier, and which other syncs send the same.

    Raises:
        ConfigError: There are none.
    """
    found = tuple(
        stream.name
        for stream in sync.streams
        if (gone := sync.gone(stream.name)) is not None and gone.action == _DELETE
    )
    if not found:
        raise ConfigError(
            f"{sync.where} deletes nothing, so --delete-added has no limits to keep to: nothing was sent.",
            hint="Write `gone: delete` in its file, or undo without --delete-added.",
        )
    return found


def write_deletions(
    run: SyncRun,
    stream: str,
    around: Run,
    values: StreamValues,
    rows_of: RowsOf,
    database: duckdb.DuckDBPyConnection,
    *,
    gone_max: str,
) -> tuple[Added, str]:
    """Writes which rows of a stream are deleted; and why none is though some were added, a sentence.

    Args:
        run: The undo.
        stream: Its name.
        around: The files around the run that is taken back.
        values: The names of the attributes.
        rows_of: Makes rows of keys.
        database: For a while.
        gone_max: How many may be deleted; empty for what the sync allows.

    Raises:
        CheckFailedError: They are more.
        StateError: They cannot be written.
    """
    others, unknown = elsewhere(run, stream)
    if unknown:
        return Added(), unknown.replace("removed", "deleted")
    found = write_added(
        run.folder.parts(stream),
        around,
        values,
        rows_of,
        run.sync.stream(stream),
        elsewhere=others,
        database=database,
    )
    known, gone = count_known(around.keys, database), run.sync.gone(stream)
    most = gone.most(known) if gone is not None else 0
    if gone_max:
        limit = parse_limit(gone_max)
        most = known if not limit.exceeded_by(found.deleted, known) else found.deleted - 1
    if found.deleted > most:
        allowed = f"--gone-max {gone_max}" if gone_max else f"the {most:,} that `gone_max` and `gone_max_rows` allow"
        raise CheckFailedError(
            f"{counted(found.deleted, 'row')} of {known:,} would be deleted, more than {allowed}: nothing was sent.",
            hint=f"If they are to go, add: --gone-max {found.deleted}",
        ).located(run.sync.where)
    return found, ""

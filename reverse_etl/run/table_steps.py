"""What ``test-connection`` shows of the tables that syncs write to: columns, keys, rights, and what would be written.

What a run would refuse before its first row is found here in the same way, with the columns of the sync's own query.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reverse_etl.changeset.columns import attribute_columns
from reverse_etl.changeset.extract import Before, extract
from reverse_etl.changeset.parts import RunFolder
from reverse_etl.changeset.scope import Scope
from reverse_etl.config.changes import late_of
from reverse_etl.config.gone import DELETED
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations import kind
from reverse_etl.destinations.table_powers import Described, Describes
from reverse_etl.destinations.tables import TableDestination
from reverse_etl.errors import ReverseEtlError
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.report import Step
from reverse_etl.run.interrupts import run_interruptibly

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reverse_etl.config.connections import DatabaseConfig, DestinationConfig
    from reverse_etl.config.syncs import SyncConfig

_AT_ONCE: Final = RetryPolicy(budget_s=0, away_s=0)
_MOST_COLUMNS: Final = 30


def table_steps(sync: SyncConfig, database: DatabaseConfig, config: DestinationConfig) -> Iterator[Step]:
    """Looks at the table of a sync; nothing for a destination that has none.

    Args:
        sync: The sync.
        database: Where its columns come from.
        config: Where its rows go.
    """
    name = f"sync {sync.name}"
    try:
        columns = _columns(sync, database)
    except ReverseEtlError as error:
        yield Step(name, False, f"What its query returns is not known: {error.message}", error.hint)
        return
    try:
        steps: Sequence[Step] = run_interruptibly(_look(sync, config, columns))
        yield from steps
    except ReverseEtlError as error:
        yield Step(name, False, error.message, error.hint)


def _columns(sync: SyncConfig, database: DatabaseConfig) -> list[str]:
    """Those that the sync's rows have, by its first row."""
    from reverse_etl.sources import connect, dialect

    with tempfile.TemporaryDirectory(prefix="reverse-etl-") as path, connect(database) as session:
        folder = RunFolder(Path(path) / "columns")
        extract(
            sync,
            session,
            folder,
            before=Before(),
            dialect=dialect(database),
            late=late_of(sync.changes, database.late),
            scope=Scope(limit=1),
            timezone=database.timezone,
        )
        schema = folder.parts(ROWS).schema()
    return schema.names if schema is not None else []


async def _look(sync: SyncConfig, config: DestinationConfig, columns: Sequence[str]) -> list[Step]:
    clock = Clock()
    patience = Patience(_AT_ONCE, name=config.label, clock=clock)
    done: list[Step] = []
    async with kind(config.type).open_destination(sync, config, columns, patience=patience, clock=clock) as table:
        if not isinstance(table, TableDestination):
            return done
        try:
            if isinstance(table, Describes):
                done += _described(await patience.until_settled(table.describe))
            await table.prepare()
        except ReverseEtlError as error:
            return [*done, Step(f"sync {sync.name}", False, error.message, error.hint)]
    return [*done, Step(f"sync {sync.name}", True, _writes(sync, columns))]


def _described(table: Described) -> Iterator[Step]:
    more = len(table.columns) - _MOST_COLUMNS
    columns = ", ".join(table.columns[:_MOST_COLUMNS]) + (f" and {more} more" if more > 0 else "")
    yield Step(f"table {table.name}", True, columns)
    yield Step("keys", True, ", ".join(table.keys) or "none: rows are found by reading the table")
    lacking = f"; not {', '.join(table.lacking)}" if table.lacking else ""
    yield Step("rights", True, f"{', '.join(table.rights) or 'none'}{lacking}")


def _writes(sync: SyncConfig, columns: Sequence[str]) -> str:
    """What the sync does with the table."""
    asked = sync.asked().get("rows", {})
    key = ", ".join(sync.stream(ROWS).key)
    gone = sync.gone(ROWS)
    becomes = ""
    if gone is not None:
        whose = "of the table" if gone.of_table else "of its own"
        becomes = f"; rows {whose} that are gone: {gone.action}"
    by = f" by {key}" if key else ""
    written = attribute_columns(columns, sync.stream(ROWS))
    if len(written) < len(columns):
        becomes += f"; a row is gone where {DELETED} is true"
    return f"{asked.get('write', 'writes')} {', '.join(written)}{by}{becomes}"

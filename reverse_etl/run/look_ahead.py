"""The destination's table, looked at before the rows are read: what does not fit is no reason to wait for a query.

What the rows will have is known from the sync's file and the text of its query; where it is not, of the table alone.
Looked at again before the first row is written, with the columns that were read.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from reverse_etl.config.statement import read_statement
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations import kind
from reverse_etl.destinations.table_powers import LooksAhead
from reverse_etl.errors import DestinationUnavailableError
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.run.interrupts import run_interruptibly

if TYPE_CHECKING:
    from collections.abc import Collection

    from reverse_etl.config.connections import DestinationConfig
    from reverse_etl.config.dialect import Dialect
    from reverse_etl.config.syncs import SyncConfig

_OF_A_TABLE: Final = "rows"
"""What a row is, where it goes into a table."""
_AT_ONCE: Final = RetryPolicy(budget_s=0, away_s=0)
"""A server that does not answer now may do so when the rows are there."""


def look_ahead(sync: SyncConfig, config: DestinationConfig, dialect: Dialect, *, clock: Clock | None = None) -> None:
    """Ends a run whose rows the table cannot take, before they are read; nothing for a destination without tables.

    Args:
        sync: The sync.
        config: Where its rows go.
        dialect: Its database's.
        clock: Time.

    Raises:
        ConfigError: The sync's file and the table do not fit.
        DestinationError: The table cannot be written to.
    """
    if sync.kind == _OF_A_TABLE:
        with suppress(DestinationUnavailableError):
            run_interruptibly(_look(sync, config, dialect, clock or Clock()))


async def _look(sync: SyncConfig, config: DestinationConfig, dialect: Dialect, clock: Clock) -> None:
    names, any_case = known_columns(sync, dialect)
    given = sync.stream(ROWS).key if names is None else names
    patience = Patience(_AT_ONCE, name=config.label, clock=clock)
    async with kind(config.type).open_destination(sync, config, given, patience=patience, clock=clock) as table:
        if isinstance(table, LooksAhead):
            await table.look_ahead(names, any_case=any_case)


def known_columns(sync: SyncConfig, dialect: Dialect) -> tuple[tuple[str, ...] | None, Collection[str]]:
    """The columns that a sync's rows will have, and those of them that may turn out to be in another case.

    None where only a reading shows them: after ``SELECT *``, and what a transform gives.
    """
    shape = sync.shape(ROWS)
    if shape.columns is not None:
        return tuple(shape.columns), ()
    columns = read_statement(sync.stream(ROWS).query, dialect).columns if shape.transform is None else None
    if columns is None:
        return None, ()
    return tuple(each.name for each in columns), {each.name for each in columns if not each.exact}

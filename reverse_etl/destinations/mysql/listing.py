"""The tables of a database, so that ``init`` can offer them; and one of them as ``test-connection`` shows it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reverse_etl.destinations._sql.described import shown_columns
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.mysql import failures
from reverse_etl.destinations.mysql.catalogue import literal, quoted
from reverse_etl.destinations.mysql.connection import Link, Session
from reverse_etl.destinations.mysql.statements import Statements
from reverse_etl.destinations.table_powers import Described
from reverse_etl.errors import DestinationRefusedError, DestinationUnavailableError
from reverse_etl.sources.mysql.wire import Refused

if TYPE_CHECKING:
    from reverse_etl.destinations.mysql.catalogue import Table
    from reverse_etl.destinations.mysql.config import Config

_COLUMNS: Final = (
    "SELECT c.table_name, c.column_name FROM information_schema.columns AS c JOIN information_schema.tables AS t "
    "USING (table_schema, table_name) WHERE c.table_schema = {} AND t.table_type <> 'VIEW' "
    "ORDER BY c.table_name, c.ordinal_position"
)


def tables(config: Config) -> dict[str, list[str]]:
    """The columns of each table of the database that the user sees. Raises DestinationError, UnsetVariableError."""
    return asyncio.run(_tables(config))


async def _tables(config: Config) -> dict[str, list[str]]:
    link = Link(config)
    try:
        session = await link.connected()
        if isinstance(session, TryAgain):
            raise DestinationUnavailableError(f"{config.label}: {session.cause}.", hint=session.hint)
        rows = await link.run(lambda it: it.rows(_COLUMNS.format(literal(config.database.resolve()))))
    except Refused as refused:
        raise DestinationRefusedError(f"{config.label}: the server refuses it (error {refused.code}).") from None
    finally:
        await link.close()
    found: dict[str, list[str]] = {}
    for table, column in rows:
        found.setdefault(table, []).append(column)
    return found


def described(session: Session, table: Table) -> Described:
    """A table, with the rights that are found by trying; raises ``Refused``."""
    key = [
        f"{'PRIMARY KEY' if name == 'PRIMARY' else 'UNIQUE'} ({', '.join(key.columns)})"
        for name, key in table.keys.items()
        if key.unique and key.columns
    ]
    columns = [column for column in table.columns.values() if column.writable and not column.generated]
    statements = Statements(
        table=f"{quoted(table.database)}.{quoted(table.name)}",
        columns=[replace(column, fits=replace(column.fits, key=False)) for column in columns],
        write="add_and_update",
        keeps_when_empty=False,
        unique_key=False,
        indexed=True,
        deletes=True,
    )
    rights: list[str] = []
    lacking: list[str] = []
    for right, probe in statements.probes().items():
        (lacking if denied(session, probe) else rights).append(right)
    name = f"{table.database}.{table.name}"
    return Described(name, shown_columns(table.columns.values(), table.filled), sorted(key), rights, lacking)


def denied(session: Session, probe: str) -> bool:
    """Whether the user lacks the right to a statement that touches no row."""
    try:
        session.run(probe)
    except Refused as refused:
        if not failures.denied(refused):
            raise
        return True
    return False

"""The tables of a database, so that ``init`` can offer them; and one of them as ``test-connection`` shows it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from reverse_etl.destinations._sql.described import shown_columns
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.clickhouse import failures
from reverse_etl.destinations.clickhouse.catalogue import Table, literal
from reverse_etl.destinations.clickhouse.connection import Link
from reverse_etl.destinations.clickhouse.session import Refused, Session
from reverse_etl.destinations.clickhouse.statements import Statements
from reverse_etl.destinations.table_powers import Described
from reverse_etl.errors import DestinationRefusedError, DestinationUnavailableError

if TYPE_CHECKING:
    from reverse_etl.destinations.clickhouse.config import Config

_COLUMNS: Final = (
    "SELECT table, name FROM system.columns WHERE database = {0} AND table IN (SELECT name FROM system.tables "
    "WHERE database = {0} AND engine LIKE '%MergeTree' AND NOT startsWith(name, '.inner')) ORDER BY table, position"
)
"""Of tables that can be written to: neither views, nor what materialised views keep their rows in."""


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
    statements = Statements(
        of=table, columns=[], write="add_and_update", keeps_when_empty=False, deletes=True, version=""
    )
    rights: list[str] = []
    lacking: list[str] = []
    for right, probe in statements.probes().items():
        if right == "SELECT" or table.replaces or table.only_adds:
            (lacking if denied(session, probe) else rights).append(right)
    if not table.is_deleted:
        (rights if may_delete(session, statements) else lacking).append("ALTER DELETE")
    return Described(
        f"{table.database}.{table.name}", shown_columns(table.columns.values()), [_key(table)], rights, lacking
    )


def denied(session: Session, probe: str) -> bool:
    """Whether the user lacks the right to a statement that touches no row."""
    try:
        session.run(probe)
    except Refused as refused:
        if not failures.denied(refused):
            raise
        return True
    return False


def may_delete(session: Session, statements: Statements) -> bool:
    """Whether the user has the right to delete rows; a server that cannot be asked is taken to give it."""
    try:
        return session.rows(statements.may_delete()) != [(0,)]
    except Refused as refused:
        if refused.lost:
            raise
        return True


def _key(table: Table) -> str:
    """What is unique in a table: there are no keys, but an engine that lets a row replace another one."""
    by = f"{table.engine} ORDER BY ({', '.join(table.sorted_by)})" if table.sorted_by else table.engine
    if table.replaces:
        return f"{by}: the {f'greatest {table.version}' if table.version else 'last'} of a key counts"
    return f"{by}: all rows of a key stay"

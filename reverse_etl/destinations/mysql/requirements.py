"""What a sync needs of a table, found before the first row: its kind and columns; and the statements that follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from reverse_etl.destinations._sql import requirements as shared
from reverse_etl.destinations._sql.config import Rows
from reverse_etl.destinations._sql.marks import Mark
from reverse_etl.destinations.mysql.catalogue import Table, TableColumn, quoted
from reverse_etl.destinations.mysql.statements import Statements
from reverse_etl.errors import ConfigError, DestinationRefusedError

if TYPE_CHECKING:
    from reverse_etl.destinations.mysql.connection import Session

_OLDEST: Final = {False: (8, 0, 16), True: (10, 4)}
"""MySQL's and MariaDB's versions with window functions and checks in the catalogue."""
_TABLES: Final = {"BASE TABLE", "SYSTEM VERSIONED"}
_UNSEEN: Final = "Where a BEFORE INSERT trigger fills it: MySQL shows it to users who have the right TRIGGER."
_ENGINE: Final = "InnoDB"


def statements(
    table: Table, rows: Rows, names: Sequence[str], marks: tuple[Mark[TableColumn], ...] = (), *, where: str
) -> Statements:
    """The statements for a table that can take the rows.

    Args:
        table: What is in the catalogue.
        rows: What the sync asks for.
        names: The columns that the sync writes.
        marks: What it sets in rows that are gone.
        where: How messages call the destination.

    Raises:
        ConfigError: The sync asks for what the table cannot do.
    """
    require_kind(table, where=where)
    at = f"{where}: table {table.database}.{table.name}"
    shared.require_columns(table.columns, rows, names, where=at)
    written = [shared.left_to_trigger(column, table.filled) for name, column in table.columns.items() if name in names]
    shared.require_writable(written, rows, where=at)
    for column in written:
        if not column.writable:
            raise ConfigError(
                f"{at}: column {column.fits.name} is a {column.fits.type}, which cannot be written.",
                hint=shared.LEAVE_OUT,
            )
    if rows.write != "update_only":
        shared.require_complete(table.columns, [*names, *table.filled], where=at, otherwise=_UNSEEN)
    return Statements(
        table=f"{quoted(table.database)}.{quoted(table.name)}",
        columns=written,
        write=rows.write,
        keeps_when_empty=rows.empty_values == "ignore",
        unique_key=table.is_unique(rows.identify_by),
        indexed=table.is_indexed(rows.identify_by),
        deletes=rows.when_gone is not None and not marks,
        marks=marks,
        filled=tuple(name for name in table.columns if name not in names and _is_left_to_trigger(table, name)),
        numbered_by=next((name for name, column in table.columns.items() if column.counts and name not in names), ""),
    )


def _is_left_to_trigger(table: Table, name: str) -> bool:
    column = table.columns[name]
    return name in table.filled and not (column.has_default or column.generated)


def require_kind(table: Table, *, where: str) -> None:
    """Raises ConfigError where no sync could write to what has the table's name."""
    full = f"{table.database}.{table.name}"
    if table.kind not in _TABLES:
        raise ConfigError(
            f"{where}: {full} is a {table.kind.lower()}.", hint="Name the table behind it in `rows: {table: ...}`."
        )
    if table.engine != _ENGINE:
        raise ConfigError(
            f"{where}: table {full} is stored by {table.engine or 'no engine'}, which cannot undo a statement.",
            hint=f"Ask for: ALTER TABLE {quoted(table.database)}.{quoted(table.name)} ENGINE = {_ENGINE}.",
        )


def require_version(session: Session, *, where: str) -> None:
    """Raises DestinationRefusedError where the server is too old."""
    oldest = _OLDEST[session.is_mariadb]
    if session.number < oldest:
        product = "MariaDB" if session.is_mariadb else "MySQL"
        least = ".".join(map(str, oldest))
        raise DestinationRefusedError(
            f"{where} is {product} {'.'.join(map(str, session.number))}.", hint=f"It needs {least} or newer."
        )


def lacks_rights(lacking: Sequence[str], table: Table, database: str, *, temporary: bool, user: str) -> str:
    """What to ask for, in words of the server: the rights on the table, and that to make temporary tables."""
    grants = [f"{', '.join(sorted(lacking))} ON {quoted(table.database)}.{quoted(table.name)}"] if lacking else []
    if not temporary:
        grants.append(f"CREATE TEMPORARY TABLES ON {quoted(database)}.*")
    return f"Ask for: {'; '.join(f'GRANT {grant} TO {user}' for grant in grants)}."

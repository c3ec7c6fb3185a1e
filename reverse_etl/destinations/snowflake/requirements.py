"""What a sync needs of a table, found before the first row: its kind and columns; and the statements that follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from reverse_etl.destinations._sql import requirements as shared
from reverse_etl.destinations._sql.marks import Mark
from reverse_etl.destinations.snowflake.catalogue import Table, TableColumn, matching, objects, quoted, read_columns
from reverse_etl.destinations.snowflake.statements import Statements
from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from reverse_etl.destinations._sql.config import Rows
    from reverse_etl.destinations.snowflake.connection import Session

TABLES: Final = {"TABLE", "TRANSIENT", "HYBRID TABLE"}
"""Kinds of what rows can be written to."""


def find(session: Session, schema: str, rows: Rows, names: Sequence[str], *, where: str) -> Table:
    """The table that a sync names, with its columns as the query names them.

    Args:
        session: Of the database.
        schema: That of the destination.
        rows: What the sync asks for.
        names: The columns that the sync writes.
        where: How messages call the destination.

    Raises:
        ConfigError: There is no such table, or there are several.
    """
    places = shared.places(schema, rows.table)
    for holder, name in places:
        found = objects(session, name)
        schemas = matching(holder, {each["schema_name"] for each in found})
        there = [each for each in found if each["schema_name"] in schemas]
        meant = [each for each in there if each["name"] in matching(name, {each["name"] for each in there})]
        if len(meant) > 1:
            raise ConfigError(
                f"{where}: several tables differ from {holder}.{name} in case alone.",
                hint=f"Write one exactly: {shared.some([each['schema_name'] + '.' + each['name'] for each in meant])}.",
            )
        if meant:
            return _table(session, meant[0], rows, names)
    holder, name = places[-1]
    everything = objects(session)
    schemas = matching(holder, {each["schema_name"] for each in everything})
    known = sorted(each["name"] for each in everything if each["schema_name"] in schemas)
    unseen = f"Role {session.role} sees the tables that it has a right on."
    raise shared.no_table(("schema", holder), name, known, where=where, unseen=unseen)


def _table(session: Session, found: dict[str, str], rows: Rows, names: Sequence[str]) -> Table:
    at = (found["database_name"], found["schema_name"], found["name"])
    gone = rows.when_gone
    marked = gone.attributes if gone is not None else ()
    columns = read_columns(session, ".".join(map(quoted, at)), rows.identify_by, [*names, *marked])
    return Table(*at, kind=found["kind"], is_dynamic=found.get("is_dynamic") == "Y", columns=columns)


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
    at = f"{where}: table {table.full}"
    _require_names(table, names, at)
    shared.require_columns(table.columns, rows, names, where=at)
    written = [column for name, column in table.columns.items() if name in names]
    shared.require_writable(written, rows, where=at)
    for column in written:
        if not column.writable:
            raise ConfigError(
                f"{at}: column {column.stored} is a {column.fits.type}, which cannot be written.",
                hint="Leave it out of the query.",
            )
    if rows.write != "update_only":
        shared.require_complete(table.columns, names, where=at)
    return Statements(
        table=table.quoted,
        columns=written,
        write=rows.write,
        keeps_when_empty=rows.empty_values == "ignore",
        deletes=rows.when_gone is not None and not marks,
        marks=marks,
    )


def require_kind(table: Table, *, where: str) -> None:
    """Raises ConfigError where no sync could write to what has the table's name."""
    if table.kind not in TABLES:
        raise ConfigError(
            f"{where}: {table.full} is a {table.kind.lower()}.",
            hint="Name the table behind it in `rows: {table: ...}`.",
        )
    if table.is_dynamic:
        raise ConfigError(
            f"{where}: {table.full} is a dynamic table.", hint="Name a table that Snowflake does not fill."
        )


def _require_names(table: Table, names: Sequence[str], at: str) -> None:
    """Raises ConfigError where a column's name could mean several, or several names mean one."""
    stored = [column.stored for column in table.columns.values()]
    taken: dict[str, str] = {}
    for name in names:
        meant = matching(name, stored)
        if len(meant) > 1:
            raise ConfigError(
                f"{at}: columns {shared.some(meant)} differ from {name} in case alone.",
                hint=f'Spell the query\'s column as the table does: AS "{meant[0]}".',
            )
        if meant and (other := taken.setdefault(meant[0], name)) != name:
            raise ConfigError(
                f"{at}: the query's columns {other} and {name} are both its column {meant[0]}.",
                hint="Leave one of them out of the query.",
            )


def lacks_rights(lacking: Sequence[str], table: Table, schema: str, *, temporary: bool, role: str) -> str:
    """What to ask for: rights on the table, and those to make what is temporary."""
    grants = [f"{', '.join(sorted(lacking))} ON TABLE {table.quoted}"] if lacking else []
    if not temporary:
        grants.append(f"CREATE TABLE, CREATE STAGE ON SCHEMA {quoted(table.database)}.{schema}")
    return f"Ask for: {'; '.join(f'GRANT {grant} TO ROLE {role}' for grant in grants)}."

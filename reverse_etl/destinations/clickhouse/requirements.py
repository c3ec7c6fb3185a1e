"""What a sync needs of a table, found before the first row: its engine, its key, its columns; and the statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reverse_etl.destinations._sql import requirements as shared
from reverse_etl.destinations._sql.marks import Mark
from reverse_etl.destinations.clickhouse.catalogue import Table, TableColumn, quoted
from reverse_etl.destinations.clickhouse.statements import Statements
from reverse_etl.destinations.clickhouse.version import Version, version_of
from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from reverse_etl.destinations._sql.config import Rows


def statements(
    table: Table,
    rows: Rows,
    names: Sequence[str],
    marks: tuple[Mark[TableColumn], ...] = (),
    *,
    version: Version | None,
    where: str,
) -> Statements:
    """The statements for a table that can take the rows.

    Args:
        table: What is in the catalogue.
        rows: What the sync asks for.
        names: The columns that the sync writes.
        marks: What it sets in rows that are gone.
        version: What ``version`` gives.
        where: How messages call the destination.

    Raises:
        ConfigError: The sync asks for what the table cannot do.
    """
    at = f"{where}: table {table.database}.{table.name}"
    _require_engine(table, rows, at)
    shared.require_columns(table.columns, rows, names, where=at)
    require_kind(table, rows, where=where)
    written = [table.columns[name] for name in table.columns if name in names]
    shared.require_writable(written, rows, where=at)
    _require_types(table, written, at)
    if rows.write != "update_only":
        ours = [*names, table.is_deleted, version.name if version is not None else ""]
        shared.require_complete(table.columns, ours, where=at)
    return Statements(
        of=table,
        columns=written,
        write=rows.write,
        keeps_when_empty=rows.empty_values == "ignore",
        deletes=rows.when_gone is not None and not marks,
        marks=marks,
        version=version.sql if version is not None else "",
    )


def require_kind(table: Table, rows: Rows, *, where: str) -> None:
    """Raises ConfigError where rows could not be written so to such a table, whatever their columns."""
    at = f"{where}: table {table.database}.{table.name}"
    _require_engine(table, rows, at)
    if table.replaces:
        shared.require_key([*table.columns], rows, where=at)
        _require_key(table, rows, at)


def version(table: Table, names: Sequence[str], began_at: int, *, where: str) -> Version | None:
    """What the version column gets; None where the query has it, or there is none. Raises ConfigError."""
    if not table.version or (table.version in names and not table.is_deleted):
        return None
    column = table.columns[table.version].fits
    found = version_of(column, began_at)
    if found is None:
        raise ConfigError(
            f"{where}: table {table.database}.{table.name}: its version column {column.name} is a {column.type}, which "
            "cannot hold the time of a run.",
            hint="Return it in the query, or ask for a DateTime or UInt64.",
        )
    return found


def lacks_rights(lacking: Sequence[str], table: Table, user: str) -> str:
    """What to ask for, in words of the server."""
    return f"Ask for: GRANT {', '.join(lacking)} ON {quoted(table.database)}.{quoted(table.name)} TO {quoted(user)}."


def _require_engine(table: Table, rows: Rows, at: str) -> None:
    if not (table.replaces or table.only_adds):
        raise ConfigError(
            f"{at} is a {table.engine}, in which rows of one key are neither unique nor replaced.",
            hint="Name a table of the engine ReplacingMergeTree in `rows: {table: ...}`: the one behind a view or a "
            "Distributed table.",
        )
    if table.replaces and rows.write == "append":
        raise ConfigError(
            f"{at} is a {table.engine}, in which the newest row of a key replaces the others.",
            hint="Write `add_and_update`, or ask for a table of the engine MergeTree.",
        )
    if table.only_adds and rows.write not in ("add_only", "append"):
        key = ", ".join(map(quoted, rows.identify_by))
        raise ConfigError(
            f"{at} is a {table.engine}, in which an updated row would be there twice.",
            hint=f"Write `add_only` or `append`, or ask for a table with ENGINE = ReplacingMergeTree ORDER BY ({key}).",
        )


def _require_key(table: Table, rows: Rows, at: str) -> None:
    """Rows replace each other by the sorting key, within a partition."""
    if set(table.sorted_by) != set(rows.identify_by):
        named = f"by {', '.join(table.sorted_by)}" if table.sorted_by else "by an expression"
        key = ", ".join(map(quoted, rows.identify_by))
        by = f"identify_by: [{', '.join(table.sorted_by)}]"
        hint = f"Write `{by}`, or ask" if table.sorted_by else "Ask"
        raise ConfigError(
            f"{at} is sorted {named}, by which its rows replace each other; `identify_by` names "
            f"{', '.join(rows.identify_by)}.",
            hint=f"{hint} for a table with ORDER BY ({key}).",
        )
    others = [name for name, column in table.columns.items() if column.partitions and name not in rows.identify_by]
    if others and not table.version:
        raise ConfigError(
            f"{at} is partitioned by {', '.join(others)}: a row whose value changes there would stay in its old "
            "partition.",
            hint="Ask for a table that is partitioned by columns of its key, or has a version column.",
        )


def _require_types(table: Table, written: Sequence[TableColumn], at: str) -> None:
    for column in written:
        name = column.fits.name
        if not column.writable:
            raise ConfigError(
                f"{at}: column {name} is a {column.fits.type}, which cannot be written.",
                hint="Leave it out of the query.",
            )
        if name == table.is_deleted:
            raise ConfigError(
                f"{at}: column {name} marks rows that are gone.",
                hint="Leave it out of the query; `gone: delete` and a column `deleted` set it.",
            )

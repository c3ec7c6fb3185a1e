"""What a sync needs of a table of any engine, found before the first row; rights and types are the engine's own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from reverse_etl.config.gone import DELETED
from reverse_etl.config.model import nearest
from reverse_etl.destinations._sql.columns import TableColumn
from reverse_etl.destinations._sql.config import Rows
from reverse_etl.errors import ConfigError

AnyColumn = TypeVar("AnyColumn", bound=TableColumn)

LEAVE_OUT: Final = "Leave it out of the query, or of `columns` or the transform where the sync has one."
"""The next step for a column that cannot be written, whichever of them made it."""


def no_table(holder: tuple[str, str], name: str, known: Sequence[str], *, where: str, unseen: str = "") -> ConfigError:
    """A table that is not there, and the one that was probably meant.

    Args:
        holder: What tables are in, a word and its name: ``("schema", "public")``.
        name: The table's, as asked for.
        known: Those that are there.
        where: How messages call the destination.
        unseen: A sentence about tables that this user may not see.
    """
    word, holder_name = holder
    near = nearest(name, known)
    if not known:
        keys = " and ".join(f"`{key}`" for key in dict.fromkeys((word, "database")))
        return ConfigError(
            f"{where} has no {word} {holder_name} with tables.",
            hint=f"Check {keys} in connections.yaml. {unseen}".rstrip(),
        )
    meant = f"Did you mean {near}?" if near is not None else f"{word.capitalize()} {holder_name} has {some(known)}."
    return ConfigError(f"{where} has no table {holder_name}.{name}.", hint=f"{meant} {unseen}".rstrip())


def places(holder: str, table: str) -> list[tuple[str, str]]:
    """Where a table may be, as schema (or database) and name: a name with a dot is a name first."""
    first, _, rest = table.partition(".")
    return [(holder, table), *([(first, rest)] if rest else [])]


def require_columns(columns: Iterable[str], rows: Rows, names: Sequence[str], *, where: str) -> None:
    """Raises ConfigError where the query lacks a column of the key, or the table one of the query's.

    Args:
        columns: Names of the table's.
        rows: What the sync asks for.
        names: The query's columns.
        where: Destination and table, for messages.
    """
    columns = list(columns)
    for name in rows.identify_by:
        if name not in names:
            near = nearest(name, names)
            hint = f"Did you mean `{near}`?" if near else "Name columns of the query in `identify_by`."
            raise ConfigError(f"`identify_by` names {name}, which the query does not return.", hint=hint)
    require_key(columns, rows, where=where)
    for name in names:
        if name not in columns:
            near = nearest(name, columns)
            hint = (
                f"Did you mean `{near}`? Write `... AS {near}` in the query, or that name in `columns` or the "
                "transform where the sync has one."
                if near
                else LEAVE_OUT
            )
            raise ConfigError(f"{where} has no column {name}.", hint=hint)


def require_key(columns: Sequence[str], rows: Rows, *, where: str) -> None:
    """Raises ConfigError where the table lacks a column of the key; all arguments as ``require_columns`` has them."""
    for name in rows.identify_by:
        if name not in columns:
            near = nearest(name, columns)
            meant = f"Did you mean `{near}`?" if near else f"It has {some(columns)}."
            raise ConfigError(f"{where} has no column {name}, which `identify_by` names.", hint=meant)


def written_columns(names: Sequence[str], rows: Rows) -> list[str]:
    """Those of a query's columns that are written: not what says that a row is gone."""
    return [name for name in names if rows.when_gone is None or name != DELETED]


def require_writable(written: Iterable[TableColumn], rows: Rows, *, where: str) -> None:
    """Raises ConfigError where a column is generated, or nothing but the key would be updated."""
    written = list(written)
    for column in written:
        if column.generated and not only_matched(column, rows):
            raise ConfigError(f"{where}: column {column.fits.name} is generated.", hint=LEAVE_OUT)
    if rows.write == "update_only" and all(column.fits.key for column in written):
        raise ConfigError(
            f"{where}: there is nothing to update: the query has no columns but those of `identify_by`.",
            hint="Add columns to the query.",
        )


def only_matched(column: TableColumn, rows: Rows) -> bool:
    """Whether a column finds rows and is not written."""
    return column.fits.key and rows.write == "update_only"


def left_to_trigger(column: AnyColumn, filled: Collection[str]) -> AnyColumn:
    """The column as rows are made to fit it: where a trigger may fill it, NULL is the server's to judge."""
    return replace(column, fits=replace(column.fits, nullable=True)) if column.fits.name in filled else column


def require_complete(
    columns: Mapping[str, TableColumn], names: Sequence[str], *, where: str, otherwise: str = ""
) -> None:
    """Raises ConfigError where a new row would lack a value that the table needs; ``otherwise`` is a further hint."""
    missing = [
        name
        for name, column in columns.items()
        if name not in names and not (column.fits.nullable or column.has_default or column.generated)
    ]
    if missing:
        raise ConfigError(
            f"{where} needs a value for {some(missing)}, which the query does not return.",
            hint="Add it to the query, and to `columns` or the transform where the sync has one, or write "
            f"`write: update_only`. {otherwise}".rstrip(),
        )


def some(names: Sequence[str]) -> str:
    """The first few names."""
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown

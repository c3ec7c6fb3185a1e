"""What ClickHouse's catalogue has of a table: its engine, its key, its columns and its checks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reverse_etl.destinations._sql import columns
from reverse_etl.destinations._sql.columns import Column, Kind
from reverse_etl.destinations.clickhouse import types

if TYPE_CHECKING:
    from reverse_etl.destinations.clickhouse.session import Session

_TABLE: Final = (
    "SELECT engine, engine_full, sorting_key, create_table_query FROM system.tables WHERE database = {} AND name = {}"
)
_COLUMNS: Final = (
    "SELECT name, type, default_kind, is_in_partition_key FROM system.columns WHERE database = {} AND table = {} "
    "ORDER BY position"
)
_NAMES: Final = "SELECT name FROM system.tables WHERE database = {} AND NOT is_temporary ORDER BY name"
_TOKEN: Final = re.compile(r"'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|\w+|.", re.DOTALL)
_OPENS, _CLOSES = "([{", ")]}"
_GENERATED: Final = {"MATERIALIZED", "ALIAS"}
_REPLACES: Final = "ReplacingMergeTree"
_ADDS: Final = "MergeTree"
_OF_COPIES: Final = ("Replicated", "Shared")


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever it holds."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def literal(text: str) -> str:
    """A text as SQL takes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@dataclass(frozen=True, slots=True)
class TableColumn(columns.TableColumn):
    """One column of a table.

    Attributes:
        writable: Whether values of ours can become its own.
        readable: Whether its value can be read again: an EPHEMERAL column's cannot.
        partitions: Whether it decides in which partition a row is.
    """

    writable: bool
    readable: bool
    partitions: bool


@dataclass(frozen=True, slots=True)
class Check:
    """A constraint.

    Attributes:
        name: Its own.
        condition: SQL, of the table's columns.
        columns: Those that it is about.
    """

    name: str
    condition: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the catalogue has it.

    Attributes:
        database: Its database's name.
        name: Its own.
        engine: As the server names it.
        sorted_by: The columns of its sorting key; empty where expressions are among them.
        version: The column by which the newest row of a key is found; empty: the last one that was inserted.
        is_deleted: The column that is 1 in rows that are gone; empty where there is none.
        columns: In the table's order, by name.
        checks: Its constraints.
        drops_repeats: Whether an insert that is repeated with its token is dropped.
    """

    database: str
    name: str
    engine: str
    sorted_by: tuple[str, ...]
    version: str
    is_deleted: str
    columns: Mapping[str, TableColumn]
    checks: Sequence[Check]
    drops_repeats: bool

    @property
    def kind(self) -> str:
        """The engine without what is about copies: ``ReplacingMergeTree``."""
        kind = self.engine
        for word in _OF_COPIES:
            kind = kind.removeprefix(word)
        return kind

    @property
    def replaces(self) -> bool:
        """Whether a row replaces an older one of its sorting key."""
        return self.kind == _REPLACES

    @property
    def only_adds(self) -> bool:
        """Whether every row that is inserted stays."""
        return self.kind == _ADDS

    @property
    def is_shared(self) -> bool:
        """Whether it is one of ClickHouse Cloud, where each request may reach another server."""
        return self.engine.startswith("Shared")


def table(session: Session, database: str, name: str, *, key: Sequence[str]) -> Table | None:
    """A table, or None where this user sees none of that name.

    Args:
        session: A connection.
        database: The database's name, exactly.
        name: The table's, exactly.
        key: The columns that are to identify its rows.
    """
    exactly = literal(database), literal(name)
    found = session.rows(_TABLE.format(*exactly))
    if not found:
        return None
    ((engine, full, sorting_key, created),) = found
    rows = session.rows(_COLUMNS.format(*exactly))
    columns = {row[0]: _column(*row, key=key) for row in rows}
    arguments = [name for name in _arguments(full) if name in columns]
    replaces = _REPLACES in engine
    return Table(
        database=database,
        name=name,
        engine=engine,
        sorted_by=_names(sorting_key, columns),
        version=arguments[0] if replaces and arguments else "",
        is_deleted=arguments[1] if replaces and len(arguments) > 1 else "",
        columns=columns,
        checks=[*_checks(created, columns)],
        drops_repeats=engine.startswith(_OF_COPIES) or "non_replicated_deduplication_window" in full,
    )


def table_names(session: Session, database: str) -> list[str]:
    """The tables of a database that this user sees, sorted."""
    return [name for (name,) in session.rows(_NAMES.format(literal(database)))]


def _column(name: str, text: str, default: str, partitions: int, *, key: Sequence[str]) -> TableColumn:
    holds = types.holds(types.plain(text))
    fits = Column(
        name=name,
        type=text,
        nullable=types.nullable(text),
        key=name in key,
        **(holds or {"kind": Kind.OTHER}),
    )
    return TableColumn(
        fits=fits,
        generated=default in _GENERATED,
        # Without one the server writes 0 or an empty text, which no one meant.
        has_default=bool(default),
        writable=holds is not None,
        readable=default != "EPHEMERAL",
        partitions=bool(partitions),
    )


def _parts(sql: str) -> Iterator[str]:
    """What is between the commas of a list, whatever its parts hold."""
    depth, part = 0, ""
    for piece in _TOKEN.findall(sql):
        depth += (piece in _OPENS) - (piece in _CLOSES)
        if piece == "," and depth == 0:
            yield part.strip()
            part = ""
        else:
            part += piece
    if part.strip():
        yield part.strip()


def _inside(sql: str) -> str:
    """What is in the first parentheses."""
    depth, inside = 0, ""
    for piece in _TOKEN.findall(sql):
        depth -= piece == ")"
        if depth:
            inside += piece
        elif piece == ")":
            break
        depth += piece == "("
    return inside


def _arguments(engine: str) -> list[str]:
    return [_unquoted(part) for part in _parts(_inside(engine.partition(" ORDER BY ")[0]))]


def _names(sorting_key: str, columns: Mapping[str, TableColumn]) -> tuple[str, ...]:
    key = sorting_key.removeprefix("tuple")
    names = tuple(map(_unquoted, _parts(_inside(key) if key.startswith("(") else key)))
    return names if all(name in columns for name in names) else ()


def _checks(created: str, columns: Mapping[str, TableColumn]) -> Iterator[Check]:
    for part in _parts(_inside(created)):
        tokens = [token for token in _TOKEN.findall(part) if token.strip()]
        if tokens[:1] == ["CONSTRAINT"] and tokens[2:3] == ["CHECK"]:
            condition = part.partition(tokens[1])[2].partition("CHECK")[2].strip()
            named = dict.fromkeys(map(_unquoted, _TOKEN.findall(condition)))
            yield Check(_unquoted(tokens[1]), condition, tuple(name for name in named if name in columns))


def _unquoted(name: str) -> str:
    return types.unescaped(name[1:-1].replace("``", "`")) if name.startswith("`") else name

"""The tables and columns of a database, so that ``init`` can offer them; names as its queries spell them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reverse_etl.config.statement import spelled
from reverse_etl.errors import ReverseEtlError

if TYPE_CHECKING:
    from reverse_etl.config.connections import DatabaseConfig
    from reverse_etl.config.dialect import Dialect
    from reverse_etl.sources.base import Engine, Session

_SIMPLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_USUAL_SCHEMAS: Final = frozenset({"", "public", "dbo", "main"})
_RESERVED: Final = frozenset(
    {"ALL", "AND", "AS", "ASC", "BETWEEN", "BY", "CASE", "CHECK", "COLUMN", "CONSTRAINT", "CREATE", "CROSS", "DEFAULT"}
    | {
        "DELETE",
        "DESC",
        "DISTINCT",
        "DROP",
        "ELSE",
        "END",
        "EXISTS",
        "FALSE",
        "FOR",
        "FOREIGN",
        "FROM",
        "FULL",
        "GRANT",
    }
    | {"GROUP", "HAVING", "IN", "INDEX", "INNER", "INSERT", "INTO", "IS", "JOIN", "KEY", "LEFT", "LIKE", "LIMIT", "NOT"}
    | {
        "NULL",
        "OFFSET",
        "ON",
        "OR",
        "ORDER",
        "OUTER",
        "PRIMARY",
        "REFERENCES",
        "RIGHT",
        "SELECT",
        "SET",
        "TABLE",
        "THEN",
    }
    | {"TO", "TRUE", "UNION", "UNIQUE", "UPDATE", "USER", "USING", "VALUES", "WHEN", "WHERE", "WINDOW", "WITH"}
)
_NO_LETTERS: Final = re.compile(r"[\W_]+")
_ADDRESSES: Final = frozenset({"email", "emailaddress"})
_BYTES: Final = re.compile(r"(?:(?:tiny|medium|long)?blob|bytea|bytes|varbyte|image|(?:var)?binary)\b", re.IGNORECASE)
_MOST_TABLES: Final = 2_000


@dataclass(frozen=True, slots=True)
class Tables:
    """What a database has.

    Attributes:
        columns: The columns of each table, both as a query spells them; empty when it could not be asked.
        types: The type of each column as the database declares it, by the table's name and the column's.
        keys: The column of each table whose key is one column.
        problem: Why it could not be asked; empty otherwise.
    """

    columns: dict[str, list[str]] = field(default_factory=dict)
    types: dict[str, dict[str, str]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    problem: str = ""


def tables_of(database: DatabaseConfig) -> Tables:
    """Asks a database for its tables and their columns, in order; a database that does not answer is no error."""
    from reverse_etl import sources
    from reverse_etl.sources.base import NOT_TEXT

    engine = sources.engine(database.type)
    query = engine.COLUMNS.format(dataset=getattr(database, "dataset", None) or "")
    found: dict[str, dict[str, str]] = {}
    try:
        with sources.connect(database) as session:
            for batch in session.stream(query):
                for schema, table, column, kind in zip(*(part.to_pylist() for part in batch.columns), strict=True):
                    if NOT_TEXT in (schema, table, column):
                        # No query could be written with that name.
                        continue
                    name = _table(schema, table, engine.DIALECT)
                    if name in found or len(found) < _MOST_TABLES:
                        found.setdefault(name, {})[_written(column, engine.DIALECT)] = kind or ""
            keys = _keys(session, engine)
    except ReverseEtlError as error:
        return Tables(problem=str(error))
    return Tables({table: list(columns) for table, columns in found.items()}, found, keys)


def _keys(session: Session, engine: Engine) -> dict[str, str]:
    """The key of each table that has one of one column, where the engine tells."""
    from reverse_etl.sources.base import NOT_TEXT
    from reverse_etl.sources.powers import ListsKeys

    found: dict[str, list[str]] = {}
    if isinstance(engine, ListsKeys):
        for batch in session.stream(engine.KEYS):
            for schema, table, column in zip(*(part.to_pylist() for part in batch.columns), strict=True):
                if NOT_TEXT in (schema, table, column):
                    continue
                found.setdefault(_table(schema, table, engine.DIALECT), []).append(_written(column, engine.DIALECT))
    return {table: columns[0] for table, columns in found.items() if len(columns) == 1}


def _table(schema: str, table: str, dialect: Dialect) -> str:
    parts = [table] if schema.lower() in _USUAL_SCHEMAS else [schema, table]
    return ".".join(_written(part, dialect) for part in parts)


def chosen(answer: str, known: Iterable[str]) -> str | None:
    """The known name that was meant, whatever its case and quotes; what is no plain name is taken as it is."""
    names = list(known)
    bare = {bare_name(name).lower(): name for name in names}
    if not names or answer in names:
        return answer
    if (meant := bare.get(bare_name(answer).lower())) is not None:
        return answer if _SIMPLE.fullmatch(meant) and meant.lower() == answer.lower() else meant
    return answer if not _SIMPLE.fullmatch(answer) else None


def bare_name(name: str) -> str:
    """A name without its quotes."""
    return name[1:-1] if len(name) > 1 and name[0] in '"`[' and name[-1] in '"`]' else name


def is_address(column: str) -> bool:
    """Whether a column is evidently the e-mail address, by its name."""
    return _NO_LETTERS.sub("", bare_name(column)).lower() in _ADDRESSES


def holds_bytes(declared: str) -> bool:
    """Whether a column's type, as the database declares it, is one of bytes."""
    return _BYTES.match(declared) is not None


def _written(name: str, dialect: Dialect) -> str:
    from sqlglot import exp

    kept = spelled(exp.to_identifier(name, quoted=False), dialect) == name
    reserved = name.upper() in _RESERVED | dialect.reserved
    plain = _SIMPLE.fullmatch(name) is not None and kept and not reserved
    return name if plain else exp.to_identifier(name, quoted=True).sql(dialect=dialect.name)

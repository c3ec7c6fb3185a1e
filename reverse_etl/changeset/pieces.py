"""A reading of everything, piece by piece: where the rows of a query are cut, and which of them a piece has.

A cut is a value of the column `by`, written in the database's SQL; a piece has the rows from one cut up to the next.
All comparisons are the database's own. Whatever the cuts are, and in whatever order, each row is in a piece: it is
below some cut, and not below the one before the first such, or it is in the last piece. So a cut may be rounded, its
order may be that of another collation, and rows may come and go: then a piece is larger, or a row is read twice.
Decision: docs/decisions/0034-pieces.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Self

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.asked import difference
from reverse_etl.changeset.picking import as_table, column_of, number_literal, picked, text_literal
from reverse_etl.config.statement import quiet_sqlglot
from reverse_etl.counted import counted
from reverse_etl.errors import ConfigError
from reverse_etl.sources.base import logical_type

if TYPE_CHECKING:
    from reverse_etl.config.dialect import Dialect
    from reverse_etl.sources.base import Session

_NOT_KEPT: Final = re.compile(r"[@\\\x00-\x1f\x7f].*", re.DOTALL)
"""Where a text that is a cut ends: no e-mail address is remembered, and engines quote the other characters apart."""

_KINDS: Final = "whole numbers, decimals, text, UUIDs, dates or date-times"

MOST_PIECES: Final = 1_000
"""Cuts are conditions of queries and lie in the state database."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a reading of everything, and what the run of the first one knew.

    Attributes:
        number: From 1.
        cuts: Between the pieces, in SQL.
        by: The column.
        reading: The changeset of the first piece.
        started_at: When the first piece's run began, by the database's clock; last sync time after the last piece.
        reaches_to: As in ``Facts``, of the first piece; ``clock_ahead_s``, ``moves``, ``place``, ``asked`` likewise.
        reads: Whether everything was asked for (``Reads``).
        recipient: For whom the pieces are (``Recipient.as_text``); empty where that is not known.
        rows_before: Rows that the pieces before had.
        kind: Of which type the column's values were, a word; empty where that is not known.
    """

    number: int
    cuts: tuple[str, ...]
    by: str
    reading: str
    started_at: int
    reaches_to: int | None = None
    clock_ahead_s: float | None = None
    moves: bool = True
    place: str = ""
    asked: Mapping[str, str] = field(default_factory=dict)
    reads: str = "changes"
    recipient: str = ""
    rows_before: int = 0
    kind: str = ""

    @property
    def of(self) -> int:
        """How many there are."""
        return len(self.cuts) + 1

    @property
    def is_last(self) -> bool:
        """Whether everything is read with it."""
        return self.number == self.of

    @property
    def words(self) -> str:
        """For messages: ``piece 3 of 20``."""
        return f"piece {self.number:,} of {self.of:,}"

    def then(self, rows: int) -> Self:
        """The next one, once this one is read, with its number of rows."""
        return replace(self, number=self.number + 1, rows_before=self.rows_before + rows)

    def picked(self, sql: str, dialect: Dialect) -> str:
        """The query of the rows of this piece; rows without a value of the column are in the last."""
        column = column_of(self.by, dialect)
        if self.number == 1:
            return picked(sql, f"{column} < {self.cuts[0]}", dialect)
        from_here = f"{column} >= {self.cuts[self.number - 2]}"
        if self.is_last:
            return picked(sql, f"({from_here} OR {column} IS NULL)", dialect)
        return picked(sql, f"{from_here} AND {column} < {self.cuts[self.number - 1]}", dialect)

    def as_stored(self) -> dict[str, Any]:
        """As ``from_stored`` reads it."""
        return asdict(self)

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Self:
        """What ``as_stored`` gave."""
        return cls(**{**stored, "cuts": tuple(stored["cuts"])})


@dataclass(frozen=True, slots=True)
class InPieces:
    """How a run that reads everything is to read it.

    Attributes:
        by: The column.
        rows: About how many rows a piece has.
        following: The piece that is next in the reading under way; None where the run begins one.
        recipient: For whom it reads.
        why: Why the run begins a reading though one is under way, a sentence; may be empty.
    """

    by: str
    rows: int
    following: Piece | None = None
    recipient: str = ""
    why: str = ""

    def to_read(self, session: Session, sql: str, begun: Piece, dialect: Dialect) -> Piece | None:
        """The piece that is next; the first one where what is asked for is not what it was.

        Args:
            session: An open session.
            sql: The query, its placeholders replaced.
            begun: The first piece, without cuts.
            dialect: The session's.

        Returns:
            None where all rows are not more than one piece has.

        Raises:
            ConfigError: Rows cannot be cut by this column.
            QueryError: The database refused the query.
        """
        begun = replace(begun, kind=_kind(session, sql, self.by, dialect))
        if self.following is not None and not self._changed(begun):
            return self.following
        cuts = _cuts(session, sql, self, dialect)
        return replace(begun, cuts=cuts) if cuts else None

    def begin_again(self, piece: Piece, sync: str) -> str:
        """Why a reading that was under way begins again, a sentence; empty where it does not."""
        if not (changed := self._changed(piece)):
            return self.why
        what = " and ".join(changed)
        return f"What {sync} asks for changed since its first piece was read ({what}), so the pieces begin again."

    def _changed(self, piece: Piece) -> list[str]:
        """What a reading that begins now asks for otherwise than the one under way."""
        if self.following is None:
            return []
        by = [] if self.following.by == piece.by else ["pieces.by"]
        # Cuts of another type are no values to compare with.
        is_other = not by and self.following.kind and self.following.kind != piece.kind
        by += [f"the type of column {piece.by}"] if is_other else []
        return [*difference(self.following.asked, piece.asked), *by]


def find_cuts(session: Session, sql: str, pieces: InPieces, dialect: Dialect) -> tuple[str, ...]:
    """Where a query's rows are cut: one query of its keys alone, in the database's order.

    Raises:
        ConfigError: There is no such column, its values are of a type that has no cuts, or there would be very many
            pieces.
        QueryError: The database refused the query.
    """
    _kind(session, sql, pieces.by, dialect)
    return _cuts(session, sql, pieces, dialect)


def _kind(session: Session, sql: str, by: str, dialect: Dialect) -> str:
    """Of which type the column's values are: a word for all whose cuts are written alike. Raises as ``find_cuts``."""
    with closing(session.stream(picked(sql, "1 = 0", dialect))) as batches:
        (probe,) = batches
    if by not in probe.schema.names:
        raise ConfigError(f"pieces: the query returns no column `{by}`.", hint=f"Name a column of {_KINDS}.")
    # Some databases do not order values of every type: that has to be said here.
    any(_literals(probe.select([by]), by, dialect))
    kind = logical_type(probe.schema.field(by)).partition("[")[0]
    return "number" if kind == "decimal" or pa.types.is_integer(probe.schema.field(by).type) else kind


def _cuts(session: Session, sql: str, pieces: InPieces, dialect: Dialect) -> tuple[str, ...]:
    column = column_of(pieces.by, dialect)
    before, table = as_table(sql, dialect)
    every = _every(pieces.rows, dialect)
    text = (
        f"{before}SELECT DISTINCT c.piece_key FROM (SELECT {column} AS piece_key, "
        f"ROW_NUMBER() OVER (ORDER BY {column}) AS piece_row FROM {table} WHERE {column} IS NOT NULL) AS c "
        f"WHERE c.piece_row > 1 AND {every} ORDER BY c.piece_key"
    )
    found: dict[str, None] = {}
    with closing(session.stream(text)) as batches:
        for batch in batches:
            found.update(dict.fromkeys(_literals(batch, pieces.by, dialect)))
    if len(found) >= MOST_PIECES:
        raise ConfigError(
            f"pieces: there would be {len(found) + 1:,} pieces of {counted(pieces.rows, 'row')}, more than "
            f"{MOST_PIECES:,}.",
            hint="Write a larger number as `rows` of pieces.",
        )
    return tuple(found)


def _every(rows: int, dialect: Dialect) -> str:
    from sqlglot import parse_one

    with quiet_sqlglot():
        return parse_one(f"(c.piece_row - 1) % {rows} = 0").sql(dialect=dialect.name or None)


def _literals(batch: pa.RecordBatch, by: str, dialect: Dialect) -> Iterator[str]:
    """Values as the database's SQL has them, rounded where that makes them simpler."""
    column, field_ = batch.column(0), batch.schema.field(0)
    kind, mark = column.type, logical_type(field_)
    if pa.types.is_integer(kind) or mark == "decimal":
        for text in pc.cast(column, pa.string()).to_pylist():
            yield number_literal(text, dialect, decimal=mark == "decimal")
    elif pa.types.is_string(kind) and mark != "json":
        for text in column.to_pylist():
            yield text_literal(_NOT_KEPT.sub("", text), dialect)
    elif pa.types.is_timestamp(kind):
        column = column.filter(_has_a_calendar(pc.cast(column, pa.date32())))
        # Thousandths are what every engine's types of times take.
        for text in pc.strftime(column.cast(pa.timestamp("ms", "UTC"), safe=False), "%Y-%m-%dT%H:%M:%S").to_pylist():
            yield text_literal(text[:23], dialect)
    elif pa.types.is_date(kind):
        for text in pc.cast(column.filter(_has_a_calendar(column)), pa.string()).to_pylist():
            yield text_literal(text, dialect)
    elif not pa.types.is_null(kind):
        raise ConfigError(
            f"pieces: the values of column `{by}` are of a type that rows cannot be cut by.",
            hint=f"Name a column of {_KINDS}, best the primary key.",
        )


def _has_a_calendar(days: pa.Date32Array) -> pa.BooleanArray:
    """Which days are of the years 1 to 9999; the others stand for what no literal has (``sources.base``)."""
    first, last = (pa.scalar(day, pa.date32()) for day in (date.min, date.max))
    return pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last))

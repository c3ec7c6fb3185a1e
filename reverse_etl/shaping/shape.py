"""Rows of a query as their stream has them: which are left out, which cannot be used, what the others become.

A batch stays as long as it was. Until a row has its number, hidden columns (``HIDDEN``) hold what becomes of it and
its identifier in the query. So rows that are read again by their identifiers are found as the query has them, and
each row is shaped once.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from reverse_etl.errors import ConfigError, ReverseEtlError
from reverse_etl.report import Cause, Outcome, Reason
from reverse_etl.shaping.columns import RunFacts, with_columns
from reverse_etl.shaping.transform import Transformer, Transformers
from reverse_etl.shaping.where import kept
from reverse_etl.shaping.whys import Why

if TYPE_CHECKING:
    from reverse_etl.config.shaping import Shape
    from reverse_etl.config.streams import Stream
    from reverse_etl.sources.base import Session

LEFT: Final = "__left__"
"""Name of the int32 column that says of each row which of ``Shaper.whys`` leaves it out, from 1; 0 for none."""

READ_AS: Final = "__read_as_{}__"
"""Names of the columns that hold what the query has for each of the stream's identifying columns."""

NOT_CONVERTIBLE: Final = "not_convertible"
"""The reason of rows in which a column could not be made."""

MOST_COLUMNS: Final = 2_000
"""More than any destination takes."""

FILTERED: Final = Cause("where", Reason("filtered", "", "it does not meet `where`."))


Codes = np.ndarray[tuple[int], np.dtype[np.int32]]
"""Of each row of a batch, as ``LEFT`` has it."""


def is_hidden(name: str) -> bool:
    """Whether a column is one that only shaping has."""
    return name == LEFT or name.startswith(READ_AS.partition("{")[0])


@dataclass(frozen=True, slots=True)
class Source:
    """The column of a query that names the rows of a stream.

    Attributes:
        column: Its name.
        exact: Whether it has the same text as the stream's identifier.
    """

    column: str
    exact: bool


@dataclass(slots=True)
class Shaper:
    """The shaping of one stream in one reading.

    Attributes:
        shape: What its sync asks for.
        stream: Which stream.
        where: For messages: where the sync is written.
        facts: What a column may hold of the run.
        timezone: How a text of a time without a zone is read.
        transformers: Where the process of the transform is kept for the next reading; None ends it with this one.
        whys: Why rows were left out, in the order in which that was found.
        names: The keys of what the transform gave so far, in order.
    """

    shape: Shape
    stream: Stream
    where: str
    facts: RunFacts
    timezone: str = "UTC"
    transformers: Transformers | None = None
    whys: list[Why] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    _codes: dict[Why, int] = field(default_factory=dict)
    _read: list[str] | None = None
    _transformer: Transformer | None = None

    def shaped(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch of the query's result as the stream has it, as long, with the columns that ``is_hidden`` tells.

        Raises:
            ConfigError: A column is not there, or does not hold what the sync asks of it.
        """
        left = np.zeros(batch.num_rows, dtype=np.int32)
        made = batch
        self._read = batch.schema.names
        try:
            if self.shape.where is not None:
                self._leave(left, kept(self.shape.where, batch), Why(Outcome.EXCLUDED, FILTERED), where=False)
            if self.shape.transform is not None:
                made = self._transformed(batch, left)
            if self.shape.columns is not None:
                of = "the query" if self.shape.transform is None else "the transform"
                made, lost = with_columns(self.shape.columns, made, self.facts, timezone=self.timezone, of=of)
                for each in lost:
                    cause = Cause("columns", Reason(NOT_CONVERTIBLE, each.column, each.message))
                    self._leave(left, each.rows, Why(Outcome.REJECTED, cause))
        except ReverseEtlError as error:
            error.located(self.where)
            raise
        self._require_names(made.schema.names)
        columns = [*made.columns, *self._read_as(batch), pa.array(left)]
        fields = [*made.schema, *self._read_as_fields(batch), pa.field(LEFT, pa.int32())]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))

    @property
    def process_id(self) -> int:
        """Of the process of the transform; 0 where there is none."""
        return self._transformer.child.process_id if self._transformer is not None else 0

    def close(self) -> None:
        """Ends the process of the transform, unless it is kept."""
        if self._transformer is not None and self.transformers is None:
            self._transformer.close()

    def _transformed(self, batch: pa.RecordBatch, left: Codes) -> pa.RecordBatch:
        """The batch as the transform makes it, as long; null in the rows that are left out."""
        if self._transformer is None and self.shape.transform is not None:
            make = self.transformers.transformer if self.transformers is not None else Transformer
            self._transformer = make(self.shape.transform, self.timezone)
        places = np.flatnonzero(left == 0)
        if self._transformer is None or not len(places):
            return self._empty(batch.num_rows)
        whole = len(places) == batch.num_rows
        found = self._transformer.made(batch if whole else batch.take(pa.array(places)))
        for place, why in found.whys:
            left[places[place]] = self._code(why)
        made = found.batch
        self.names = [*self.names, *(name for name in made.schema.names if name not in self.names)]
        if not made.num_columns:
            return self._empty(batch.num_rows)
        if not whole:
            index = np.full(batch.num_rows, -1, dtype=np.int64)
            index[places] = np.arange(len(places))
            made = made.take(pa.array(index, mask=index < 0))
        for name in self.names:
            if name not in made.schema.names:
                made = made.append_column(pa.field(name, pa.null()), pa.nulls(made.num_rows))
        return made.select(self.names)

    def _empty(self, rows: int) -> pa.RecordBatch:
        """Rows of which none has a result: with the columns that are known so far, at least those that are needed."""
        needed = [name for value in (self.shape.columns or {}).values() for name in value.columns]
        names = list(dict.fromkeys([*self.names, *(needed if self.shape.columns else self.stream.required)]))
        return pa.RecordBatch.from_arrays([pa.nulls(rows) for _ in names], names=names)

    def source(self) -> Source | None:
        """Which column of the query names the rows; None where that is not one column, or not known."""
        sources = self._sources()
        return sources[0] if sources is not None and len(sources) == 1 else None

    def _sources(self) -> list[Source] | None:
        """Which column of the query each of the identifying ones is; None where one of them is made of several."""
        found = []
        as_it_is = self.shape.transform is None
        for name in self.stream.identifier:
            value = self.shape.columns.get(name) if self.shape.columns is not None else None
            if self.shape.columns is None:
                found.append(Source(name, exact=as_it_is))
            elif value is not None and value.source == "column":
                found.append(Source(value.columns[0], exact=as_it_is and value.is_the_column))
        known = self._read is None or all(source.column in self._read for source in found)
        return found if known and len(found) == len(self.stream.identifier) else None

    def _read_as_fields(self, batch: pa.RecordBatch) -> list[pa.Field]:
        sources = self._sources() or []
        if all(source.exact for source in sources):
            return []
        return [
            batch.schema.field(source.column).with_name(READ_AS.format(place)) for place, source in enumerate(sources)
        ]

    def _read_as(self, batch: pa.RecordBatch) -> list[pa.Array]:
        sources = self._sources() or []
        return [] if all(each.exact for each in sources) else [batch.column(each.column) for each in sources]

    def _require_names(self, names: Sequence[str]) -> None:
        """Makes sure that no column has a name of shaping's own, and that there are not very many."""
        hidden = [name for name in names if is_hidden(name)]
        if hidden:
            message = f"there is a column named `{hidden[0]}`."
            raise ConfigError(message, hint="Give it another name.").located(self.where)
        if len(names) > MOST_COLUMNS:
            message = f"the transform returned more than {MOST_COLUMNS:,} different keys."
            hint = "Keys are columns: give what differs from row to row as a value, under one key."
            raise ConfigError(message, hint=hint).located(self.where)

    def _leave(self, left: Codes, rows: pa.BooleanArray, why: Why, *, where: bool = True) -> None:
        """Leaves out the rows at which the mask is ``where``, but for those that are left out already."""
        mask = np.asarray(rows.to_numpy(zero_copy_only=False))
        left[(mask == where) & (left == 0)] = self._code(why)

    def _code(self, why: Why) -> int:
        code = self._codes.get(why)
        if code is None:
            self.whys.append(why)
            code = self._codes[why] = len(self.whys)
        return code


@dataclass(frozen=True, slots=True)
class ShapedSession:
    """A session of a database whose rows come shaped.

    Attributes:
        session: The session.
        shaper: What shapes them.
        read: Takes the rows as the query returned them; None where they are not needed.
    """

    session: Session
    shaper: Shaper
    read: list[pa.RecordBatch] | None = None

    def stream(self, sql: str, *, limit: int | None = None) -> Generator[pa.RecordBatch, None, None]:
        """See ``sources.base.Session``. Raises ConfigError besides."""
        with closing(self.session.stream(sql, limit=limit)) as batches:
            for batch in batches:
                if self.read is not None:
                    self.read.append(batch)
                yield self.shaper.shaped(batch)


def visible(names: Sequence[str]) -> list[str]:
    """The columns that rows have once they are shaped."""
    return [name for name in names if not is_hidden(name)]

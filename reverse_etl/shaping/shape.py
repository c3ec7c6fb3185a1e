"""Rows of a query as their stream has them: which are left out, which cannot be used, what the others become.

A batch stays as long as it was. What becomes of each row, and what names it in the query, are columns of their own
(``HIDDEN``) until the row has its number: so rows that are read again by their identifiers are found as the query has
them, wherever they come from, and each row is shaped once.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from reverse_etl.errors import ReverseEtlError
from reverse_etl.report import Cause, Outcome, Reason
from reverse_etl.shaping.where import kept

if TYPE_CHECKING:
    from reverse_etl.config.shaping import Shape
    from reverse_etl.config.streams import Stream
    from reverse_etl.sources.base import Session

LEFT: Final = "__left__"
"""Name of the int32 column that says of each row which of ``Shaper.whys`` leaves it out, from 1; 0 for none."""

READ_AS: Final = "__read_as_{}__"
"""Names of the columns that hold what the query has for each of the stream's identifying columns."""

FILTERED: Final = Cause("where", Reason("filtered", "", "it does not meet `where`."))


def is_hidden(name: str) -> bool:
    """Whether a column is one that only shaping has."""
    return name == LEFT or name.startswith(READ_AS.partition("{")[0])


@dataclass(frozen=True, slots=True)
class Why:
    """Why rows go no further.

    Attributes:
        outcome: ``EXCLUDED`` or ``REJECTED``.
        cause: Where, and the reason.
    """

    outcome: Outcome
    cause: Cause


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
        whys: Why rows were left out, in the order in which that was found.
    """

    shape: Shape
    stream: Stream
    where: str
    whys: list[Why] = field(default_factory=list)

    def shaped(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch of the query's result as the stream has it, as long, with the columns that ``is_hidden`` tells.

        Raises:
            ConfigError: A column is not there, or does not hold what the sync asks of it.
        """
        left = np.zeros(batch.num_rows, dtype=np.int32)
        try:
            if self.shape.where is not None:
                left[~np.asarray(kept(self.shape.where, batch).to_numpy(zero_copy_only=False))] = self._code(
                    Why(Outcome.EXCLUDED, FILTERED)
                )
        except ReverseEtlError as error:
            error.located(self.where)
            raise
        return batch.append_column(pa.field(LEFT, pa.int32()), pa.array(left))

    def source(self) -> Source | None:
        """Which column of the query names the rows; None where that is not one column, or not known."""
        if len(self.stream.identifier) != 1:
            return None
        return Source(self.stream.identifier[0], exact=True)

    def _code(self, why: Why) -> int:
        if why not in self.whys:
            self.whys.append(why)
        return self.whys.index(why) + 1


@dataclass(frozen=True, slots=True)
class ShapedSession:
    """A session of a database whose rows come shaped.

    Attributes:
        session: The session.
        shaper: What shapes them.
        read: Takes the rows as the query returned them; None where nobody wants them.
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

"""Rows as SQL text, a column at a time: no value becomes an object of Python's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ROWS: Final = 3_000
"""Fewer at a time cost more for each row, more take memory."""
_ESCAPES: Final = (("\\", "\\\\"), ("'", "\\'"), ("\0", "\\0"))
_TEXT: Final = pa.large_string()


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows for one statement, one text behind the other, each with parentheses and a comma behind them.

    Attributes:
        first: Place of the first one.
        texts: All of them.
        ends: Where each row begins, and where the last one ends.
    """

    first: int
    texts: pa.Buffer
    ends: np.ndarray

    def __len__(self) -> int:
        """How many rows."""
        return len(self.ends) - 1

    @property
    def nbytes(self) -> int:
        """Of the statement's values."""
        return int(self.ends[-1] - self.ends[0]) - 1

    def text(self, start: int, end: int) -> str:
        """Some rows, by their places in the piece, as they follow ``VALUES``."""
        return str(self.texts[self.ends[start] : self.ends[end] - 1].to_pybytes(), "utf-8")


def pieces(batch: pa.RecordBatch, most_bytes: int, first_place: int = 0) -> Iterator[Piece]:
    """Rows with their places before their values, in pieces that a statement can hold.

    Args:
        batch: What is written, without row numbers.
        most_bytes: Longest text of a piece; a row that is longer is one of its own.
        first_place: That of the first row.
    """
    for start in range(0, batch.num_rows, _ROWS):
        part = batch.slice(start, _ROWS)
        numbers = np.arange(start, start + part.num_rows) + first_place
        places = pa.array(numbers).cast(pa.string()).cast(_TEXT)
        values = pc.binary_join_element_wise(places, *map(literals, part.columns), pa.scalar(",", _TEXT))
        rows = pc.binary_join_element_wise(pa.scalar("(", _TEXT), values, pa.scalar("),", _TEXT), pa.scalar("", _TEXT))
        _, offsets, texts = rows.buffers()
        ends = np.frombuffer(offsets, np.int64)[rows.offset : rows.offset + part.num_rows + 1]
        first = 0
        while first < part.num_rows:
            last = int(np.searchsorted(ends, ends[first] + most_bytes, side="right")) - 1
            after = max(first + 1, last)
            yield Piece(start + first + first_place, texts, ends[first : after + 1])
            first = after


def literals(values: pa.Array) -> pa.Array:
    """Each value as SQL."""
    kind, types = values.type, pa.types
    if types.is_boolean(kind):
        texts = values.cast(pa.int8()).cast(pa.string())
    elif types.is_timestamp(kind):
        # Those with a zone are in UTC, as the session is.
        texts = values.cast(pa.timestamp("us")).cast(pa.string())
    else:
        texts = values.cast(pa.string())
    texts = texts.cast(_TEXT)
    if not (types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind)):
        if types.is_string(kind):
            for character, escaped in _ESCAPES:
                texts = pc.replace_substring(texts, character, escaped)
        quote, nothing = pa.scalar("'", _TEXT), pa.scalar("", _TEXT)
        texts = pc.binary_join_element_wise(quote, texts, quote, nothing)
    return pc.fill_null(texts, "NULL")

"""Rows through a user's function: what it is given, what it gives, and what becomes of rows that it fails for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.errors import ConfigError, QueryError
from reverse_etl.report import Cause, Outcome, Reason
from reverse_etl.shaping.convert import text_of
from reverse_etl.shaping.kinds import kind_of
from reverse_etl.shaping.process import Child, GoneError
from reverse_etl.shaping.whys import Why
from reverse_etl.sources._instants import outside_years
from reverse_etl.sources._values import columns_to_batch
from reverse_etl.sources.base import NOT_JSON, logical_type

if TYPE_CHECKING:
    from reverse_etl.config.transforms import Transform

STAGE: Final = "transform"
FAILED: Final = "transform_failed"
TOO_LARGE: Final = "integer_too_large"
LEFT_OUT: Final = Why(Outcome.EXCLUDED, Cause(STAGE, Reason("left_out", "", "the transform returned nothing for it.")))

MOST_GONE: Final = 20
"""After this many rows that hang or end their process, it is not the rows."""

_PLACE: Final = "__place__"
_AT_ONCE: Final = {"python": 25_000, "javascript": 5_000}
_SAFE: Final = 2**53
_MANY_DIGITS: Final = r"[0-9]{16,}"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,60}")

Errors = list[tuple[int, str, str, int]]
"""As the process gives them: place, kind, name of a class or type, line."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a function made of a batch.

    Attributes:
        batch: As long as the batch; a column for each key, null in rows without it. No column where no row has any.
        whys: Of the rows without a result: their place, from 0, and why.
    """

    batch: pa.RecordBatch
    whys: list[tuple[int, Why]]


@dataclass(slots=True)
class Transformer:
    """A function of rows, in a process of its own.

    Attributes:
        transform: The function.
        timezone: How a result's time without a zone is read.
        most_gone: How many rows may hang or end the process.
        child: The process.
    """

    transform: Transform
    timezone: str
    most_gone: int = MOST_GONE
    child: Child = field(init=False)
    _gone: int = 0

    def __post_init__(self) -> None:
        wanted = self.transform
        settings = {
            "file": wanted.file,
            "source": wanted.source,
            "by_batch": wanted.by_batch,
            "timezone": self.timezone,
        }
        self.child = Child(wanted.language, settings)

    def made(self, batch: pa.RecordBatch) -> Made:
        """Calls the function.

        Raises:
            ConfigError: It cannot be had, or a column holds what it cannot be given.
            QueryError: It hung or ended its process for too many rows.
        """
        unfit = self._unfit(batch)
        given = np.flatnonzero([why is None for why in unfit])
        some = batch if len(given) == batch.num_rows else batch.take(pa.array(given))
        size = _AT_ONCE[self.transform.language]
        errors: Errors = []
        pieces: list[tuple[dict[str, list[Any]] | pa.RecordBatch, int]] = []
        for first in range(0, some.num_rows, size):
            for piece, found, rows in self._called(some.slice(first, size), size):
                done = sum(each for _, each in pieces)
                errors += [(place + done, kind, name, line) for place, kind, name, line in found]
                pieces.append((piece, rows))
        made = self._joined(pieces)
        whys = [(place, why) for place, why in enumerate(unfit) if why is not None]
        whys += [(int(given[place]), self._why(kind, name, line)) for place, kind, name, line in errors]
        if len(given) != batch.num_rows and made.num_columns:
            places: list[int | None] = [None] * batch.num_rows
            for index, place in enumerate(given.tolist()):
                places[place] = index
            made = made.take(pa.array(places, pa.int64()))
        return Made(made, whys)

    def close(self) -> None:
        """Ends the process."""
        self.child.close()

    def _called(
        self, batch: pa.RecordBatch, step: int
    ) -> Iterator[tuple[dict[str, list[Any]] | pa.RecordBatch, Errors, int]]:
        """The results of a batch, piece by piece, each with its errors and how many rows it has."""
        if not batch.num_rows:
            return
        try:
            piece, errors = self._answer(batch, step)
            yield piece, errors, batch.num_rows
        except GoneError as gone:
            self._gone += 1
            if self._gone > self.most_gone:
                raise QueryError(
                    f"{self.transform.file}: the transform hung or crashed for more than {self.most_gone} rows.",
                    hint="Nothing was sent. Call it with one such row: reverse-etl preview SYNC",
                ) from None
            first, rows = min(gone.first, batch.num_rows - 1), max(1, gone.rows)
            yield from self._called(batch.slice(0, first), step)
            if rows == 1:
                yield {}, [(0, "timed_out" if gone.hung else "ended", "", 0)], 1
            else:
                yield from self._called(batch.slice(first, rows), 1)
            yield from self._called(batch.slice(first + rows), step)

    def _answer(self, batch: pa.RecordBatch, step: int) -> tuple[dict[str, list[Any]] | pa.RecordBatch, Errors]:
        head = step.to_bytes(8, "little")
        if self.transform.language == "python":
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, batch.schema) as stream:
                stream.write_batch(batch)
            errors, made = self.child.call(head + sink.getvalue().to_pybytes(), answers=2)
            return pa.ipc.open_stream(made).read_next_batch(), json.loads(errors)
        columns = {
            field.name: _json_values(column, field) for field, column in zip(batch.schema, batch.columns, strict=True)
        }
        text = orjson.dumps({"columns": columns, "rows": batch.num_rows})
        (answer,) = self.child.call(head + batch.num_rows.to_bytes(8, "little") + text, answers=1)
        try:
            result = orjson.loads(answer)
        except orjson.JSONDecodeError:
            # Half of a surrogate pair within a list or object: a check rejects its row.
            result = json.loads(answer)
        return result["out"], result["errors"]

    def _joined(self, pieces: Sequence[tuple[dict[str, list[Any]] | pa.RecordBatch, int]]) -> pa.RecordBatch:
        if len(pieces) == 1 and isinstance(pieces[0][0], pa.RecordBatch):
            return _without_place(pieces[0][0])
        values: dict[str, list[Any]] = {}
        done = 0
        for piece, rows in pieces:
            columns = piece if isinstance(piece, dict) else _values(_without_place(piece))
            for name, column in columns.items():
                values.setdefault(name, [None] * done).extend(column)
            done += rows
            for column in values.values():
                column.extend([None] * (done - len(column)))
        return columns_to_batch(list(values), list(values.values()), timezone=self.timezone)

    def _why(self, kind: str, name: str, line: int) -> Why:
        file = self.transform.file
        name = name if _NAME.fullmatch(name) else "Error"
        if kind == "left_out":
            return LEFT_OUT
        message = {
            "no_object": f"{file}: the transform returned no object but {name}.",
            "timed_out": f"{file}: the transform took too long and was stopped, after {self.child.gone_s:g} s at most.",
            "ended": f"{file}: the transform ended its process.",
        }.get(kind, f"{file}{f':{line}' if line else ''}: the transform raised {name}.")
        return _rejected(FAILED, message)

    def _unfit(self, batch: pa.RecordBatch) -> list[Why | None]:
        """Why a row is not given to the function, as long as the batch."""
        found: list[Why | None] = [None] * batch.num_rows
        for name, mask, why in self._misfits(batch):
            for place in np.flatnonzero(mask.fill_null(False).to_numpy(zero_copy_only=False)).tolist():
                found[place] = found[place] or _rejected(*why, name)
        return found

    def _misfits(self, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.BooleanArray, tuple[str, str]]]:
        in_javascript = self.transform.language == "javascript"
        for field_, column in zip(batch.schema, batch.columns, strict=True):
            name, kind = field_.name, kind_of(field_)
            told = f"column `{name}` holds"
            if kind in ("timestamp", "date"):
                yield name, outside_years(column), (FAILED, f"{told} a time outside the years 1 to 9999.")
            elif kind == "json":
                yield name, pc.equal(column, NOT_JSON), (FAILED, f"{told} what is no JSON.")
                if in_javascript:
                    many = pc.match_substring_regex(column, _MANY_DIGITS)
                    yield name, many, (TOO_LARGE, f"{told} more digits than JavaScript keeps: select it as text.")
            elif kind == "integer" and in_javascript:
                beyond = pc.or_(pc.greater_equal(column, _SAFE), pc.less_equal(column, -_SAFE))
                text = f"{told} an integer beyond 2^53, which JavaScript would round: select it as text."
                yield name, beyond, (TOO_LARGE, text)
            elif kind == "float" and in_javascript:
                yield name, pc.invert(pc.is_finite(column)), (FAILED, f"{told} NaN or an infinity.")
            elif kind == "binary" and in_javascript:
                message = f"transform: column `{name}` holds bytes, which JavaScript is not given."
                raise ConfigError(message, hint="Leave it out of the query, or select it as text.")


@dataclass(slots=True)
class Transformers:
    """Functions that are called for one reading after the other: the process of each is started once."""

    _made: dict[tuple[Transform, str], Transformer] = field(default_factory=dict)

    def transformer(self, transform: Transform, timezone: str) -> Transformer:
        """The function in its process."""
        key = (transform, timezone)
        if key not in self._made:
            self._made[key] = Transformer(transform, timezone)
        return self._made[key]

    def close(self) -> None:
        """Ends all processes."""
        for each in self._made.values():
            each.close()


def _rejected(reason: str, message: str, field_: str = "") -> Why:
    return Why(Outcome.REJECTED, Cause(STAGE, Reason(reason, field_, message)))


def _without_place(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.drop_columns([_PLACE]) if _PLACE in batch.schema.names else batch


def _values(batch: pa.RecordBatch) -> dict[str, list[Any]]:
    """The Python values of a canonical batch, by column."""
    found: dict[str, list[Any]] = {}
    for field_, column in zip(batch.schema, batch.columns, strict=True):
        values = column.to_pylist()
        if (mark := logical_type(field_)) in ("decimal", "json"):
            made = Decimal if mark == "decimal" else json.loads
            values = [None if text is None else made(text) for text in values]
        found[field_.name] = values
    return found


def _json_values(column: pa.Array, field_: pa.Field) -> list[Any]:
    """Values as JSON has them: decimals, dates and times as text."""
    kind = kind_of(field_)
    if kind in ("timestamp", "date"):
        column = text_of(column, kind)[0]
    values: list[Any] = column.to_pylist()
    return [None if text is None else json.loads(text) for text in values] if kind == "json" else values

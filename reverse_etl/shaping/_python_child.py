"""The process that calls a transform in Python: rows in, rows and errors out, as Arrow. Started by ``process``.

A row that raises, takes too long or gives no mapping is an error of its own. What ends the process ends it for the row
that ``progress`` names.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC
from decimal import Decimal
from types import FrameType
from typing import Any, Final

import pyarrow as pa

from reverse_etl.shaping._child import Pipe, limit_memory, progress
from reverse_etl.sources._arrow import canonical
from reverse_etl.sources._values import columns_to_batch
from reverse_etl.sources.base import logical_type

TIMED_OUT: Final = "timed_out"
LEFT_OUT: Final = "left_out"
RAISED: Final = "raised"
NO_OBJECT: Final = "no_object"

PLACE: Final = "__place__"
"""A column of a batch that tells its rows apart; a result that has it may have fewer rows."""

Errors = list[tuple[int, str, str, int]]
"""Rows without a result: the place, which kind, the class or type, the line."""


class RowTimeoutError(BaseException):
    """Raised in a function that takes too long; no Exception, so that it does not catch it."""


class _Watch:
    """Interrupts a row that takes longer than it may."""

    def __init__(self, at: Any, limit_s: float) -> None:
        self._at, self._limit_s = at, limit_s
        self._seen, self._since = -1, time.monotonic()
        self.most_s = limit_s
        signal.signal(signal.SIGALRM, self._tick)

    def start(self) -> None:
        self._seen, self._since = -1, time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, self.most_s / 8, self.most_s / 8)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _tick(self, _number: int, _frame: FrameType | None) -> None:
        now, row = time.monotonic(), self._at[0]
        if row != self._seen:
            self._seen, self._since = row, now
        elif now - self._since > self.most_s * 0.8:
            self._since = now
            raise RowTimeoutError


def main() -> None:
    """Reads the function, then batches until there are no more."""
    pipe, at = Pipe(), progress(int(sys.argv[1]))
    start = json.loads(pipe.read() or b"{}")
    limit_memory()
    watch = _Watch(at, start["row_s"])
    scope: dict[str, Any] = {"__name__": "transform", "__file__": start["file"]}
    try:
        exec(compile(start["source"], start["file"], "exec", dont_inherit=True), scope)  # noqa: S102 - what it is for
        function = scope["transform_batch" if start["by_batch"] else "transform"]
    except BaseException as error:
        pipe.write(json.dumps([type(error).__name__, _line(error, start["file"])]).encode())
        return
    pipe.write(b"")
    call = _by_batch if start["by_batch"] else _by_row
    while (message := pipe.read()) is not None:
        batch = pa.ipc.open_stream(message[8:]).read_next_batch()
        errors, made = call(function, batch, at, watch, start)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, made.schema) as stream:
            stream.write_batch(made)
        pipe.write(json.dumps(errors).encode(), sink.getvalue().to_pybytes())


def _by_row(
    function: Callable[[dict[str, Any]], Any], batch: pa.RecordBatch, at: Any, watch: _Watch, start: dict[str, Any]
) -> tuple[Errors, pa.RecordBatch]:
    names, rows = batch.schema.names, batch.num_rows
    columns = [_native(column, field) for column, field in zip(batch.columns, batch.schema, strict=True)]
    errors: Errors = []
    made: dict[str, list[Any]] = {}
    at[1] = 1
    at[0] = place = 0
    watch.start()
    for place, values in enumerate(zip(*columns, strict=True)):
        at[0] = place
        try:
            result = function(dict(zip(names, values, strict=True)))
            if result.__class__ is dict:
                for name, value in result.items():
                    try:
                        made[name][place] = value
                    except KeyError:
                        _add(made, name, rows)[place] = value
            elif result is None:
                errors.append((place, LEFT_OUT, "", 0))
            else:
                errors.append((place, NO_OBJECT, type(result).__name__, 0))
        except RowTimeoutError:
            errors.append((place, TIMED_OUT, "", 0))
        except BaseException as error:
            errors.append((place, RAISED, type(error).__name__, _line(error, start["file"])))
    watch.stop()
    return errors, _columns(made, rows, start["timezone"])


def _add(made: dict[str, list[Any]], name: Any, rows: int) -> list[Any]:
    if not isinstance(name, str):
        raise TypeError
    return made.setdefault(name, [None] * rows)


def _columns(made: dict[str, list[Any]], rows: int, timezone: str) -> pa.RecordBatch:
    if not made:
        return pa.RecordBatch.from_arrays([pa.nulls(rows)], names=[PLACE])
    return columns_to_batch(list(made), list(made.values()), timezone=timezone)


def _native(column: pa.Array, field: pa.Field) -> Sequence[Any]:
    """Values as a function takes them: decimals, aware date-times, lists and dicts."""
    if (mark := logical_type(field)) == "decimal":
        return [None if text is None else Decimal(text) for text in column.to_pylist()]
    if mark == "json":
        return [None if text is None else json.loads(text) for text in column.to_pylist()]
    if pa.types.is_timestamp(field.type):
        walls = column.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False).tolist()
        return [None if wall is None else wall.replace(tzinfo=UTC) for wall in walls]
    values: list[Any] = column.to_pylist()
    return values


def _by_batch(
    function: Callable[[pa.Table], Any], batch: pa.RecordBatch, at: Any, watch: _Watch, start: dict[str, Any]
) -> tuple[Errors, pa.RecordBatch]:
    """The whole batch at once; where that fails, its halves, until the rows that fail are alone."""
    rows = batch.num_rows
    halves = _Halves(function, at, watch, start["file"])
    halves.call(batch.append_column(PLACE, pa.array(range(rows), pa.int64())))
    watch.most_s = start["row_s"]
    if not halves.pieces:
        return halves.errors, pa.RecordBatch.from_arrays([pa.nulls(rows)], names=[PLACE])
    whole = pa.concat_tables(halves.pieces, promote_options="permissive").combine_chunks()
    index: list[int | None] = [None] * rows
    for number, place in enumerate(whole.column(PLACE).to_pylist()):
        index[place] = number
    failed = {place for place, *_ in halves.errors}
    left = [(place, LEFT_OUT, "", 0) for place in range(rows) if index[place] is None and place not in failed]
    taken = whole.drop_columns([PLACE]).take(pa.array(index, pa.int64()))
    arrays = [pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(rows) for column in taken.columns]
    made = pa.RecordBatch.from_arrays(arrays, schema=taken.schema) if arrays else _columns({}, rows, "UTC")
    return sorted([*halves.errors, *left]), canonical(made, timezone=start["timezone"])


class _Halves:
    """A function of many rows, called with fewer where it fails."""

    def __init__(self, function: Callable[[pa.Table], Any], at: Any, watch: _Watch, file: str) -> None:
        self._function, self._at, self._watch, self._file = function, at, watch, file
        self.errors: Errors = []
        self.pieces: list[pa.Table] = []

    def call(self, batch: pa.RecordBatch) -> None:
        """Adds the results of some rows, and the errors of those that have none."""
        self._at[0], self._at[1] = batch.column(PLACE)[0].as_py(), batch.num_rows
        why = self._called(batch)
        if why is None:
            return
        if batch.num_rows == 1:
            self.errors.append((batch.column(PLACE)[0].as_py(), *why))
            return
        half = batch.num_rows // 2
        self.call(batch.slice(0, half))
        self.call(batch.slice(half))

    def _called(self, batch: pa.RecordBatch) -> tuple[str, str, int] | None:
        """Why there is no result; None where there is one."""
        self._watch.start()
        try:
            self.pieces.append(_table(self._function(pa.Table.from_batches([batch])), batch))
        except RowTimeoutError:
            # The rows that are quick have shown it: those that are not are found in a tenth of the time.
            self._watch.most_s = max(self._watch.most_s / 10, min(self._watch.most_s, 0.8))
            return TIMED_OUT, "", 0
        except BaseException as error:
            return RAISED, type(error).__name__, _line(error, self._file)
        finally:
            self._watch.stop()
        return None


def _table(result: Any, batch: pa.RecordBatch) -> pa.Table:
    """What a function gave, with the column that tells its rows apart."""
    if not hasattr(result, "__arrow_c_stream__"):
        raise TypeError
    table = pa.table(result).replace_schema_metadata(None)
    places = batch.column(PLACE)
    if PLACE in table.column_names:
        given = table.column(PLACE).cast(pa.int64()).to_pylist()
        if len(set(given)) != len(given) or not set(given) <= set(places.to_pylist()):
            raise ValueError
        return table
    if table.num_rows != batch.num_rows:
        raise ValueError
    return table.append_column(PLACE, places)


def _line(error: BaseException, file: str) -> int:
    """The innermost line of the function's own file; of a syntax error, its line."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line

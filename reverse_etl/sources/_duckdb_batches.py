"""DuckDB's results as batches: what is asked of DuckDB so that Arrow holds it exactly, and what it is afterwards."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pyarrow as pa

_DECIMAL: Final = frozenset({"uhugeint", "hugeint", "bignum", "varint"})
_AS_TEXT: Final = frozenset({"uhugeint", "hugeint", "bignum", "varint", "bit", "time with time zone", "time_tz"})
_AS_JSON: Final = frozenset({"list", "array", "struct", "map", "union", "variant"})


def wrapped(query: str, kinds: list[str], limit: int | None) -> str:
    """The query with what Arrow cannot hold exactly said as text by DuckDB itself, nested values as JSON.

    Columns go by position, because DuckDB takes names that differ only in case for the same.
    """
    said = {**dict.fromkeys(_AS_JSON, "to_json({})::VARCHAR"), **dict.fromkeys(_AS_TEXT, "{}::VARCHAR")}
    columns = [f"c{number}" for number in range(len(kinds))]
    values = [said.get(called, "{}").format(column) for called, column in zip(kinds, columns, strict=True)]
    values = [f"{value} AS {column}" for value, column in zip(values, columns, strict=True)]
    tail = "" if limit is None else f" LIMIT {limit:d}"
    return f"SELECT {', '.join(values)} FROM (\n{query}\n) AS q({', '.join(columns)}){tail}"


def kind(given: Any) -> str:
    """What DuckDB calls a column's type; ``json`` for its JSON."""
    return "json" if str(given) == "JSON" else str(given.id)


def marked(batch: pa.RecordBatch, names: list[str], kinds: list[str]) -> pa.RecordBatch:
    """The batch under its own names, its columns that came as text marked as what they are."""
    import pyarrow as pa

    from reverse_etl.sources import base
    from reverse_etl.sources._json import checked

    arrays, fields = [], []
    for name, called, array in zip(names, kinds, batch.columns, strict=True):
        is_json = called in _AS_JSON or called == "json"
        arrays.append(checked(array) if is_json else array)
        mark = "json" if is_json else "decimal" if called in _DECIMAL else ""
        fields.append(base.marked(name, mark) if mark else pa.field(name, array.type))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def rebatched(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """DuckDB's small batches put together up to the size of ours; at least one, maybe empty."""
    import pyarrow as pa

    from reverse_etl.sources.base import BATCH_BYTES, BATCH_ROWS

    held: list[pa.RecordBatch] = []
    rows = size = 0
    gave_one = False
    for batch in itertools.chain.from_iterable(map(_slices, reader)):
        if held and (rows + batch.num_rows > BATCH_ROWS or size + batch.nbytes > BATCH_BYTES):
            yield _taken(held)
            gave_one = True
            rows = size = 0
        held.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
    if held or not gave_one:
        yield _taken(held) if held else pa.RecordBatch.from_pylist([], schema=reader.schema)


def _taken(held: list[pa.RecordBatch]) -> pa.RecordBatch:
    """The batches as one, no longer held here while it is used."""
    import pyarrow as pa

    joined = pa.concat_batches(held)
    held.clear()
    return joined


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """One of DuckDB's batches in pieces of at most about ``BATCH_BYTES``."""
    from reverse_etl.sources.base import BATCH_BYTES

    rows = max(1, batch.num_rows * BATCH_BYTES // max(1, batch.nbytes, BATCH_BYTES))
    return (batch.slice(start, rows) for start in range(0, batch.num_rows, rows))

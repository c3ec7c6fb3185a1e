"""DuckDB's results as batches: what is asked of DuckDB so that Arrow holds it exactly, and what it is afterwards."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb.sqltypes import DuckDBPyType

_DECIMAL: Final = frozenset({"uhugeint", "hugeint", "bignum", "varint"})
_AS_TEXT: Final = frozenset({"uhugeint", "hugeint", "bignum", "varint", "bit", "time with time zone", "time_tz"})
_AS_JSON: Final = frozenset({"list", "array", "struct", "map", "union", "variant"})


def wrapped(query: str, types: list[DuckDBPyType], limit: int | None) -> str:
    """The query with what Arrow cannot hold exactly written as text by DuckDB itself, nested values as JSON.

    Columns go by position, because DuckDB takes names that differ only in case for the same.
    """
    columns = [f"c{number}" for number in range(len(types))]
    values = [f"{_written(column, each)} AS {column}" for column, each in zip(columns, types, strict=True)]
    tail = "" if limit is None else f" LIMIT {limit:d}"
    return f"SELECT {', '.join(values)} FROM (\n{query}\n) AS q({', '.join(columns)}){tail}"


def _written(column: str, type_: DuckDBPyType) -> str:
    called = kind(type_)
    if called in _AS_TEXT:
        return f"{column}::VARCHAR"
    if called not in _AS_JSON:
        return column
    if called == "variant":
        exact = f"to_json({column}::FLOAT::VARCHAR::DOUBLE)"
        return f"CASE variant_typeof({column}) WHEN 'FLOAT' THEN {exact} ELSE to_json({column}) END::VARCHAR"
    texts, doubles = (_with_floats_as(leaf, type_) for leaf in ("VARCHAR", "DOUBLE"))
    # to_json widens a float of 32 bits to 0.10000000149011612; its text is 0.1.
    return f"to_json({column})::VARCHAR" if texts == doubles else f"to_json({column}::{texts}::{doubles})::VARCHAR"


def _with_floats_as(leaf: str, type_: DuckDBPyType) -> str:
    """A type in SQL with another one for floats of 32 bits, to any depth."""
    called = str(type_.id)
    if called == "float":
        return leaf
    if called not in _AS_JSON or called == "variant":
        return str(type_)
    # Members without a name: the tag of a union, and those of a tuple, which has no other spelling.
    members = [(name, member) for name, member in type_.children if name]
    if not members:
        return str(type_)
    inner = [_with_floats_as(leaf, member) if isinstance(member, type(type_)) else str(member) for _, member in members]
    if called == "list":
        return f"{inner[0]}[]"
    if called == "array":
        return f"{inner[0]}[{inner[1]}]"
    if called != "map":
        quoted = [name.replace('"', '""') for name, _ in members]
        inner = [f'"{name}" {each}' for name, each in zip(quoted, inner, strict=True)]
    return f"{called.upper()}({', '.join(inner)})"


def kind(given: DuckDBPyType) -> str:
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

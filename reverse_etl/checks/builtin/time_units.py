"""Seconds and milliseconds in one column: who reads seconds finds the rest in the year 50000."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import Parts
from reverse_etl.checks._batch import broken, columns
from reverse_etl.checks._instants import numbers
from reverse_etl.checks._times import named_like_times
from reverse_etl.checks.base import Finding, Rule

if TYPE_CHECKING:
    import duckdb

_UNITS = ((1e8, 1e10), (1e11, 1e13), (1e14, 1e16))
"""Seconds, milliseconds and microseconds since 1970: the years 1973 to 2286 of each, which do not overlap."""


@dataclass(frozen=True, slots=True)
class TimeUnitsEqual:
    """Numeric columns named like times hold one unit only."""

    rule: Rule

    def findings_across(
        self,
        parts: Parts,
        database: duckdb.DuckDBPyConnection,  # noqa: ARG002
    ) -> Iterator[Finding]:
        """Rows in the rarer units of each column that has more than one."""
        names = named_like_times(parts.schema())
        counts = {name: np.zeros(len(_UNITS), dtype=np.int64) for name in names}
        for batch in parts.batches(names) if names else ():
            for name, column, field in columns(batch):
                if _is_numeric(field):
                    values = numbers(column, field)
                    counts[name] += [pc.sum(_within(values, unit)).as_py() or 0 for unit in _UNITS]
        mixed = {name: int(count.argmax()) for name, count in counts.items() if np.count_nonzero(count) > 1}
        for batch in parts.batches(list(mixed)) if mixed else ():
            for name, column, field in columns(batch):
                if _is_numeric(field):
                    values = numbers(column, field)
                    for number, unit in enumerate(_UNITS):
                        if number != mixed[name]:
                            message = f"column `{name}` has a time in another unit than most rows."
                            yield from broken(batch, _within(values, unit), name, message)


def _is_numeric(field: pa.Field) -> bool:
    return not (pa.types.is_timestamp(field.type) or pa.types.is_date32(field.type))


def _within(values: pa.DoubleArray, unit: tuple[float, float]) -> pa.BooleanArray:
    return pc.and_(pc.greater_equal(values, unit[0]), pc.less(values, unit[1]))

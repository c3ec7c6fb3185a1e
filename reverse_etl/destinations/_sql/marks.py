"""Columns that say of a row that it is gone, where it is not deleted: ``gone: {set: {deleted_at: now}}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar

import numpy as np
import pyarrow as pa

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.config.model import nearest
from reverse_etl.destinations._sql.columns import TableColumn
from reverse_etl.destinations._sql.config import Rows
from reverse_etl.destinations._sql.fit import fit, key_values
from reverse_etl.destinations.tables import Fitted
from reverse_etl.errors import ConfigError

NOW: Final = "now"
"""The time of the run; a row that has a time already keeps it."""

_Column = TypeVar("_Column", bound=TableColumn)


@dataclass(frozen=True, slots=True)
class Mark(Generic[_Column]):
    """One of them.

    Attributes:
        column: The table's.
        value: What it is set to, one canonical value.
        fitted: The same as the table takes it.
        now: Whether that is the time of the run.
    """

    column: _Column
    value: pa.Array
    fitted: pa.Array
    now: bool


def marks_of(
    columns: Mapping[str, _Column], rows: Rows, *, timezone: str, where: str, at: datetime
) -> tuple[Mark[_Column], ...]:
    """The columns that a sync sets in rows that are gone; none where it deletes them.

    Args:
        columns: The table's, by name.
        rows: What becomes of the rows.
        timezone: What date-times without a zone are in, there.
        where: Destination and table, for messages.
        at: The time of the run.

    Raises:
        ConfigError: There is no such column, or it does not take the value.
    """
    gone = rows.when_gone
    return tuple(
        _mark(name, value, columns, rows, (timezone, where, at))
        for name, value in (gone.attributes.items() if gone is not None else ())
    )


def removed_rows(
    batch: pa.RecordBatch, key: Sequence[TableColumn], marks: Sequence[Mark[_Column]], *, timezone: str
) -> Fitted:
    """Rows that are gone as they are staged: the columns of the key, those that are set, and ``ROW_NUMBER``."""
    rows = key_values(batch, [column.fits for column in key])
    number = rows.column(ROW_NUMBER)
    rows = rows.drop_columns([ROW_NUMBER])
    for mark in marks:
        rows = rows.append_column(mark.column.fits.name, pa.repeat(mark.value[0], batch.num_rows))
    fits = [*(column.fits for column in key), *(mark.column.fits for mark in marks)]
    return fit(rows.append_column(ROW_NUMBER, number), fits, timezone=timezone)


def _mark(
    name: str, value: object, columns: Mapping[str, _Column], rows: Rows, about: tuple[str, str, datetime]
) -> Mark[_Column]:
    timezone, where, at = about
    column = columns.get(name)
    if column is None:
        near = nearest(name, columns)
        hint = f"Did you mean `{near}`?" if near else "Name a column of the table in `gone: {set: ...}`."
        raise ConfigError(f"{where} has no column {name}, which `gone` sets.", hint=hint)
    if name in rows.identify_by or column.generated:
        what = "identifies rows" if name in rows.identify_by else "is generated"
        raise ConfigError(f"{where}: column {name}, which `gone` sets, {what}.", hint="Name another column.")
    now = value == NOW
    given = pa.array([at], pa.timestamp("us", "UTC")) if now else pa.array([value])
    batch = pa.RecordBatch.from_arrays([given, pa.array(np.ones(1, np.int64))], names=[name, ROW_NUMBER])
    fitted = fit(batch, [column.fits], timezone=timezone)
    if fitted.kept_back:
        raise ConfigError(
            f"{where}: column {name} ({column.fits.type}) does not take what `gone` sets: "
            f"{fitted.kept_back[0].why.message}",
            hint="`now` is for columns that hold a date or a time; others take true, a number or a text.",
        )
    return Mark(column, given, fitted.batch.column(name), now)

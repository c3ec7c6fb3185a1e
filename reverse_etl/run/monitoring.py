"""The views of the state database, copied to tables of a warehouse after each run: as a push of rows to a destination.

What was copied is remembered by run, so that the next run copies what this one could not. A copy that fails is a
sentence, and never fails the run that made it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import sqlalchemy as sa

from reverse_etl.changeset.parts import RunFolder
from reverse_etl.config.inline import parse_rows
from reverse_etl.counted import counted
from reverse_etl.errors import ConfigError, DestinationError, ReverseEtlError
from reverse_etl.report import Status
from reverse_etl.run.push import push_batches
from reverse_etl.sources.base import BATCH_ROWS
from reverse_etl.state.schema import RUN
from reverse_etl.state.views import KEYS, selects

if TYPE_CHECKING:
    from reverse_etl.config.connections import DestinationConfig
    from reverse_etl.config.monitoring import MonitoringConfig
    from reverse_etl.state.store import Store

MOST_RUNS: Final = 200
"""Runs that are copied at once; more were left behind by copies that failed, and the next runs copy them."""

_OF_RUNS: Final = ("sync_runs", "failed_rows", "row_count_changes")
"""The views with rows of a run; the others have rows of a sync."""

_TYPES: Final[Sequence[tuple[re.Pattern[str], pa.DataType]]] = [
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r".*_at", pa.timestamp("us", "UTC")),
        (r"day", pa.date32()),
        (r".*_(s|rate)", pa.float64()),
        (r"paused", pa.bool_()),
        (r"rows_\w+|runs\w*|is_\w+|position|row_number|attempt|exit_code|last_sync_time|read_from", pa.int64()),
        (r".*", pa.string()),
    )
]
"""By the names of columns, which the views keep to; the first that matches."""


def copy_after_run(
    monitoring: MonitoringConfig | None, destinations: Mapping[str, DestinationConfig], store: Store
) -> str:
    """Copies what is new, and returns a warning, or nothing. Whatever goes wrong fails no run.

    Args:
        monitoring: Where to; None for nowhere.
        destinations: By name.
        store: The state.
    """
    if monitoring is None:
        return ""
    try:
        copy(monitoring, destinations[monitoring.database], store)
    except ReverseEtlError as error:
        return f"the monitoring tables were not written, the next run writes what is missing: {error}"
    except Exception as error:
        return f"the monitoring tables were not written: {type(error).__name__}. Please report it: it is our defect."
    return ""


def copy(monitoring: MonitoringConfig, config: DestinationConfig, store: Store) -> int:
    """Copies the runs that are not there yet, and what is known of their syncs; returns how many runs.

    Raises:
        DestinationError: The database takes no rows, or not these.
        ConfigError: A table or column is missing.
        StateError: The state cannot be read.
    """
    place = f"{config.name}/{monitoring.schema_name}"
    runs, syncs = _left(store, place)
    for view, key in KEYS.items():
        wanted = ("run_id", runs) if view in _OF_RUNS else ("sync", syncs)
        batches = list(_batches(store, view, *wanted))
        if any(batch.num_rows for batch in batches):
            _push(batches, view, key, monitoring, config)
    copied = sa.update(RUN).where(RUN.c.run_id.in_(runs), RUN.c.status != Status.RUNNING.value)
    with store.writing() as connection:
        connection.execute(copied.values(copied_to=place))
    return len(runs)


def _left(store: Store, place: str) -> tuple[list[str], list[str]]:
    """The oldest runs that ended and are not there, and every sync that was ever seen."""
    missing = sa.select(RUN.c.run_id).where(
        RUN.c.status != Status.RUNNING.value, sa.func.coalesce(RUN.c.copied_to, "") != place
    )
    with store.reading() as connection:
        runs = list(connection.scalars(missing.order_by(RUN.c.started_at).limit(MOST_RUNS)))
        # Of all syncs, because time passes for those that do not run, too.
        syncs = [row.sync for row in connection.execute(sa.text("SELECT name AS sync FROM reverse_etl_sync"))]
    return runs, syncs


def _batches(store: Store, view: str, column: str, wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of a view with some values of a column, in types of the warehouse; none where there are none."""
    query = f"SELECT * FROM ({selects(sqlite=store.sqlite)[view]}) AS rows_of_view WHERE {column} IN :wanted"
    statement = sa.text(_without_colons(query)).bindparams(sa.bindparam("wanted", expanding=True))
    with store.reading() as connection:
        found = connection.execute(statement, {"wanted": list(wanted)})
        names = list(found.keys())
        schema = pa.schema([(name, _type(name)) for name in names])
        for rows in found.partitions(BATCH_ROWS):
            columns = zip(*rows, strict=True)
            arrays = [
                pa.array([_value(value, field.type) for value in column], field.type)
                for column, field in zip(columns, schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _without_colons(query: str) -> str:
    """The query with its colons as SQLAlchemy wants them that are no parameters: those of times."""
    return re.sub(r":(?!wanted\b)", r"\\:", query)


def _type(name: str) -> pa.DataType:
    return next(kind for pattern, kind in _TYPES if pattern.fullmatch(name))


def _value(value: Any, kind: pa.DataType) -> Any:
    """A value as Arrow takes it: SQLite has text for times, and numbers for booleans."""
    if value is None:
        return None
    if pa.types.is_timestamp(kind):
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at
    if pa.types.is_date32(kind):
        return date.fromisoformat(value) if isinstance(value, str) else value
    return bool(value) if pa.types.is_boolean(kind) else value


def _push(
    batches: list[pa.RecordBatch],
    view: str,
    key: tuple[str, ...],
    monitoring: MonitoringConfig,
    config: DestinationConfig,
) -> None:
    table = f"{monitoring.schema_name}.{view}" if monitoring.schema_name else view
    rows = parse_rows(config.type, {"rows": {"table": table, "identify_by": list(key)}}, entry=config)
    with tempfile.TemporaryDirectory(prefix="reverse-etl-") as folder:
        try:
            pushed = push_batches(batches, rows, config, RunFolder(Path(folder)))
        except ConfigError as error:
            raise error.located(f"monitoring table {table}") from None
    if pushed.failed_rows:
        first = pushed.failed_rows[0].why
        raise DestinationError(
            f"monitoring table {table}: {counted(len(pushed.failed_rows), 'row was', 'rows were')} not written: "
            f"{first.reason}: {first.message}",
            hint="Compare its columns with docs/monitoring.md.",
        )

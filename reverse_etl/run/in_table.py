"""What a run would do to a table, found in the table itself before anything is written: for plans and for limits.

With ``gone_scope: table`` it is also found here which rows of the table the query does not return. They are written
down as keys to remove, like those that a store of acknowledged rows knows of (``run.gone``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changes.gone import FIRST, GoneKeys
from reverse_etl.changeset.columns import key_columns
from reverse_etl.changeset.parts import REMOVALS_FILE, ROW_NUMBER
from reverse_etl.config.gone import DELETED
from reverse_etl.config.limits import parse_limit
from reverse_etl.config.streams import ROWS
from reverse_etl.counted import counted
from reverse_etl.delivery.foresight import foresee
from reverse_etl.destinations import kind
from reverse_etl.destinations.table_powers import Effects, Foresees, Mirrors
from reverse_etl.destinations.tables import TableDestination
from reverse_etl.errors import CheckFailedError, ConfigError
from reverse_etl.files.private import whole_file
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.run.gone import NOTHING_SENT, may_remove, too_many
from reverse_etl.run.interrupts import run_interruptibly
from reverse_etl.run.planned_run import PREFIX

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import Facts, Parts, RunFolder
    from reverse_etl.config.connections import DestinationConfig
    from reverse_etl.config.limits import Limit
    from reverse_etl.run.record import SyncRun

_NOTE_FILE: Final = "in_table.txt"
_WHAT: Final[dict[str, tuple[str, str]]] = {
    "adds_max": ("inserts", "added to"),
    "updates_max": ("updates", "changed in"),
}
"""By the key of a limit, the effects that it is about, and a word for them."""


@dataclass(frozen=True, slots=True)
class InTable:
    """What was found.

    Attributes:
        effects: What the run would do.
        removed: How many of the table's rows no row has; None where that is not looked for.
        stopped: Which limit stops the run, a sentence; empty for none.
        note: Why it is not known what is gone, a sentence; empty where there is no reason to say so.
    """

    effects: Effects
    removed: int | None = None
    stopped: str = ""
    note: str = ""


def looks_first(run: SyncRun) -> bool:
    """Whether a run looks at what it would do to its table before it does it."""
    return bool(run.sync.limits) or _of_table(run)


def require_within_limits(run: SyncRun, facts: Facts, config: DestinationConfig, *, clock: Clock | None = None) -> None:
    """Ends a run that would do more to its table than it may.

    Raises:
        CheckFailedError: It would; nothing was sent.
        ConfigError: The destination cannot tell.
        DestinationError: The table cannot be looked at.
    """
    found = look_into_table(run, facts, config, clock=clock)
    if found is None:
        raise ConfigError(
            f"{config.label} cannot tell what a run would do to a table.",
            hint="Leave `adds_max`, `updates_max` and `gone_scope: table` out of `rows`.",
        )
    if found.stopped:
        raise CheckFailedError(found.stopped).located(run.sync.where)
    if found.note:
        with whole_file(run.folder.path / _NOTE_FILE) as file:
            file.write(found.note.encode())


def note_of(folder: RunFolder) -> str:
    """What is worth saying of a run that looked first, a sentence; empty for nothing."""
    path = folder.path / _NOTE_FILE
    return path.read_text() if path.exists() else ""


def look_into_table(
    run: SyncRun, facts: Facts, config: DestinationConfig, *, clock: Clock | None = None
) -> InTable | None:
    """Finds what a run would do to its table, and writes down which rows it would remove; None where that is no table.

    Args:
        run: The run, whose rows are checked.
        facts: What their extraction knew.
        config: Where they go.
        clock: Time.

    Raises:
        ConfigError: The sync's file and the table do not fit.
        DestinationError: The table cannot be looked at.
        StateError: Files cannot be written.
    """
    found: InTable | None = run_interruptibly(_look(run, facts, config, clock or Clock()))
    return found


async def _look(run: SyncRun, facts: Facts, config: DestinationConfig, clock: Clock) -> InTable | None:
    patience = Patience(RetryPolicy.from_environment(), name=config.label, clock=clock)
    folder, stream = run.folder, run.sync.stream(ROWS)
    schema = folder.parts(ROWS).schema()
    columns = schema.names if schema is not None else []
    async with kind(config.type).open_destination(run.sync, config, columns, patience=patience, clock=clock) as table:
        if not isinstance(table, Foresees) or not isinstance(table, TableDestination):
            return None
        await table.prepare()
        removed, note = None, ""
        if _of_table(run) and _reads_everything(run, facts):
            note = _unknown(run, stream.key)
            if not note:
                removed = await _write_gone(run, table, patience)
        effects = Effects()
        for name in (ROWS, *(name for name in folder.removals() if name == stream.gone)):
            effects += await foresee(table, folder.parts(name), folder.outcomes(name), patience=patience)
        rows = 0
        if _of_table(run) or any(limit.percent is not None for _, limit in _limits(run, facts)):
            rows = await patience.until_settled(table.row_count)
    return InTable(effects, removed, _stopped(run, facts, effects, removed, rows), note)


def _of_table(run: SyncRun) -> bool:
    gone = run.sync.gone(ROWS)
    return gone is not None and gone.of_table


def _reads_everything(run: SyncRun, facts: Facts) -> bool:
    """Whether what the rows do not have is gone, and this run is the one to find that out."""
    changeset = run.folder.path.name
    of_plan = changeset.startswith(PREFIX) and changeset != run.run_id
    return facts.has_all_rows and may_remove(run) and not of_plan


def _unknown(run: SyncRun, key: Sequence[str]) -> str:
    """Why it is not known what is gone, a sentence; empty where it is."""
    without = 0
    for batch in run.folder.parts(ROWS).batches(key):
        texts = key_columns(batch, run.sync.stream(ROWS))
        without += pc.sum(reduce(pc.or_, (text.is_null() for text in texts))).as_py() or 0
    if not without:
        return ""
    rows = counted(without, "row has", "rows have")
    return f"{rows} no identifier, so it is not known what is gone: nothing was removed."


async def _write_gone(run: SyncRun, table: TableDestination, patience: Patience) -> int:
    """Writes down the keys of the table's rows that no row has; gives how many."""
    if not isinstance(table, Mirrors):
        raise ConfigError(
            f"{table.name} cannot tell which rows of a table a query does not return.", hint="Write `gone_scope: own`."
        )
    parts, stream = run.folder.parts(ROWS), run.sync.stream(ROWS)
    keys = stream.key if parts.schema() is not None else ()
    found = await patience.until_settled(lambda: table.not_among(parts.batches(keys)))
    rows = run.folder.parts(stream.gone).write(_numbered(found))
    with whole_file(run.folder.path / REMOVALS_FILE) as file:
        file.write(json.dumps({stream.gone: rows} if rows else {}).encode())
    return rows


def first_keys(removals: Parts) -> tuple[str, ...]:
    """The first keys to remove that were written down, of several columns with a comma between."""
    for batch in removals.batches():
        columns = batch.drop_columns([DELETED, ROW_NUMBER]).slice(0, FIRST).columns
        return tuple(", ".join(key) for key in zip(*(column.to_pylist() for column in columns), strict=True))
    return ()


def _numbered(batches: Sequence[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    first = 1
    for batch in batches:
        numbers = pa.array(np.arange(first, first + batch.num_rows, dtype=np.int64))
        marked = batch.append_column(DELETED, pa.array([True] * batch.num_rows))
        yield marked.append_column(ROW_NUMBER, numbers)
        first += batch.num_rows


def _limits(run: SyncRun, facts: Facts) -> Iterator[tuple[str, Limit]]:
    """The limits of what is written, by how they are written down."""
    for key, option in (("adds_max", facts.adds_max), ("updates_max", facts.updates_max)):
        if option:
            yield key, parse_limit(option)
        elif (limit := run.sync.limits.get(key)) is not None:
            yield key, limit


def _stopped(run: SyncRun, facts: Facts, effects: Effects, removed: int | None, rows: int) -> str:
    """Which limit stops the run, a sentence; empty for none."""
    sync, stream = run.sync, run.sync.stream(ROWS)
    for key, limit in _limits(run, facts):
        name, done = _WHAT[key]
        how_many = int(getattr(effects, name))
        if how_many <= limit.most(rows):
            continue
        given = facts.adds_max if key == "adds_max" else facts.updates_max
        option = f"--{key.replace('_', '-')}"
        allowed = f"`{option} {given}`" if given else f"`{key}: {limit}`"
        share = f"the {limit.most(rows):,} of " if limit.percent is not None else ""
        would = counted(how_many, "row would", "rows would")
        return (
            f"{would} be {done} table {sync.writes[0]}, more than {share}{allowed}{NOTHING_SENT}. "
            f"If that is meant, run: reverse-etl run {sync.name} {option} {how_many}"
        )
    gone = sync.gone(ROWS)
    if gone is None or removed is None:
        return ""
    marked = effects.deletes - removed
    return too_many(sync, stream, gone, facts, GoneKeys(removed=removed, known=rows), max(0, marked))

"""Whether a destination has what its source has: a sample of rows, read now, looked up there and compared."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from reverse_etl.changeset.columns import deleted_rows, identifiers
from reverse_etl.changeset.extract import Before, extract
from reverse_etl.changeset.parts import ROW_NUMBER, RunFolder
from reverse_etl.changeset.scope import Scope
from reverse_etl.checks.runner import validate
from reverse_etl.config.changes import late_of
from reverse_etl.config.spot_check import LooksUpApart, not_read_back
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations import kind
from reverse_etl.destinations.table_powers import LooksUp
from reverse_etl.destinations.tables import TableDestination
from reverse_etl.errors import ConfigError
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.run.ages import UPDATED_AT, ages
from reverse_etl.run.interrupts import run_interruptibly

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from reverse_etl.changeset.parts import Outcomes, Parts
    from reverse_etl.config.connections import DatabaseConfig, DestinationConfig
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.destinations.table_powers import LookedUp


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that the destination does not have as its source has it.

    Attributes:
        key: What identifies it; empty unless values are asked for.
        missing: Whether it is not there at all.
        columns: By column, what it should have and what it has; empty unless values are asked for.
    """

    key: str
    missing: bool
    columns: dict[str, tuple[str | None, str | None]]


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found.

    Attributes:
        sync: The sync's name.
        rows: Rows that could be looked up: those that the checks let pass and that fit.
        same: Of the sampled ones, those that are as their source has them.
        differs: Those that are there and differ.
        missing: Those that are not there.
        columns: In how many rows a column differs, by its name, the most frequent first.
        ages: By attribute, how old its values there are (``run.ages``).
        first: Those that are not the same, where values are asked for.
    """

    sync: str
    rows: int
    same: int
    differs: int
    missing: int
    columns: dict[str, int]
    first: tuple[Difference, ...] = field(default=())
    ages: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def sampled(self) -> int:
        """Rows that were looked up."""
        return self.same + self.differs + self.missing

    def as_json(self) -> dict[str, Any]:
        """As the command prints it: counts, and no value unless values were asked for."""
        shown = {"sync": self.sync, "rows": self.rows, "sampled": self.sampled}
        shown |= {"same": self.same, "differs": self.differs, "missing": self.missing, "columns": self.columns}
        first = [
            {
                "key": each.key,
                "missing": each.missing,
                "columns": {
                    name: {"expected": wanted, "found": found} for name, (wanted, found) in each.columns.items()
                },
            }
            for each in self.first
        ]
        return shown | ({"ages": self.ages} if self.ages else {}) | ({"first": first} if first else {})


def verify(
    sync: SyncConfig,
    database: DatabaseConfig,
    destination: DestinationConfig,
    *,
    sample: int,
    seed: int | None = None,
    with_values: bool = False,
    age_of: Sequence[str] = (),
    now: datetime | None = None,
) -> Verified:
    """Reads the sync's query, from last sync time 0, and looks some of its rows up where they were sent.

    Args:
        sync: The sync.
        database: Its database.
        destination: Where its rows go.
        sample: How many rows to look up, ``MOST_SAMPLED`` at most; fewer where there are fewer.
        seed: Chooses the same rows again.
        with_values: Whether keys and values are shown.
        age_of: Attributes whose age is reported, beside those that end with ``updated_at``.
        now: What ages are counted to; aware. None: this machine's clock.

    Raises:
        SourceError: The database cannot give the rows.
        DestinationError: The destination cannot be asked.
        ConfigError: A needed column is missing; or the destination has nothing to look rows up by.
    """
    from reverse_etl.sources import connect, dialect

    if (error := not_read_back(sync, destination)) is not None:
        raise error
    with tempfile.TemporaryDirectory(prefix="reverse-etl-") as path:
        folder = RunFolder(Path(path) / "verify")
        late = late_of(sync.changes, database.late)
        with connect(database) as session:
            extract(
                sync, session, folder, before=Before(), dialect=dialect(database), late=late, scope=Scope(full=True),
                timezone=database.timezone,
            )  # fmt: skip
        validate(sync, folder)
        asked = _Asked(Random(seed), sample, with_values, age_of, now or datetime.now(UTC))  # noqa: S311
        found: Verified = run_interruptibly(_look_up(sync, folder, destination, asked))
        return found


@dataclass(frozen=True, slots=True)
class _Asked:
    random: Random
    sample: int
    with_values: bool
    age_of: Sequence[str]
    now: datetime


async def _look_up(sync: SyncConfig, folder: RunFolder, config: DestinationConfig, asked: _Asked) -> Verified:
    clock = Clock()
    patience = Patience(RetryPolicy.from_environment(), name=config.label, clock=clock)
    parts, outcomes = folder.parts(ROWS), folder.outcomes(ROWS)
    async with _opened(sync, config, parts, patience, clock) as destination:
        rows = np.concatenate([np.empty(0, np.int64), *_sendable(destination, parts, outcomes)])
        chosen = np.array(asked.random.sample(rows.tolist(), min(asked.sample, len(rows))), np.int64)
        batch = _rows(parts, chosen)
        if batch is None:
            return Verified(sync.name, len(rows), 0, 0, 0, {})
        found = await patience.until_settled(lambda: destination.look_up(batch, ROWS))
    keys = identifiers(batch, sync.stream(ROWS)).to_pylist()
    verified = _verified(sync.name, len(rows), found, keys if asked.with_values else None)
    return replace(verified, ages=_ages(found, asked.age_of, asked.now))


@asynccontextmanager
async def _opened(
    sync: SyncConfig, config: DestinationConfig, parts: Parts, patience: Patience, clock: Clock
) -> AsyncIterator[LooksUp]:
    """The destination, ready to be asked; nothing is made or changed there."""
    known = kind(config.type)
    if isinstance(known, LooksUpApart):
        async with known.open_look_up(sync, config, patience=patience, clock=clock) as opened:
            yield opened
        return
    schema = parts.schema()
    columns = schema.names if schema is not None else []
    async with known.open_destination(sync, config, columns, patience=patience, clock=clock) as destination:
        if not isinstance(destination, LooksUp):
            raise ConfigError(f"{sync.where}: what {config.label} has of its rows cannot be looked up.")
        await destination.prepare()
        yield destination


def _ages(found: LookedUp, names: Sequence[str], now: datetime) -> dict[str, dict[str, int]]:
    """Of the rows that are there, by attribute."""
    there = found.there.to_pylist()
    wanted = dict.fromkeys((*names, *(name for name in found.found if name.endswith(UPDATED_AT))))
    return {
        name: ages([text for text, is_there in zip(texts, there, strict=True) if is_there], now)
        for name in wanted
        for texts in [found.found[name].to_pylist() if name in found.found else [None] * len(there)]
    }


def _sendable(destination: object, parts: Parts, outcomes: Outcomes) -> Iterator[np.ndarray]:
    """The numbers of the rows that should be there, a part at a time."""
    for batch in parts.sendable(outcomes):
        numbers = batch.column(ROW_NUMBER).to_numpy()
        there = ~deleted_rows(batch).to_numpy(zero_copy_only=False)
        if isinstance(destination, TableDestination):
            for each in destination.fit(batch).kept_back:
                there &= ~np.isin(numbers, each.rows.to_numpy())
        yield numbers[there]


def _rows(parts: Parts, numbers: np.ndarray) -> pa.RecordBatch | None:
    found = [batch.filter(pa.array(np.isin(batch.column(ROW_NUMBER).to_numpy(), numbers))) for batch in parts.batches()]
    found = [batch for batch in found if batch.num_rows]
    if not found:
        return None
    [rows] = pa.Table.from_batches(found).combine_chunks().to_batches()
    return rows


def _verified(sync: str, rows: int, found: LookedUp, keys: list[str] | None) -> Verified:
    there = found.there.to_pylist()
    same = {name: mask.to_pylist() for name, mask in found.same.items()}
    columns = Counter(name for name, mask in same.items() for is_same in mask if is_same is False)
    first, differs = [], 0
    for at, is_there in enumerate(there):
        other = [name for name, mask in same.items() if mask[at] is False]
        differs += bool(other)
        if keys is not None and (other or not is_there):
            values = {name: (found.expected[name][at].as_py(), found.found[name][at].as_py()) for name in other}
            first.append(Difference(keys[at], not is_there, values))
    missing = there.count(False)
    return Verified(
        sync, rows, len(there) - differs - missing, differs, missing, dict(columns.most_common()), tuple(first)
    )

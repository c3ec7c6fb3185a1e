"""Rows of a DataFrame, checked and sent without a run: nothing is remembered of them."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reverse_etl.changeset.facts import StreamFacts
from reverse_etl.changeset.frames import as_batch
from reverse_etl.changeset.parts import Facts, RunFolder, count, with_row_numbers
from reverse_etl.config.streams import ROWS
from reverse_etl.report import Counts, FailedRow
from reverse_etl.run.send import send

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import pyarrow as pa

    from reverse_etl.config.connections import DestinationConfig
    from reverse_etl.config.syncs import OutgoingRows


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of the rows of a DataFrame.

    Attributes:
        counts: Rows by outcome.
        failed_rows: Rows that were not delivered, in row order per stage.
        not_verified: Why it is not known which of the delivered rows were applied, and what to do: sentences; empty
            where the destination was asked, or has nothing to ask.
    """

    counts: Counts
    failed_rows: tuple[FailedRow, ...]
    not_verified: str = ""


def push_frame(frame: pd.DataFrame, rows: OutgoingRows, config: DestinationConfig, folder: RunFolder) -> Pushed:
    """Validates and delivers the rows of a DataFrame without a run: nothing is remembered.

    Raises:
        ConfigError: A needed column is missing.
        DestinationError: The destination stopped the delivery.
    """
    return push_batches([as_batch(frame)], rows, config, folder)


def push_batches(
    batches: Sequence[pa.RecordBatch], rows: OutgoingRows, config: DestinationConfig, folder: RunFolder
) -> Pushed:
    """The same for Arrow batches of one schema, at least one; their types need not be canonical."""
    from reverse_etl.changeset.aside import write_shaped
    from reverse_etl.changeset.columns import require_columns
    from reverse_etl.checks.runner import validate
    from reverse_etl.delivery.read_back import not_verified
    from reverse_etl.shaping.columns import RunFacts
    from reverse_etl.shaping.shape import Shaper, visible
    from reverse_etl.sources._arrow import canonical

    now, stream = datetime.now(UTC), rows.stream(ROWS)
    read = [canonical(batch, timezone="UTC") for batch in batches]
    facts_of_run = RunFacts(now.replace(microsecond=0), rows.name, rows.name)
    with closing(Shaper(rows.shape(ROWS), stream, rows.where, facts_of_run)) as shaper:
        shaped = [shaper.shaped(batch) for batch in read]
        require_columns(visible(shaped[0].schema.names), rows, stream)
        aside = write_shaped(folder.parts(ROWS), shaper, with_row_numbers(shaped))
    rows.read_beside(folder, None)
    facts = Facts(
        sync=rows.name,
        since=0,
        started_at=int(now.timestamp()),
        streams={ROWS: StreamFacts(aside.rows, **aside.counts())},
    )
    folder.seal(facts)
    validate(rows, folder)
    asyncio.run(send(rows, config, folder, facts))
    counts = count(folder.outcomes(ROWS))
    return Pushed(counts, tuple(folder.failed()), not_verified(folder) if counts.delivered else "")

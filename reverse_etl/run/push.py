"""Rows of a DataFrame, checked and sent without a run: nothing is remembered of them."""

from __future__ import annotations

import asyncio
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
    import pandas as pd

    from reverse_etl.config.connections import DestinationConfig
    from reverse_etl.config.syncs import SyncConfig


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of the rows of a DataFrame.

    Attributes:
        counts: Rows by outcome.
        failed_rows: Rows that were not delivered, in row order per stage.
    """

    counts: Counts
    failed_rows: tuple[FailedRow, ...]


def push_frame(frame: pd.DataFrame, sync: SyncConfig, config: DestinationConfig, folder: RunFolder) -> Pushed:
    """Validates and delivers the rows of a DataFrame without a run: nothing is remembered.

    Raises:
        ConfigError: A needed column is missing.
        DestinationError: The workspace stopped the delivery.
    """
    from reverse_etl.changeset.columns import require_columns
    from reverse_etl.checks.runner import validate
    from reverse_etl.sources._arrow import canonical

    batch = canonical(as_batch(frame), timezone="UTC")
    require_columns(batch.schema.names, sync, sync.stream(ROWS))
    rows = folder.parts(ROWS).write(with_row_numbers([batch]))
    sync.read_beside(folder, None)
    facts = Facts(
        sync=sync.name, since=0, started_at=int(datetime.now(UTC).timestamp()), streams={ROWS: StreamFacts(rows)}
    )
    folder.seal(facts)
    validate(sync, folder)
    asyncio.run(send(sync, config, folder, facts))
    return Pushed(count(folder.outcomes(ROWS)), tuple(folder.failed()))

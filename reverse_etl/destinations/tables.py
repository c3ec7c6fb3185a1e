"""What a destination gives that takes rows of a table: a batch made to fit, a slice written in one transaction.

The other shape, requests of encoded items, is in ``base``; answers, accounting, journal and resume are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import pyarrow as pa

from reverse_etl.destinations.base import Answer, KeptBack

if TYPE_CHECKING:
    from reverse_etl.changeset.recipient import Recipient


@dataclass(frozen=True, slots=True)
class Fitted:
    """A batch made ready for a table.

    Attributes:
        batch: The columns of the table, in its order, and ``ROW_NUMBER``: bool, int64, float64, string, date32 or
            timestamps. As long as what was given; a value that does not fit is null.
        kept_back: The rows that do not fit, by column and reason; a row may be in several.
    """

    batch: pa.RecordBatch
    kept_back: Sequence[KeptBack]


@runtime_checkable
class TableDestination(Protocol):
    """One sync's way into one table, open for one run, and by one task at a time.

    Attributes:
        name: What messages call it: ``destination crm``.
        kind: Its kind, which is the stage at which rows fail that it refuses.
        rows_per_transaction: Most rows in one slice.
        recipient: Who is there; after ``prepare``, as it calls itself.
    """

    name: str
    kind: str
    rows_per_transaction: int
    recipient: Recipient

    async def prepare(self) -> None:
        """Makes sure, before the first row, that the table can take what the sync sends.

        Raises:
            DestinationError: It cannot, or the server does not answer.
            ConfigError: The sync's file and the table do not fit.
        """
        ...

    def identifiers(self, batch: pa.RecordBatch) -> pa.StringArray:
        """Each row's identifier as failed rows show it; as long as the batch, empty where it is missing."""
        ...

    def fit(self, batch: pa.RecordBatch) -> Fitted:
        """Converts a batch (canonical columns and ``ROW_NUMBER``), and names the rows that do not fit."""
        ...

    async def write(self, batch: pa.RecordBatch) -> Answer:
        """Writes a slice of what ``fit`` gave: all of it but the rows that the answer names, or nothing.

        After ``TryAgain`` the same slice is written again; whether it was written already, where the answer to a
        COMMIT was lost, is found out then. ``RequestRefused`` wrote nothing: the halves find the row at fault.

        Raises:
            UnauthorizedError: The credentials are refused.
            DestinationRefusedError: No row of this sync can be written (the table is gone, for example).
        """
        ...

"""Whether the rows that were read are the rows that have an outcome: two sums of row keys, made independently.

One is taken while the rows come from the database (``Facts``), the other here, from what the journal has as settled
and, for the rows that were not sent, from the stored rows themselves. Counts alone would not distinguish a row that was
settled twice and one that was forgotten from two that were settled once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from reverse_etl.changeset.parts import ROW_NUMBER, Outcomes, Parts
from reverse_etl.changeset.row_keys import MODULUS, key_sum, row_keys
from reverse_etl.ledger.journal import JOURNAL_FILE, Journal
from reverse_etl.report import Outcome

_SETTLED: Final = (Outcome.DELIVERED, Outcome.REFUSED)
"""By a request."""


def same_rows(
    parts: Parts,
    rows: int,
    expected: int,
    identifiers: Callable[[pa.RecordBatch], pa.StringArray],
    columns: Sequence[str],
) -> bool:
    """Whether the keys of the rows with an outcome add up to the keys of the rows that were read.

    Rows that no request settled count by what is stored of them, unless their outcome shows that one did.

    Args:
        parts: The rows, with the outcomes and the journal beside them.
        rows: How many were read.
        expected: Sum of the keys of the rows that were read.
        identifiers: Each row's identifier, from a batch with ``columns``.
        columns: The only columns that are read, but for the row numbers.
    """
    outcomes = parts.outcomes(rows)
    total = 0
    for entry in Journal(parts.folder / JOURNAL_FILE).entries():
        places = entry.places()
        if places[-1] >= rows:
            return False
        outcomes[places] = _SETTLED[0]
        total += entry.keys
    total += _stored(parts, outcomes, identifiers, columns)
    return total % MODULUS == expected


def _stored(
    parts: Parts,
    outcomes: Outcomes,
    identifiers: Callable[[pa.RecordBatch], pa.StringArray],
    columns: Sequence[str],
) -> int:
    """Sum of the keys of the rows that are not settled, from their files; files without any are not read."""
    total = 0
    for path in parts.paths():
        here = ~np.isin(outcomes[parts.batch(path, ()).column(ROW_NUMBER).to_numpy() - 1], _SETTLED)
        if here.any():
            batch = parts.batch(path, columns).filter(pa.array(here))
            total += key_sum(row_keys(batch.column(ROW_NUMBER), identifiers(batch), parts.stream))
    return total

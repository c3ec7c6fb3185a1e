"""DataFrames as batches."""

from __future__ import annotations

import pandas as pd

from reverse_etl.changeset.frames import as_batch
from reverse_etl.sources._arrow import canonical
from reverse_etl.sources.base import NOT_JSON


def test_half_a_surrogate_pair_spoils_its_own_value_only() -> None:
    """In a DataFrame text need not be one that can be written."""
    frame = pd.DataFrame({"id": ["1", "2", "3"], "nick": ["sam", "\ud83d", None]})
    batch = canonical(as_batch(frame), timezone="UTC")
    assert batch.to_pydict() == {"id": ["1", "2", "3"], "nick": ['"sam"', NOT_JSON, None]}

"""DataFrames as batches."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pyarrow as pa

from reverse_etl.changeset.frames import as_batch, as_frame
from reverse_etl.sources._arrow import canonical
from reverse_etl.sources.base import NOT_TEXT


def test_half_a_surrogate_pair_spoils_its_own_value_only() -> None:
    """In a DataFrame text need not be one that can be written."""
    frame = pd.DataFrame({"id": ["1", "2", "3"], "nick": ["sam", "\ud83d", None]})
    batch = canonical(as_batch(frame), timezone="UTC")
    assert batch.to_pydict() == {"id": ["1", "2", "3"], "nick": ["sam", NOT_TEXT, None]}


def test_a_time_outside_the_calendar_is_missing() -> None:
    """Neither DataFrames nor Python have a word for it; the others keep theirs."""
    days = pa.array([20_458, 2**31 - 1], pa.int32()).cast(pa.date32())
    times = pa.array([1_767_600_000_123_456, 2**62]).cast(pa.timestamp("us", "UTC"))
    frame = as_frame(canonical(pa.record_batch({"day": days, "at": times}), timezone="UTC"))
    assert frame["day"].tolist() == [date(2026, 1, 5), None]
    assert frame["at"].isna().tolist() == [False, True]
    assert frame["at"][0] == pd.Timestamp("2026-01-05T08:00:00.123456Z")

"""Rows with the same values are found in Arrow as one by one in Python."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverse_etl.destinations._sql.repeats import later_ones, repeated

VALUES = st.one_of(st.none(), st.sampled_from(["", "a", "A", "b"]))


@given(rows=st.lists(st.tuples(VALUES, st.one_of(st.none(), st.integers(0, 2))), max_size=12), one=st.booleans())
def test_rows_that_repeat_others_are_found(rows: list[tuple[str | None, int | None]], one: bool) -> None:
    """Later ones with NULL as a value; all of them without rows that have a NULL."""
    texts = pa.array([text for text, _ in rows], pa.string())
    columns = [texts] if one else [texts, pa.array([number for _, number in rows], pa.int64())]
    keys = [row[: len(columns)] for row in rows]
    assert [key in keys[:at] for at, key in enumerate(keys)] == later_ones(columns).tolist()
    expected = [at for at, key in enumerate(keys) if keys.count(key) > 1 and None not in key]
    assert expected == repeated(columns).tolist()


@pytest.mark.parametrize(
    ("numbers", "later"), [([], []), ([1, 2, 3], []), ([3, 2, 1], []), ([1, 2, 2], [2]), ([2, 1, 2], [2])]
)
def test_integers_in_any_order_are_compared(numbers: list[int], later: list[int]) -> None:
    """Those that ascend without being looked at more than once."""
    column = pa.array(numbers, pa.int64())
    assert later == [at for at, is_later in enumerate(later_ones([column])) if is_later]
    assert len(later) * 2 == len(repeated([column]))

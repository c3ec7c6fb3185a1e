"""Items in a column are the sequence of bytes that they are made of, whatever is cut out of it and joined."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.destinations.item_column import ItemColumn, joined

ITEMS = st.lists(st.binary(max_size=5), max_size=8)


@pytest.mark.thorough
@settings(max_examples=100, deadline=None)
@given(ITEMS, ITEMS, st.integers(-9, 9), st.integers(-9, 9))
def test_a_column_is_the_sequence_of_its_items(first: list[bytes], second: list[bytes], start: int, end: int) -> None:
    """Length, items, slices, sizes, places and concatenation, empty ones among them."""
    whole, items = ItemColumn.concatenated([ItemColumn.of(first), ItemColumn.of(second)]), first + second
    assert (items, len(items)) == ([*whole], len(whole))
    part, cut = whole[start:end], items[start:end]
    assert cut == part
    assert [whole[at] for at in range(len(items))] == items
    assert [len(each) for each in cut] == part.sizes().tolist()
    backwards = range(len(cut) - 1, -1, -1)
    assert [cut[at] for at in backwards] == [*part.take(backwards)]
    if cut:
        assert b",".join(cut) == bytes(part.joined()) == bytes(joined(cut))


def test_text_and_slices_of_text_are_items() -> None:
    """As destinations encode them: a column of text, some rows of it."""
    text = pa.array(["{}", "ü", "", "x"]).slice(1, 2)
    assert ["ü".encode(), b""] == ItemColumn(text)


def test_a_column_equals_its_items_alone() -> None:
    """Neither other items nor something that has none."""
    column = ItemColumn.of([b"a"])
    assert column != [b"b"]
    assert column != 1
    with pytest.raises(IndexError):
        column[1]

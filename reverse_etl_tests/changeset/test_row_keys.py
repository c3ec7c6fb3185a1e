"""Keys tell rows apart, and their sum tells sets of rows apart, in any order."""

from __future__ import annotations

import random

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.changeset.row_keys import MODULUS, key_sum, row_keys, text_keys

Row = tuple[int, str]
rows = st.lists(st.tuples(st.integers(1, 10**7), st.text(max_size=12)), max_size=20)


def summed(of: list[Row], query: str = "rows") -> int:
    """The sum of the keys of some rows."""
    numbers, texts = [number for number, _ in of], [text for _, text in of]
    return key_sum(row_keys(pa.array(numbers, pa.int64()), pa.array(texts, pa.string()), query))


@settings(max_examples=50, deadline=None)
@given(rows, st.randoms(use_true_random=False), st.integers(0, 20))
def test_the_sum_is_of_the_set_however_it_is_cut_and_ordered(of: list[Row], mixed: random.Random, cut: int) -> None:
    """Any order, any two pieces: the same sum, modulo 2**64."""
    other = list(of)
    mixed.shuffle(other)
    assert summed(of) == (summed(other[:cut]) + summed(other[cut:])) % MODULUS


@settings(max_examples=100, deadline=None)
@given(rows, st.tuples(st.integers(1, 10**7), st.text(max_size=12)))
def test_any_other_row_makes_another_sum(of: list[Row], extra: Row) -> None:
    """One row more, or one in another's place, shows."""
    assert summed(of) != summed([*of, extra])
    if of and of[0] != extra:
        assert summed(of) != summed([extra, *of[1:]])


def test_what_belongs_to_one_row_cannot_move_to_another() -> None:
    """Identifiers swapped between rows, or between the queries, make another sum; empty ones are distinguished too."""
    assert summed([(1, "a"), (2, "b")]) != summed([(1, "b"), (2, "a")])
    assert summed([(1, "a")]) != summed([(1, "a")], "relationships")
    assert 4 == len({summed([(1, "")]), summed([(2, "")]), summed([(1, "\x00")]), summed([])})
    assert summed([(1, "ab")]) != summed([(1, "ba")])


def test_a_piece_of_a_column_has_the_keys_of_its_rows() -> None:
    """A slice that begins in the middle of the bytes gives the same keys as the whole."""
    numbers, texts = pa.array(range(1, 6), pa.int64()), pa.array(["", "a", "long" * 100, "ü", "e"])
    whole = row_keys(numbers, texts, "rows")
    assert whole[2:].tolist() == row_keys(numbers.slice(2), texts.slice(2), "rows").tolist()
    assert 5 == len(set(whole.tolist()))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=20))
def test_a_text_has_the_same_key_whatever_stands_beside_it(texts: list[str]) -> None:
    """Beside one that is longer than there are weights, texts are summed in another way."""
    alone = text_keys(pa.array(texts, pa.string()))
    assert alone.tolist() == text_keys(pa.array([*texts, "x" * 300], pa.string()))[:-1].tolist()

"""Rows are counted by what became of them, in little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np

from reverse_etl.changeset.parts import count
from reverse_etl.report import Outcome


def test_every_outcome_is_counted_in_two_bytes_a_row() -> None:
    """Ten million rows must not take 80 MB more at the end of a run than in the middle of it."""
    outcomes = np.arange(1_000_000, dtype=np.uint64).astype(np.uint8) % np.uint8(len(Outcome))
    tracemalloc.start()
    try:
        counts = count(outcomes)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(outcomes)
    assert {each.name.lower(): int((outcomes == each).sum()) for each in Outcome} == {
        each.name.lower(): getattr(counts, each.name.lower()) for each in Outcome
    }
    assert len(outcomes) == counts.extracted

"""Why rows were left out, counted."""

from __future__ import annotations

from reverse_etl.exclusions import ExcludedRows, as_counts, by_reason, in_words


def test_reasons_are_added_up_and_the_most_rows_come_first() -> None:
    """Over streams and stages; the first message stays."""
    found = [ExcludedRows("suppressed", 2, "a"), ExcludedRows("filtered", 1, "b"), ExcludedRows("filtered", 4, "c")]
    assert (ExcludedRows("filtered", 5, "b"), ExcludedRows("suppressed", 2, "a")) == by_reason(found, 7)


def test_rows_whose_reason_an_earlier_release_did_not_note_are_there_too() -> None:
    """So that the reasons add up to the rows that were left out."""
    found = by_reason([ExcludedRows("filtered", 1)], 3)
    assert {"other": 2, "filtered": 1} == as_counts(found)
    assert "2 other, 1 filtered" == in_words(found)
    assert () == by_reason([], 0)

"""What is kept of failed rows is bounded, adds up, and shows no e-mail address."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.changeset.failed_rows import batches_of
from reverse_etl.report import FailedRow, Reason
from reverse_etl.state.failures import FURTHER_CAUSES, MAX_CAUSES, MAX_FAILED_ROWS, digest, masked
from reverse_etl_tests.state.conftest import failed_row


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=50))
def test_causes_count_every_row(reasons: list[str]) -> None:
    """Whatever fails, each cause has the number of its rows, and the most frequent comes first."""
    found = digest(batches_of(failed_row(number, reason=reason) for number, reason in enumerate(reasons, 1)))
    assert Counter(reasons) == {cause.why.reason: cause.rows for cause in found.causes}
    assert sorted((cause.rows for cause in found.causes), reverse=True) == [cause.rows for cause in found.causes]
    assert len(reasons) == found.total == len(found.rows)


def test_only_the_first_rows_are_kept() -> None:
    """Of more rows than the limit the first are kept, and all are counted."""
    found = digest(batches_of(failed_row(number) for number in range(1, MAX_FAILED_ROWS + 6)))
    assert (MAX_FAILED_ROWS, MAX_FAILED_ROWS, MAX_FAILED_ROWS + 5) == (
        len(found.rows),
        found.rows[-1].row_number,
        found.total,
    )
    assert [MAX_FAILED_ROWS + 5] == [cause.rows for cause in found.causes]


def test_causes_without_end_are_counted_together() -> None:
    """A destination that words each refusal differently does not fill the state database."""
    found = digest(batches_of(failed_row(number, reason=f"reason {number}") for number in range(1, MAX_CAUSES + 11)))
    assert MAX_CAUSES + 1 == len(found.causes)
    assert ("rows", "check", FURTHER_CAUSES, 10) == (
        found.causes[0].query, found.causes[0].stage, found.causes[0].why.reason, found.causes[0].rows,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("identifier", "shown"),
    [("ann@example.com", "a***@example.com"), ("@example.com", "***@example.com"), ("42", "42"), ("", "")],
)
def test_e_mail_addresses_are_masked(identifier: str, shown: str) -> None:
    """The name is hidden, the domain is not; other identifiers stay."""
    assert shown == masked(identifier)
    (row,) = digest(batches_of([FailedRow(1, "rows", identifier, "check", Reason("r", "", "m"))])).rows
    assert shown == row.identifier


def test_what_was_meant_to_be_an_address_is_masked_without_an_at_sign() -> None:
    """A misspelt address still tells who it is; an id stays whole, and a missing identifier stays empty."""
    rows = [
        FailedRow(1, query, text, "check", Reason("r", "", "m"))
        for query in ("rows", "relationships")
        for text in ("ann", "")
    ]
    found = digest(batches_of(rows), addresses={"rows"}).rows
    assert ["a***", "", "ann", ""] == [row.identifier for row in found]

"""What must hold for any changeset: the outcomes add up, and duplicates are those of a naive model."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.checks import unique
from reverse_etl.destinations.customerio.sections import PeopleConfig
from reverse_etl.report import Outcome
from reverse_etl_tests.checks.conformance import check, split, sync

ROW = st.tuples(
    st.sampled_from(["A@x.co", "a@X.co", "b@x.co", "bad", "", None]),
    st.sampled_from([1, 2, None]),
    st.sampled_from(["p", "q", "", None]),
)
CHANGESET = st.lists(ROW, max_size=14)
SIZES = st.lists(st.integers(0, 4), max_size=4)
Row = tuple[str | None, int | None, str | None]


def batch_of(rows: list[Row]) -> pa.RecordBatch:
    """The rows as one batch."""
    emails, numbers, plans = ([row[index] for row in rows] for index in range(3))
    return pa.record_batch(
        {
            "email": pa.array(emails, pa.string()),
            "n": pa.array(numbers, pa.int64()),
            "plan": pa.array(plans, pa.string()),
        }
    )


@settings(max_examples=60, deadline=None)
@given(rows=CHANGESET, sizes=SIZES, keep_last=st.booleans())
def test_duplicates_across_parts_are_those_of_the_model(rows: list[Row], sizes: list[int], keep_last: bool) -> None:
    """Grouped in Python, one row at a time, the same rows are found, however the rows are cut into parts."""
    people = PeopleConfig(identify_by="email", duplicates="keep_last" if keep_last else "reject")
    config = sync(unique.Config(column="n", severity="warn"), people=people)
    groups: dict[str, list[int]] = defaultdict(list)
    numbers: dict[int, list[int]] = defaultdict(list)
    for number, (email, n, _) in enumerate(rows, start=1):
        if email:
            groups[email.lower()].append(number)
        if n is not None:
            numbers[n].append(number)
    expected = set()
    for group in groups.values():
        says = {(rows[number - 1][1], rows[number - 1][2] or None) for number in group}
        expected |= set(group[:-1]) if keep_last else set(group) if len(says) > 1 else set()
    shared = sorted(number for group in numbers.values() if len(group) > 1 for number in group)

    with tempfile.TemporaryDirectory() as folder:
        checked = check(config, Path(folder), split(batch_of(rows), sizes))
        outcomes, failed = checked.outcomes(), checked.failed()

    result = checked.result("identifier_unique")
    assert result.sample_rows == tuple(sorted(expected)[:10])
    assert result.rows_failed + result.rows_excluded == len(expected)
    assert checked.result("unique_n").sample_rows == tuple(shared[:10])

    broken = {number for number, (email, _, _) in enumerate(rows, 1) if email in ("bad", "", None)}
    rejected = broken if keep_last else broken | expected
    excluded = expected - broken if keep_last else set()
    assert [row.row_number for row in failed] == sorted(rejected)
    assert {number for number, each in enumerate(outcomes, 1) if each == Outcome.REJECTED} == rejected
    assert {number for number, each in enumerate(outcomes, 1) if each == Outcome.EXCLUDED} == excluded
    counts = checked.validation.counts["rows"]
    assert counts.balanced
    assert (counts.extracted, counts.rejected, counts.excluded) == (len(rows), len(rejected), len(excluded))

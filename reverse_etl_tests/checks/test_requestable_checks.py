"""Every check that a sync can ask for through the conformance suite, and the mistakes its keys can hold."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from reverse_etl.checks import (
    accepted_values,
    freshness,
    in_range,
    matches,
    max_age,
    max_failed_rows,
    not_null,
    null_rate,
    row_count,
    unique,
)
from reverse_etl.checks._settings import Limit
from reverse_etl.checks.base import Gate, Whole
from reverse_etl.checks.runner import validate
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.numbers import WrittenNumber
from reverse_etl.report import Counts
from reverse_etl.sources.base import marked
from reverse_etl_tests.checks.conformance import (
    DECIMAL,
    STARTED_AT,
    Checked,
    GateConformance,
    RuleConformance,
    check,
    store,
    sync,
)

INTEGER = pa.field("value", pa.int64())


class TestNotNull(RuleConformance):
    """An empty text is a value."""

    module, rule, sync = "not_null", "not_null_plan", sync(not_null.Config(column="plan"))
    rows = (("free", False), (None, True), ("", False))
    finds_null = True


class TestNotNullStops(RuleConformance):
    """With severity stop the row is rejected and the run stopped."""

    module, rule = "not_null", "not_null_plan"
    sync = sync(not_null.Config(column="plan", severity="stop"))
    rows = (("free", False), (None, True))
    finds_null = True


class TestUnique(RuleConformance):
    """Every row of a value that is there twice."""

    module, rule, sync = "unique", "unique_order_no", sync(unique.Config(column="order no"))
    column, field = "order no", INTEGER
    rows = ((1001, True), (1002, False), (1001, True), (None, False), (None, False), (1001, True))


class TestAcceptedValues(RuleConformance):
    """Anything else is found, NULL is not."""

    module, rule = "accepted_values", "accepted_values_plan"
    sync = sync(accepted_values.Config(column="plan", values=("free", "pro")))
    rows = (("free", False), ("trial", True), ("Pro", True), (None, False), ("", True))


class TestAcceptedNumbers(RuleConformance):
    """Numbers are compared as text, booleans as true and false."""

    module, rule = "accepted_values", "accepted_values_plan"
    sync = sync(accepted_values.Config(column="plan", values=(1, 2.0, True)))
    field = INTEGER
    rows = ((1, False), (2, False), (3, True))


class TestAcceptedDecimals(RuleConformance):
    """A number is the same in every spelling: 0.50 is 0.5, 1E2 is 100."""

    module, rule = "accepted_values", "accepted_values_fee"
    sync = sync(accepted_values.Config(column="fee", values=(0.5, 1, "10.250", "1E2", 0, True)))
    column, field = "fee", DECIMAL
    rows = (
        *((text, False) for text in ("0.50", "0.5", "1.00", "10.25", "100", "1E2", "100.0", "-0.00", None)),
        *((text, True) for text in ("0.05", "10.5", "10", "NaN")),
    )


class TestAcceptedFloats(RuleConformance):
    """Floats are numbers too."""

    module, rule = "accepted_values", "accepted_values_fee"
    sync = sync(accepted_values.Config(column="fee", values=("0.10", 2, 1e21)))
    column, field = "fee", pa.field("value", pa.float64())
    rows = ((0.1, False), (2.0, False), (1e21, False), (0.3, True))


class TestAcceptedNumbersAmongTexts(RuleConformance):
    """In a column of text only what is written counts."""

    module, rule = "accepted_values", "accepted_values_size"
    sync = sync(accepted_values.Config(column="size", values=("0.50", 2, True)))
    column = "size"
    rows = (("0.50", False), ("2", False), ("true", False), ("0.5", True), ("2.0", True), ("1", True))


class TestAcceptedJson(RuleConformance):
    """A number in a JSON column is a number."""

    module, rule = "accepted_values", "accepted_values_size"
    sync = sync(accepted_values.Config(column="size", values=("0.50", "x")))
    column, field = "size", marked("value", "json")
    rows = (("0.50", False), ("0.5", False), ('"x"', False), ('"y"', True), ("0.05", True))


class TestAcceptedNumbersOfManyDigits(RuleConformance):
    """Every digit counts, also those that a float does not keep."""

    module, rule = "accepted_values", "accepted_values_amount"
    sync = sync(
        accepted_values.Config(
            column="amount",
            values=(WrittenNumber("12345678901234567890.10"), WrittenNumber("0.12345678901234567"), 2**53 + 1),
        )
    )
    column, field = "amount", DECIMAL
    rows = (
        *((text, False) for text in ("12345678901234567890.1", "0.123456789012345670", "9007199254740993")),
        *((text, True) for text in ("12345678901234567890.2", "0.12345678901234568", "9007199254740992")),
    )


class TestAcceptedIntegersOfManyDigits(RuleConformance):
    """An integer with an exponent is the integer."""

    module, rule = "accepted_values", "accepted_values_amount"
    sync = sync(accepted_values.Config(column="amount", values=(WrittenNumber("9.007199254740993e15"), -(2**63))))
    column, field = "amount", INTEGER
    rows = ((2**53 + 1, False), (-(2**63), False), (2**53, True), (-(2**63) + 1, True))


class TestAcceptedFloatsOfManyDigits(RuleConformance):
    """A float is the one that is nearest to what is written."""

    module, rule = "accepted_values", "accepted_values_fee"
    sync = sync(accepted_values.Config(column="fee", values=(WrittenNumber("0.1000000000000000055511151231257827"),)))
    column, field = "fee", pa.field("value", pa.float64())
    rows = ((0.1, False), (0.1 + 2**-56, True))


AT = datetime(2026, 1, 5, 1, 30, 0, 250_000, tzinfo=UTC)


class TestAcceptedTimes(RuleConformance):
    """A date-time is compared as the instant that it is, to the microsecond."""

    module, rule = "accepted_values", "accepted_values_valid_from"
    sync = sync(
        accepted_values.Config(
            column="valid_from",
            values=("2026-01-05T01:30:00.25Z", "2026-01-06T02:00:00+01:00", "2026-01-07", 1_800_000_000, "never"),
        )
    )
    column, field = "valid_from", pa.field("value", pa.timestamp("us", "UTC"))
    rows = (
        (AT, False),
        (AT.replace(day=6, hour=1, minute=0, microsecond=0), False),
        (datetime(2026, 1, 7, tzinfo=UTC), False),
        (datetime.fromtimestamp(1_800_000_000, UTC), False),
        (AT.replace(microsecond=250_001), True),
        (AT.replace(hour=2), True),
        (None, False),
    )


class TestAcceptedDates(RuleConformance):
    """A date is compared as it is written."""

    module, rule = "accepted_values", "accepted_values_born"
    sync = sync(accepted_values.Config(column="born", values=("2026-01-05",)))
    column, field = "born", pa.field("value", pa.date32())
    rows = ((date(2026, 1, 5), False), (date(2026, 1, 6), True))


class TestUniqueTimes(RuleConformance):
    """Two instants of one second are two."""

    module, rule, sync = "unique", "unique_at", sync(unique.Config(column="at"))
    column, field = "at", pa.field("value", pa.timestamp("us", "UTC"))
    rows = ((AT, True), (AT, True), (AT.replace(microsecond=0), False), (AT.replace(microsecond=1), False))


class TestUniqueNumbersOfManyDigits(RuleConformance):
    """Every digit counts."""

    module, rule, sync = "unique", "unique_amount", sync(unique.Config(column="amount"))
    column, field = "amount", DECIMAL
    rows = (
        ("12345678901234567890.1", False),
        ("12345678901234567890.2", False),
        ("9007199254740993", True),
        ("9.007199254740993E15", True),
        ("9007199254740992", False),
    )


class TestUniqueDecimals(RuleConformance):
    """0.50 and 0.5 are one number, and so twice."""

    module, rule, sync = "unique", "unique_fee", sync(unique.Config(column="fee"))
    column, field = "fee", DECIMAL
    rows = (("0.50", True), ("0.5", True), ("1E2", True), ("100.00", True), ("10", False), ("NaN", False))


class TestUniqueTexts(RuleConformance):
    """Two texts are two values."""

    module, rule, sync = "unique", "unique_fee", sync(unique.Config(column="fee"))
    column = "fee"
    rows = (("0.50", False), ("0.5", False), ("x", True), ("x", True))


class TestMatches(RuleConformance):
    """The pattern covers the whole value."""

    module, rule, sync = "matches", "matches_sku", sync(matches.Config(column="sku", pattern="[A-Z]{2}|x"))
    column = "sku"
    rows = (("AB", False), ("ABC", True), ("x", False), ("AB\n", True), (None, False))


class TestInRange(RuleConformance):
    """Both bounds included."""

    module, rule, sync = "in_range", "in_range_age", sync(in_range.Config(column="age", min=0, max=150))
    column, field = "age", INTEGER
    rows = ((0, False), (150, False), (-1, True), (151, True), (None, False))


class TestInRangeOfDecimals(RuleConformance):
    """Decimals are text with a mark; what is not a number is out of any range."""

    module, rule, sync = "in_range", "in_range_price", sync(in_range.Config(column="price", min=0.5))
    column, field = "price", DECIMAL
    rows = (("0.50", False), ("0.49", True), ("1E+3", False), ("NaN", True))


class TestInRangeOfManyDigits(RuleConformance):
    """Digits that a 64-bit float cannot hold decide at a bound."""

    module, rule = "in_range", "in_range_amount"
    sync = sync(in_range.Config(column="amount", min=0.5, max=10**37))
    column, field = "amount", DECIMAL
    rows = (
        ("0.50", False),
        ("0.49999999999999999999999999999999999999", True),
        ("0.50000000000000000000000000000000000001", False),
        ("1E37", False),
        ("10000000000000000000000000000000000001", True),
        ("9999999999999999999999999999999999999.9", False),
    )


class TestInRangeOfWrittenNumbers(RuleConformance):
    """Digits of a bound that a 64-bit float cannot hold decide too."""

    module, rule = "in_range", "in_range_amount"
    sync = sync(
        in_range.Config(
            column="amount",
            min=WrittenNumber("0.10000000000000000000001"),  # type: ignore[arg-type]
            max=WrittenNumber("12345678901234567890.5"),  # type: ignore[arg-type]
        )
    )
    column, field = "amount", DECIMAL
    rows = (
        ("0.100000000000000000000010", False),
        ("0.1", True),
        ("12345678901234567890.50", False),
        ("12345678901234567890.50001", True),
    )


class TestInRangeOfBigIntegers(RuleConformance):
    """Integers beyond 2**53 too."""

    module, rule, sync = "in_range", "in_range_id", sync(in_range.Config(column="id", max=2**53))
    column, field = "id", INTEGER
    rows = ((2**53 + 1, True), (2**53 - 1, False))


class TestInRangeOfDates(RuleConformance):
    """Dates are compared with dates."""

    module, rule = "in_range", "in_range_born"
    sync = sync(in_range.Config(column="born", max=date(2020, 1, 1)))
    column, field = "born", pa.field("value", pa.date32())
    rows = ((date(2019, 12, 31), False), (date(2020, 1, 2), True))


class TestInRangeOfTextInIso8601(RuleConformance):
    """Text that spells a time is one."""

    module, rule = "in_range", "in_range_born"
    sync = sync(in_range.Config(column="born", max=date(2020, 1, 1)))
    column = "born"
    rows = (("2020-01-01T00:00:00Z", False), ("20191231", False), ("2020-01-01T01:00+00:00", True), ("soon", True))


class TestMaxAge(RuleConformance):
    """Age is counted from the run's start."""

    module, rule = "max_age", "max_age_updated_at"
    sync = sync(max_age.Config(column="updated_at", max=timedelta(days=2)))
    column, field = "updated_at", INTEGER
    rows = ((STARTED_AT - 172_800, False), (STARTED_AT - 172_801, True), (None, False))


class TestMaxAgeOfText(RuleConformance):
    """ISO 8601, in UTC where it has no zone; any other text has no age."""

    module, rule = "max_age", "max_age_updated_at"
    sync = sync(max_age.Config(column="updated_at", max=timedelta(days=2)))
    column = "updated_at"
    rows = (
        *(
            (text, False)
            for text in ("2026-01-03T08:00:00Z", "2026-01-03 09:00:00.5+01:00", "20260103T0800", "2026-01-04")
        ),
        *((text, True) for text in ("2026-01-03T07:59:59.999Z", "2026-01-03 08:30+01:00", "2026-01-03", "x", "")),
        (None, False),
    )


class TestNullRate(RuleConformance):
    """The share of NULLs is a finding about the column, no single row is at fault."""

    module, rule = "null_rate", "null_rate_phone"
    sync = sync(null_rate.Config(column="phone", max="50%"))  # type: ignore[arg-type]
    column, field = "phone", pa.field("value", pa.string())
    rows = (("+49", False), (None, False), (None, False))
    about_column, finds_null = True, True


class TestFreshness(RuleConformance):
    """The newest time of all is too old; a column without a time is a finding, too."""

    module, rule = "freshness", "freshness_updated_at"
    sync = sync(freshness.Config(column="updated_at", max=timedelta(hours=6)))
    column, field = "updated_at", INTEGER
    rows = ((STARTED_AT - 90_000, False), (STARTED_AT - 21_601, False), (None, False))
    about_column, finds_null = True, True


@pytest.mark.parametrize(
    ("newest", "value", "message"),
    [
        (STARTED_AT - 21_600, 21_600.0, ""),
        (STARTED_AT + 5, -5.0, ""),
        (STARTED_AT - 21_661, 21_661.0, "the newest `updated_at` is 361m old, more than the 6h allowed."),
        (STARTED_AT - 180_000, 180_000.0, "the newest `updated_at` is 50h old, more than the 6h allowed."),
    ],
)
def test_freshness_says_how_old_the_newest_time_is(newest: int, value: float, message: str, tmp_path: Path) -> None:
    """At most as old as allowed passes."""
    config = sync(freshness.Config(column="updated_at", max=timedelta(hours=6)))
    rows = pa.record_batch({"id": pa.array(["1", "2"]), "updated_at": pa.array([STARTED_AT - 999_999, newest])})
    result = check(config, tmp_path, [rows]).result("freshness_updated_at")
    assert (result.value, result.message) == (value, message)


@pytest.mark.parametrize(
    ("values", "value", "passed", "says"),
    [
        (
            [STARTED_AT - 60, STARTED_AT + 90_000],
            60.0,
            True,
            "is more than a day in the future in 1 row, which does not",
        ),
        (
            [STARTED_AT - 99_999, 4_102_444_800],
            99_999.0,
            False,
            "the newest `updated_at` beside 1 row in the future is",
        ),
        ([4_102_444_800, None], None, False, "is more than a day in the future in 1 row and no time in the others, so"),
        ([STARTED_AT * 1000, (STARTED_AT - 9) * 1000], None, False, "column `updated_at` holds no time, so"),
    ],
)
def test_a_time_that_lies_ahead_does_not_make_data_fresh(
    values: list[int | None], value: float | None, passed: bool, says: str, tmp_path: Path
) -> None:
    """Neither do milliseconds, which as seconds are thousands of years ahead."""
    config = sync(freshness.Config(column="updated_at", max=timedelta(hours=6)))
    rows = pa.record_batch({"id": pa.array(["1", "2"]), "updated_at": pa.array(values, pa.int64())})
    result = check(config, tmp_path, [rows]).result("freshness_updated_at")
    assert (result.value, result.passed) == (value, passed)
    assert says in result.message + result.note


def test_milliseconds_are_no_age(tmp_path: Path) -> None:
    """A `max_age` that took them for seconds would let everything pass."""
    config = sync(max_age.Config(column="paid_at", max=timedelta(hours=6)))
    rows = pa.record_batch({"id": pa.array(["1"]), "paid_at": pa.array([(STARTED_AT - 99_999) * 1000])})
    assert ["column `paid_at` is not a time."] == [row.why.message for row in check(config, tmp_path, [rows]).failed()]


def test_without_rows_freshness_is_not_known_and_stops_nothing(tmp_path: Path) -> None:
    """A run that reads what changed may find nothing."""
    config = sync(freshness.Config(column="updated_at", max=timedelta(hours=6)))
    result = check(config, tmp_path, []).result("freshness_updated_at")
    assert (result.passed, result.value, "cannot be seen" in result.note) == (True, None, True)


@pytest.mark.parametrize(
    ("past", "rows", "message"),
    [
        ((), 9, ""),
        ((100, 104, 1), 50, ""),
        ((100, 104, 1), 49, "49 rows to check, 51% fewer than the median of the last 3 completed runs (100 rows); "),
        ((10,), 16, "16 rows to check, 60% more than the last completed run (10 rows); "),
        ((0, 0), 1, "1 row to check, where there were none in the median of the last 2 completed runs; "),
        ((0,), 0, ""),
        ((10, 10, 10, 1000, 1000, 1000, 1000), 10, ""),
    ],
)
def test_a_row_count_is_compared_with_the_median_of_the_last_runs(
    past: tuple[float, ...], rows: int, message: str
) -> None:
    """Up and down; exactly the share that is allowed passes; without a run before, nothing is compared."""
    rule = row_count.rules(row_count.Config(change="50%", last=3))[0]  # type: ignore[arg-type]
    assert isinstance(rule, Gate)
    found = rule.measure(Whole(Counts(extracted=rows)), past)
    assert (found.value, found.exceeded) == (rows, message and f"{message}50% is allowed.")
    assert bool(found.note) is not bool(past)


@pytest.mark.parametrize(
    ("past", "message"),
    [
        ((), ""),
        ((0.34, 0.9), ""),
        ((0.9,), ""),
        (
            (0.25, 0.2),
            "column `phone` is NULL in 2 of 5 rows (40%), 22.5% in the median of the last 2 completed runs; ",
        ),
        ((0.0,), "column `phone` is NULL in 2 of 5 rows (40%), 0% in the last completed run; "),
    ],
)
def test_a_null_rate_is_compared_with_the_median_of_the_last_runs(
    past: tuple[float, ...], message: str, tmp_path: Path
) -> None:
    """Only a share that rises is a finding."""
    config = sync(null_rate.Config(column="phone", change="50%"))  # type: ignore[arg-type]
    rows = pa.record_batch({"id": pa.array(list("abcde")), "phone": pa.array([None, None, "1", "2", "3"])})
    run = store(tmp_path, [rows])
    result = Checked(validate(config, run, past={("rows", "null_rate_phone"): past}), run).result("null_rate_phone")
    assert (result.value, result.message) == (0.4, message and f"{message}50% more is allowed.")


class TestMaxFailedRows(GateConformance):
    """A share of the rows extracted."""

    module, config = "max_failed_rows", max_failed_rows.Config(limit="5%")  # type: ignore[arg-type]
    within = (Counts(), Counts(extracted=100, rejected=5, undelivered=95), Counts(extracted=1, undelivered=1))
    beyond = (Counts(extracted=100, rejected=6, undelivered=94), Counts(extracted=1, rejected=1))


class TestMaxFailedRowsAsNumber(GateConformance):
    """A number of rows."""

    module, config = "max_failed_rows", max_failed_rows.Config(limit=2)  # type: ignore[arg-type]
    within = (Counts(extracted=3, rejected=2, undelivered=1),)
    beyond = (Counts(extracted=3, rejected=3),)


class TestRowCount(GateConformance):
    """Bounds on the rows extracted."""

    module, config = "row_count", row_count.Config(min=1, max=2)
    within = (Counts(extracted=1, undelivered=1), Counts(extracted=2, rejected=2))
    beyond = (Counts(), Counts(extracted=3, undelivered=3))


@pytest.mark.parametrize(
    ("config", "keys"),
    [
        (not_null.Config, {"column": ""}),
        (matches.Config, {"column": "sku", "pattern": "("}),
        (accepted_values.Config, {"column": "plan", "values": []}),
        (in_range.Config, {"column": "age"}),
        (in_range.Config, {"column": "age", "min": 2, "max": 1}),
        (max_failed_rows.Config, {"limit": "101%"}),
        (max_failed_rows.Config, {"limit": "many"}),
        (max_failed_rows.Config, {"limit": True}),
        (max_failed_rows.Config, {"limit": 5, "severity": "reject"}),
        (row_count.Config, {}),
        (row_count.Config, {"min": 2, "max": 1}),
        (row_count.Config, {"change": "half"}),
        (row_count.Config, {"change": "50%", "last": 0}),
        (null_rate.Config, {"column": "phone", "max": 5}),
        (null_rate.Config, {"column": "phone"}),
        (max_age.Config, {"column": "updated_at", "max": "soon"}),
    ],
)
def test_impossible_settings_are_refused(config: type[CheckConfig], keys: dict[str, Any]) -> None:
    """A check that could never work is a mistake in the file, not in the run."""
    with pytest.raises(ValidationError):
        config(**keys)


def test_limits_are_read_as_people_write_them() -> None:
    """A share or a number, as text or as a number."""
    written = ["5%", " 0.5 % ", "100", 100, Limit(rows=1)]
    read = [max_failed_rows.Config(limit=value).limit for value in written]  # type: ignore[arg-type]
    assert read == [Limit(percent=5), Limit(percent=0.5), Limit(rows=100), Limit(rows=100), Limit(rows=1)]
    assert [str(limit) for limit in read] == ["5%", "0.5%", "100", "100", "1"]


def test_a_bare_value_fills_the_short_key() -> None:
    """not_null: plan means the column, max_failed_rows: 5% the limit."""
    shorts = [each.Config.SHORT for each in (not_null, unique, max_failed_rows, in_range)]
    assert shorts == ["column", "column", "limit", ""]

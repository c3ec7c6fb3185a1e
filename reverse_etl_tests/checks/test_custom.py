"""``custom``: SQL over the changeset, which can do nothing but read it."""

from __future__ import annotations

import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from reverse_etl.checks import custom
from reverse_etl.checks._sql import returns_numbers, whole_of
from reverse_etl.checks.base import CheckResult
from reverse_etl.checks.runner import validate
from reverse_etl.errors import ConfigError
from reverse_etl.report import Outcome
from reverse_etl_tests.checks.conformance import DECIMAL, Checked, RuleConformance, check, split, store, sync

SLOW = "SELECT row_number FROM changeset, range(10000000000) AS a, range(100000) AS b WHERE a.range + b.range < 0"


class TestCustom(RuleConformance):
    """A column in DuckDB's SQL; a star has the row numbers, too."""

    module, rule = "custom", "custom_metal"
    sync = sync(custom.Config(sql="SELECT * FROM changeset WHERE plan = 'gold'; -- no more", name="metal"))
    rows = (("free", False), ("gold", True), (None, False), ("gold", True))
    named = False


class TestCustomAcrossRows(RuleConformance):
    """One row that is compared with all others; decimals are numbers."""

    module, rule = "custom", "custom"
    sync = sync(
        custom.Config(
            sql="SELECT row_number FROM changeset WHERE amount = (SELECT max(amount) FROM changeset)", severity="stop"
        )
    )
    column, field = "amount", DECIMAL
    rows = (("9.5", False), ("10.5", True), (None, False), ("NaN", False))
    named = False


def on_rows(folder: Path, config: custom.Config, **columns: pa.Array) -> Checked:
    """What becomes of rows by this check alone, each in a part of its own."""
    ids = pa.array([str(number) for number in range(len(next(iter(columns.values()))))])
    return check(sync(config), folder, split(pa.record_batch({"id": ids, **columns}), [1] * (len(ids) - 1)))


def result(checked: Checked, name: str = "custom") -> CheckResult:
    """What the check found."""
    return checked.result(name)


def test_a_query_without_row_numbers_judges_the_whole(tmp_path: Path) -> None:
    """Rows that it returns are counted, and keep no row back; nothing returned is no finding."""
    sql = "SELECT plan, count(*) AS n FROM changeset GROUP BY plan HAVING count(*) > {}"
    plans = pa.array(["a", "a", "b", "b", "c"])
    stopped = on_rows(
        tmp_path / "1", custom.Config(sql=sql.format(1), severity="stop", message="too many."), plan=plans
    )
    assert result(stopped).message == "too many: the SQL returned 2 rows."
    assert stopped.validation.stopped == (
        "check custom stopped the run, nothing was sent: too many: the SQL returned 2 rows."
    )
    assert set(stopped.outcomes()) == {Outcome.UNDELIVERED}
    fine = on_rows(tmp_path / "2", custom.Config(sql=sql.format(2), severity="stop"), plan=plans)
    assert (result(fine).passed, fine.validation.stopped) == (True, "")


def test_a_query_without_row_numbers_judges_no_rows_at_all_too(tmp_path: Path) -> None:
    """The day on which nothing was read is the one that it is for; one that returns row numbers has nothing to find."""
    none = pa.record_batch({"id": pa.array([], pa.string()), "plan": pa.array([], pa.string())})
    few = custom.Config(sql="SELECT 1 FROM changeset HAVING count(*) < 10", severity="stop", message="too few rows.")
    stopped = check(sync(few), tmp_path / "1", [none]).validation.stopped
    assert stopped == "check custom stopped the run, nothing was sent: too few rows: the SQL returned 1 row."
    fine = custom.Config(sql="SELECT row_number FROM changeset WHERE plan = 'gold'", severity="stop")
    assert check(sync(fine), tmp_path / "2", [none]).validation.stopped == ""


@pytest.mark.parametrize(
    ("sql", "by_row"),
    [
        ("SELECT 1 FROM changeset HAVING count(*) < 5", False),
        ("(SELECT count(*) FROM changeset)", False),
        ("SELECT max(row_number), 1 FROM changeset", False),
        ("SELECT *, 1 FROM changeset", True),
        ("SELECT changeset.* FROM changeset", True),
        ("FROM changeset", True),
        ("SELECT COLUMNS('row_.*') FROM changeset", True),
        ("SELECT 1, row_number FROM changeset", True),
        ("SELECT row_number FROM changeset UNION BY NAME SELECT row_number FROM changeset", True),
    ],
)
def test_a_column_without_a_name_is_no_row_number(sql: str, by_row: bool) -> None:
    """Only a star may be one that the text does not show."""
    assert returns_numbers(sql) is by_row


def test_columns_that_sql_cannot_tell_apart_are_not_taken_for_each_other(tmp_path: Path) -> None:
    """`plan` beside `Plan` would be the other one's values."""
    with pytest.raises(ConfigError, match="cannot tell the query's columns `Plan` and `plan` apart"):
        on_rows(
            tmp_path,
            custom.Config(sql="SELECT row_number FROM changeset WHERE plan = 'gold'"),
            Plan=pa.array(["free"]),
            plan=pa.array(["gold"]),
        )


def test_rows_that_it_rejects_say_what_the_file_says(tmp_path: Path) -> None:
    """A number that is returned twice is one failed row."""
    sql = "SELECT row_number FROM changeset JOIN (VALUES (1), (2)) AS twice ON age > 3"
    checked = on_rows(tmp_path, custom.Config(sql=sql, name="old", message="is too old."), age=pa.array([1, 5, 3, 4]))
    found = [(row.row_number, row.why.reason, row.why.message) for row in checked.failed()]
    assert found == [(2, "custom_old", "is too old."), (4, "custom_old", "is too old.")]


def test_columns_have_the_types_that_they_were_read_with(tmp_path: Path) -> None:
    """Whatever is NULL in the first part; decimals with their digits, times in UTC."""
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    rows = [
        pa.record_batch({"id": pa.array(["1"]), "at": pa.nulls(1), "price": pa.nulls(1)}),
        pa.record_batch(
            [pa.array(["2"]), pa.array([at], pa.timestamp("us", "UTC")), pa.array(["1.10"])],
            schema=pa.schema([("id", pa.string()), ("at", pa.timestamp("us", "UTC")), DECIMAL.with_name("price")]),
        ),
    ]
    sql = "SELECT row_number FROM changeset WHERE \"at\" = '2026-01-05 12:00:00' AND price + 1 = 2.1"
    assert result(check(sync(custom.Config(sql=sql, severity="warn")), tmp_path, rows)).sample_rows == (2,)
    assert Decimal("2.1") == Decimal("1.10") + 1


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("COPY changeset TO 'rows.csv'", "must only read: one query that starts with SELECT or WITH, not with COPY"),
        ("SELECT * FROM '/etc/passwd'", "must only read `changeset`, but reads `/etc/passwd`"),
        ("SELECT * FROM read_csv('/etc/passwd')", "must only read `changeset`, but calls READ_CSV"),
        ("SELECT 1 FROM changeset, glob('*') AS g", "must only read `changeset`, but calls GLOB"),
        ("SELECT * FROM changeset; DROP VIEW changeset", "must be one statement"),
        ("SELECT * FROM other.customers", "must only read `changeset`, but reads `other.customers`"),
        ("SELECT row_number FROM changeset WHERE age > {{last_sync_time}}", "takes no placeholder"),
        ("SELECT 1 FROM changeset HAVING count(*) < 5", "returns no column `row_number`, so that no row can"),
        ("SELECT count(*) AS n FROM changeset", "returns no column `row_number`, so that no row can be rejected"),
    ],
)
def test_what_is_no_question_about_the_rows_is_a_mistake_in_the_file(sql: str, says: str) -> None:
    """Before anything is read."""
    with pytest.raises(ValidationError, match=says[:50].replace("(", r"\(")) as refused:
        custom.Config(sql=sql)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT row_number FROM changeset WHERE nam = 'x'", 'cannot be executed: Referenced column "nam" not found'),
        ("SELECT row_number FROM changeset WHERE CAST(plan AS INTEGER) = 1", "failed with DuckDB's error Conversion"),
        ("SELECT row_number + 7 AS row_number FROM changeset", "returns a `row_number` that no row has"),
        ("SELECT NULL AS row_number FROM changeset", "returns a `row_number` that no row has"),
        ("SELECT * FROM (SELECT count(*) AS n FROM changeset)", "returns no column `row_number`"),
    ],
)
def test_sql_that_cannot_be_executed_is_one_sentence_without_values(sql: str, says: str, tmp_path: Path) -> None:
    """It names the check and what to do."""
    with pytest.raises(ConfigError) as failed:
        on_rows(tmp_path, custom.Config(sql=sql), plan=pa.array(["secret"]))
    assert says in str(failed.value)
    assert "secret" not in str(failed.value)
    assert failed.value.hint
    assert not [path for path in tmp_path.rglob("*") if path.name == "question"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM read_text('{}')",
        "SELECT count(*) FROM '{}'",
        "SELECT count(*) FROM 'http://127.0.0.1:9/x.parquet'",
    ],
)
def test_the_database_itself_opens_no_other_file_and_no_connection(sql: str, tmp_path: Path) -> None:
    """Whatever the text looks like, and whoever let it pass."""
    beside = tmp_path / "beside.csv"
    beside.write_text("a,b")
    parts = store(tmp_path / "run", [pa.record_batch({"id": pa.array(["1"])})]).parts("rows")
    with pytest.raises(ConfigError, match=r"reads or writes a file, or a setting; nothing was sent"):
        whole_of(sql.format(beside), parts, "custom", 5)
    for statement in ("SET memory_limit = '1TB'", f"COPY (SELECT 1) TO '{tmp_path / 'new.csv'}'"):
        with pytest.raises(ConfigError):
            whole_of(f"SELECT 1) AS a; {statement}; SELECT count(*) FROM (SELECT 1", parts, "custom", 5)
    assert not (tmp_path / "new.csv").exists()


@pytest.mark.thorough
def test_a_query_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """The message says after how long."""
    began = time.monotonic()
    with pytest.raises(ConfigError, match="its SQL took longer than 1s; nothing was sent"):
        on_rows(tmp_path, custom.Config(sql=SLOW, timeout=timedelta(seconds=1)), age=pa.array([1]))
    assert time.monotonic() - began < 30


def test_ctrl_c_ends_a_query(tmp_path: Path) -> None:
    """At once, not when it is done."""
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        on_rows(tmp_path, custom.Config(sql=SLOW, timeout=timedelta(minutes=5)), age=pa.array([1]))
    timer.join()
    assert time.monotonic() - began < 60


def test_a_column_named_like_the_row_numbers_is_a_mistake(tmp_path: Path) -> None:
    """The way out is in the message."""
    config = custom.Config(sql="SELECT row_number FROM changeset")
    with pytest.raises(ConfigError, match="Give it another name with AS"):
        on_rows(tmp_path, config, Row_Number=pa.array([1]))


@pytest.mark.parametrize("keys", [{"name": "Gold"}, {"sql": ""}, {"timeout": "0s"}])
def test_impossible_keys_are_refused(keys: dict[str, Any]) -> None:
    """A name that is none of a check, no SQL, no time."""
    with pytest.raises(ValidationError):
        custom.Config(**{"sql": "SELECT row_number FROM changeset", **keys})


def test_running_it_again_finds_the_same(tmp_path: Path) -> None:
    """The database that it was asked in leaves nothing behind."""
    config = sync(custom.Config(sql="SELECT row_number FROM changeset WHERE age > 1"))
    run = store(tmp_path, [pa.record_batch({"id": pa.array(["1", "2"]), "age": pa.array([1, 2])})])
    assert validate(config, run) == validate(config, run)

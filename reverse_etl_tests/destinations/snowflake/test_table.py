"""What is special about Snowflake: names in capitals, keys that nothing enforces, statements known by their ids."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.destinations.snowflake.catalogue import matching
from reverse_etl.destinations.snowflake.config import Config
from reverse_etl.errors import ConfigError, DestinationRefusedError
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.snowflake.server import ROLE, Snowflake, entry_of
from reverse_etl_tests.destinations.sql.ahead import SqlLooksAhead
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.tables import Delivery, delivered


@pytest.mark.thorough
def test_only_what_differs_is_written(server: Snowflake, tmp_path: Path) -> None:
    """One statement a slice: new rows are added, changed ones changed, the others left alone."""
    server.run(TABLE)
    server.run("INSERT INTO customers VALUES (1, 'a@x', 10, 'theirs'), (2, 'old@x', 20, 'theirs')")
    delivery = delivered(server, tmp_path, PEOPLE)
    assert [1, 2, 3] == delivery.numbers(Outcome.DELIVERED)
    stored = server.fetch("SELECT id, email, score, note FROM customers ORDER BY id")
    assert [(1, "a@x", 10, "theirs"), (2, "b@x", 20, "theirs"), (3, "c@x", 30, None)] == stored
    assert [1, 1] == server.running.seen()["merged"]


@pytest.mark.thorough
def test_a_key_twice_in_a_slice_or_the_table_is_refused(server: Snowflake, tmp_path: Path) -> None:
    """A primary key is not enforced: of a slice the first row is written, several of the table stay as they are."""
    server.run("CREATE TABLE customers (id bigint PRIMARY KEY, score int)")
    server.run("INSERT INTO customers VALUES (1, 0), (1, 0)")
    delivery = delivered(server, tmp_path, {"id": [1, 2, 2, 3], "score": [1, 2, 3, 4]})
    assert {1: ("matches_several_rows", "id"), 3: ("duplicate_key", "id")} == delivery.reasons()
    assert [(1, 0), (1, 0), (2, 2), (3, 4)] == server.fetch("SELECT id, score FROM customers ORDER BY id, score")


@pytest.mark.thorough
def test_gone_rows_are_deleted_and_texts_read(server: Snowflake, tmp_path: Path) -> None:
    """Keys of any type; texts become days, instants, truth and documents."""
    server.run("CREATE TABLE customers (day date, seen timestamp_ltz, ok boolean, doc variant)")
    server.run(f"GRANT DELETE ON TABLE CRM.PUBLIC.CUSTOMERS TO ROLE {ROLE}")
    server.run("INSERT INTO customers (day) VALUES ('2024-02-28'), ('2024-01-01')")
    rows = {
        "day": ["2024-02-28", "2024-02-29", "2024-02-30", "2024-03-01"],
        "seen": [None, "2024-07-01T12:00:00+02:00", None, None],
        "ok": [None, "yes", None, None],
        "doc": [None, '{"a": 1}', None, "[1"],
        "deleted": [True, False, False, False],
    }
    delivery = delivered(server, tmp_path, rows, identify_by="day", gone="delete")
    assert {3: ("wrong_value", "day"), 4: ("wrong_value", "doc")} == delivery.reasons()
    seen = dt.datetime(2024, 7, 1, 10, tzinfo=dt.UTC)
    assert [(dt.date(2024, 1, 1), None, None, None), (dt.date(2024, 2, 29), seen, True, '{"a":1}')] == server.fetch(
        "SELECT * FROM customers ORDER BY day"
    )


def test_names_are_matched_exactly_then_in_any_case() -> None:
    """The counterpart knows no two names that differ in case alone: what is chosen is looked at here."""
    assert ["name"] == matching("name", ["NAME", "name"])
    assert ["NAME", "name"] == matching("Name", ["NAME", "name", "NAMES"])
    assert ["NAME"] == matching("name", ["NAME"])
    assert [] == matching("name", ["names"])


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("CREATE VIEW customers AS SELECT 1 AS id, 1 AS score", "is a view"),
        ("CREATE TABLE customers (id bigint, score binary)", "column SCORE is a BINARY, which cannot be written"),
    ],
)
def test_what_cannot_be_written_is_named_before_the_run(
    server: Snowflake, tmp_path: Path, made: str, words: str
) -> None:
    """With the next step."""
    server.run(made)
    with pytest.raises(ConfigError, match=words) as raised:
        delivered(server, tmp_path, {"id": [1], "score": [1]})
    assert raised.value.hint


@pytest.mark.parametrize(
    ("taken", "rows", "words"),
    [
        ("SELECT ON TABLE CRM.PUBLIC.CUSTOMERS", {}, 'GRANT SELECT ON TABLE "CRM"."PUBLIC"."CUSTOMERS"'),
        ("INSERT, UPDATE ON TABLE CRM.PUBLIC.CUSTOMERS", {}, "GRANT INSERT, UPDATE ON TABLE"),
        ("", {"gone": "delete"}, "GRANT DELETE ON TABLE"),
        ("CREATE STAGE ON SCHEMA CRM.PUBLIC", {}, "GRANT CREATE TABLE, CREATE STAGE ON SCHEMA"),
    ],
)
def test_each_right_that_is_missing_is_named(
    server: Snowflake, tmp_path: Path, taken: str, rows: dict[str, Any], words: str
) -> None:
    """Before the first row, with the GRANT."""
    server.run(TABLE)
    for right in filter(None, [taken, taken.replace("TABLE CRM.PUBLIC.CUSTOMERS", "ALL TABLES IN SCHEMA CRM.PUBLIC")]):
        server.run(f"REVOKE {right} FROM ROLE {ROLE}")
    with pytest.raises(DestinationRefusedError, match=f"role {ROLE} lacks rights") as raised:
        delivered(server, tmp_path, PEOPLE, **rows)
    assert words in raised.value.hint, raised.value.hint


@pytest.mark.parametrize(
    ("write", "lost"),
    [
        ("add_and_update", {"status": 1}),
        ("append", {"MERGE": 1, "INSERT INTO": 0}),
        pytest.param("add_and_update", {"MERGE": 1, "INSERT INTO": 0}, marks=pytest.mark.thorough),
        pytest.param("add_only", {"status": 1}, marks=pytest.mark.thorough),
        pytest.param("add_only", {"MERGE": 1, "INSERT INTO": 0}, marks=pytest.mark.thorough),
        pytest.param("append", {"status": 1}, marks=pytest.mark.thorough),
    ],
)
def test_a_lost_answer_is_settled(server: Snowflake, tmp_path: Path, write: str, lost: dict[str, int]) -> None:
    """By the statement's query id, or, where that is lost too, by what the table has; nothing is doubled."""
    server.run("CREATE TABLE customers (id bigint, score int)")
    batch = pa.RecordBatch.from_pydict({"id": [1, 2, 3], "score": [1, 2, 3]})
    section = {"table": "customers", "identify_by": "id", "write": write}
    delivery = Delivery(server, tmp_path, [batch], section)

    async def lose(_: object) -> None:
        word = {"MERGE": "INSERT INTO"} if write == "append" else {}
        server.running.behave(lost={word.get(name, name): times for name, times in lost.items() if times})

    done = delivery.deliver(around=lose)
    stored = server.fetch("SELECT id, score FROM customers ORDER BY id")
    assert [(1, 1), (2, 2), (3, 3)] == stored
    if write == "append" and "MERGE" in lost:
        assert dict.fromkeys((1, 2, 3), ("in_doubt", "")) == delivery.reasons()
    else:
        assert ([1, 2, 3], 1) == (delivery.numbers(Outcome.DELIVERED), done.retries)


@pytest.mark.thorough
def test_settings_of_the_user_do_not_matter(server: Snowflake, tmp_path: Path) -> None:
    """The login itself says what a session begins with: the counterpart has no parameters of users or accounts.

    Source: docs.snowflake.com/en/sql-reference/parameters, read 2026-11.
    """
    server.run(TABLE)
    server.running.behave()
    delivered(server, tmp_path, PEOPLE)
    (login,) = server.running.seen()["logins"]
    expected = {
        "TIMEZONE": "UTC", "AUTOCOMMIT": True, "ERROR_ON_NONDETERMINISTIC_MERGE": True, "ROWS_PER_RESULTSET": 0,
        "ERROR_ON_NONDETERMINISTIC_UPDATE": True, "QUOTED_IDENTIFIERS_IGNORE_CASE": False, "LOCK_TIMEOUT": 10,
        "DATE_INPUT_FORMAT": "AUTO", "TIMESTAMP_INPUT_FORMAT": "AUTO", "MULTI_STATEMENT_COUNT": 1,
        "ABORT_DETACHED_QUERY": True,
    }  # fmt: skip
    assert expected == {name: login["SESSION_PARAMETERS"].get(name) for name in expected}


@pytest.mark.thorough
def test_nothing_is_left_behind(server: Snowflake, tmp_path: Path) -> None:
    """What is temporary is gone with the session, and the session with the run; no file stays in the stage."""
    server.run("CREATE TABLE customers (id bigint, score number(3,0))")
    before = server.running.seen()["sessions"]
    server.running.behave()
    delivered(server, tmp_path, {"id": [1, 2], "score": [1, 9999]}, settings={"rows_per_transaction": 1})
    seen = server.running.seen()
    assert (before, 1) == (seen["sessions"], len(seen["closed"]))
    made = [sql for sql in seen["statements"] if sql.startswith("CREATE")]
    assert made
    assert all("TEMPORARY" in sql for sql in made)
    copies = [sql for sql in seen["statements"] if sql.startswith("COPY INTO")]
    assert copies
    assert all(sql.endswith("PURGE = TRUE") for sql in copies)
    assert ["CUSTOMERS"] == [row[1] for row in server.fetch("SHOW TABLES IN SCHEMA CRM.PUBLIC")]


def test_a_real_account_is_named_by_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which the suite's destination is made."""
    monkeypatch.setenv("TEST_SNOWFLAKE_DESTINATION_PASSWORD", "")
    entry = entry_of("snowflake://ME:pass%2Fword@acme-shop/CRM/TESTS?warehouse=WH&role=R")
    config = Config(**entry)
    given = [config.account, config.user, config.database, config.schema_name, config.warehouse, config.role]
    assert ["acme-shop", "ME", "CRM", "TESTS", "WH", "R"] == [text and text.resolve() for text in given]
    assert config.password is not None
    assert "pass/word" == config.password.resolve()


class TestLooksAhead(SqlLooksAhead):
    """As the suite says."""

    any_case = True

"""What only ClickHouse's tables have: engines, versions, rows marked as gone, partitions, rights by another name."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.destinations.clickhouse import catalogue
from reverse_etl.destinations.clickhouse.config import Config
from reverse_etl.errors import ConfigError, DestinationRefusedError, DestinationUnavailableError, UnauthorizedError
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.clickhouse.server import Clickhouse
from reverse_etl_tests.destinations.sql.ahead import SqlLooksAhead
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.tables import delivered

REPLACES = "ENGINE = ReplacingMergeTree"
ROWS = {"id": [1, 2], "score": [10, 20]}


def made(server: Clickhouse, columns: str, engine: str) -> None:
    """The table ``customers``."""
    server.client.command(f"CREATE TABLE customers ({columns}) {engine}")


REFUSED: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("id Int64, score Int32", "ENGINE = MergeTree ORDER BY id", {}, "MergeTree, in which an updated row", "`append`"),
    (
        "id Int64, score Int32",
        "ENGINE = MergeTree ORDER BY id",
        {"write": "update_only"},
        "there twice",
        "ORDER BY (`id`)",
    ),
    (
        "id Int64, score Int32",
        "ENGINE = SummingMergeTree ORDER BY id",
        {},
        "is a SummingMergeTree",
        "ReplacingMergeTree",
    ),
    ("id Int64, score Int32", "ENGINE = Memory", {"write": "append"}, "is a Memory", "ReplacingMergeTree"),
    ("id Int64, score Int32", f"{REPLACES} ORDER BY id", {"write": "append"}, "replaces the others", "MergeTree"),
    (
        "id Int64, score Int32",
        f"{REPLACES} ORDER BY (id, score)",
        {},
        "sorted by id, score",
        "identify_by: [id, score]",
    ),
    ("id Int64, score Int32", f"{REPLACES} ORDER BY intDiv(id, 2)", {}, "by an expression", "ORDER BY (`id`)"),
    ("id Int64, score Int32", f"{REPLACES} ORDER BY tuple()", {}, "by an expression", "ORDER BY (`id`)"),
    (
        "id Int64, score Int32",
        f"{REPLACES} PARTITION BY score ORDER BY id",
        {},
        "partitioned by score",
        "version column",
    ),
    (
        "id Int64, score Int32 MATERIALIZED id",
        f"{REPLACES} ORDER BY id",
        {},
        "column score is generated",
        "Leave it out",
    ),
    ("id Int64, score Int32 ALIAS id", f"{REPLACES} ORDER BY id", {}, "column score is generated", "Leave it out"),
    ("id Int64, score Array(Int32)", f"{REPLACES} ORDER BY id", {}, "is a Array(Int32), which cannot", "Leave it out"),
    ("id Int64, score Int32, v Int8", f"{REPLACES}(v) ORDER BY id", {}, "version column v is a Int8", "UInt64"),
    ("id Int64, v UInt64, score UInt8", f"{REPLACES}(v, score) ORDER BY id", {}, "column score marks rows", "deleted"),
    ("id Int64, score Int32, n String", f"{REPLACES} ORDER BY id", {}, "needs a value for n", "Add it to the query"),
]


@pytest.mark.parametrize(("columns", "engine", "rows", "words", "hint"), REFUSED)
def test_a_table_that_cannot_take_the_rows_is_refused(
    server: Clickhouse, tmp_path: Path, columns: str, engine: str, rows: dict[str, Any], words: str, hint: str
) -> None:
    """Before the first row, with the next step."""
    made(server, columns, engine)
    with pytest.raises(ConfigError) as raised:
        delivered(server, tmp_path, ROWS, **rows)
    assert (True, True) == (words in raised.value.message, hint in str(raised.value.hint)), raised.value


def test_a_view_is_refused(server: Clickhouse, tmp_path: Path) -> None:
    """Rows do not stay in it."""
    server.run("CREATE VIEW customers AS SELECT 1 AS id, 2 AS score")
    with pytest.raises(ConfigError, match="is a View"):
        delivered(server, tmp_path, ROWS)


@pytest.mark.parametrize("engine", ["MergeTree ORDER BY score", "ReplacingMergeTree ORDER BY id"])
def test_add_only_leaves_out_what_is_there(server: Clickhouse, tmp_path: Path, engine: str) -> None:
    """In a table that replaces nothing too, whatever it is sorted by."""
    made(server, "id Int64, score Int32", f"ENGINE = {engine}")
    server.run("INSERT INTO customers VALUES (2, 5)")
    server.engine = engine
    delivery = delivered(server, tmp_path, ROWS, write="add_only")
    assert ([1], [2]) == (delivery.numbers(Outcome.DELIVERED), delivery.numbers(Outcome.EXCLUDED))
    assert [(1, 10), (2, 5)] == server.fetch("SELECT id, score FROM customers ORDER BY id")


@pytest.mark.parametrize("kind", ["UInt32", "UInt64", "DateTime", "DateTime64(3)", "Date", "Int64"])
def test_the_version_is_the_start_of_the_run(server: Clickhouse, tmp_path: Path, kind: str) -> None:
    """So its row is the newest; an older run's would not be, and is named. One that is newer already stays so."""
    made(server, f"id Int64, score Int32, v {kind}", f"{REPLACES}(v) ORDER BY id")
    for folder, score in (("1", 1), ("2", 2)):
        delivered(server, tmp_path / folder, {"id": [1, 2], "score": [score, 7]})
    assert [(1, 2), (2, 7)] == server.fetch("SELECT id, score FROM customers ORDER BY id")
    assert [(2,)] == server.fetch(
        "SELECT count() FROM customers WHERE abs(toUnixTimestamp(toDateTime(v)) - toUnixTimestamp(now())) < 90000"
    )
    later = "toDateTime('2099-01-01 00:00:00')"
    server.run(f"INSERT INTO customers SELECT 1, 5, {later}")
    assert [1] == delivered(server, tmp_path / "3", {"id": [1], "score": [6]}).numbers(Outcome.DELIVERED)
    assert [(6,)] == server.fetch("SELECT score FROM customers WHERE id = 1")


def test_a_version_of_the_query_decides(server: Clickhouse, tmp_path: Path) -> None:
    """A row that is older than what the table has is written, does not show, and is named."""
    made(server, "id Int64, score Int32, v UInt64", f"{REPLACES}(v) ORDER BY id")
    server.run("INSERT INTO customers VALUES (1, 5, 50), (2, 5, 50)")
    delivery = delivered(server, tmp_path, {"id": [1, 2], "score": [6, 6], "v": [51, 49]})
    assert {2: ("not_applied", "")} == delivery.reasons()
    assert [(1, 6, 51), (2, 5, 50)] == server.fetch("SELECT * FROM customers ORDER BY id")


def test_rows_that_are_gone_are_marked_where_the_engine_has_a_mark(server: Clickhouse, tmp_path: Path) -> None:
    """And may come back; what they had in other columns stays in their marked row."""
    made(
        server,
        "id Int64, score Nullable(Int32), note String DEFAULT 'x', v UInt64, gone UInt8",
        f"{REPLACES}(v, gone) ORDER BY id",
    )
    delivered(server, tmp_path / "1", {"id": [1, 2, 3], "score": [1, 2, 3]})
    rows = {"id": [1, 2], "score": [None, 20], "deleted": [True, False]}
    delivery = delivered(server, tmp_path / "2", rows, gone="delete")
    assert ([1, 2], {}) == (delivery.numbers(Outcome.DELIVERED), delivery.reasons())
    assert [(2, 20), (3, 3)] == server.fetch("SELECT id, score FROM customers ORDER BY id")
    assert [(1, 1, "x", 1)] == server.client.query(
        "SELECT id, score, note, gone FROM customers WHERE gone", settings={"final": 0}
    ).result_rows
    assert [1] == delivered(server, tmp_path / "3", {"id": [1], "score": [9]}).numbers(Outcome.DELIVERED)
    assert [(1, 9)] == server.fetch("SELECT id, score FROM customers WHERE id = 1")


def test_a_row_is_inserted_with_what_it_has_in_other_columns(server: Clickhouse, tmp_path: Path) -> None:
    """Of any type; what is computed is computed again."""
    made(
        server,
        "id Int64, score Int32, tags Array(String), map Map(String, Int8) DEFAULT map(), pair Tuple(a Int8, b String) "
        "DEFAULT (0, ''), double Int64 MATERIALIZED score * 2, e Int8 EPHEMERAL, kind LowCardinality(Nullable(String))",
        f"{REPLACES} ORDER BY id",
    )
    server.run("INSERT INTO customers (id, score, tags, map, pair, kind) VALUES (1, 1, ['a'], {'x': 1}, (2, 'b'), 'z')")
    delivered(server, tmp_path, {"id": [1], "score": [4]}, write="update_only")
    assert [(4, ["a"], {"x": 1}, {"a": 2, "b": "b"}, "z", 8)] == server.fetch(
        "SELECT score, tags, map, pair, kind, double FROM customers"
    )


def test_rows_that_move_to_another_partition_are_there_once(server: Clickhouse, tmp_path: Path) -> None:
    """A version column tells which is the newest, whatever partition it is in."""
    made(server, "id Int64, score Int32, v DateTime", f"{REPLACES}(v) PARTITION BY score ORDER BY id")
    for folder, score in (("1", 9), ("2", 3), ("3", 5)):
        delivered(server, tmp_path / folder, {"id": [1], "score": [score]})
    assert [(1, 5)] == server.fetch("SELECT id, score FROM customers")


@pytest.mark.parametrize(
    ("name", "quoted"), [("a`b", "`a\\`b`"), ("back\\slash", "`back\\\\slash`"), ("dot.ted", "`dot.ted`")]
)
def test_names_hold_any_character(server: Clickhouse, tmp_path: Path, name: str, quoted: str) -> None:
    """Of a table, of its key and of a check."""
    server.client.command(
        f"CREATE TABLE {quoted} ({quoted} Int64, x Int32, CONSTRAINT {quoted} CHECK {quoted} < 9 AND x != 3) "
        f"{REPLACES} ORDER BY {quoted}"
    )
    delivery = delivered(server, tmp_path, {name: [1, 9, 4], "x": [1, 1, 3]}, table=name, identify_by=name)
    assert {2: ("breaks_check", f"{name}, x"), 3: ("breaks_check", f"{name}, x")} == delivery.reasons()
    assert [(1, 1)] == server.fetch(f"SELECT * FROM {quoted}")


def test_a_table_of_another_database_is_named_with_it(server: Clickhouse, tmp_path: Path) -> None:
    """As `database.table`."""
    server.run(TABLE)
    delivery = delivered(server, tmp_path, PEOPLE, table="crm.customers", settings={"database": EnvText("default")})
    assert [1, 2, 3] == delivery.numbers(Outcome.DELIVERED)


def test_a_check_of_a_column_that_is_not_written_fails_rows_alone(server: Clickhouse, tmp_path: Path) -> None:
    """What the row would have there is the server's to know: halves find the rows."""
    made(
        server,
        "id Int64, score Int32, n Int32 DEFAULT score * 2, CONSTRAINT few CHECK n < 50",
        f"{REPLACES} ORDER BY id",
    )
    delivery = delivered(server, tmp_path, {"id": [1, 2, 3], "score": [1, 30, 3]})
    assert {2: ("breaks_check", "")} == delivery.reasons()
    assert [(1, 2), (3, 6)] == server.fetch("SELECT id, n FROM customers ORDER BY id")


def test_a_check_of_a_computed_column_fails_rows_that_exist_alone(server: Clickhouse, tmp_path: Path) -> None:
    """Likewise: such a column is not among those that are written again."""
    made(
        server,
        "id Int64, score Int32, twice Int32 MATERIALIZED score * 2, CONSTRAINT few CHECK twice < 50",
        f"{REPLACES} ORDER BY id",
    )
    delivered(server, tmp_path / "1", ROWS)
    delivery = delivered(server, tmp_path / "2", {"id": [1, 2], "score": [30, 3]})
    assert {1: ("breaks_check", "")} == delivery.reasons()
    assert [(1, 10), (2, 3)] == server.fetch("SELECT id, score FROM customers ORDER BY id")


def test_rows_are_put_to_the_checks_first_after_a_slice_that_broke_some(server: Clickhouse, tmp_path: Path) -> None:
    """New rows and others: with no more than the columns of the checks, and inserted once; until none breaks any."""
    made(
        server,
        "id Int64, score Int32, name String DEFAULT 'x', CONSTRAINT few CHECK score < 50",
        f"{REPLACES} ORDER BY id",
    )
    delivered(server, tmp_path / "1", {"id": [4, 5], "score": [1, 1]})
    server.running.requests()
    scores = [1, 90, 1, 9, 90, 1, 1, 1, 1, 90]
    rows = {"id": [*range(1, 11)], "score": scores, "name": ["y"] * 10}
    delivery = delivered(server, tmp_path / "2", rows, settings={"rows_per_transaction": 2})
    assert dict.fromkeys((2, 5, 10), ("breaks_check", "score")) == delivery.reasons()
    stored = [(1, 1), (3, 1), (4, 9), (5, 1), (6, 1), (7, 1), (8, 1), (9, 1)]
    assert stored == server.fetch("SELECT id, score FROM customers ORDER BY id")
    asked = [each["statement"] for each in server.running.requests()]
    asked = [each for each in asked if each.startswith("INSERT") or "arrayFilter" in each]
    puts = ["few" if "arrayFilter" in each else "insert" for each in asked if "WHERE 0" not in each]
    of_slices = [
        ["insert", "few", "insert"],
        ["few", "insert", "few", "insert"],
        ["insert", "few", "insert"],
        ["few", "insert"],
        ["insert", "few", "insert"],
    ]
    assert [put for of_slice in of_slices for put in of_slice] == puts


@pytest.mark.parametrize(
    ("created", "checks"),
    [
        ("CREATE TABLE a.b (`x` Int8, CONSTRAINT c CHECK x < 3) ENGINE = E", [("c", "x < 3", ("x",))]),
        ("CREATE TABLE a.b (`x` Int8, CONSTRAINT c ASSUME x < 3) ENGINE = E", []),
        (
            "CREATE TABLE a.`(b` (`x` String DEFAULT ', CONSTRAINT', CONSTRAINT `a,b` CHECK x IN ('y', ')'), INDEX i x "
            "TYPE set(9))",
            [("a,b", "x IN ('y', ')')", ("x",))],
        ),
    ],
)
def test_checks_are_read_from_the_statement_that_made_the_table(
    created: str, checks: list[tuple[str, str, tuple[str, ...]]]
) -> None:
    """Whatever its names and texts hold."""
    column: Any = None
    assert checks == [(each.name, each.condition, each.columns) for each in catalogue._checks(created, {"x": column})]


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"password": Secret("${TEST_WRONG}")}, UnauthorizedError, "user writer or the password was refused"),
        ({"database": EnvText("crmm")}, DestinationRefusedError, "there is no database crmm"),
        ({"ca_file": None}, DestinationRefusedError, "not by an authority"),
        ({"host": EnvText("127.0.0.1")}, DestinationRefusedError, "for another name than 127.0.0.1"),
        ({"tls": "disable"}, DestinationUnavailableError, "closed the connection|is not ClickHouse"),
        ({"port": 1}, DestinationUnavailableError, "nothing answers at localhost port 1"),
        ({"host": EnvText("nowhere.invalid")}, DestinationUnavailableError, "no host nowhere.invalid"),
    ],
)
def test_each_failure_of_a_login_has_its_sentence(
    server: Clickhouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    error: Any,
    words: str,
) -> None:
    """With what to do, and without the password."""
    monkeypatch.setenv("TEST_WRONG", "wrong-secret")
    server.run(TABLE)
    with pytest.raises(error, match=words) as raised:
        delivered(server, tmp_path, PEOPLE, settings=settings)
    assert raised.value.hint
    assert "wrong-secret" not in f"{raised.value}{raised.value.hint}"


@pytest.mark.parametrize(("port", "http"), [(9000, 8123), (9440, 8443)])
def test_the_port_of_the_native_protocol_is_recognised(port: int, http: int) -> None:
    """Before anything is asked there."""
    with pytest.raises(ValueError, match=f"{port} is the port of ClickHouse's native protocol; that of HTTP is {http}"):
        Config(name="crm", host=EnvText("x"), port=port, database=EnvText("x"), user=EnvText("x"))


@pytest.mark.parametrize(("tls", "port"), [("verify-full", 8443), ("require", 8443), ("disable", 8123)])
def test_the_usual_port_is_that_of_https(tls: Any, port: int) -> None:
    """Or that of HTTP, without TLS."""
    config = Config(name="crm", host=EnvText("x"), database=EnvText("x"), user=EnvText("x"), tls=tls)
    assert ("x", port) == config.place


@pytest.mark.parametrize("tls", ["require", "disable"])
def test_other_settings_of_tls(server: Clickhouse, tmp_path: Path, tls: str) -> None:
    """Encrypted without a look at the certificate, or not at all."""
    server.run(TABLE)
    port = server.running.plain_port if tls == "disable" else server.port
    settings = {"tls": tls, "ca_file": None, "port": port, "host": EnvText("127.0.0.1")}
    assert [1, 2, 3] == delivered(server, tmp_path, PEOPLE, settings=settings).numbers(Outcome.DELIVERED)


def test_a_proxy_of_the_environment_is_not_used(
    server: Clickhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows and password are for the server alone."""
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.run(TABLE)
    assert [1, 2, 3] == delivered(server, tmp_path, PEOPLE).numbers(Outcome.DELIVERED)


class TestLooksAhead(SqlLooksAhead):
    """As the suite says."""


PROFILE = {
    "session_timezone": "Asia/Tokyo", "date_time_input_format": "best_effort", "limit": "1", "final": "1",
    "use_query_cache": "1", "query_cache_nondeterministic_function_handling": "ignore",
    "query_cache_system_table_handling": "ignore", "apply_deleted_mask": "0", "transform_null_in": "1",
    "cast_keep_nullable": "1", "join_use_nulls": "0", "prefer_column_name_to_alias": "0", "max_block_size": "1",
    "input_format_null_as_default": "1", "insert_null_as_default": "1", "insert_deduplicate": "0",
    "async_insert": "1", "wait_for_async_insert": "0", "lightweight_deletes_sync": "0",
    "output_format_arrow_low_cardinality_as_dictionary": "1",
}  # fmt: skip


def test_settings_of_the_user_do_not_matter(server: Clickhouse, tmp_path: Path) -> None:
    """Whatever the sessions of its profile begin with: zone, NULL, limits, caches, rows that are deleted later."""
    server.client.command(
        "CREATE TABLE customers (id Int64, at DateTime64(6), n Nullable(Int32), s LowCardinality(String), "
        "other String DEFAULT 'x', CONSTRAINT few CHECK n < 900) ENGINE = ReplacingMergeTree ORDER BY id"
    )
    server.client.command(
        "INSERT INTO customers (id, at, n, s) VALUES (1, 0, 1, 'old'), (2, 0, 2, 'old'), (7, 0, 7, 'gone'), "
        "(8, 0, 8, 'gone')"
    )
    server.running.begin_with(**PROFILE)
    at = dt.datetime(2024, 7, 1, 22, 30, tzinfo=dt.UTC)
    instants = pa.array([at] * 6, pa.timestamp("us", "UTC"))
    rows = {"id": [*range(1, 7)], "at": instants, "n": [10, 20, 30, 40, 900, 60], "s": ["a", "b", "", "d", "e", None]}
    for folder in ("1", "2"):
        delivery = delivered(server, tmp_path / folder, rows)
        assert {5: ("breaks_check", "n"), 6: ("null", "s")} == delivery.reasons()
    gone = {"id": [7, 8], "n": [1, 1], "deleted": [True, True]}
    for folder in ("3", "4"):
        delivery = delivered(server, tmp_path / folder, gone, gone="delete", write="update_only")
        assert [1, 2] == delivery.numbers(Outcome.DELIVERED)
    stored = [(1, at, 10, "a", "x"), (2, at, 20, "b", "x"), (3, at, 30, "", "x"), (4, at, 40, "d", "x")]
    assert stored == server.fetch("SELECT id, at, n, s, other FROM customers ORDER BY id")


@pytest.mark.parametrize("limited", ["set", "join"])
def test_a_limit_that_would_cut_results_short_ends_the_run(server: Clickhouse, tmp_path: Path, limited: str) -> None:
    """Rows that are there would be taken for missing: the run says which kind of limit it is."""
    server.run(TABLE)
    server.run("INSERT INTO customers VALUES (1, 'a', 1, 'x'), (2, 'b', 2, 'x'), (3, 'c', 3, 'x')")
    server.running.begin_with(**{f"max_rows_in_{limited}": "1", f"{limited}_overflow_mode": "break"})
    with pytest.raises(DestinationRefusedError, match="a limit of the user's profile") as refused:
        delivered(server, tmp_path, PEOPLE)
    assert "rows_per_transaction" in str(refused.value.hint)
    assert [(1, 1), (2, 2), (3, 3)] == server.fetch("SELECT id, score FROM customers ORDER BY id")

"""What only MySQL's tables have: its types, collations, engines, modes and rights."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from reverse_etl.config.environment import EnvText
from reverse_etl.destinations.mysql.blocks import left_places
from reverse_etl.errors import ConfigError, DestinationError, DestinationRefusedError, UnauthorizedError
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.mysql.server import ACCOUNT, DATABASE, USER, Mysql
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.tables import delivered
from reverse_etl_tests.servers.mariadb import PASSWORD_VARIABLE

AT = dt.datetime(2024, 7, 1, 12, 30, 15, 987_654, tzinfo=dt.UTC)
FIRST = dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC)

VALUES: list[tuple[str, Any, Any]] = [
    ("uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("enum('sad','it''s','a\\\\b')", "it's", "it's"),
    ("enum('sad','it''s','a\\\\b')", "a\\b", "a\\b"),
    ("set('a','b')", "a,b", "a,b"),
    ("float", 0.1, 0.1),
    ("decimal(6,2)", 0.125, Decimal("0.13")),
    ("decimal(6,2) unsigned", 7, Decimal(7)),
    ("char(5)", "ab", "ab"),
    ("char(5)", "ab  ", "ab"),
    ("time", "12:30", dt.timedelta(hours=12, minutes=30)),
    ("time(3)", "-25:30:01.5", -dt.timedelta(hours=25, minutes=30, seconds=1.5)),
    ("year", 2024, 2024),
    ("bit(1)", True, b"\x01"),
    ("bit(12)", 4095, b"\x0f\xff"),
    ("tinyint(1)", False, 0),
    ("bigint unsigned", "18446744073709551615", 2**64 - 1),
    ("bigint unsigned", 2**63 - 1, 2**63 - 1),
    ("inet6", "::1", "::1"),
    ("varbinary(9)", "ab\0é", "ab\0é".encode()),
    ("binary(4)", "ab", b"ab\0\0"),
    ("blob", "ab", b"ab"),
    ("longtext", "x" * 70_000, "x" * 70_000),
    ("datetime", AT, dt.datetime(2024, 7, 1, 12, 30, 15)),  # noqa: DTZ001
    ("datetime(3)", AT, dt.datetime(2024, 7, 1, 12, 30, 15, 987_000)),  # noqa: DTZ001
    ("timestamp(2) NULL", AT, dt.datetime(2024, 7, 1, 12, 30, 15, 980_000, tzinfo=dt.UTC)),
    (
        "timestamp NULL",
        dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC),
        dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC),
    ),
    ("datetime", "2024-07-01T12:00:00", dt.datetime(2024, 7, 1, 12)),  # noqa: DTZ001
    ("date", "2024-02-29", dt.date(2024, 2, 29)),
    ("json", '{"b": 1,  "a": 2}', '{"b": 1,  "a": 2}'),
    ("varchar(9) CHARACTER SET latin1", "é", "é"),
    ("varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "A ", "A "),
    ("int", "7", 7),
    ("varchar(9)", 12, "12"),
    ("varchar(9)", True, "true"),
]


@pytest.mark.parametrize(("kind", "value", "stored"), VALUES)
def test_values_of_a_type_arrive_and_are_no_change_again(
    server: Mysql, tmp_path: Path, kind: str, value: Any, stored: Any
) -> None:
    """Compared as the table has them: what it rounds, pads or spells in its own way is not written each time."""
    server.run(f"CREATE TABLE customers (id bigint PRIMARY KEY, x {kind}); CREATE TABLE writes (id bigint)")
    server.run("CREATE TRIGGER counts AFTER UPDATE ON customers FOR EACH ROW INSERT INTO writes VALUES (new.id)")
    values = pa.array([value, None], pa.timestamp("us", "UTC")) if isinstance(value, dt.datetime) else [value, None]
    for folder in ("1", "2"):
        delivery = delivered(server, tmp_path / folder, {"id": [1, 2], "x": values})
        assert ([1, 2], {}) == (delivery.numbers(Outcome.DELIVERED), delivery.reasons())
    ((found,), (none,)) = server.fetch("SELECT x FROM customers ORDER BY id")
    assert (pytest.approx(stored) if isinstance(stored, float) else stored, None) == (found, none)
    assert [(0,)] == server.fetch("SELECT count(*) FROM writes")


REFUSED: list[tuple[str, Any, str]] = [
    ("enum('sad','glad')", "Glad", "not_an_allowed_value"),
    ("set('a','b')", "c", "wrong_value"),
    ("tinyint", 128, "out_of_range"),
    ("tinyint unsigned", -1, "out_of_range"),
    ("mediumint", 2**23, "out_of_range"),
    ("int unsigned", 2**32, "out_of_range"),
    ("bigint unsigned", "18446744073709551616", "out_of_range"),
    ("bigint unsigned", 2.0**63, "out_of_range"),
    ("year", 1900, "out_of_range"),
    ("bit(2)", 4, "out_of_range"),
    ("decimal(5,2) unsigned", -1, "out_of_range"),
    ("decimal(5,2)", float("nan"), "not_a_number"),
    ("double", float("inf"), "not_a_number"),
    ("double", "nan", "not_a_number"),
    ("double unsigned", -0.5, "out_of_range"),
    ("float", 3.5e38, "out_of_range"),
    ("varchar(3)", "abcd", "too_long"),
    ("varchar(3) NOT NULL", None, "null"),
    ("tinytext", "é" * 128, "too_long"),
    ("tinyblob", "x" * 256, "too_long"),
    ("binary(2)", "abc", "too_long"),
    ("varchar(9) CHARACTER SET latin1", "日本", "not_in_encoding"),
    ("varchar(9) CHARACTER SET utf8mb3", "🙂", "not_in_encoding"),
    ("date", "2024-02-30", "wrong_value"),
    ("date", "0000-00-00", "wrong_value"),
    ("time", "noon", "wrong_value"),
    ("inet6", "nowhere", "wrong_value"),
    ("timestamp NULL", dt.datetime(2039, 1, 1, tzinfo=dt.UTC), "out_of_range"),
    ("timestamp NULL", dt.datetime(1960, 1, 1, tzinfo=dt.UTC), "out_of_range"),
    ("json", "{", "breaks_check"),
    ("varchar(9)", b"ab", "wrong_type"),
]


@pytest.mark.parametrize(("kind", "value", "reason"), REFUSED)
def test_a_value_that_a_type_does_not_take_fails_its_row_alone(
    server: Mysql, tmp_path: Path, kind: str, value: Any, reason: str
) -> None:
    """Found in Arrow or named by the server; nothing is cut, clamped or zeroed, and the row beside it is stored."""
    server.run(f"CREATE TABLE customers (id bigint PRIMARY KEY, x {kind}, y int)")
    values = pa.array([value], pa.timestamp("us", "UTC")) if isinstance(value, dt.datetime) else [value]
    update = {"id": [1, 2, 3], "y": [1, 2, 3]}
    if "NOT NULL" in kind:
        server.run("ALTER TABLE customers ALTER COLUMN x SET DEFAULT 'x'")
    delivered(server, tmp_path / "0", update)
    before = server.fetch("SELECT x FROM customers")
    rows = {"id": [2], "x": values, "y": [9]}
    delivery = delivered(server, tmp_path / "1", rows)
    assert {1: (reason, "x")} == delivery.reasons()
    assert before == server.fetch("SELECT x FROM customers")


COLLATIONS = [
    ("utf8mb4_general_ci", ["a@x", "A@X", "á@x", "a@x "], 1),
    ("utf8mb4_unicode_520_nopad_ci", ["a@x", "A@X", "á@x", "a@x "], 2),
    ("utf8mb4_bin", ["a@x", "A@X", "á@x", "a@x "], 3),
    ("utf8mb4_nopad_bin", ["a@x", "A@X", "á@x", "a@x "], 4),
    ("latin1_swedish_ci", ["a@x", "A@X", "á@x", "b@x"], 2),
]


@pytest.mark.parametrize(("collation", "keys", "distinct"), COLLATIONS)
@pytest.mark.parametrize("key", ["PRIMARY KEY", ""])
def test_keys_are_equal_where_the_collation_has_them_equal(
    server: Mysql, tmp_path: Path, collation: str, keys: list[str], distinct: int, key: str
) -> None:
    """The first of them is written, the others are refused; a later spelling finds the row, which takes it."""
    charset = collation.partition("_")[0]
    kind = f"varchar(40) CHARACTER SET {charset} COLLATE {collation}"
    server.run(f"CREATE TABLE customers (email {kind} {key}, score int)")
    delivery = delivered(server, tmp_path / "1", {"email": keys, "score": [1] * len(keys)}, identify_by="email")
    stored = server.fetch("SELECT email FROM customers")
    assert (distinct, len(keys) - distinct) == (len(stored), len(delivery.reasons()))
    assert {("duplicate_key", "email")} >= set(delivery.reasons().values())
    delivered(server, tmp_path / "2", {"email": [keys[1]], "score": [2]}, identify_by="email")
    assert distinct == len(server.fetch("SELECT * FROM customers"))
    assert [(keys[1],)] == server.fetch("SELECT email FROM customers WHERE score = 2")


def test_update_only_leaves_the_key_as_it_is(server: Mysql, tmp_path: Path) -> None:
    """It finds rows by it, and does without the right to write it."""
    server.run(
        "CREATE TABLE customers (email varchar(40) PRIMARY KEY, score int); INSERT INTO customers VALUES ('A', 0)"
    )
    delivered(server, tmp_path, {"email": ["a"], "score": [1]}, identify_by="email", write="update_only")
    assert [("A", 1)] == server.fetch("SELECT * FROM customers")


def test_a_spelling_that_other_tables_refer_to(server: Mysql, tmp_path: Path) -> None:
    """Where the reference forbids it, the row is refused; where it follows, the others follow."""
    for rule in ("RESTRICT", "CASCADE"):
        server.run("DROP TABLE IF EXISTS orders, customers; CREATE TABLE customers (email varchar(40) PRIMARY KEY)")
        server.run(
            "CREATE TABLE orders (email varchar(40), FOREIGN KEY (email) REFERENCES customers (email) "
            f"ON UPDATE {rule}); INSERT INTO customers VALUES ('A'); INSERT INTO orders VALUES ('A')"
        )
        delivery = delivered(server, tmp_path / rule, {"email": ["a"]}, identify_by="email")
        outcome = {} if rule == "CASCADE" else {1: ("referenced", "")}
        stored = "a" if rule == "CASCADE" else "A"
        assert (outcome, [(stored,)]) == (delivery.reasons(), server.fetch("SELECT email FROM customers"))


KEYS: list[tuple[str, list[Any], list[Any]]] = [
    ("varchar(40)", ["A", "b"], ["a", "b"]),
    ("varchar(40) COLLATE utf8mb4_bin", ["A", "b"], ["A"]),
    ("datetime", [AT.replace(microsecond=0), FIRST], [AT.replace(microsecond=0)]),
    ("timestamp", [AT.replace(microsecond=0), FIRST], [str(int(AT.timestamp()))]),
    ("date", [dt.date(2024, 2, 29), dt.date(2024, 3, 1)], ["2024-02-29"]),
    ("tinyint(1)", [True, False], ["true"]),
    ("decimal(6,2)", ["1.50", "2.00"], ["1.5"]),
    ("bigint unsigned", ["18446744073709551615", "1"], ["18446744073709551615"]),
]


@pytest.mark.parametrize(("kind", "keys", "gone"), KEYS)
def test_rows_that_are_gone_are_found_by_their_keys(
    server: Mysql, tmp_path: Path, kind: str, keys: list[Any], gone: list[Any]
) -> None:
    """Also as identifiers are written; a key that is spelt otherwise now is that of another row."""
    server.run(f"CREATE TABLE customers (id {kind} PRIMARY KEY, score int); GRANT DELETE ON customers TO {ACCOUNT}")

    def column(values: list[Any]) -> Any:
        return pa.array(values, pa.timestamp("us", "UTC")) if isinstance(values[0], dt.datetime) else values

    delivered(server, tmp_path / "1", {"id": column(keys), "score": [0] * len(keys)})
    rows = {"id": column(gone), "deleted": [True] * len(gone)}
    delivery = delivered(server, tmp_path / "2", rows, gone="delete")
    assert {} == delivery.reasons()
    assert 1 == len(server.fetch("SELECT * FROM customers"))


def test_a_key_that_does_not_fit_is_not_deleted(server: Mysql, tmp_path: Path) -> None:
    """It is a failed row; the others are deleted."""
    server.run("CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers VALUES (1), (2)")
    server.run(f"GRANT DELETE ON customers TO {ACCOUNT}")
    delivery = delivered(server, tmp_path, {"id": ["x", "2"], "deleted": [True, True]}, gone="delete")
    assert ([1], [(1,)]) == (delivery.numbers(Outcome.REFUSED), server.fetch("SELECT id FROM customers"))


def test_numbers_are_not_used_up_by_rows_that_exist(server: Mysql, tmp_path: Path) -> None:
    """A table that numbers its rows itself: only new ones take a number."""
    server.run("CREATE TABLE customers (n int AUTO_INCREMENT PRIMARY KEY, id bigint UNIQUE, score int)")
    for run in range(3):
        delivered(server, tmp_path / str(run), {"id": [1, 2, 3], "score": [run, run, run]})
    delivered(server, tmp_path / "new", {"id": [4], "score": [0]})
    # InnoDB reserves numbers for a statement in powers of two.
    assert [(1,), (2,), (3,), (4,)] == server.fetch("SELECT id FROM customers ORDER BY n")
    assert [(True,)] == server.fetch("SELECT max(n) < 8 FROM customers")


def test_the_key_0_of_a_numbered_table_stays_0(server: Mysql, tmp_path: Path) -> None:
    """It would become the next number, each time."""
    server.run("CREATE TABLE customers (id bigint AUTO_INCREMENT PRIMARY KEY, score int)")
    for run in ("1", "2"):
        delivered(server, tmp_path / run, {"id": [0], "score": [int(run)]})
    assert [(0, 2)] == server.fetch("SELECT * FROM customers")


def test_another_rows_unique_value_is_never_taken(server: Mysql, tmp_path: Path) -> None:
    """New rows and changed ones, by a unique key of one column or of several: the row that has it is untouched."""
    server.run(
        "CREATE TABLE customers (id bigint PRIMARY KEY, email varchar(40) UNIQUE, shop int, number int, "
        "UNIQUE KEY by_number (shop, number)); INSERT INTO customers VALUES (8, 'h@x', 1, 8), (9, 'i@x', 1, 9)"
    )
    rows = {"id": [1, 8, 2], "email": ["I@X", "h@x", "b@x"], "shop": [1, 1, 1], "number": [1, 9, 2]}
    delivery = delivered(server, tmp_path, rows)
    assert {1: ("duplicate_value", "email"), 2: ("duplicate_value", "shop, number")} == delivery.reasons()
    assert [(2, "b@x", 1, 2), (8, "h@x", 1, 8), (9, "i@x", 1, 9)] == server.fetch("SELECT * FROM customers ORDER BY id")


@pytest.mark.parametrize("score", [3, 5000])
def test_bad_rows_among_new_and_old_ones_are_named(server: Mysql, tmp_path: Path, score: int) -> None:
    """By the warnings of one statement; but not where, as for a score of 5,000, it would store a value of its own."""
    server.run("CREATE TABLE plans (id int PRIMARY KEY); INSERT INTO plans VALUES (1)")
    server.run(
        "CREATE TABLE customers (id bigint PRIMARY KEY, email varchar(9) UNIQUE, plan int, score int, "
        "CHECK (score <> 77), tens smallint AS (score * 10) STORED, FOREIGN KEY (plan) REFERENCES plans (id)); "
        "INSERT INTO customers (id, email, plan, score) "
        "VALUES (2, '2@x', 1, 0), (5, '5@x', 1, 1), (99, 'taken@x', 1, 1)"
    )
    columns = {
        "id": list(range(1, 9)),
        "email": ["1@x", "2@x", "taken@x", "4@x", "5@x", "6@x", "7@x", "1@x"],
        "plan": [1, 1, 1, 7, 1, 1, 1, 1],
        "score": [1, 2, 1, 1, 1, 77, score, 1],
    }
    delivery = delivered(server, tmp_path, columns)
    bad = {3: ("duplicate_value", "email"), 4: ("missing_reference", "plan"), 6: ("breaks_check", "score")}
    bad |= {8: ("duplicate_value", "email")} | ({7: ("out_of_range", "tens")} if score == 5000 else {})
    assert bad == delivery.reasons()
    there = [(n, columns["score"][n - 1] * 10) for n in range(1, 9) if n not in bad]
    assert [*there, (99, 10)] == server.fetch("SELECT id, tens FROM customers ORDER BY id")


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("2", []),
        ("1 2", [7]),
        ("0 2 1", [4, 7]),
        ("", None),
        ("1 0", None),
        ("2 1", None),
        ("0 1 1", None),
        ("1 3", None),
    ],
)
def test_rows_are_left_out_only_where_all_is_accounted_for(text: str, places: list[int] | None) -> None:
    """Of two rows, each is added or has the one warning that leaves it out; whatever else, none is said to be."""
    left = left_places(text, np.array([4, 7]))
    assert places == (None if left is None else left.tolist())


def test_a_row_without_a_partition_is_named(server: Mysql, tmp_path: Path) -> None:
    """The others are stored."""
    server.run(
        "CREATE TABLE customers (id bigint PRIMARY KEY, x int) PARTITION BY RANGE (id) "
        "(PARTITION few VALUES LESS THAN (10))"
    )
    delivery = delivered(server, tmp_path, {"id": [1, 10], "x": [5, 6]})
    assert ({2: ("no_partition", "")}, [(1, 5)]) == (delivery.reasons(), server.fetch("SELECT * FROM customers"))


def test_a_row_that_is_longer_than_a_statement_may_be(server: Mysql, tmp_path: Path) -> None:
    """It fails alone; long rows that fit come one in a statement."""
    server.run("CREATE TABLE customers (id bigint PRIMARY KEY, x longtext)")
    ((before,),) = server.fetch("SELECT @@global.max_allowed_packet")
    server.run("SET GLOBAL max_allowed_packet = 1048576")
    try:
        texts = ["x" * 900_000, "x" * 1_100_000, "\\" * 600_000, "y" * 900_000]
        delivery = delivered(server, tmp_path, {"id": [1, 2, 3, 4], "x": texts})
        assert {2: ("too_long", ""), 3: ("too_long", "")} == delivery.reasons()
        assert [(1, 900_000), (4, 900_000)] == server.fetch("SELECT id, length(x) FROM customers ORDER BY id")
    finally:
        server.run(f"SET GLOBAL max_allowed_packet = {before}")


MODES = {
    "sql_mode": ("''", "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,PAD_CHAR_TO_FULL_LENGTH'"),
    "time_zone": ("'+09:00'",),
    "foreign_key_checks": ("OFF",),
    "check_constraint_checks": ("OFF",),
    "autocommit": ("OFF",),
    "tx_read_only": ("ON",),
    "tx_isolation": ("'SERIALIZABLE'",),
    "completion_type": ("'CHAIN'",),
    "sql_safe_updates": ("ON",),
    "sql_select_limit": ("1",),
    "group_concat_max_len": ("4",),
    "collation_connection": ("'latin1_bin'",),
    "max_join_size": ("1",),
    "binlog_format": ("'STATEMENT'",),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in MODES.items() for value in values])
def test_settings_of_the_server_do_not_matter(server: Mysql, tmp_path: Path, name: str, value: str) -> None:
    """Whatever its sessions begin with."""
    server.run(
        "CREATE TABLE plans (id int PRIMARY KEY); INSERT INTO plans VALUES (1); CREATE TABLE customers "
        "(id bigint PRIMARY KEY, m varchar(9), t timestamp NULL, plan int, score int CHECK (score < 9), "
        "FOREIGN KEY (plan) REFERENCES plans (id))"
    )
    ((before,),) = server.fetch(f"SELECT @@global.{name}")
    server.run(f"SET GLOBAL {name} = {value}")
    try:
        batch = {
            "id": [1, 2, 3], "m": ["\\'", "x", "y"], "t": pa.array([AT] * 3, pa.timestamp("us", "UTC")),
            "plan": [1, 7, 1], "score": [1, 1, 9],
        }  # fmt: skip
        delivery = delivered(server, tmp_path, batch)
    finally:
        server.run(f"SET GLOBAL {name} = {before if isinstance(before, int) else repr(before)}")
    assert {2: ("missing_reference", "plan"), 3: ("breaks_check", "score")} == delivery.reasons()
    assert [("\\'", AT.replace(microsecond=0))] == server.fetch("SELECT m, t FROM customers")


def test_nothing_is_left_behind(server: Mysql, tmp_path: Path) -> None:
    """Temporary tables are gone with the connection, and the connection with the run."""
    server.run("CREATE TABLE customers (id bigint PRIMARY KEY, score int CHECK (score < 9))")
    delivered(server, tmp_path, {"id": [1, 2], "score": [1, 9]})
    assert [("customers",)] == server.fetch("SHOW TABLES")
    assert [] == server.fetch(f"SELECT id FROM information_schema.processlist WHERE user = '{USER}'")


def test_a_table_of_another_database(server: Mysql, tmp_path: Path) -> None:
    """Before the table's name; a name with a dot is a name first."""
    server.run(
        "CREATE OR REPLACE DATABASE other; CREATE TABLE other.customers (id bigint PRIMARY KEY); "
        f"GRANT SELECT, INSERT, UPDATE ON other.customers TO {ACCOUNT}; "
        "CREATE TABLE `other.customers` (id bigint PRIMARY KEY)"
    )
    try:
        delivered(server, tmp_path / "2", {"id": [2]}, table="other.customers")
        server.run("DROP TABLE `other.customers`")
        delivered(server, tmp_path / "3", {"id": [3]}, table="other.customers")
        assert [(3,)] == server.fetch("SELECT id FROM other.customers ORDER BY id")
    finally:
        server.run("DROP DATABASE other")


ASKED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("CREATE VIEW customers AS SELECT 1 AS id", {"id": [1]}, {}, "is a view"),
    ("CREATE TABLE customers (id bigint PRIMARY KEY) ENGINE = MyISAM", {"id": [1]}, {}, "stored by MyISAM"),
    ("CREATE TABLE customers (id bigint PRIMARY KEY) ENGINE = Aria", {"id": [1]}, {}, "stored by Aria"),
    ("CREATE TABLE customers (id bigint PRIMARY KEY, x point)", {"id": [1], "x": ["p"]}, {}, "x is a point"),
    (
        "CREATE TABLE customers (id bigint PRIMARY KEY, x int AS (id * 2) STORED)",
        {"id": [1], "x": [1]},
        {},
        "x is generated",
    ),
    (
        "CREATE TABLE customers (id bigint PRIMARY KEY, x int AS (id * 2) VIRTUAL)",
        {"id": [1], "x": [1]},
        {},
        "x is generated",
    ),
    ("CREATE TABLE customers (id int)", {"id": [1]}, {"table": "nowhere.customers"}, "no database nowhere"),
]


@pytest.mark.parametrize(("ddl", "rows", "asked", "words"), ASKED)
def test_what_a_table_cannot_take_is_refused_before_the_run(
    server: Mysql, tmp_path: Path, ddl: str, rows: dict[str, Any], asked: dict[str, Any], words: str
) -> None:
    """By name, with the next step."""
    server.run(ddl)
    with pytest.raises(ConfigError, match=words) as raised:
        delivered(server, tmp_path, rows, **asked)
    assert raised.value.hint


def test_update_only_finds_rows_by_a_generated_column(server: Mysql, tmp_path: Path) -> None:
    """It is matched, and never written."""
    server.run("CREATE TABLE customers (n bigint PRIMARY KEY, id bigint AS (n + 10) STORED UNIQUE, score int)")
    server.run("INSERT INTO customers (n, score) VALUES (1, 0)")
    delivered(server, tmp_path, {"id": [11, 12], "score": [5, 6]}, write="update_only")
    assert [(1, 11, 5)] == server.fetch("SELECT * FROM customers")


RIGHTS = {
    "SELECT, INSERT, CREATE TEMPORARY TABLES": "UPDATE ON `crm`.`customers`",
    "SELECT, UPDATE, CREATE TEMPORARY TABLES": "INSERT ON `crm`.`customers`",
    "INSERT, UPDATE, CREATE TEMPORARY TABLES": "SELECT ON `crm`.`customers`",
    "SELECT, INSERT, UPDATE": "CREATE TEMPORARY TABLES ON `crm`.*",
    "SELECT, INSERT, UPDATE, CREATE TEMPORARY TABLES ": "DELETE ON `crm`.`customers`",
    "SELECT": "INSERT, UPDATE ON `crm`.`customers` TO 'writer'@'%'; GRANT CREATE TEMPORARY TABLES ON `crm`.*",
}


@pytest.mark.parametrize("granted", RIGHTS)
def test_a_right_that_is_missing_is_named_before_the_run(server: Mysql, tmp_path: Path, granted: str) -> None:
    """Each with the GRANT to ask for; nothing is written."""
    server.run(TABLE)
    server.run(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {ACCOUNT}; GRANT {granted} ON {DATABASE}.* TO {ACCOUNT}")
    gone = "delete" if "DELETE" in RIGHTS[granted] else "nothing"
    with pytest.raises(DestinationRefusedError, match="lacks rights") as raised:
        delivered(server, tmp_path, PEOPLE, gone=gone)
    assert f"GRANT {RIGHTS[granted]} TO {ACCOUNT}" in raised.value.hint
    assert [] == server.fetch("SELECT * FROM customers")


def test_a_table_without_any_right_is_not_seen(server: Mysql, tmp_path: Path) -> None:
    """The message says that this may be why."""
    server.run(f"{TABLE}; CREATE TABLE others (id int); REVOKE ALL PRIVILEGES, GRANT OPTION FROM {ACCOUNT}")
    server.run(f"GRANT CREATE TEMPORARY TABLES ON {DATABASE}.* TO {ACCOUNT}; GRANT SELECT ON others TO {ACCOUNT}")
    with pytest.raises(ConfigError, match=r"no table crm\.customers") as raised:
        delivered(server, tmp_path, PEOPLE)
    assert "a right on" in raised.value.hint


@pytest.mark.parametrize("how", ["columns", "role"])
def test_rights_on_columns_or_by_a_role_are_enough(server: Mysql, tmp_path: Path, how: str) -> None:
    """INSERT and UPDATE on what is written, and SELECT on it; nothing on the rest."""
    server.run(TABLE)
    to = "clerks" if how == "role" else ACCOUNT
    server.run(f"DROP ROLE IF EXISTS clerks; REVOKE ALL PRIVILEGES, GRANT OPTION FROM {ACCOUNT}")
    if how == "role":
        server.run(f"CREATE ROLE clerks; GRANT clerks TO {ACCOUNT}; SET DEFAULT ROLE clerks FOR {ACCOUNT}")
    server.run(
        f"GRANT CREATE TEMPORARY TABLES ON {DATABASE}.* TO {to}; GRANT SELECT (id, email, score), INSERT (id, email, "
        f"score), UPDATE (email, score) ON customers TO {to}"
    )
    assert [1, 2, 3] == delivered(server, tmp_path, PEOPLE).numbers(Outcome.DELIVERED)


CONNECTIONS: list[tuple[dict[str, Any], type[DestinationError], str]] = [
    ({"user": "nobody"}, UnauthorizedError, "user nobody or the password was refused"),
    ({"database": "shopp"}, DestinationRefusedError, "may not use database shopp"),
    ({"host": "127.0.0.1"}, DestinationRefusedError, "certificate is for another name"),
    ({"ca_file": None}, DestinationRefusedError, "authority"),
    ({"ca_file": Path("/nowhere.pem")}, DestinationRefusedError, "no file /nowhere.pem"),
    ({"host": "/nowhere/s"}, DestinationRefusedError, "no socket /nowhere/s"),
    ({"port": 1}, DestinationError, "nothing answers at localhost port 1"),
    ({"host": "nowhere.invalid"}, DestinationError, "there is no host nowhere.invalid"),
]


@pytest.mark.parametrize(("changes", "kind", "words"), CONNECTIONS)
def test_a_connection_that_cannot_be_made_says_why(
    server: Mysql, tmp_path: Path, changes: dict[str, Any], kind: type[DestinationError], words: str
) -> None:
    """And what to do, without the password."""
    server.settings |= {key: EnvText(value) if isinstance(value, str) else value for key, value in changes.items()}
    server.run(TABLE)
    with pytest.raises(kind, match=words) as raised:
        delivered(server, tmp_path, PEOPLE)
    assert raised.value.message.startswith("destination crm")
    assert raised.value.hint
    assert "planted" not in str(raised.value)


def test_a_unix_socket_is_a_way_too(server: Mysql, tmp_path: Path) -> None:
    """As for a database."""
    server.run(TABLE)
    settings = {"host": EnvText(str(server.running.unix_socket)), "ca_file": None}
    assert [1, 2, 3] == delivered(server, tmp_path, PEOPLE, settings=settings).numbers(Outcome.DELIVERED)


def test_a_password_that_is_refused(server: Mysql, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names where it comes from."""
    monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
    with pytest.raises(UnauthorizedError) as raised:
        delivered(server, tmp_path, PEOPLE)
    assert PASSWORD_VARIABLE in raised.value.hint
    assert "wrong" not in json.dumps([raised.value.message, raised.value.hint])

"""MySQL: the conformance suite on a real MariaDB through both drivers, and what only these servers do.

With TEST_MYSQL_URL (``mysql://user:password@host:3306/empty_database``) the suite also runs against that MySQL.
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
import signal
import socket
import ssl
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.changeset.query import render
from reverse_etl.cli.init_tables import tables_of
from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.loader import load_project
from reverse_etl.errors import MissingDriverError, QueryError, SourceUnavailableError
from reverse_etl.sources import connect
from reverse_etl.sources._connection_check import steps
from reverse_etl.sources._instants import values as python_values
from reverse_etl.sources.base import NO_DATE, NOT_TEXT, OUTSIDE_YEARS, Session, logical_type
from reverse_etl.sources.mysql import DIALECT, Config
from reverse_etl.sources.powers import HasLog
from reverse_etl_tests.servers.mariadb import DATABASE, PASSWORD_VARIABLE, USER, MariadbServer
from reverse_etl_tests.sources.cases import CASES, DATE, DATE_TIME, TIMEZONE
from reverse_etl_tests.sources.conformance import PLANTED, SourceConformance, pieces_of
from reverse_etl_tests.sources.network import OverTheNetwork

DRIVERS = ("asyncmy", "pymysql")
MANY = 120_000


def literal(text: str) -> str:
    """A text as MySQL writes it, unless sql_mode says otherwise: backslashes escape."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


_NO_JSON = "MariaDB's JSON is text, and MySQL writes JSON with blanks of its own"
_CANNOT = {
    "infinite_float": "no infinite numbers",
    "not_a_number": "no NaN",
    "first_instant": "TIMESTAMP begins in 1970",
    "last_instant": "TIMESTAMP ends in 2038",
    "distant_date": "no years after 9999",
    "infinite_date": "no infinite dates",
    "infinite_instant": "no infinite date-times",
    "interval": "no interval type",
    "json": _NO_JSON,
    "array": "no arrays",
    "empty_array": "no arrays",
    "array_of_text": "no arrays",
    "array_with_not_a_number": "no arrays",
    "struct": _NO_JSON,
}
_EXPRESSIONS = {
    "text": literal(next(case.value for case in CASES if case.name == "text")),
    "empty_text": "''",
    "text_null_word": "'NULL'",
    "true": "(SELECT yes FROM bits)",
    "false": "(SELECT no FROM bits)",
    "small_integer": "-7",
    "greatest_integer": "9223372036854775807",
    "least_integer": "CAST('-9223372036854775808' AS SIGNED)",
    "beyond_integer": "18446744073709551616",
    "decimal": "1234567890123456789.0123456789",
    "negative_decimal": "-0.0000000001",
    "float": "1e-1",
    "tiny_float": "5e-324",
    "date": "DATE '2024-02-29'",
    "first_date": "DATE '0001-01-01'",
    "last_date": "DATE '9999-12-31'",
    "instant": "(SELECT at FROM instants)",
    "summer_wall_clock": "TIMESTAMP '2024-07-01 12:00:00'",
    "winter_wall_clock": "TIMESTAMP '2024-01-01 12:00:00'",
    "wall_clock_in_spring_gap": "TIMESTAMP '2026-03-29 02:30:00'",
    "wall_clock_twice_in_autumn": "TIMESTAMP '2026-10-25 02:30:00'",
    "last_wall_clock": "TIMESTAMP '9999-12-31 23:59:59'",
    "first_wall_clock": "TIMESTAMP '0001-01-01 00:00:00'",
    "time": "TIME '12:34:56.500000'",
    "uuid": "'0b5d1c1e-8f3d-4b7a-9d55-0f5f2f1f8a11'",
    "enum": "(SELECT plan FROM plans)",
    "bytes": "x'00ff61'",
}

_TABLES = (
    "CREATE TABLE planted (secret TEXT)",
    f"INSERT INTO planted VALUES ('{PLANTED}')",
    "CREATE TABLE digits (d INT)",
    "INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)",
    "CREATE TABLE many (id INT PRIMARY KEY)",
    "INSERT INTO many SELECT n FROM (SELECT 1 + a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d + 100000 * f.d "
    "AS n FROM digits a, digits b, digits c, digits d, digits e, digits f WHERE f.d < 2) AS all_of_them "
    f"WHERE n <= {MANY}",
    "CREATE TABLE bits (yes BIT(1), no BIT(1))",
    "INSERT INTO bits VALUES (b'1', b'0')",
    "CREATE TABLE plans (plan ENUM('free', 'pro'))",
    "INSERT INTO plans VALUES ('pro')",
    "CREATE TABLE instants (at TIMESTAMP(6) NULL)",
    "SET time_zone = '+00:00'",
    "INSERT INTO instants VALUES ('2024-07-01 10:00:00.123456')",
    "CREATE FUNCTION shout(secret TEXT) RETURNS INT DETERMINISTIC NO SQL "
    "BEGIN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = secret; RETURN 1; END",
)
"""What the suite needs, in the dialect that MySQL and MariaDB share."""

_ONLY_HERE = (
    "CREATE SEQUENCE counter",
    "CREATE TABLE odd (unsigned_max BIGINT UNSIGNED, padded INT(6) ZEROFILL, padded_decimal DECIMAL(8, 2) ZEROFILL, "
    "flag BOOL, tiny TINYINT, colors SET('red', 'green', 'blue'), made YEAR, narrow FLOAT, fixed BINARY(4), "
    "latin VARCHAR(20) CHARACTER SET latin1, doc JSON, place POINT, few BIT(8), many BIT(64), "
    "padded_big BIGINT(24) ZEROFILL)",
    "INSERT INTO odd VALUES (18446744073709551615, 42, 7.5, TRUE, 1, 'red,blue', 2024, 0.1, 'ab', 'Zoë', "
    "'{\"a\":  1}', POINT(1, 2), 49, 18446744073709551615, 9223372036854775808)",
    "SET sql_mode = 'ALLOW_INVALID_DATES'",
    "CREATE TABLE zeros (id INT, d DATE, dt DATETIME, ts TIMESTAMP NULL)",
    "INSERT INTO zeros VALUES (1, '0000-00-00', '0000-00-00', '0000-00-00'), (2, '2024-07-01', "
    "'2024-07-01 12:00:00', '2024-07-01 10:00:00'), (3, '2024-02-31', '2024-00-10 10:00:00', NULL), "
    "(4, NULL, '0001-01-01 00:00:00', NULL)",
    "CREATE TABLE sizes (size ENUM('small', 'medium', 'large'), code VARCHAR(9) COLLATE utf8mb4_general_ci)",
    "INSERT INTO sizes VALUES ('large', 'a'), ('small', 'B'), ('medium', 'b'), ('small', 'A'), (NULL, 'ä'), "
    "('large', 'z '), ('medium', 'Z'), ('large', NULL)",
    "CREATE TABLE large (big LONGTEXT)",
    "SET GLOBAL max_allowed_packet = 67108864",
    "INSERT INTO large VALUES (REPEAT('ab', 4500000))",
    "CREATE FUNCTION wipe() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM planted; RETURN 1; END",
    "CREATE PROCEDURE wipe_all() DELETE FROM planted",
    f"GRANT INSERT, DELETE, UPDATE, DROP, CREATE, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE ON {DATABASE}.* "
    f"TO {USER}@'%'",
    "CREATE DATABASE vault",
    "CREATE TABLE vault.hidden (secret TEXT)",
    "CREATE TABLE vault.partly (open_column INT, closed_column INT)",
    f"GRANT SELECT (open_column) ON vault.partly TO {USER}@'%'",
    "CREATE FUNCTION vault.closed() RETURNS INT RETURN 1",
)


def settings_of(server: MariadbServer, **changed: Any) -> Config:
    """A connection to the server as the reading user."""
    keys: dict[str, Any] = {
        "name": "shop",
        "host": EnvText(server.host),
        "port": server.port,
        "database": EnvText(DATABASE),
        "user": EnvText(USER),
        "password": Secret(f"${{{PASSWORD_VARIABLE}}}"),
        "ca_file": server.ca_file,
        "timezone": TIMEZONE,
    }
    return Config(**(keys | changed))


@pytest.fixture(scope="session")
def filled(mariadb: MariadbServer) -> MariadbServer:
    """The server with the tables that these tests use."""
    with mariadb.admin() as admin:
        for statement in (*_TABLES, *_ONLY_HERE):
            admin.execute(statement)
    return mariadb


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The driver that is chosen: asyncmy, and PyMySQL as where asyncmy is not installed."""
    if request.param == "pymysql":
        monkeypatch.setitem(sys.modules, "asyncmy", None)
    return str(request.param)


@pytest.fixture
def session(filled: MariadbServer, driver: str) -> Iterator[Session]:
    """A session of the reading user."""
    with connect(settings_of(filled)) as session:
        yield session


def rows(session: Session, query: str) -> list[dict[str, Any]]:
    """All rows of a query."""
    return [row for batch in session.stream(query) for row in batch.to_pylist()]


class TestMysql(SourceConformance, OverTheNetwork):
    """The suite on a private server, over TLS, as a user who may write."""

    engine = "mysql"
    product = "MariaDB"
    against = "a private server with TLS, through asyncmy"
    compared = "SELECT 1 AS one FROM instants WHERE at >= 1767576600"
    quotes = "``"
    text_type = "CHAR"
    numbers = "SELECT id FROM many WHERE id <= {n} ORDER BY id"
    endless = "SELECT a.id FROM many AS a, many AS b, many AS c"
    wide_rows = "SELECT id, repeat('xy', 50000) AS t FROM many WHERE id <= {n}"
    writing = (
        "DELETE FROM planted",
        "DELETE FROM planted RETURNING secret",
        "ANALYZE DELETE FROM planted",
        "UPDATE planted SET secret = 'x'",
        "INSERT INTO planted VALUES ('x')",
        "REPLACE INTO planted VALUES ('x')",
        "TRUNCATE planted",
        "SELECT wipe() AS gone",
        "CALL wipe_all()",
        "SELECT NEXTVAL(counter) AS n",
        "CREATE TABLE made (a INT)",
        "CREATE TEMPORARY TABLE made (a INT)",
        "CREATE TABLE made AS SELECT secret FROM planted",
        "SET SESSION TRANSACTION READ WRITE",
        "START TRANSACTION READ WRITE",
        "COMMIT",
        "LOCK TABLES planted WRITE",
        "DO SLEEP(0)",
        "SELECT secret FROM planted INTO OUTFILE 'planted.txt'",
        "SELECT secret INTO @x FROM planted",
        "BEGIN NOT ATOMIC DELETE FROM planted; END",
        "EXECUTE IMMEDIATE 'DELETE FROM planted'",
    )
    failing_on_planted = "SELECT shout(secret) AS x FROM planted"
    expressions = _EXPRESSIONS
    cannot = _CANNOT
    flowing_rows = MANY
    many = "SELECT a.id FROM many AS a, many AS b WHERE b.id <= 9 LIMIT {n}"

    @classmethod
    def literal(cls, text: str | None) -> str:
        """Backslashes doubled."""
        return "NULL" if text is None else literal(text)

    @pytest.fixture(autouse=True)
    def _drivers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        if self.hidden:
            monkeypatch.setitem(sys.modules, self.hidden, None)

    @pytest.fixture
    def database(self, filled: MariadbServer) -> DatabaseConfig:
        """The private server."""
        return settings_of(filled)

    @pytest.fixture
    def unavailable(
        self, filled: MariadbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> list[tuple[DatabaseConfig, str]]:
        """Every reason that can be brought about here."""
        monkeypatch.setenv("WRONG_PASSWORD", "planted-wrong-password")
        other = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(str(other))
        (tmp_path / "letter.pem").write_text("Dear reader")
        return [
            (settings_of(filled, password=Secret("${WRONG_PASSWORD}")), "user reader or the password was refused"),
            (settings_of(filled, password=None), "user reader needs a password"),
            (settings_of(filled, user=EnvText("nobody")), "user nobody or the password was refused"),
            (settings_of(filled, user=EnvText("sleeping")), "user sleeping is locked"),
            (settings_of(filled, database=EnvText("shopp")), "user reader may not use database shopp"),
            (settings_of(filled, host=EnvText("no.such.host.invalid")), "there is no host no.such.host.invalid"),
            (settings_of(filled, port=1), "nothing answers at localhost port 1"),
            (settings_of(filled, host=EnvText("/no/such/socket")), "there is no socket /no/such/socket"),
            (settings_of(filled, ca_file=other), "certificate is not by an authority that this machine trusts"),
            (settings_of(filled, host=EnvText("127.0.0.1")), "certificate is for another name than 127.0.0.1"),
            (settings_of(filled, ca_file=None), "certificate is not by an authority that this machine trusts"),
            (settings_of(filled, ca_file=tmp_path / "none.pem"), "there is no file .*none.pem"),
            (settings_of(filled, ca_file=tmp_path / "letter.pem"), "`ca_file` cannot be used"),
            (settings_of(filled, user=EnvText("encrypted_only"), tls="disable"), "the password was refused"),
        ]


class TestMysqlThroughPymysql(TestMysql):
    """The suite where asyncmy is not installed."""

    against = "a private server with TLS, through PyMySQL"
    hidden = "asyncmy"


@pytest.mark.parametrize(
    ("expression", "logical", "value"),
    [
        ("(SELECT unsigned_max FROM odd)", "decimal", "18446744073709551615"),
        ("(SELECT flag FROM odd)", "int64", 1),
        ("CAST(9 AS UNSIGNED)", "int64", 9),
        ("(SELECT colors FROM odd)", "string", "red,blue"),
        ("(SELECT made FROM odd)", "int64", 2024),
        ("(SELECT narrow FROM odd)", "double", 0.1),
        ("(SELECT fixed FROM odd)", "binary", b"ab\0\0"),
        ("(SELECT latin FROM odd)", "string", "Zoë"),
        ("(SELECT doc FROM odd)", "string", '{"a":  1}'),
        ("(SELECT place FROM odd)", "binary", bytes.fromhex("000000000101000000000000000000f03f0000000000000040")),
        ("TIME '838:59:59'", "string", "838:59:59"),
        ("TIME '-12:34:56.120'", "string", "-12:34:56.12"),
        ("CAST('2024-02-29' AS DATE)", "date32[day]", date(2024, 2, 29)),
        ("1 / 3", "decimal", "0.3333"),
        ("1 = 1", "int64", 1),
        ("CONCAT(1, 2)", "string", "12"),
        ("NULL", "null", None),
    ],
)
def test_types_of_its_own(session: Session, expression: str, logical: str, value: object) -> None:
    """Types that other engines do not have, and values at the edges of what they hold."""
    (batch,) = session.stream(f"SELECT {expression} AS value")

    assert (logical_type(batch.schema.field(0)), batch.column(0).to_pylist()) == (logical, [value])


def test_bits_are_booleans_or_numbers(session: Session) -> None:
    """BIT(1) is a boolean, a wider one a number; MariaDB sends bytes from a table and digits from an expression."""
    (batch,) = session.stream("SELECT few, many, IF(1 = 1, few, few) AS same, MAX(few) AS most FROM odd")

    assert batch.to_pylist() == [{"few": 49, "many": "18446744073709551615", "same": 49, "most": 49}]
    assert logical_type(batch.schema.field("many")) == "decimal"


def test_tinyint1_is_a_boolean_on_request(filled: MariadbServer, driver: str) -> None:
    """Only the column's type says so; other small integers stay what they are."""
    with connect(settings_of(filled, tinyint1="boolean")) as session:
        (batch,) = session.stream("SELECT flag, tiny FROM odd")

    assert [str(kind) for kind in batch.schema.types] == ["bool", "int64"]
    assert batch.to_pylist() == [{"flag": True, "tiny": 1}]


def test_zeros_in_front_are_no_digits(session: Session) -> None:
    """ZEROFILL is how a client shows a number; JSON has no such numbers."""
    (batch,) = session.stream("SELECT padded, padded_decimal, padded_big FROM odd")

    assert batch.to_pylist() == [{"padded": 42, "padded_decimal": "7.50", "padded_big": "9223372036854775808"}]


def test_the_key_of_a_table_is_known_to_who_may_read_it(filled: MariadbServer) -> None:
    """`init` offers it where rows need one."""
    assert "id" == tables_of(settings_of(filled)).keys["many"]


def test_days_that_no_calendar_has_keep_their_rows(session: Session) -> None:
    """The row survives, in a form that checks reject, and the others are sent as they would be without it."""
    (batch,) = session.stream("SELECT id, d, dt, ts FROM zeros ORDER BY id")

    ten = datetime(2024, 7, 1, 10, tzinfo=UTC)
    assert [logical_type(batch.schema.field(name)) for name in ("d", "dt", "ts")] == [DATE, DATE_TIME, DATE_TIME]
    assert {name: python_values(batch.column(name)) for name in ("d", "dt", "ts")} == {
        "d": [NO_DATE, date(2024, 7, 1), NO_DATE, None],
        "dt": [NO_DATE, ten, NO_DATE, OUTSIDE_YEARS],
        "ts": [NO_DATE, ten, None, None],
    }


def test_half_a_surrogate_pair_spoils_its_own_row_only(session: Session) -> None:
    """Only UCS-2 and UTF-16 can hold one; text in other character sets is converted by the server."""
    parts = ["SELECT 1 AS id, _ucs2 x'00e9' AS t", "SELECT 2, _ucs2 x'd83d'", "SELECT 3, _latin1 x'e9'"]

    (batch,) = session.stream(f"{' UNION ALL '.join(parts)} ORDER BY id")

    assert batch.to_pydict() == {"id": [1, 2, 3], "t": ["é", NOT_TEXT, "é"]}


def test_doubles_keep_every_digit(session: Session) -> None:
    """What was stored is what comes, to the last bit."""

    @settings(max_examples=15, deadline=None)
    @given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
    def kept(values: list[float]) -> None:
        parts = [f"SELECT {number} AS id, {value!r} + 0e0 AS x" for number, value in enumerate(values)]
        query = f"SELECT x FROM ({' UNION ALL '.join(parts)}) AS v ORDER BY id"

        assert [row["x"] for row in rows(session, query)] == values

    kept()


def test_a_value_of_any_length_comes_whole(session: Session) -> None:
    """Lengths that the protocol writes otherwise than those before them, of bytes and of texts, in every column."""
    lengths = (*range(249, 258), *range(65_533, 65_539))
    firsts = (0x00, 0xFB, 0xFC, 0xFD, 0xFE)
    first_bytes = " UNION ALL ".join(f"SELECT x'{first:02x}' AS f" for first in firsts)
    found = rows(
        session,
        "SELECT CONCAT(f, REPEAT(x'7a', id - 1)) AS b, CONCAT('ab!', REPEAT('q', 33)) AS s, NULL AS n, "
        "CONCAT(CHAR(0 USING utf8mb4), REPEAT('y', id - 1)) AS t, CONCAT(f, REPEAT(x'78', id - 1)) AS last "
        f"FROM many, ({first_bytes}) AS firsts WHERE id IN {lengths} ORDER BY id, f",
    )

    assert found == [
        {
            "b": bytes([first]) + b"z" * (length - 1),
            "s": "ab!" + "q" * 33,
            "n": None,
            "t": "\0" + "y" * (length - 1),
            "last": bytes([first]) + b"x" * (length - 1),
        }
        for length in lengths
        for first in firsts
    ]


@pytest.mark.parametrize("columns", ["id, CONCAT(big, big) AS t", "CONCAT(big, big) AS t, id"], ids=["last", "first"])
def test_a_cell_larger_than_a_packet_comes_whole(session: Session, columns: str) -> None:
    """The protocol cuts at 16 MB; the server's own max_allowed_packet is the only limit."""
    batches = list(session.stream(f"SELECT {columns} FROM large, many WHERE id <= 2 ORDER BY id"))

    assert sum(batch.num_rows for batch in batches) == 2
    assert {value for batch in batches for value in batch.column("t").to_pylist()} == {"ab" * 9_000_000}


@pytest.mark.parametrize(
    ("query", "said", "fix"),
    [
        ("SELECT * FROM vault.hidden", "user reader may not read table `vault`.`hidden`", "GRANT SELECT ON `vault`"),
        ("SELECT closed_column FROM vault.partly", "may not read column closed_column of partly", "(closed_column)"),
        (
            "SELECT vault.closed() AS x",
            "may not execute routine vault.closed",
            "GRANT EXECUTE ON FUNCTION vault.closed",
        ),
        ("SELECT * FROM nowhere.t", "nowhere", "GRANT SELECT|database"),
        ("SELECT 1,\n  secrt\nFROM planted", "Unknown column 'secrt'", "column"),
        ("SELECT 1 +", "syntax error at the end of the query", "SELECT"),
        ("SELECT 1;\n SELECT 2", "more than one statement", "one SELECT"),
        ("SELECT id FROM many, digits d1, digits d2 WHERE d = 1", "Column 'd' in .* is ambiguous", "alias"),
        ("SELECT no_such_function(1)", "no_such_function", "function"),
        ("SELECT ~0 + id AS x FROM many", r"a number is out of range \(1690\)", "mysql client"),
        ("SELECT (SELECT id FROM many) AS x", r"a subquery returns more than one row \(1242\)", "mysql client"),
        ("SELECT secret FROM planted WHERE secret = ?", r"has a parameter \(\?\)", "last_sync_time"),
        ("COMMIT", "returns no columns", "SELECT"),
        ("", "returns no columns", "SELECT"),
    ],
)
def test_refusals_carry_their_fix(session: Session, query: str, said: str, fix: str) -> None:
    """The message says what is wrong, the hint what to ask for."""
    with pytest.raises(QueryError, match=said) as refused:
        rows(session, query)

    assert re.search(fix, refused.value.hint) or fix in refused.value.hint
    assert "{" not in refused.value.message


def test_two_columns_of_one_name_are_found_before_the_query_runs(session: Session) -> None:
    """A query of hours does not begin in vain."""
    began = time.monotonic()
    with pytest.raises(QueryError, match="more than one column named `n`"):
        rows(session, f"SELECT COUNT(*) AS n, 1 AS n FROM ({TestMysql.endless}) AS q")

    assert time.monotonic() - began < 20


def test_no_password_is_in_an_error(filled: MariadbServer, driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the wrong one nor, in a traceback, what the driver was given."""
    monkeypatch.setenv("WRONG_PASSWORD", "planted-wrong-password")

    with (
        pytest.raises(SourceUnavailableError) as refused,
        connect(settings_of(filled, password=Secret("${WRONG_PASSWORD}"))),
    ):
        pass

    text = "".join(traceback.format_exception(refused.value))
    assert "planted-wrong-password" not in text
    assert "${WRONG_PASSWORD}" in refused.value.hint


def test_require_encrypts_without_verifying(filled: MariadbServer, driver: str) -> None:
    """And disable does neither; what the server sees is what was asked for."""
    seen = {}
    for tls in ("verify-full", "require", "disable"):
        config = settings_of(filled, tls=tls, ca_file=filled.ca_file if tls == "verify-full" else None)
        with connect(config) as session:
            seen[tls] = bool(rows(session, "SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0]["Value"])

    assert seen == {"verify-full": True, "require": True, "disable": False}


def test_a_unix_socket_is_a_host_too(filled: MariadbServer, driver: str) -> None:
    """For databases on the same machine."""
    with connect(settings_of(filled, host=EnvText(str(filled.unix_socket)), ca_file=None)) as session:
        assert rows(session, "SELECT USER() AS u") == [{"u": "reader@localhost"}]


def test_through_a_tunnel_the_certificate_is_still_the_hosts(filled: MariadbServer, driver: str) -> None:
    """The driver connects to a port of this machine; who vouches for whom does not change."""
    good = settings_of(filled).model_copy(update={"tunnel_port": filled.port, "port": 9})
    other = settings_of(filled, host=EnvText("db.example.com")).model_copy(update={"tunnel_port": filled.port})

    with connect(good) as session:
        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]
    with pytest.raises(SourceUnavailableError, match=r"for another name than db\.example\.com"), connect(other):
        pass


@pytest.mark.thorough
def test_the_server_ends_a_query_that_takes_too_long(filled: MariadbServer, driver: str) -> None:
    """query_timeout is the server's limit too; the session goes on."""
    with connect(settings_of(filled, query_timeout=timedelta(seconds=1.5))) as session:
        with pytest.raises(QueryError, match=r"did not end within query_timeout \(1\.5s\)"):
            rows(session, f"SELECT COUNT(*) AS n FROM ({TestMysql.endless}) AS q")

        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


def test_a_very_long_time_limit_is_no_error(filled: MariadbServer, driver: str) -> None:
    """Ten years are more milliseconds than MySQL can count."""
    with connect(settings_of(filled, query_timeout=timedelta(weeks=520))) as session:
        assert rows(session, "SELECT @@max_statement_time AS t") == [{"t": 24 * 86_400.0}]


@pytest.mark.thorough
def test_a_server_that_falls_silent_is_given_up(filled: MariadbServer, driver: str) -> None:
    """A stopped server keeps the connection open and says nothing: only this side's clock helps."""
    with connect(settings_of(filled, query_timeout=timedelta(seconds=4))) as session:
        batches = session.stream(TestMysql.endless)
        next(batches)
        began = time.monotonic()
        os.kill(filled.pid, signal.SIGSTOP)
        try:
            with pytest.raises(QueryError, match="did not end within query_timeout"):
                list(batches)
        finally:
            os.kill(filled.pid, signal.SIGCONT)

    assert time.monotonic() - began < 20


@pytest.mark.thorough
def test_a_host_that_never_greets_is_given_up(driver: str) -> None:
    """The port is open and silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = stranger(silent, query_timeout=timedelta(seconds=1))
        with pytest.raises(SourceUnavailableError, match="does not answer"), connect(config):
            pass


def stranger(server: socket.socket, **changed: Any) -> Config:
    """A connection to something that is no MariaDB of ours."""
    keys: dict[str, Any] = {
        "host": EnvText("127.0.0.1"),
        "port": server.getsockname()[1],
        "database": EnvText("shop"),
        "user": EnvText("reader"),
    }
    return Config(**(keys | changed))


@contextmanager
def saying(first: bytes) -> Iterator[socket.socket]:
    """A server that says one thing to everybody and hangs up once it is answered."""

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, suppress(ConnectionError):
                connection.sendall(first)
                if first:
                    connection.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def packet(payload: bytes) -> bytes:
    """The first packet of a connection."""
    return len(payload).to_bytes(3, "little") + b"\0" + payload


def greeting(capabilities: int) -> bytes:
    """What a MySQL 8.0 says first."""
    low, high = (capabilities & 0xFFFF).to_bytes(2, "little"), (capabilities >> 16).to_bytes(2, "little")
    salt = b"12345678", b"123456789012\0"
    return packet(
        b"\x0a8.0.36\0"
        + bytes(4)
        + salt[0]
        + b"\0"
        + low
        + b"\x2d\x02\0"
        + high
        + b"\x15"
        + bytes(10)
        + salt[1]
        + b"mysql_native_password\0"
    )


EVERYTHING_BUT_TLS = 0x00FFF7FF
"""And but the end of EOF packets."""


@pytest.mark.parametrize(
    ("first", "said", "step"),
    [
        (greeting(EVERYTHING_BUT_TLS), "the server does not speak TLS", "does not speak TLS"),
        (packet(b"\xff\x10\x04Too many connections"), "has no connection left", "refuses connections (error 1040)"),
        (packet(b"\xff\x6a\x04Host '10.0.0.1' is not allowed"), "refuses connections from this machine", "error 1130"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is not a MySQL server", "not a MySQL server"),
        (b"", "closed the connection", "closed the connection"),
    ],
    ids=["no TLS", "full", "unwelcome", "ssh", "mute"],
)
def test_what_is_no_open_mysql_server_says_why(driver: str, first: bytes, said: str, step: str) -> None:
    """The connection's error, and the step of test-connection that fails."""
    with saying(first) as server:
        config = stranger(server, query_timeout=timedelta(seconds=30))
        with pytest.raises(SourceUnavailableError, match=said) as refused, connect(config):
            pass
        last = list(steps(config))[-1]

    assert refused.value.hint
    assert (last.name, last.ok) == ("TLS", False)
    assert step in last.detail


def test_every_step_to_the_server_is_reported(filled: MariadbServer, driver: str) -> None:
    """As test-connection shows them."""
    told = {step.name: step.detail for step in steps(settings_of(filled)) if step.ok}

    assert list(told) == [
        "address",
        "port",
        "TLS",
        "log in",
        "server",
        "read-only",
        "clock",
        "open transactions",
        "query",
        "driver",
    ]
    assert told["TLS"] == "the certificate for localhost is by Throw-away authority"


@pytest.mark.thorough
def test_a_connection_ended_by_the_server_is_an_error(filled: MariadbServer, driver: str) -> None:
    """An administrator ends the session in the middle; what follows says the same."""
    with connect(settings_of(filled)) as session:
        batches = session.stream(TestMysql.endless)
        next(batches)
        with filled.admin() as admin:
            for identifier in connections(admin):
                admin.execute(f"KILL {identifier}")
        with pytest.raises(SourceUnavailableError, match="connection was lost"):
            list(batches)
        with pytest.raises(SourceUnavailableError, match="connection was lost"):
            session.now()


@pytest.mark.thorough
def test_a_query_ended_by_an_administrator_is_no_timeout(filled: MariadbServer, driver: str) -> None:
    """The session goes on after it."""
    with connect(settings_of(filled)) as session:
        batches = session.stream(TestMysql.endless)
        next(batches)
        with filled.admin() as admin:
            for identifier in connections(admin):
                admin.execute(f"KILL QUERY {identifier}")
        with pytest.raises(QueryError, match=r"query interrupted \(1317\)"):
            list(batches)

        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


def connections(admin: Any, *, at_work: bool = False) -> list[int]:
    """The reading user's connections."""
    only = "AND COMMAND <> 'Sleep'" if at_work else ""
    admin.execute(f"SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '{USER}' {only}")
    return [identifier for (identifier,) in admin.fetchall()]


def wait_until_nothing_runs(server: MariadbServer) -> None:
    """A connection that was ended takes a moment to go."""
    deadline = time.monotonic() + 30
    with server.admin() as admin:
        while left := connections(admin, at_work=True):
            assert time.monotonic() < deadline, left
            time.sleep(0.01)


@pytest.mark.parametrize("first_row", ["at once", "never"])
def test_ctrl_c_ends_the_query_on_the_server(filled: MariadbServer, driver: str, first_row: str) -> None:
    """Whether rows come already or the server is still counting."""
    query = TestMysql.endless
    if first_row == "never":
        query = f"SELECT COUNT(*) AS n FROM ({query}) AS q"

    reading = threading.Event()

    def interrupt() -> None:
        with filled.admin() as admin:
            while not (reading.is_set() or connections(admin, at_work=True)):
                reading.wait(0.01)
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    def read_on() -> None:
        for _ in batches:
            reading.set()

    interrupting = threading.Thread(target=interrupt)
    # Hypothesis runs Python while garbage is collected, and an interrupt that falls into that is dropped.
    gc.disable()
    try:
        with connect(settings_of(filled)) as session:
            batches = session.stream(query)
            interrupting.start()
            with pytest.raises(KeyboardInterrupt):
                read_on()
            interrupting.join()
            wait_until_nothing_runs(filled)

            assert rows(session, "SELECT 1 AS one") == [{"one": 1}]
    finally:
        gc.enable()


def test_leaving_early_ends_the_query_on_the_server(filled: MariadbServer, driver: str) -> None:
    """Nothing is left running there, and the one connection that is left reads on."""
    with connect(settings_of(filled)) as session:
        batches = session.stream(TestMysql.endless)
        next(batches)
        batches.close()
        wait_until_nothing_runs(filled)

        assert session.read_only()


def test_leaving_early_never_hangs(filled: MariadbServer, driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no connection can be made any more, the session is lost, and says so."""
    with connect(settings_of(filled)) as session:
        batches = session.stream(TestMysql.endless)
        next(batches)
        with filled.admin() as admin:
            admin.execute(f"ALTER USER {USER}@'%' ACCOUNT LOCK")
            try:
                batches.close()
            finally:
                admin.execute(f"ALTER USER {USER}@'%' ACCOUNT UNLOCK")
        with pytest.raises(SourceUnavailableError, match="connection was lost"):
            rows(session, "SELECT 1 AS one")
    wait_until_nothing_runs(filled)


def test_a_session_closed_in_the_middle_stays_closed(filled: MariadbServer, driver: str) -> None:
    """Whoever lets go of the rows afterwards opens nothing again."""
    with connect(settings_of(filled)) as session:
        batches = session.stream(TestMysql.endless)
        next(batches)
    batches.close()
    wait_until_nothing_runs(filled)


def test_a_limit_does_not_read_the_rest(session: Session) -> None:
    """The query ends on the server after as many rows; one with a LIMIT of its own is left early."""
    assert sum(batch.num_rows for batch in session.stream(TestMysql.endless, limit=10)) == 10
    assert sum(batch.num_rows for batch in session.stream(f"{TestMysql.endless} LIMIT 10000000", limit=10)) == 10
    assert sum(batch.num_rows for batch in session.stream("SELECT id FROM many")) == MANY


def test_one_query_sees_one_state_of_the_database(filled: MariadbServer, driver: str) -> None:
    """Rows that others add meanwhile come with the next run, not half of them with this one."""
    with filled.admin() as admin:
        admin.execute("CREATE OR REPLACE TABLE growing AS SELECT id FROM many")
        with connect(settings_of(filled)) as session:
            batches = session.stream("SELECT id FROM growing")
            first = next(batches).num_rows
            admin.execute("INSERT INTO growing SELECT id FROM many")
            assert first + sum(batch.num_rows for batch in batches) == MANY


def test_a_server_that_commits_nothing_by_itself_is_no_matter(filled: MariadbServer, driver: str) -> None:
    """Settings of the server that would hold a snapshot open, or write texts another way."""
    with filled.admin() as admin:
        admin.execute("SET GLOBAL autocommit = 0, GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'")
        admin.execute("SET GLOBAL time_zone = '+05:00', GLOBAL tx_isolation = 'SERIALIZABLE'")
        try:
            with connect(settings_of(filled)) as session:
                seen = rows(session, "SELECT @@autocommit AS a, @@time_zone AS z, '\\' AS b, at FROM instants")
        finally:
            admin.execute("SET GLOBAL autocommit = 1, GLOBAL sql_mode = DEFAULT")
            admin.execute("SET GLOBAL time_zone = 'SYSTEM', GLOBAL tx_isolation = 'REPEATABLE-READ'")

    assert seen == [{"a": 1, "z": "+00:00", "b": "\\", "at": datetime(2024, 7, 1, 10, 0, 0, 123456, UTC)}]


def test_the_padding_of_char_is_no_part_of_a_value(filled: MariadbServer, driver: str) -> None:
    """Also where the server is set to return it; its other settings stay."""
    query = (
        "SELECT CAST('x ' AS CHAR) AS cast_, code, CONCAT(code, '|') AS joined, name, 'a' || 'b' AS `both` FROM firms"
    )
    with filled.admin() as admin:
        admin.execute("CREATE OR REPLACE TABLE firms (code CHAR(10), name VARCHAR(10))")
        admin.execute("INSERT INTO firms VALUES ('acme', 'Acme  ')")
        modes = ("PAD_CHAR_TO_FULL_LENGTH", "PIPES_AS_CONCAT,PAD_CHAR_TO_FULL_LENGTH,STRICT_ALL_TABLES")
        try:
            for mode in modes:
                admin.execute(f"SET GLOBAL sql_mode = '{mode}'")
                with connect(settings_of(filled)) as session:
                    (row,) = rows(session, query)
                both = "ab" if "PIPES" in mode else 0
                assert row == {"cast_": "x ", "code": "acme", "joined": "acme|", "name": "Acme  ", "both": both}
        finally:
            admin.execute("SET GLOBAL sql_mode = DEFAULT")


def test_group_concat_is_not_cut_off(session: Session) -> None:
    """MySQL's own limit is 1024 bytes, and it says nothing."""
    (row,) = rows(session, "SELECT LENGTH(GROUP_CONCAT(id)) AS n FROM many WHERE id <= 10000")

    assert row["n"] == 48_893


def test_inside_an_event_loop_pymysql_is_taken(filled: MariadbServer) -> None:
    """As in a notebook: a second loop cannot run in the same thread."""

    async def read() -> list[dict[str, Any]]:
        with connect(settings_of(filled)) as session:
            return rows(session, "SELECT 1 AS one")

    assert asyncio.run(read()) == [{"one": 1}]


def test_without_a_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are optional; the error is the command that installs them."""
    for name in DRIVERS:
        monkeypatch.setitem(sys.modules, name, None)
    config = Config(name="shop", host=EnvText("db"), database=EnvText("shop"), user=EnvText("reader"))

    with pytest.raises(MissingDriverError) as missing, connect(config):
        pass

    assert missing.value.hint == 'Run: pip install "reverse-etl[mysql]"'


PAGE = Path(__file__).parents[2] / "docs" / "databases" / "mysql.md"


def examples(language: str) -> list[str]:
    """The page's fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_connection_in_the_documentation_is_valid(tmp_path: Path) -> None:
    """As the file that it would be."""
    (block,) = examples("yaml")
    (tmp_path / "connections.yaml").write_text(block)

    (config,) = load_project(tmp_path).databases.values()

    assert isinstance(config, Config)
    assert (config.timezone, config.query_timeout) == ("Europe/Berlin", timedelta(minutes=30))


def test_the_sql_in_the_documentation_works(
    filled: MariadbServer, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user can read what they are to read, also what comes later, and the query finds what changed by the index."""
    user, query, index, reads_log = examples("sql")
    since = int(datetime(2024, 1, 4, tzinfo=UTC).timestamp())
    with filled.admin() as admin:
        admin.execute("DROP USER IF EXISTS 'customerio_reader'@'%'")
        for statement in f"{user}{reads_log}".split(";\n")[:-1]:
            admin.execute(statement)
        admin.execute("SET time_zone = '+00:00'")
        admin.execute(
            "CREATE OR REPLACE TABLE customers (id INT, email TEXT, plan TEXT, created_at DATE, updated_at TIMESTAMP) "
            "SELECT id, 'a@example.com' AS email, 'pro' AS plan, '2024-01-01' AS created_at, "
            "TIMESTAMP '2024-01-01 00:00:00' + INTERVAL id DAY AS updated_at FROM many WHERE id <= 1000"
        )
        admin.execute(index)
    monkeypatch.setenv("DOCUMENTED_PASSWORD", "Choose-1-of-your-own")
    config = settings_of(filled, user=EnvText("customerio_reader"), password=Secret("${DOCUMENTED_PASSWORD}"))

    with connect(config) as session:
        assert isinstance(session, HasLog)
        assert session.log("customers", {"customers": "id"}).status().problems == ()
        assert [row["id"] for row in rows(session, render(query, since))] == list(range(3, 1001))
        (plan,) = rows(session, f"EXPLAIN {render(query, since + 900 * 86_400)}")

    assert plan["key"] == "customers_updated_at"


URL = os.environ.get("TEST_MYSQL_URL", "")
"""``mysql://user:password@host:3306/empty_database``; ``?tls=require`` and ``?ca_file=`` as in ``connections.yaml``."""


def _fill_service(config: Config) -> None:
    import pymysql  # type: ignore[import-untyped]

    context = ssl.create_default_context(cafile=config.ca_file)
    context.check_hostname = config.tls == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if context.check_hostname else ssl.CERT_NONE
    with (
        pymysql.connect(
            host=config.host.resolve(),
            port=config.port or 3306,
            user=config.user.resolve(),
            password=config.password.resolve() if config.password else "",
            database=config.database.resolve(),
            autocommit=True,
            ssl=context,
        ) as connection,
        connection.cursor() as cursor,
    ):
        for statement in _TABLES:
            if statement.startswith("CREATE TABLE"):
                cursor.execute(f"DROP TABLE IF EXISTS {statement.split()[2]}")
            if not statement.startswith("CREATE FUNCTION"):
                cursor.execute(statement)


@pytest.fixture(scope="module")
def service() -> Iterator[Config]:
    """The database of TEST_MYSQL_URL, with the tables of the suite."""
    parts = urlsplit(URL)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_MYSQL_PASSWORD", unquote(parts.password or ""))
        config = Config(
            name="shop",
            host=EnvText(parts.hostname or ""),
            port=parts.port,
            database=EnvText(parts.path.strip("/")),
            user=EnvText(unquote(parts.username or "")),
            password=Secret("${TEST_MYSQL_PASSWORD}"),
            timezone=TIMEZONE,
            **options,
        )
        _fill_service(config)
        yield config


if URL:

    class TestMysqlService(TestMysql):
        """The suite on the MySQL that TEST_MYSQL_URL names: a user who owns an empty database there."""

        product = "MySQL"
        against = "the service of TEST_MYSQL_URL"
        failing_on_planted = "SELECT CAST(secret AS JSON) AS x FROM planted"

        @pytest.fixture
        def database(self, service: Config) -> DatabaseConfig:
            """The service."""
            return service

        @pytest.fixture
        def unavailable(self, service: Config, monkeypatch: pytest.MonkeyPatch) -> list[tuple[DatabaseConfig, str]]:
            """What can be brought about there."""
            monkeypatch.setenv("WRONG_PASSWORD", "planted-wrong-password")
            return [
                (service.model_copy(update={"password": Secret("${WRONG_PASSWORD}")}), "or the password was refused"),
                (service.model_copy(update={"host": EnvText("no.such.host.invalid")}), "there is no host"),
            ]


@pytest.mark.parametrize("column", ["size", "code"])
@pytest.mark.parametrize("of", [1, 2, 3, 5])
def test_no_row_is_between_pieces_whatever_the_order(session: Session, column: str, of: int) -> None:
    """An ENUM is ordered by its index and compared as text; a collation knows no case, accents or blanks at the end."""
    query = "SELECT size, code FROM sizes"
    pieces = [key for piece in pieces_of(session, query, column, of, DIALECT) for key in piece.to_pylist()]
    found = [row[column] for row in rows(session, query)]
    assert not Counter(found) - Counter(pieces)
    if column == "code":
        assert Counter(found) == Counter(pieces)

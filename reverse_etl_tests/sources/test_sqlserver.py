"""SQL Server: the conformance suite on a counterpart of ours, through the real ODBC driver, and what only it does.

``TEST_SQLSERVER_URL`` (``sqlserver://user:password@host:port/database?tls=require``) runs the suite against a real
one as well; its user may create tables in that database, which is for nothing else.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyodbc
import pytest
import trustme
from pydantic import ValidationError

from reverse_etl.changeset.query import check_query, render
from reverse_etl.cli.init_tables import tables_of
from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.loader import load_project
from reverse_etl.errors import ConfigError, MissingDriverError, QueryError, SourceUnavailableError
from reverse_etl.sources import connect
from reverse_etl.sources._connection_check import steps
from reverse_etl.sources._instants import values as python_values
from reverse_etl.sources.base import NOT_TEXT, OUTSIDE_YEARS, Session, logical_type
from reverse_etl.sources.sqlserver import Config, driver, errors, network, wire
from reverse_etl_tests.dialects import DIALECTS as SPOKEN
from reverse_etl_tests.servers._tds_tokens import HALF_PAIR
from reverse_etl_tests.servers.tds import (
    DATABASE,
    PASSWORD,
    PASSWORD_VARIABLE,
    USER,
    WRITER,
    Login,
    TdsServer,
    tds_server,
)
from reverse_etl_tests.sources.cases import CASES, TIMEZONE
from reverse_etl_tests.sources.conformance import PLANTED, SourceConformance
from reverse_etl_tests.sources.network import OverTheNetwork

URL = os.environ.get("TEST_SQLSERVER_URL", "")

_TEXT = next(case.value for case in CASES if case.name == "text").replace("'", "''")
_EXPRESSIONS = {
    "text": f"N'{_TEXT}'",
    "empty_text": "CAST('' AS VARCHAR(10))",
    "text_null_word": "'NULL'",
    "true": "CAST(1 AS BIT)",
    "false": "CAST(0 AS BIT)",
    "small_integer": "CAST(-7 AS SMALLINT)",
    "greatest_integer": "CAST(9223372036854775807 AS BIGINT)",
    "least_integer": "CAST(-9223372036854775808 AS BIGINT)",
    "beyond_integer": "CAST(18446744073709551616 AS DECIMAL(38, 0))",
    "decimal": "CAST(1234567890123456789.0123456789 AS DECIMAL(38, 10))",
    "negative_decimal": "CAST(-0.0000000001 AS NUMERIC(20, 10))",
    "float": "CAST(0.1 AS FLOAT)",
    "date": "CAST('2024-02-29' AS DATE)",
    "first_date": "CAST('0001-01-01' AS DATE)",
    "last_date": "CAST('9999-12-31' AS DATE)",
    "instant": "CAST('2024-07-01 12:00:00.123456 +02:00' AS DATETIMEOFFSET)",
    "first_instant": "CAST('0001-01-01 00:00:00 +00:00' AS DATETIMEOFFSET)",
    "last_instant": "CAST('9999-12-31 23:59:59.999999 +00:00' AS DATETIMEOFFSET)",
    "summer_wall_clock": "CAST('2024-07-01 12:00' AS DATETIME2)",
    "winter_wall_clock": "CAST('2024-01-01 12:00' AS DATETIME)",
    "wall_clock_in_spring_gap": "CAST('2026-03-29 02:30' AS SMALLDATETIME)",
    "wall_clock_twice_in_autumn": "CAST('2026-10-25 02:30' AS DATETIME2(0))",
    "last_wall_clock": "CAST('9999-12-31 23:59:59' AS DATETIME2(3))",
    "first_wall_clock": "CAST('0001-01-01 00:00' AS DATETIME2)",
    "time": "CAST('12:34:56.5' AS TIME)",
    "uuid": "CAST('0b5d1c1e-8f3d-4b7a-9d55-0f5f2f1f8a11' AS UNIQUEIDENTIFIER)",
    "bytes": "CAST(0x00FF61 AS VARBINARY(10))",
}
_CANNOT = {
    "tiny_float": "FLOAT keeps no number nearer to zero than 2.23e-308",
    "infinite_float": "FLOAT holds finite numbers only",
    "not_a_number": "FLOAT holds finite numbers only",
    "distant_date": "DATE ends with the year 9999",
    "infinite_date": "there are no infinite dates",
    "infinite_instant": "there are no infinite instants",
    "interval": "there is no interval type",
    "enum": "there is no enum type",
    "json": "JSON is kept in NVARCHAR and comes as text",
    "array": "there are no arrays",
    "empty_array": "there are no arrays",
    "array_of_text": "there are no arrays",
    "array_with_not_a_number": "there are no arrays",
    "struct": "there are no structs",
}
_DIGIT = "(VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))"


def _counted(digits: int) -> str:
    """A query of ``id`` from 1 to 10 to the power of ``digits``, made of nothing."""
    value = " + ".join(f"CAST({10**place} AS BIGINT) * t{place}.d" for place in range(digits))
    tables = " CROSS JOIN ".join(f"{_DIGIT} AS t{place}(d)" for place in range(digits))
    return f"SELECT {value} + 1 AS id FROM {tables}"


ENDLESS = _counted(14)
NUMBERS = f"SELECT id FROM ({_counted(6)}) AS c WHERE id <= {{n}}"


def settings_of(server: TdsServer, **changed: Any) -> Config:
    """A connection to the counterpart as the reading user."""
    settings: dict[str, Any] = {
        "name": "shop",
        "host": EnvText(server.host),
        "port": server.port,
        "database": EnvText(DATABASE),
        "user": EnvText(USER),
        "password": Secret(f"${{{PASSWORD_VARIABLE}}}"),
        "ca_file": server.ca_file,
        "timezone": TIMEZONE,
    }
    return Config(**(settings | changed))


def unreached(**changed: Any) -> Config:
    """A connection to a host that is never asked."""
    settings: dict[str, Any] = {
        "name": "shop",
        "host": EnvText("db"),
        "database": EnvText("shop"),
        "user": EnvText("reader"),
        "password": Secret("${NOBODY_ASKS}"),
    }
    return Config(**(settings | changed))


@pytest.fixture(scope="session")
def filled(sqlserver: TdsServer) -> TdsServer:
    """The counterpart with the tables that these tests use."""
    sqlserver.admin(
        f"""
        CREATE OR REPLACE TABLE planted (secret VARCHAR); INSERT INTO planted VALUES ('{PLANTED}');
        CREATE OR REPLACE TABLE hidden (secret VARCHAR);
        CREATE OR REPLACE TABLE customers (id BIGINT, email VARCHAR, updated_at TIMESTAMP);
        INSERT INTO customers VALUES (1, 'old@example.com', '2025-01-01'), (2, 'new@example.com', '2026-01-01');
        """
    )
    sqlserver.hidden.add("hidden")
    return sqlserver


@pytest.fixture
def session(filled: TdsServer) -> Iterator[Session]:
    """A session of the reading user."""
    with connect(settings_of(filled)) as session:
        yield session


def rows(session: Session, query: str, *, limit: int | None = None) -> list[dict[str, Any]]:
    """All rows of a query."""
    return [row for batch in session.stream(query, limit=limit) for row in batch.to_pylist()]


def until(condition: Callable[[], bool]) -> None:
    """Waits for something that comes soon."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestSqlServer(SourceConformance, OverTheNetwork):
    """The suite on the counterpart, over TLS."""

    against = "a TDS server of ours, through FreeTDS and Microsoft's driver, with TLS"
    engine = "sqlserver"
    product = "SQL Server"
    numbers = NUMBERS
    endless = ENDLESS
    wide_rows = f"SELECT id, REPLICATE(CAST(N'xy' AS NVARCHAR(MAX)), 50000) AS t FROM ({NUMBERS}) AS n"
    writing = (
        "DELETE FROM planted",
        "DELETE FROM planted OUTPUT deleted.secret",
        "INSERT INTO planted OUTPUT inserted.secret VALUES ('x')",
        "UPDATE planted SET secret = 'x'",
        "SELECT * INTO copied FROM planted",
        "CREATE TABLE t (a INT)",
        "TRUNCATE TABLE planted",
    )
    failing_on_planted = "SELECT CAST(secret AS INT) AS x FROM planted"
    expressions = _EXPRESSIONS
    cannot = _CANNOT
    text_type = "NVARCHAR(MAX)"
    many_rows = 200_000

    @classmethod
    def literal(cls, text: str | None) -> str:
        """N'...': without the N, a text loses what its code page does not have."""
        return "NULL" if text is None else "N'" + text.replace("'", "''") + "'"

    def test_writing_is_refused_by_the_session_itself(self, database: DatabaseConfig) -> None:
        """SQL Server has no read-only session: the login refuses, and what it lets through is rolled back."""
        for statement in self.writing:
            with connect(database) as session, pytest.raises(QueryError):
                rows(session, statement)
        with connect(database) as session:
            assert rows(session, "SELECT secret FROM planted") == [{"secret": PLANTED}]
            assert not session.read_only()

    @pytest.fixture
    def database(self, filled: TdsServer) -> DatabaseConfig:
        """The counterpart."""
        return settings_of(filled)

    @pytest.fixture
    def unavailable(
        self, filled: TdsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> list[tuple[DatabaseConfig, str]]:
        """Every reason that can be brought about here."""
        monkeypatch.setenv("WRONG_PASSWORD", "planted-wrong-password")
        other = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(str(other))
        (tmp_path / "letter.pem").write_text("Dear reader")
        return [
            (settings_of(filled, password=Secret("${WRONG_PASSWORD}")), "the login of user reader was refused"),
            (settings_of(filled, user=EnvText("nobody")), "the login of user nobody was refused"),
            (settings_of(filled, user=EnvText("disabled")), "the login disabled is disabled"),
            (settings_of(filled, database=EnvText("shopp")), "there is no database shopp"),
            (settings_of(filled, host=EnvText("no.such.host.invalid")), "there is no host no.such.host.invalid"),
            (settings_of(filled, port=1), "nothing answers at localhost port 1"),
            (settings_of(filled, ca_file=other), "certificate is not by an authority that this machine trusts"),
            (settings_of(filled, host=EnvText("127.0.0.1")), "certificate is for another name than 127.0.0.1"),
            (settings_of(filled, ca_file=None), "certificate is not by an authority that this machine trusts"),
            (settings_of(filled, ca_file=tmp_path / "none.pem"), "there is no file .*none.pem"),
            (settings_of(filled, ca_file=tmp_path / "letter.pem"), "`ca_file` cannot be used"),
        ]


def test_tls_that_is_not_offered_or_required_is_an_error() -> None:
    """A server without TLS, and one that takes nothing else."""
    with pytest.MonkeyPatch.context() as patch, tds_server() as server:
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        server.encryption = "absent"
        for tls in ("verify-full", "require"):
            with (
                pytest.raises(SourceUnavailableError, match="the server does not speak TLS"),
                connect(settings_of(server, tls=tls)),
            ):
                pass
        server.encryption = "required"
        with (
            pytest.raises(SourceUnavailableError, match="takes no unencrypted connection"),
            connect(settings_of(server, tls="disable")),
        ):
            pass
        with connect(settings_of(server)) as session:
            assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


def test_require_encrypts_without_verifying(filled: TdsServer) -> None:
    """And disable does neither; what the server sees is what was asked for."""
    seen = {}
    for tls in ("verify-full", "require", "disable"):
        ca_file = filled.ca_file if tls == "verify-full" else None
        with connect(settings_of(filled, tls=tls, ca_file=ca_file)):
            seen[tls] = filled.sessions[-1].encrypted

    assert seen == {"verify-full": True, "require": True, "disable": False}


def test_the_server_sees_who_asks_and_that_they_only_read(filled: TdsServer) -> None:
    """The program's name for whoever looks at its connections; the intent for an availability group's listener."""
    with connect(settings_of(filled)):
        reading = filled.sessions[-1]
        assert (reading.program, reading.user, reading.asked_read_only) == ("reverse-etl", USER, True)
    with connect(settings_of(filled, application_intent="read_write")):
        assert not filled.sessions[-1].asked_read_only


def test_connecting_leaves_the_environment_as_it_was(filled: TdsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others in this process may use FreeTDS with a configuration of their own; ours is gone, too."""
    monkeypatch.setenv("FREETDSCONF", "/somebody/elses.conf")
    with connect(settings_of(filled)):
        assert os.environ["FREETDSCONF"] == "/somebody/elses.conf"
    monkeypatch.delenv("FREETDSCONF")
    with connect(settings_of(filled)):
        assert "FREETDSCONF" not in os.environ


def test_several_connections_at_once_do_not_mix(filled: TdsServer) -> None:
    """Each has its own server to verify and its own socket to give up."""
    found: dict[str, Any] = {}

    def ask(tls: str) -> None:
        config = settings_of(filled, tls=tls, ca_file=filled.ca_file if tls == "verify-full" else None)
        with connect(config) as session:
            found[tls] = rows(session, f"SELECT '{tls}' AS t")[0]["t"]

    asking = [threading.Thread(target=ask, args=(tls,)) for tls in ("verify-full", "require", "disable")]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()

    assert found == {tls: tls for tls in ("verify-full", "require", "disable")}


def test_a_login_that_may_write_changes_nothing(filled: TdsServer) -> None:
    """The transaction is rolled back, whether the statement returns rows or not."""
    with connect(settings_of(filled, user=EnvText(WRITER))) as session:
        assert rows(session, "DELETE FROM planted OUTPUT deleted.secret") == [{"secret": PLANTED}]
        with pytest.raises(QueryError, match="returns no columns"):
            rows(session, "DELETE FROM planted")
        assert rows(session, "SELECT secret FROM planted") == [{"secret": PLANTED}]


def test_a_read_only_database_is_reported(filled: TdsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only kind of session that refuses writes by itself."""
    with connect(settings_of(filled)) as session:
        assert not session.read_only()
        monkeypatch.setattr(filled, "read_only", True)
        assert session.read_only()


@pytest.mark.parametrize(
    ("snapshots", "versions", "level"),
    [
        (0, "false", "READ COMMITTED"),
        (1, "false", "SNAPSHOT"),
        (1, "true", "READ COMMITTED"),
        (3, "false", "READ COMMITTED"),
    ],
)
def test_a_query_sees_one_state_where_the_database_keeps_versions(
    filled: TdsServer, snapshots: int, versions: str, level: str
) -> None:
    """READ COMMITTED reads versions by itself where the database says so; otherwise SNAPSHOT does, where allowed."""
    state = "UPDATE sys.databases SET snapshot_isolation_state = {}, is_read_committed_snapshot_on = {}"
    filled.admin(state.format(snapshots, versions))
    try:
        with connect(settings_of(filled)) as session:
            rows(session, "SELECT 1 AS one")
            assert filled.sessions[-1].settings["ISOLATION"] == level
    finally:
        filled.admin(state.format(0, "false"))


def test_locks_are_not_waited_for_without_end(filled: TdsServer) -> None:
    """A minute, or the query's own time limit where that is shorter; and this side gives way in a deadlock."""
    with connect(settings_of(filled, query_timeout=timedelta(seconds=2))) as session:
        rows(session, "SELECT 1 AS one")
        made = filled.sessions[-1].settings
        assert (made["LOCK_TIMEOUT"], made["DEADLOCK_PRIORITY"]) == ("2000", "LOW")


@pytest.mark.parametrize(
    ("expression", "logical", "value"),
    [
        ("CAST(255 AS TINYINT)", "int64", 255),
        ("CAST(-2147483648 AS INT)", "int64", -(2**31)),
        ("CAST(-922337203685477.5808 AS MONEY)", "decimal", "-922337203685477.5808"),
        ("CAST(1.5 AS SMALLMONEY)", "decimal", "1.5000"),
        ("CAST(-99999999999999999999999999999999999999 AS DECIMAL(38, 0))", "decimal", "-" + "9" * 38),
        ("CAST(0.5 AS REAL)", "double", 0.5),
        ("CAST(0.1 AS REAL)", "double", 0.1),
        ("CAST(0.1 AS FLOAT(24))", "double", 0.1),
        ("CAST(0.1 AS FLOAT(25))", "double", 0.1),
        ("CAST(N'ab' AS NCHAR(4))", "string", "ab"),
        ("CAST('Zoë' AS CHAR(4))", "string", "Zoë"),
        ("CAST('' AS CHAR(4))", "string", ""),
        ("CAST('it''s ' AS VARCHAR(8))", "string", "it's "),
        ("CAST('é€' AS VARCHAR(MAX))", "string", "é€"),
        ("CAST(REPLICATE(CAST(N'é' AS NVARCHAR(MAX)), 70000) AS NVARCHAR(MAX))", "string", "é" * 70_000),
        ("CAST('<a/>' AS XML)", "string", "<a/>"),
        ("CAST('12:34:56' AS TIME(0))", "string", "12:34:56"),
        ("CAST('00:00' AS TIME)", "string", "00:00:00"),
        ("CAST('' AS VARBINARY(10))", "binary", b""),
        ("CAST(0x00FF61 AS VARBINARY(MAX))", "binary", b"\x00\xffa"),
        ("CAST(0x01 AS BINARY(3))", "binary", b"\x01\x00\x00"),
        ("NULL", "null", None),
    ],
)
def test_types_of_its_own(session: Session, expression: str, logical: str, value: object) -> None:
    """Types that other engines do not have, and values at the edges of what they hold."""
    (batch,) = session.stream(f"SELECT {expression} AS value")

    assert (logical_type(batch.schema.field(0)), batch.column(0).to_pylist()) == (logical, [value])


def test_an_offset_may_lead_out_of_the_calendar(session: Session) -> None:
    """To year 10000 as the server writes it, or to year 0 in UTC; the other rows are as they would be."""
    times = ["2024-07-01 12:00:00.123456 +02:00", "9999-12-31 12:00:00 -13:00", "0001-01-01 00:00:00 +14:00"]
    parts = [f"SELECT {number} AS id, CAST('{at}' AS DATETIMEOFFSET) AS at" for number, at in enumerate(times)]

    (batch,) = session.stream(f"{' UNION ALL '.join(parts)} ORDER BY id")

    expected = [datetime(2024, 7, 1, 10, 0, 0, 123456, tzinfo=UTC), OUTSIDE_YEARS, OUTSIDE_YEARS]
    assert python_values(batch.column("at")) == expected


def test_rows_with_many_nulls_come_right(session: Session) -> None:
    """The server sends such rows in a shorter form."""
    query = (
        "SELECT id, CASE WHEN id % 2 = 0 THEN CAST(id AS DECIMAL(10, 2)) END AS d, "
        "CASE WHEN id % 3 = 0 THEN N'x' END AS t, CASE WHEN id % 5 = 0 THEN CAST('2024-01-01' AS DATETIME2) END AS at "
        f"FROM ({NUMBERS.format(n=12)}) AS n ORDER BY id"
    )

    found = rows(session, query)

    assert [row["d"] for row in found] == [f"{n}.00" if n % 2 == 0 else None for n in range(1, 13)]
    assert [row["t"] for row in found] == ["x" if n % 3 == 0 else None for n in range(1, 13)]
    assert [row["at"] is not None for row in found] == [n % 5 == 0 for n in range(1, 13)]


@pytest.mark.parametrize(
    ("query", "said", "fix"),
    [
        ("SELECT * FROM hidden", "user reader may not read dbo.hidden", "GRANT SELECT ON [dbo].[hidden] TO [reader]"),
        ("DELETE FROM planted", "user reader only reads dbo.planted", "SELECT"),
        ("SELECT * INTO copied FROM planted", "the session only reads", "SELECT"),
        ("SELECT no_such(secret) AS x FROM planted", "no_such", "tables and columns"),
        ("SELECT q.secret FROM (SELECT secret FROM planted ORDER BY secret) AS q", r"\(1033\)", "TOP"),
        ("SELECT 1 AS a FROM", "Incorrect syntax near", "Check the query"),
        ("SELECT CAST(secret AS INT) AS x FROM planted", r"conversion failed \(245\)", "TRY_CAST"),
        ("SELECT CAST(300 AS TINYINT) AS x", r"does not fit the type that it is converted to \(8115\)", "wider"),
        ("EXEC sp_who", "procedure", "SELECT"),
        ("-- nothing", "returns no columns", "Write one SELECT"),
        ("COMMIT", "returns no columns|only reads", "Write one SELECT"),
    ],
)
def test_refusals_carry_their_fix(session: Session, query: str, said: str, fix: str) -> None:
    """The message says what is wrong, the hint what to ask for; the session goes on."""
    with pytest.raises(QueryError, match=said) as refused:
        rows(session, query)

    assert fix in refused.value.hint
    assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.parametrize("kind", ["NVARCHAR(10)", "NVARCHAR(MAX)", "NCHAR(8)", "XML"])
def test_half_a_surrogate_pair_spoils_its_own_row_only(filled: TdsServer, kind: str) -> None:
    """SQL Server stores it in every type of its two-byte text, and no text can hold it."""
    half_a_pair_spoils_its_own_row(settings_of(filled), kind)


def half_a_pair_spoils_its_own_row(config: Config, kind: str) -> None:
    """The others keep their text and their type; the session goes on."""
    values = ("N'Zoë 👩'", f"CAST(NCHAR(55357) AS {kind})", "N'lee'")
    cells = [f"SELECT {number} AS id, CAST({text} AS {kind}) AS t" for number, text in enumerate(values)]
    with connect(config) as session:
        for limit in (None, 5):
            query = f"SELECT id, CAST(t AS {kind}) AS t FROM ({' UNION ALL '.join(cells)}) AS v ORDER BY id"
            (batch,) = session.stream(query, limit=limit)
            assert batch.to_pydict() == {"id": [0, 1, 2], "t": ["Zoë 👩", NOT_TEXT, "lee"]}
            assert logical_type(batch.schema.field("t")) == "string"


def test_half_a_surrogate_pair_in_what_is_listed_is_no_error(filled: TdsServer) -> None:
    """For a first sync, and in the words of an error."""
    filled.admin(f'CREATE OR REPLACE TABLE halved (id BIGINT, "{HALF_PAIR}" BIGINT)')
    found = tables_of(settings_of(filled))
    assert (found.problem, found.columns["halved"]) == ("", ["id"])
    with connect(settings_of(filled)) as session, pytest.raises(QueryError, match="conversion failed"):
        rows(session, f"SELECT CAST('{HALF_PAIR}' AS INT) AS n")


def test_no_password_is_in_an_error(filled: TdsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the wrong one nor, in a traceback, the connection string."""
    monkeypatch.setenv("WRONG_PASSWORD", "planted-wrong-password")
    config = settings_of(filled, password=Secret("${WRONG_PASSWORD}"))

    with pytest.raises(SourceUnavailableError) as refused, connect(config):
        pass

    text = "".join(traceback.format_exception(refused.value))
    assert "planted-wrong-password" not in text
    assert "${WRONG_PASSWORD}" in refused.value.hint


def test_a_password_that_freetds_cannot_take_is_an_error(filled: TdsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection strings have no way to say it; nothing is sent in its place."""
    for password in ("planted};x", "planted}", "planted\x00x"):
        monkeypatch.setattr(Secret, "resolve", lambda _, password=password: password)
        with (
            pytest.raises(ConfigError, match="FreeTDS cannot take this `password`") as refused,
            connect(settings_of(filled)),
        ):
            pass
        assert "planted" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.thorough
def test_a_query_that_takes_too_long_is_ended_on_the_server(filled: TdsServer) -> None:
    """By this side's clock, with a cancellation; the session goes on."""
    with connect(settings_of(filled, query_timeout=timedelta(seconds=1.5))) as session:
        began = time.monotonic()
        with pytest.raises(QueryError, match=r"did not end within query_timeout \(1\.5s\)"):
            rows(session, f"SELECT COUNT_BIG(*) AS n FROM ({ENDLESS}) AS e WHERE id % 2 = 7")

        assert time.monotonic() - began < 20
        until(lambda: filled.running() == 0)
        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.thorough
def test_a_query_that_trickles_is_ended_too(filled: TdsServer) -> None:
    """Rows keep coming, and the time is up all the same."""
    with connect(settings_of(filled, query_timeout=timedelta(seconds=1.5))) as session:
        with pytest.raises(QueryError, match="did not end within query_timeout"):
            for _ in session.stream(ENDLESS):
                pass
        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


def test_a_very_long_time_limit_is_no_error(filled: TdsServer) -> None:
    """Ten years are more than a thread can wait."""
    with connect(settings_of(filled, query_timeout=timedelta(weeks=520))) as session:
        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.thorough
def test_a_server_that_falls_silent_is_given_up(filled: TdsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not even answer the cancellation: the socket is shut down under the driver."""
    monkeypatch.setattr(wire, "CANCEL_S", 0.3)
    with connect(settings_of(filled, query_timeout=timedelta(seconds=4))) as session:
        batches = session.stream(ENDLESS)
        next(batches)
        began = time.monotonic()
        with filled.silent():
            with pytest.raises(QueryError, match="did not end within query_timeout"):
                list(batches)
            assert time.monotonic() - began < 20
            with pytest.raises(SourceUnavailableError, match="connection was lost"):
                session.now()


@pytest.mark.thorough
def test_a_cancellation_that_is_never_acknowledged_is_given_up(
    filled: TdsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two fetches FreeTDS waits for the acknowledgement, without a limit of its own."""
    monkeypatch.setattr(wire, "CANCEL_S", 0.3)
    between_fetches = threading.Event()
    with connect(settings_of(filled, query_timeout=timedelta(seconds=3))) as session:
        batches = session.stream(ENDLESS)
        next(batches)
        began = time.monotonic()
        with filled.silent(), pytest.raises(QueryError, match="did not end within query_timeout"):
            session._wire.run(lambda: between_fetches.wait(60))
        between_fetches.set()
        assert time.monotonic() - began < 20


@pytest.mark.thorough
def test_a_host_that_never_greets_is_given_up() -> None:
    """The port is open and silent."""
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as silent:
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        patch.setattr(network, "_ANSWER_S", 0.2)
        config = settings_of(
            TdsServer(silent.getsockname()[1], Path("/none")), ca_file=None, query_timeout=timedelta(seconds=2)
        )
        with pytest.raises(SourceUnavailableError, match="does not answer"), connect(config):
            pass


def test_what_is_no_sql_server_is_an_error() -> None:
    """Another service behind the port."""
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as listener:
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        stopped = threading.Event()

        def greet() -> None:
            while not stopped.is_set():
                plain, _ = listener.accept()
                with plain, suppress(OSError):
                    plain.sendall(b"220 mail.example.com ESMTP\r\n")
                    plain.recv(10)

        greeting = threading.Thread(target=greet, daemon=True)
        greeting.start()
        config = settings_of(TdsServer(listener.getsockname()[1], Path("/none")), ca_file=None)
        with pytest.raises(SourceUnavailableError, match="is not SQL Server, or hangs up"), connect(config):
            pass
        stopped.set()
        with suppress(OSError):
            socket.create_connection(listener.getsockname()).close()
        greeting.join()


def test_a_connection_cut_by_the_server_is_an_error(filled: TdsServer) -> None:
    """The server dies in the middle; what follows says the same."""
    with connect(settings_of(filled)) as session:
        batches = session.stream(ENDLESS)
        next(batches)
        filled.cut()
        with pytest.raises(SourceUnavailableError, match="connection was lost"):
            list(batches)
        with pytest.raises(SourceUnavailableError, match="connection was lost"):
            session.now()


def test_leaving_early_cancels_the_query_on_the_server(filled: TdsServer) -> None:
    """Nothing is left running there."""
    with connect(settings_of(filled)) as session:
        batches = session.stream(ENDLESS)
        next(batches)
        assert filled.running() == 1
        batches.close()
        until(lambda: filled.running() == 0)


def test_ctrl_c_cancels_the_query_on_the_server(filled: TdsServer) -> None:
    """While the driver waits for the first row, too."""
    with connect(settings_of(filled)) as session:
        interrupting = threading.Thread(target=_interrupt_once_running, args=(filled,))
        interrupting.start()
        with pytest.raises(KeyboardInterrupt):
            rows(session, f"SELECT COUNT_BIG(*) AS n FROM ({ENDLESS}) AS e WHERE id % 2 = 7")
        interrupting.join()

        until(lambda: filled.running() == 0)
        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


def _interrupt_once_running(server: TdsServer) -> None:
    until(lambda: any("COUNT_BIG" in batch for batch in server.batches[-1:]) and server.running() == 1)
    os.kill(os.getpid(), signal.SIGINT)


def test_limit_does_not_run_the_whole_query(filled: TdsServer) -> None:
    """The server itself stops after so many rows."""
    with connect(settings_of(filled)) as session:
        assert len(rows(session, ENDLESS, limit=3)) == 3
        assert filled.sessions[-1].settings["ROWCOUNT"] == "3"
        assert [batch.num_rows for batch in session.stream(ENDLESS, limit=0)] == [0]
        assert len(rows(session, NUMBERS.format(n=10))) == 10


def test_no_thread_or_socket_is_left(filled: TdsServer) -> None:
    """Closing a session ends the thread that calls the driver, and the connection on the server."""
    with connect(settings_of(filled)) as session:
        rows(session, "SELECT 1 AS one")
        there = filled.sessions[-1]
    until(lambda: there not in filled.sessions)
    until(lambda: all(thread.name != "sqlserver" for thread in threading.enumerate()))


def test_connecting_step_by_step_names_the_authority(filled: TdsServer) -> None:
    """As ``test-connection`` shows it; that the session would allow writes is reported, with what to do."""
    found = {step.name: step for step in steps(settings_of(filled))}

    assert found["TLS"].detail == "the certificate for localhost is by Throw-away authority"
    assert found["log in"].detail == f"user {USER}, database {DATABASE}"
    assert found["server"].detail.startswith("SQL Server 16.0")
    assert found["read-only"].ok
    assert "`user` may only read" in found["read-only"].hint
    assert found["query"].ok
    assert found["driver"].detail.startswith("pyodbc ")


def test_keys_that_do_not_go_together_are_problems() -> None:
    """A password is needed, whoever logs in; Entra needs encryption."""
    with pytest.raises(ValidationError) as refused:
        Config(
            host=EnvText("db"),
            database=EnvText("shop"),
            user=EnvText("x"),
            authentication="entra_service_principal",
            tls="disable",
        )

    problems = {problem["loc"]: problem["msg"] for problem in refused.value.errors()}
    assert "write `password: ${NAME}`" in problems[("password",)]
    assert "needs encryption" in problems[("tls",)]


def _pretend(monkeypatch: pytest.MonkeyPatch, *drivers: str, libraries: tuple[str, ...] = ()) -> None:
    monkeypatch.setattr("pyodbc.drivers", lambda: list(drivers))
    monkeypatch.setattr(driver, "_LIBRARIES", libraries)


FREETDS, DRIVER_17, DRIVER_18 = "FreeTDS", "ODBC Driver 17 for SQL Server", "ODBC Driver 18 for SQL Server"


@pytest.mark.parametrize(
    ("installed", "changed", "chosen"),
    [
        ((FREETDS, DRIVER_17, DRIVER_18), {}, DRIVER_18),
        ((FREETDS, DRIVER_17), {}, DRIVER_17),
        ((FREETDS, DRIVER_17), {"ca_file": Path("/ca.pem")}, FREETDS),
        ((FREETDS, DRIVER_17), {"ca_file": Path("/ca.pem"), "tls": "require"}, DRIVER_17),
        ((FREETDS, DRIVER_18), {"ca_file": Path("/ca.pem")}, DRIVER_18),
        ((FREETDS, DRIVER_17), {"authentication": "entra_service_principal"}, DRIVER_17),
        ((FREETDS, DRIVER_18), {"driver": FREETDS}, FREETDS),
        (("SQLite3", FREETDS), {}, FREETDS),
    ],
)
def test_the_best_driver_that_fits_is_used(
    monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...], changed: dict[str, Any], chosen: str
) -> None:
    """Microsoft's newest first; each that cannot do what the connection asks for is passed over."""
    _pretend(monkeypatch, *installed)

    assert driver.find(unreached(**changed), "database shop (sqlserver)").name == chosen


def test_a_driver_that_is_entered_nowhere_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages put the library in a known place, even where odbcinst.ini does not name it."""
    _pretend(monkeypatch, libraries=driver._LIBRARIES)

    found = driver.find(unreached(), "database shop (sqlserver)")

    assert Path(found.name).is_file()


@pytest.mark.parametrize(
    ("installed", "changed", "said", "fix"),
    [
        ((), {}, "there is no ODBC driver for SQL Server", "apt-get install unixodbc libodbc2 tdsodbc"),
        ((FREETDS,), {"authentication": "entra_service_principal"}, "needs Microsoft's ODBC driver", "msodbcsql18"),
        ((DRIVER_17,), {"ca_file": Path("/ca.pem")}, "Driver 17 takes no `ca_file`", "tdsodbc"),
        ((FREETDS,), {"driver": "Best Driver"}, "there is no ODBC driver Best Driver", "odbcinst.ini has: FreeTDS"),
    ],
)
def test_without_a_driver_that_fits_the_packages_are_named(
    monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...], changed: dict[str, Any], said: str, fix: str
) -> None:
    """What is missing, and the command that installs it."""
    _pretend(monkeypatch, *installed)

    with pytest.raises(MissingDriverError, match=said) as missing, connect(unreached(**changed)):
        pass

    assert fix in missing.value.hint


def test_without_pyodbc_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is optional; the error is the command that installs it."""
    monkeypatch.setitem(sys.modules, "pyodbc", None)

    with pytest.raises(MissingDriverError) as missing, connect(unreached()):
        pass

    assert missing.value.hint == 'Run: pip install "reverse-etl[sqlserver]"'


def test_without_unixodbc_its_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pyodbc's wheel does not bring it."""
    (tmp_path / "pyodbc.py").write_text("raise ImportError('libodbc.so.2: cannot open shared object file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pyodbc", raising=False)

    with pytest.raises(MissingDriverError, match="no ODBC driver manager") as missing, connect(unreached()):
        pass

    assert "apt-get install unixodbc" in missing.value.hint


@pytest.mark.parametrize(
    ("major", "changed", "verification"),
    [
        (18, {}, {"Encrypt": "yes", "TrustServerCertificate": "no", "HostNameInCertificate": "db"}),
        (17, {}, {"Encrypt": "yes", "TrustServerCertificate": "no"}),
        (18, {"tls": "require"}, {"Encrypt": "yes", "TrustServerCertificate": "yes"}),
        (18, {"tls": "disable"}, {"Encrypt": "no"}),
    ],
)
def test_microsofts_driver_is_set_to_verify(major: int, changed: dict[str, Any], verification: dict[str, str]) -> None:
    """By default the certificate and the host name in it."""
    settings = _settings_of(unreached(**changed), driver.Driver(f"ODBC Driver {major} for SQL Server", major))

    keys = ("Encrypt", "TrustServerCertificate", "HostNameInCertificate", "ServerCertificate")
    assert {key: settings[key] for key in keys if key in settings} == verification
    assert settings["SERVER"] == "tcp:db,1433"
    assert settings["ApplicationIntent"] == "ReadOnly"


def test_microsofts_driver_takes_any_password() -> None:
    """Closing braces are doubled; nothing in a value can become a key of its own."""
    settings = _settings_of(unreached(authentication="entra_service_principal"), driver.Driver(DRIVER_18, 18))

    assert settings["PWD"] == "a};Encrypt=no;{b"
    assert settings["Authentication"] == "ActiveDirectoryServicePrincipal"


def _settings_of(config: Config, through: driver.Driver) -> dict[str, str]:
    login = driver.Login("db", 1433, "shop", "reader", "a};Encrypt=no;{b")
    said = driver.connection_string(config, through, login, "database shop (sqlserver)")
    found = re.findall(r"(\w+)=\{((?:[^}]|\}\})*)\};", said)
    assert "".join(f"{key}={{{value}}};" for key, value in found) == said
    return {key: value.replace("}}", "}") for key, value in found}


@pytest.mark.parametrize(
    "tls", ["disable", *(pytest.param(tls, marks=pytest.mark.thorough) for tls in ("require", "verify-full"))]
)
def test_a_server_that_hangs_up_in_good_order_is_noticed_at_once(filled: TdsServer, tls: str) -> None:
    """While a query computes: FreeTDS itself overlooks TLS's farewell, and spins for minutes."""
    hangs_up_while_computing(filled, settings_of(filled, tls=tls, ca_file=filled.ca_file if tls[0] == "v" else None))


def hangs_up_while_computing(server: TdsServer, config: Config) -> None:
    """The end of the stream is an error of the connection within seconds, and the driver's thread rests after it."""
    with connect(config) as session:
        asked = threading.Thread(target=lambda: (until(server.running), server.leave()))
        asked.start()
        began = time.monotonic()
        with pytest.raises(SourceUnavailableError, match="the connection was lost during the query"):
            rows(session, "WAITFOR DELAY '00:00:40'; SELECT 1 AS one")
        assert time.monotonic() - began < 30
        asked.join()
        # What the end of a connection takes is over after some of these; what spins takes minutes.
        assert any(work_of_other_threads(0.05) < 0.5 for _ in range(20))


def work_of_other_threads(own_s: float) -> float:
    """The processor's time that other threads of this process take, in units of what this one takes meanwhile."""
    whole, own = time.process_time(), time.thread_time()
    while time.thread_time() - own < own_s:
        pass
    return (time.process_time() - whole) / (time.thread_time() - own) - 1


def test_an_address_is_verified_by_freetds_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Microsoft's driver compares names only, so it is skipped; alone, the error names what to do."""
    by_address = {"host": EnvText("10.0.0.7")}
    _pretend(monkeypatch, FREETDS, DRIVER_18)
    assert driver.find(unreached(**by_address), "x").name == FREETDS
    assert driver.find(unreached(**by_address, tls="require"), "x").name == DRIVER_18
    _pretend(monkeypatch, DRIVER_18)
    with pytest.raises(MissingDriverError, match="verifies the name in a certificate, and `host` is an address") as no:
        driver.find(unreached(**by_address), "database shop (sqlserver)")
    assert "Write the name in the server's certificate as `host`" in no.value.hint


def test_a_certificate_for_an_address_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """With FreeTDS, which compares addresses too."""
    with pytest.MonkeyPatch.context() as patch, tds_server(certified="127.0.0.1") as server:
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        with connect(settings_of(server, host=EnvText("127.0.0.1"))) as session:
            assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


def test_a_type_that_freetds_does_not_know_is_named_with_the_cast(filled: TdsServer) -> None:
    """SQL_VARIANT: the driver refuses the whole result."""
    with connect(settings_of(filled)) as session, pytest.raises(QueryError, match="such as SQL_VARIANT") as refused:
        rows(session, "SELECT 1 AS id, CAST(5 AS SQL_VARIANT) AS anything")
    assert "CAST(column AS NVARCHAR(4000))" in refused.value.hint


def test_the_connection_check_names_driver_and_version(filled: TdsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver below pyodbc, and a server that is older than the documented one."""
    found = {step.name: step.detail for step in steps(settings_of(filled))}
    assert re.search(r"pyodbc [\d.]+, ODBC driver libtdsodbc\S* \d", found["driver"])
    assert found["server"] == "SQL Server 16.0.4135.4"
    monkeypatch.setattr(filled, "version_text", "12.0.6024.0")
    found = {step.name: step.detail for step in steps(settings_of(filled))}
    assert found["server"] == "SQL Server 12.0.6024.0, older than 2016 (13.0), the oldest that is supported"


def _facts(server: TdsServer) -> dict[str, str]:
    return {"host": "localhost", "port": str(server.port), "user": USER, "database": DATABASE, "password": "x"}


def test_a_host_that_would_be_a_line_of_its_own_is_refused() -> None:
    """FreeTDS's configuration file is made of lines."""
    login = driver.Login("db\nencryption = off", 1433, "shop", "reader", "x")

    with pytest.raises(ConfigError, match="holds white space"):
        driver.freetds_conf(unreached(), login, "database shop (sqlserver)")


@pytest.mark.parametrize("password", ["a;b", "{a", "a}b", "a}}b{", "a=b;c", " a ", "é€👩", "x" * 128, "'\"\\"])
def test_any_other_password_reaches_the_server(
    filled: TdsServer, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    """As it is, whatever means something in a connection string."""
    monkeypatch.setitem(filled.logins, USER, Login(password))
    monkeypatch.setenv("ODD_PASSWORD", password)

    with connect(settings_of(filled, password=Secret("${ODD_PASSWORD}"))) as session:
        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.parametrize(
    ("said", "number", "expected"),
    [
        ("[HY000] [FreeTDS][SQL Server]Lock request time out period exceeded. (1222) (SQLFetch)", 1222, "locked"),
        (
            "[40001] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]Deadlock 'x' (1205) (SQLExecDirectW)",
            1205,
            "waited",
        ),
        (
            "[42000] [FreeTDS][SQL Server]Snapshot isolation 'x' (3952) (SQLExecDirectW)",
            3952,
            "does not allow snapshots",
        ),
        ("[42000] [FreeTDS][SQL Server]planted-value (31337) (SQLFetch)", 31337, r"error 31337"),
        ("[22003] [FreeTDS][SQL Server]planted-value (220) (SQLFetch)", 220, r"does not fit the type.* \(220\)"),
        ("[22003] [FreeTDS][SQL Server]planted-value (8115) (SQLFetch)", 8115, r"does not fit the type.* \(8115\)"),
        ("[22008] [FreeTDS][SQL Server]planted-value (535) (SQLFetch)", 535, r"further apart .*DATEDIFF.* \(535\)"),
        ("[22007] [FreeTDS][SQL Server]planted-value (517) (SQLFetch)", 517, r"beyond the years .* \(517\)"),
        ("[42000] [FreeTDS][SQL Server]Le serveur (916) (SQLExecDirectW)", 916, "may not use database shop"),
        ("[42000] [FreeTDS][SQL Server]EXECUTE refusé (229) (SQLExecDirectW)", 229, r"may not do .*\(229\)"),
        ("[HY000] [unixODBC][Driver Manager]planted-value (0) (SQLExecDirectW)", 0, "SQLSTATE HY000"),
    ],
)
def test_what_the_server_says_among_rows_is_named_not_quoted(said: str, number: int, expected: str) -> None:
    """Numbers that the counterpart does not bring about."""
    messages = errors.Messages("database shop (sqlserver)", {"user": USER, "database": DATABASE}, timedelta(hours=1))

    refused = messages.refused(pyodbc.Error(said[1:6], said))

    assert re.search(expected, refused.message)
    assert "planted" not in refused.message
    assert refused.hint


def test_a_login_that_the_network_does_not_explain_says_the_drivers_reason(filled: TdsServer) -> None:
    """Name, certificate and port are fine; the driver's own sentence holds no secret."""
    messages = errors.Messages("database shop (sqlserver)", _facts(filled), timedelta(hours=1))
    error = pyodbc.Error("08001", "[08001] [FreeTDS][SQL Server]Adaptive Server is busy. (20099) (SQLDriverConnect)")

    refused = messages.login(error, settings_of(filled))

    assert refused.message == "database shop (sqlserver): no connection: Adaptive Server is busy (20099)."
    assert refused.hint


PAGE = Path(__file__).parents[2] / "docs" / "databases" / "sqlserver.md"


def examples(language: str) -> list[str]:
    """The page's fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_connections_in_the_documentation_are_valid(tmp_path: Path) -> None:
    """The block, as the file that it would be."""
    (block,) = examples("yaml")
    (tmp_path / "connections.yaml").write_text(block)

    found = load_project(tmp_path).databases

    assert {name: type(config) for name, config in found.items()} == {"shop": Config, "shop_in_azure": Config}


def test_the_sql_in_the_documentation_works(filled: TdsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The login can read what it is to read and nothing else, and the query selects what changed."""
    grants, query, _ = examples("sql")
    filled.admin(
        """
        CREATE SCHEMA sales;
        CREATE TABLE sales.customers (id INT, email VARCHAR, plan VARCHAR, created_at DATE, updated_at TIMESTAMP);
        INSERT INTO sales.customers
        SELECT i, 'a@example.com', 'pro', '2024-01-01', TIMESTAMP '2024-01-01' + INTERVAL (i) DAY
        FROM range(1, 5) AS r(i);
        """
    )
    filled.administer(grants)
    monkeypatch.setenv("DOCUMENTED", "Choose-1-of-your-own")
    config = settings_of(filled, user=EnvText("customerio_reader"), password=Secret("${DOCUMENTED}"))
    since = int(datetime(2024, 1, 4, tzinfo=UTC).timestamp())

    assert check_query(query, SPOKEN["tsql"]) == []
    with connect(config) as session:
        assert [row["id"] for row in rows(session, render(query, since))] == [3, 4]
        for refused in ("SELECT * FROM planted", "DELETE FROM sales.customers"):
            with pytest.raises(QueryError, match="user customerio_reader"):
                rows(session, refused)


def _of_url(monkeypatch: pytest.MonkeyPatch, **changed: Any) -> Config:
    """The connection that ``TEST_SQLSERVER_URL`` names."""
    parts = urlsplit(URL)
    asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
    monkeypatch.setenv("TEST_SQLSERVER_PASSWORD", unquote(parts.password or ""))
    settings: dict[str, Any] = {
        "name": "shop",
        "host": EnvText(parts.hostname or ""),
        "port": parts.port,
        "database": EnvText(parts.path.strip("/")),
        "user": EnvText(unquote(parts.username or "")),
        "password": Secret("${TEST_SQLSERVER_PASSWORD}"),
        "timezone": TIMEZONE,
    }
    return Config(**(settings | asked | changed))


if URL:

    class TestRealSqlServer(TestSqlServer):
        """The suite on the server that ``TEST_SQLSERVER_URL`` names."""

        against = "a real server"

        @pytest.fixture
        def database(self, monkeypatch: pytest.MonkeyPatch) -> DatabaseConfig:
            """That server, with the table ``planted``."""
            config = _of_url(monkeypatch)
            name = f"N'{PLANTED}'"
            with connect(config) as session:
                wire: Any = session._wire  # type: ignore[attr-defined]
                wire.start()
                wire.execute("DROP TABLE IF EXISTS planted; CREATE TABLE planted (secret NVARCHAR(100))")
                wire.execute(f"INSERT INTO planted VALUES ({name})")
            return config

        @pytest.fixture
        def unavailable(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[DatabaseConfig, str]]:
            """What needs no certificate of ours."""
            monkeypatch.setenv("WRONG_PASSWORD", "planted-wrong-password")
            return [
                (_of_url(monkeypatch, password=Secret("${WRONG_PASSWORD}")), "was refused"),
                (_of_url(monkeypatch, database=EnvText("no_such_database")), "there is no database no_such_database"),
                (_of_url(monkeypatch, host=EnvText("no.such.host.invalid")), "there is no host"),
                (_of_url(monkeypatch, port=1), "nothing answers|does not answer"),
            ]

        def test_writing_is_refused_by_the_session_itself(self, database: DatabaseConfig) -> None:
            """This login may write; what it writes is rolled back."""
            for statement in self.writing:
                with connect(database) as session, suppress(QueryError):
                    rows(session, statement)
            with connect(database) as session:
                assert rows(session, "SELECT secret FROM planted") == [{"secret": PLANTED}]
                for made in ("copied", "t"):
                    with pytest.raises(QueryError, match="208"):
                        rows(session, f"SELECT * FROM {made}")

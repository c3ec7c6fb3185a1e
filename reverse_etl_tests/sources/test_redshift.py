"""Redshift: the conformance suite through the real driver, and what only Redshift does.

With TEST_REDSHIFT_URL (``redshift://user:password@host:port/database``) the suite also runs against that cluster, in
which somebody has run ``CREATE TABLE planted (secret varchar(100))`` and inserted ``PLANTED``.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import trustme

from reverse_etl.changeset.query import render
from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.loader import load_project
from reverse_etl.errors import MissingDriverError, QueryError, SourceUnavailableError
from reverse_etl.sources import connect
from reverse_etl.sources._connection_check import steps
from reverse_etl.sources._instants import values as python_values
from reverse_etl.sources.base import BATCH_ROWS, OUTSIDE_YEARS, Session, logical_type
from reverse_etl.sources.redshift import Config
from reverse_etl_tests.servers.postgres import DATABASE as POSTGRES_DATABASE
from reverse_etl_tests.servers.postgres import PASSWORD_VARIABLE as POSTGRES_PASSWORD_VARIABLE
from reverse_etl_tests.servers.postgres import USER as READER
from reverse_etl_tests.servers.postgres import PostgresServer
from reverse_etl_tests.servers.redshift import (
    DATABASE,
    ENCRYPTED_ONLY,
    PASSWORD,
    PASSWORD_VARIABLE,
    SINGLE_NODE,
    USER,
    VERSION,
    RedshiftServer,
)
from reverse_etl_tests.sources.cases import CASES, DATE, DATE_TIME, TIMEZONE
from reverse_etl_tests.sources.conformance import PLANTED, SourceConformance
from reverse_etl_tests.sources.network import OverTheNetwork

URL_VARIABLE = "TEST_REDSHIFT_URL"
ENDLESS_TEXT = """
WITH RECURSIVE r(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM r) SELECT repeat('x', 1000) AS t FROM r
"""

_TEXT = next(case.value for case in CASES if case.name == "text").replace("'", "''").replace("\\", "' || chr(92) || '")
_EXPRESSIONS = {
    "text": f"('{_TEXT}')::varchar(100)",
    "empty_text": "''::varchar(10)",
    "text_null_word": "'NULL'::varchar(10)",
    "true": "true",
    "false": "false",
    "small_integer": "(-7)::smallint",
    "greatest_integer": "9223372036854775807",
    "least_integer": "(-9223372036854775808)::bigint",
    "beyond_integer": "18446744073709551616::decimal(38)",
    "decimal": "1234567890123456789.0123456789::decimal(38, 10)",
    "negative_decimal": "-0.0000000001::decimal(38, 10)",
    "float": "0.1::float8",
    "tiny_float": "'5e-324'::float8",
    "infinite_float": "'Infinity'::float4",
    "not_a_number": "'NaN'::float8",
    "date": "date '2024-02-29'",
    "first_date": "date '0001-01-01'",
    "last_date": "date '9999-12-31'",
    "instant": "timestamptz '2024-07-01 12:00:00.123456+02'",
    "first_instant": "timestamptz '0001-01-01 00:00:00+00'",
    "last_instant": "timestamptz '9999-12-31 23:59:59.999999+00'",
    "summer_wall_clock": "timestamp '2024-07-01 12:00'",
    "winter_wall_clock": "timestamp '2024-01-01 12:00'",
    "wall_clock_in_spring_gap": "timestamp '2026-03-29 02:30'",
    "wall_clock_twice_in_autumn": "timestamp '2026-10-25 02:30'",
    "last_wall_clock": "timestamp '9999-12-31 23:59:59'",
    "first_wall_clock": "timestamp '0001-01-01 00:00'",
    "distant_date": "date '20000-01-01'",
    "time": "time '12:34:56.5'",
    "interval": "interval '1 year 2 days 3.5 seconds'",
    "bytes": "from_hex('00ff61')",
    "json": """json_parse('{"a": 1.10000000000000000001}')""",
    "array": "json_parse('[1,null,3]')",
    "empty_array": "json_parse('[]')",
    "array_of_text": """json_parse('["a","NaN",""]')""",
    "struct": """json_parse('{"x":1,"y":"é"}')""",
}


def settings_of(server: RedshiftServer, **changed: Any) -> Config:
    """A connection to the stand-in as the reading user."""
    settings: dict[str, Any] = {
        "name": "warehouse",
        "host": EnvText(server.host),
        "port": server.port,
        "database": EnvText(DATABASE),
        "user": EnvText(USER),
        "password": Secret(f"${{{PASSWORD_VARIABLE}}}"),
        "ca_file": server.ca_file,
        "timezone": TIMEZONE,
    }
    return Config(**(settings | changed))


def real_service(url: str, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The connection that the address names; its password goes into the environment."""
    parts = urlsplit(url)
    monkeypatch.setenv("TEST_REDSHIFT_PASSWORD", unquote(parts.password or ""))
    return Config(
        name="warehouse",
        host=EnvText(parts.hostname or ""),
        port=parts.port,
        database=EnvText(parts.path.strip("/")),
        user=EnvText(unquote(parts.username or "")),
        password=Secret("${TEST_REDSHIFT_PASSWORD}"),
        timezone=TIMEZONE,
    )


@pytest.fixture(scope="session")
def filled(redshift: RedshiftServer) -> RedshiftServer:
    """The stand-in with the tables that these tests use."""
    with redshift.behind.admin(DATABASE) as admin:
        admin.execute("CREATE TABLE planted (secret text)")
        admin.execute("INSERT INTO planted VALUES (%s)", [PLANTED])
        admin.execute("CREATE TABLE hidden (secret text)")
        admin.execute("REVOKE ALL ON hidden FROM PUBLIC")
        admin.execute("CREATE SCHEMA closed CREATE TABLE t (a int)")
        admin.execute("CREATE SEQUENCE counter")
        admin.execute(f"GRANT ALL ON SEQUENCE counter TO {USER}")
        admin.execute(f"GRANT INSERT, DELETE, UPDATE ON planted TO {USER}")
    return redshift


@pytest.fixture
def session(filled: RedshiftServer) -> Iterator[Session]:
    """A session of the reading user."""
    with connect(settings_of(filled)) as session:
        yield session


def rows(session: Session, query: str, *, limit: int | None = None) -> list[dict[str, Any]]:
    """All rows of a query."""
    return [row for batch in session.stream(query, limit=limit) for row in batch.to_pylist()]


class TestRedshift(SourceConformance, OverTheNetwork):
    """The suite through the real driver and TLS, as a user who may write to ``planted``."""

    engine = "redshift"
    plain_answer = b"N"
    product = "Amazon Redshift"
    against = "a private PostgreSQL that starts up like Redshift"
    numbers = "SELECT i AS id FROM generate_series(1, {n}) AS g(i) ORDER BY id"
    endless = "WITH RECURSIVE r(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM r) SELECT id FROM r"
    wide_rows = "SELECT i AS id, repeat('xy', 50000) AS t FROM generate_series(1, {n}) AS g(i)"
    writing = (
        "DELETE FROM planted",
        "WITH gone AS (DELETE FROM planted RETURNING secret) SELECT secret FROM gone",
        "INSERT INTO planted VALUES ('x')",
        "SELECT secret INTO copied FROM planted",
        "SELECT nextval('counter')",
        "CREATE TEMP TABLE t (a int)",
        "SET timezone TO 'Europe/Berlin'",
        "COMMIT",
        "UNLOAD ('SELECT secret FROM planted') TO 's3://bucket/'",
        "EXPLAIN ANALYZE DELETE FROM planted",
    )
    failing_on_planted = "SELECT secret::int AS x FROM planted"
    expressions = _EXPRESSIONS
    cannot = {  # noqa: RUF012 - as in the suite
        "infinite_date": "Redshift's dates are never infinite",
        "infinite_instant": "Redshift's date-times are never infinite",
        "uuid": "Redshift keeps UUIDs in VARCHAR",
        "enum": "Redshift has no enums",
        "array_with_not_a_number": "SUPER holds no NaN",
    }

    @pytest.fixture(params=["stand-in", "service"] if os.environ.get(URL_VARIABLE) else ["stand-in"])
    def database(
        self, request: pytest.FixtureRequest, filled: RedshiftServer, monkeypatch: pytest.MonkeyPatch
    ) -> DatabaseConfig:
        """The stand-in, and the real service where there is one."""
        if request.param == "service":
            return real_service(os.environ[URL_VARIABLE], monkeypatch)
        return settings_of(filled)

    @pytest.fixture
    def unavailable(
        self, filled: RedshiftServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> list[tuple[DatabaseConfig, str]]:
        """Every reason that can be brought about here."""
        monkeypatch.setenv("WRONG_PASSWORD", "planted-wrong-password")
        other = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(str(other))
        (tmp_path / "letter.pem").write_text("Dear reader")
        wrong = Secret("${WRONG_PASSWORD}")
        return [
            (settings_of(filled, password=wrong), "the password of user customerio_reader was refused"),
            (settings_of(filled, user=EnvText("nobody")), "does not let user nobody connect"),
            (settings_of(filled, database=EnvText("shopp")), "there is no database shopp"),
            (settings_of(filled, host=EnvText("no.such.host.invalid")), "there is no host no.such.host.invalid"),
            (settings_of(filled, port=1), "nothing answers at localhost port 1"),
            (settings_of(filled, ca_file=other), "certificate is not by an authority that this machine trusts"),
            (settings_of(filled, host=EnvText("127.0.0.1")), "certificate is for another name than 127.0.0.1"),
            (settings_of(filled, ca_file=None), "certificate is not by an authority that this machine trusts"),
            (settings_of(filled, ca_file=tmp_path / "none.pem"), "there is no file .*none.pem"),
            (settings_of(filled, ca_file=tmp_path / "letter.pem"), "`ca_file` cannot be used"),
            (settings_of(filled, user=EnvText(ENCRYPTED_ONLY), tls="disable"), "takes no unencrypted connection"),
        ]


@pytest.mark.parametrize(
    ("expression", "logical", "value"),
    [
        (
            "12345678901234567890123456789012345678.5::decimal(39, 1)",
            "decimal",
            "12345678901234567890123456789012345678.5",
        ),
        ("0.10::decimal(38, 2)", "decimal", "0.10"),
        ("0.1::float4", "double", 0.1),
        ("'-Infinity'::float8", "double", float("-inf")),
        ("date '1500-02-28'", "date32[day]", "1500-02-28"),
        ("date '0044-03-15 BC'", DATE, OUTSIDE_YEARS),
        ("timestamp '10000-01-01'", DATE_TIME, OUTSIDE_YEARS),
        ("timestamptz '294276-12-31 23:59:59+00'", DATE_TIME, OUTSIDE_YEARS),
        ("timetz '12:00+02'", "string", "12:00:00+02"),
        ("'ab'::char(4)", "string", "ab"),
        ("'ab  '::bpchar", "string", "ab"),
        ("'ab  '::varchar(8)", "string", "ab  "),
        ("'ab'::name", "string", "ab"),
        ("4294967295::oid", "int64", 4294967295),
        ("interval '-3 days -1.5 seconds'", "string", "P-3DT-1.5S"),
        ("from_hex('')", "binary", b""),
        ("json_parse('\"Zoë\"')", "json", '"Zoë"'),
        ("'{a,b}'::varchar[]", "string", "{a,b}"),
        ("NULL", "string", None),
    ],
)
def test_types_of_its_own(session: Session, expression: str, logical: str, value: object) -> None:
    """Types that other engines do not have, and values that the driver itself would round, move or refuse."""
    (batch,) = session.stream(f"SELECT {expression} AS value")

    (found,) = python_values(batch.column(0))
    found = found.isoformat() if isinstance(found, date) else found
    assert (logical_type(batch.schema.field(0)), found) == (logical, value)


def test_a_single_node_is_asked_for_fewer_rows(filled: RedshiftServer) -> None:
    """It refuses to hand out more than 1,000 at once; the query is declared once more, and nothing is lost."""
    with connect(settings_of(filled, user=EnvText(SINGLE_NODE))) as session:
        for _ in range(2):
            (batch,) = session.stream(TestRedshift.numbers.format(n=2500))
            assert batch.column("id").to_pylist() == list(range(1, 2501))
        assert rows(session, TestRedshift.numbers.format(n=2500), limit=2) == [{"id": 1}, {"id": 2}]


@pytest.mark.thorough
def test_a_cell_larger_than_a_batch_comes_whole(session: Session) -> None:
    """There is no limit but the server's own."""
    batches = list(session.stream("SELECT i, repeat('xyz\n', 7000000) AS t FROM generate_series(1, 2) AS g(i)"))

    assert [batch.num_rows for batch in batches] == [1, 1]
    assert {batch.column("t")[0].as_py() for batch in batches} == {"xyz\n" * 7_000_000}


def test_a_query_with_its_own_limit_is_previewed(session: Session) -> None:
    """It runs as it is, and no more rows are taken."""
    assert rows(session, TestRedshift.numbers.format(n=9) + " LIMIT 5", limit=2) == [{"id": 1}, {"id": 2}]
    assert rows(session, TestRedshift.numbers.format(n=9) + " LIMIT 5", limit=0) == []


@pytest.mark.parametrize(
    ("query", "said", "fix"),
    [
        ("SELECT * FROM hidden", "may not read table hidden", 'GRANT SELECT ON hidden TO "customerio_reader"'),
        ("SELECT * FROM closed.t", "may not read schema closed", "GRANT USAGE ON SCHEMA closed"),
        ("SELECT 1,\n  secrt\nFROM planted", r'column "secrt" does not exist \(line 2\)', "planted.secret"),
        ("SELECT 1 FROM nowhere", 'relation "nowhere" does not exist', "schema"),
        ("SELECT 1 / 0 AS x FROM planted WHERE secret > ''", r"division by zero \(22012\)", "query editor"),
        ("SELECT secret FROM planted WHERE secret = $1", r"has a parameter \(\$1\)", "last_sync_time"),
        (f"SELECT '{PLANTED}'::int", r"invalid text representation \(22P02\)", "query editor"),
    ],
)
def test_refusals_carry_their_fix(session: Session, query: str, said: str, fix: str) -> None:
    """The message says what is wrong, the hint what to ask for; neither repeats a literal."""
    with pytest.raises(QueryError, match=said) as refused:
        rows(session, query)

    assert fix in refused.value.hint
    assert PLANTED not in "".join(traceback.format_exception(refused.value))


def test_no_password_is_in_an_error(filled: RedshiftServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the wrong one nor, in a traceback, the parameters of the connection."""
    monkeypatch.setenv("WRONG_PASSWORD", "planted-wrong-password")
    config = settings_of(filled, password=Secret("${WRONG_PASSWORD}"))

    with pytest.raises(SourceUnavailableError) as refused, connect(config):
        pass

    assert "planted-wrong-password" not in "".join(traceback.format_exception(refused.value))
    assert "${WRONG_PASSWORD}" in refused.value.hint


def test_the_driver_logs_no_value(filled: RedshiftServer, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG it would write down each row's text and the server's messages."""
    with caplog.at_level(logging.DEBUG), connect(settings_of(filled)) as session:
        rows(session, "SELECT secret FROM planted")
        with pytest.raises(QueryError):
            rows(session, TestRedshift.failing_on_planted)

    assert PLANTED not in caplog.text


def test_require_encrypts_without_verifying(filled: RedshiftServer) -> None:
    """And disable does neither; one user is only let in encrypted."""
    changed: dict[str, Any] = {"user": EnvText(ENCRYPTED_ONLY), "ca_file": None}
    with connect(settings_of(filled, tls="require", **changed)) as session:
        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]
    with (
        pytest.raises(SourceUnavailableError, match="unencrypted"),
        connect(settings_of(filled, tls="disable", **changed)),
    ):
        pass
    with connect(settings_of(filled, tls="disable")) as session:
        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


def test_a_server_without_tls_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers the request for TLS with a no, or hangs up."""
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            for answer in (b"N", b""):
                client, _ = server.accept()
                with client:
                    client.recv(100)
                    client.sendall(answer)

        thread = threading.Thread(target=refuse)
        thread.start()
        for _ in range(2):
            config = loopback(server.getsockname()[1], tls="require")
            with pytest.raises(SourceUnavailableError, match="no encrypted connection"), connect(config):
                pass
        thread.join()


@pytest.mark.parametrize(
    "greeting",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"R\x00\x00\x00\x08\x00\x00\x00\x06", b"E\x00\x00\x00\x08Sx\x00\x00"],
)
def test_something_else_at_the_port_is_an_error(greeting: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a server of this protocol, or one that hangs up."""
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            client, _ = server.accept()
            with client:
                client.recv(10_000)
                client.sendall(greeting)

        thread = threading.Thread(target=greet)
        thread.start()
        config = loopback(server.getsockname()[1])
        with (
            pytest.raises(SourceUnavailableError, match="breaks off or is not one of Redshift") as refused,
            connect(config),
        ):
            pass
        thread.join()

    assert refused.value.hint


@pytest.mark.thorough
def test_a_host_that_never_greets_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The port is open and silent, before or instead of TLS."""
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for tls in ("verify-full", "disable"):
            config = loopback(silent.getsockname()[1], tls=tls, query_timeout=timedelta(seconds=0.2))
            with pytest.raises(SourceUnavailableError, match="does not answer"), connect(config):
                pass


def loopback(port: int, **changed: Any) -> Config:
    """A connection to something at this machine that is no Redshift, in the clear."""
    settings: dict[str, Any] = {
        "host": EnvText("127.0.0.1"),
        "port": port,
        "database": EnvText(DATABASE),
        "user": EnvText(USER),
        "password": Secret(f"${{{PASSWORD_VARIABLE}}}"),
        "tls": "disable",
    }
    return Config(**(settings | changed))


@pytest.mark.thorough
def test_the_server_ends_a_query_that_takes_too_long(filled: RedshiftServer) -> None:
    """query_timeout is the server's statement timeout; the session goes on."""
    with connect(settings_of(filled, query_timeout=timedelta(seconds=1.5))) as session:
        with pytest.raises(QueryError, match=r"did not end within query_timeout \(1\.5s\)"):
            rows(session, "SELECT pg_sleep(30)")

        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.thorough
def test_a_query_of_many_quick_fetches_ends_in_time_too(filled: RedshiftServer) -> None:
    """The server's limit is for each FETCH; this side's is for all of them."""
    began = time.monotonic()
    with connect(settings_of(filled, query_timeout=timedelta(seconds=1.5))) as session:
        with pytest.raises(QueryError, match="did not end within query_timeout"):
            for _ in session.stream(TestRedshift.endless):
                pass
        with pytest.raises(QueryError, match="did not end within query_timeout"):
            session.now()

    assert time.monotonic() - began < 20


def test_a_very_long_time_limit_is_no_error(filled: RedshiftServer) -> None:
    """Ten years are more milliseconds than Redshift can count."""
    with connect(settings_of(filled, query_timeout=timedelta(weeks=520))) as session:
        assert rows(session, "SELECT current_setting('statement_timeout') AS t") == [{"t": "24d"}]


@pytest.mark.thorough
def test_a_server_that_falls_silent_is_given_up(filled: RedshiftServer) -> None:
    """A stopped server process keeps the connection open and says nothing: only this side's clock helps."""
    with connect(settings_of(filled, query_timeout=timedelta(seconds=4))) as session:
        (pid,) = rows(session, "SELECT pg_backend_pid() AS pid")
        batches = session.stream(ENDLESS_TEXT)
        next(batches)
        began = time.monotonic()
        os.kill(pid["pid"], signal.SIGSTOP)
        try:
            with pytest.raises(QueryError, match="did not end within query_timeout"):
                list(batches)
        finally:
            os.kill(pid["pid"], signal.SIGCONT)

    assert time.monotonic() - began < 20


def test_a_connection_ended_by_the_server_is_an_error(filled: RedshiftServer) -> None:
    """A restart in the middle; what follows says the same."""
    with connect(settings_of(filled)) as session:
        (own,) = rows(session, "SELECT pg_backend_pid() AS pid")
        batches = session.stream(ENDLESS_TEXT)
        next(batches)
        with filled.behind.admin() as admin:
            admin.execute("SELECT pg_terminate_backend(%s)", [own["pid"]])
        with pytest.raises(SourceUnavailableError, match="connection was lost"):
            list(batches)
        with pytest.raises(SourceUnavailableError, match="connection was lost"):
            session.now()


def test_a_query_canceled_by_an_administrator_is_no_timeout(filled: RedshiftServer) -> None:
    """The same SQLSTATE as a timeout, but long before it; the session goes on."""
    with connect(settings_of(filled)) as session, filled.behind.admin() as admin:
        (own,) = rows(session, "SELECT pg_backend_pid() AS pid")
        canceled = threading.Thread(target=_once_active, args=(admin, own["pid"], "SELECT pg_cancel_backend(%s)"))
        canceled.start()
        with pytest.raises(QueryError, match=r"query canceled \(57014\)"):
            rows(session, "SELECT pg_sleep(30)")
        canceled.join()
        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


def _once_active(admin: Any, pid: int, statement: str) -> None:
    # In the sleep: what comes between two messages of one statement cancels nothing.
    running = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
    while admin.execute(running, [pid]).fetchone() is None:
        time.sleep(0.01)
    admin.execute(statement, [pid])


def test_ctrl_c_ends_the_query_on_the_server(filled: RedshiftServer) -> None:
    """The interrupted statement is canceled over a connection of its own, and this one is given up."""
    with connect(settings_of(filled)) as session, filled.behind.admin() as admin:
        (own,) = rows(session, "SELECT pg_backend_pid() AS pid")

        def interrupt() -> None:
            _once_active(admin, own["pid"], "SELECT %s")
            os.kill(os.getpid(), signal.SIGINT)

        pressed = threading.Thread(target=interrupt)
        pressed.start()
        with pytest.raises(KeyboardInterrupt):
            rows(session, "SELECT pg_sleep(30)")
        pressed.join()

        left = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND state = 'active'"
        deadline = time.monotonic() + 30
        while admin.execute(left, [own["pid"]]).fetchone() != (0,) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert admin.execute(left, [own["pid"]]).fetchone() == (0,)
        with pytest.raises(SourceUnavailableError, match="connection was lost"):
            session.now()


def test_leaving_early_leaves_nothing_running(filled: RedshiftServer) -> None:
    """The cursor and its transaction end at once."""
    with connect(settings_of(filled)) as session, filled.behind.admin() as admin:
        (own,) = rows(session, "SELECT pg_backend_pid() AS pid")
        batches = session.stream(TestRedshift.endless)
        next(batches)
        batches.close()

        assert admin.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", [own["pid"]]).fetchone() == ("idle",)


def test_leaving_a_dead_connection_is_no_error(filled: RedshiftServer) -> None:
    """Neither when a query is left early nor when the session ends."""
    with connect(settings_of(filled)) as session:
        (own,) = rows(session, "SELECT pg_backend_pid() AS pid")
        batches = session.stream(TestRedshift.endless)
        next(batches)
        with filled.behind.admin() as admin:
            admin.execute("SELECT pg_terminate_backend(%s)", [own["pid"]])
        batches.close()
        with pytest.raises(SourceUnavailableError, match="connection was lost"):
            rows(session, "SELECT 1 AS one")


def test_one_query_sees_one_state_of_the_database(filled: RedshiftServer) -> None:
    """Rows that others add meanwhile come with the next run, not half of them with this one."""
    with filled.behind.admin(DATABASE) as admin:
        admin.execute("CREATE TABLE growing AS SELECT i FROM generate_series(1, 60000) AS g(i)")
        with connect(settings_of(filled)) as session:
            batches = session.stream("SELECT i FROM growing")
            first = next(batches).num_rows
            admin.execute("INSERT INTO growing SELECT i FROM generate_series(1, 1000) AS g(i)")
            assert first == BATCH_ROWS
            assert first + sum(batch.num_rows for batch in batches) == 60_000


def test_test_connection_shows_every_step(filled: RedshiftServer) -> None:
    """Down to the driver's version."""
    found = list(steps(settings_of(filled)))

    names = ["address", "port", "TLS", "log in", "server", "read-only", "clock", "open transactions", "query", "driver"]
    assert [(step.name, step.ok) for step in found] == [(name, True) for name in names]
    assert found[4].detail == f"Amazon Redshift {VERSION}"
    assert found[-1].detail.startswith("redshift-connector 2.")


def test_a_server_that_takes_writes_is_reported(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a session writes after all, test-connection has something to show."""
    monkeypatch.setattr(session, "_begin", lambda: session._run("BEGIN"))  # type: ignore[attr-defined]

    assert not session.read_only()


def test_a_users_own_time_zone_changes_nothing(filled: RedshiftServer) -> None:
    """The session's is UTC, for what is read and for the clock."""
    with filled.behind.admin(DATABASE) as admin:
        admin.execute(f"ALTER ROLE {USER} SET timezone = 'Asia/Tokyo'")
        try:
            with connect(settings_of(filled)) as session:
                query = "SELECT timestamptz '2024-07-01 12:00+00' AS at"
                assert rows(session, query) == [{"at": datetime(2024, 7, 1, 12, tzinfo=UTC)}]
                assert abs((session.now() - datetime.now(UTC)).total_seconds()) < 5
        finally:
            admin.execute(f"ALTER ROLE {USER} RESET timezone")


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is optional; the error is the command that installs it."""
    monkeypatch.setitem(sys.modules, "redshift_connector", None)

    with pytest.raises(MissingDriverError) as missing, connect(loopback(1)):
        pass

    assert missing.value.hint == 'Run: pip install "reverse-etl[redshift]"'


PAGE = Path(__file__).parents[2] / "docs" / "databases" / "redshift.md"


def examples(language: str) -> list[str]:
    """The page's fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_connections_in_the_documentation_are_valid(tmp_path: Path) -> None:
    """Each block, as the file that it would be."""
    found: dict[str, DatabaseConfig] = {}
    for number, block in enumerate(examples("yaml")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "connections.yaml").write_text(block)
        found |= load_project(folder).databases

    assert {name: type(config) for name, config in found.items()} == {"warehouse": Config, "serverless": Config}


def test_the_sql_in_the_documentation_works(filled: RedshiftServer) -> None:
    """The user can read what they are to read, the query selects what changed, and writing is refused."""
    grants, query = examples("sql")
    with filled.behind.admin(DATABASE) as admin:
        admin.execute("CREATE SCHEMA shop")
        times = "created_at date, updated_at timestamp"
        admin.execute(f"CREATE TABLE shop.customers (id int, email text, plan text, {times})")
        columns = "i, 'a@example.com', 'pro', '2024-01-01', timestamp '2024-01-01' + i * interval '1 day'"
        admin.execute(f"INSERT INTO shop.customers SELECT {columns} FROM generate_series(1, 4) AS g(i)")
        for statement in grants.split(";\n"):
            # The user is there already, with another password.
            admin.execute(statement.replace(USER, "documented") if "CREATE USER" in statement else statement)
        admin.execute("CREATE TABLE shop.later (a int)")
    since = int(datetime(2024, 1, 4, tzinfo=UTC).timestamp())

    with connect(settings_of(filled)) as session:
        assert [row["id"] for row in rows(session, render(query, since))] == [3, 4]
        assert rows(session, "SELECT * FROM shop.later") == []


def test_a_failed_handshake_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something that agrees to TLS and then speaks something else."""
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def babble() -> None:
            client, _ = server.accept()
            with client:
                client.recv(100)
                client.sendall(b"S")
                client.recv(10_000)
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        config = loopback(server.getsockname()[1], tls="require")
        said = r"no connection to 127\.0\.0\.1 port"
        with pytest.raises(SourceUnavailableError, match=said) as refused, connect(config):
            pass
        thread.join()

    assert refused.value.hint


def test_a_postgresql_server_is_called_one(postgres: PostgresServer) -> None:
    """The driver knows no login by SCRAM that PostgreSQL offers: it fails with the right password too."""
    config = Config(
        name="warehouse",
        host=EnvText(postgres.host),
        port=postgres.port,
        database=EnvText(POSTGRES_DATABASE),
        user=EnvText(READER),
        password=Secret(f"${{{POSTGRES_PASSWORD_VARIABLE}}}"),
        ca_file=postgres.ca_file,
    )
    with pytest.raises(SourceUnavailableError, match=r"asks for a login by SCRAM.*`type: postgres`"), connect(config):
        pass

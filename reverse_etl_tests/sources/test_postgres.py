"""PostgreSQL: the conformance suite on a real server, and what only PostgreSQL does.

With TEST_POSTGRES_URL (``postgres://user:password@host:5432/empty_database``) the suite also runs against that server.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg
import pytest
import trustme

from reverse_etl.changeset.query import check_query, render
from reverse_etl.cli.init_tables import tables_of
from reverse_etl.config.changed import changed_tables
from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.loader import load_project
from reverse_etl.errors import MissingDriverError, QueryError, SourceUnavailableError
from reverse_etl.sources import connect
from reverse_etl.sources import postgres as engine
from reverse_etl.sources._instants import values as python_values
from reverse_etl.sources.base import NOT_JSON, NOT_TEXT, OUTSIDE_YEARS, Session, logical_type, start_of
from reverse_etl.sources.postgres import DIALECT, Config
from reverse_etl.sources.powers import HasLog, MarksRows
from reverse_etl_tests.dialects import DIALECTS as SPOKEN
from reverse_etl_tests.servers.postgres import DATABASE, PASSWORD_VARIABLE, USER, PostgresServer
from reverse_etl_tests.sources.cases import CASES, DATE, DATE_TIME, TIMEZONE
from reverse_etl_tests.sources.conformance import PLANTED, InfiniteInstants, SourceConformance, pieces_of
from reverse_etl_tests.sources.documentation import examples
from reverse_etl_tests.sources.interrupts import interrupted_once
from reverse_etl_tests.sources.network import OverTheNetwork

_TEXT = next(case.value for case in CASES if case.name == "text").replace("'", "''")
_EXPRESSIONS = {
    "text": f"'{_TEXT}'",
    "empty_text": "''::varchar(10)",
    "text_null_word": "'NULL'",
    "true": "true",
    "false": "false",
    "small_integer": "(-7)::smallint",
    "greatest_integer": "9223372036854775807",
    "least_integer": "(-9223372036854775808)::bigint",
    "beyond_integer": "18446744073709551616",
    "decimal": "1234567890123456789.0123456789",
    "negative_decimal": "-0.0000000001",
    "float": "0.1::float8",
    "tiny_float": "5e-324::float8",
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
    "infinite_date": "date 'infinity'",
    "infinite_instant": "timestamptz '-infinity'",
    "time": "time '12:34:56.5'",
    "interval": "interval '1 year 2 days 3.5 seconds'",
    "uuid": "'0b5d1c1e-8f3d-4b7a-9d55-0f5f2f1f8a11'::uuid",
    "enum": "'pro'::plan",
    "bytes": "'\\x00ff61'::bytea",
    "json": """'{"a": 1.10000000000000000001}'::jsonb""",
    "array": "array[1, null, 3]",
    "empty_array": "'{}'::int[]",
    "array_of_text": "array['a', 'NaN', '']",
    "array_with_not_a_number": "array['NaN'::float8, 1]",
    "struct": "row(1, 'é')::pair",
}


def settings_of(server: PostgresServer, **changed: Any) -> Config:
    """A connection to the server as the reading user."""
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


_CONTENTS = (
    "DROP TABLE IF EXISTS planted",
    "DROP TYPE IF EXISTS plan, pair",
    "DROP SEQUENCE IF EXISTS counter",
    "CREATE TYPE plan AS ENUM ('free', 'pro')",
    "CREATE TYPE pair AS (x int, y text)",
    "CREATE TABLE planted (secret text)",
    f"INSERT INTO planted VALUES ('{PLANTED}')",
    "CREATE SEQUENCE counter",
)
"""What the suite itself needs."""


@pytest.fixture(scope="session")
def filled(postgres: PostgresServer) -> PostgresServer:
    """The server with the tables and types that these tests use."""
    with postgres.admin() as admin:
        for statement in _CONTENTS:
            admin.execute(statement)
        admin.execute("CREATE DOMAIN firm_code AS char(6)")
        admin.execute("CREATE DOMAIN firm_codes AS char(6)[]")
        admin.execute("CREATE TYPE firm AS (code firm_code, n numeric, r real, tags char(2)[])")
        admin.execute("CREATE TYPE branch AS (name text, firm firm)")
        admin.execute("CREATE TYPE firm_range AS RANGE (subtype = char)")
        admin.execute("CREATE DOMAIN price AS numeric(10, 2)")
        admin.execute("CREATE DOMAIN net_price AS price CHECK (VALUE > 0)")
        admin.execute("CREATE DOMAIN tags AS text[]")
        admin.execute("CREATE TABLE hidden (secret text)")
        admin.execute(f"REVOKE ALL ON hidden FROM {USER}")
        admin.execute("CREATE SCHEMA closed CREATE TABLE t (a int)")
        admin.execute(f"GRANT ALL ON SEQUENCE counter TO {USER}")
        admin.execute(f"GRANT INSERT, DELETE, UPDATE ON planted TO {USER}")
    return postgres


@pytest.fixture
def session(filled: PostgresServer) -> Iterator[Session]:
    """A session of the reading user."""
    with connect(settings_of(filled)) as session:
        yield session


def rows(session: Session, query: str) -> list[dict[str, Any]]:
    """All rows of a query."""
    return [row for batch in session.stream(query) for row in batch.to_pylist()]


class TestPostgres(SourceConformance, InfiniteInstants, OverTheNetwork):
    """The suite on a private server, over TLS, as a user who may write to ``planted``."""

    engine = "postgres"
    plain_answer = b"N"
    product = "PostgreSQL"
    against = "a private server with TLS"
    numbers = "SELECT i AS id FROM generate_series(1, {n}) AS g(i) ORDER BY id"
    endless = "WITH RECURSIVE r(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM r) SELECT id FROM r"
    wide_rows = "SELECT i AS id, repeat('xy', 50000) AS t FROM generate_series(1, {n}) AS g(i)"
    writing = (
        "DELETE FROM planted",
        "DELETE FROM planted RETURNING secret",
        "DELETE FROM planted RETURNING array[secret]",
        "WITH gone AS (DELETE FROM planted RETURNING secret) SELECT secret FROM gone",
        "INSERT INTO planted VALUES ('x') RETURNING secret",
        "SELECT nextval('counter')",
        "SELECT set_config('transaction_read_only', 'off', true)",
        "SET transaction_read_only = off",
        "CREATE TEMP TABLE t (a int)",
        "COMMIT",
        "COPY planted TO STDOUT",
        "EXPLAIN ANALYZE DELETE FROM planted",
    )
    failing_on_planted = "SELECT secret::int AS x FROM planted"
    expressions = _EXPRESSIONS

    @pytest.fixture
    def database(self, filled: PostgresServer) -> DatabaseConfig:
        """The private server."""
        return settings_of(filled)

    @pytest.fixture
    def unavailable(
        self, filled: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> list[tuple[DatabaseConfig, str]]:
        """Every reason that can be brought about here."""
        monkeypatch.setenv("WRONG_PASSWORD", "planted-wrong-password")
        other = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(str(other))
        (tmp_path / "letter.pem").write_text("Dear reader")
        wrong = Secret("${WRONG_PASSWORD}")
        return [
            (settings_of(filled, password=wrong), "the password of user reader was refused"),
            (settings_of(filled, password=None), "user reader needs a password"),
            (settings_of(filled, user=EnvText("nobody")), "does not let user nobody connect"),
            (settings_of(filled, database=EnvText("shopp")), "there is no database shopp"),
            (settings_of(filled, host=EnvText("no.such.host.invalid")), "there is no host no.such.host.invalid"),
            (settings_of(filled, port=1), "nothing answers at localhost port 1"),
            (settings_of(filled, ca_file=other), "certificate is not by an authority that this machine trusts"),
            (settings_of(filled, host=EnvText("127.0.0.1")), "certificate is for another name than 127.0.0.1"),
            (settings_of(filled, ca_file=None), "certificate is not by an authority that this machine trusts"),
            (settings_of(filled, ca_file=tmp_path / "none.pem"), "there is no file .*none.pem"),
            (settings_of(filled, ca_file=tmp_path / "letter.pem"), "`ca_file` cannot be used"),
            (settings_of(filled, user=EnvText("encrypted_only"), tls="disable"), "takes no unencrypted connection"),
        ]


@pytest.mark.parametrize(
    ("expression", "logical", "value"),
    [
        ("12345678901234567890123456789012345678901234567890.5", "decimal", f"{'1234567890' * 5}.5"),
        ("'NaN'::numeric", "decimal", "NaN"),
        ("1.5::net_price", "decimal", "1.50"),
        ("'{a,b}'::tags", "json", '["a","b"]'),
        ("4294967295::oid", "int64", 4294967295),
        ("'ab'::char(4)", "string", "ab"),
        ("' a b  '::char(8)", "string", " a b"),
        ("''::char(4)", "string", ""),
        ("'ab  '::bpchar", "string", "ab"),
        ("'ab\t '::char(8)", "string", "ab\t"),
        ("'ab  '::varchar(8)", "string", "ab  "),
        ("'ab  '::text", "string", "ab  "),
        ("'ab'::firm_code", "string", "ab"),
        ("max('ab'::char(4))", "string", "ab"),
        ("coalesce(null::char(4), 'ab'::char(6))", "string", "ab"),
        ("array['ab'::char(4), null]", "json", '["ab",null]'),
        ("array['ab'::firm_code]", "json", '["ab"]'),
        ("array['ab  '::varchar]", "json", '["ab  "]'),
        ("array['NaN'::net_price]", "json", "NaN"),
        ("row('ab', 1, 0.1, array['x'])::firm", "json", '{"code":"ab","n":1,"r":0.1,"tags":["x"]}'),
        ("row('ab', 1, 'NaN', '{}')::firm", "json", "NaN"),
        ("row('NaN ', null, 'Infinity', null)::firm", "json", "NaN"),
        ("row('NaN', null, null, null)::firm", "json", '{"code":"NaN","n":null,"r":null,"tags":null}'),
        ("null::firm", "json", None),
        ("row(null, null, null, null)::firm", "json", '{"code":null,"n":null,"r":null,"tags":null}'),
        (
            "array[row('ab', 12345678901234567890, 0.1, null)::firm]",
            "json",
            '[{"code":"ab","n":12345678901234567890,"r":0.1,"tags":null}]',
        ),
        ("array[array['ab'::char(4), 'c  d'], array['e', null]]", "json", '[["ab","c  d"],["e",null]]'),
        ("array[array[row('ab', 1.10, 0.1, null)::firm]]", "json", '[[{"code":"ab","n":1.10,"r":0.1,"tags":null}]]'),
        (
            "row('x  ', row('ab', null, null, array['a ', 'b'])::firm)::branch",
            "json",
            '{"name":"x  ","firm":{"code":"ab","n":null,"r":null,"tags":["a","b"]}}',
        ),
        ("array['a ', 'b']::firm_codes", "json", '["a","b"]'),
        ("firm_range('ab'::char(4), 'c'::char(4))", "string", '["ab","c")'),
        ("firm_range('a \",b'::char(8), null)", "string", '["a "",b",)'),
        ("array[firm_range('ab'::char(4), 'c'::char(4))]", "json", '["[\\"ab\\",\\"c\\")"]'),
        ("array[0.1::real]", "json", "[0.1]"),
        ("'{0.1,16777216}'::real[]", "json", "[0.1,1.6777216e+07]"),
        ("array[3.4028235e38::real]", "json", "[3.4028235e+38]"),
        ("time '24:00'", "string", "24:00:00"),
        ("timetz '12:00+02'", "string", "12:00:00+02"),
        ("int4range(1, 5)", "string", "[1,5)"),
        ("inet '10.0.0.1'", "string", "10.0.0.1"),
        ("1.5::money", "string", "$1.50"),
        ("B'0101'", "string", "0101"),
        ("'<a/>'::xml", "string", "<a/>"),
        ("to_tsvector('simple', 'b a')", "string", "'a':2 'b':1"),
        ("''::bytea", "binary", b""),
        ("row(1, null, 'x')", "json", '{"f1":1,"f2":null,"f3":"x"}'),
        ("array[array[1, 2], array[3, 4]]", "json", "[[1,2],[3,4]]"),
        ("array[row(1, 'a')::pair]", "json", '[{"x":1,"y":"a"}]'),
        ("array[12345678901234567890.123456789]", "json", "[12345678901234567890.123456789]"),
        ("array['Infinity'::numeric]", "json", "NaN"),
        ("array[timestamptz '2024-07-01 12:00+02']", "json", '["2024-07-01T10:00:00+00:00"]'),
        ("array[timestamptz 'infinity', now()]", "json", "NaN"),
        ("array[date '-infinity']", "json", "NaN"),
        ("array[date '0044-03-15 BC']", "json", "NaN"),
        ("array[timestamp '0044-03-15 12:00 BC']", "json", "NaN"),
        ("array[array[timestamp '20000-01-01']]", "json", "NaN"),
        ("array[date '20000-01-01']", "json", "NaN"),
        ("array[date '9999-12-31', '0001-01-01']", "json", '["9999-12-31","0001-01-01"]'),
        ("array['infinity', '20000-01-01', '44 BC']", "json", '["infinity","20000-01-01","44 BC"]'),
        ("""'{"a":  1}'::json""", "json", '{"a":  1}'),
        ("date '0044-03-15 BC'", DATE, OUTSIDE_YEARS),
        ("date '-infinity'", DATE, OUTSIDE_YEARS),
        ("timestamp 'infinity'", DATE_TIME, OUTSIDE_YEARS),
        ("timestamptz '0001-12-31 23:59:59.9+00 BC'", DATE_TIME, OUTSIDE_YEARS),
        ("timestamptz '294276-12-31 23:59:59+00'", DATE_TIME, OUTSIDE_YEARS),
        ("timestamp '10000-01-01'", DATE_TIME, OUTSIDE_YEARS),
        ("pg_sleep(0)", "string", ""),
        ("NULL", "string", None),
    ],
)
def test_types_of_its_own(session: Session, expression: str, logical: str, value: object) -> None:
    """Types that other engines do not have, and values at the edges of what they hold."""
    (batch,) = session.stream(f"SELECT {expression} AS value")

    assert (logical_type(batch.schema.field(0)), python_values(batch.column(0))) == (logical, [value])


def test_unusual_dates_leave_the_others_as_they_are(session: Session) -> None:
    """Usual, unusual and missing dates in one batch, with the zone applied to the usual ones."""
    values = ["2024-07-01 12:00", "0044-03-15 BC", "infinity", "0001-01-01", "1969-12-31 23:59:59.5"]
    parts = [f"SELECT {number} AS id, timestamp '{value}' AS at" for number, value in enumerate(values)]
    (batch,) = session.stream(" UNION ALL ".join([*parts, "SELECT 9, NULL"]) + " ORDER BY id")

    usual, first = datetime(2024, 7, 1, 10, tzinfo=UTC), datetime(1969, 12, 31, 22, 59, 59, 500_000, tzinfo=UTC)
    expected = [usual, OUTSIDE_YEARS, OUTSIDE_YEARS, OUTSIDE_YEARS, first, None]
    assert (logical_type(batch.schema.field("at")), python_values(batch.column("at"))) == (DATE_TIME, expected)


@pytest.mark.thorough
def test_a_cell_larger_than_a_batch_comes_whole(session: Session) -> None:
    """There is no limit but the server's own."""
    batches = list(session.stream("SELECT i, repeat(E'\"x\\n', 7000000) AS t FROM generate_series(1, 2) AS g(i)"))

    assert [batch.num_rows for batch in batches] == [1, 1]
    assert {batch.column("t")[0].as_py() for batch in batches} == {'"x\n' * 7_000_000}


def test_text_that_is_not_utf8_spoils_no_other_row(filled: PostgresServer) -> None:
    """A database with encoding SQL_ASCII holds whatever was put in, in text, JSON, arrays and rows, also in names."""
    with filled.admin("postgres") as admin:
        admin.execute("CREATE DATABASE old ENCODING 'SQL_ASCII' TEMPLATE template0")
    with filled.admin("old") as admin:
        admin.execute("SET client_encoding = SQL_ASCII")
        admin.execute(b'CREATE TYPE pair AS (x text, "y\xe9" char(4))')
        admin.execute(b"CREATE TABLE odd (id int, t text, c char(4), v varchar, j json, a text[], p pair)")
        admin.execute(b'CREATE TABLE "caf\xe9" (id int)')
        admin.execute(
            b"INSERT INTO odd SELECT 1, t, t, t, to_json(t), array[t], row(t, t)::pair FROM (VALUES ('Zo\xeb')) AS v(t)"
        )
        admin.execute(
            b"INSERT INTO odd SELECT 2, t, t, t, to_json(t), array[t], row(t, t)::pair FROM (VALUES ('Zoe')) AS v(t)"
        )
        admin.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC")
    config = settings_of(filled, database=EnvText("old"))

    with connect(config) as session:
        (batch,) = session.stream("SELECT * FROM odd ORDER BY id")
        with pytest.raises(QueryError, match="invalid text representation") as refused:
            rows(session, "SELECT t::int FROM odd")

    assert [logical_type(field) for field in batch.schema] == ["int64", *["string"] * 3, *["json"] * 3]
    odd, usual = batch.to_pylist()
    assert list(odd.values()) == [1, *[NOT_TEXT] * 3, *[NOT_JSON] * 3]
    assert list(usual.values())[:6] == [2, "Zoe", "Zoe", "Zoe", '"Zoe"', '["Zoe"]']
    assert "Zo" not in refused.value.message
    found = tables_of(config)
    assert (found.problem, found.columns["odd"]) == ("", ["id", "t", "c", "v", "j", "a", "p"])


@pytest.mark.parametrize(
    ("query", "said", "fix"),
    [
        ("SELECT * FROM hidden", "user reader may not read table hidden", 'GRANT SELECT ON hidden TO "reader"'),
        ("SELECT * FROM closed.t", "user reader may not read schema closed", "GRANT USAGE ON SCHEMA closed"),
        ("SELECT pg_read_file('/etc/passwd')", "may not read function pg_read_file", "administrator"),
        ("SELECT 1,\n  secrt\nFROM planted", r'column "secrt" does not exist \(line 2\)', "planted.secret"),
        ("SELECT 1 / 0 AS x FROM planted WHERE secret > ''", r"division by zero \(22012\)", "psql"),
        ("SELECT id FROM planted WHERE secret = $1", 'column "id" does not exist', "name"),
        ("SELECT secret FROM planted WHERE secret = $1", r"has a parameter \(\$1\)", "last_sync_time"),
    ],
)
def test_refusals_carry_their_fix(session: Session, query: str, said: str, fix: str) -> None:
    """The message says what is wrong, the hint what to ask for."""
    with pytest.raises(QueryError, match=said) as refused:
        rows(session, query)

    assert fix in refused.value.hint


def test_a_literal_that_does_not_fit_is_not_repeated(session: Session) -> None:
    """The server quotes it while it prepares the query; its message is not passed on."""
    with pytest.raises(QueryError, match=r"invalid text representation \(22P02\)") as refused:
        rows(session, f"SELECT '{PLANTED}'::int")

    assert PLANTED not in "".join(traceback.format_exception(refused.value))


def test_no_password_is_in_an_error(filled: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the wrong one nor, in a traceback, the parameters of the connection."""
    monkeypatch.setenv("WRONG_PASSWORD", "planted-wrong-password")
    config = settings_of(filled, password=Secret("${WRONG_PASSWORD}"))

    with pytest.raises(SourceUnavailableError) as refused, connect(config):
        pass

    text = "".join(traceback.format_exception(refused.value))
    assert "planted-wrong-password" not in text
    assert "${WRONG_PASSWORD}" in refused.value.hint


def test_require_encrypts_without_verifying(filled: PostgresServer) -> None:
    """And disable does neither; what the server sees is what was asked for."""
    query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    seen = {}
    for tls in ("verify-full", "require", "disable"):
        config = settings_of(filled, tls=tls, ca_file=filled.ca_file if tls == "verify-full" else None)
        with connect(config) as session:
            seen[tls] = rows(session, query)[0]["ssl"]

    assert seen == {"verify-full": True, "require": True, "disable": False}


@pytest.mark.thorough
def test_the_server_ends_a_query_that_takes_too_long(filled: PostgresServer) -> None:
    """query_timeout is the server's statement timeout; the session goes on."""
    with connect(settings_of(filled, query_timeout=timedelta(seconds=1.5))) as session:
        with pytest.raises(QueryError, match=r"did not end within query_timeout \(1\.5s\)"):
            rows(session, "SELECT pg_sleep(30)")

        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


def test_a_very_long_time_limit_is_no_error(filled: PostgresServer) -> None:
    """Ten years are more milliseconds than PostgreSQL can count."""
    with connect(settings_of(filled, query_timeout=timedelta(weeks=520))) as session:
        assert rows(session, "SELECT current_setting('statement_timeout') AS t") == [{"t": "24d"}]


@pytest.mark.thorough
def test_a_server_that_falls_silent_is_given_up(filled: PostgresServer) -> None:
    """A stopped server process keeps the connection open and says nothing: only this side's clock helps."""
    with connect(settings_of(filled, query_timeout=timedelta(seconds=4))) as session:
        (pid,) = rows(session, "SELECT pg_backend_pid() AS pid")
        batches = session.stream("SELECT repeat('x', 1000) AS t FROM generate_series(1, 10000000)")
        next(batches)
        began = time.monotonic()
        os.kill(pid["pid"], signal.SIGSTOP)
        try:
            with pytest.raises(QueryError, match="did not end within query_timeout"):
                list(batches)
        finally:
            os.kill(pid["pid"], signal.SIGCONT)

    assert time.monotonic() - began < 20


@pytest.mark.thorough
def test_a_host_that_never_greets_is_given_up() -> None:
    """The port is open and silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = Config(
            host=EnvText("127.0.0.1"),
            port=silent.getsockname()[1],
            database=EnvText("shop"),
            user=EnvText("reader"),
            query_timeout=timedelta(seconds=2),
        )
        with pytest.raises(SourceUnavailableError, match="does not answer"), connect(config):
            pass


@pytest.mark.thorough
def test_a_connection_ended_by_the_server_is_an_error(filled: PostgresServer) -> None:
    """An administrator ends the session in the middle; what follows says the same."""
    with connect(settings_of(filled)) as session:
        batches = session.stream("SELECT i, repeat('x', 1000) AS t FROM generate_series(1, 10000000) AS g(i)")
        next(batches)
        with filled.admin() as admin:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [USER])
        with pytest.raises(SourceUnavailableError, match="connection was lost"):
            list(batches)
        with pytest.raises(SourceUnavailableError, match="connection was lost"):
            session.now()


def test_a_query_canceled_by_an_administrator_is_no_timeout(filled: PostgresServer) -> None:
    """The same SQLSTATE as a timeout, but long before it."""
    with connect(settings_of(filled)) as session, filled.admin() as admin:
        (own,) = rows(session, "SELECT pg_backend_pid() AS pid")
        canceled = threading.Thread(target=_cancel_once_running, args=(admin, own["pid"]))
        canceled.start()
        with pytest.raises(QueryError, match=r"query canceled \(57014\)"):
            rows(session, "SELECT pg_sleep(30)")
        canceled.join()


def _wait_until_running(admin: Any, pid: int) -> None:
    running = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active' AND query LIKE 'COPY%%'"
    while admin.execute(running, [pid]).fetchone() is None:
        time.sleep(0.01)


def _cancel_once_running(admin: Any, pid: int) -> None:
    _wait_until_running(admin, pid)
    admin.execute("SELECT pg_cancel_backend(%s)", [pid])


@pytest.mark.parametrize("first_row", ["at once", "never"])
def test_ctrl_c_ends_the_query_on_the_server(filled: PostgresServer, first_row: str) -> None:
    """Whether rows come already or the server still waits; nothing is left running there, and the session goes on."""
    query = "SELECT pg_sleep(60)" if first_row == "never" else TestPostgres.endless
    with connect(settings_of(filled)) as session, filled.admin() as admin:
        (own,) = rows(session, "SELECT pg_backend_pid() AS pid")
        with interrupted_once(lambda: _wait_until_running(admin, own["pid"])), pytest.raises(KeyboardInterrupt):
            for _ in session.stream(query):
                pass
        state = "SELECT state FROM pg_stat_activity WHERE pid = %s"
        assert admin.execute(state, [own["pid"]]).fetchone() == ("idle",)
        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


def test_leaving_early_cancels_the_query_on_the_server(filled: PostgresServer) -> None:
    """Nothing is left running there."""
    with connect(settings_of(filled)) as session:
        batches = session.stream(TestPostgres.endless)
        next(batches)
        batches.close()
        with filled.admin() as admin:
            left = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND state <> 'idle'"
            assert admin.execute(left, [USER]).fetchone() == (0,)


def test_a_server_that_cannot_cancel_costs_the_connection(filled: PostgresServer) -> None:
    """Leaving early never hangs."""
    with connect(settings_of(filled)) as session:
        (pid,) = rows(session, "SELECT pg_backend_pid() AS pid")
        batches = session.stream(TestPostgres.endless)
        next(batches)
        with filled.admin() as admin:
            admin.execute("SELECT pg_terminate_backend(%s)", [pid["pid"]])
        batches.close()
        with pytest.raises(SourceUnavailableError, match="connection was lost"):
            rows(session, "SELECT 1 AS one")


def test_one_query_sees_one_state_of_the_database(filled: PostgresServer) -> None:
    """Rows that others add meanwhile come with the next run, not half of them with this one."""
    with filled.admin() as admin:
        admin.execute("CREATE TABLE growing AS SELECT i FROM generate_series(1, 200000) AS g(i)")
        with connect(settings_of(filled)) as session:
            batches = session.stream("SELECT i FROM growing")
            first = next(batches).num_rows
            admin.execute("INSERT INTO growing SELECT i FROM generate_series(1, 1000) AS g(i)")
            assert first + sum(batch.num_rows for batch in batches) == 200_000


def test_nothing_is_left_set_on_the_connection(filled: PostgresServer) -> None:
    """A pooler between here and the server may give the connection to a program that writes."""
    with connect(settings_of(filled)) as session:
        rows(session, "SELECT 1 AS one")
        left = session._wire.run("SHOW default_transaction_read_only; SHOW statement_timeout")  # type: ignore[attr-defined]

    assert left == [("0",)]


def test_the_server_sees_who_asks(session: Session) -> None:
    """For whoever looks at the list of its connections."""
    query = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"

    assert rows(session, query) == [{"application_name": "reverse-etl"}]


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is optional; the error is the command that installs it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    config = Config(name="shop", host=EnvText("db"), database=EnvText("shop"), user=EnvText("reader"))

    with pytest.raises(MissingDriverError) as missing, connect(config):
        pass

    assert missing.value.hint == 'Run: pip install "reverse-etl[postgres]"'


def test_notices_of_the_server_are_not_shown(filled: PostgresServer, capfd: pytest.CaptureFixture[str]) -> None:
    """A function may RAISE NOTICE with a row's values."""
    body = "BEGIN RAISE WARNING 'read %', secret; RETURN length(secret); END"
    with filled.admin() as admin:
        admin.execute(f"CREATE FUNCTION shout(secret text) RETURNS int LANGUAGE plpgsql AS $$ {body} $$")

    with connect(settings_of(filled)) as session:
        assert rows(session, "SELECT shout(secret) AS n FROM planted") == [{"n": len(PLANTED)}]

    assert capfd.readouterr() == ("", "")


def test_the_connection_in_the_documentation_is_valid(tmp_path: Path) -> None:
    """As the file that it would be."""
    (block,) = examples("postgres", "yaml")
    (tmp_path / "connections.yaml").write_text(block)

    (config,) = load_project(tmp_path).databases.values()

    assert isinstance(config, Config)
    assert (config.timezone, config.query_timeout) == ("Europe/Berlin", timedelta(minutes=30))


def test_the_sql_in_the_documentation_works(filled: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user reads what they are to read and nothing else, and the query finds what changed, by the index."""
    grants, query, index, changed, sees_transactions, log = examples("postgres", "sql")
    times = "created_at date, updated_at timestamptz"
    with filled.admin() as admin:
        admin.execute("CREATE SCHEMA sales")
        admin.execute(f"CREATE TABLE sales.customers (id int, email text, plan text, {times})")
        columns = "i, 'a@example.com', 'pro', '2024-01-01', timestamptz '2024-01-01 00:00+00' + i * interval '1 day'"
        admin.execute(f"INSERT INTO sales.customers SELECT {columns} FROM generate_series(1, 1000) AS g(i)")
        for statement in filter(str.strip, f"{grants}{sees_transactions}".split(";\n")):
            admin.execute(statement.replace("customerio_reader", "page_reader"))
        admin.execute(index)
        admin.execute("ANALYZE sales.customers")
        admin.execute("CREATE TABLE sales.later (a int)")
        admin.execute("ALTER TABLE sales.customers ADD PRIMARY KEY (id)")
        admin.execute("CREATE TABLE sales.orders (number int PRIMARY KEY, customer_id int)")
        for statement in log.split(";\n"):
            admin.execute(statement.replace("customerio_reader", "page_reader"))
    monkeypatch.setenv("DOCUMENTED_PASSWORD", "Choose-1-of-your-own")
    config = settings_of(filled, user=EnvText("page_reader"), password=Secret("${DOCUMENTED_PASSWORD}"))
    since = int(datetime(2024, 1, 4, tzinfo=UTC).timestamp())

    assert check_query(query, SPOKEN["postgres"]) == check_query(changed, SPOKEN["postgres"]) == []
    # Who may only read is shown no constraint by information_schema.
    assert ("id", "number") == tuple(tables_of(config).keys[f"sales.{table}"] for table in ("customers", "orders"))
    with connect(config) as session:
        assert not start_of(session).missing
        assert isinstance(session, MarksRows)
        place = session.mark("", changed_tables(changed, SPOKEN["postgres"])).place
        assert len(rows(session, render(changed, 0))) == 1000
        assert rows(session, render(changed, 0, session.mark(place, []).changed)) == []
        assert [row["id"] for row in rows(session, render(query, since))] == list(range(3, 1001))
        assert isinstance(session, HasLog)
        kept = session.log("reverse_etl_customers", {"sales.customers": "id", "sales.orders": "customer_id"})
        kept.create()
        assert (kept.status().problems, list(kept.changed(kept.now(), kept.now())), kept.drop()) == ((), [], True)
        assert rows(session, "SELECT * FROM sales.later") == []
        for refused in ("SELECT * FROM hidden", "DELETE FROM sales.customers"):
            with pytest.raises(QueryError):
                rows(session, refused)
    with filled.admin() as admin:
        plan = admin.execute(f"EXPLAIN {render(query, since + 990 * 86_400)}").fetchall()
    assert any("customers_updated_at" in line for (line,) in plan)


URL = os.environ.get("TEST_POSTGRES_URL", "")
"""With ``?tls=require`` and ``?ca_file=`` as in ``connections.yaml``; the user owns the empty database."""


@pytest.fixture(scope="module")
def service() -> Iterator[Config]:
    """The database of TEST_POSTGRES_URL, with what the suite needs."""
    parts = urlsplit(URL)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_POSTGRES_PASSWORD", unquote(parts.password or ""))
        config = Config(
            name="shop",
            host=EnvText(parts.hostname or ""),
            port=parts.port,
            database=EnvText(parts.path.strip("/")),
            user=EnvText(unquote(parts.username or "")),
            password=Secret("${TEST_POSTGRES_PASSWORD}"),
            timezone=TIMEZONE,
            **options,
        )
        with psycopg.connect(**engine._parameters(config), autocommit=True) as owner:
            for statement in _CONTENTS:
                owner.execute(statement)  # type: ignore[arg-type]
        yield config


if URL:

    class TestPostgresService(TestPostgres):
        """The suite on the server that TEST_POSTGRES_URL names."""

        against = "the service of TEST_POSTGRES_URL"

        @pytest.fixture
        def database(self, service: Config) -> DatabaseConfig:
            """The service."""
            return service

        @pytest.fixture
        def unavailable(self, service: Config, monkeypatch: pytest.MonkeyPatch) -> list[tuple[DatabaseConfig, str]]:
            """What can be brought about there."""
            monkeypatch.setenv("WRONG_PASSWORD", "planted-wrong-password")
            return [
                (service.model_copy(update={"password": Secret("${WRONG_PASSWORD}")}), "was refused"),
                (service.model_copy(update={"host": EnvText("no.such.host.invalid")}), "there is no host"),
            ]


@pytest.mark.parametrize("collation", ["C", "en-x-icu"])
@pytest.mark.parametrize("of", [1, 2, 3, 5])
def test_each_row_is_in_one_piece_by_the_columns_own_collation(session: Session, collation: str, of: int) -> None:
    """Python would order and compare them otherwise."""
    values = ["a", "B", "b", "A", "ä", "z", "Z", "_", "10", "9", "it's", "", "back\\slash", "ann@example.com"]
    listed = ", ".join("('" + value.replace("'", "''") + "')" for value in values)
    query = f'SELECT k COLLATE "{collation}" AS k FROM (VALUES {listed}, (NULL)) AS v(k)'
    pieces = [piece.to_pylist() for piece in pieces_of(session, query, "k", of, DIALECT)]
    assert sorted([*values, ""]) == sorted(key or "" for piece in pieces for key in piece)
    assert len(pieces) > 15 // (of + 1)

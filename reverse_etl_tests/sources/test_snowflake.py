"""Snowflake: the conformance suite through the real connector, and how its queries run, end and fail.

With TEST_SNOWFLAKE_URL (``snowflake://user:password@account/database/schema?warehouse=W&role=R``) the suite also runs
against that account, in which somebody has run ``CREATE TABLE planted (secret TEXT)`` and inserted ``PLANTED``, and
granted the role nothing but to read it.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa
import pytest

from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.errors import MissingDriverError, QueryError, SourceUnavailableError
from reverse_etl.sources import connect
from reverse_etl.sources._connection_check import steps
from reverse_etl.sources.base import BATCH_BYTES, BATCH_ROWS, Session
from reverse_etl.sources.snowflake import Config
from reverse_etl_tests.servers._snowflake_login import ACCOUNT
from reverse_etl_tests.servers.snowflake import (
    EXPIRED_TOKEN,
    PASSPHRASE_VARIABLE,
    PASSWORD,
    PASSWORD_VARIABLE,
    USER,
    SnowflakeServer,
)
from reverse_etl_tests.sources.cases import CASES, TIMEZONE
from reverse_etl_tests.sources.conformance import PLANTED, SourceConformance
from reverse_etl_tests.sources.network import OverTheNetwork

URL_VARIABLE = "TEST_SNOWFLAKE_URL"
NUMBERS = "SELECT ROW_NUMBER() OVER (ORDER BY SEQ4()) AS id FROM TABLE(GENERATOR(ROWCOUNT => {n})) ORDER BY id"

_TEXT = next(case.value for case in CASES if case.name == "text").replace("\\", "\\\\").replace("'", "''")
_EXPRESSIONS = {
    "text": f"'{_TEXT}'",
    "empty_text": "''::VARCHAR(10)",
    "text_null_word": "'NULL'",
    "true": "TRUE",
    "false": "FALSE",
    "small_integer": "(-7)::NUMBER(3, 0)",
    "greatest_integer": "9223372036854775807",
    "least_integer": "(-9223372036854775808)::NUMBER(38, 0)",
    "beyond_integer": "18446744073709551616",
    "decimal": "1234567890123456789.0123456789::NUMBER(38, 10)",
    "negative_decimal": "(-0.0000000001)::NUMBER(38, 10)",
    "float": "0.1::FLOAT",
    "tiny_float": "'5e-324'::FLOAT",
    "infinite_float": "'inf'::FLOAT",
    "not_a_number": "'NaN'::FLOAT",
    "date": "'2024-02-29'::DATE",
    "first_date": "'0001-01-01'::DATE",
    "last_date": "'9999-12-31'::DATE",
    "instant": "'2024-07-01 12:00:00.123456 +02:00'::TIMESTAMP_TZ",
    "first_instant": "'0001-01-01 00:00:00 +00:00'::TIMESTAMP_TZ",
    "last_instant": "'9999-12-31 23:59:59.999999 +00:00'::TIMESTAMP_TZ",
    "summer_wall_clock": "'2024-07-01 12:00:00'::TIMESTAMP_NTZ",
    "winter_wall_clock": "'2024-01-01 12:00:00'::TIMESTAMP_NTZ",
    "wall_clock_in_spring_gap": "'2026-03-29 02:30:00'::TIMESTAMP_NTZ",
    "wall_clock_twice_in_autumn": "'2026-10-25 02:30:00'::TIMESTAMP_NTZ",
    "last_wall_clock": "'9999-12-31 23:59:59'::TIMESTAMP_NTZ",
    "first_wall_clock": "'0001-01-01 00:00:00'::TIMESTAMP_NTZ",
    "time": "'12:34:56.5'::TIME",
    "uuid": "'0b5d1c1e-8f3d-4b7a-9d55-0f5f2f1f8a11'",
    "bytes": "TO_BINARY('00ff61', 'HEX')",
    "array": "PARSE_JSON('[1,null,3]')",
    "empty_array": "PARSE_JSON('[]')",
    "array_of_text": """PARSE_JSON('["a","NaN",""]')""",
    "array_with_not_a_number": "PARSE_JSON('[NaN, 1]')",
    "struct": """PARSE_JSON('{"x":1,"y":"é"}')""",
}


def settings_of(server: SnowflakeServer, **changed: Any) -> Config:
    """A connection to the server as the reading user; keys set to None are left out."""
    settings: dict[str, Any] = {
        "name": "shop",
        "account": EnvText(ACCOUNT),
        "user": EnvText(USER),
        "password": Secret(f"${{{PASSWORD_VARIABLE}}}"),
        "role": EnvText("SYNC_READER"),
        "warehouse": EnvText("SYNC_WH"),
        "database": EnvText("SHOP"),
        "schema": EnvText("PUBLIC"),
        "host": EnvText(server.host),
        "port": server.port,
        "protocol": "http",
        "timezone": TIMEZONE,
    }
    return Config(**{key: value for key, value in (settings | changed).items() if value is not None})


def real_service(url: str, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The connection that the address names; its password goes into the environment."""
    parts = urlsplit(url)
    monkeypatch.setenv("TEST_SNOWFLAKE_PASSWORD", unquote(parts.password or ""))
    database, _, schema = parts.path.strip("/").partition("/")
    chosen = {key: EnvText(values[0]) for key, values in parse_qs(parts.query).items()}
    return Config(
        name="shop",
        account=EnvText(parts.hostname or ""),
        user=EnvText(unquote(parts.username or "")),
        password=Secret("${TEST_SNOWFLAKE_PASSWORD}"),
        database=EnvText(database),
        schema=EnvText(schema or "PUBLIC"),
        role=chosen.get("role"),
        warehouse=chosen.get("warehouse"),
        timezone=TIMEZONE,
    )


@pytest.fixture(scope="session")
def filled(snowflake: SnowflakeServer) -> SnowflakeServer:
    """The server with the tables that these tests use."""
    with snowflake.admin() as admin:
        admin.execute("CREATE TABLE planted (secret TEXT)")
        admin.execute(f"INSERT INTO planted VALUES ('{PLANTED}')")
        admin.execute("CREATE TABLE hidden (secret TEXT)")
    return snowflake


@pytest.fixture(autouse=True)
def well_behaved(snowflake: SnowflakeServer) -> None:
    """Each test finds the service as it should be, nothing seen yet, and no session that a cut network left open."""
    snowflake.behave(forget_sessions=True)


@pytest.fixture
def session(filled: SnowflakeServer) -> Iterator[Session]:
    """A session of the reading user."""
    with connect(settings_of(filled)) as session:
        yield session


def written(config: Config) -> dict[str, Any]:
    """The connection as another process can be given it; the time limit is left out."""
    return config.model_dump(mode="json", by_alias=True, exclude={"query_timeout"})


def rows(session: Session, query: str, *, limit: int | None = None) -> list[dict[str, Any]]:
    """All rows of a query."""
    return [row for batch in session.stream(query, limit=limit) for row in batch.to_pylist()]


class TestSnowflake(SourceConformance, OverTheNetwork):
    """The suite on the stand-in, as a user whose role may only read, and on a real account where there is one."""

    engine = "snowflake"
    product = "Snowflake"
    against = "fakesnow's server with logins, roles and result chunks of ours"
    numbers = NUMBERS
    # A result is complete before its first row comes; so many parts would take a while to fetch.
    endless = NUMBERS.format(n=5_000_000)
    limit_s = 12
    many_rows = 300_000
    wide_rows = "SELECT SEQ4() AS id, REPEAT('xy', 50000) AS t FROM TABLE(GENERATOR(ROWCOUNT => {n}))"
    writing = (
        "DELETE FROM planted",
        "INSERT INTO planted VALUES ('x')",
        "UPDATE planted SET secret = 'x'",
        "MERGE INTO planted USING (SELECT 1 AS a) AS s ON FALSE WHEN NOT MATCHED THEN INSERT VALUES ('x')",
        "TRUNCATE TABLE planted",
        "CREATE TEMPORARY TABLE t (a INT)",
        "CREATE TABLE t AS SELECT 1 AS a",
        "COPY INTO @~/out FROM planted",
        "PUT file:///etc/hostname @~",
        "CALL planted_procedure()",
        "EXECUTE IMMEDIATE 'DELETE FROM planted'",
        "USE ROLE OWNER",
        "ALTER SESSION SET TIMEZONE = 'Asia/Tokyo'",
        "BEGIN",
        "SELECT 1; DELETE FROM planted",
    )
    failing_on_planted = "SELECT secret::INT AS x FROM planted"
    expressions = _EXPRESSIONS
    cannot: ClassVar = {
        "distant_date": "years go to 9999",
        "infinite_date": "there is no infinite date",
        "infinite_instant": "there is no infinite timestamp",
        "interval": "intervals cannot be results of every account yet; see test_snowflake_types",
        "enum": "there are no enumerated types",
        "json": "Snowflake writes no blanks, and the stand-in loses digits; see test_snowflake_types",
    }

    @staticmethod
    def encrypted(config: Any) -> Any:
        """As outside of tests."""
        return config.model_copy(update={"protocol": "https"})

    @classmethod
    def folded(cls, name: str) -> str:
        """Unquoted names are raised."""
        return name.upper()

    @classmethod
    def literal(cls, text: str | None) -> str:
        """A backslash in a text is an escape. The stand-in takes $name for a variable, inside of texts too."""
        written = super().literal(None if text is None else text.replace("\\", "\\\\"))
        return written.replace("$", "' || CHR(36) || '")

    @pytest.fixture(params=["stand-in", "service"] if os.environ.get(URL_VARIABLE) else ["stand-in"])
    def database(
        self, request: pytest.FixtureRequest, filled: SnowflakeServer, monkeypatch: pytest.MonkeyPatch
    ) -> DatabaseConfig:
        """The stand-in, and the real service where there is one."""
        if request.param == "service":
            return real_service(os.environ[URL_VARIABLE], monkeypatch)
        return settings_of(filled)

    @pytest.fixture
    def unavailable(
        self, filled: SnowflakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> list[tuple[DatabaseConfig, str]]:
        """Every reason that can be brought about here."""
        monkeypatch.setenv("WRONG", "planted-wrong-secret")
        monkeypatch.setenv("EXPIRED", EXPIRED_TOKEN)
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        (tmp_path / "letter.pem").write_text("Dear reader")
        wrong, passphrase = Secret("${WRONG}"), Secret(f"${{{PASSPHRASE_VARIABLE}}}")
        key: dict[str, Any] = {"password": None, "private_key_file": filled.key_file}
        unsaid = {"password": None}
        tls = {"port": filled.tls_port, "protocol": "https"}
        # The driver tries these again until the time is over.
        quick = {"query_timeout": timedelta(seconds=1)}
        cases: list[tuple[dict[str, Any], str]] = [
            ({"password": wrong}, "the password of user SYNC was refused"),
            ({"user": EnvText("NOBODY")}, "the password of user NOBODY was refused"),
            ({"user": EnvText("LOCKED")}, "user LOCKED is locked"),
            ({"user": EnvText("DISABLED")}, "user DISABLED is disabled"),
            ({"user": EnvText("FENCED")}, "lets user FENCED not connect from this network"),
            ({"user": EnvText("SECOND_FACTOR")}, "user SECOND_FACTOR needs a second factor"),
            ({"user": EnvText("ODD")}, r"no connection: Something new \(390999\)"),
            (unsaid | {"oauth_token": wrong}, "the OAuth token was refused"),
            (unsaid | {"oauth_token": Secret("${EXPIRED}")}, "the OAuth token has expired"),
            (key, "key.p8 is protected"),
            (key | {"private_key_passphrase": wrong}, "key.p8 does not open with the passphrase"),
            (key | {"private_key_passphrase": passphrase, "user": EnvText("OWNER")}, "the key of user OWNER was ref"),
            (unsaid | {"private_key_file": tmp_path / "none.p8"}, "none.p8 cannot be read: No such file"),
            (unsaid | {"private_key_file": tmp_path / "letter.pem"}, "letter.pem is not a private key"),
            ({"role": EnvText("OWNER")}, "user SYNC may not use role OWNER"),
            ({"database": EnvText("SHOPP")}, "there is no database SHOPP, or role SYNC_READER may not use it"),
            ({"schema": EnvText("PUBLICC")}, "there is no schema PUBLICC"),
            ({"warehouse": EnvText("NO_WH")}, "there is no warehouse NO_WH"),
            ({"account": EnvText("acme-other")}, "there is no account acme-other at localhost"),
            (quick | {"port": 1}, "nothing answers at localhost port 1"),
            (quick | tls | {"host": EnvText("no.such.host.invalid")}, "there is no host no.such.host.invalid"),
            (tls, "certificate is not by an authority that this machine trusts"),
            (tls | {"port": filled.port}, "localhost port .* does not speak TLS"),
        ]
        return [(settings_of(filled, **changed), said) for changed, said in cases]


@pytest.mark.thorough
def test_a_stalled_login_ends(filled: SnowflakeServer) -> None:
    """Also without an answer."""
    filled.behave(silent_logins=True)

    with (
        pytest.raises(SourceUnavailableError, match=r"localhost port \d+ does not answer") as refused,
        connect(settings_of(filled, query_timeout=timedelta(seconds=1))),
    ):
        pass

    assert refused.value.hint


@pytest.mark.parametrize(
    ("query", "behaviour", "aborts"),
    [
        ("SELECT SYSTEM$WAIT(30) AS waited", {}, 1),
        ("SELECT 1 AS one", {"silent": True}, 1),
        (NUMBERS.format(n=100_000), {"chunks_stalled": True}, 0),
    ],
)
@pytest.mark.thorough
def test_a_stalled_query_ends(filled: SnowflakeServer, query: str, behaviour: dict[str, Any], aborts: int) -> None:
    """Whether it runs, or the service is silent, or its result does not come; what runs is canceled."""
    filled.behave(limit_s=60)
    with connect(settings_of(filled, query_timeout=timedelta(seconds=3))) as session:
        filled.behave(**behaviour)
        began = time.monotonic()
        with pytest.raises(QueryError, match=r"did not end within query_timeout \(3s\)"):
            rows(session, query)

    assert time.monotonic() - began < 20
    assert len(filled.seen()["aborted"]) == aborts


def test_a_time_limit_of_the_warehouse_has_its_own_words(filled: SnowflakeServer) -> None:
    """It is not the connection's to raise."""
    filled.behave(limit_s=0.2)
    with connect(settings_of(filled)) as session, pytest.raises(QueryError, match="its own time limit") as refused:
        rows(session, "SELECT SYSTEM$WAIT(30) AS waited")

    assert "STATEMENT_TIMEOUT_IN_SECONDS" in refused.value.hint


@pytest.mark.thorough
def test_a_long_query_is_waited_for(session: Session) -> None:
    """The service answers "still running" meanwhile."""
    assert rows(session, "SELECT SYSTEM$WAIT(0.7) AS waited") == [{"WAITED": "waited 0.7 seconds"}]


def test_a_query_canceled_by_somebody_is_no_timeout(filled: SnowflakeServer) -> None:
    """The same number as a timeout, but long before it."""
    with connect(settings_of(filled)) as session:
        threading.Timer(0.2, filled.behave, kwargs={"cancel": True}).start()
        with pytest.raises(QueryError, match="the query was canceled"):
            rows(session, "SELECT SYSTEM$WAIT(30) AS waited")


@pytest.mark.thorough
def test_an_interrupted_query_is_canceled(filled: SnowflakeServer) -> None:
    """Ctrl-C ends it on the server too."""
    program = (
        "from reverse_etl.sources import connect\n"
        "from reverse_etl.sources.snowflake import Config\n"
        f"config = Config.model_validate({written(settings_of(filled))!r})\n"
        "with connect(config) as session: list(session.stream('SELECT SYSTEM$WAIT(30) AS waited'))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) as process:
        wait_until(lambda: filled.seen()["statements"])
        process.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in process.communicate(timeout=60)[1]

    seen = filled.seen()
    assert (seen["aborted"], seen["sessions"]) == (["SELECT SYSTEM$WAIT(30) AS waited"], 0)


def wait_until(condition: Any) -> None:
    """Returns when the condition holds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_leaving_early_fetches_no_more_than_the_next_part(filled: SnowflakeServer) -> None:
    """Of the hundred parts that the result has."""
    with connect(settings_of(filled)) as session:
        batches = session.stream(NUMBERS.format(n=2_000_000))
        next(batches)
        batches.close()
        assert rows(session, "SELECT 1 AS one") == [{"ONE": 1}]

    assert len(filled.seen()["chunks"]) <= 4


def test_a_session_is_closed(filled: SnowflakeServer) -> None:
    """Nothing is left running, whatever happens inside."""
    with pytest.raises(QueryError), connect(settings_of(filled)) as session:
        rows(session, "SELECT no_such_column FROM planted")

    assert filled.seen()["sessions"] == 0


@pytest.mark.thorough
def test_a_part_that_cannot_be_had_at_once_is_asked_for_again(filled: SnowflakeServer) -> None:
    """Storage is busy at times, and a part may come short."""
    with connect(settings_of(filled)) as session:
        for behaviour in ({"chunk_refusals": 1}, {"short_chunks": 1}):
            filled.behave(**behaviour)
            assert sum(batch.num_rows for batch in session.stream(NUMBERS.format(n=100_000))) == 100_000


def test_missing_rows_are_an_error(filled: SnowflakeServer) -> None:
    """The connector does not count rows of Arrow parts; a run must not complete without them."""
    with connect(settings_of(filled)) as session:
        filled.behave(short_chunks=100)
        with pytest.raises(SourceUnavailableError, match="without all its rows"):
            rows(session, NUMBERS.format(n=100_000))


def test_an_expired_session_is_renewed(filled: SnowflakeServer) -> None:
    """The service forgets tokens after an hour."""
    with connect(settings_of(filled)) as session:
        filled.behave(expired=True)
        assert rows(session, "SELECT 1 AS one") == [{"ONE": 1}]


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ("SELECT 1 AS a", "SELECT 1 AS a\nLIMIT 5"),
        ("SELECT 1 AS a -- one", "SELECT 1 AS a -- one\nLIMIT 5"),
        (
            "SELECT 1 AS a UNION ALL SELECT 2 ORDER BY 1 DESC;",
            "SELECT 1 AS a UNION ALL SELECT 2 ORDER BY 1 DESC\nLIMIT 5",
        ),
        (
            "WITH w AS (SELECT 1 AS a LIMIT 3) SELECT a FROM w",
            "WITH w AS (SELECT 1 AS a LIMIT 3) SELECT a FROM w\nLIMIT 5",
        ),
        ("SELECT 1 AS a LIMIT 7", "SELECT 1 AS a LIMIT 7"),
        ("SELECT TOP 7 1 AS a", "SELECT TOP 7 1 AS a"),
        ("SELECT ';' AS a; -- one", "SELECT ';' AS a\nLIMIT 5"),
    ],
)
def test_a_limit_is_appended_where_it_is_safe(filled: SnowflakeServer, query: str, sent: str) -> None:
    """Around a query it would lose the order of rows; where there is one already, rows are just not fetched."""
    with connect(settings_of(filled)) as session:
        found = rows(session, query, limit=5)

    assert found[0]["A"] in (1, 2, ";")
    assert filled.seen()["statements"] == [sent]


def test_a_limit_of_the_query_itself_stays(session: Session) -> None:
    """The smaller of the two counts."""
    assert len(rows(session, NUMBERS.format(n=100) + " LIMIT 7", limit=5)) == 5
    assert len(rows(session, NUMBERS.format(n=100) + " LIMIT 7", limit=50)) == 7


@pytest.mark.parametrize(
    ("role", "read_only"), [("SYNC_READER", True), ("SYNC_WRITER", False), ("SYNC_HEIR", False), ("SYNC_UNSEEN", False)]
)
def test_read_only_is_what_the_grants_say(filled: SnowflakeServer, role: str, read_only: bool) -> None:
    """Privileges that came from another role count; a role whose grants cannot be seen is not vouched for."""
    with connect(settings_of(filled, role=EnvText(role))) as session:
        assert session.read_only() is read_only


def test_the_role_refuses_what_gets_past_the_guard(filled: SnowflakeServer) -> None:
    """The message says which grant is missing, and the row is still there."""
    with connect(settings_of(filled)) as session:
        with pytest.raises(QueryError, match="Insufficient privileges to operate on table 'PLANTED'") as refused:
            session._rows("DELETE FROM planted")  # type: ignore[attr-defined]
        assert rows(session, "SELECT secret FROM planted") == [{"SECRET": PLANTED}]

    assert "SYNC_READER" in refused.value.hint


def test_what_the_role_may_not_see_is_an_error_with_the_grant(session: Session) -> None:
    """Snowflake does not distinguish missing from forbidden, so the error names both."""
    with pytest.raises(QueryError, match="Object 'HIDDEN' does not exist or not authorized") as refused:
        rows(session, "SELECT * FROM hidden")

    assert "GRANT SELECT ON TABLE HIDDEN TO ROLE SYNC_READER" in refused.value.hint


def test_without_a_warehouse_the_grant_is_named(filled: SnowflakeServer) -> None:
    """The user has no default one."""
    with (
        connect(settings_of(filled, warehouse=None)) as session,
        pytest.raises(QueryError, match="no warehouse runs the session's queries") as refused,
    ):
        rows(session, "SELECT secret FROM planted")

    assert "GRANT USAGE ON WAREHOUSE" in refused.value.hint


def test_the_session_is_set_up(filled: SnowflakeServer) -> None:
    """What the service is asked for, and nothing else: no telemetry, no other role."""
    with connect(settings_of(filled, query_timeout=timedelta(minutes=5))) as session:
        rows(session, "SELECT 1 AS one")

    seen = filled.seen()
    (login,) = seen["logins"]
    wanted = {
        "ABORT_DETACHED_QUERY": True,
        "CLIENT_TELEMETRY_ENABLED": False,
        "MULTI_STATEMENT_COUNT": 1,
        "QUERY_TAG": "reverse-etl",
        "STATEMENT_TIMEOUT_IN_SECONDS": 300,
        "TIMEZONE": "UTC",
    }
    assert {name: login["SESSION_PARAMETERS"].get(name) for name in wanted} == wanted
    assert login["SECONDARY_ROLES"] == "NONE"
    assert seen["paths"] == []


@pytest.mark.thorough
def test_the_driver_is_quiet_and_keeps_nothing(
    filled: SnowflakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It would log statements, and addresses at which results open without a password; and it keeps files."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(logging.getLogger("snowflake.connector"), "level", logging.NOTSET)
    caplog.set_level(logging.DEBUG)

    with connect(settings_of(filled)) as session:
        filled.behave(chunk_refusals=1)
        rows(session, NUMBERS.format(n=50_000))
        with pytest.raises(QueryError):
            rows(session, "SELECT secret::INT AS x FROM planted")

    assert [record.name for record in caplog.records if record.name.startswith("snowflake")] == []
    assert list(tmp_path.rglob("*")) == []


def test_a_level_that_somebody_set_is_left_alone(filled: SnowflakeServer) -> None:
    """For whoever looks for a fault of the driver."""
    log = logging.getLogger("snowflake.connector")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with connect(settings_of(filled)):
            assert log.level == logging.ERROR
    finally:
        log.setLevel(before)


def test_no_secret_is_in_an_error(filled: SnowflakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a traceback either."""
    monkeypatch.setenv("WRONG", "planted-wrong-secret")
    with (
        pytest.raises(SourceUnavailableError) as refused,
        connect(settings_of(filled, password=Secret("${WRONG}"))),
    ):
        pass

    told = "".join(traceback.format_exception(refused.value))
    assert "planted-wrong-secret" not in told
    assert PASSWORD not in told


def test_the_connection_is_checked_step_by_step(filled: SnowflakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over TLS, with the authority that the environment names."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(filled.ca_file))

    found = list(steps(settings_of(filled, port=filled.tls_port, protocol="https")))

    names = ["address", "port", "TLS", "log in", "server", "read-only", "clock", "open transactions", "query", "driver"]
    assert [(step.name, step.ok) for step in found] == [(name, True) for name in names]
    said = {step.name: step.detail for step in found}
    assert said["TLS"] == "the certificate for localhost is by Throw-away authority"
    assert said["log in"] == f"user SYNC, account {ACCOUNT}, role SYNC_READER"
    assert said["driver"].startswith("snowflake-connector-python 4")
    (login, *_) = filled.seen()["logins"]
    assert login["CLIENT_ENVIRONMENT"]["OCSP_MODE"] == "FAIL_OPEN"


@pytest.mark.thorough
def test_a_proxy_is_shown_instead_of_the_network(filled: SnowflakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account's address may not even be known here; the proxy's password is not shown."""
    monkeypatch.setenv("http_proxy", "http://someone:planted-proxy-password@127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    config = settings_of(filled, host=EnvText("127.0.0.2"), query_timeout=timedelta(seconds=1))

    found = list(steps(config))

    assert [(step.name, step.ok) for step in found] == [("address", True), ("log in", False)]
    assert found[0].detail == "127.0.0.2, through the proxy 127.0.0.1:1"
    assert "the proxy lets nothing through" in found[1].detail
    assert "planted-proxy-password" not in str(found)


def test_without_the_driver_the_extra_is_named(filled: SnowflakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is optional; the error is the command that installs it."""
    monkeypatch.setitem(sys.modules, "snowflake.connector", None)

    with pytest.raises(MissingDriverError) as missing, connect(settings_of(filled)):
        pass

    assert missing.value.hint == 'Run: pip install "reverse-etl[snowflake]"'


_MEASURED = """
from reverse_etl.sources import connect
from reverse_etl_tests.benchmarks.memory import peak_mb
from reverse_etl.sources.snowflake import Config
with connect(Config.model_validate({config!r})) as session:
    count = size = 0
    for batch in session.stream({query!r}):
        count, size = count + batch.num_rows, max(size, batch.nbytes)
        assert batch.num_rows <= {rows} and batch.nbytes <= 2 * {bytes}
print(count, round(peak_mb()))
"""


@pytest.mark.thorough
def test_memory_is_flat(filled: SnowflakeServer) -> None:
    """200,000 rows in 20 parts, 85 MB altogether, cost little more than a quarter of them."""
    texts = [f"{'x' * 100}{number}" for number in range(10_000)]
    names = ("A", "B", "C", "D")
    fields = [pa.field(name, pa.string(), metadata={"logicalType": "TEXT"}) for name in names]
    table = pa.Table.from_arrays([pa.array(texts)] * len(names), schema=pa.schema(fields))
    found = []
    for parts in (5, 20):
        query = f"SELECT * FROM {parts}_parts"
        kinds = [{"name": name, "type": "text", "length": 200} for name in names]
        filled.answer(query, table, kinds, copies=parts - 1)
        program = _MEASURED.format(config=written(settings_of(filled)), query=query, rows=BATCH_ROWS, bytes=BATCH_BYTES)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        found.append([int(word) for word in done.stdout.split()])

    (few, least), (many, most) = found
    assert (few, many) == (50_000, 200_000)
    assert most - least < 40
    assert len(filled.seen()["chunks"]) >= 19

"""BigQuery: the conformance suite on a stand-in of its REST API, and what only BigQuery does.

With TEST_BIGQUERY_URL (``bigquery://project/dataset``) the suite runs against BigQuery itself, with the default
credentials; the dataset needs a table ``planted`` (see ``conformance``).
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
import sqlglot
import yaml
from google.cloud.bigquery import SchemaField
from pydantic import ValidationError

from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.inline import parse_database
from reverse_etl.errors import MissingDriverError, QueryError, SourceUnavailableError
from reverse_etl.sources import connect
from reverse_etl.sources._connection_check import steps
from reverse_etl.sources.base import NOT_JSON, Session, logical_type
from reverse_etl.sources.bigquery import Config
from reverse_etl.sources.bigquery.rest import page_batch
from reverse_etl.sources.bigquery.types import canonical_batch
from reverse_etl_tests.servers._bigquery_sql import RefusedError
from reverse_etl_tests.servers.bigquery import DATASET, NO_DATASET, NO_JOBS, PROJECT, READER, BigqueryServer, Faults
from reverse_etl_tests.sources.cases import CASES, TIMEZONE
from reverse_etl_tests.sources.conformance import PLANTED, SourceConformance
from reverse_etl_tests.sources.network import OverTheNetwork

KEY = "TEST_BIGQUERY_READER_KEY"
_URL = urlsplit(os.environ.get("TEST_BIGQUERY_URL", ""))
_REAL = _URL.hostname


def literal(text: str) -> str:
    """A text as BigQuery writes it: with backslashes."""
    escapes = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r"}
    return "'" + "".join(escapes.get(character, character) for character in text) + "'"


_TEXT = next(case.value for case in CASES if case.name == "text")
_EXPRESSIONS = {
    "text": literal(_TEXT),
    "empty_text": "''",
    "text_null_word": "'NULL'",
    "true": "true",
    "false": "false",
    "small_integer": "-7",
    "greatest_integer": "9223372036854775807",
    "least_integer": "CAST('-9223372036854775808' AS INT64)",
    "beyond_integer": "NUMERIC '18446744073709551616'",
    "decimal": "BIGNUMERIC '1234567890123456789.0123456789'",
    "negative_decimal": "BIGNUMERIC '-0.0000000001'",
    "float": "0.1e0",
    "tiny_float": "5e-324",
    "infinite_float": "CAST('inf' AS FLOAT64)",
    "not_a_number": "CAST('NaN' AS FLOAT64)",
    "date": "DATE '2024-02-29'",
    "first_date": "DATE '0001-01-01'",
    "last_date": "DATE '9999-12-31'",
    "instant": "TIMESTAMP '2024-07-01 12:00:00.123456+02'",
    "first_instant": "TIMESTAMP '0001-01-01 00:00:00+00'",
    "last_instant": "TIMESTAMP '9999-12-31 23:59:59.999999+00'",
    "summer_wall_clock": "DATETIME '2024-07-01 12:00:00'",
    "winter_wall_clock": "DATETIME '2024-01-01 12:00:00'",
    "wall_clock_in_spring_gap": "DATETIME '2026-03-29 02:30:00'",
    "wall_clock_twice_in_autumn": "DATETIME '2026-10-25 02:30:00'",
    "last_wall_clock": "DATETIME '9999-12-31 23:59:59'",
    "first_wall_clock": "DATETIME '0001-01-01 00:00:00'",
    "time": "TIME '12:34:56.5'",
    "interval": "INTERVAL '1-0 2 0:0:3.5' YEAR TO SECOND",
    "bytes": "b'\\x00\\xffa'",
    "empty_array": "ARRAY<INT64>[]",
    "array_of_text": "['a', 'NaN', '']",
    "array_with_not_a_number": "[CAST('NaN' AS FLOAT64), 1.0]",
    "struct": "STRUCT(1 AS x, 'é' AS y)",
}
_NO_SUCH_DATE = "dates end with the year 9999"
_CANNOT = {
    "distant_date": _NO_SUCH_DATE,
    "infinite_date": _NO_SUCH_DATE,
    "infinite_instant": _NO_SUCH_DATE,
    "uuid": "there is no type for them but STRING",
    "enum": "there are none",
    "json": "JSON is kept normalised: no blanks, and no more digits than a FLOAT64 has",
    "array": "an array in a result has no NULL",
}


def settings_of(server: BigqueryServer, **changed: Any) -> Config:
    """A connection to the stand-in as the reading account."""
    settings: dict[str, Any] = {
        "name": "shop",
        "project": EnvText(PROJECT),
        "dataset": EnvText(DATASET),
        "service_account_key": Secret(f"${{{KEY}}}"),
        "api_endpoint": EnvText(server.url),
        "use_storage_api": "never",
        "timezone": TIMEZONE,
    }
    return Config(**(settings | changed))


@pytest.fixture(scope="session")
def filled(bigquery: BigqueryServer) -> BigqueryServer:
    """The stand-in with the tables that these tests use."""
    database = bigquery.database
    database.execute(f"CREATE TABLE {DATASET}.planted (secret VARCHAR)")
    database.execute(f"INSERT INTO {DATASET}.planted VALUES (?)", [PLANTED])
    database.execute(f"CREATE TABLE {DATASET}.hidden (secret VARCHAR)")
    return bigquery


@pytest.fixture(autouse=True)
def trusting(filled: BigqueryServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stand-in's authority and key in the environment; no faults are left."""
    if _REAL is None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(filled.ca_file))
    monkeypatch.setenv(KEY, filled.key())
    yield
    filled.jobs.faults = Faults()


@pytest.fixture
def session(filled: BigqueryServer) -> Iterator[Session]:
    """A session of the reading account."""
    with connect(settings_of(filled)) as session:
        yield session


def rows(session: Session, query: str, *, limit: int | None = None) -> list[dict[str, Any]]:
    """All rows of a query."""
    return [row for batch in session.stream(query, limit=limit) for row in batch.to_pylist()]


class TestBigquery(SourceConformance, OverTheNetwork):
    """The suite, over HTTPS."""

    engine = "bigquery"
    null: ClassVar[dict[str, object]] = {case.name: "[]" for case in CASES if "array" in case.name}
    product = "BigQuery API"
    against = "itself" if _REAL else "a stand-in of ours, over HTTPS"
    quotes = "``"
    text_type = "STRING"
    column_names = "order,deleted,Ünïcode,mixedCase,a b,50%,a&b,größe"
    numbers = "SELECT id FROM UNNEST(GENERATE_ARRAY(1, {n})) AS id ORDER BY id"
    endless = "SELECT id FROM UNNEST(GENERATE_ARRAY(1, 400000)) AS id"
    wide_rows = "SELECT id, REPEAT('xy', 50000) AS t FROM UNNEST(GENERATE_ARRAY(1, {n})) AS id"
    writing = (
        "DELETE FROM planted WHERE true",
        "INSERT INTO planted (secret) VALUES ('x')",
        "UPDATE planted SET secret = 'x' WHERE true",
        "MERGE planted USING planted AS b ON FALSE WHEN NOT MATCHED THEN INSERT (secret) VALUES ('x')",
        "TRUNCATE TABLE planted",
        "DROP TABLE planted",
        "CREATE TABLE copied AS SELECT secret FROM planted",
        "CREATE TEMP TABLE copied AS SELECT secret FROM planted",
        "CREATE VIEW seen AS SELECT secret FROM planted",
        "EXPORT DATA OPTIONS (uri = 'gs://bucket/*.csv', format = 'CSV') AS SELECT secret FROM planted",
        "SELECT 1; DROP TABLE planted",
    )
    failing_on_planted = "SELECT CAST(secret AS INT64) AS x FROM planted"
    expressions = _EXPRESSIONS
    cannot = _CANNOT
    flowing_rows = many_rows = 200_000

    @staticmethod
    def secret(config: Any) -> bytes:  # noqa: ARG004 - as in the suite
        """The key's lines begin so."""
        return b"PRIVATE KEY"

    @staticmethod
    def is_here(config: Any) -> bool:
        """The stand-in is at an endpoint of its own."""
        return config.api_endpoint is not None

    @staticmethod
    def port(config: Any) -> int:
        """The endpoint's."""
        return urlsplit(config.api_endpoint.resolve()).port or 443

    @staticmethod
    def through(config: Any, port: int) -> DatabaseConfig:
        """Another endpoint."""
        changed: DatabaseConfig = config.model_copy(update={"api_endpoint": EnvText(f"https://localhost:{port}")})
        return changed

    @classmethod
    def literal(cls, text: str | None) -> str:
        """With backslashes, which ``''`` would not do."""
        return "NULL" if text is None else literal(text)

    @pytest.fixture
    def database(self, filled: BigqueryServer) -> DatabaseConfig:
        """The stand-in, or BigQuery itself."""
        if _REAL is not None:
            dataset = EnvText(_URL.path.strip("/"))
            return Config(name="shop", project=EnvText(_REAL), dataset=dataset, timezone=TIMEZONE)
        return settings_of(filled)

    @pytest.fixture
    def unavailable(
        self, filled: BigqueryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> list[tuple[DatabaseConfig, str]]:
        """Every reason that can be brought about here."""
        monkeypatch.setenv("FORGED", filled.key(forged=True))
        monkeypatch.setenv("LETTER", "Dear reader")
        monkeypatch.setenv("BASE64_OF_LETTER", "RGVhciByZWFkZXI=")
        monkeypatch.setenv("NO_KEY", '{"type": "authorized_user"}')
        monkeypatch.setenv("NO_JOBS", filled.key(NO_JOBS))
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        (tmp_path / "letter.json").write_text("Dear reader")
        file = {"service_account_key": None, "service_account_file": tmp_path / "none.json"}
        return [
            (settings_of(filled, service_account_key=Secret("${FORGED}")), "Google refused the key of reader@"),
            (
                settings_of(filled, service_account_key=Secret("${LETTER}")),
                r"\${LETTER} holds no service account's key",
            ),
            (settings_of(filled, service_account_key=Secret("${BASE64_OF_LETTER}")), "holds no service account's key"),
            (settings_of(filled, service_account_key=Secret("${NO_KEY}")), "holds no service account's key"),
            (settings_of(filled, service_account_key=Secret("${NO_JOBS}")), "no-jobs@.* may not run queries"),
            (settings_of(filled, **file), "the file .*none.json cannot be read"),
            (settings_of(filled, service_account_key=None), "there are no default credentials"),
            (settings_of(filled, project=EnvText("other-project")), "may not run queries in project other-project"),
            (settings_of(filled, dataset=EnvText("shopp")), "there is no dataset shop-project:shopp"),
            (
                settings_of(filled, api_endpoint=EnvText("https://no.such.host.invalid")),
                "there is no host of that name",
            ),
            (settings_of(filled, api_endpoint=EnvText("https://localhost:1")), "nothing answers at localhost"),
            (
                settings_of(filled, api_endpoint=EnvText(f"https://127.0.0.1:{filled.port}")),
                "the certificate of 127.0.0.1 is refused",
            ),
        ]


@pytest.mark.parametrize(
    ("expression", "logical", "value"),
    [
        ("NUMERIC '0.10'", "decimal", "0.1"),
        ("NUMERIC '100'", "decimal", "100"),
        ("TIME '12:00:00'", "string", "12:00:00"),
        ('JSON \'{"a": 1, "b": [true, null]}\'', "json", '{"a":1,"b":[true,null]}'),
        ("[STRUCT('a' AS k, 1 AS n), STRUCT('b' AS k, 2 AS n)]", "json", '[{"k":"a","n":1},{"k":"b","n":2}]'),
        ("STRUCT([1, 2] AS tags, STRUCT(true AS b) AS inner_one)", "json", '{"tags":[1,2],"inner_one":{"b":true}}'),
        ("[NUMERIC '12345678901234567890.123456789']", "json", "[12345678901234567890.123456789]"),
        ("[DATETIME '2024-07-01 12:00:00']", "json", '["2024-07-01T10:00:00+00:00"]'),
        ("[TIMESTAMP '2024-07-01 12:00:00+02']", "json", '["2024-07-01T10:00:00+00:00"]'),
        ("[DATE '2024-02-29']", "json", '["2024-02-29"]'),
        ("[JSON '{\"a\": 1}']", "json", '[{"a":1}]'),
        ("[b'\\x00']", "json", "NaN"),
        ("INTERVAL '-1-2 3 -4:5:6.789' YEAR TO SECOND", "string", "P-1Y-2M3DT-4H-5M-6.789S"),
        ("NULL", "int64", None),
    ],
)
def test_types_of_its_own(session: Session, expression: str, logical: str, value: object) -> None:
    """Types that other engines do not have, and nested values."""
    (batch,) = session.stream(f"SELECT {expression} AS value")

    assert (logical_type(batch.schema.field(0)), batch.column(0).to_pylist()) == (logical, [value])


def field_of(kind: str, **more: Any) -> SchemaField:
    """A column as the REST API describes it."""
    return SchemaField.from_api_repr({"name": "value", "type": kind, "mode": "NULLABLE", **more})


@pytest.mark.parametrize(
    ("field", "cell", "arrow", "text"),
    [
        (field_of("GEOGRAPHY"), "POINT(1 2)", pa.array(["POINT(1 2)"]), "POINT(1 2)"),
        (
            field_of("RANGE", rangeElementType={"type": "DATE"}),
            "[2024-01-01, UNBOUNDED)",
            pa.array([{"start": date(2024, 1, 1), "end": None}]),
            "[2024-01-01, UNBOUNDED)",
        ),
        (
            field_of("RANGE", rangeElementType={"type": "DATETIME"}),
            "[UNBOUNDED, 2024-01-01T00:00:00)",
            pa.array([{"start": None, "end": datetime(2024, 1, 1)}]),  # noqa: DTZ001 - DATETIME has no zone
            "[UNBOUNDED, 2024-01-01T00:00:00)",
        ),
        (
            field_of("RANGE", rangeElementType={"type": "TIMESTAMP"}),
            "[1704067200000000, 1704067200500000)",
            pa.array([{"start": datetime(2024, 1, 1, tzinfo=UTC), "end": datetime(2024, 1, 1, 0, 0, 0, 500000, UTC)}]),
            "[2024-01-01T00:00:00+00:00, 2024-01-01T00:00:00.500000+00:00)",
        ),
        (field_of("INTERVAL"), "1-0 2 0:0:3.5", pa.array([pa.MonthDayNano([12, 2, 3_500_000_000])]), "P1Y2DT3.5S"),
        (field_of("INTERVAL"), "0-0 0 -0:0:0.000001", pa.array([pa.MonthDayNano([0, 0, -1_000])]), "PT-0.000001S"),
        (field_of("TIME"), "12:34:56.500000", pa.array([time(12, 34, 56, 500000)]), "12:34:56.5"),
    ],
)
def test_both_apis_say_the_same(field: SchemaField, cell: str, arrow: pa.Array, text: str) -> None:
    """What a value becomes does not depend on how an account may fetch it; NULL stays NULL."""
    rest = page_batch([{"f": [{"v": cell}]}, {"f": [{"v": None}]}], [field])
    storage = pa.RecordBatch.from_arrays([pa.concat_arrays([arrow, pa.nulls(1, arrow.type)])], ["value"])

    for natural in (rest, storage):
        batch = canonical_batch(natural, [field], timezone=TIMEZONE)
        assert (logical_type(batch.schema.field(0)), batch.column(0).to_pylist()) == ("string", [text, None])


def test_an_interval_not_known_here_is_passed_on() -> None:
    """A form that BigQuery may write one day."""
    field = field_of("INTERVAL")

    batch = canonical_batch(page_batch([{"f": [{"v": "P1Y"}]}], [field]), [field], timezone="UTC")

    assert batch.column(0).to_pylist() == ["P1Y"]


def test_names_that_differ_in_case_are_refused(session: Session) -> None:
    """BigQuery takes them for one; the message is the one that every engine has."""
    with pytest.raises(QueryError, match="more than one column named `plan`"):
        rows(session, "SELECT 1 AS plan, 2 AS PLAN")


@pytest.mark.parametrize(
    ("query", "said", "fix"),
    [
        ("SELECT * FROM hidden", f"{READER} may not read table {PROJECT}:shop.hidden", "roles/bigquery.dataViewer"),
        ("SELECT * FROM nowhere.t", f"there is no dataset {PROJECT}:nowhere in location EU", "`location`"),
        ("SELECT * FROM elsewhere.t", f"there is no table {PROJECT}:elsewhere.t in location EU", "dataset.table"),
        ("SELECT 1 AS a,\n  secrt\nFROM planted", r"Unrecognized name: secrt \(line 2, column 3\)", "columns"),
        ("SELECT 1 AS shelved", "may not read the Google Drive file", "google_drive: true"),
        ("SELECT 'abc", "Syntax error: Unclosed string literal", "columns"),
    ],
)
def test_refusals_carry_their_fix(session: Session, query: str, said: str, fix: str) -> None:
    """The message says what is wrong, the hint what to ask for."""
    with pytest.raises(QueryError, match=said) as refused:
        rows(session, query)

    assert fix in refused.value.hint


def test_a_table_without_a_dataset_says_where_to_put_it(filled: BigqueryServer) -> None:
    """The connection has no default dataset."""
    with (
        connect(settings_of(filled, dataset=None)) as session,
        pytest.raises(QueryError, match='Table "planted" must be qualified') as refused,
    ):
        rows(session, "SELECT secret FROM planted")

    assert "set `dataset`" in refused.value.hint


def test_a_literal_that_does_not_fit_is_not_repeated(session: Session) -> None:
    """BigQuery quotes it while it analyzes the query; its message is not passed on."""
    with pytest.raises(QueryError) as refused:
        rows(session, f"SELECT CAST('{PLANTED}' AS INT64) AS x")

    assert PLANTED not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("error", "kind", "said", "fix"),
    [
        (
            RefusedError(403, "quotaExceeded", "Quota exceeded"),
            QueryError,
            "a quota of project .* is used up",
            "higher",
        ),
        (RefusedError(400, "resourcesExceeded", "Resources exceeded"), QueryError, "resourcesExceeded", "memory"),
        (RefusedError(403, "responseTooLarge", "Response too large"), QueryError, "responseTooLarge", "narrow"),
        (RefusedError(499, "stopped", "cancelled"), QueryError, "the query was canceled", "again"),
        (RefusedError(503, "tableUnavailable", "unavailable"), SourceUnavailableError, "passing problem", "again"),
        (RefusedError(400, "invalidQuery", f"Bad int64 value: {PLANTED}"), QueryError, "invalidQuery", "console"),
    ],
)
def test_a_query_that_fails_while_it_runs_says_why(
    filled: BigqueryServer, session: Session, error: RefusedError, kind: type[Exception], said: str, fix: str
) -> None:
    """By its reason; the message, which may hold a value, is not passed on."""
    filled.jobs.faults.fail = [error]

    with pytest.raises(kind, match=said) as refused:
        rows(session, "SELECT 1 AS one")

    assert fix in refused.value.hint  # type: ignore[attr-defined]
    assert PLANTED not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("error", "said", "fix"),
    [
        (RefusedError(403, "accessNotConfigured", "disabled"), "API is not enabled", "gcloud services enable"),
        (
            RefusedError(403, "forbidden", "Request is prohibited by organization's policy."),
            "VPC Service Controls",
            "access from this network",
        ),
        (RefusedError(403, "accessDenied", "Access Denied: no more is said"), "may not read what the query", "Viewer"),
        (RefusedError(401, "authError", "Invalid credentials"), "refused the credentials of reader@", "KEY"),
        (RefusedError(404, "notFound", "Project gone"), "no such project, dataset or job", "`location`"),
        (RefusedError(400, "invalid", "Invalid location"), r"refused the connection \(invalid\)", "`location`"),
    ],
)
def test_a_login_that_fails_says_why(filled: BigqueryServer, error: RefusedError, said: str, fix: str) -> None:
    """What BigQuery says to the first request that asks for a query."""
    filled.jobs.faults.refuse = [("/jobs$", error)] * 3

    with pytest.raises(SourceUnavailableError, match=said) as refused, connect(settings_of(filled)):
        pass

    assert fix in refused.value.hint


def test_a_token_that_cannot_be_had_says_so(filled: BigqueryServer) -> None:
    """Google's login is there, and does not give one."""
    filled.jobs.faults.refuse = [("/token", RefusedError(400, "invalid_request", "Bad."))]

    with pytest.raises(SourceUnavailableError, match="gave no access token for reader@"), connect(settings_of(filled)):
        pass


def test_no_key_is_in_an_error(filled: BigqueryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither whole nor in part, in a traceback neither."""
    forged = filled.key(forged=True)
    monkeypatch.setenv("FORGED", forged)

    with (
        pytest.raises(SourceUnavailableError) as refused,
        connect(settings_of(filled, service_account_key=Secret("${FORGED}"))),
    ):
        pass

    text = "".join(traceback.format_exception(refused.value))
    secret = json.loads(forged)["private_key"].splitlines()
    assert [line for line in secret[1:-1] if line in text] == []
    assert "${FORGED}" in refused.value.hint


def test_a_key_may_be_in_base64_or_in_a_file(
    filled: BigqueryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where neither is named, the default credentials are used; all log in alike."""
    monkeypatch.setenv("BASE64", base64.b64encode(filled.key().encode()).decode())
    file = tmp_path / "key.json"
    file.write_text(filled.key())
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    ways: list[dict[str, Any]] = [
        {"service_account_key": Secret("${BASE64}")},
        {"service_account_key": None, "service_account_file": file},
        {"service_account_key": None},
    ]

    for way in ways:
        with connect(settings_of(filled, **way)) as session:
            assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


def test_two_keys_do_not_go_together() -> None:
    """The message names both."""
    with pytest.raises(ValidationError, match="only one of service_account_key and service_account_file"):
        Config.model_validate(
            {"project": "p", "service_account_key": "${KEY}", "service_account_file": "key.json", "name": "shop"}
        )


def test_a_key_is_never_written_in_the_file() -> None:
    """A literal is refused, and not repeated."""
    with pytest.raises(ValidationError) as refused:
        Config.model_validate({"project": "p", "service_account_key": '{"private_key": "planted"}'})

    assert "planted" not in str(refused.value)


def test_drive_is_asked_for_only_when_wanted(filled: BigqueryServer) -> None:
    """The scope comes with the key; sharing the spreadsheet is the owner's affair."""
    with connect(settings_of(filled)):
        assert not [scope for scope in filled.scopes if "drive" in scope]
    with connect(settings_of(filled, google_drive=True)) as session:
        assert rows(session, "SELECT 1 AS shelved") == [{"shelved": 1}]


def test_an_account_that_cannot_see_the_dataset_may_still_read_its_tables(
    filled: BigqueryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rights can be on tables alone."""
    monkeypatch.setenv("NO_DATASET", filled.key(NO_DATASET))

    with connect(settings_of(filled, service_account_key=Secret("${NO_DATASET}"))) as session:
        assert rows(session, "SELECT secret FROM planted") == [{"secret": PLANTED}]


def test_the_emulators_variable_is_honoured(filled: BigqueryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by every program of Google's library."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", filled.url)

    with connect(settings_of(filled, api_endpoint=None, dataset=EnvText(f"{PROJECT}.shop"))) as session:
        assert rows(session, "SELECT secret FROM planted") == [{"secret": PLANTED}]


def test_every_job_says_who_asks_and_what_it_may_cost(filled: BigqueryServer) -> None:
    """Label, prefix of the id, limits: what whoever looks after the project sees."""
    with connect(settings_of(filled, maximum_bytes_billed=20_000_000, query_timeout=timedelta(minutes=5))) as session:
        rows(session, "SELECT secret FROM planted")

    job = list(filled.jobs.begun.values())[-1]
    assert job.id.startswith("reverse-etl-")
    assert job.configuration["labels"] == {"app": "reverse-etl"}
    assert job.configuration["query"]["maximumBytesBilled"] == "20000000"
    assert job.configuration["query"]["useLegacySql"] is False
    assert 295_000 < int(job.configuration["jobTimeoutMs"]) <= 300_000


def test_a_query_that_would_cost_too_much_is_refused(filled: BigqueryServer) -> None:
    """Nothing is read; the message says how much it would be."""
    with (
        connect(settings_of(filled, maximum_bytes_billed=1000)) as session,
        pytest.raises(QueryError, match=r"more than maximum_bytes_billed: 10,485,760 are needed") as refused,
    ):
        rows(session, "SELECT secret FROM planted")

    assert "raise maximum_bytes_billed" in refused.value.hint


def test_nothing_but_a_select_ever_becomes_a_job(filled: BigqueryServer) -> None:
    """The dry run tells, before anything runs."""
    before = len(filled.jobs.begun)

    with connect(settings_of(filled)) as session:
        for statement in (*TestBigquery.writing, "SELEC 1", "SELECT * FROM no_such_table"):
            with pytest.raises(QueryError):
                rows(session, statement)

    assert len(filled.jobs.begun) == before


def test_a_limit_is_added_to_the_query_where_it_has_none(filled: BigqueryServer, session: Session) -> None:
    """At its end, where its ORDER BY still counts; a query with a LIMIT of its own stays as it is."""
    numbers = "SELECT id FROM UNNEST(GENERATE_ARRAY(1, 9)) AS id ORDER BY id DESC"

    assert rows(session, numbers, limit=2) == [{"id": 9}, {"id": 8}]
    assert rows(session, f"{numbers} LIMIT 5", limit=2) == [{"id": 9}, {"id": 8}]
    assert rows(session, f"{numbers} LIMIT 1", limit=2) == [{"id": 9}]
    assert rows(session, f"{numbers} LIMIT 5", limit=0) == []
    queries = [job.configuration["query"]["query"] for job in filled.jobs.begun.values()][-4:]
    assert queries == [f"{numbers}\nLIMIT 2", f"{numbers} LIMIT 5", f"{numbers} LIMIT 1", f"{numbers} LIMIT 5"]


def test_leaving_early_asks_for_no_further_page(filled: BigqueryServer, session: Session) -> None:
    """Of a hundred pages, one batch's."""
    batches = session.stream(TestBigquery.endless)
    filled.requests.clear()

    next(batches)
    batches.close()

    assert len([path for _, path in filled.requests if "/queries/" in path]) <= 3


@pytest.mark.thorough
def test_an_answer_that_breaks_off_is_asked_for_again(filled: BigqueryServer, session: Session) -> None:
    """Rows are neither lost nor doubled."""
    filled.jobs.faults.cut = 2

    found = [row["id"] for row in rows(session, TestBigquery.numbers.format(n=60_000))]

    assert found == list(range(1, 60_001))
    assert filled.jobs.faults.cut == 0


def test_an_overloaded_server_is_asked_again(filled: BigqueryServer) -> None:
    """A passing refusal is not the end of a run, while logging in neither."""
    busy = RefusedError(503, "backendError", "try again")
    filled.jobs.faults.refuse = [("/datasets/", busy), ("/queries/", busy)]

    with connect(settings_of(filled)) as session:
        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]

    assert filled.jobs.faults.refuse == []


@pytest.mark.thorough
def test_a_query_whose_beginning_was_not_answered_runs_once(filled: BigqueryServer, session: Session) -> None:
    """The request is repeated under the same name, and the query that has that name is waited for."""
    before = len(filled.jobs.begun)
    filled.jobs.faults.unanswered = 1

    assert rows(session, "SELECT 1 AS one") == [{"one": 1}]
    assert (filled.jobs.faults.unanswered, len(filled.jobs.begun)) == (0, before + 1)


@pytest.mark.thorough
def test_a_query_that_takes_too_long_is_ended_there_too(filled: BigqueryServer) -> None:
    """query_timeout is the job's own limit as well; the session goes on."""
    with connect(settings_of(filled, query_timeout=timedelta(seconds=2))) as session:
        filled.jobs.faults.hold.set()
        began = monotonic()
        with pytest.raises(QueryError, match=r"did not end within query_timeout \(2s\)"):
            rows(session, "SELECT 1 AS one")
        assert monotonic() - began < 20
        job = list(filled.jobs.begun.values())[-1]
        assert job.ended.wait(30)
        assert job.error is not None
        filled.jobs.faults.hold.clear()

        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.thorough
def test_a_server_that_falls_silent_is_given_up(filled: BigqueryServer) -> None:
    """In the middle of the rows: Google's library alone would wait for two minutes."""
    with connect(settings_of(filled, query_timeout=timedelta(seconds=4))) as session:
        batches = session.stream(TestBigquery.endless)
        next(batches)
        filled.jobs.faults.silent.set()
        began = monotonic()
        with pytest.raises(QueryError, match="did not end within query_timeout"):
            list(batches)

    assert monotonic() - began < 20


def test_an_authority_that_is_not_trusted_is_refused(filled: BigqueryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in's own authority, where nothing says that it is to be trusted."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(SourceUnavailableError, match="certificate of localhost is refused") as refused:  # noqa: SIM117
        with connect(settings_of(filled)):
            pass

    assert "REQUESTS_CA_BUNDLE" in refused.value.hint


@pytest.mark.thorough
def test_a_host_that_never_greets_is_given_up(filled: BigqueryServer) -> None:
    """The port is open and silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = EnvText(f"https://localhost:{silent.getsockname()[1]}")
        config = settings_of(filled, api_endpoint=address, query_timeout=timedelta(seconds=1))
        with pytest.raises(SourceUnavailableError, match="localhost does not answer"), connect(config):
            pass


def test_an_interrupted_wait_cancels_the_query(filled: BigqueryServer) -> None:
    """Ctrl-C leaves nothing running there."""
    filled.jobs.faults.hold.set()
    before = len(filled.jobs.begun)

    def interrupt() -> None:
        while len(filled.jobs.begun) == before:
            sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    with connect(settings_of(filled)) as session:
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            rows(session, "SELECT 1 AS one")

    job = list(filled.jobs.begun.values())[-1]
    assert job.canceled.wait(30)


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is optional; the error is the command that installs it."""
    monkeypatch.setitem(sys.modules, "google.cloud", None)

    with pytest.raises(MissingDriverError) as missing, connect(Config(name="shop", project=EnvText("p"))):
        pass

    assert missing.value.hint == 'Run: pip install "reverse-etl[bigquery]"'


def test_the_connection_is_checked_step_by_step(filled: BigqueryServer) -> None:
    """As ``test-connection`` shows it."""
    found = list(steps(settings_of(filled)))

    assert all(step.ok for step in found)
    assert {step.name for step in found} >= {"server", "read-only", "query", "driver"}
    assert found[-1].detail.startswith("google-cloud-bigquery 3.")


_DOCUMENT = Path(__file__).parents[2] / "docs" / "databases" / "bigquery.md"


def examples(kind: str) -> list[str]:
    """The fenced blocks of the documentation."""
    return re.findall(rf"```{kind}\n(.*?)```", _DOCUMENT.read_text(), flags=re.DOTALL)


def test_the_documented_connection_is_one() -> None:
    """As it stands there."""
    (example,) = examples("yaml")

    config = parse_database("shop", yaml.safe_load(example)["databases"]["shop"])

    assert isinstance(config, Config)
    assert (config.project.template, config.maximum_bytes_billed) == (PROJECT, 100_000_000_000)


def test_the_documented_statements_are_what_they_are_for(filled: BigqueryServer) -> None:
    """The query reads what changed; the others grant and create, which a session would refuse."""
    filled.database.execute("CREATE TABLE shop.customers (id INT, email TEXT, plan TEXT, created_at TIMESTAMPTZ)")
    filled.database.execute("ALTER TABLE shop.customers ADD COLUMN updated_at TIMESTAMPTZ")
    days = (date(2024, 1, 1), date(2024, 3, 1))
    for number, day in enumerate(days):
        filled.database.execute("INSERT INTO shop.customers (id, updated_at) VALUES (?, ?)", [number, str(day)])
    since = int(datetime(2024, 2, 1, tzinfo=UTC).timestamp())
    grant, query, partitioned, kept = (replaced(example, since) for example in examples("sql"))

    with connect(settings_of(filled)) as session:
        assert [row["id"] for row in rows(session, query)] == [1]
        with pytest.raises(QueryError, match="CREATE TABLE AS SELECT"):
            rows(session, partitioned)
    assert isinstance(sqlglot.parse_one(grant, read="bigquery"), sqlglot.exp.Grant)
    assert isinstance(sqlglot.parse_one(kept, read="bigquery"), sqlglot.exp.Alter)


def replaced(query: str, since: int) -> str:
    """The query with its placeholder replaced."""
    return query.replace("{{last_sync_time}}", str(since))


def test_a_nested_time_that_its_zone_moves_out_of_the_calendar_fails_its_row_alone() -> None:
    """The last hour of year 9999 in New York is in year 10000 by UTC: no JSON, as no time in a column of its own."""
    field = SchemaField("times", "DATETIME", mode="REPEATED")
    last, usual = datetime(9999, 12, 31, 23, 59), datetime(2026, 1, 1)  # noqa: DTZ001
    natural = pa.RecordBatch.from_arrays([pa.array([[last], [usual]], pa.list_(pa.timestamp("us")))], ["times"])
    batch = canonical_batch(natural, [field], timezone="America/New_York")
    assert [NOT_JSON, '["2026-01-01T05:00:00+00:00"]'] == batch.column(0).to_pylist()

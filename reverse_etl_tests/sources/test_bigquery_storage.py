"""BigQuery's Storage Read API, against a stand-in of ours: the same rows as through REST, and how faults end."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.errors import QueryError, SourceUnavailableError
from reverse_etl.sources import connect
from reverse_etl.sources._instants import values as python_values
from reverse_etl.sources.bigquery import Config
from reverse_etl_tests.servers.bigquery import NO_STORAGE, BigqueryServer
from reverse_etl_tests.sources.test_bigquery import _EXPRESSIONS, rows, settings_of

if TYPE_CHECKING:
    from reverse_etl_tests.servers.bigquery_storage import StorageServer

INSTALL = "the Storage Read API's client is missing: pip install google-cloud-bigquery-storage"
KEY = "TEST_BIGQUERY_STORAGE_KEY"
MANY = "SELECT id FROM UNNEST(GENERATE_ARRAY(1, 120000)) AS id ORDER BY id"

needs_client = pytest.mark.skipif(
    importlib.util.find_spec("google.cloud.bigquery_storage") is None and not os.environ.get("CI"), reason=INSTALL
)


@pytest.fixture(autouse=True)
def trusting(bigquery: BigqueryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-ins' authority, for both of Google's libraries, and the reader's key."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bigquery.ca_file))
    monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(bigquery.ca_file))
    monkeypatch.setenv(KEY, bigquery.key())


@pytest.fixture
def storage(bigquery: BigqueryServer) -> Iterator[StorageServer]:
    """A stand-in, empty of sessions."""
    from reverse_etl_tests.servers.bigquery_storage import storage_server

    with storage_server(bigquery) as server:
        yield server


def fast(bigquery: BigqueryServer, url: str, **changed: Any) -> Config:
    """A connection that may use the API at ``url``."""
    key = {"service_account_key": Secret(f"${{{KEY}}}"), "storage_endpoint": EnvText(url)}
    return settings_of(bigquery, **({"use_storage_api": "auto"} | key | changed))


@pytest.mark.thorough
@needs_client
def test_both_apis_give_the_same_rows(bigquery: BigqueryServer, storage: StorageServer) -> None:
    """Every type, value for value; which one was used shows in nothing but the time it took."""
    columns = ", ".join(f"{expression} AS {name}" for name, expression in _EXPRESSIONS.items())
    query = f"SELECT id, {columns} FROM UNNEST(GENERATE_ARRAY(1, 4000)) AS id ORDER BY id"

    with connect(fast(bigquery, storage.url)) as session:
        through_storage = pa.Table.from_batches(session.stream(query))
    with connect(fast(bigquery, storage.url, use_storage_api="never")) as session:
        through_rest = pa.Table.from_batches(session.stream(query))

    assert len(storage.sessions) == 1
    assert through_storage.schema.equals(through_rest.schema, check_metadata=True)
    for name in through_storage.column_names:
        kept, same = (table.column(name).combine_chunks() for table in (through_storage, through_rest))
        assert repr(python_values(kept)) == repr(python_values(same)), name


@needs_client
def test_many_rows_keep_their_order(bigquery: BigqueryServer, storage: StorageServer) -> None:
    """One stream, read to its end."""
    with connect(fast(bigquery, storage.url)) as session:
        found = [row["id"] for row in rows(session, MANY)]

    assert found == list(range(1, 120_001))
    assert len(storage.sessions) == 1


@needs_client
def test_few_rows_come_with_the_first_answer(bigquery: BigqueryServer, storage: StorageServer) -> None:
    """Opening a read session for one page would take longer, and so it would for a preview."""
    with connect(fast(bigquery, storage.url)) as session:
        rows(session, "SELECT 1 AS one")
        rows(session, MANY, limit=5)

    assert storage.sessions == []


@pytest.mark.thorough
@needs_client
def test_an_account_that_may_not_use_it_reads_through_rest(
    bigquery: BigqueryServer, storage: StorageServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And one warning a session names the role that would change it."""
    monkeypatch.setenv("NO_STORAGE", bigquery.key(NO_STORAGE))

    with connect(fast(bigquery, storage.url, service_account_key=Secret("${NO_STORAGE}"))) as session:
        assert len(rows(session, MANY)) == 120_000
        assert len(rows(session, MANY)) == 120_000

    (notice,) = caplog.messages
    assert f"{NO_STORAGE} may not use the Storage Read API" in notice
    assert "roles/bigquery.readSessionUser" in notice


@pytest.mark.thorough
@needs_client
def test_always_means_always(bigquery: BigqueryServer, storage: StorageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the slow way would take too long to be of use."""
    monkeypatch.setenv("NO_STORAGE", bigquery.key(NO_STORAGE))
    config = fast(bigquery, storage.url, use_storage_api="always", service_account_key=Secret("${NO_STORAGE}"))

    with connect(config) as session, pytest.raises(QueryError, match="use_storage_api is always") as refused:
        rows(session, MANY)

    assert "roles/bigquery.readSessionUser" in refused.value.hint


@pytest.mark.thorough
@needs_client
def test_where_it_does_not_answer_rest_does(bigquery: BigqueryServer, caplog: pytest.LogCaptureFixture) -> None:
    """A firewall may let HTTPS through, and gRPC not."""
    with connect(fast(bigquery, "https://localhost:1", query_timeout=timedelta(minutes=2))) as session:
        assert len(rows(session, MANY)) == 120_000

    assert "the Storage Read API does not answer" in caplog.text


@needs_client
def test_leaving_early_ends_the_stream(bigquery: BigqueryServer, storage: StorageServer) -> None:
    """On the server as well."""
    with connect(fast(bigquery, storage.url)) as session:
        batches = session.stream("SELECT REPEAT('x', 1000) AS t FROM UNNEST(GENERATE_ARRAY(1, 120000)) AS id")
        next(batches)
        batches.close()

        assert storage.stopped.wait(30)
        assert storage.batches < 75
        assert rows(session, "SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.thorough
@needs_client
def test_a_stream_that_falls_silent_is_given_up(bigquery: BigqueryServer, storage: StorageServer) -> None:
    """By this side's clock."""
    storage.silent.set()
    began = monotonic()

    with (
        connect(fast(bigquery, storage.url, query_timeout=timedelta(seconds=3))) as session,
        pytest.raises(QueryError, match="did not end within query_timeout"),
    ):
        rows(session, "SELECT REPEAT('x', 1000) AS t FROM UNNEST(GENERATE_ARRAY(1, 110000)) AS id")

    assert monotonic() - began < 20


@needs_client
def test_a_stream_that_breaks_is_an_error(bigquery: BigqueryServer, storage: StorageServer) -> None:
    """Half of the rows are no result."""
    storage.broken.set()

    with (
        connect(fast(bigquery, storage.url)) as session,
        pytest.raises(SourceUnavailableError, match="passing problem"),
    ):
        rows(session, "SELECT REPEAT('x', 1000) AS t FROM UNNEST(GENERATE_ARRAY(1, 110000)) AS id")


@pytest.mark.thorough
def test_where_it_is_not_installed_rest_does(
    bigquery: BigqueryServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client is a package of its own."""
    monkeypatch.setattr("google.cloud.bigquery_storage", None, raising=False)
    monkeypatch.delattr("google.cloud.bigquery_storage")
    monkeypatch.setitem(sys.modules, "google.cloud.bigquery_storage", None)

    with caplog.at_level(logging.WARNING), connect(fast(bigquery, "https://localhost:1")) as session:
        assert len(rows(session, MANY)) == 120_000

    (notice,) = caplog.messages
    assert "google-cloud-bigquery-storage is not installed" in notice


@pytest.mark.thorough
def test_another_address_of_the_rest_api_needs_one_of_this(
    bigquery: BigqueryServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows must not come from Google where the queries run elsewhere."""
    with connect(fast(bigquery, "https://unused", storage_endpoint=None)) as session:
        assert len(rows(session, MANY)) == 120_000

    assert "Set `storage_endpoint`" in caplog.text

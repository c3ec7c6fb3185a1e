"""A read-only BigQuery session: each query is analyzed before it runs, then its rows are fetched in pages.

BigQuery has no session that refuses writes. It reports of a statement, in a dry run that costs nothing, whether it is a
SELECT; nothing else is run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import uuid4

from google.api_core import exceptions as api
from google.api_core.retry import Retry, if_exception_type
from google.cloud.bigquery import DatasetReference, QueryJobConfig
from google.cloud.bigquery.retry import DEFAULT_JOB_RETRY, DEFAULT_RETRY

from reverse_etl.config.sql_text import one_statement
from reverse_etl.errors import QueryError
from reverse_etl.sources.base import BATCH_ROWS, refuse_duplicates
from reverse_etl.sources.bigquery.dialect import DIALECT
from reverse_etl.sources.bigquery.failures import FAILURES
from reverse_etl.sources.bigquery.login import CONNECT_S
from reverse_etl.sources.bigquery.rest import CELLS, page_batch
from reverse_etl.sources.bigquery.storage import StorageRows
from reverse_etl.sources.bigquery.types import canonical_batch, regrouped

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud.bigquery import QueryJob, SchemaField
    from google.cloud.bigquery.table import RowIterator

    from reverse_etl.sources.bigquery import Config
    from reverse_etl.sources.bigquery.login import Login
    from reverse_etl.sources.powers import ChangeLog

LABELS: Final = {"app": "reverse-etl"}
"""On every job, for readers of the project's costs. Labels have no upper case and no dots."""

_PATIENCE_S: Final = 60.0
"""How long a request that fails for a passing reason is repeated."""

_ON_ITS_WAY_S: Final = 2.0
"""How long a query may be on its way to the service when it is to be canceled."""

_LONGEST_S: Final = 6 * 3600.0
"""BigQuery ends every query after six hours. Source: cloud.google.com/bigquery/quotas, read 2026-11."""

_WRITING: Final = "CREATE SCHEMA reverse_etl_is_read_only"
_OVERLOADED: Final = (api.TooManyRequests, api.InternalServerError, api.BadGateway, api.ServiceUnavailable)

_log = logging.getLogger(__name__)


class BigquerySession:
    """See ``base.Session``."""

    def __init__(self, login: Login, config: Config) -> None:
        self._login = login
        self._messages = login.messages
        self._timezone = config.timezone
        self._storage = config.use_storage_api
        self._bytes = config.maximum_bytes_billed
        self._longest_s = min(config.query_timeout.total_seconds(), _LONGEST_S)
        self._location = login.client.location
        self._dataset: DatasetReference | None = None
        if config.dataset is not None:
            project, _, dataset = config.dataset.resolve().rpartition(".")
            self._dataset = DatasetReference(project or login.messages.project, dataset)

    def check(self) -> None:
        """Makes sure that the account may run queries here, and finds out where.

        Raises:
            SourceUnavailableError: It may not, or there is no such dataset.
        """
        retry = Retry(predicate=if_exception_type(*_OVERLOADED), timeout=CONNECT_S)
        seconds = min(self._longest_s, 2 * CONNECT_S)
        try:
            with self._login.http.within(seconds):
                if self._dataset is not None:
                    # An account may read tables of a dataset without seeing the dataset itself.
                    with suppress(api.Forbidden):
                        dataset = self._login.client.get_dataset(self._dataset, retry=retry, timeout=seconds)
                        self._location = self._location or dataset.location
                job = self._login.client.query(
                    "SELECT 1",
                    self._job_config(dry_run=True),
                    location=self._location,
                    retry=retry,
                    timeout=seconds,
                    job_retry=None,
                )
        except FAILURES as error:
            raise self._messages.login(error) from None
        self._location = self._location or job.location

    def now(self) -> datetime:
        (batch,) = self.stream("SELECT CURRENT_TIMESTAMP() AS now")
        now: datetime = batch.column(0)[0].as_py()
        return now.astimezone(UTC)

    def log(self, name: str, tables: Mapping[str, str]) -> ChangeLog:  # noqa: ARG002 - nothing is made for us
        from reverse_etl.sources._sql_log import SqlLog
        from reverse_etl.sources.bigquery.log import Changes

        dataset = f"{self._dataset.project}.{self._dataset.dataset_id}" if self._dataset else ""
        return SqlLog(tables, Changes(self._messages.project, dataset), self.stream)

    def server(self) -> str:
        return f"BigQuery API 2, location {self._location}"

    def read_only(self) -> bool:
        try:
            self._analyze(_WRITING, time.monotonic() + self._longest_s)
        except QueryError:
            return True
        return False

    def stream(self, sql: str, *, limit: int | None = None) -> Generator[pa.RecordBatch, None, None]:
        end = time.monotonic() + self._longest_s
        query = one_statement(sql, DIALECT)
        if not query:
            raise QueryError(f"{self._messages.where}: the query has no statement.", hint="Write one SELECT.")
        schema = self._analyze(query, end)
        refuse_duplicates([field.name for field in schema], self._messages.where)
        if limit is not None:
            query = self._limited(query, limit, end)
        empty = True
        with closing(self._natural(query, schema, limit, end)) as batches:
            for batch in regrouped(batches):
                yield canonical_batch(batch, schema, timezone=self._timezone)
                empty = False
        if empty:
            yield canonical_batch(page_batch([], schema), schema, timezone=self._timezone)

    def close(self) -> None:
        """Closes the connections."""
        self._login.client.close()  # type: ignore[no-untyped-call]

    def _analyze(self, query: str, end: float) -> list[SchemaField]:
        """The columns of a query that is a SELECT, without running it."""
        try:
            with self._login.http.within(self._left_s(end)):
                job = self._login.client.query(
                    query,
                    self._job_config(dry_run=True),
                    location=self._location,
                    retry=self._retry(end),
                    job_retry=None,
                )
        except FAILURES as error:
            if self._late(end):
                raise self._messages.failed(error, late=True) from None
            raise self._messages.analyzed(error) from None
        if job.statement_type != "SELECT":
            raise self._messages.writes(job.statement_type or "")
        return list(job.schema or [])

    def _limited(self, query: str, limit: int, end: float) -> str:
        """The query with a LIMIT, where it has none yet; that keeps its ORDER BY, which a subquery would not."""
        limited = f"{query}\nLIMIT {limit:d}"
        try:
            self._analyze(limited, end)
        except QueryError:
            return query
        return limited

    def _natural(
        self, query: str, schema: list[SchemaField], limit: int | None, end: float
    ) -> Generator[pa.RecordBatch, None, None]:
        """Runs the query and gives its rows as either API does."""
        page_rows = max(1, min(BATCH_ROWS, CELLS // max(1, len(schema)), BATCH_ROWS if limit is None else limit))
        job, rows = self._result(query, page_rows, end)
        if limit is None and (rows.total_rows or 0) > page_rows and self._storage != "never":
            storage = self._storage_rows(job, end)
            if storage is not None:
                with closing(storage):
                    yield from self._until(storage.batches(lambda: self._left_s(end)), end)
                return
        wanted = rows.total_rows or 0 if limit is None else limit
        for page in self._until(rows.pages, end):
            batch = page_batch(page.raw_page.get("rows", ()), schema)
            yield batch.slice(0, wanted)
            wanted -= batch.num_rows
            if wanted <= 0:
                return

    def _result(self, query: str, page_rows: int, end: float) -> tuple[QueryJob, RowIterator]:
        """Waits for the query; whatever ends the waiting early ends the query too, also one still being sent."""
        name = ""

        def attempt() -> tuple[QueryJob, Any]:
            nonlocal name
            name = f"reverse-etl-{uuid4()}"
            try:
                job = self._begun(query, name, end)
            except api.ClientError:
                name = ""  # Refused: there is nothing to cancel.
                raise
            retry, left_s = self._retry(end), self._left_s(end)
            return job, job.result(page_size=page_rows, retry=retry, timeout=left_s, job_retry=None)

        again = DEFAULT_JOB_RETRY.with_timeout(min(_PATIENCE_S, self._left_s(end)))
        try:
            with self._failing(end), self._login.http.within(self._left_s(end)):
                result: tuple[QueryJob, RowIterator] = again(attempt)()
                name = ""
                return result
        finally:
            if name:
                self._cancel(name)

    def _begun(self, query: str, name: str, end: float) -> QueryJob:
        """Begins the query under a name of ours; the client's own names are known only once it has answered."""
        client, retry = self._login.client, self._retry(end)
        config = self._job_config(timeout_s=self._left_s(end))
        try:
            return client.query(query, config, job_id=name, location=self._location, retry=retry, job_retry=None)
        except api.Conflict:
            # It had begun, but the answer was lost and the request repeated.
            job = client.get_job(name, location=self._location, retry=retry, timeout=self._left_s(end))
            return cast("QueryJob", job)

    def _cancel(self, name: str) -> None:
        # A query that is still on its way is not known there at once.
        retry = Retry(predicate=if_exception_type(api.NotFound), initial=0.1, maximum=0.5, timeout=_ON_ITS_WAY_S)
        # The query is lost already; that it cannot be canceled either is nothing new.
        with suppress(*FAILURES), self._login.http.within(CONNECT_S):
            self._login.client.cancel_job(name, location=self._location, retry=retry, timeout=CONNECT_S)

    def _storage_rows(self, job: QueryJob, end: float) -> StorageRows | None:
        """The result, opened in the Storage Read API; None where REST must do, with a warning."""
        if self._login.storage_endpoint is None:
            reason, hint = "the REST API is at another address", "Set `storage_endpoint`."
        else:
            try:
                return StorageRows(self._login, job.destination, seconds=self._left_s(end))
            except ImportError:
                reason, hint = "google-cloud-bigquery-storage is not installed", 'pip install "reverse-etl[bigquery]"'
            except api.Forbidden:
                reason = f"{self._messages.account} may not use the Storage Read API"
                hint = "Grant it the role BigQuery Read Session User (roles/bigquery.readSessionUser)."
            except FAILURES as error:
                reason, hint = f"the Storage Read API does not answer ({type(error).__name__})", "Check the firewalls."
        if self._storage == "always":
            raise QueryError(f"{self._messages.where}: {reason}, and use_storage_api is always.", hint=hint)
        _log.warning("%s: rows are fetched through REST, which is slower: %s. %s", self._messages.where, reason, hint)
        self._storage = "never"
        return None

    def _until(self, pages: Iterator[Any], end: float) -> Iterator[Any]:
        """Each page as it comes, until the time is up."""
        while True:
            with self._failing(end), self._login.http.within(self._left_s(end)):
                page = next(pages, None)
            if page is None:
                return
            yield page
            if time.monotonic() >= end:
                raise self._messages.timed_out()

    @contextmanager
    def _failing(self, end: float) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            raise self._messages.failed(error, late=self._late(end)) from None

    def _late(self, end: float) -> bool:
        return end - time.monotonic() <= self._longest_s * 0.05

    def _left_s(self, end: float) -> float:
        return max(0.05, end - time.monotonic())

    def _retry(self, end: float) -> Retry:
        retry: Retry = DEFAULT_RETRY.with_timeout(min(_PATIENCE_S, self._left_s(end)))
        return retry

    def _job_config(self, *, dry_run: bool = False, timeout_s: float | None = None) -> QueryJobConfig:
        config = QueryJobConfig(labels=LABELS, use_legacy_sql=False)
        if self._dataset is not None:
            config.default_dataset = self._dataset
        if self._bytes is not None:
            config.maximum_bytes_billed = self._bytes
        if dry_run:
            config.dry_run = True
            config.use_query_cache = False
        if timeout_s is not None:
            config.job_timeout_ms = max(1, round(timeout_s * 1000))
        return config

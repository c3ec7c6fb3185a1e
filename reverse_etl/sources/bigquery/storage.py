"""Rows through the Storage Read API: Arrow as it is, some ten times faster than REST, for accounts that may.

When it is used, and what happens where it cannot be, is decided in ``session``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from google.api_core.exceptions import ServiceUnavailable
from google.api_core.retry import Retry, if_exception_type

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud.bigquery import TableReference

    from reverse_etl.sources.bigquery.login import Login

_OPEN_S: Final = 15.0
"""How long the API may take to open a result: where a firewall lets only REST through, it never does."""

_AGAIN_S: Final = 3.0
"""How long it is asked again when it reports that it is unavailable."""

_LZ4: Final = 1
_ARROW: Final = 2
"""Source: cloud.google.com/bigquery/docs/reference/storage/rpc, CompressionCodec and DataFormat."""


class StorageRows:
    """The rows of a query's result, opened for reading once, in order."""

    def __init__(self, login: Login, table: TableReference, *, seconds: float) -> None:
        """Opens the result.

        Args:
            login: The account.
            table: Where BigQuery keeps the result.
            seconds: How long that may take at most.

        Raises:
            ImportError: google-cloud-bigquery-storage is not installed.
            GoogleAPICallError: The account may not use the API, or it does not answer.
        """
        from google.cloud import bigquery_storage  # type: ignore[attr-defined,unused-ignore]

        options = {"api_endpoint": login.storage_endpoint} if login.storage_endpoint else None
        self._client: Any = bigquery_storage.BigQueryReadClient(credentials=login.credentials, client_options=options)
        seconds = min(seconds, _OPEN_S)
        try:
            self._session = self._client.create_read_session(
                parent=f"projects/{login.messages.project}",
                read_session={
                    "table": table.to_bqstorage(),
                    "data_format": _ARROW,
                    "read_options": {"arrow_serialization_options": {"buffer_compression": _LZ4}},
                },
                # Several streams would be faster still, but only one keeps the order of the rows.
                max_stream_count=1,
                retry=_retry(seconds),
                timeout=seconds,
            )
        except BaseException:
            self.close()
            raise

    def batches(self, left_s: Callable[[], float]) -> Iterator[pa.RecordBatch]:
        """The rows, in the server's batches of a few megabytes.

        Args:
            left_s: How many seconds are left; asked whenever the server is.

        Raises:
            GoogleAPICallError: The API broke off, or the time is up.
        """
        for stream in self._session.streams:
            seconds = left_s()
            rows = self._client.read_rows(stream.name, retry=_retry(seconds), timeout=seconds).rows(self._session)
            for page in rows.pages:
                yield page.to_arrow()

    def close(self) -> None:
        """Ends the reading, wherever it is, and the connection."""
        self._client.transport.close()


def _retry(seconds: float) -> Retry:
    return Retry(predicate=if_exception_type(ServiceUnavailable), timeout=min(seconds, _AGAIN_S))

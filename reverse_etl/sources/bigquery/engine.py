"""BigQuery, through google-cloud-bigquery: which project is read, as whom, and how much it may cost.

Logging in is ``login``, queries run in ``session``. TLS is verified by Google's library itself,
always: there is no key for it. A company's own authority, for a proxy that opens TLS, goes into REQUESTS_CA_BUNDLE.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from reverse_etl.config.connections import Address, DatabaseConfig, PathBesideFile
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.intervals import Interval
from reverse_etl.errors import MissingDriverError

if TYPE_CHECKING:
    from reverse_etl.sources.base import Session

LAST_SYNC_TIME: Final = "TIMESTAMP_SECONDS({{last_sync_time}})"
COLUMNS: Final = (
    "SELECT '' AS s, table_name, column_name, data_type FROM `{dataset}`.INFORMATION_SCHEMA.COLUMNS "
    "ORDER BY table_name, ordinal_position"
)
DRIVER: Final = "google-cloud-bigquery"

_KEYS: Final = ("service_account_key", "service_account_file")


class Config(DatabaseConfig):
    """A project whose queries are billed to it, and the account that runs them.

    Attributes:
        dataset: Where table names without a dataset are looked up; ``dataset`` or ``project.dataset``.
        location: Where queries run; BigQuery finds it by the tables when None.
        google_drive: Whether the account also asks to read Google Drive, for tables that are spreadsheets.
        maximum_bytes_billed: A query that would read more is refused before it costs anything.
        query_timeout: A query that takes longer is ended, reading its rows included.
        use_storage_api: ``auto`` takes rows through the Storage Read API where the account may, else through REST.
        api_endpoint: Another address of the REST API, such as a Private Service Connect endpoint.
        storage_endpoint: Likewise of the Storage Read API.
    """

    type: Literal["bigquery"] = Field(default="bigquery", description="The engine.")
    project: EnvText = Field(description="The project that queries run in and are billed to; ${NAME} is replaced.")
    dataset: EnvText | None = Field(default=None, description="Where table names without a dataset are looked up.")
    location: EnvText | None = Field(default=None, description="EU, US, europe-west1 ...; detected when left out.")
    service_account_key: Secret | None = Field(
        default=None, description="${NAME}: the environment variable that holds the key, the whole JSON."
    )
    service_account_file: PathBesideFile | None = Field(
        default=None, description="The key as a file, relative to this file. Without key and file: default credentials."
    )
    google_drive: bool = Field(
        default=False, description="Also request access to Google Drive, for spreadsheets as tables."
    )
    maximum_bytes_billed: int | None = Field(default=None, gt=0, description="A query that would read more is refused.")
    query_timeout: Interval = Field(default=timedelta(hours=1), description="A query that takes longer is ended.")
    use_storage_api: Literal["auto", "always", "never"] = Field(
        default="auto", description="How many rows are fetched: auto falls back to REST where the account may not."
    )
    api_endpoint: Address | None = Field(default=None, description="Another address of the REST API.")
    storage_endpoint: Address | None = Field(default=None, description="Another address of the Storage Read API.")

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """One way to log in."""
        if all(given.get(key) is not None for key in _KEYS):
            yield _KEYS[1], f"only one of {_KEYS[0]} and {_KEYS[1]} can be used"


@contextmanager
def connect(config: Config, *, name: str) -> Iterator[Session]:
    """Logs in and makes sure that the account may run queries; that costs nothing.

    Raises:
        SourceUnavailableError: BigQuery cannot be reached or verified, or refuses the account, project or dataset.
        UnsetVariableError: A value comes from an environment variable that is not set.
        MissingDriverError: google-cloud-bigquery is not installed.
    """
    where = f"database {name} (bigquery)"
    try:
        from google.cloud import bigquery  # noqa: F401 - apart from what else may fail to import
    except ImportError as error:
        raise MissingDriverError(
            f"{where}: the driver google-cloud-bigquery is not installed.",
            hint='Run: pip install "reverse-etl[bigquery]"',
        ) from error
    from reverse_etl.sources.bigquery.login import log_in
    from reverse_etl.sources.bigquery.session import BigquerySession

    login = log_in(config, where)
    with closing(BigquerySession(login, config)) as session:
        session.check()
        yield session

"""A BigQuery connection as dagster-gcp's resource, for assets of a user's project that expect one.

The syncs do not use it: they read through ``sources.bigquery``, which only reads. Its client does whatever its account
may.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from dagster_gcp import BigQueryResource
from google.cloud import bigquery
from pydantic import Field

from reverse_etl.defs.resources import SYNCS, DatabaseResource
from reverse_etl.errors import ConfigError
from reverse_etl.sources.bigquery import Config
from reverse_etl.sources.bigquery.login import log_in


class BigQueryConnection(BigQueryResource):
    """dagster-gcp's resource with project, location and credentials of an entry of ``connections.yaml``.

    ``BigQueryConnection(name="shop", syncs="syncs")`` is the entry ``shop`` of ``syncs/connections.yaml``. The key
    stays in memory; the inherited ``project``, ``location`` and ``gcp_credentials`` are not used.
    """

    name: str = Field(description="The connection's name, also in errors.")
    syncs: str = Field(default="syncs", description=SYNCS)

    @contextmanager
    def get_client(self) -> Iterator[bigquery.Client]:
        """A client of Google's library, closed when the context is left.

        Raises:
            ConfigError: There is no such connection, or it is none to BigQuery.
            SourceUnavailableError: The credentials cannot be used.
        """
        config = DatabaseResource(name=self.name, syncs=self.syncs).config
        if not isinstance(config, Config):
            raise ConfigError(
                f"database {self.name} is a {config.type} connection, not one to BigQuery.",
                hint="Use DatabaseResource, which reads every engine.",
            )
        with closing(log_in(config, f"database {self.name} (bigquery)").client) as client:
            yield client

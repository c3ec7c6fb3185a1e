"""A BigQuery connection as dagster-gcp's resource."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest

from reverse_etl.defs.bigquery import BigQueryConnection
from reverse_etl.errors import ConfigError
from reverse_etl_tests.servers.bigquery import PROJECT, BigqueryServer, bigquery

__all__ = ["bigquery"]


def write_connections(folder: Path, url: str) -> None:
    """A connection to the stand-in, and one to SQLite."""
    (folder / "connections.yaml").write_text(
        f"databases:\n"
        f"  shop: {{type: bigquery, project: {PROJECT}, location: EU, service_account_key: '${{KEY}}', "
        f"api_endpoint: '{url}'}}\n"
        f"  local: {{type: sqlite, path: shop.db}}\n"
    )


def test_an_asset_uses_the_client_of_a_connection(
    bigquery: BigqueryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the key in memory only: no file, and no variable of the environment for others to find."""
    write_connections(tmp_path, bigquery.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bigquery.ca_file))
    monkeypatch.setenv("KEY", bigquery.key())
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    seen = []

    @dg.asset
    def counted(warehouse: BigQueryConnection) -> None:
        with warehouse.get_client() as client:
            seen.append((client.project, client.location, next(iter(client.query("SELECT 7 AS n").result()))["n"]))
        assert "GOOGLE_APPLICATION_CREDENTIALS" not in os.environ

    resources = {"warehouse": BigQueryConnection(name="shop", syncs=str(tmp_path))}
    assert dg.materialize([counted], resources=resources).success
    assert seen == [(PROJECT, "EU", 7)]


def test_a_connection_to_something_else_is_refused(bigquery: BigqueryServer, tmp_path: Path) -> None:
    """By its name and type."""
    write_connections(tmp_path, bigquery.url)
    resource = BigQueryConnection(name="local", syncs=str(tmp_path))

    with pytest.raises(ConfigError, match="local is a sqlite connection"), resource.get_client():
        pass

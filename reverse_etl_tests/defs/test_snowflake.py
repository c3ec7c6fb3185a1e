"""A Snowflake connection as dagster-snowflake's resource."""

import importlib
import warnings
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import PydanticDeprecatedSince20

from reverse_etl.errors import ConfigError
from reverse_etl_tests.servers.snowflake import PASSWORD_VARIABLE, USER, SnowflakeServer, snowflake

__all__ = ["snowflake"]


@pytest.fixture(scope="module")
def connection_class() -> Any:
    """The class SnowflakeConnection: its import takes seconds, which only this module's tests are to spend."""
    with warnings.catch_warnings():
        # dagster-snowflake 0.29 defines a field in a way that pydantic is going to give up.
        warnings.simplefilter("ignore", PydanticDeprecatedSince20)
        return importlib.import_module("reverse_etl.defs.snowflake").SnowflakeConnection


def write_connections(folder: Path, port: int) -> None:
    """A connection to the stand-in, and one to SQLite."""
    (folder / "connections.yaml").write_text(
        f"databases:\n"
        f"  shop: {{type: snowflake, account: acme-shop, user: {USER}, password: '${{{PASSWORD_VARIABLE}}}', "
        f"role: SYNC_READER, warehouse: SYNC_WH, host: localhost, port: {port}, protocol: http}}\n"
        f"  local: {{type: sqlite, path: shop.db}}\n"
    )


@pytest.mark.thorough
def test_an_asset_uses_the_session_of_a_connection(
    connection_class: Any, snowflake: SnowflakeServer, tmp_path: Path
) -> None:
    """As it would use dagster-snowflake's own; the session ends with the asset."""
    write_connections(tmp_path, snowflake.port)
    snowflake.behave()
    seen: list[Any] = []

    @dg.asset(required_resource_keys={"warehouse"})
    def counted(context: dg.AssetExecutionContext) -> None:
        with context.resources.warehouse.get_connection() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT CURRENT_ROLE(), 7")
            seen.extend(cursor.fetchall())

    resources = {"warehouse": connection_class(name="shop", syncs=str(tmp_path))}
    assert dg.materialize([counted], resources=resources).success
    assert seen == [("SYNC_READER", 7)]
    assert snowflake.seen()["sessions"] == 0


def test_a_connection_to_something_else_is_refused(connection_class: Any, tmp_path: Path) -> None:
    """By its name and type."""
    write_connections(tmp_path, 1)
    resource = connection_class(name="local", syncs=str(tmp_path))

    with pytest.raises(ConfigError, match="local is a sqlite connection"), resource.get_connection():
        pass

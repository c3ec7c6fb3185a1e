"""What ``test-connection`` does with a PostgreSQL destination."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.postgres.connection import Link
from reverse_etl.errors import DestinationError
from reverse_etl.report import Step

if TYPE_CHECKING:
    from reverse_etl.destinations.postgres.config import Config


def steps(config: Config) -> Iterator[Step]:
    """Connects, logs in, and finds the schema; the first step that fails is the last."""
    yield asyncio.run(_connected(config))


async def _connected(config: Config) -> Step:
    link = Link(config, config.label)
    try:
        found = await link.connected()
        if isinstance(found, TryAgain):
            return Step("connection", False, found.cause, found.hint)
        version = found.info.server_version
        row = await (await found.execute("SELECT to_regnamespace(quote_ident(%s))", [config.schema_name])).fetchone()
        if row is None or row[0] is None:
            hint = "Check `schema` of the destination in connections.yaml, and USAGE on it."
            return Step("schema", False, f"there is no schema {config.schema_name}.", hint)
        return Step("connection", True, f"PostgreSQL {version // 10_000}.{version % 10_000} as user {link.user}")
    except DestinationError as error:
        return Step("connection", False, error.message, error.hint)
    finally:
        await link.close()

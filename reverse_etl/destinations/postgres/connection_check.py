"""What ``test-connection`` does with a PostgreSQL destination, up to where a table is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import psycopg

from reverse_etl.destinations._sql import connection_check as shared
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.postgres.connection import Link
from reverse_etl.errors import DestinationError
from reverse_etl.report import Step
from reverse_etl.sources.postgres.errors import condition

if TYPE_CHECKING:
    from reverse_etl.destinations.postgres.config import Config

_FACTS: Final = """
SELECT pg_is_in_recovery(), EXISTS (SELECT FROM pg_namespace WHERE nspname = %(schema)s),
  coalesce((SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = %(schema)s), false),
  has_database_privilege(current_database(), 'TEMPORARY')
"""


def steps(config: Config) -> Iterator[Step]:
    """Connects, logs in, and looks at the schema."""
    return shared.steps(config, lambda: asyncio.run(_logged_in(config)))


async def _logged_in(config: Config) -> list[Step]:
    link = Link(config)
    try:
        connection = await link.connected()
        if isinstance(connection, TryAgain):
            return [Step("log in", False, connection.cause, connection.hint)]
        version = connection.info.server_version
        done = [
            Step("log in", True, f"user {link.user}, database {connection.info.dbname}"),
            Step("server", True, f"PostgreSQL {version // 10_000}.{version % 10_000}"),
        ]
        cursor = await connection.execute(_FACTS, {"schema": config.schema_name})
        return [*done, *_rights(await cursor.fetchone() or (False,) * 4, config, link.user)]
    except DestinationError as error:
        return [Step("log in", False, error.message, error.hint)]
    except psycopg.Error as error:
        detail = f"The catalogue cannot be read: {condition(error.sqlstate or '')} ({error.sqlstate})."
        return [Step("schema", False, detail, "Ask for a user who may read pg_catalog, as every user may by default.")]
    finally:
        await link.close()


def _rights(facts: tuple[bool, ...], config: Config, user: str) -> Iterator[Step]:
    read_only, exists, usage, temporary = facts
    schema, database = config.schema_name, config.database.resolve()
    if read_only:
        yield Step("writes", False, "The server only reads: it is a standby.", "Name the primary server as `host`.")
    elif not exists:
        yield Step("schema", False, f"There is no schema {schema}.", "Check `schema` and `database`.")
    elif not usage:
        hint = f'Ask for: GRANT USAGE ON SCHEMA "{schema}" TO "{user}".'
        yield Step("schema", False, f"User {user} may not look into schema {schema}.", hint)
    elif not temporary:
        hint = f'Ask for: GRANT TEMPORARY ON DATABASE "{database}" TO "{user}".'
        yield Step("temporary tables", False, f"User {user} may not make temporary tables.", hint)
    else:
        yield Step("schema", True, schema)
        yield Step("temporary tables", True, "allowed")

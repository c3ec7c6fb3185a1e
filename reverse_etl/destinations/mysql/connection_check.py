"""What ``test-connection`` does with a MySQL destination, up to where a table is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from reverse_etl.destinations._sql import connection_check as shared
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.mysql import failures
from reverse_etl.destinations.mysql.catalogue import quoted
from reverse_etl.destinations.mysql.connection import Link, Session
from reverse_etl.destinations.mysql.statements import DROP_STAGE, STAGE
from reverse_etl.errors import DestinationError
from reverse_etl.report import Step
from reverse_etl.sources.mysql.wire import Refused

if TYPE_CHECKING:
    from reverse_etl.destinations.mysql.config import Config

_MAKE: Final = f"CREATE TEMPORARY TABLE {STAGE} (place INT) ENGINE = InnoDB"


def steps(config: Config) -> Iterator[Step]:
    """Connects, logs in, and makes a temporary table."""
    return shared.steps(config, lambda: asyncio.run(_logged_in(config)))


async def _logged_in(config: Config) -> list[Step]:
    link = Link(config)
    try:
        session = await link.connected()
        if isinstance(session, TryAgain):
            return [Step("log in", False, session.cause, session.hint)]
        product = "MariaDB" if session.is_mariadb else "MySQL"
        done = [
            Step("log in", True, f"user {session.user}, database {config.database.resolve()}"),
            Step("server", True, f"{product} {'.'.join(map(str, session.number))}"),
        ]
        if session.read_only:
            hint = "Name the primary server as `host`."
            return [*done, Step("writes", False, "The server only reads: it is a replica.", hint)]
        return [*done, await link.run(lambda it: _temporary(it, config))]
    except DestinationError as error:
        return [Step("log in", False, error.message, error.hint)]
    finally:
        await link.close()


def _temporary(session: Session, config: Config) -> Step:
    name = "temporary tables"
    try:
        session.run(DROP_STAGE)
        session.run(_MAKE)
        session.run(DROP_STAGE)
    except Refused as refused:
        if not failures.denied(refused):
            return Step(
                name, False, f"The server refuses one (error {refused.code}).", "Ask the server's administrator."
            )
        grant = f"GRANT CREATE TEMPORARY TABLES ON {quoted(config.database.resolve())}.* TO {session.user}"
        return Step(name, False, f"User {session.user} may not make temporary tables.", f"Ask for: {grant}.")
    return Step(name, True, "allowed")

"""What ``test-connection`` does with a ClickHouse destination, up to where a table is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from reverse_etl.destinations._sql import connection_check as shared
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.clickhouse.connection import Link
from reverse_etl.destinations.clickhouse.session import Refused, Session
from reverse_etl.errors import DestinationError
from reverse_etl.report import Step

if TYPE_CHECKING:
    from reverse_etl.destinations.clickhouse.config import Config

_READ_ONLY: Final = "SELECT value FROM system.settings WHERE name = 'readonly'"


def steps(config: Config) -> Iterator[Step]:
    """Connects, logs in, and asks whether the user may write at all."""
    return shared.steps(config, lambda: asyncio.run(_logged_in(config)))


async def _logged_in(config: Config) -> list[Step]:
    link = Link(config)
    try:
        session = await link.connected()
        if isinstance(session, TryAgain):
            return [Step("log in", False, session.cause, session.hint)]
        done = [
            Step("log in", True, f"user {link.user}, database {config.database.resolve()}"),
            Step("server", True, f"ClickHouse {session.version}"),
        ]
        return [*done, await link.run(_writes)]
    except Refused as refused:
        return [
            Step("writes", False, f"The server refuses a question (error {refused.code}).", "Try again in a minute.")
        ]
    except DestinationError as error:
        return [Step("log in", False, error.message, error.hint)]
    finally:
        await link.close()


def _writes(session: Session) -> Step:
    found = session.rows(_READ_ONLY)
    if found and found[0][0] != "0":
        hint = "Ask for a user whose profile has readonly = 0."
        return Step("writes", False, "The user may only read (profile with readonly).", hint)
    return Step("writes", True, "allowed by the user's profile")

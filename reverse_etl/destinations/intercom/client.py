"""HTTP to one workspace: what every call has, and the answers that are about no row.

Source: Intercom's REST API description, version 2.15, and its page on rate limits, 2026-08.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from reverse_etl.destinations._http.connection import connection_to
from reverse_etl.destinations._http.reply import Reply, try_again
from reverse_etl.destinations.base import TryAgain
from reverse_etl.errors import DestinationRefusedError, UnauthorizedError
from reverse_etl.pacing.rate_limit import Clock, RateLimit

if TYPE_CHECKING:
    from reverse_etl.destinations._http.connection import Address, Connection
    from reverse_etl.destinations.intercom.config import Config
    from reverse_etl.pacing.retry import Patience

VERSION: Final = "2.15"

_WINDOW_S: Final = 10.0
"""Calls are counted in windows of this length."""

_BURST_S: Final = 0.1


@asynccontextmanager
async def opened(config: Config, clock: Clock) -> AsyncIterator[Client]:
    """The workspace; nothing is asked yet. Raises UnsetVariableError, ConfigError, UnauthorizedError."""
    connection, address = connection_to(config, clock)
    async with connection:
        yield Client(config, connection, address, clock)


class Client:
    """Open for one run.

    Attributes:
        label: What messages call the workspace: ``destination support``.
    """

    def __init__(self, config: Config, connection: Connection, address: Address, clock: Clock) -> None:
        self.label = config.label
        self._region = config.region
        self._connection = connection
        self._address = address
        # A row costs several calls, and ``delivery`` paces rows.
        self._rate = RateLimit(config.requests_per_second, burst_s=_BURST_S, clock=clock)
        token = config.credential(config.access_token)
        self._headers = {"authorization": f"Bearer {token}", "intercom-version": VERSION}

    async def who_is_there(self, patience: Patience) -> str:
        """The workspace's id. Raises DestinationError, where it is in another region too."""
        reply: Reply = await patience.until_settled(partial(self.call, "GET", "/me"))
        read = reply.json
        app = read.get("app") if isinstance(read, dict) else None
        if reply.status != 200 or not isinstance(app, dict) or not isinstance(app.get("id_code"), str):
            raise self.unusable(reply)
        there = str(app.get("region", "")).lower()
        if there in ("us", "eu", "au") and there != self._region:
            raise DestinationRefusedError(
                f"{self.label}: the workspace is in Intercom's region {there}.",
                hint=f"Write `region: {there}` in connections.yaml.",
            )
        return str(app["id_code"])

    async def call(self, method: str, path: str, body: Any = None) -> Reply | TryAgain:
        """One call, when the rate allows it: an answer that is about what was asked, or why there is none.

        Raises:
            UnauthorizedError: The token is refused.
            DestinationRefusedError: The workspace's plan does not have the call.
        """
        written = b"" if body is None else orjson.dumps(body)
        await self._rate.turn()
        reply = await self._connection.send(self._address, method, path, body=written, headers=self._headers)
        if isinstance(reply, TryAgain):
            return reply
        if reply.status == 401:
            raise UnauthorizedError(
                f"{self.label}: Intercom refused the access token (HTTP 401).",
                hint="Check the variable behind access_token in connections.yaml, and the region.",
            )
        if reply.status == 403:
            raise DestinationRefusedError(
                f"{self.label}: the app may not do this, or the workspace's plan does not have it (HTTP 403).",
                hint="Check the app's permissions in Intercom's Developer Hub: users, companies, tags.",
            )
        if reply.status == 429:
            return try_again(reply, after_s=_until_reset_s(reply))
        if reply.passes:
            return try_again(reply)
        if reply.status == 200 and not isinstance(reply.json, dict):
            return TryAgain("HTTP 200 with a body that is no JSON object")
        if reply.status in (200, 400, 404, 409, 422):
            return reply
        if reply.status == 413:
            return reply
        raise self.unusable(reply)

    def unusable(self, reply: Reply) -> DestinationRefusedError:
        """The error about an answer that no call of this API has."""
        return DestinationRefusedError(
            f"{self.label}: Intercom's API answered HTTP {reply.status}.",
            hint="Check region and url in connections.yaml: url must be the address of Intercom's API.",
        )


def error_of(reply: Reply) -> tuple[str, str]:
    """Code and message of a refusal; each empty where the answer has none."""
    read = reply.json
    errors = read.get("errors") if isinstance(read, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return "", ""
    code, message = first.get("code"), first.get("message")
    return code if isinstance(code, str) else "", message if isinstance(message, str) else ""


def _until_reset_s(reply: Reply) -> float:
    """Seconds until the window ends; a whole one where the header has none, or a time that has passed."""
    try:
        left_s = float(reply.headers.get("x-ratelimit-reset", "")) - time.time()
    except ValueError:
        return _WINDOW_S
    return min(left_s, _WINDOW_S) if left_s > 0 else 1.0

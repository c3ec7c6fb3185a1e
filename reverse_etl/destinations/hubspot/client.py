"""HTTP to one HubSpot account, and what all its answers have in common. What a batch's answer means: ``batches``.

    ====================  ==================================================================
    401                   the token
    403                   a scope that the app was not granted
    408, 425, 5xx         try again
    423, 477              try again: a record is locked, the account is being moved
    429 of ten seconds    try again after Retry-After, else when the ten seconds are over
    429 of the day        the run ends
    ====================  ==================================================================

Source: developers.hubspot.com, error handling and API usage guidelines, 2026-09.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from reverse_etl.destinations._http.connection import connection_to
from reverse_etl.destinations._http.reply import Reply, retry_after_s, try_again
from reverse_etl.destinations.base import TryAgain
from reverse_etl.errors import CallsUsedUpError, DestinationRefusedError, UnauthorizedError
from reverse_etl.pacing.rate_limit import Clock

if TYPE_CHECKING:
    from reverse_etl.destinations._http.connection import Address, Connection
    from reverse_etl.destinations.hubspot.config import Config
    from reverse_etl.pacing.retry import Patience

_ACCOUNT: Final = "/account-info/v3/details"
_LOCKED_S: Final = 2.0
_PASSING: Final = {423: _LOCKED_S, 477: None}
_WINDOWS_S: Final = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 0.3}
"""A rolling window has room for some calls long before it has passed; who asks too early waits longer each time."""

_WINDOW_S: Final = 10.0


@asynccontextmanager
async def opened(config: Config, clock: Clock) -> AsyncIterator[Client]:
    """The account; nothing is asked yet. Raises UnsetVariableError, ConfigError, UnauthorizedError."""
    connection, address = connection_to(config, clock)
    async with connection:
        yield Client(config, connection, address)


class Client:
    """Open for one run.

    Attributes:
        label: What messages call the account: ``destination crm``.
    """

    def __init__(self, config: Config, connection: Connection, address: Address) -> None:
        self.label = config.label
        self._connection = connection
        self._address = address
        self._headers = {"authorization": f"Bearer {config.credential(config.access_token)}"}
        self._time_zone = ""

    async def who_is_there(self, patience: Patience) -> str:
        """The account's number. Raises DestinationError."""
        read = await self.asked(patience, "GET", _ACCOUNT)
        number = read.get("portalId") if isinstance(read, dict) else None
        if type(number) is not int:
            raise self.unreadable("its number")
        zone = read.get("timeZone")
        self._time_zone = zone if isinstance(zone, str) else ""
        return str(number)

    async def asked(self, patience: Patience, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer, as soon as there is one; None where there is nothing at that path.

        Raises:
            DestinationError: There is no answer, or a refusal.
        """
        reply = await patience.until_settled(partial(self.call, method, path, body))
        if reply.status < 300:
            return reply.json
        if reply.status in (400, 404):
            return None
        raise self.unusable(reply)

    async def call(self, method: str, path: str, body: Any = None) -> Reply | TryAgain:
        """One call, now: an answer that is about what was asked, or why there is none.

        Raises:
            UnauthorizedError: The token is refused.
            DestinationRefusedError: The app lacks a scope.
            CallsUsedUpError: The account's calls of the day are used up.
        """
        written = b"" if body is None else orjson.dumps(body)
        reply = await self._connection.send(self._address, method, path, body=written, headers=self._headers)
        if isinstance(reply, TryAgain):
            return reply
        if reply.status == 401:
            raise UnauthorizedError(
                f"{self.label}: HubSpot refused the access token (HTTP 401).",
                hint="Check the variable behind access_token in connections.yaml: it holds a private app's token.",
            )
        if reply.status == 403:
            raise self._lacks_scope(reply)
        if reply.status == 429:
            return self._limited(reply)
        if reply.status in _PASSING:
            asked_s = retry_after_s(reply.headers, now=datetime.now(UTC))
            return try_again(reply, after_s=_PASSING[reply.status] if asked_s is None else asked_s)
        if reply.passes:
            return try_again(reply)
        if reply.status < 300 and reply.status != 204 and reply.json is None:
            return TryAgain(f"HTTP {reply.status} with an unreadable body")
        return reply

    def unusable(self, reply: Reply) -> DestinationRefusedError:
        """The error about an answer that no call of this API has."""
        return DestinationRefusedError(
            f"{self.label}: HubSpot's API answered HTTP {reply.status}.",
            hint="Check url in connections.yaml: it must be the address of HubSpot's API.",
        )

    def unreadable(self, what: str) -> DestinationRefusedError:
        """The error about an answer without what it should have."""
        return DestinationRefusedError(
            f"{self.label}: HubSpot's API did not answer with {what}.",
            hint="Check url in connections.yaml: it must be the address of HubSpot's API.",
        )

    def _limited(self, reply: Reply) -> TryAgain:
        read = reply.json
        policy = str(read.get("policyName", "")) if isinstance(read, dict) else ""
        if policy == "DAILY":
            zone = f" ({self._time_zone})" if self._time_zone else ""
            raise CallsUsedUpError(
                f"{self.label}: the account's API calls of the day are used up.",
                hint=f"The day ends at midnight in the account's time zone{zone}: try again then.",
            )
        asked_s = retry_after_s(reply.headers, now=datetime.now(UTC))
        return try_again(reply, after_s=_WINDOWS_S.get(policy, _WINDOW_S) if asked_s is None else asked_s)

    def _lacks_scope(self, reply: Reply) -> DestinationRefusedError:
        scopes = sorted(set(_scopes(reply.json)))
        named = f"the scope {', '.join(scopes)}" if scopes else "a scope"
        return DestinationRefusedError(
            f"{self.label}: the private app lacks {named} (HTTP 403).",
            hint="Add it to the app: Settings, Integrations, Private apps, Scopes. The token stays the same.",
        )


def _scopes(read: Any) -> list[str]:
    """The scopes that a refusal names."""
    errors = read.get("errors") if isinstance(read, dict) else None
    found: list[str] = []
    for error in errors if isinstance(errors, list) else ():
        context = error.get("context") if isinstance(error, dict) else None
        for key in ("requiredGranularScopes", "requiredScopes"):
            named = context.get(key) if isinstance(context, dict) else None
            found += [str(each) for each in named] if isinstance(named, list) else []
    return found

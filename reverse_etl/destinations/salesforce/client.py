"""HTTP to one org: the token, renewed once where it has ended, and the calls that the org has left for the day.

Source: Salesforce REST API developer guide, release 66, 2026. What answers mean is in ``answers``.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from reverse_etl.destinations._http.connection import connection_to
from reverse_etl.destinations._http.reply import Reply, try_again
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.salesforce import sign_in
from reverse_etl.errors import CallsUsedUpError, DestinationRefusedError, UnauthorizedError
from reverse_etl.pacing.rate_limit import Clock

if TYPE_CHECKING:
    from reverse_etl.destinations._http.connection import Address, Connection
    from reverse_etl.destinations.salesforce.config import Config
    from reverse_etl.pacing.retry import Patience

MOST_ANSWER_BYTES: Final = 150_000_000
"""Of a job's results: all that was sent, with the id of each record."""

_USAGE: Final = re.compile(r"(?:^|[,;\s])api-usage=(\d+)/(\d+)")
_EXPIRED: Final = "INVALID_SESSION_ID"
_OF_SALESFORCE: Final = (".salesforce.com", ".force.com", ".salesforce.mil")
"""Behind other addresses is a proxy or a sandbox, which is asked whatever the org calls itself."""
_LIMIT: Final = "REQUEST_LIMIT_EXCEEDED"


@asynccontextmanager
async def opened(config: Config, clock: Clock) -> AsyncIterator[Client]:
    """The org; nothing is asked yet. Raises UnsetVariableError, ConfigError."""
    connection, address = connection_to(config, clock, most_bytes=MOST_ANSWER_BYTES)
    async with connection:
        yield Client(config, connection, address)


class Client:
    """Open for one run. The token goes into headers and nowhere else."""

    def __init__(self, config: Config, connection: Connection, address: Address) -> None:
        self._config = config
        self._label = config.label
        self._connection = connection
        self._address = address
        self._token = ""
        self._signing_in = asyncio.Lock()
        self._used = self._most = 0
        self.version = f"/services/data/v{config.api_version}"

    async def who_is_there(self, patience: Patience) -> str:
        """The id of the org. Raises DestinationError."""
        found = await patience.until_settled(partial(self.ask, "GET", "/services/oauth2/userinfo"))
        read = found.json
        org = read.get("organization_id") if isinstance(read, dict) else None
        if found.status != 200 or not isinstance(org, str):
            raise DestinationRefusedError(
                f"{self._label}: the org does not say who it is (HTTP {found.status}).",
                hint="Check url in connections.yaml, and that the app has the scopes api and openid.",
            )
        return org

    async def ask(
        self, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply | TryAgain:
        """One request, now, with a token: an answer of any status but 401, or why there is none.

        Raises:
            UnauthorizedError: The app, or a new token, is refused.
            CallsUsedUpError: The org's calls of the day are used up, but for what is left to others.
            DestinationRefusedError: The org has no API, or the address is another's.
        """
        self._require_calls()
        renewed = False
        while True:
            token = self._token
            if not token:
                signed_in = await self._sign_in("")
                if signed_in is not None:
                    return signed_in
                continue
            reply = await self._connection.send(
                self._address, method, path, body=body, headers={"authorization": f"Bearer {token}", **(headers or {})}
            )
            if isinstance(reply, TryAgain):
                return reply
            self._note_usage(reply)
            if reply.status != 401:
                return self._settled(reply)
            if renewed or error_code(reply) not in (_EXPIRED, ""):
                raise self._not_let_in(reply)
            renewed = True
            if (trouble := await self._sign_in(token)) is not None:
                return trouble

    async def ask_json(self, method: str, path: str, content: Any) -> Reply | TryAgain:
        """The same with a JSON body."""
        return await self.ask(method, path, body=orjson.dumps(content))

    async def _sign_in(self, ended: str) -> TryAgain | None:
        """Takes a new token, unless another request has; says why it could not."""
        async with self._signing_in:
            if self._token != ended:
                return None
            form = sign_in.request(self._config)
            reply = await self._connection.send(self._address, "POST", sign_in.PATH, body=form, headers=sign_in.HEADERS)
            if isinstance(reply, TryAgain):
                return reply
            found = sign_in.token_of(reply, self._label)
            if isinstance(found, TryAgain):
                return found
            token, instance = found
            if self._address.url.endswith(_OF_SALESFORCE) and instance != self._address.url:
                raise DestinationRefusedError(
                    f"{self._label}: Salesforce calls the org {instance}, which is not the url in connections.yaml.",
                    hint=f"Write `url: {instance}`: rows go where the file says, and nowhere else.",
                )
            self._token = token
            return None

    def _settled(self, reply: Reply) -> Reply | TryAgain:
        code = error_code(reply)
        if reply.status == 403 and code == _LIMIT:
            if self._most and self._used >= self._most:
                raise self._no_calls_left()
            return TryAgain("HTTP 403, too many requests at once", slow_down=True)
        if reply.status == 403 and code == "API_DISABLED_FOR_ORG":
            raise DestinationRefusedError(
                f"{self._label}: the org's edition has no API.", hint="Ask Salesforce for API access to the org."
            )
        if reply.passes:
            return try_again(reply)
        if 300 <= reply.status < 400 and reply.leads_to:
            raise DestinationRefusedError(
                f"{self._label}: the address redirects elsewhere (HTTP {reply.status}); nothing was sent on.",
                hint="Check url in connections.yaml: it must be the org's My Domain.",
            )
        return reply

    def _note_usage(self, reply: Reply) -> None:
        if found := _USAGE.search(reply.headers.get("sforce-limit-info", "")):
            self._used, self._most = int(found[1]), int(found[2])

    def _require_calls(self) -> None:
        if self._most and self._used >= self._most * (1 - self._config.daily_calls_left / 100):
            raise self._no_calls_left()

    def _no_calls_left(self) -> CallsUsedUpError:
        return CallsUsedUpError(
            f"{self._label}: {self._used:,} of the org's {self._most:,} calls of the last 24 hours are used, and "
            f"daily_calls_left leaves {self._config.daily_calls_left:g} % to others.",
            hint="Try again when fewer are used, send less often, or lower daily_calls_left in connections.yaml.",
        )

    def _not_let_in(self, reply: Reply) -> UnauthorizedError:
        code = error_code(reply)
        return UnauthorizedError(
            f"{self._label}: Salesforce refused a new token (HTTP 401{f', {code}' if code else ''}).",
            hint="Check that the app's user may use the API, and the app's policies: IP ranges, session level, scopes.",
        )


def error_code(reply: Reply) -> str:
    """The code of a request that was refused; empty where the answer has none."""
    if reply.status < 300:
        return ""
    read = reply.json
    first = read[0] if isinstance(read, list) and read else read
    code = first.get("errorCode") if isinstance(first, dict) else None
    return code if isinstance(code, str) else ""

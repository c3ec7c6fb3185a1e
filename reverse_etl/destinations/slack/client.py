"""HTTP to one Slack workspace: the Web API with a bot's token, or one webhook. What answers mean is in ``answers``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from reverse_etl.destinations._http.connection import connection_to
from reverse_etl.destinations._http.reply import Reply, try_again
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.slack.answers import AGAIN, DOUBTFUL, answer_of, stop_for_token, webhook_answer_of
from reverse_etl.errors import DestinationRefusedError, UnauthorizedError
from reverse_etl.report import Step

if TYPE_CHECKING:
    from reverse_etl.destinations._http.connection import Address, Connection
    from reverse_etl.destinations.base import Answer, InDoubt
    from reverse_etl.destinations.slack.config import Config
    from reverse_etl.pacing.rate_limit import Clock
    from reverse_etl.pacing.retry import Patience

_JSON: Final = "application/json; charset=utf-8"


@asynccontextmanager
async def opened(config: Config, clock: Clock) -> AsyncIterator[Client]:
    """The workspace; nothing is asked yet. Raises UnsetVariableError, ConfigError, UnauthorizedError."""
    connection, address = connection_to(config, clock)
    async with connection:
        yield Client(config, connection, address)


class Client:
    """Open for one run.

    Attributes:
        scopes: What the token may do; None where Slack has not said so.
    """

    def __init__(self, config: Config, connection: Connection, address: Address) -> None:
        self.scopes: frozenset[str] | None = None
        self._label = config.label
        self._connection = connection
        self._address = address
        self._webhook = config.webhook()[1] if config.webhook_url is not None else None
        token = config.credential(config.bot_token) if config.bot_token is not None else ""
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    async def who_is_there(self, patience: Patience) -> str:
        """The team's id, of a token that is taken; of a webhook it is not known. Raises DestinationError."""
        if self._webhook is not None:
            await patience.until_settled(self._try_webhook)
            return ""
        read = await patience.until_settled(partial(self.ask, "auth.test"))
        return str(read.get("team_id") or "")

    async def ask(self, method: str, **arguments: str) -> dict[str, Any] | TryAgain:
        """The answer of a method that posts nothing; one that is not ``ok`` has its ``error``.

        Raises:
            UnauthorizedError: The token is refused, or lacks a scope.
            DestinationRefusedError: The answer is not one of Slack's.
        """
        reply = await self._connection.send(
            self._address, "GET", f"/{method}", params=arguments or None, headers=self._headers
        )
        if isinstance(reply, TryAgain):
            return reply
        if reply.passes:
            return TryAgain(f"HTTP {reply.status}", after_s=_after_s(reply), slow_down=reply.status == 429)
        read = reply.json
        if reply.status == 401:
            raise UnauthorizedError(
                f"{self._label}: Slack refused the credentials (HTTP 401).",
                hint="Check the variable behind bot_token in connections.yaml.",
            )
        if reply.status != 200:
            raise DestinationRefusedError(
                f"{self._label}: Slack's API answered HTTP {reply.status}.", hint="Check url in connections.yaml."
            )
        if not isinstance(read, dict) or type(read.get("ok")) is not bool:
            return TryAgain("an answer that is not one of Slack's")
        if scopes := reply.headers.get("x-oauth-scopes"):
            self.scopes = frozenset(scope.strip() for scope in scopes.split(","))
        if not read["ok"]:
            if read.get("error") in AGAIN | DOUBTFUL:
                return TryAgain(str(read["error"]), after_s=_after_s(reply), slow_down=read["error"] in AGAIN)
            stop_for_token(read, self._label)
        return read

    async def post(self, message: Mapping[str, Any], *, one_channel: bool) -> Answer | InDoubt:
        """Posts a message, now and once. Raises UnauthorizedError, DestinationRefusedError: it was not posted."""
        headers = {**self._headers, "content-type": _JSON}
        path = "/chat.postMessage" if self._webhook is None else self._webhook
        reply = await self._connection.send(self._address, "POST", path, body=orjson.dumps(message), headers=headers)
        if self._webhook is not None:
            return webhook_answer_of(reply, label=self._label)
        return answer_of(reply, label=self._label, one_channel=one_channel)

    async def _try_webhook(self) -> Answer | TryAgain:
        """A message without a text is refused for that, where the webhook is one."""
        answer = await self.post({}, one_channel=True)
        return answer if not hasattr(answer, "cause") else TryAgain(str(answer.cause))


async def step_of_scopes(client: Client, patience: Patience) -> list[Step]:  # noqa: ARG001 - it was asked before
    """What the token lacks to post, where Slack says what it may do."""
    if client.scopes is None:
        return []
    if "chat:write" not in client.scopes:
        hint = "Add chat:write under OAuth & Permissions in the app's settings, and install the app again."
        return [Step("scopes", False, "the token lacks the scope chat:write", hint)]
    return [Step("scopes", True, ", ".join(sorted(client.scopes)))]


def _after_s(reply: Reply) -> float | None:
    return try_again(reply).after_s

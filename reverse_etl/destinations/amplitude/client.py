"""HTTP to one Amplitude project. What answers mean is in ``answers``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import orjson

from reverse_etl.destinations._http.connection import connection_to
from reverse_etl.destinations.amplitude.answers import answer_of
from reverse_etl.destinations.base import Accepted, Answer, RequestRefused, TryAgain
from reverse_etl.pacing.rate_limit import Clock

if TYPE_CHECKING:
    from reverse_etl.destinations._http.connection import Address, Connection
    from reverse_etl.destinations.amplitude.config import Config
    from reverse_etl.pacing.retry import Patience

_PATH: Final = "/batch"


@asynccontextmanager
async def opened(config: Config, clock: Clock) -> AsyncIterator[Client]:
    """The project; nothing is asked yet. Raises UnsetVariableError, ConfigError, UnauthorizedError."""
    connection, address = connection_to(config, clock)
    async with connection:
        yield Client(config, connection, address)


class Client:
    """Open for one run. The API key goes into bodies and nowhere else.

    Attributes:
        before: What stands before the items of a request.
        after: What stands after them.
    """

    def __init__(self, config: Config, connection: Connection, address: Address) -> None:
        self._label = config.label
        self._connection = connection
        self._address = address
        key = orjson.dumps(config.credential(config.api_key))
        self.before = b'{"api_key":%b,"options":{"min_id_length":%d},"events":[' % (key, config.min_id_length)
        self.after = b"]}"

    async def who_is_there(self, patience: Patience) -> str:
        """Makes sure that the key is taken; a project does not say its name.

        A request without events takes nothing, and is refused for its key before it is for that.
        """
        await patience.until_settled(partial(self.send, ()))
        return ""

    async def send(self, items: Sequence[bytes]) -> Answer:
        """One request, now: ``delivery`` paces and retries. Raises UnauthorizedError, DestinationRefusedError."""
        body = b"".join((self.before, b",".join(items), self.after))
        reply = await self._connection.send(self._address, "POST", _PATH, body=body)
        if isinstance(reply, TryAgain):
            return reply
        answer = answer_of(reply, items=items, label=self._label)
        return Accepted() if not items and isinstance(answer, RequestRefused) else answer

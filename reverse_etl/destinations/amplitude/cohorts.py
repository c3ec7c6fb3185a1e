"""HTTP to the cohorts of one Amplitude project: listed, made, changed.

Source: amplitude.com/docs, Behavioral Cohorts API, read 2026-11. It does not say how a membership is refused; what is
not understood is never called delivered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import httpx
import orjson

from reverse_etl.destinations._http.connection import Address, Connection
from reverse_etl.destinations._http.reply import Reply, try_again
from reverse_etl.destinations.base import TryAgain
from reverse_etl.errors import ConfigError, DestinationRefusedError, UnauthorizedError
from reverse_etl.report import Step

if TYPE_CHECKING:
    from reverse_etl.destinations.amplitude.config import Config
    from reverse_etl.destinations.amplitude.section import Cohort
    from reverse_etl.pacing.rate_limit import Clock
    from reverse_etl.pacing.retry import Patience

_PATH: Final = "/api/3/cohorts"


@asynccontextmanager
async def opened(config: Config, clock: Clock) -> AsyncIterator[Cohorts]:
    """The project's cohorts; nothing is asked yet.

    Raises:
        ConfigError: The entry has no ``secret_key``.
        UnsetVariableError: A variable is not set.
        UnauthorizedError: Its value cannot be a credential.
    """
    if config.secret_key is None:
        raise ConfigError(
            f"{config.label}: cohorts need the project's secret key.",
            hint="Add `secret_key: ${AMPLITUDE_SECRET_KEY}` to it in connections.yaml.",
        )
    auth = httpx.BasicAuth(config.credential(config.api_key), config.credential(config.secret_key))
    address = Address(config.cohorts_url(), config.address_keys)
    connection = Connection(
        config.label, [address], ca_file=config.ca_file, proxy=config.proxy,
        also_check=config.address_keys, clock=clock,
    )  # fmt: skip
    async with connection:
        yield Cohorts(config.label, connection, address, auth)


class Cohorts:
    """Open for one run. Amplitude takes one change of a cohort at a time."""

    def __init__(self, label: str, connection: Connection, address: Address, auth: httpx.BasicAuth) -> None:
        self._label = label
        self._connection = connection
        self._address = address
        self._auth = auth

    async def ask(self, method: str, path: str = "", content: Any = None) -> Reply | TryAgain:
        """One request, now: 200, 400, 404 or 413, or why it is to be sent again.

        Raises:
            UnauthorizedError: The keys are refused.
            DestinationRefusedError: The answer is of no use.
        """
        body = b"" if content is None else orjson.dumps(content)
        reply = await self._connection.send(self._address, method, _PATH + path, body=body, auth=self._auth)
        if isinstance(reply, TryAgain):
            return reply
        if reply.status == 401:
            raise UnauthorizedError(
                f"{self._label}: Amplitude refused the keys for cohorts (HTTP 401).",
                hint="Check the variables behind api_key and secret_key in connections.yaml, and the region.",
            )
        if reply.passes or reply.status == 429:
            return try_again(reply)
        if reply.status not in (200, 400, 404, 413):
            raise DestinationRefusedError(
                f"{self._label}: Amplitude's API of cohorts answered HTTP {reply.status}.",
                hint="Check region and url in connections.yaml, and that the project's plan has cohorts.",
            )
        return reply

    async def id_of(self, cohort: Cohort, patience: Patience) -> str:
        """The id of a sync's cohort, which is made where it has a name, an owner, and is not there.

        Raises:
            ConfigError: There is none, or more than one.
            DestinationError: The project cannot be asked.
        """
        found: str = await patience.until_settled(partial(self._find_or_make, cohort))
        return found

    async def _find_or_make(self, cohort: Cohort) -> str | TryAgain:
        listed = await self.listed()
        if isinstance(listed, TryAgain):
            return listed
        if cohort.id is not None:
            # One that is not published is not listed: whether it is there shows the first change.
            return cohort.id
        ids = [found for found, name in listed if name == cohort.name]
        if len(ids) > 1:
            raise ConfigError(
                f"{self._label}: the project has {len(ids)} cohorts with the name of {cohort.called}.",
                hint=f"Name one by its id, as in `cohort: {{id: {ids[0]}}}`. They are: {', '.join(ids[:10])}.",
            )
        if ids:
            return ids[0]
        if cohort.owner is None:
            raise ConfigError(
                f"{self._label}: the project has no {cohort.called}, or it is not published.",
                hint="Add `owner` and `app_id` beside its name, to have it made; or name one by its `id`.",
            )
        return await self._make(cohort)

    async def listed(self) -> list[tuple[str, str]] | TryAgain:
        """Ids and names of the cohorts that are not archived. Raises DestinationError."""
        reply = await self.ask("GET")
        if isinstance(reply, TryAgain):
            return reply
        found = reply.json.get("cohorts") if reply.status == 200 and isinstance(reply.json, dict) else None
        if not isinstance(found, list):
            return TryAgain(f"HTTP {reply.status} without a list of cohorts")
        return [
            (str(each["id"]), str(each.get("name", "")))
            for each in found
            if isinstance(each, dict) and "id" in each and not each.get("archived")
        ]

    async def _make(self, cohort: Cohort) -> str | TryAgain:
        """A new cohort without members; where the answer is lost it is looked for again first."""
        content: dict[str, Any] = {
            "name": cohort.name,
            "app_id": cohort.app_id,
            "id_type": "BY_USER_ID",
            "ids": [],
            "owner": cohort.owner,
            "published": True,
        }
        reply = await self.ask("POST", "/upload", content)
        if isinstance(reply, TryAgain):
            return reply
        read = reply.json if isinstance(reply.json, dict) else {}
        # Both spellings are in use.
        made = read.get("cohort_id") or read.get("cohortId")
        if reply.status == 200:
            return str(made) if made else TryAgain("HTTP 200 without the new cohort's id")
        raise DestinationRefusedError(
            f"{self._label}: Amplitude does not make {cohort.called} (HTTP {reply.status}).",
            hint="Check its owner, who is a user of Amplitude, and app_id, the project's number.",
        )


async def step(config: Config, clock: Clock, patience: Patience) -> list[Step]:
    """What ``test-connection`` does where the entry has a secret key. Raises DestinationError."""
    if config.secret_key is None:
        return []
    async with opened(config, clock) as cohorts:
        found: list[tuple[str, str]] = await patience.until_settled(cohorts.listed)
    return [Step("cohorts", True, f"{len(found):,} are there to be changed")]

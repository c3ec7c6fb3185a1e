"""A cohort as a destination: its members added and taken out. ``delivery`` decides when."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from reverse_etl.changeset import columns
from reverse_etl.destinations.amplitude import client, cohorts
from reverse_etl.destinations.amplitude.environment import at_address
from reverse_etl.destinations.amplitude.members import Changes, members, superfluous
from reverse_etl.destinations.base import Answer, KeptBack, Limits, RequestRefused, TryAgain
from reverse_etl.errors import ConfigError
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience
from reverse_etl.report import Reason

if TYPE_CHECKING:
    import pyarrow as pa

    from reverse_etl.destinations.amplitude.client import Client
    from reverse_etl.destinations.amplitude.cohorts import Cohorts
    from reverse_etl.destinations.amplitude.config import Config
    from reverse_etl.destinations.amplitude.section import Cohort
    from reverse_etl.destinations.amplitude.sync import Outgoing

_MAX_ITEM_BYTES: Final = 8_000
_MAX_REQUEST_BYTES: Final = 10_000_000


@asynccontextmanager
async def opened(
    sync: Outgoing,
    config: Config,
    names: Sequence[str],
    *,
    patience: Patience | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[AmplitudeCohort]:
    """A cohort, ready for one run of one sync; nothing is asked or sent before ``prepare``."""
    clock = clock or Clock()
    async with client.opened(config, clock) as project, cohorts.opened(config, clock) as there:
        yield AmplitudeCohort(sync, config, names, project, there, patience or Patience.of_run(config.label, clock))


class AmplitudeCohort:
    """A ``destinations.base.Destination``."""

    def __init__(
        self, sync: Outgoing, config: Config, names: Sequence[str], project: Client, there: Cohorts, patience: Patience
    ) -> None:
        self.name = config.label
        self.kind: str = config.type
        self.limits = Limits(
            max_item_bytes=_MAX_ITEM_BYTES,
            max_request_bytes=_MAX_REQUEST_BYTES,
            envelope_bytes=200,
            max_items=config.max_ids_per_request,
            requests_per_second=config.requests_per_second,
            # Amplitude answers 429 to a second change of a cohort at the same time.
            max_requests_in_flight=1,
        )
        self.recipient = at_address(config)
        self._sync = sync
        self._names = names
        self._project = project
        self._cohorts = there
        self._patience = patience
        self._id = ""
        self.only_reads = self._cohort.owner is None

    async def prepare(self) -> None:
        """Makes sure that the keys are taken and the cohort is there, or makes it.

        Raises:
            ConfigError: The query returns more than a member has, or there is no such cohort.
            DestinationError: The keys are refused.
        """
        if others := superfluous(self._names, self._sync):
            raise ConfigError(
                f"a member of a cohort has no `{others[0]}`: let the query return `{self._sync.amplitude.identify_by}` "
                "alone, and `deleted` with `gone: remove`.",
                hint="Properties of users go in a sync of their own, with `send: user_properties`.",
            ).located(self._sync.where)
        await self._project.who_is_there(self._patience)
        self._id = await self._cohorts.id_of(self._cohort, self._patience)

    async def kept_back(self, batch: pa.RecordBatch, stream: str) -> Sequence[KeptBack]:  # noqa: ARG002 - none are
        """None: nobody is looked up."""
        return ()

    def identifiers(self, batch: pa.RecordBatch, stream: str) -> pa.StringArray:
        """Each row's user."""
        return columns.identifiers(batch, self._sync.stream(stream))

    def repeats(self, stream: str) -> bool:  # noqa: ARG002 - there is one
        """No: a user comes once."""
        return False

    def items(self, batch: pa.RecordBatch, stream: str) -> list[bytes]:  # noqa: ARG002 - there is one
        """Each row as a member, or as one to take out."""
        return members(batch, self._sync)

    async def send(self, items: Sequence[bytes]) -> Answer:
        """One request: members added, and then taken out. Raises UnauthorizedError, ConfigError."""
        changes = Changes.of(items)
        content = {"cohort_id": self._id, "skip_invalid_ids": True, "memberships": changes.as_json()}
        reply = await self._cohorts.ask("POST", "/membership", content)
        if isinstance(reply, TryAgain):
            return reply
        if reply.status == 200:
            return changes.answer(reply.json)
        if reply.status == 404:
            raise ConfigError(
                f"{self.name}: the project has no {self._cohort.called} any more.",
                hint="Look for it in Amplitude: it may be archived, or belong to another project.",
            )
        if reply.status == 413:
            return RequestRefused(Reason("too_large", "", "the request is too large."))
        return RequestRefused(Reason("invalid", "", "Amplitude does not change the cohort so (HTTP 400)."))

    @property
    def _cohort(self) -> Cohort:
        cohort = self._sync.amplitude.cohort
        if cohort is None:
            raise ValueError("the sync has no cohort")
        return cohort

"""Customer.io as a destination: one sync's way into one workspace. ``delivery`` decides what is sent when."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from reverse_etl.changeset import columns
from reverse_etl.changeset.parts import ROW_NUMBER, Outcomes, Parts, numbers_where
from reverse_etl.collector import uncollected
from reverse_etl.destinations._http.reply import Reply
from reverse_etl.destinations.base import Accepted, Answer, KeptBack, Limits, Refusal, RequestRefused, TryAgain
from reverse_etl.destinations.customerio import activities, causes, lookup, mirror, operations, read_back, segments
from reverse_etl.destinations.customerio.answers import about_suppression, batch_answer
from reverse_etl.destinations.customerio.backfill import too_old
from reverse_etl.destinations.customerio.client import Client
from reverse_etl.destinations.customerio.environment import at_address
from reverse_etl.destinations.customerio.masking import Masking
from reverse_etl.destinations.left_out import EXISTS, left_out
from reverse_etl.destinations.powers import Window
from reverse_etl.errors import ConfigError
from reverse_etl.http.request_body import RequestBody
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.report import Outcome, Reason

if TYPE_CHECKING:
    import httpx

    from reverse_etl.destinations.customerio.sync import Outgoing
    from reverse_etl.destinations.customerio.workspace import WorkspaceConfig

MAX_ITEM_BYTES: Final = 32_000
MAX_REQUEST_BYTES: Final = 475_000
"""Documented are 32 kb and 500 kb, without saying what a kb is. Source: Track API OpenAPI, August 2026."""


_FEED_POLICY: Final = RetryPolicy(most_s=5.0, budget_s=30.0)
"""Reading back fails nothing, so it is not waited for as long as for a row's answer."""


@asynccontextmanager
async def open_destination(
    sync: Outgoing,
    workspace: WorkspaceConfig,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    patience: Patience | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[CustomerIO]:
    """A workspace, ready for one run of one sync. Nothing is asked or sent before ``prepare``.

    Args:
        sync: The sync.
        workspace: The workspace.
        transport: Stands in for the network.
        patience: The run's retry budget; by default one of its own, from the environment.
        clock: Time.

    Raises:
        UnsetVariableError: A credential names a variable that is not set.
    """
    clock = clock or Clock()
    patience = patience or Patience.of_run(workspace.label, clock)
    async with Client(workspace, transport=transport, clock=clock) as client:
        yield CustomerIO(sync, workspace, client, patience, clock)


class CustomerIO:
    """A ``destinations.base.Destination``, with what a run does before its first row and after its last."""

    def __init__(
        self, sync: Outgoing, workspace: WorkspaceConfig, client: Client, patience: Patience, clock: Clock
    ) -> None:
        self.name, self.kind = workspace.label, workspace.type
        self.limits = Limits(
            max_item_bytes=MAX_ITEM_BYTES,
            max_request_bytes=MAX_REQUEST_BYTES,
            envelope_bytes=operations.ENVELOPE_BYTES,
            max_items=workspace.max_items_per_request,
            requests_per_second=workspace.requests_per_second,
            max_requests_in_flight=workspace.max_requests_in_flight,
            in_flight_at_first=workspace.in_flight_at_first,
        )
        self._sync, self._at_once = sync, workspace.in_flight_at_first
        self._region = workspace.region
        self._app_url = workspace.app_base_url
        self._client = client
        self._patience = patience
        self._clock = clock
        self._reads_back = workspace.read_back
        self._feed_patience = Patience(_FEED_POLICY, name=self.name, clock=clock)
        self.recipient = at_address(workspace)
        self._masking = Masking()
        self._object_types: dict[str, str] | None = None
        self._segment_id: int | None = None
        self._now: Callable[[], float] | None = None

    async def prepare(self) -> None:
        """Makes sure, before the first row, that the workspace can take what the sync sends.

        Raises:
            UnauthorizedError: Credentials are refused.
            DestinationUnavailableError: The workspace does not answer.
            DestinationRefusedError: It is in the other region.
            ConfigError: It lacks the segment or object type, or the App API key that the sync needs.
        """
        people = self._sync.people
        if people is not None and people.write == "add_only" and not self._client.has_app_key:
            raise ConfigError(
                f"`write: add_only` needs an app_api_key, and workspace {self._client.workspace} has none.",
                hint="Add it in connections.yaml, or write `add_and_update`.",
            )
        environment = await lookup.require_region(self._client, self._patience, self._region)
        self.recipient = replace(self.recipient, environment=environment)
        if self._client.has_app_key and (self._sync.objects is not None or self._sync.relationships is not None):
            self._object_types = await lookup.object_types(self._client, self._patience)
            self._require_default_types(self._object_types)
        if people is not None and people.segment is not None:
            self._segment_id = await segments.segment_id(self._client, self._patience, people.segment)

    async def kept_back(self, batch: pa.RecordBatch, stream: str) -> Sequence[KeptBack]:
        """Rows of object types that the workspace lacks, for ``add_only`` people who exist, and old events."""
        unknown = self._of_unknown_type(batch, stream)
        existing = await self._who_exist(batch, stream)
        old = None if self._now is None else too_old(batch, self._sync.events, self._now())
        return [kept for kept in (unknown, existing, old) if kept is not None]

    def judge_age(self, now: Callable[[], float]) -> None:
        """From now on, keeps back the events that are older than ``max_age`` when they are sent."""
        self._now = now

    def identifiers(self, batch: pa.RecordBatch, stream: str) -> pa.StringArray:
        """Each row's identifier, whole."""
        return columns.identifiers(batch, self._sync.stream(stream))

    def repeats(self, stream: str) -> bool:
        """Of one person there may be many events and relationships; people and objects come once."""
        return self._sync.stream(stream).repeats

    def items(self, batch: pa.RecordBatch, stream: str) -> Sequence[bytes]:
        """Each row as one operation."""
        return self.items_of(batch, stream, {})

    def items_of(self, batch: pa.RecordBatch, stream: str, chosen: Mapping[str, pa.BooleanArray]) -> Sequence[bytes]:
        """Each row as one operation, with chosen attributes."""
        self._masking.add_columns((*batch.schema.names[:-1], *chosen))
        return operations.items(batch, self._sync, stream, chosen)

    async def send(self, items: Sequence[bytes]) -> Answer:
        """Sends one batch. Messages of Customer.io come back without values of rows."""
        reply = await self._client.batch(RequestBody(operations.body(items)))
        if isinstance(reply, TryAgain):
            return reply
        with uncollected():
            return self._answer(reply, items)

    def _answer(self, reply: Reply, items: Sequence[bytes]) -> Answer:
        answer = batch_answer(reply, items=len(items), workspace=self._client.workspace)
        if isinstance(answer, RequestRefused):
            if len(items) > 1:
                # Its words may hold values of any item, and the halves' answers take its place.
                return RequestRefused(Reason("refused", "", ""))
            [refusal] = self._masking.refusals([Refusal(0, answer.why)], items)
            return RequestRefused(refusal.why)
        if isinstance(answer, Accepted) and answer.refusals:
            return self._without_suppressed(answer, items)
        return answer

    async def after_delivery(self, parts: Parts, outcomes: Outcomes) -> int:
        """Puts the delivered people into the sync's segment, if it has one, and returns how many.

        Args:
            parts: The rows.
            outcomes: What became of each.

        Raises:
            DestinationError: The segment could not be filled; the people themselves were delivered.
        """
        if self._segment_id is None or self._sync.people is None:
            return 0
        return await segments.change_people(
            self._client,
            self._patience,
            self._delivered(parts, outcomes),
            segment=self._segment_id,
            id_type=self._sync.people.identify_by,
            at_once=self._at_once,
        )

    async def mirror(self, parts: Parts) -> int:
        """Takes the people out of the sync's segment whom its query did not return, and returns how many they were.

        Args:
            parts: All rows that the query returned, every one delivered or left out by choice.

        Raises:
            CheckFailedError: They are more than the sync's file lets go at once.
            DestinationError: The segment cannot be read or changed.
        """
        people = self._sync.people
        if self._segment_id is None or people is None or people.segment is None:
            return 0
        return await mirror.remove_others(
            self._client,
            self._patience,
            (self.identifiers(batch, "rows") for batch in parts.batches()),
            segment=self._segment_id,
            id_type=people.identify_by,
            most_percent=people.segment.mirror_max_removed,
            at_once=self._at_once,
        )

    @property
    def reads_back(self) -> bool:
        """Whether the run looks at what became of its rows after they were accepted."""
        return self._client.has_app_key and self._reads_back and bool(self._activity_types)

    async def activity_window(self) -> Window:
        """The time of a run that begins now. Raises DestinationError where the feed cannot be read."""
        return await activities.window(self._client, self._feed_patience, self._activity_types)

    async def read_activities(self, window: Window, *, at_once: bool = False) -> tuple[list[activities.Activity], bool]:
        """What was not applied in a window, a while after its last row, and whether that is all of it.

        Raises:
            DestinationError: The feed cannot be read.
        """
        why = f"until {self.name} has applied what it accepted, to read back what it did not"
        await self._patience.waits.wait(0 if at_once else read_back.wait_s(self._app_url()), why)
        clock, until = self._clock, self._clock.now() + read_back.MOST_S
        return await activities.since(
            self._client, self._feed_patience, self._activity_types, window, clock=clock, until=until
        )

    def not_applied(self, parts: Parts, outcomes: Outcomes, found: list[activities.Activity]) -> Iterator[KeptBack]:
        """The delivered rows of a query that activities are about."""
        return read_back.not_applied(self._sync, parts, outcomes, found)

    @property
    def _activity_types(self) -> tuple[str, ...]:
        return read_back.types(self._sync, tuple(self._object_types or ()))

    def _delivered(self, parts: Parts, outcomes: Outcomes) -> Iterator[pa.StringArray]:
        for batch in parts.batches():
            delivered = outcomes[batch.column(ROW_NUMBER).to_numpy() - 1] == Outcome.DELIVERED
            yield self.identifiers(batch.filter(pa.array(delivered)), "rows")

    def _without_suppressed(self, answer: Accepted, items: Sequence[bytes]) -> Accepted:
        """Moves suppressed people from the refused to the excluded, where the sync asks for it."""
        refusals = self._masking.refusals(answer.refusals, items)
        suppressed = about_suppression(answer)
        if not suppressed:
            return Accepted(tuple(refusals))
        settings = self._sync.suppression
        if settings is None or settings.suppressed == "ignore_and_complete":
            others = tuple(refusal for refusal in refusals if refusal.place not in suppressed)
            return Accepted(others, left_out(suppressed, causes.LEFT_OUT))
        for at, (place, why) in enumerate(refusals):
            if place in suppressed:
                refusals[at] = Refusal(place, causes.LEFT_OUT._replace(field=why.field))
        return Accepted(tuple(refusals))

    def _of_unknown_type(self, batch: pa.RecordBatch, stream: str) -> KeptBack | None:
        default = self._default_type(stream)
        if self._object_types is None or default is None:
            return None
        return lookup.of_unknown_type(batch, operations.object_types(batch, default), self._object_types)

    async def _who_exist(self, batch: pa.RecordBatch, stream: str) -> KeptBack | None:
        people = self._sync.people
        if people is None or people.write != "add_only" or stream != "rows":
            return None
        identifiers = self.identifiers(batch, stream).to_pylist()
        exist = await lookup.existing_people(self._client, self._patience, identifiers, id_type=people.identify_by)
        rows = numbers_where(batch, pa.array(exist, pa.bool_()))
        return KeptBack(rows, Outcome.EXCLUDED, EXISTS)

    def _require_default_types(self, known: dict[str, str]) -> None:
        """Refuses a sync whose rows cannot but be of a type that the workspace lacks.

        Where the query may return a column ``object_type``, the rows themselves are looked at instead.
        """
        for stream in self._sync.streams:
            default, sql = self._default_type(stream.name), stream.query
            if default is not None and str(default) not in known and "object_type" not in sql and "*" not in sql:
                raise ConfigError(
                    f"{self.name} has no object type {default}.",
                    hint=f"It has {lookup.named(known)}. Set object_type in the sync's file, or make it there.",
                )

    def _default_type(self, stream: str) -> int | None:
        """The object type of rows without one of their own; None for rows that are not about objects."""
        if stream == "relationships":
            return None if self._sync.relationships is None else self._sync.relationships.object_type
        return None if self._sync.objects is None else self._sync.objects.object_type

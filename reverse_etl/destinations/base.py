"""What every destination gives: rows encoded as items, items sent as one request, an answer read.

A destination is one folder beside this module. ``delivery`` packs, paces, retries and accounts; a
destination only knows how its rows are encoded and what its answers mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pyarrow as pa

from reverse_etl.pacing.trouble import TryAgain as TryAgain
from reverse_etl.report import Outcome, Reason

if TYPE_CHECKING:
    from reverse_etl.changeset.recipient import Recipient
    from reverse_etl.config.connections import DestinationConfig
    from reverse_etl.config.syncs import OutgoingRows, SyncConfig
    from reverse_etl.destinations.first_sync import Asks, FirstRows
    from reverse_etl.destinations.left_out import LeftOut
    from reverse_etl.destinations.tables import TableDestination
    from reverse_etl.pacing.rate_limit import Clock
    from reverse_etl.pacing.retry import Patience
    from reverse_etl.report import Step


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may carry, and how fast requests may follow each other.

    Attributes:
        max_item_bytes: Largest single item.
        max_request_bytes: Largest body, envelope included.
        envelope_bytes: What a request needs around its items; between two items it needs one byte.
        max_items: Most items in one request.
        requests_per_second: Rate limit.
        max_requests_in_flight: Requests open at once, at most.
        in_flight_at_first: With how many a delivery begins, and tries more while they get more done; None: with all.
    """

    max_item_bytes: int
    max_request_bytes: int
    envelope_bytes: int
    max_items: int
    requests_per_second: float
    max_requests_in_flight: int
    in_flight_at_first: int | None = None


class Refusal(NamedTuple):
    """Why one item was refused for good.

    Attributes:
        place: Of the item in the request, from 0.
        why: The destination's own words, without the row's values.
    """

    place: int
    why: Reason


def refusals_of(
    places: Iterable[int], reasons: Iterable[str], fields: Iterable[str], messages: Iterable[str]
) -> list[Refusal]:
    """The refusals of columns of one length: in half the time that making one after the other takes."""
    whys = map(partial(tuple.__new__, Reason), zip(reasons, fields, messages, strict=True))
    return [*map(partial(tuple.__new__, Refusal), zip(places, whys, strict=True))]


class Again(NamedTuple):
    """An item that was not applied, for a reason that passes.

    Attributes:
        place: Of the item in the request, from 0.
        why: What it is refused for when it was sent ``most`` times.
        after_s: Seconds to wait before it is sent again.
        most: How often it is sent in all, in requests of ever fewer items; None: until the retry budget is used up.
    """

    place: int
    why: Reason
    after_s: float = 0.0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request was taken; the items listed were refused, left out or not applied yet, all others are delivered.

    An item is listed once. A service that applies nothing where one item is at fault refuses that one, and has all
    others ``again``.

    Attributes:
        refusals: At most one an item.
        excluded: At most one an item that was not applied, as the sync's own settings accept.
        again: Items to be sent again.
    """

    refusals: tuple[Refusal, ...] = ()
    excluded: tuple[LeftOut, ...] = ()
    again: tuple[Again, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """The request was refused, whole or in part, and the answer does not name the item at fault.

    Sending the halves finds it, and does no harm to what was applied; a request of one item is its refusal.
    """

    why: Reason


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The request may have been applied, and sent again it would be applied twice (``request_powers.SendsOnce``).

    Attributes:
        cause: For people, as ``TryAgain`` has it.
    """

    cause: str


Answer = Accepted | RequestRefused | TryAgain

Items = Callable[[pa.RecordBatch, str], Sequence[bytes]]
"""Encodes the rows of a stream, as ``Destination.items`` does."""


@dataclass(frozen=True, slots=True)
class KeptBack:
    """Rows that are not sent, found by asking the destination first.

    Attributes:
        rows: int64 row numbers, ascending.
        outcome: ``EXCLUDED`` for the user's own choice, ``REJECTED`` for rows that cannot be taken.
        why: The reason of all of them.
    """

    rows: pa.Int64Array
    outcome: Outcome
    why: Reason


class Kind(Protocol):
    """What a kind of destination gives: its folder's ``__init__``, which is cheap to import.

    Attributes:
        Config: The model of an entry of ``destinations``.
        Outgoing: The model of what rows are there, and what follows from that without a network.
        Sync: The model of a sync: the same, with where rows come from and when.
    """

    @property
    def Config(self) -> type[DestinationConfig]:  # noqa: N802 - a class
        """The model of an entry of ``destinations``."""
        ...

    @property
    def Outgoing(self) -> type[OutgoingRows]:  # noqa: N802 - a class
        """The model of what rows are."""
        ...

    @property
    def Sync(self) -> type[SyncConfig]:  # noqa: N802 - a class
        """The model of a sync to it."""
        ...

    def open_destination(
        self,
        sync: Any,
        config: Any,
        columns: Sequence[str],
        *,
        patience: Patience | None = None,
        clock: Clock | None = None,
    ) -> AbstractAsyncContextManager[Destination | TableDestination]:
        """The destination, ready for one run of one sync; nothing is asked or sent before ``prepare``.

        Args:
            sync: What is sent, an ``Outgoing``.
            config: The destination, a ``Config``.
            columns: Those of the rows, as they were read.
            patience: The run's retry budget; by default one of its own, from the environment.
            clock: Time.

        Raises:
            UnsetVariableError: A credential names a variable that is not set.
        """
        ...

    def at_address(self, config: Any) -> Recipient:
        """The account that the entry names, as far as it is known offline. Raises UnsetVariableError, ConfigError."""
        ...

    async def ask(self, config: Any, *, clock: Clock | None = None) -> Recipient:
        """The account that answers. Raises DestinationError without a usable answer in the retry budget."""
        ...

    async def ask_once(self, config: Any, *, clock: Clock | None = None) -> Recipient | None:
        """The same without waiting for one that is away; None where it does not identify itself at once."""
        ...

    def steps(self, config: Any) -> Iterator[Step]:
        """What ``test-connection`` does, step by step; the first that fails is the last."""
        ...

    def first_rows(self, asks: Asks, there: Mapping[str, Sequence[str]]) -> FirstRows:
        """What `init` asks of the rows of a first sync, and what the answers make of its file.

        Args:
            asks: A person.
            there: The tables of the destination with their columns, where it can be asked (``ListsTables``).
        """
        ...

    def shown(self, batch: pa.RecordBatch, sync: Any, stream: str) -> list[bytes]:
        """Each row as ``preview`` shows what would be sent, JSON; as long as the batch."""
        ...


class Destination(Protocol):
    """One sync's way into one destination, open for one run.

    Attributes:
        name: What messages call it: ``workspace main``.
        kind: Its kind, which is the stage at which rows fail that it refuses.
        limits: What one request may carry.
        recipient: Who is there; after ``prepare``, as it calls itself.
    """

    name: str
    kind: str
    limits: Limits
    recipient: Recipient

    async def prepare(self) -> None:
        """Makes sure, before the first row, that the destination can take what the sync sends.

        Raises:
            DestinationError: It cannot, or does not answer.
            ConfigError: The sync needs what the destination's entry does not have.
        """
        ...

    async def kept_back(self, batch: pa.RecordBatch, stream: str) -> Sequence[KeptBack]:
        """The rows of a batch that are not to be sent; most syncs have none, without asking anyone.

        Raises:
            DestinationError: The destination was asked and gave no usable answer.
        """
        ...

    def identifiers(self, batch: pa.RecordBatch, stream: str) -> pa.StringArray:
        """Each row's identifier as failed rows show it; as long as the batch, empty where it is missing."""
        ...

    def repeats(self, stream: str) -> bool:
        """Whether rows with one identifier may come several times, and must then arrive in the order of the rows."""
        ...

    def items(self, batch: pa.RecordBatch, stream: str) -> Sequence[bytes]:
        """Encodes each row of a batch (with ``ROW_NUMBER``) as one item, in order, as long as the batch.

        Batch after batch, and in a thread beside the one that awaits ``send``; so is ``identifiers`` called.
        """
        ...

    async def send(self, items: Sequence[bytes]) -> Answer:
        """Sends one request.

        Raises:
            UnauthorizedError: The credentials are refused.
            DestinationRefusedError: No request of this sync can succeed (in the wrong region, for example).
        """
        ...

"""What a destination may be able to do beyond taking rows; asked for by ``isinstance``, so ``base`` never grows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    import pyarrow as pa

    from reverse_etl.changeset.parts import Outcomes, Parts
    from reverse_etl.changeset.recipient import Recipient
    from reverse_etl.destinations.base import Accepted, Answer, KeptBack
    from reverse_etl.pacing.trouble import TryAgain


@runtime_checkable
class Finishes(Protocol):
    """A destination that has more to do with rows that were delivered."""

    async def after_delivery(self, parts: Parts, outcomes: Outcomes) -> int:
        """Does it, when the first stream is delivered, and returns for how many rows. Raises DestinationError."""
        ...


@runtime_checkable
class Removes(Protocol):
    """A destination from which what a sync no longer returns can be taken."""

    async def mirror(self, parts: Parts) -> int:
        """Takes away what is not among the rows, every one of which is delivered or left out by choice.

        Raises:
            CheckFailedError: That is more than the sync lets go at once.
            DestinationError: It cannot be done.
        """
        ...


@runtime_checkable
class Deletes(Protocol):
    """A table from which rows can be deleted.

    Attributes:
        deletes: Whether rows that say of themselves that they are gone (``changeset.columns``) are to be deleted.
    """

    deletes: bool

    async def delete(self, batch: pa.RecordBatch) -> Answer:
        """Deletes the rows with the keys of a slice, as ``TableDestination.write`` writes one; some may be gone.

        Args:
            batch: The columns of the key, in any type, and ``ROW_NUMBER``.

        Raises:
            UnauthorizedError: The credentials are refused.
            DestinationRefusedError: No row can be deleted.
        """
        ...


class Fate(Enum):
    """What became of a slice, or a request, whose answer was lost."""

    WRITTEN = auto()
    NOT_WRITTEN = auto()
    """It may be written again."""
    UNKNOWN = auto()
    """There is no way to find out."""


Note = Callable[[str, "Accepted"], None]
"""Keeps, beyond the end of the process, by what a slice can be asked about, and its answer in case it was written."""


@runtime_checkable
class Appends(Protocol):
    """A table to which rows can be added each time: a slice that is written twice is there twice.

    Attributes:
        appends: Whether this sync's rows are written so; they are given to ``append`` then, none to ``write``.
    """

    appends: bool

    async def append(self, batch: pa.RecordBatch, *, token: str, note: Note) -> Answer:
        """Adds a slice of what ``fit`` gave: all of it but the rows that the answer names, or nothing.

        After ``TryAgain`` the caller asks for the ``fate`` of what was noted in this call, if anything was, and calls
        again only where that is ``NOT_WRITTEN``.

        Args:
            batch: As ``TableDestination.write`` takes it.
            token: Of these rows of this run: the same whenever they are sent, another for all others.
            note: To be called with a mark once the slice may become visible at any moment: right before COMMIT.

        Raises:
            UnauthorizedError: The credentials are refused.
            DestinationRefusedError: No row of this sync can be written.
        """
        ...

    async def fate(self, mark: str) -> Fate | TryAgain:
        """What became of the slice with a mark, which an earlier process may have noted. Raises as ``append``."""
        ...


@runtime_checkable
class MarksRuns(Protocol):
    """A destination that writes into rows which run they are of."""

    def of_run(self, run_id: str, started_at: int) -> None:
        """Before ``prepare``: the run, and when it began, Unix seconds. One that continues has those of the first."""
        ...


GONE: Final = "\0deleted"
"""Among the attributes of ``AsSent``, what becomes of a row that says that it is gone; no column has that name."""


@dataclass(frozen=True, slots=True)
class AsSent:
    """What a destination is sent of a batch, as far as two readings of a row are compared by it.

    Attributes:
        keys: What the destination knows a row by, as it compares keys itself; as long as the batch, null for none.
        attributes: The text of each attribute in what is sent, by name; null where it is left out. Rows for which all
            texts are equal are sent alike.
        other: What else the destination knows a row by, alike; None where there is no such thing, or where nothing
            becomes of what is gone. A key that is gone while a row has its other identifier was given another key, and
            is not gone.
        names: The texts of the columns that name a row (``Stream.key``), where they are not those of the batch.
        owners: The keys of the sync's own rows that these belong to, with which the destination removes them; None
            where there are none.
    """

    keys: pa.StringArray
    attributes: Mapping[str, pa.StringArray]
    other: pa.StringArray | None = None
    names: Sequence[pa.StringArray] | None = None
    owners: pa.StringArray | None = None


@runtime_checkable
class Compares(Protocol):
    """A kind of destination in which what was acknowledged before need not be sent again."""

    def as_sent(self, batch: pa.RecordBatch, sync: Any, stream: str) -> AsSent:
        """The keys and attributes of a batch of a stream (with ``ROW_NUMBER``), whatever the checks say of its rows."""
        ...

    def identity(self, sync: Any, stream: str) -> tuple[str, ...]:
        """What the keys of a stream name, in a destination: equal for syncs with the same kind of keys."""
        ...

    def shape(self, sync: Any, stream: str) -> str:
        """What decides how a row is sent, beside its values; where it changes, every row is sent again."""
        ...

    def forgets_after_s(self, sync: Any, stream: str) -> int | None:
        """Seconds after which a key that no row has any more cannot come back; None: it may at any time."""
        ...


@dataclass(frozen=True, slots=True)
class KeysLike:
    """Which keys, as ``AsSent`` has them, are of one identifier.

    Attributes:
        exact: These; None: those that begin and end in a way.
        start: How they begin.
        end: How they end; what is between names what the row is beside its identifier.
    """

    exact: tuple[str, ...] | None = None
    start: str = ""
    end: str = ""


@runtime_checkable
class Merges(Protocol):
    """A kind of destination that leaves an attribute as it is where a row lacks it: each is known by itself."""

    def cleared(self, sync: Any, stream: str) -> str | None:
        """The text that clears an attribute; None for a stream whose rows are known as a whole alone."""
        ...

    def lasting(self, sync: Any, stream: str) -> tuple[str, ...]:
        """The attributes that nothing clears."""
        ...

    def rows_of(
        self, keys: pa.StringArray, texts: Mapping[str, pa.StringArray], sync: Any, stream: str
    ) -> pa.RecordBatch:
        """Rows of a stream, without ``ROW_NUMBER``, of which ``AsSent`` is this.

        Args:
            keys: As ``AsSent`` has them.
            texts: Of each attribute, by name, as long as the keys; null, or what clears it, for none.
            sync: The sync.
            stream: One of its streams whose rows are known by attribute.
        """
        ...

    def overwrites(self, sync: Any, stream: str) -> bool:
        """Whether a row overwrites what it has no value for, so that all of its values have to be known to send it."""
        ...

    def keys_like(self, identifier: str, sync: Any, stream: str) -> KeysLike:
        """The keys of the rows that failed rows show by an identifier."""
        ...


@runtime_checkable
class ShowsTexts(Protocol):
    """A kind of destination whose texts of values, as ``AsSent`` has them, are not those that people are shown."""

    def shown_text(self, text: str) -> str:
        """A value as people read it."""
        ...


@runtime_checkable
class SendsSome(Protocol):
    """A destination with items that can be made of some of a row's attributes."""

    def items_of(self, batch: pa.RecordBatch, stream: str, chosen: Mapping[str, pa.BooleanArray]) -> Sequence[bytes]:
        """The same as ``Destination.items``, of chosen attributes.

        Args:
            batch: The rows.
            stream: Theirs.
            chosen: By attribute, as long as the rows: whether it is sent, and cleared where the row has no value for
                it; null where it is sent as the row has it. Attributes that are not named are sent as well.
        """
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """From when on what a destination reports is of a run.

    Attributes:
        since: Unix seconds by the destination's clock.
        seen: Ids of reports that were there before the run, of those that are not older than ``since``.
    """

    since: int
    seen: frozenset[str]


class Reported(Protocol):
    """Something that was accepted and not done."""

    @property
    def id(self) -> str:
        """Its own; may be empty."""
        ...

    @property
    def at(self) -> int:
        """Unix seconds by the destination's clock."""
        ...


@runtime_checkable
class Verifies(Protocol):
    """A destination that reports, a while after it accepted rows, which of them it did not apply."""

    recipient: Recipient

    def identifiers(self, batch: pa.RecordBatch, stream: str) -> pa.StringArray:
        """Each row's identifier, as ``Destination`` has it."""
        ...

    @property
    def reads_back(self) -> bool:
        """Whether runs of this sync look at what it reports."""
        ...

    async def activity_window(self) -> Window:
        """The time of a run that begins now. Raises DestinationError where the reports cannot be read."""
        ...

    async def read_activities(self, window: Window, *, at_once: bool = False) -> tuple[list[Any], bool]:
        """What was not applied in a window, each a ``Reported``, and whether that is all of it.

        Raises:
            DestinationError: The reports cannot be read.
        """
        ...

    def not_applied(self, parts: Parts, outcomes: Outcomes, found: list[Any]) -> Iterator[KeptBack]:
        """The delivered rows of a stream that reports are about."""
        ...

"""What a destination that takes requests may be able to do beyond ``base``; asked for by ``isinstance``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import pyarrow as pa

    from reverse_etl.changeset.parts import Outcomes, Parts
    from reverse_etl.destinations.base import Accepted, Answer, InDoubt, Refusal
    from reverse_etl.destinations.powers import Fate
    from reverse_etl.pacing.trouble import TryAgain


@runtime_checkable
class SendsOnce(Protocol):
    """A service that applies a request twice where it is sent twice, as one that posts messages does.

    Attributes:
        once: Whether this sync's requests are such; they are given to ``send_once`` then, none to ``send``.
    """

    once: bool

    async def send_once(self, items: Sequence[bytes]) -> Answer | InDoubt:
        """Sends one request, as ``Destination.send`` does; ``TryAgain`` means that nothing of it was applied."""
        ...

    async def fate(self, items: Sequence[bytes]) -> Fate | Accepted | TryAgain:
        """What became of a request in doubt, which an earlier process may have sent. Raises as ``Destination.send``.

        ``NOT_WRITTEN`` has it sent again; ``UNKNOWN`` leaves its rows as failed ones. Where some of its items were
        applied, an answer tells the others to be sent ``again``.
        """
        ...


@runtime_checkable
class PacesKeys(Protocol):
    """A service with a rate limit of what a request is about, such as a channel, beside its limit of all requests.

    Attributes:
        requests_per_second_per_key: Requests a second about one of them.
    """

    requests_per_second_per_key: float

    def pace_keys(self, items: Sequence[bytes]) -> Sequence[str]:
        """What a request with some items is about, each once; empty for nothing that has a limit."""
        ...


@runtime_checkable
class KeepsTogether(Protocol):
    """A service in which some rows are in each other's way, such as children of one parent, unless they go in turn.

    Attributes:
        keeps_together: Whether this sync has such rows.
    """

    keeps_together: bool

    def together(self, batch: pa.RecordBatch, stream: str) -> pa.StringArray:
        """What rows have in common that go in turn, in any case; as long as the batch, without nulls."""
        ...


class JobState(Enum):
    """How far a job is."""

    OPEN = auto()
    """It has not been closed: nothing of it is applied."""
    AT_WORK = auto()
    """It was closed, and has not ended."""
    ENDED = auto()
    """In whichever way: what became of its rows can be fetched."""
    UNKNOWN = auto()
    """The service does not have it any more."""


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """What became of some rows of a job that has ended, by their places among its keys.

    Attributes:
        delivered: int64.
        refusals: At most one a row.
    """

    delivered: pa.Int64Array
    refusals: Sequence[Refusal] = ()


@runtime_checkable
class RunsJobs(Protocol):
    """A service that takes many rows as one job, and says what became of each once the job has ended.

    A job's rows are known by their keys, each of which is in one row. Rows of which a job says nothing were not
    applied; they are sent again, in another job or by ``Destination.send``. Methods raise as ``Destination.send``.

    Attributes:
        max_job_bytes: Largest content of one job.
    """

    max_job_bytes: int

    def takes_jobs(self, rows: int) -> bool:
        """Whether that many rows are better sent in jobs."""
        ...

    def job_keys(self, batch: pa.RecordBatch) -> pa.StringArray:
        """The key of each row, as ``job_answers`` looks for it; null where a job cannot take the row."""
        ...

    def job_rows(self, batch: pa.RecordBatch) -> bytes:
        """Rows as a job has them; what comes before the first is with ``fill_job``."""
        ...

    async def open_job(self) -> str | TryAgain:
        """Makes a job, and gives its id. Nothing is applied before it is closed."""
        ...

    async def fill_job(self, job: str, names: Sequence[str], rows: Sequence[bytes]) -> TryAgain | None:
        """Uploads the content of a job, once."""
        ...

    async def close_job(self, job: str) -> TryAgain | None:
        """Has the service begin; closing it again does no harm."""
        ...

    async def abandon_job(self, job: str) -> None:
        """Gives up a job, as far as that can be done: what of it was applied stays, nothing more is."""
        ...

    async def state_of_job(self, job: str) -> JobState | TryAgain:
        """How far it is."""
        ...

    def job_answers(self, job: str, keys: pa.StringArray) -> AsyncIterator[JobAnswer | TryAgain]:
        """What became of the rows of a job that has ended, some at a time; ``TryAgain`` settles none and is the last.

        Args:
            job: Its id.
            keys: Those of its rows, in order.
        """
        ...


class SentKeys(Protocol):
    """What a sync sent before, by keys that hold no value. Kept beyond the run; raises StateError."""

    def known(self) -> frozenset[str]:
        """Those that other runs sent, as long as they count."""
        ...

    def doubts(self) -> dict[str, int]:
        """Those that other runs may have sent, alike, and when, Unix seconds."""
        ...

    def keep(self, keys: Sequence[str]) -> None:
        """Before a request leaves: its keys, in doubt from now on."""
        ...

    def settle(self, keys: Sequence[str]) -> None:
        """The request was applied, whichever run sent it."""
        ...

    def forget(self, keys: Sequence[str]) -> None:
        """The request was surely not applied."""
        ...


@runtime_checkable
class RemembersSent(Protocol):
    """A service to which nothing is to be sent that an earlier run sent.

    Attributes:
        remembers_for_s: For how long a key counts, seconds; 0 where this sync remembers nothing.
        doubt: What a retry does with a row in doubt, in sentences.
    """

    remembers_for_s: int

    @property
    def doubt(self) -> str:
        """What a retry does with a row in doubt."""
        ...

    def remember(self, sent: SentKeys) -> None:
        """Before ``prepare``: where keys are kept; a push has no such place."""
        ...


@runtime_checkable
class LooksAtAll(Protocol):
    """A service that has to know how many rows there are before it takes the first."""

    async def before_delivery(self, parts: Parts, outcomes: Outcomes) -> None:
        """After ``prepare``: the rows of the first stream, and what became of them so far.

        Raises:
            CheckFailedError: They are too many.
        """
        ...


@dataclass(frozen=True, slots=True)
class Backfill:
    """What a run that was confirmed would send.

    Attributes:
        rows: All rows to send.
        people: Whose they are.
        old: Of the rows, those that a run leaves out that was not confirmed.
        can_trigger: Of the rows, those that are young enough to set something off where they arrive.
        old_can_trigger: Of these, the old ones.
        first_at: When the oldest happened, Unix seconds; None without rows.
        last_at: When the youngest did, likewise.
        sentence: All of that for a person.
    """

    rows: int = 0
    people: int = 0
    old: int = 0
    can_trigger: int = 0
    old_can_trigger: int = 0
    first_at: int | None = None
    last_at: int | None = None
    sentence: str = ""


@runtime_checkable
class Backfills(Protocol):
    """A kind of destination with old rows that a person confirms."""

    def old_rows(self, rows: Iterator[pa.RecordBatch], sync: Any, *, started_at: int, scratch: Path) -> Backfill:
        """Counts what is to be confirmed, in bounded memory.

        Args:
            rows: The rows to send, in canonical types; batches may be empty.
            sync: Theirs, with ``backfills``.
            started_at: When they were read by the database's clock, Unix seconds: the present.
            scratch: A folder to make, and to remove, for what does not fit into memory.
        """
        ...


@runtime_checkable
class JudgesAge(Protocol):
    """A destination whose rows may have become too old since they were read, in a run that continues another one."""

    def judge_age(self, now: Callable[[], float]) -> None:
        """Before the first row: the database's present, Unix seconds; rows that are too old by it are kept back."""
        ...


@runtime_checkable
class Foretells(Protocol):
    """A service that can say, before anything is sent, what it would not take.

    Attributes:
        only_reads: Whether ``prepare`` makes and changes nothing there, so that a plan may call it, and ``kept_back``.
    """

    only_reads: bool


@runtime_checkable
class GivesNotices(Protocol):
    """A service that has something to say of a delivery that is no failure."""

    def notices(self) -> Sequence[str]:
        """When the rows are delivered: what a person is to know, in sentences without a row's value; often nothing."""
        ...

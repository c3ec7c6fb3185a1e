"""Items sent again, requests sent once, keys with a pace: each row has one outcome, and a true one."""

# ruff: noqa: ARG002
# Test doubles answer without looking at what they are given.

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.changeset.parts import Outcomes, Parts, with_row_numbers
from reverse_etl.changeset.recipient import Recipient
from reverse_etl.delivery import sender as sender_module
from reverse_etl.delivery.deliver import Delivered, deliver
from reverse_etl.destinations.base import Accepted, Again, Answer, InDoubt, KeptBack, Limits, Refusal, TryAgain
from reverse_etl.destinations.powers import Fate
from reverse_etl.errors import DestinationUnavailableError, UnauthorizedError
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.report import Outcome, Reason
from reverse_etl_tests.destinations.scripted import FastClock

ROWS = 23
ALL = set(range(1, ROWS + 1))
LOCKED = Reason("locked", "", "the parent is locked.")
BAD = Reason("invalid", "id", "bad one.")


@dataclass(slots=True)
class Service:
    """Takes ids; a test says what goes wrong.

    Attributes:
        bad: Ids that are refused.
        throttled: How often an id is not applied yet, whatever it is sent with.
        locked: Ids that are applied only in a request of their own.
        all_or_nothing: Apply nothing where one is bad, and name those.
        lost: ``before`` or ``after`` a request is applied, its answer is lost; ``never`` is no answer at all.
        known: What it says of requests in doubt; None: the truth.
        applied: Every id, once for each time.
        sizes: Items of each request.
    """

    bad: frozenset[int] = frozenset()
    throttled: Counter[int] = field(default_factory=Counter)
    locked: frozenset[int] = frozenset()
    all_or_nothing: bool = False
    lost: list[str] = field(default_factory=list)
    known: Fate | None = None
    once: bool = False
    unauthorized: bool = False
    applied: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    asked: list[Sequence[int]] = field(default_factory=list)
    sending: asyncio.Event = field(default_factory=asyncio.Event)
    name: str = "destination alerts"
    kind: str = "slack"
    limits: Limits = field(default_factory=lambda: Limits(100, 10_000, 0, 5, 1_000_000.0, 3))
    recipient: Recipient = field(default_factory=lambda: Recipient("alerts"))

    async def prepare(self) -> None:
        """It takes everything."""

    async def kept_back(self, batch: pa.RecordBatch, stream: str) -> Sequence[KeptBack]:
        """Nothing."""
        return []

    def identifiers(self, batch: pa.RecordBatch, stream: str) -> pa.StringArray:
        """The ids."""
        return batch.column("id").cast(pa.string())

    def repeats(self, stream: str) -> bool:
        """No id comes twice."""
        return False

    def items(self, batch: pa.RecordBatch, stream: str) -> list[bytes]:
        """The ids."""
        return [orjson.dumps(each) for each in batch.column("id").to_pylist()]

    async def send(self, items: Sequence[bytes]) -> Answer:
        """As the script says."""
        assert not self.once
        return self._take([orjson.loads(each) for each in items])

    async def send_once(self, items: Sequence[bytes]) -> Answer | InDoubt:
        """As the script says."""
        if self.unauthorized:
            raise UnauthorizedError("the token is refused.", hint="")
        trouble = self.lost.pop(0) if self.lost else ""
        ids = [orjson.loads(each) for each in items]
        if trouble == "again":
            return TryAgain("HTTP 429", after_s=1.0)
        if trouble == "before":
            return InDoubt("HTTP 500")
        answer = self._take(ids)
        self.sending.set()
        if trouble == "never":
            await asyncio.Event().wait()
        return InDoubt("no answer") if trouble == "after" else answer

    async def fate(self, items: Sequence[bytes]) -> Fate | TryAgain:
        """The truth, or what the test wants."""
        ids = [orjson.loads(each) for each in items]
        self.asked.append(ids)
        if self.known is not None:
            return self.known
        return Fate.WRITTEN if ids[0] in self.applied else Fate.NOT_WRITTEN

    def _take(self, ids: Sequence[int]) -> Answer:
        self.sizes.append(len(ids))
        bad = [place for place, each in enumerate(ids) if each in self.bad]
        refusals = tuple(Refusal(place, BAD) for place in bad)
        if bad and self.all_or_nothing:
            return Accepted(refusals, again=tuple(Again(at, BAD) for at in range(len(ids)) if at not in bad))
        again = []
        for place, each in enumerate(ids):
            if place in bad:
                continue
            if self.throttled[each]:
                self.throttled[each] -= 1
                again.append(Again(place, Reason("throttled", "", "too fast."), after_s=30.0))
            elif each in self.locked and len(ids) > 1:
                again.append(Again(place, LOCKED, most=4))
            else:
                self.applied.append(each)
        return Accepted(refusals, again=tuple(again))


@dataclass(slots=True)
class Run:
    """Rows ``1`` to ``ROWS`` in two parts, delivered as often as a test likes."""

    folder: Path
    parts: Parts = field(init=False)
    outcomes: Outcomes = field(init=False)
    time: FastClock = field(default_factory=FastClock)

    def __post_init__(self) -> None:
        """Stores them."""
        self.parts = Parts(self.folder / "rows", "rows")
        ids = [*range(1, ROWS + 1)]
        self.parts.write(with_row_numbers(pa.RecordBatch.from_pydict({"id": part}) for part in (ids[:11], ids[11:])))
        self.outcomes = self.parts.outcomes(ROWS)

    async def delivery(self, service: Service, policy: RetryPolicy | None = None) -> Delivered:
        """One delivery, on a fast clock, as a new process does it."""
        clock = self.time.clock()
        self.outcomes = self.parts.outcomes(ROWS)
        patience = Patience(policy or RetryPolicy(), name=service.name, clock=clock)
        return await deliver(self.parts, self.outcomes, service, patience=patience, clock=clock)

    def rows(self, outcome: Outcome) -> set[int]:
        """Rows with an outcome, as the ledger on disk has it."""
        return {number for number, each in enumerate(self.parts.outcomes(ROWS).tolist(), 1) if each == outcome}

    def reasons(self) -> dict[int, str]:
        """Why rows failed."""
        return {row.row_number: row.why.reason for row in self.parts.failed()}


@pytest.mark.thorough
@settings(max_examples=60, deadline=None)
@given(
    bad=st.frozensets(st.integers(1, ROWS)),
    throttled=st.dictionaries(st.integers(1, ROWS), st.integers(1, 3)),
    locked=st.frozensets(st.integers(1, ROWS)),
    all_or_nothing=st.booleans(),
)
def test_what_was_not_applied_is_sent_again(
    bad: frozenset[int], throttled: dict[int, int], locked: frozenset[int], all_or_nothing: bool
) -> None:
    """Items throttled, in each other's way, or in a request with a bad one: each good one is applied once."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        service = Service(bad, Counter(throttled), locked, all_or_nothing)
        asyncio.run(run.delivery(service))
        assert sorted(ALL - bad) == sorted(service.applied)
        assert (ALL - bad, set(bad)) == (run.rows(Outcome.DELIVERED), run.rows(Outcome.REFUSED))
        assert (30.0 in {round(each) for each in run.time.slept_s}) == bool({*throttled} - bad)


def test_what_is_in_the_way_for_good_is_refused_for_it(tmp_path: Path) -> None:
    """After as many tries as the destination allows, in requests of ever fewer items."""
    tries: list[int] = []

    class Locked(Service):
        async def send(self, items: Sequence[bytes]) -> Answer:
            if b"3" in items:
                tries.append(len(items))
            return Accepted(again=tuple(Again(at, LOCKED, most=4) for at, each in enumerate(items) if each == b"3"))

    run = Run(tmp_path)
    asyncio.run(run.delivery(Locked()))
    assert ([5, 1, 1, 1], {3: "locked"}) == (tries, run.reasons())


def test_rows_throttled_for_ever_use_up_the_retry_budget(tmp_path: Path) -> None:
    """They are undelivered; the others are delivered."""
    run = Run(tmp_path)
    service = Service(throttled=Counter(dict.fromkeys((3, 4), 10_000)))
    with pytest.raises(DestinationUnavailableError, match="throttled"):
        asyncio.run(run.delivery(service, RetryPolicy(budget_s=100)))
    assert {3, 4} <= run.rows(Outcome.UNDELIVERED)
    assert {1, 2, 5} <= run.rows(Outcome.DELIVERED)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["", "before", "after", "again"]), max_size=8))
def test_a_service_that_can_be_asked_applies_each_row_once(lost: list[str]) -> None:
    """Whatever answers are lost; what was not applied is sent again."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        service = Service(once=True, lost=list(lost))
        asyncio.run(run.delivery(service))
        assert (sorted(ALL), ALL) == (sorted(service.applied), run.rows(Outcome.DELIVERED))
        assert b"[]" == (run.parts.folder / "in_doubt.json").read_bytes()


@pytest.mark.thorough
@pytest.mark.parametrize("trouble", ["before", "after"])
def test_rows_whose_fate_stays_unknown_are_refused_and_not_sent_again(tmp_path: Path, trouble: str) -> None:
    """In doubt is said; a further delivery of the same rows sends none of them."""
    run = Run(tmp_path)
    service = Service(once=True, lost=["", trouble], known=Fate.UNKNOWN)
    asyncio.run(run.delivery(service))
    doubtful = run.rows(Outcome.REFUSED)
    assert (5, dict.fromkeys(doubtful, "in_doubt")) == (len(doubtful), run.reasons())
    assert 1 == max(Counter(service.applied).values())
    asyncio.run(run.delivery(service))
    assert (1, doubtful) == (max(Counter(service.applied).values()), run.rows(Outcome.REFUSED))


@pytest.mark.parametrize(
    ("known", "outcome", "times"),
    [
        (None, Outcome.DELIVERED, 1),
        (Fate.UNKNOWN, Outcome.REFUSED, 1),
        (Fate.NOT_WRITTEN, Outcome.DELIVERED, 2),
    ],
)
def test_a_process_that_ended_in_a_request_is_asked_about_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: Fate | None, outcome: Outcome, times: int
) -> None:
    """Its rows are found in the note; only where the service says so is anything sent again."""
    monkeypatch.setattr(sender_module, "GRACE_S", 0.0)
    run = Run(tmp_path)
    service = Service(once=True, lost=["never"], known=known)
    service.limits = Limits(100, 10_000, 0, 5, 1_000_000.0, 1)

    async def ended() -> None:
        delivery = asyncio.create_task(run.delivery(service))
        await service.sending.wait()
        delivery.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivery

    asyncio.run(ended())
    assert [1, 2, 3, 4, 5] == service.applied
    assert [[[1, 5]]] == orjson.loads((run.parts.folder / "in_doubt.json").read_bytes())
    service.asked.clear()
    asyncio.run(run.delivery(service))
    assert [[1, 2, 3, 4, 5]] == service.asked
    assert {1, 2, 3, 4, 5} <= run.rows(outcome)
    assert (ALL, times) == ({*service.applied}, Counter(service.applied)[1])


def test_what_surely_was_not_applied_is_not_in_doubt(tmp_path: Path) -> None:
    """A refused token, or a rate limit for longer than the run waits: a later run sends it, without asking."""
    run = Run(tmp_path)
    with pytest.raises(UnauthorizedError):
        asyncio.run(run.delivery(Service(once=True, unauthorized=True)))
    with pytest.raises(DestinationUnavailableError):
        asyncio.run(run.delivery(Service(once=True, lost=["again"] * 99), RetryPolicy(budget_s=5)))
    service = Service(once=True, known=Fate.UNKNOWN)
    asyncio.run(run.delivery(service))
    assert ([], ALL) == (service.asked, run.rows(Outcome.DELIVERED))


def test_what_a_request_is_about_has_a_pace_of_its_own(tmp_path: Path) -> None:
    """Requests about one channel follow each other at its rate; those about others do not wait for it."""

    class Channels(Service):
        requests_per_second_per_key = 1.0

        def pace_keys(self, items: Sequence[bytes]) -> Sequence[str]:
            return sorted({f"c{orjson.loads(each) % 2}" for each in items})

    run = Run(tmp_path)
    service = Channels()
    service.limits = Limits(100, 10_000, 0, 1, 1_000_000.0, 4)
    began = run.time.now_s
    asyncio.run(run.delivery(service))
    assert sorted(ALL) == sorted(service.applied)
    # 12 odd ones and 11 even ones: the first of each goes at once.
    assert 11 <= run.time.now_s - began < 13

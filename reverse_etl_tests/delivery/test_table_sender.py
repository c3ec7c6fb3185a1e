"""Rows written to a table in slices: whatever the destination answers, each has exactly one outcome, and a true one."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.changeset.parts import ROW_NUMBER, Outcomes, Parts, with_row_numbers
from reverse_etl.changeset.recipient import Recipient
from reverse_etl.delivery import settling, table_sender
from reverse_etl.delivery.deliver import Delivered, deliver
from reverse_etl.destinations.base import Accepted, Answer, KeptBack, Refusal, RequestRefused, TryAgain
from reverse_etl.destinations.tables import Fitted
from reverse_etl.errors import DestinationRefusedError, DestinationUnavailableError
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.report import Counts, Outcome, Reason
from reverse_etl_tests.destinations.scripted import FastClock

ROWS = 23


@dataclass(slots=True)
class ScriptedTable:
    """A table whose every answer a test decides.

    Attributes:
        bad: Rows that are refused.
        unfit: Rows that do not fit.
        whole: Refuse a whole slice with a bad row, without saying which.
        troubles: ``before`` or ``after`` the rows are written, an answer that settles nothing.
        stored: The rows in the table, in the order in which they came.
        sizes: Rows of each slice.
    """

    bad: frozenset[int] = frozenset()
    unfit: frozenset[int] = frozenset()
    whole: bool = False
    troubles: list[str] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    name: str = "destination crm"
    kind: str = "postgres"
    rows_per_transaction: int = 5
    recipient: Recipient = field(default_factory=lambda: Recipient("crm"))
    may_answer: asyncio.Event | None = None
    writing: asyncio.Event = field(default_factory=asyncio.Event)
    lost: Accepted | None = None

    async def prepare(self) -> None:
        """The table takes everything."""

    def identifiers(self, batch: pa.RecordBatch) -> pa.StringArray:
        """The ids."""
        return batch.column("id")

    def fit(self, batch: pa.RecordBatch) -> Fitted:
        """Everything but what the test says."""
        rows = [number for number in batch.column(ROW_NUMBER).to_pylist() if number in self.unfit]
        kept = KeptBack(pa.array(rows, pa.int64()), Outcome.REJECTED, Reason("too_long", "id", "too long."))
        return Fitted(batch, [kept, kept] if rows else [])

    async def write(self, batch: pa.RecordBatch) -> Answer:
        """As the script says; a slice whose answer was lost is not written twice."""
        self.writing.set()
        if self.may_answer is not None:
            await self.may_answer.wait()
        numbers: Sequence[int] = batch.column(ROW_NUMBER).to_pylist()
        if self.lost is not None:
            answer, self.lost = self.lost, None
            return answer
        trouble = self.troubles.pop(0) if self.troubles else ""
        if trouble == "before":
            return TryAgain("a deadlock")
        bad = [place for place, number in enumerate(numbers) if number in self.bad]
        if bad and self.whole:
            return RequestRefused(Reason("breaks_check", "id", "a check does not hold."))
        self.sizes.append(len(numbers))
        self.stored += [number for number in numbers if number not in self.bad]
        answer = Accepted(
            tuple(Refusal(place, Reason("breaks_check", "id", "a check does not hold.")) for place in bad)
        )
        if trouble == "after":
            self.lost = answer
            return TryAgain("the connection was lost")
        return answer


@dataclass(slots=True)
class Run:
    """Rows ``1`` to ``ROWS`` in two parts, written as often as a test likes."""

    folder: Path
    parts: Parts = field(init=False)
    outcomes: Outcomes = field(init=False)
    time: FastClock = field(default_factory=FastClock)

    def __post_init__(self) -> None:
        """Stores them."""
        self.parts = Parts(self.folder / "rows", "rows")
        ids = [str(number) for number in range(1, ROWS + 1)]
        self.parts.write(with_row_numbers(pa.RecordBatch.from_pydict({"id": part}) for part in (ids[:11], ids[11:])))
        self.outcomes = self.parts.outcomes(ROWS)

    async def delivery(self, table: ScriptedTable, policy: RetryPolicy | None = None) -> Delivered:
        """One delivery, on a fast clock."""
        clock = self.time.clock()
        patience = Patience(policy or RetryPolicy(), name=table.name, clock=clock)
        return await deliver(self.parts, self.outcomes, table, patience=patience, clock=clock)

    def rows(self, outcome: Outcome) -> set[int]:
        """Rows with an outcome, as the ledger on disk has it."""
        return {number for number, each in enumerate(self.parts.outcomes(ROWS).tolist(), 1) if each == outcome}


ALL = set(range(1, ROWS + 1))


@settings(max_examples=40, deadline=None)
@given(
    bad=st.frozensets(st.integers(1, ROWS)),
    unfit=st.frozensets(st.integers(1, ROWS), max_size=5),
    whole=st.booleans(),
    most=st.integers(1, 30),
    troubles=st.lists(st.sampled_from(["", "before", "after"]), max_size=6),
)
def test_each_row_has_its_outcome(
    bad: frozenset[int], unfit: frozenset[int], whole: bool, most: int, troubles: list[str]
) -> None:
    """Unfit rows, rows refused by name or found by halving, lost answers: what is called delivered is stored once."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        table = ScriptedTable(bad, unfit, whole, list(troubles), rows_per_transaction=most)
        delivered = asyncio.run(run.delivery(table))
        good = ALL - bad - unfit
        assert sorted(good) == table.stored
        assert (good, set(unfit), bad - unfit) == (
            run.rows(Outcome.DELIVERED),
            run.rows(Outcome.REJECTED),
            run.rows(Outcome.REFUSED),
        )
        assert Counts(ROWS, delivered=len(good), rejected=len(unfit), refused=len(bad - unfit)) == delivered.counts
        reasons = {row.row_number: (row.stage, row.why.reason, row.identifier) for row in run.parts.failed()}
        assert reasons == {n: ("postgres", "breaks_check", str(n)) for n in bad - unfit} | {
            n: ("delivery", "too_long", str(n)) for n in unfit
        }


def test_a_further_delivery_writes_only_what_has_no_outcome(tmp_path: Path) -> None:
    """After a stop: written rows are not written again, refused ones keep their reason, the rest arrives."""
    run = Run(tmp_path)
    table = ScriptedTable(frozenset({2}), troubles=["", "", *["before"] * 99])
    with pytest.raises(DestinationUnavailableError):
        asyncio.run(run.delivery(table, RetryPolicy(budget_s=1)))
    assert ({1, 3, 4, 5, 6, 7, 8, 9, 10}, {2}) == (run.rows(Outcome.DELIVERED), run.rows(Outcome.REFUSED))
    messages = {row.why.message for row in run.parts.failed()}
    assert {"a check does not hold.", "the destination gave no usable answer."} == messages
    run.outcomes = run.parts.outcomes(ROWS)
    rest = ScriptedTable()
    asyncio.run(run.delivery(rest))
    assert list(range(11, ROWS + 1)) == rest.stored
    assert (ALL - {2}, [2]) == (run.rows(Outcome.DELIVERED), [row.row_number for row in run.parts.failed()])


def test_a_cancellation_lets_the_slice_in_progress_end(tmp_path: Path) -> None:
    """Its rows are delivered, nothing is written after it, the others are undelivered."""
    run = Run(tmp_path)

    async def check() -> None:
        table = ScriptedTable(may_answer=asyncio.Event())
        task = asyncio.create_task(run.delivery(table))
        await table.writing.wait()
        task.cancel()
        await asyncio.sleep(0)
        assert table.may_answer is not None
        table.may_answer.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [1, 2, 3, 4, 5] == table.stored

    asyncio.run(check())
    assert ({1, 2, 3, 4, 5}, {"canceled"}) == (
        run.rows(Outcome.DELIVERED),
        {row.why.reason for row in run.parts.failed()},
    )


def test_a_cancellation_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice whose answer does not come in time is undelivered."""
    monkeypatch.setattr(table_sender, "GRACE_S", 0.01)
    run = Run(tmp_path)

    async def check() -> None:
        table = ScriptedTable(may_answer=asyncio.Event())
        task = asyncio.create_task(run.delivery(table))
        await table.writing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(check())
    assert ALL == run.rows(Outcome.UNDELIVERED)


def test_a_cancellation_ends_a_wait_for_the_next_attempt(tmp_path: Path) -> None:
    """A table that only answers with trouble is not written to again."""
    run = Run(tmp_path)

    async def check() -> int:
        table = ScriptedTable(troubles=["before"] * 1_000_000)
        task = asyncio.create_task(run.delivery(table, RetryPolicy(budget_s=1e9)))
        await table.writing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return len(table.troubles)

    assert 1_000_000 - 3 < asyncio.run(check())


def test_a_table_that_refuses_everything_whole_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Halving down to every single row, over and over, is not how ten million rows end."""
    monkeypatch.setattr(settling, "MOST_REFUSED_IN_A_ROW", 10)
    run = Run(tmp_path)
    with pytest.raises(DestinationRefusedError, match="10 requests in a row"):
        asyncio.run(run.delivery(ScriptedTable(frozenset(ALL), whole=True)))
    assert {"destination_refused"} == {row.why.reason for row in run.parts.failed() if row.stage == "delivery"}

"""Requests of one delivery: filled by one task, sent by a few others, no more in memory than is about to leave.

``settling`` enters what became of the rows; ``lanes`` chooses the request that a row goes into.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from typing import Any, Final, TypeAlias, cast

import pyarrow as pa

from reverse_etl.changeset.parts import ROW_NUMBER, Outcomes, Parts
from reverse_etl.changeset.row_keys import Keys, row_keys
from reverse_etl.delivery.batches import Request
from reverse_etl.delivery.jobs import JobDestination, Jobs
from reverse_etl.delivery.lanes import Lanes
from reverse_etl.delivery.once import Once
from reverse_etl.delivery.repeats import refuse_spent, repeats_of, unless_all
from reverse_etl.delivery.settling import GRACE_S, Progress, Settling
from reverse_etl.delivery.turns import Turns, lanes_of
from reverse_etl.destinations.base import Accepted, Answer, Destination, Items, RequestRefused, TryAgain
from reverse_etl.destinations.request_powers import KeepsTogether, RunsJobs, SendsOnce
from reverse_etl.errors import ReverseEtlError
from reverse_etl.ledger.ledger import Ledger
from reverse_etl.pacing.concurrency import together
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience
from reverse_etl.pacing.shared_rate import Reserve
from reverse_etl.report import Cause, Outcome, Reason

SLICE_ROWS: Final = 5_000
"""Rows that are encoded in one go, and packed in one go; between two slices answers are read and requests leave."""

_Encoded: TypeAlias = tuple[Sequence[int], Sequence[int], Sequence[bytes], pa.StringArray]
"""Of a slice: row numbers, keys, items, and what rows share whose order is kept."""

_SYNC_S: Final = 0.5


class Sender:
    """One delivery in progress.

    Attributes:
        requests: Requests that were settled.
        halved: Whether one was sent again in halves, though it may have been applied in part.
    """

    def __init__(
        self,
        destination: Destination,
        ledger: Ledger,
        patience: Patience,
        *,
        clock: Clock,
        progress: Progress | None = None,
        reserve: Reserve | None = None,
        items_of: Items | None = None,
    ) -> None:
        self._clock = clock
        self._destination = destination
        self._items_of = items_of or destination.items
        self._ledger = ledger
        self._patience = patience
        self._settling = Settling(ledger, destination.name, destination.kind, progress)
        self._turns = Turns(destination, patience, clock=clock, reserve=reserve)
        together = destination if isinstance(destination, KeepsTogether) else None
        self._together = together if together is not None and together.keeps_together else None
        self._once: Once | None = None
        self._stopping = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sending: set[asyncio.Task[Any]] = set()
        self._keeper: asyncio.Task[Any] | None = None
        self._fullness = 0.0
        self.requests = 0
        self.halved = False

    @property
    def fullness(self) -> float:
        """How full the settled requests were on average; 1 for none."""
        return self._fullness / self.requests if self.requests else 1.0

    async def send(self, parts: Parts) -> None:
        """Sends every row without an outcome; the first failure ends it, a cancellation once answers have come."""
        self._patience.turn = self._turns.turn
        work = asyncio.ensure_future(together([self._keep(), self._transfer(parts)]))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            self._stop()
            await asyncio.wait({work}, timeout=GRACE_S)
            raise
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            self._patience.turn = None
            if self._once is not None:
                await self._once.close()

    def _stop(self) -> None:
        """No further request; tasks that wait for anything but an answer end."""
        self._stopping = True
        for task in self._tasks - self._sending - {asyncio.current_task()}:
            task.cancel()

    async def _keep(self) -> None:
        """Lets the disk have the journal, beside the event loop."""
        self._keeper = asyncio.current_task()
        while True:
            await asyncio.sleep(_SYNC_S)
            await asyncio.to_thread(self._ledger.sync)

    async def _transfer(self, parts: Parts) -> None:
        """Fills the queues and empties them. Rows that must keep their order have a queue for each worker."""
        if isinstance(self._destination, SendsOnce) and self._destination.once:
            self._once = Once(self._destination, parts, self._ledger)
            await self._settle_left(self._once, parts.stream)
        if isinstance(self._destination, RunsJobs):
            await self._send_jobs(cast("JobDestination", self._destination), parts)
        limits = self._destination.limits
        queues: list[asyncio.Queue[Request | None]]
        if self._destination.repeats(parts.stream) or self._together is not None:
            queues = [asyncio.Queue(maxsize=1) for _ in range(lanes_of(limits))]
            workers = [self._empty(queue) for queue in queues]
        else:
            queue: asyncio.Queue[Request | None] = asyncio.Queue(limits.in_flight_at_first or self._turns.workers)
            queues = [queue]
            workers = [self._empty(queue, number) for number in range(self._turns.workers)]
        encoded: asyncio.Queue[_Encoded | None] = asyncio.Queue(1)
        await together([self._encode(parts, encoded), self._fill(encoded, queues, len(workers)), *workers])
        self._settling.report()
        if self._keeper is not None:
            self._keeper.cancel()

    async def _encode(self, parts: Parts, encoded: asyncio.Queue[_Encoded | None]) -> None:
        """Encodes the rows beside the event loop, a slice or two ahead of those that are packed."""
        if not self._may_go_on():
            return
        async for batch in _slices(parts, self._ledger.outcomes):
            identifiers, keys = await asyncio.to_thread(self._identified, batch, parts.stream)
            kept_back = await self._destination.kept_back(batch, parts.stream)
            kept = self._settling.keep_back(batch.column(ROW_NUMBER).to_numpy(), keys, kept_back)
            if kept.any():
                free = pa.array(~kept)
                batch, identifiers, keys = batch.filter(free), identifiers.filter(free), keys[~kept]
            items = await asyncio.to_thread(self._items_of, batch, parts.stream)
            alike = identifiers if self._together is None else self._together.together(batch, parts.stream)
            numbers = array("q", batch.column(ROW_NUMBER).to_numpy().tobytes())
            await encoded.put((numbers, array("Q", keys.tobytes()), items, alike))
        await encoded.put(None)

    async def _fill(
        self, encoded: asyncio.Queue[_Encoded | None], queues: list[asyncio.Queue[Request | None]], workers: int
    ) -> None:
        if not self._may_go_on():
            return
        lanes = Lanes(self._destination.limits, len(queues))
        while (rows := await encoded.get()) is not None:
            for lane, request in lanes.add(*rows):
                await queues[lane].put(request)
            self._fail_too_large(lanes.too_large())
        for lane, request in lanes.rest():
            await queues[lane].put(request)
        self._turns.in_flight.open_all()
        for worker in range(workers):
            await queues[worker % len(queues)].put(None)

    async def _send_jobs(self, destination: JobDestination, parts: Parts) -> None:
        """Sends what jobs take; a cancellation ends the wait for one at once, and the next process asks for it."""
        jobs = Jobs(destination, self._ledger, self._settling, self._patience, clock=self._clock)
        waiting = {task for task in (asyncio.current_task(),) if task is not None}
        self._tasks |= waiting
        await jobs.send(parts)
        self._tasks -= waiting
        self.requests += jobs.count
        self._fullness += jobs.count

    async def _settle_left(self, once: Once, stream: str) -> None:
        """Settles the requests that an earlier process had sent when it ended, but those that can be sent again."""
        for rows in once.left(self._ledger.outcomes):
            _, keys = await asyncio.to_thread(self._identified, rows, stream)
            items = await asyncio.to_thread(self._items_of, rows, stream)
            answer = await self._patience.until_settled(partial(once.resolved, items), on_trouble=self._slow_down)
            if answer is not None:
                self._settling.accept(rows.column(ROW_NUMBER).to_pylist(), keys.tolist(), answer)

    def _identified(self, batch: pa.RecordBatch, stream: str) -> tuple[pa.StringArray, Keys]:
        identifiers = self._destination.identifiers(batch, stream)
        return identifiers, row_keys(batch.column(ROW_NUMBER), identifiers, stream)

    async def _empty(self, queue: asyncio.Queue[Request | None], number: int = 0) -> None:
        """Sends what is in a queue; a worker whose number the window has not reached leaves it to the others."""
        try:
            while self._may_go_on():
                await self._turns.in_flight.until_window_is_over(number)
                free_at = self._clock.now()
                if (request := await queue.get()) is None:
                    return
                self._turns.idled(self._clock.now() - free_at)
                await self._settle(request)
        except ReverseEtlError:
            # What the others have in flight is applied anyway: better to know its answers.
            self._stop()
            if self._sending:
                await asyncio.wait(self._sending, timeout=GRACE_S)
            raise

    def _may_go_on(self) -> bool:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        return not self._stopping

    async def _settle(self, request: Request) -> None:
        """Sends a request until each of its rows has an outcome; halves of a refused one in turn, so order is kept."""
        answer: Accepted | RequestRefused = await self._patience.until_settled(
            partial(self._attempt, request), on_trouble=self._slow_down, is_paced=True
        )
        self.requests += 1
        self._fullness += request.fullness(self._destination.limits)
        if isinstance(answer, RequestRefused):
            self._settling.refuse(request.numbers, request.keys, answer)
            if len(request.items) > 1:
                self.halved = True
                for half in request.halves():
                    await self._settle(half)
                return
        else:
            answer = refuse_spent(answer, request)
            self._settling.accept(request.numbers, request.keys, answer)
        if self._once is not None:
            self._once.settled(request.numbers)
        self._settling.report()
        if isinstance(answer, Accepted) and answer.again:
            await self._repeat(request, answer)

    async def _repeat(self, request: Request, answer: Accepted) -> None:
        """Sends what was not applied again, after the wait that the answer asks for."""
        waited_s = 0.0
        for after_s, again in repeats_of(answer, request):
            if after_s > waited_s:
                self._patience.waits.report(after_s - waited_s, f"because {self._destination.name} asked for it")
                await self._clock.sleep(after_s - waited_s)
                waited_s = after_s
            self._patience.retries += 1
            await self._settle(again)

    async def _attempt(self, request: Request) -> Answer:
        if self._stopping:
            raise asyncio.CancelledError
        async with self._turns.leave(request.items) as leave:
            sending = {task for task in (asyncio.current_task(),) if task is not None}
            self._sending |= sending
            try:
                answer = await self._sent(request)
            finally:
                self._sending -= sending
        self._turns.answered(leave, answer)
        return answer

    async def _sent(self, request: Request) -> Answer:
        once = self._once
        answer = await (
            self._destination.send(request.items) if once is None else once.attempt(request.numbers, request.items)
        )
        return unless_all(answer, len(request.items)) if isinstance(answer, Accepted) else answer

    def _slow_down(self, trouble: TryAgain) -> None:
        if self._stopping:
            raise asyncio.CancelledError
        self._turns.slow_down(trouble)

    def _fail_too_large(self, rows: list[tuple[int, int]]) -> None:
        if rows:
            message = f"the item is larger than {self._destination.limits.max_item_bytes:,} bytes."
            numbers, keys = zip(*rows, strict=True)
            cause = Cause("delivery", Reason("item_too_large", "", message))
            self._ledger.fail(numbers, keys, Outcome.REJECTED, cause)


async def _slices(parts: Parts, outcomes: Outcomes) -> AsyncIterator[pa.RecordBatch]:
    """The rows to send, a few thousand at a time; files are read beside the event loop."""
    batches: Iterator[pa.RecordBatch | None] = iter(parts.sendable(outcomes))
    while (batch := await asyncio.to_thread(next, batches, None)) is not None:
        for start in range(0, batch.num_rows, SLICE_ROWS):
            yield batch.slice(start, SLICE_ROWS)
            await asyncio.sleep(0)

"""Rows sent in jobs: filled, noted, closed, waited for, and settled by what the service says of each row.

    <run folder>/<stream>/jobs.json     the id and the rows of the job that is about to be closed, or is at work

A job is noted before it is closed, so that the next process asks what became of it instead of sending it again. What a
job does not account for is left to ``sender``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import orjson
import pyarrow as pa

from reverse_etl.changeset.parts import JOBS_FILE, ROW_NUMBER, Parts
from reverse_etl.changeset.row_keys import Keys, row_keys
from reverse_etl.destinations.base import Accepted, Destination, TryAgain
from reverse_etl.destinations.request_powers import JobAnswer, JobState, RunsJobs
from reverse_etl.files.private import whole_file
from reverse_etl.ledger.journal import ranges
from reverse_etl.report import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from reverse_etl.delivery.settling import Settling
    from reverse_etl.ledger.ledger import Ledger
    from reverse_etl.pacing.rate_limit import Clock
    from reverse_etl.pacing.retry import Patience

_WAITS_S: Final = (0.1, 10.0)
"""Between two questions how far a job is, least and most."""

_WAITS_SHARE: Final = 0.25
"""Of the time that a job has taken so far, what is waited until the next question."""

_ENCODED_ROWS: Final = 20_000
_LIVES_S: Final = 86_400.0
"""A job that has not ended after so long is not waited for."""


@dataclass(frozen=True, slots=True)
class _Noted:
    """A job that may be at work.

    Attributes:
        job: Its id.
        rows: First and last of each run of its rows.
    """

    job: str
    rows: Sequence[Sequence[int]]

    @property
    def numbers(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.concatenate([np.arange(first, last + 1, dtype=np.int64) for first, last in self.rows])


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a job, in order.

    Attributes:
        numbers: Theirs.
        keys: One of each (``changeset.row_keys``).
        job_keys: By which the job knows them.
    """

    numbers: np.ndarray[tuple[int], np.dtype[np.int64]]
    keys: Keys
    job_keys: pa.StringArray


class JobDestination(RunsJobs, Destination, Protocol):
    """A destination that runs jobs beside requests."""


_Portion = tuple[Sequence[str], list[bytes], list[int]]
"""Names of columns, content, and the numbers of its rows."""


class Jobs:
    """The jobs of one stream's delivery, one after the other.

    Args:
        destination: Where they go.
        ledger: What became of the rows.
        settling: Enters it.
        patience: The run's retry budget.
        clock: Time.

    Attributes:
        count: Jobs that were settled.
    """

    def __init__(
        self, destination: JobDestination, ledger: Ledger, settling: Settling, patience: Patience, *, clock: Clock
    ) -> None:
        self._destination = destination
        self._ledger = ledger
        self._settling = settling
        self._patience = patience
        self._clock = clock
        self.count = 0

    async def send(self, parts: Parts) -> None:
        """Sends what jobs take; what has no outcome afterwards was not applied. Raises as ``Destination.send``."""
        await self._end_earlier(parts)
        noted = _read(parts.folder)
        if noted is not None:
            await self._resume(noted, parts)
        while self._destination.takes_jobs(self._left()):
            before = self._left()
            await self._send_all(parts)
            if self._left() * 2 > before:
                # The jobs do not get far: the rest goes row by row, where each has an answer of its own.
                break
        _forget(parts)

    def _left(self) -> int:
        return int(np.count_nonzero(self._ledger.outcomes == Outcome.UNDELIVERED))

    async def _send_all(self, parts: Parts) -> None:
        portions: Iterator[_Portion | None] = _portions(self._destination, parts, self._ledger)
        while (portion := await asyncio.to_thread(next, portions, None)) is not None:
            await self._run(*portion, parts)

    async def _run(self, names: Sequence[str], contents: list[bytes], numbers: list[int], parts: Parts) -> None:
        job: str = await self._patience.until_settled(self._destination.open_job)
        try:
            await self._patience.until_settled(partial(self._destination.fill_job, job, names, contents))
        except BaseException:
            await asyncio.shield(self._destination.abandon_job(job))
            raise
        noted = _Noted(job, ranges(numbers))
        await asyncio.to_thread(_write, noted, parts)
        await self._patience.until_settled(partial(self._destination.close_job, job))
        await self._settle(noted, parts)

    async def _end_earlier(self, parts: Parts) -> None:
        """Ends the jobs of earlier runs that nobody continues: they would write their older rows over these."""
        runs = parts.folder.parent.parent
        for path in sorted(runs.glob(f"*/{parts.folder.name}/{JOBS_FILE}")):
            noted = _read(path.parent) if path.parent != parts.folder else None
            if noted is None:
                continue
            state = await self._patience.until_settled(partial(self._destination.state_of_job, noted.job))
            if state in (JobState.OPEN, JobState.AT_WORK):
                await self._destination.abandon_job(noted.job)
                await self._ended(noted.job)
            await asyncio.to_thread(_note, None, path)

    async def _resume(self, noted: _Noted, parts: Parts) -> None:
        """Settles the job that an earlier process has left; one that was not closed is given up."""
        state = await self._patience.until_settled(partial(self._destination.state_of_job, noted.job))
        if state is JobState.OPEN:
            await self._destination.abandon_job(noted.job)
        elif state is not JobState.UNKNOWN:
            await self._settle(noted, parts)

    async def _settle(self, noted: _Noted, parts: Parts) -> None:
        await self._ended(noted.job)
        rows = await asyncio.to_thread(self._rows_of, noted, parts)
        settled: list[JobAnswer] = await self._patience.until_settled(partial(self._answers, noted.job, rows.job_keys))
        for answer in settled:
            await asyncio.to_thread(self._enter, answer, rows)
            self._settling.report()
        self.count += 1
        await asyncio.to_thread(self._ledger.sync, at_once=True)

    async def _ended(self, job: str) -> None:
        """Waits until a job has ended. A service that is still working on it counts as reachable."""
        least_s, most_s = _WAITS_S
        began_at = self._clock.now()
        while True:
            state = await self._patience.until_settled(partial(self._destination.state_of_job, job))
            lasts_s = self._clock.now() - began_at
            if state is not JobState.AT_WORK or lasts_s > _LIVES_S:
                return
            wait_s = min(most_s, max(least_s, lasts_s * _WAITS_SHARE))
            self._patience.waits.report(wait_s, f"for job {job} to end")
            await self._clock.sleep(wait_s)

    async def _answers(self, job: str, keys: pa.StringArray) -> list[JobAnswer] | TryAgain:
        found = []
        async for answer in self._destination.job_answers(job, keys):
            if isinstance(answer, TryAgain):
                return answer
            found.append(answer)
        return found

    def _rows_of(self, noted: _Noted, parts: Parts) -> _Rows:
        wanted, numbers, job_keys, keys = noted.numbers, [], [], []
        for batch in parts.batches():
            here = batch.filter(pa.array(np.isin(batch.column(ROW_NUMBER).to_numpy(), wanted)))
            if here.num_rows:
                numbers.append(here.column(ROW_NUMBER).to_numpy())
                job_keys.append(self._destination.job_keys(here))
                identifiers = self._destination.identifiers(here, parts.stream)
                keys.append(row_keys(here.column(ROW_NUMBER), identifiers, parts.stream))
        joined = pa.chunked_array(job_keys, pa.string()).combine_chunks()
        return _Rows(np.concatenate(numbers), np.concatenate(keys), joined)

    def _enter(self, answer: JobAnswer, rows: _Rows) -> None:
        """Enters what became of some rows, but for those that an earlier process has entered."""
        places = np.concatenate([answer.delivered.to_numpy(), [each.place for each in answer.refusals]]).astype(
            np.int64
        )
        is_open = self._ledger.outcomes[rows.numbers[places] - 1] == Outcome.UNDELIVERED
        moved = (np.cumsum(is_open) - 1)[len(answer.delivered) :].tolist()
        refused = is_open[len(answer.delivered) :].tolist()
        refusals = (
            each._replace(place=place)
            for each, place, still in zip(answer.refusals, moved, refused, strict=True)
            if still
        )
        places = places[is_open]
        self._settling.accept(rows.numbers[places].tolist(), rows.keys[places].tolist(), Accepted(tuple(refusals)))


def _portions(destination: RunsJobs, parts: Parts, ledger: Ledger) -> Iterator[_Portion]:
    """The rows without an outcome that jobs take, a job's at a time."""
    names: list[str] = []
    contents: list[bytes] = []
    numbers: list[int] = []
    size = 0
    for whole in parts.sendable(ledger.outcomes):
        for start in range(0, whole.num_rows, _ENCODED_ROWS):
            batch = whole.slice(start, _ENCODED_ROWS)
            batch = batch.filter(destination.job_keys(batch).is_valid())
            if not batch.num_rows:
                continue
            rows = destination.job_rows(batch)
            if contents and size + len(rows) > destination.max_job_bytes:
                yield names, contents, numbers
                contents, numbers, size = [], [], 0
            names = [name for name in batch.schema.names if name != ROW_NUMBER]
            contents.append(rows)
            numbers += batch.column(ROW_NUMBER).to_pylist()
            size += len(rows)
    if contents:
        yield names, contents, numbers


def _read(folder: Path) -> _Noted | None:
    path = folder / JOBS_FILE
    found = orjson.loads(path.read_bytes()) if path.exists() else None
    return _Noted(**found) if found else None


def _write(noted: _Noted | None, parts: Parts) -> None:
    _note(noted, parts.folder / JOBS_FILE)
    if parts.shared is not None:
        parts.shared.put_one(parts.folder.parent, f"{parts.folder.name}/{JOBS_FILE}")


def _note(noted: _Noted | None, path: Path) -> None:
    with whole_file(path) as file:
        file.write(orjson.dumps(noted))


def _forget(parts: Parts) -> None:
    if (parts.folder / JOBS_FILE).exists():
        _write(None, parts)

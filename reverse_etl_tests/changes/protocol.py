"""Many keys with a history each, and runs that go wrong: the product's own code of comparing and keeping what it knows.

A run here is what ``run.stages`` does, without a database that is read and a workspace that is sent to: both are a
dict. Which rows are to be sent, what is written down of them, and what is acknowledged afterwards is the product's.
"""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reverse_etl.changes.keyed import FINGERPRINTS_FILE
from reverse_etl.changeset.facts import Facts, StreamFacts
from reverse_etl.changeset.parts import ROW_NUMBER, Outcomes, Parts, RunFolder, with_row_numbers
from reverse_etl.changeset.recipient import Recipient, RowsFor, keep_rows_for
from reverse_etl.changeset.scope import Reads
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations.customerio.sync import Sync
from reverse_etl.errors import StateError
from reverse_etl.ledger.ledger import Ledger
from reverse_etl.report import STOPPED, Cause, Outcome, Reason
from reverse_etl.run import changes, gone
from reverse_etl.run.acknowledged import forget_old_generations, generations_of, write_generation
from reverse_etl.run.record import SyncRun
from reverse_etl.state import snapshots
from reverse_etl.state.home import Home
from reverse_etl.state.snapshots import snapshot_of
from reverse_etl.state.store import Store
from reverse_etl_tests.destinations.customerio.configs import sync

Row = tuple[str, str | None]
"""A key and its plan."""

PLANS: Final = ("free", "pro", None)
"""Few, so that values come back; NULL clears the attribute."""

BATCH: Final = 10
STAGES: Final = ("validate", "compare", "deliver")

STALE: Final = "what counts as acknowledged is not what is in the destination"
UNKNOWN: Final = "it may be in the destination, and is not known"
OLDER: Final = "older values were sent over newer ones"

REMOVED: Final = "it was removed though it was back before the run began"
NEVER_KNOWN: Final = "it was removed and had never been acknowledged"

_COMPARE: Final = {"by": "compare"}
_PEOPLE: Final[dict[str, Any]] = {"identify_by": "id", "empty_values": "delete"}
_GONE: Final = {"gone": "delete", "gone_wait": "0s", "gone_max": "100%", "gone_max_rows": 1_000}
_SYNCS: Final = (sync(people=_PEOPLE, changes=_COMPARE), sync(people=_PEOPLE | _GONE, changes=_COMPARE))
"""One that leaves who is gone, and one that deletes them at once."""
_SCHEMA: Final = pa.schema([("id", pa.string()), ("plan", pa.string())])
_REFUSED: Final = Cause("delivery", Reason("refused", "", "not taken"))
_FOR: Final = RowsFor(Recipient.at("a workspace"), confirmed=True)


class Stopped(BaseException):
    """The process ends here, without a word: nothing of the product notices."""


@dataclass(slots=True)
class Reading:
    """What one run read.

    Attributes:
        number: Of the reading; a higher one is newer.
        rows: As they were read.
        rejected: Places of rows that the checks keep back.
        planned: Whether a plan read it, which no run has taken.
    """

    number: int
    rows: list[Row]
    rejected: set[int]
    planned: bool = False


@dataclass(slots=True)
class Histories:
    """One sequence of runs over many keys.

    Attributes:
        home: With a state database, a secret and nothing else.
        chance: Decides everything.
        keys: How many; each has a history of its own.
        removes: Whether who is gone is deleted.
        harm: What a sync must never do, as it was seen.
    """

    home: Home
    chance: random.Random
    keys: int
    removes: bool = False
    plans: tuple[str | None, ...] = PLANS
    harm: list[str] = field(default_factory=list)
    source: dict[str, str | None] = field(default_factory=dict)
    there: dict[str, str | None] = field(default_factory=dict)
    _store: Store = field(init=False)
    _sync: Sync = field(init=False)
    _readings: dict[str, Reading] = field(default_factory=dict)
    _newest: dict[str, int] = field(default_factory=dict)
    _forgotten: set[str] = field(default_factory=set)
    _names: dict[tuple[int, int], str] = field(default_factory=dict)
    _values: dict[str | None, int] = field(default_factory=dict)
    _acknowledged: set[str] = field(default_factory=set)
    _ever: set[str] = field(default_factory=set)
    _runs: int = 0
    _requests: int = 0
    _back: set[str] = field(default_factory=set)
    _calm: bool = False

    def __post_init__(self) -> None:
        self._store = Store(self.home.state_url)
        self._sync = _SYNCS[self.removes]

    def play(self) -> list[str]:
        """Some runs that go wrong, then two that do not; what was seen to be wrong."""
        for _ in range(self.chance.randint(4, 8)):
            self._change(0.3)
            with suppress(Stopped, StateError):
                self._any_run()
            self._check_store()
        self._calm = True
        reading = self._run()
        # The last row of a key says what becomes of it.
        wanted = {row[0]: row[1] for place, row in enumerate(reading.rows) if place not in reading.rejected}
        for key, plan in wanted.items():
            if self._is_wrong(key, plan):
                self.harm.append(f"{key} is {self.there.get(key, 'nobody')} in the destination, and {plan} in its row")
        if self.removes:
            # Who may have been sent and was never acknowledged is left alone.
            left = self.there.keys() - {key for key, _ in reading.rows} - self._forgotten
            self.harm += [f"{key} was left behind" for key in sorted(left & self._acknowledged)]
        self._check_store()
        sent = self._requests
        self._run(reading)
        if sent != self._requests:
            self.harm.append("rows that had not changed were sent again")
        return self.harm

    def _is_wrong(self, key: str, plan: str | None) -> bool:
        """Whether something else than a row's value is in the destination."""
        return plan != self.there.get(key, "nobody")

    def _batch(self, rows: list[Row]) -> pa.RecordBatch:
        """Rows as a query returns them."""
        return pa.RecordBatch.from_pylist([{"id": key, "plan": plan} for key, plan in rows], _SCHEMA)

    def _any_run(self) -> None:
        """A run of its own, of everything, of a plan, or one that continues an earlier one at any of its stages."""
        how = self.chance.random()
        if self._lost(snapshot_of(self._store, self._sync.name).sending):
            return
        if how < 0.35 and self._readings:
            sending = snapshot_of(self._store, self._sync.name).sending
            stopped = sending in self._readings and self.chance.random() < 0.5
            changeset = sending if stopped else self.chance.choice([*self._readings][-3:])
            self._continue(changeset, self.chance.choice(STAGES))
        elif how < 0.45:
            self._plan()
        else:
            self._run(reads=Reads.FULL if how > 0.93 else Reads.CHANGES)

    def _lost(self, changeset: str) -> bool:
        """Whether the folder of a run that is not accounted for is lost now, with the machine."""
        if changeset not in self._readings or self.chance.random() > 0.07:
            return False
        rows = self._readings.pop(changeset).rows
        shutil.rmtree(self.home.run_folder(self._sync.name, changeset).path)
        self._forgotten |= {key for key, _ in rows}
        return True

    def _change(self, chance: float) -> None:
        """Each key for itself: it changes, vanishes, returns, or stays as it is."""
        for number in range(self.keys):
            if self.chance.random() < chance:
                if self.chance.random() < (0.35 if self.removes else 0.2):
                    self.source.pop(f"k{number}", None)
                else:
                    self.source[f"k{number}"] = self.chance.choice(self.plans)

    def _run(self, again: Reading | None = None, *, reads: Reads = Reads.CHANGES) -> Reading:
        self._runs += 1
        run = self._record(f"run{self._runs}")
        reading = self._read(run, changes.generation_to_compare_with(run), again=again, reads=reads)
        self._stop(0.15)
        self._deliver(run, reading, STAGES)
        return reading

    def _plan(self) -> None:
        self._runs += 1
        run = self._record(f"plan-{self._runs}")
        reading = self._read(run, snapshot_of(self._store, self._sync.name).generation, reads=Reads.CHANGES)
        reading.planned = True
        self._validate(run.folder, reading)
        changes.compare(run, self._facts(run), planned=True)

    def _continue(self, changeset: str, stage: str) -> None:
        reading = self._readings[changeset]
        sending = snapshot_of(self._store, self._sync.name).sending
        if reading.planned and (sending or stage != "validate"):
            return
        self._runs += 1
        self._back = {*self.source}
        run_id = f"run{self._runs}"
        if reading.planned or self.chance.random() < 0.5:
            # A run of its own, which takes the rows of another one; else that one is executed again.
            self.home.continue_changeset(self._sync.name, run_id, changeset)
            changeset = ""
            stage = STAGES[0]
        self._deliver(self._record(run_id, changeset), reading, STAGES[STAGES.index(stage) :])

    def _record(self, run_id: str, changeset: str = "") -> SyncRun:
        return SyncRun(self._sync, run_id, changeset or run_id, self.home, self._store, datetime.now(UTC))

    def _facts(self, run: SyncRun) -> Facts:
        facts = run.folder.facts()
        assert facts is not None
        return facts

    def _read(self, run: SyncRun, generation: int | None, *, again: Reading | None = None, reads: Reads) -> Reading:
        rows = list(again.rows) if again else self._rows()
        rejected = again.rejected if again else {place for place in range(len(rows)) if self.chance.random() < 0.05}
        reading = Reading(self._runs, rows, rejected)
        batches = [self._batch(rows[at : at + 40]) for at in range(0, len(rows), 40)]
        run.folder.parts(ROWS).write(with_row_numbers(batches))
        keep_rows_for(run.folder, _FOR)
        facts = Facts(
            self._sync.name, 0, 1_800_000_000 + self._runs, {ROWS: StreamFacts(len(rows))}, reads, read_from=0,
            generation=generation,
        )  # fmt: skip
        run.folder.seal(facts)
        self._readings[run.run_id] = reading
        self._back = set()
        return reading

    def _rows(self) -> list[Row]:
        """In any order, some keys twice where nobody is deleted: of such a key, one row may be acknowledged alone."""
        rows: list[Row] = [*self.source.items()]
        twice = 0 if self.removes else 0.03
        rows += [(key, self.chance.choice(PLANS)) for key, _ in rows if self.chance.random() < twice]
        self.chance.shuffle(rows)
        return rows

    def _validate(self, folder: RunFolder, reading: Reading) -> None:
        if not self._calm and self.chance.random() < 0.1:
            # The sync's file has other checks now.
            reading.rejected = {place for place in range(len(reading.rows)) if self.chance.random() < 0.05}
            # What they keep back now and was sent before is in doubt.
            self._acknowledged -= {reading.rows[place][0] for place in reading.rejected}
        outcomes: Outcomes = np.zeros(len(reading.rows), np.uint8)
        outcomes[sorted(reading.rejected)] = Outcome.REJECTED
        folder.parts(ROWS).forget_outcomes()
        folder.parts(ROWS).write_outcomes(outcomes)

    def _deliver(self, run: SyncRun, reading: Reading, stages: tuple[str, ...]) -> None:
        facts = self._facts(run)
        if "validate" in stages or not run.folder.parts(ROWS).checked:
            self._validate(run.folder, reading)
        if "compare" in stages:
            if changes.compare(run, facts).stopped:
                raise StateError("more is gone than may be")
            self._learn(run.folder, reading)
            self._stop(0.05)
        gone.leave_removals(run)
        changes.begin_sending(run)
        if reading.planned:
            # The run that takes a plan first may remove whom it names.
            reading.planned, self._back = False, set()
        self._stop(0.05)
        self._send(run, reading)
        self._stop(0.05)
        self._close(run, facts)

    def _close(self, run: SyncRun, facts: Facts) -> None:
        follows = write_generation(run, facts)
        if follows is None:
            return
        if self.chance.random() < 0.3:
            # The folder is there, and not whole.
            made = generations_of(run).stream(follows + 1, ROWS).with_name("made.json")
            kept = made.read_bytes()
            made.unlink()
            self._stop(0.2)
            made.write_bytes(kept)
        self._stop(0.05)
        with self._store.writing() as connection:
            snapshots.move_snapshot(connection, self._sync.name, generation=follows, changeset=run.folder.path.name)
        forget_old_generations(run, follows + 1)

    def _send(self, run: SyncRun, reading: Reading) -> None:
        """The rows, and then who is gone."""
        repeated, late = self._send_stream(run.folder.parts(ROWS), run.folder.outcomes(ROWS), reading, removes=False)
        if late:
            # Reported, after they were accepted, as not applied.
            ledger = self._ledger(run.folder.parts(ROWS), run.folder.outcomes(ROWS))
            ledger.fail(late, [0] * len(late), Outcome.REFUSED, _REFUSED)
            ledger.close(STOPPED)
        for stream in run.folder.removals():
            self._stop(0.1)
            again, _ = self._send_stream(run.folder.parts(stream), run.folder.outcomes(stream), reading, removes=True)
            repeated |= again
        if repeated:
            self._stop(0.1)
            changes.note_repeats(run.folder)

    def _ledger(self, parts: Parts, outcomes: Outcomes) -> Ledger:
        return Ledger(parts, outcomes, lambda batch, _: batch.column(0), identified_by=["id"])

    def _send_stream(
        self, parts: Parts, outcomes: Outcomes, reading: Reading, *, removes: bool
    ) -> tuple[bool, list[int]]:
        """Whether a row was sent twice, and the rows that were accepted and not applied."""
        ledger = self._ledger(parts, outcomes)
        rows: dict[int, Row] = {}
        for batch in parts.sendable(outcomes):
            places = batch.column(ROW_NUMBER).to_pylist()
            for number, key in zip(places, batch.column("id").to_pylist(), strict=True):
                rows[number] = (key, None) if removes else reading.rows[number - 1]
        numbers = [*rows]
        apply = self._remove if removes else self._apply
        repeated, late = False, []
        stop_at = self.chance.randrange(len(numbers)) if self._chance(0.25) and numbers else len(numbers)
        for at in range(0, len(numbers), BATCH):
            if not self._calm:
                self._change(0.02)
            accepted, refused = [], []
            for number in numbers[at : min(at + BATCH, stop_at)]:
                if self._chance(0.06):
                    # An attempt without an answer, then another one.
                    apply(reading, rows[number])
                    repeated = True
                if self._chance(0.1):
                    refused.append(number)
                elif not removes and stop_at == len(numbers) and self._chance(0.03):
                    late.append(number)
                    accepted.append(number)
                else:
                    apply(reading, rows[number])
                    accepted.append(number)
            ledger.deliver(accepted, accepted)
            ledger.fail(refused, refused, Outcome.REFUSED, _REFUSED)
            settled = {rows[number][0] for number in accepted if number not in late}
            self._acknowledged = self._acknowledged - settled if removes else self._acknowledged | settled
            self._ever |= self._acknowledged
        if stop_at < len(numbers):
            for number in numbers[stop_at:]:
                if self._chance(0.3):
                    apply(reading, rows[number])
            if self._chance(0.5):
                raise Stopped
            ledger.close(STOPPED)
            raise StateError("the workspace gives no answer")
        ledger.close(STOPPED)
        return repeated, late

    def _apply(self, reading: Reading, row: Row) -> None:
        key, plan = row
        if reading.number < self._newest.get(key, 0):
            self.harm.append(f"{key}: {OLDER}")
        self._newest[key] = reading.number
        self._requests += 1
        self.there[key] = plan

    def _remove(self, reading: Reading, row: Row) -> None:
        key, _ = row
        if reading.number < self._newest.get(key, 0):
            self.harm.append(f"{key}: {OLDER}")
        if key in self._back:
            self.harm.append(f"{key}: {REMOVED}")
        if key not in self._ever:
            self.harm.append(f"{key}: {NEVER_KNOWN}")
        self._requests += 1
        self.there.pop(key, None)

    def _chance(self, chance: float) -> bool:
        return not self._calm and self.chance.random() < chance

    def _stop(self, chance: float) -> None:
        if self._chance(chance):
            raise Stopped

    def _learn(self, folder: RunFolder, reading: Reading) -> None:
        """Which fingerprints are whose."""
        found = pq.read_table(folder.parts(ROWS).folder / FINGERPRINTS_FILE, columns=["kh", "kl", "rh", "row"])
        for high, low, value, number in zip(*(column.to_pylist() for column in found.columns), strict=True):
            key, plan = reading.rows[number - 1]
            self._names[high, low] = key
            self._values[plan] = value

    def _check_store(self) -> None:
        """What counts as acknowledged is in the destination, and all that is there is known or in doubt."""
        snapshot = snapshot_of(self._store, self._sync.name)
        if snapshot.sending:
            return
        run = self._record("look")
        acknowledged: dict[str, int | None] = {}
        if snapshot.generation and generations_of(run).made(snapshot.generation, snapshot.made_by):
            found = pq.read_table(generations_of(run).stream(snapshot.generation, ROWS), columns=["kh", "kl", "rh"])
            for high, low, value in zip(*(column.to_pylist() for column in found.columns), strict=True):
                acknowledged[self._names[high, low]] = value
        for key, value in acknowledged.items():
            if value is not None and (key not in self.there or self._values[self.there[key]] != value):
                self.harm.append(f"{key}: {STALE}")
        if unknown := self.there.keys() - acknowledged.keys() - self._forgotten:
            self.harm.append(f"{sorted(unknown)[0]}: {UNKNOWN}")

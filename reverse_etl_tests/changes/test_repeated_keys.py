"""A key in several rows of one reading, of which an attempt sends some and a later attempt the others.

The last row of a key is what is compared from then on, so it must be what arrived last.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reverse_etl.changes.commit import Reading, commit
from reverse_etl.changes.compare import PLAN_FILE, enter_plan, write_plan
from reverse_etl.changes.keyed import Keyed, write_fingerprints
from reverse_etl.changeset.parts import Outcomes, Parts, with_row_numbers
from reverse_etl.changeset.scope import Reads
from reverse_etl.destinations.powers import AsSent
from reverse_etl.files.scratch import scratch_in
from reverse_etl.ledger.ledger import Ledger
from reverse_etl.report import STOPPED, Outcome
from reverse_etl.run import changes
from reverse_etl.run.record import SyncRun
from reverse_etl.state.home import Home
from reverse_etl_tests.changes import protocol
from reverse_etl_tests.changes.protocol import STAGES, Histories
from reverse_etl_tests.fresh_store import fresh_store

_KEYED: Final = Keyed(bytes(32), "people", ("people", "id"))


def rows_of(folder: Path, *rows: tuple[str, str]) -> Parts:
    """Rows of a key and a plan each, as a reading stores them."""
    parts = Parts(folder, "rows")
    read = [{"id": key, "plan": plan} for key, plan in rows]
    parts.write(with_row_numbers([pa.RecordBatch.from_pylist(read)]))
    return parts


def check(parts: Parts, count: int, *rejected: int) -> Outcomes:
    """Outcomes of checks that keep back some row numbers, with the fingerprints of all rows."""
    outcomes = np.zeros(count, np.uint8)
    outcomes[[number - 1 for number in rejected]] = Outcome.REJECTED
    write_fingerprints(parts, outcomes, lambda of: AsSent(of["id"], {"plan": of["plan"]}), _KEYED)
    return outcomes


def answer(parts: Parts, outcomes: Outcomes, *requests: list[int]) -> None:
    """One attempt, in which some requests were accepted."""
    ledger = Ledger(parts, outcomes, lambda batch, _: batch["id"], identified_by=["id"])
    for numbers in requests:
        ledger.deliver(numbers, numbers)
    ledger.close(STOPPED)


def enter(parts: Parts, after: Path, *, certain: bool = True) -> list[int | None]:
    """What each key's row is compared with from then on; None is in doubt."""
    with scratch_in(after.with_name("scratch")) as database:
        commit(parts, None, after, database, Reading(read_at=1, whole=True, certain=certain))
    found: list[int | None] = pq.read_table(after)["rh"].to_pylist()
    return found


@pytest.mark.parametrize(
    ("first", "second", "is_known"),
    [
        pytest.param([[1], [2]], [], True, id="in their order"),
        pytest.param([[1, 2]], [], True, id="in one request"),
        pytest.param([[1]], [[2]], True, id="the last one in a later attempt"),
        pytest.param([[2]], [[1]], False, id="the first one in a later attempt"),
        pytest.param([[2], [1]], [], False, id="the first one after a wait"),
    ],
)
def test_what_is_not_overwritten_is_known(
    first: list[list[int]], second: list[list[int]], is_known: bool, tmp_path: Path
) -> None:
    """Where an earlier row was accepted after the last one, the key is in doubt, and is sent again by the next run."""
    parts = rows_of(tmp_path / "run", ("ada", "free"), ("ada", "pro"))
    sent = {number for request in first for number in request}
    answer(parts, check(parts, 2, *({1, 2} - sent)), *first)
    if second:
        answer(parts, check(parts, 2), *second)
    [value] = enter(parts, tmp_path / "after.parquet")
    assert is_known == (value is not None)


@pytest.mark.parametrize("is_answered", [True, False])
def test_a_row_that_an_attempt_has_sent_is_followed_by_the_last_one_of_its_key(
    is_answered: bool, tmp_path: Path
) -> None:
    """Also if the checks kept the last row back before, and it is as it was acknowledged before the run."""
    before = tmp_path / "before.parquet"
    earlier = rows_of(tmp_path / "earlier", ("ada", "pro"), ("bob", "pro"))
    answer(earlier, check(earlier, 2), [1, 2])
    enter(earlier, before)
    parts = rows_of(tmp_path / "run", ("ada", "free"), ("ada", "pro"), ("bob", "pro"))
    answer(parts, check(parts, 3, 2), *([[1]] if is_answered else []))
    outcomes = check(parts, 3)
    with scratch_in(tmp_path / "scratch") as database:
        write_plan(parts, before, database, all_rows=False, certain=False)
    enter_plan(parts, outcomes)
    assert [Outcome.UNDELIVERED, Outcome.UNDELIVERED, Outcome.UNCHANGED] == outcomes.tolist()


def test_a_key_that_no_row_has_is_gone_also_where_others_are_in_several(tmp_path: Path) -> None:
    """A key whose only row the checks keep back is not; of the others, the last row decides for all of a key."""
    before = tmp_path / "before.parquet"
    earlier = rows_of(tmp_path / "earlier", ("ada", "free"), ("bob", "pro"), ("cleo", "pro"), ("dan", "free"))
    answer(earlier, check(earlier, 4), [1, 2, 3, 4])
    enter(earlier, before)
    rows = (("ada", "free"), ("ada", "pro"), ("cleo", "free"), ("dan", "pro"), ("dan", "free"), ("eve", "pro"))
    parts = rows_of(tmp_path / "run", *rows)
    check(parts, 6, 3)
    with scratch_in(tmp_path / "scratch") as database:
        write_plan(parts, before, database, all_rows=False)
    plan = pq.read_table(parts.folder / PLAN_FILE, columns=["what", "row"]).sort_by("row").to_pylist()
    assert [("changed", 1), ("changed", 2), ("added", 6), ("gone", None)] == [(row["what"], row["row"]) for row in plan]


@dataclass(slots=True)
class Attempts(Histories):
    """Runs in which only that goes wrong which a test asks for."""

    repeats: bool = False
    _calm: bool = True

    def _send(self, run: SyncRun, reading: protocol.Reading) -> None:
        super(Attempts, self)._send(run, reading)
        if self.repeats:
            changes.note_repeats(run.folder)

    def attempt(self, *rows: protocol.Row, rejected: set[int], dies: bool = False) -> protocol.Reading:
        """A run of some rows, of which the checks keep some places back; may end before it is closed."""
        self._runs += 1
        run, read = self._record(f"run{self._runs}"), protocol.Reading(0, [*rows], rejected)
        reading = self._read(run, changes.generation_to_compare_with(run), again=read, reads=Reads.CHANGES)
        if not dies:
            self._deliver(run, reading, STAGES)
            return reading
        self._validate(run.folder, reading)
        changes.compare(run, self._facts(run))
        changes.begin_sending(run)
        self._send(run, reading)
        return reading

    def again(self, reading: protocol.Reading) -> list[str]:
        """The same rows, none of which the checks keep back now; gives what is wrong afterwards."""
        reading.rejected = set()
        self._deliver(self._record("again", f"run{self._runs}"), reading, STAGES)
        self._check_store()
        return self.harm


@pytest.fixture
def attempts(tmp_path: Path) -> Attempts:
    """Without a run so far."""
    home = Home.at(tmp_path / "home")
    fresh_store(home)
    (home.path / "secret").write_bytes(bytes(range(32)))
    return Attempts(home, random.Random(1), 0)  # noqa: S311 - repeatable


def test_an_earlier_row_that_the_checks_let_pass_later_does_not_stay(attempts: Attempts) -> None:
    """It was sent over the last row of its key, which counts as acknowledged no more, and is sent by the next run."""
    attempts.repeats = True
    reading = attempts.attempt(("ada", "free"), ("ada", "pro"), rejected={0})
    assert [] == attempts.again(reading)
    assert {"ada": "free"} == attempts.there
    attempts.attempt(("ada", "free"), ("ada", "pro"), rejected=set())
    assert {"ada": "pro"} == attempts.there


def test_a_last_row_that_the_checks_let_pass_later_is_sent_over_an_earlier_one(attempts: Attempts) -> None:
    """Although it is as it was acknowledged before the run that died in between."""
    attempts.attempt(("ada", "pro"), rejected=set())
    reading = attempts.attempt(("ada", "free"), ("ada", "pro"), rejected={1}, dies=True)
    assert {"ada": "free"} == attempts.there
    assert [] == attempts.again(reading)
    assert {"ada": "pro"} == attempts.there

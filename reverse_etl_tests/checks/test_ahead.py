"""Rows that are checked while further ones are read: the same findings, and nothing where anything is not the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import ROW_NUMBER, Parts, RunFolder, with_row_numbers
from reverse_etl.checks import not_null
from reverse_etl.checks._ahead import CheckedAhead, findings_of, take, while_read
from reverse_etl.checks.base import BatchRule
from reverse_etl.checks.rules import rules_for
from reverse_etl.checks.runner import validate
from reverse_etl.config.syncs import SyncConfig
from reverse_etl_tests.checks.conformance import STARTED_AT, store, sync

SYNC = sync(not_null.Config(column="plan"))
NAMES = [each.rule.name for each in rules_for(SYNC)["rows"] if isinstance(each, BatchRule)]
BATCHES = [
    pa.RecordBatch.from_pydict({"id": ["1", "", "3"], "email": ["a@b.co", "nobody", "c@b.co"], "plan": ["free"] * 3}),
    pa.RecordBatch.from_pydict({"id": ["4", "5"], "email": ["d@b.co", "a@b.co"], "plan": [None, "pro"]}),
]


def read(folder: RunFolder, batches: list[pa.RecordBatch], config: SyncConfig = SYNC) -> CheckedAhead:
    """What is found while these are read and written, as an extraction does it."""
    with while_read(config, folder) as ahead:
        parts = folder.parts("rows")

        def seen() -> Iterator[pa.RecordBatch]:
            for number, batch in enumerate(with_row_numbers(batches)):
                ahead.see(parts, STARTED_AT, number, batch)
                yield batch

        parts.write(seen())
    return ahead


def waiting() -> list[str]:
    """Threads that check ahead."""
    return [each.name for each in threading.enumerate() if each.name.startswith("checked-ahead")]


def test_what_was_found_while_reading_is_what_the_checks_find(tmp_path: Path) -> None:
    """Results, outcomes and failed rows are those of a pass that reads every part again, and no part is read again."""
    plain = store(tmp_path / "plain", BATCHES)
    expected = validate(SYNC, plain)
    folder = store(tmp_path / "ahead", BATCHES)
    read(folder, BATCHES)
    ahead = take(SYNC, folder)
    assert ahead is not None
    paths = folder.parts("rows").paths()
    for path, batch in zip(paths, with_row_numbers(BATCHES), strict=True):
        assert findings_of(rules_for(SYNC)["rows"], batch, STARTED_AT) == ahead.found(path, NAMES, STARTED_AT)
    assert expected == validate(SYNC, folder, ahead=ahead)
    here, there = (each.parts("rows") for each in (plain, folder))
    assert [*here.failed()] == [*there.failed()]
    assert here.outcomes(0).tolist() == there.outcomes(0).tolist()


def test_the_checks_take_what_was_found_and_do_not_look_themselves(tmp_path: Path) -> None:
    """A part that breaks a rule and was seen as one that does not passes: the cache is what is used."""
    folder = store(tmp_path, BATCHES)
    good = [batch.set_column(0, "id", pa.array([*map(str, range(batch.num_rows))])) for batch in BATCHES]
    with while_read(SYNC, folder) as ahead:
        for number, batch in enumerate(with_row_numbers(good)):
            ahead.see(folder.parts("rows"), STARTED_AT, number, batch)
    present = {each.rule.name: each for each in validate(SYNC, folder, ahead=ahead).results}["identifier_present"]
    assert present.passed


def test_it_is_taken_once_and_by_the_sync_that_it_is_of(tmp_path: Path) -> None:
    """A second attempt, another sync of the name and another folder check every row themselves."""
    folder = RunFolder(tmp_path)
    read(folder, BATCHES)
    assert take(SYNC, RunFolder(tmp_path / "other")) is None
    assert take(SYNC, folder) is not None
    assert take(SYNC, folder) is None
    read(folder, BATCHES)
    assert take(sync(), folder) is None


def test_a_part_that_was_written_again_is_checked_again(tmp_path: Path) -> None:
    """What is known is of the file that was there when the reading ended, and of the present that rules knew then."""
    folder = RunFolder(tmp_path)
    ahead, parts = read(folder, BATCHES), folder.parts("rows")
    first, second = parts.paths()
    parts.write_part(0, next(with_row_numbers(BATCHES[:1])))
    assert ahead.found(first, NAMES, STARTED_AT) is None
    assert ahead.found(second, NAMES, STARTED_AT) is not None
    assert ahead.found(second, NAMES, STARTED_AT + 1) is None
    assert ahead.found(second, [*NAMES, "asked_for_since"], STARTED_AT) is None


def test_reading_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Neither a thread nor anything that was found."""
    folder = RunFolder(tmp_path)

    def broken() -> None:
        with while_read(SYNC, folder) as ahead:
            ahead.see(folder.parts("rows"), STARTED_AT, 0, next(with_row_numbers(BATCHES)))
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        broken()
    assert (None, []) == (take(SYNC, folder), waiting())


def test_a_rule_that_fails_ahead_fails_in_the_checks(tmp_path: Path) -> None:
    """A column that a check needs is not there: the error is that of the checks."""
    folder = store(tmp_path, [batch.drop_columns(["plan"]) for batch in BATCHES])
    ahead = read(folder, [batch.drop_columns(["plan"]) for batch in BATCHES])
    assert ahead.found(folder.parts("rows").paths()[0], NAMES, STARTED_AT) is None


def test_many_findings_are_not_kept(tmp_path: Path) -> None:
    """They are memory until the checks: a part full of bad rows is checked by them."""
    folder = RunFolder(tmp_path)
    rows = 6_000
    bad = pa.RecordBatch.from_pydict({"id": [""] * rows, "email": ["nobody"] * rows, "plan": ["free"] * rows})
    ahead = read(folder, [bad])
    assert ahead.found(folder.parts("rows").paths()[0], NAMES, STARTED_AT) is None


def test_reading_does_not_wait(tmp_path: Path) -> None:
    """While two parts wait, a further one is left to the checks."""
    folder, may_go_on = RunFolder(tmp_path), threading.Event()
    batch = next(with_row_numbers(BATCHES))

    class Slow(CheckedAhead):
        def see(self, parts: Parts, started_at: int, number: int, batch: pa.RecordBatch) -> None:
            if number == 0:
                self._thread.submit(may_go_on.wait)
            super().see(parts, started_at, number, batch)

    ahead, parts = Slow(SYNC, folder), folder.parts("rows")
    parts.write(with_row_numbers([batch.drop_columns([ROW_NUMBER])] * 4))
    for number in range(4):
        ahead.see(parts, STARTED_AT, number, batch)
    may_go_on.set()
    ahead.close(complete=True)
    known = [ahead.found(path, NAMES, STARTED_AT) is not None for path in parts.paths()]
    assert [True, True, False, False] == known

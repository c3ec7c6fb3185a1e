"""Rows that are fingerprinted while further ones are read: the same file as of rows that are read again."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reverse_etl.changes.ahead import FingerprintedAhead
from reverse_etl.changes.keyed import FINGERPRINTS_FILE, Keyed, write_fingerprints
from reverse_etl.changeset.parts import Parts, RunFolder, with_row_numbers
from reverse_etl.changeset.while_read import drop, take, while_read
from reverse_etl.destinations.powers import AsSent
from reverse_etl.report import Outcome, Status
from reverse_etl.run.attend import attend
from reverse_etl.run.close import close
from reverse_etl.run.record import SyncRun
from reverse_etl.run.stages import compare_changeset, extract_changeset, validate_changeset
from reverse_etl.state.home import Home
from reverse_etl_tests.checks.conformance import sync
from reverse_etl_tests.faults.runs import World
from reverse_etl_tests.fresh_store import fresh_store
from reverse_etl_tests.servers.sandbox import RunningSandbox

SYNC: Final = sync()
BATCHES: Final = [
    pa.RecordBatch.from_pydict({"id": ["1", None, "3"], "plan": ["free", "pro", None]}),
    pa.RecordBatch.from_pydict({"id": ["4", "5"], "plan": ["free", "free"]}),
]
KEYED: Final = Keyed(bytes(32), "people", ("people", "id"))
NAMED: Final = replace(KEYED, named=SYNC.stream("rows"))


def as_sent(batch: pa.RecordBatch) -> AsSent:
    """A key and a plan."""
    return AsSent(batch["id"], {"plan": batch["plan"]}, names=[batch["id"]])


def read(folder: RunFolder, keyed: Keyed, seen: list[pa.RecordBatch] = BATCHES) -> FingerprintedAhead:
    """What is made while these are read; ``BATCHES`` are written, as an extraction does it."""
    parts = folder.parts("rows")
    with while_read(FingerprintedAhead(SYNC, folder, {"rows": keyed}, {"rows": as_sent})) as ahead:

        def shown() -> Iterator[pa.RecordBatch]:
            written = with_row_numbers(BATCHES)
            for number, (batch, here) in enumerate(zip(with_row_numbers(seen), written, strict=True)):
                ahead.see(parts, 0, number, batch)
                yield here

        parts.write(shown())
    return ahead


def made(parts: Parts, keyed: Keyed, ahead: FingerprintedAhead | None = None) -> pa.Table:
    """The file of fingerprints, with the last row kept back by a check."""
    outcomes = np.zeros(5, np.uint8)
    outcomes[4] = Outcome.REJECTED
    write_fingerprints(
        parts, outcomes, as_sent, keyed, lambda path: None if ahead is None else ahead.taken(path, keyed)
    )
    return pq.read_table(parts.folder / FINGERPRINTS_FILE)


def left(folder: RunFolder) -> list[str]:
    """What is in the folder of the rows beside parts and fingerprints."""
    return [path.name for path in folder.parts("rows").folder.iterdir() if path.suffix != ".parquet"]


@pytest.mark.parametrize("keyed", [KEYED, NAMED], ids=["hashes", "identifiers"])
def test_what_was_made_while_reading_is_what_a_second_reading_makes(tmp_path: Path, keyed: Keyed) -> None:
    """With a row that has no key and one that a check keeps back; no file is left over."""
    folder = RunFolder(tmp_path)
    ahead = read(folder, keyed)
    found = made(folder.parts("rows"), keyed, ahead)
    assert made(folder.parts("rows"), keyed) == found
    assert [1, 3, 4, 5] == found["row"].to_pylist()
    assert [True, True, True, False] == found["sendable"].to_pylist()
    assert [] == left(folder)


def test_rows_that_were_fingerprinted_are_not_read_again(tmp_path: Path) -> None:
    """Rows that were seen otherwise than they were written keep the fingerprints of what was seen."""
    folder = RunFolder(tmp_path)
    other = [batch.set_column(1, "plan", pa.array(["other"] * batch.num_rows)) for batch in BATCHES]
    ahead = read(folder, KEYED, other)
    assert 1 == len({*made(folder.parts("rows"), KEYED, ahead)["rh"].to_pylist()})
    assert 1 < len({*made(folder.parts("rows"), KEYED)["rh"].to_pylist()})


def test_what_was_made_with_another_secret_is_made_again(tmp_path: Path) -> None:
    """The secret is read again by the comparison, and may be another one by then."""
    folder, other = RunFolder(tmp_path), replace(KEYED, secret=b"o" * 32)
    ahead = read(folder, KEYED)
    assert made(folder.parts("rows"), other, ahead) == made(folder.parts("rows"), other)


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"ARROW1")])
def test_a_file_that_is_missing_or_damaged_is_made_again(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    """It is a cache: nothing is lost with it."""
    folder = RunFolder(tmp_path)
    ahead = read(folder, KEYED)
    damage(folder.parts("rows").folder / "ahead-000000.arrow")
    assert made(folder.parts("rows"), KEYED, ahead) == made(folder.parts("rows"), KEYED)


def read_slowly(folder: RunFolder, may_go_on: threading.Event) -> FingerprintedAhead:
    """Four parts that are read while the first fingerprints are being made, until it may go on."""
    parts = folder.parts("rows")
    parts.write(with_row_numbers([BATCHES[1]] * 4))

    def held(batch: pa.RecordBatch) -> AsSent:
        may_go_on.wait()
        return as_sent(batch)

    ahead = FingerprintedAhead(SYNC, folder, {"rows": KEYED}, {"rows": held})
    for number, batch in enumerate(parts.batches()):
        ahead.see(parts, 0, number, batch)
    ahead.close(complete=True)
    return ahead


def test_reading_does_not_wait_and_what_is_left_is_made_afterwards(tmp_path: Path) -> None:
    """Parts beyond those that may wait are read again, by whoever comes first: this thread or the comparison."""
    folder, may_go_on = RunFolder(tmp_path), threading.Event()
    ahead, parts = read_slowly(folder, may_go_on), folder.parts("rows")
    assert [None, None] == [ahead.taken(path, KEYED) for path in parts.paths()[2:]]
    may_go_on.set()
    assert all(ahead.taken(path, KEYED) is not None for path in parts.paths()[:2])
    assert [] == left(folder)


def test_what_is_left_needs_nobody_who_asks(tmp_path: Path) -> None:
    """The thread makes it while the checks work."""
    folder, may_go_on = RunFolder(tmp_path), threading.Event()
    ahead, parts = read_slowly(folder, may_go_on), folder.parts("rows")
    may_go_on.set()
    ahead._thread.shutdown()
    assert 4 == len(left(folder))
    assert all(ahead.taken(path, KEYED) is not None for path in parts.paths())


def test_what_nobody_takes_is_removed(tmp_path: Path) -> None:
    """A run that ends before it compares leaves no file and no thread."""
    folder, may_go_on = RunFolder(tmp_path), threading.Event()
    may_go_on.set()
    read_slowly(folder, may_go_on)
    drop(folder)
    assert [] == left(folder)
    assert [] == [each.name for each in threading.enumerate() if each.name.startswith("fingerprinted-ahead")]
    assert take(FingerprintedAhead, SYNC, folder) is None


def test_a_reading_that_fails_leaves_no_fingerprints(tmp_path: Path) -> None:
    """Neither those that were made nor those that were being made."""
    folder = RunFolder(tmp_path)
    with pytest.raises(ValueError, match="longer"):
        read(folder, KEYED, BATCHES[:1])
    assert [] == left(folder)


@pytest.mark.parametrize("one_process", [True, False])
def test_a_run_fingerprints_its_rows_while_it_reads_them(
    tmp_path: Path, sandbox: RunningSandbox, one_process: bool
) -> None:
    """Where the process that reads them compares them, too; its comparison finds the same either way."""
    home = Home.at(tmp_path / "home")
    case = World(tmp_path, sandbox, home, fresh_store(home), compares=True).case("people", random.Random(1), rows=7)  # noqa: S311 - repeatable, not secret
    run: SyncRun = replace(case.start(), one_process=one_process)
    with attend(run):
        extract_changeset(run, case.database)
        files = {path.name for path in run.folder.path.rglob("ahead-*")}
        validate_changeset(run)
        found = compare_changeset(run)
    assert (bool(files), 7) == (one_process, found.streams["rows"].added)
    assert [] == [*run.folder.path.rglob("ahead-*")]
    assert take(FingerprintedAhead, run.sync, run.folder) is None


def test_what_a_killed_process_left_is_removed_when_the_run_is_closed(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Another process goes on with a changeset that is complete, and knows nothing of these files."""
    home = Home.at(tmp_path / "home")
    case = World(tmp_path, sandbox, home, fresh_store(home), compares=True).case("people", random.Random(1), rows=7)  # noqa: S311 - repeatable, not secret
    run: SyncRun = replace(case.start(), one_process=False)
    with attend(run):
        extract_changeset(run, case.database)
        for name in ("ahead-000000.arrow", "ahead-000001.arrow.partial"):
            (run.folder.parts("rows").folder / name).write_bytes(b"ARROW1")
        close(run, Status.FAILED, message="planted", exit_code=3)
    assert [] == [*run.folder.path.rglob("ahead-*")]

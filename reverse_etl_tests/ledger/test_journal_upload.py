"""The journal in pieces: what reaches the shared place, when, and how two machines' journals become one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from reverse_etl.changeset.facts import Facts, StreamFacts
from reverse_etl.changeset.parts import RunFolder
from reverse_etl.changeset.shared import SharedFolder
from reverse_etl.errors import StateError
from reverse_etl.files.private import make_private_folder
from reverse_etl.files.storage import Storage
from reverse_etl.ledger import journal_upload
from reverse_etl.ledger.journal import JOURNAL_FILE, Entry, Journal, whole_lines
from reverse_etl.ledger.journal_upload import JournalUpload, merge
from reverse_etl.report import Outcome


@pytest.fixture
def shared(tmp_path: Path) -> SharedFolder:
    """A run's folder in an empty place."""
    return SharedFolder(Storage(str(tmp_path / "place")), "changesets/people/run")


def read(folder: RunFolder) -> RunFolder:
    """The folder, after its rows were read."""
    make_private_folder(folder.path)
    folder.seal(Facts("people", since=0, started_at=1, streams={"rows": StreamFacts(10)}))
    return folder


def opened(folder: RunFolder) -> Journal:
    """The journal of the folder's rows, after all its entries were read."""
    path = folder.path / "rows" / JOURNAL_FILE
    assert folder.shared is not None
    journal = Journal(path, JournalUpload(folder.shared, "rows", path))
    list(journal.entries())
    return journal


def entry(row: int) -> Entry:
    """A delivered row."""
    return Entry(Outcome.DELIVERED, ((row, row),), keys=row)


def rows(folder: RunFolder) -> list[int]:
    """The rows of the folder's journal."""
    return [entry.ranges[0][0] for entry in Journal(folder.path / "rows" / JOURNAL_FILE).entries()]


def there(shared: SharedFolder) -> int:
    """How many lines the shared journal has."""
    return len(whole_lines(shared.journal("rows")))


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time by which pieces are put."""
    clock = Clock()
    monkeypatch.setattr(journal_upload.time, "monotonic", lambda: clock.now)
    return clock


def test_pieces_come_at_their_time_and_the_last_at_once(tmp_path: Path, shared: SharedFolder, clock: Clock) -> None:
    """Nothing is put twice; what is written after the last time waits, until it is marked as the last."""
    journal = opened(RunFolder(tmp_path / "one", shared))
    journal.append(entry(1))
    journal.share()
    assert 0 == there(shared)
    clock.now += journal_upload.EVERY_S
    journal.share()
    journal.share()
    journal.append(entry(2))
    journal.share()
    assert 1 == there(shared)
    journal.share(last=True)
    journal.share(last=True)
    assert 2 == there(shared)


def test_a_place_that_is_away_is_waited_for_and_not_for_ever(
    tmp_path: Path, shared: SharedFolder, clock: Clock
) -> None:
    """What could not be put is put with what came since; the last piece has no time left."""
    journal = opened(RunFolder(tmp_path / "one", shared))
    journal.append(entry(1))
    place = Path(shared.storage.address(""))
    shared.storage.names("")
    place.rmdir()
    place.touch()
    clock.now += journal_upload.EVERY_S
    journal.share()
    with pytest.raises(StateError):
        journal.share(last=True)
    clock.now += journal_upload.PATIENCE_S
    with pytest.raises(StateError):
        journal.share()
    place.unlink()
    journal.append(entry(2))
    clock.now += journal_upload.EVERY_S
    journal.share()
    assert 2 == there(shared)


def test_two_machines_journals_become_one(tmp_path: Path, shared: SharedFolder) -> None:
    """What each wrote, once, on both sides: also what the one wrote and could not put there before it ended."""
    one, other = (read(RunFolder(tmp_path / name, shared)) for name in ("one", "other"))
    journal = opened(one)
    journal.append(entry(1))
    journal.share(last=True)
    journal.append(entry(2))
    merge(other)
    assert [1] == rows(other)
    journal = opened(other)
    journal.append(entry(3))
    journal.share(last=True)
    merge(one)
    assert [1, 3, 2] == rows(one)
    merge(other)
    assert {1, 2, 3} == set(rows(other))
    before = shared.storage.names("")
    merge(one)
    merge(other)
    assert before == shared.storage.names("")
    assert 3 == there(shared)


def test_a_torn_line_is_no_line(tmp_path: Path, shared: SharedFolder) -> None:
    """A machine's journal that ends in the middle of a line gives the whole ones."""
    one = read(RunFolder(tmp_path / "one", shared))
    journal = opened(one)
    journal.append(entry(1))
    journal.close()
    with (one.path / "rows" / JOURNAL_FILE).open("ab") as file:
        file.write(b'1234abcd {"outco')
    merge(one)
    assert [1] == rows(one)
    assert 1 == there(shared)


def test_without_a_shared_place_nothing_happens(tmp_path: Path) -> None:
    """The folder is as it was."""
    merge(RunFolder(tmp_path / "one"))
    assert [] == list(tmp_path.iterdir())

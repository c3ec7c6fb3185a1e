"""A run's folder in the place that all machines share: what a stage left is put there, and fetched where it is missing.

    <REVERSE_ETL_STORAGE_URL>/changesets/<sync>/<root run id>/
        facts.json, rows/part-000000.parquet, …     as ``parts`` has them; facts last: all is there
        rows/journal/<when>.jsonl                   pieces of the journal: ``ledger.journal_upload``

The folder on this machine stays the one that is worked in. Parts never change once facts are there; of other files the
shared one holds. What is only here is kept: a process that ended here may have written more than it could put there.
Decision: docs/decisions/0009-one-place-for-all-machines.md.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reverse_etl.changeset.excluded import EXCLUDED_FILE, LEFT_OUT_FILE, LEFT_OUT_LATER_FILE
from reverse_etl.changeset.parts import IN_DOUBT_FILE, JOBS_FILE, REMOVALS_FILE, SHAPED_FILE
from reverse_etl.files.private import LOCK_FILE
from reverse_etl.files.storage import Storage

FACTS: Final = "facts.json"
JOURNAL: Final = "journal"
"""The folder, in that of a stream, with the pieces of its journal."""

_READ_ONCE: Final = (
    *("part-*.parquet", "suppressed.parquet", "gone_keys.parquet", "undo.parquet"),
    *(SHAPED_FILE, LEFT_OUT_FILE, "failed-shape.parquet"),
)
"""Files that the extraction writes and that never change."""

_CHANGING: Final = (
    EXCLUDED_FILE,
    LEFT_OUT_LATER_FILE,
    "fingerprints.parquet",
    "plan.parquet",
    "sent.parquet",
    "changed_attributes.parquet",
    "compared.json",
    "gone.parquet",
    REMOVALS_FILE,
    IN_DOUBT_FILE,
    JOBS_FILE,
    "outcomes.npy",
    "failed-check.parquet",
    "failed-delivery.parquet",
    "read_back.json",
    "recipient.json",
)


@dataclass(frozen=True, slots=True)
class SharedFolder:
    """The shared side of a run's folder.

    Attributes:
        storage: The place.
        name: The folder's name in it.
    """

    storage: Storage
    name: str

    def put_changeset(self, here: Path) -> None:
        """Puts what the extraction read there, unless it is there; what is left of another reading is removed.

        Args:
            here: The run's folder on this machine, sealed.

        Raises:
            StateError: The place cannot be reached.
        """
        facts = (here / FACTS).read_bytes()
        if self.storage.read(self._named(FACTS)) == facts:
            return
        self.storage.remove(self.name)
        found = [path for pattern in _READ_ONCE for path in sorted(here.rglob(pattern))]
        self.storage.put({self._named(path.relative_to(here).as_posix()): path for path in found})
        self.storage.put({self._named(FACTS): here / FACTS})

    def put_one(self, here: Path, name: str) -> None:
        """Puts one file of the folder there, and touches no other. Raises StateError."""
        self.storage.put({self._named(name): here / name})

    def fetch_one(self, here: Path, name: str) -> None:
        """Brings one file of the folder here, where it is there. Raises StateError."""
        if self.storage.has(self._named(name)):
            self.storage.fetch({self._named(name): here / name})

    def put(self, here: Path) -> None:
        """Puts there what a stage wrote beside the rows, and removes what it removed. Raises StateError."""
        found = {
            self._named(path.relative_to(here).as_posix()): path for name in _CHANGING for path in here.rglob(name)
        }
        found |= {self._named(path.relative_to(here).as_posix()): path for path in here.glob("gone_*/part-*.parquet")}
        self.storage.put(found)
        changing = [name for name in self.storage.names(self.name) if Path(name).name in _CHANGING]
        gone = {name for name in changing if self._named(name) not in found}
        for name in gone:
            self.storage.remove(self._named(name))

    def fetch(self, here: Path) -> bool:
        """Brings the folder here, as far as it is not; false, and nothing happens, while no whole changeset is there.

        A changeset that was read at another time than the shared one is removed here first.

        Raises:
            StateError: The place cannot be reached, or the folder not be written.
        """
        facts = self.storage.read(self._named(FACTS))
        if facts is None:
            return False
        if (here / FACTS).exists() and (here / FACTS).read_bytes() != facts:
            _clear(here)
        wanted = [name for name in self.storage.names(self.name) if _is_file_of_folder(name)]
        missing = [name for name in wanted if Path(name).name in _CHANGING or not (here / name).exists()]
        self.storage.fetch({self._named(name): here / name for name in missing})
        self.storage.fetch({self._named(FACTS): here / FACTS})
        return True

    def add_to_journal(self, stream: str, lines: bytes, name: str) -> None:
        """Puts a piece of a stream's journal there. Raises StateError."""
        self.storage.write(self._named(f"{stream}/{JOURNAL}/{name}.jsonl"), lines)

    def journal(self, stream: str) -> bytes:
        """The lines of all pieces of a stream's journal, oldest piece first. Raises StateError."""
        folder = self._named(f"{stream}/{JOURNAL}")
        return b"".join(self.storage.read_all([f"{folder}/{name}" for name in self.storage.names(folder)]))

    def _named(self, name: str) -> str:
        return f"{self.name}/{name}"


def _is_file_of_folder(name: str) -> bool:
    return name != FACTS and Path(name).parent.name != JOURNAL


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK_FILE:
            path.unlink()

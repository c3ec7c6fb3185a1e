"""The files of the syncs as they are now, read again when one of them changes: for pages, commands and Dagster's clock.

Those with a problem do not hide the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reverse_etl.config.files_below import files_below
from reverse_etl.config.left_out import FOR_ALL, LeftOut, Reason, first_of
from reverse_etl.config.loader import inspect_project
from reverse_etl.config.problems import lines
from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from reverse_etl.config.inspection import Inspection
    from reverse_etl.config.syncs import ProjectConfig, SyncConfig

_KEPT_S: Final = 5
"""How long what was read holds, for files that lie elsewhere: queries, transforms, a manifest of dbt."""


@dataclass(frozen=True, slots=True)
class FilesFound:
    """What is in the folder now.

    Attributes:
        syncs: Every sync whose own file has no problem, by name, also those that another file leaves out.
        left_out: Every sync that has no runs until the files are mended, by name, with the reason.
        problems: Of all files, a line each: ``file:line: key: what is wrong``.
        project: With the syncs that may run; None where none may.
    """

    syncs: Mapping[str, SyncConfig] = field(default_factory=dict)
    left_out: Mapping[str, LeftOut] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    project: ProjectConfig | None = None

    @property
    def faulty(self) -> tuple[str, ...]:
        """The names of the syncs that are left out and of which nothing else is known for sure."""
        return tuple(name for name in self.left_out if name not in self.syncs)

    def stopped(self, name: str) -> LeftOut | None:
        """Why a sync that is loaded has no run now; None where it may have one."""
        if (why := self.left_out.get(name)) is not None:
            return why
        if self.project is None:
            one = next((each for each in self.left_out.values() if each.reason in FOR_ALL), None)
            return one or LeftOut(Reason.SHARED_FILE, first_of(self.problems or ("",)), "the folder of the syncs")
        return None if name in self.project.syncs else LeftOut(Reason.NO_FILE, "")


class SyncsFolder:
    """The folder of the syncs, for any number of threads.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: tuple[tuple[str, int, int, int], ...] | None = None
        self._read_at = 0.0
        self._found = FilesFound()

    def read(self) -> FilesFound:
        """What is in the folder: the same object until that is something else.

        Read again when a file below it changes, and after some seconds, for what the files name outside of it.
        """
        with self._lock:
            seen, now = tuple(sorted(_look(self.path))), self._clock()
            if seen != self._seen or now - self._read_at >= _KEPT_S:
                found = _read(self.path)
                self._found = self._found if found == self._found else found
                self._seen, self._read_at = seen, now
            return self._found


@cache
def folder_now(path: Path) -> SyncsFolder:
    """The folder at a path, one for each process."""
    return SyncsFolder(path)


def found_in(found: Inspection) -> FilesFound:
    """What an inspection found, for whom it concerns now."""
    faulty = found.faulty
    right = {name: config for name, config in found.configs.items() if name not in faulty}
    return FilesFound(right, found.left_out, tuple(lines(found.problems)), found.runnable)


def _read(path: Path) -> FilesFound:
    try:
        return found_in(inspect_project(path))
    except ConfigError as error:
        return FilesFound(problems=(str(error),))


def _look(path: Path) -> Iterator[tuple[str, int, int, int]]:
    """Name, times and size of every file below a folder, queries and transforms included."""
    for file, found in files_below(path):
        if isinstance(found, OSError):
            yield file, 0, 0, 0
        else:
            # Who may read a file changes its ctime alone.
            yield file, found.st_mtime_ns, found.st_ctime_ns, found.st_size

"""The files of the syncs, read again when one of them changes: those with a problem do not hide the others."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reverse_etl.config.loader import inspect_project
from reverse_etl.config.problems import lines
from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from reverse_etl.config.syncs import ProjectConfig, SyncConfig


@dataclass(frozen=True, slots=True)
class FilesFound:
    """What is in the folder now.

    Attributes:
        syncs: Every sync whose file has no problem, by name.
        faulty: The names of the other syncs whose file could be read.
        problems: Of all files, a line each: ``file:line: key: what is wrong``.
        project: All of it; None where there are problems.
    """

    syncs: Mapping[str, SyncConfig] = field(default_factory=dict)
    faulty: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    project: ProjectConfig | None = None


class SyncsFolder:
    """The folder of the syncs, for any number of threads.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._seen: tuple[tuple[str, int, int], ...] | None = None
        self._found = FilesFound()

    def read(self) -> FilesFound:
        """What is in the folder; a file is parsed once for each time it is written."""
        with self._lock:
            seen = tuple(sorted(_files(self.path)))
            if seen != self._seen:
                self._found = _read(self.path)
                self._seen = seen
            return self._found


def _read(path: Path) -> FilesFound:
    try:
        found = inspect_project(path)
    except ConfigError as error:
        return FilesFound(problems=(str(error),))
    faulty = found.faulty
    right = {name: config for name, config in found.configs.items() if name not in faulty}
    return FilesFound(right, tuple(sorted(faulty)), tuple(lines(found.problems)), found.project)


def _files(path: Path) -> Iterator[tuple[str, int, int]]:
    """Name, time and size of every file below a folder, queries and transforms included."""
    for place, _folders, names in os.walk(path, followlinks=True):
        for name in names:
            file = os.path.join(place, name)  # noqa: PTH118 - a thousand files, at every look
            try:
                found = os.stat(file)  # noqa: PTH116
            except OSError:
                continue
            yield file, found.st_mtime_ns, found.st_size

"""Parts looked at while further ones are read: what was made of each is kept until a later stage asks.

Only a cache, of one process and of its last changeset: a later stage makes what is not here, with the same functions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from reverse_etl.changeset.parts import Parts, RunFolder
    from reverse_etl.config.syncs import OutgoingRows

Result = TypeVar("Result")

_WAITING: Final = 2
"""Parts that may wait: with more, the next one is left for later, so that reading does not wait."""

_State: TypeAlias = tuple[int, int, int]


class WhileRead(ABC, Generic[Result]):
    """What is made of the parts of one changeset while it is read, in a thread.

    Args:
        sync: What the rows are.
        folder: Where they are written.
        name: Of the thread.
    """

    def __init__(self, sync: OutgoingRows, folder: RunFolder, name: str) -> None:
        self.sync = sync
        self.folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._begun: dict[Path, Future[Result]] = {}
        self._left: dict[Path, Callable[[], Result]] = {}
        self._states: dict[Path, _State] = {}

    @abstractmethod
    def see(self, parts: Parts, started_at: int, number: int, batch: pa.RecordBatch) -> None:
        """Looks at a part that is about to be written (``ahead.ShownTo``)."""

    def begin(self, path: Path, make: Callable[[], Result], later: Callable[[], Result] | None = None) -> None:
        """Makes something of a part that is about to be written.

        Args:
            path: Where it is written.
            make: Called in the thread; not at all while too many wait.
            later: Called then, once all are written; None to leave the part to the later stage.
        """
        if sum(not each.done() for each in self._begun.values()) < _WAITING:
            self._begun[path] = self._thread.submit(make)
        elif later is not None:
            self._left[path] = later

    def close(self, *, complete: bool) -> None:
        """Ends the reading; what was made of a changeset that is complete is kept until it is taken.

        What is made later is made while the stages work that do not need it.
        """
        if not complete:
            self.drop()
            return
        self._begun |= {path: self._thread.submit(later) for path, later in self._left.items()}
        self._states = {path: _state(path) for path in self._begun if path.exists()}
        if replaced := _kept.get(type(self)):
            replaced.drop()
        _kept[type(self)] = self
        self._thread.shutdown(wait=not self._left)

    def drop(self) -> list[Result]:
        """Makes nothing more; gives what was made."""
        self._thread.shutdown(cancel_futures=True)
        return [each.result() for each in self._begun.values() if not (each.cancelled() or each.exception())]

    def made_of(self, path: Path) -> Result | None:
        """What was made of a part; None where that is not known, or the part is not the one that was seen.

        What was left for later and is not begun yet is not made: the later stage makes it in threads of its own.
        """
        if self._states.get(path) != _state(path):
            return None
        begun = self._begun[path]
        if begun.cancelled() or (path in self._left and begun.cancel()):
            return None
        # Whatever went wrong goes wrong again in the later stage, where it is reported.
        return None if begun.exception() else begun.result()


Seen = TypeVar("Seen", bound=WhileRead[Any])

_kept: dict[type, WhileRead[Any]] = {}


@contextmanager
def while_read(seen: Seen) -> Iterator[Seen]:
    """Looks at parts while the block reads a changeset; what was made is kept where the block comes to its end."""
    complete = False
    try:
        yield seen
        complete = True
    finally:
        seen.close(complete=complete)


def take(kind: type[Seen], sync: OutgoingRows, folder: RunFolder) -> Seen | None:
    """What was made of a changeset while it was read, once; None where another sync or process read it."""
    kept = _kept.get(kind)
    if kept is None or kept.folder.path != folder.path:
        return None
    del _kept[kind]
    return kept if isinstance(kept, kind) and kept.sync is sync else None


def drop(folder: RunFolder) -> None:
    """Makes nothing more of a changeset that no stage will ask for."""
    for kind, kept in [*_kept.items()]:
        if kept.folder.path == folder.path:
            kept.drop()
            del _kept[kind]


def _state(path: Path) -> _State:
    """Distinguishes a file from one that was written in its place."""
    known = path.stat()
    return known.st_ino, known.st_mtime_ns, known.st_size

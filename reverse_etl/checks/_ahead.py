"""Rows checked while further ones are read: what the rules of one row find in a part, kept until the checks ask.

Only a cache, of one process and of its last changeset: the same functions on the same rows as in ``runner``, which
checks what is not here. Rules across rows, gates and what becomes of the findings stay there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from reverse_etl.checks.base import AnyRule, BatchRule, ColumnFinding, Finding
from reverse_etl.checks.rules import rules_for

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from reverse_etl.changeset.parts import Parts, RunFolder
    from reverse_etl.config.syncs import OutgoingRows

Found: TypeAlias = dict[str, list[Finding | ColumnFinding]]
"""What each rule finds in a part, by its name."""

_WAITING: Final = 2
"""Parts that may wait: with more, the next one is left to the checks, for reading is not to wait."""

_MOST_ROWS: Final = 10_000
"""Rows with a finding in one part, beyond which what was found in it is not kept: it is memory until the checks."""

_State: TypeAlias = tuple[int, int, int]


def findings_of(rules: Iterable[AnyRule], batch: pa.RecordBatch, started_at: int) -> Found:
    """What the rules that look at one row at a time find in a batch."""
    return {each.rule.name: [*each.findings(batch, started_at)] for each in rules if isinstance(each, BatchRule)}


class CheckedAhead:
    """The rules of a sync over the parts of one changeset, while it is read.

    Args:
        sync: What the rows are.
        folder: Where they are written.
    """

    def __init__(self, sync: OutgoingRows, folder: RunFolder) -> None:
        self.sync = sync
        self._folder = folder
        self._rules = rules_for(sync)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checked-ahead")
        self._begun: dict[Path, Future[Found]] = {}
        self._states: dict[Path, _State] = {}
        self._started_at = 0

    def see(self, parts: Parts, started_at: int, number: int, batch: pa.RecordBatch) -> None:
        """Checks a part that is about to be written, in a thread; not at all while too many wait.

        Args:
            parts: Those of a stream.
            started_at: The run's start, as rules take it.
            number: The part's.
            batch: Its rows.
        """
        if sum(not each.done() for each in self._begun.values()) < _WAITING:
            rules, self._started_at = self._rules[parts.stream], started_at
            self._begun[parts.path(number)] = self._thread.submit(_few_findings_of, rules, batch, started_at)

    def close(self, *, complete: bool) -> None:
        """Ends the thread; what was found of a changeset that is complete is kept for the checks."""
        self._thread.shutdown(cancel_futures=not complete)
        if complete:
            self._states = {path: _state(path) for path in self._begun if path.exists()}
            _kept.clear()
            _kept[self._folder.path] = self

    def found(self, path: Path, names: Sequence[str], started_at: int) -> Found | None:
        """What rules of these names find in a part; None where that is not known, and the checks look themselves."""
        if self._states.get(path) != _state(path) or started_at != self._started_at:
            return None
        begun = self._begun[path]
        # Whatever went wrong goes wrong again in the checks, where it is reported.
        found = {} if begun.cancelled() or begun.exception() else begun.result()
        return {name: found[name] for name in names} if found.keys() >= {*names} else None


_kept: dict[Path, CheckedAhead] = {}


@contextmanager
def while_read(sync: OutgoingRows, folder: RunFolder) -> Iterator[CheckedAhead]:
    """Checks ahead while the block reads a changeset; what it found is kept where the block comes to its end."""
    ahead, complete = CheckedAhead(sync, folder), False
    try:
        yield ahead
        complete = True
    finally:
        ahead.close(complete=complete)


def take(sync: OutgoingRows, folder: RunFolder) -> CheckedAhead | None:
    """What was checked of a changeset while it was read, once; None where another sync or process read it."""
    kept = _kept.pop(folder.path, None)
    return kept if kept is not None and kept.sync is sync else None


def _few_findings_of(rules: Sequence[AnyRule], batch: pa.RecordBatch, started_at: int) -> Found:
    found = findings_of(rules, batch, started_at)
    each = (finding for findings in found.values() for finding in findings if isinstance(finding, Finding))
    return found if sum(len(finding.rows) for finding in each) <= _MOST_ROWS else {}


def _state(path: Path) -> _State:
    """Distinguishes a file from one that was written in its place."""
    known = path.stat()
    return known.st_ino, known.st_mtime_ns, known.st_size

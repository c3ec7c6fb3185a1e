"""Rows checked while further ones are read: what the rules of one row find in a part, kept until the checks ask.

The same functions on the same rows as in ``runner``, which checks what is not here. Rules across rows, gates and what
becomes of the findings stay there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from reverse_etl.changeset import while_read as seen
from reverse_etl.changeset.while_read import WhileRead
from reverse_etl.checks.base import AnyRule, BatchRule, ColumnFinding, Finding
from reverse_etl.checks.rules import rules_for

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pyarrow as pa

    from reverse_etl.changeset.parts import Parts, RunFolder
    from reverse_etl.config.syncs import OutgoingRows

Found: TypeAlias = dict[str, list[Finding | ColumnFinding]]
"""What each rule finds in a part, by its name."""

_MOST_ROWS: Final = 10_000
"""Rows with a finding in one part, beyond which what was found in it is not kept: it is memory until the checks."""


def findings_of(rules: Iterable[AnyRule], batch: pa.RecordBatch, started_at: int) -> Found:
    """What the rules that look at one row at a time find in a batch."""
    return {each.rule.name: [*each.findings(batch, started_at)] for each in rules if isinstance(each, BatchRule)}


class CheckedAhead(WhileRead[Found]):
    """The rules of a sync over the parts of one changeset, while it is read.

    Args:
        sync: What the rows are.
        folder: Where they are written.
    """

    def __init__(self, sync: OutgoingRows, folder: RunFolder) -> None:
        super().__init__(sync, folder, "checked-ahead")
        self._rules = rules_for(sync)
        self._started_at = 0

    def see(self, parts: Parts, started_at: int, number: int, batch: pa.RecordBatch) -> None:
        """Checks a part that is about to be written, in a thread; not at all while too many wait.

        Args:
            parts: Those of a stream.
            started_at: The run's start, as rules take it.
            number: The part's.
            batch: Its rows.
        """
        self._started_at = started_at
        self.begin(parts.path(number), partial(_few_findings_of, self._rules[parts.stream], batch, started_at))

    def found(self, path: Path, names: Sequence[str], started_at: int) -> Found | None:
        """What rules of these names find in a part; None where that is not known, and the checks look themselves."""
        found = self.made_of(path) if started_at == self._started_at else None
        return {name: found[name] for name in names} if found is not None and found.keys() >= {*names} else None


def while_read(sync: OutgoingRows, folder: RunFolder) -> AbstractContextManager[CheckedAhead]:
    """Checks ahead while the block reads a changeset; what it found is kept where the block comes to its end."""
    return seen.while_read(CheckedAhead(sync, folder))


def take(sync: OutgoingRows, folder: RunFolder) -> CheckedAhead | None:
    """What was checked of a changeset while it was read, once; None where another sync or process read it."""
    return seen.take(CheckedAhead, sync, folder)


def _few_findings_of(rules: Sequence[AnyRule], batch: pa.RecordBatch, started_at: int) -> Found:
    found = findings_of(rules, batch, started_at)
    each = (finding for findings in found.values() for finding in findings if isinstance(finding, Finding))
    return found if sum(len(finding.rows) for finding in each) <= _MOST_ROWS else {}

"""What the workspace did not apply of earlier runs' rows, and told only after those runs had looked.

Found when the sync's next run begins, in the feed from where the last reading ended. The rows are looked for in the
changesets that are kept; the runs' own books are closed, so that the rows are counted and not entered. Decision:
docs/decisions/0014-refusals-between-runs.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from reverse_etl.changeset.parts import QUERIES, ROW_NUMBER, RunFolder
from reverse_etl.changeset.recipient import Recipient, rows_for
from reverse_etl.destinations.customerio.activities import Window
from reverse_etl.report import Outcome

if TYPE_CHECKING:
    from reverse_etl.destinations.customerio.activities import Activity
    from reverse_etl.destinations.customerio.destination import CustomerIO

_KEPT_S: Final = 30 * 86_400
"""How long the feed goes back. Source: App API OpenAPI, 2026."""

_MOST_CAUSES: Final = 5


async def find(destination: CustomerIO, folder: RunFolder, before: dict[str, Any], *, now_s: int) -> dict[str, Any]:
    """What came into the feed between two runs, for ``sentence``; empty for nothing.

    Args:
        destination: The workspace.
        folder: This run's; those of the sync's earlier runs lie beside it.
        before: Where the last reading ended: ``recipient``, ``since`` and ``seen``; empty where nobody read.
        now_s: Unix seconds by the workspace's clock.

    Raises:
        WorkspaceError: The feed cannot be read.
    """
    if not before or not Recipient(**before["recipient"]).is_same(destination.recipient):
        return {}
    window = Window(int(before["since"]), frozenset(before["seen"]))
    found, whole = await destination.read_activities(window, at_once=True)
    whole = whole and int(before["since"]) >= now_s - _KEPT_S
    earlier = list(_earlier(folder, destination.recipient))
    named: dict[tuple[str, str], str] = {}
    for each in earlier:
        for key, cause in _not_applied(destination, each, found):
            named.setdefault(key, cause)
    late = {"causes": Counter(named.values()), "unknown": 0 if earlier else len(found), "whole": whole}
    return late if named or late["unknown"] or not whole else {}


def sentence(late: dict[str, Any], sync: str) -> str:
    """What people should know of it; empty for nothing."""
    if not late:
        return ""
    said = []
    if causes := sorted(late["causes"].items(), key=lambda cause: -cause[1]):
        told = [f"{count:,} x {cause}" for cause, count in causes[:_MOST_CAUSES]]
        told += [f"{len(causes) - _MOST_CAUSES:,} other causes"] if len(causes) > _MOST_CAUSES else []
        rows = sum(late["causes"].values())
        said.append(
            f"{rows:,} {'row' if rows == 1 else 'rows'} that Customer.io accepted in earlier runs "
            f"{'was' if rows == 1 else 'were'} not applied, as it told after these had ended ({'; '.join(told)})."
        )
    if late["unknown"]:
        said.append(
            f"Between two runs {late['unknown']:,} changes failed in the workspace; whether this sync sent them "
            "is not known, because the rows of its earlier runs are no longer kept."
        )
    if not late["whole"]:
        said.append("Not everything between two runs could be read: there may be more.")
    said.append(f"See the workspace's activity log, then run: reverse-etl run {sync} --full")
    return " ".join(said)


def _earlier(folder: RunFolder, recipient: Recipient) -> Iterator[RunFolder]:
    """The changesets of the sync's earlier runs that are kept here and were for this workspace, newest first."""
    beside = [path for path in folder.path.parent.iterdir() if path != folder.path and (path / "facts.json").exists()]
    for path in sorted(beside, key=lambda path: path.stat().st_mtime, reverse=True):
        each = RunFolder(path)
        rows = rows_for(each)
        if rows is None or rows.recipient.is_same(recipient):
            yield each


def _not_applied(
    destination: CustomerIO, folder: RunFolder, found: list[Activity]
) -> Iterator[tuple[tuple[str, str], str]]:
    """Query and identifier of each delivered row that an activity is about, and why it was not applied."""
    facts = folder.facts()
    for query in QUERIES if facts and found else ():
        parts = folder.parts(query)
        outcomes = parts.outcomes(getattr(facts, query))
        if not np.any(outcomes == Outcome.DELIVERED):
            continue
        causes: dict[int, str] = {}
        for kept in destination.not_applied(parts, outcomes, found):
            if kept.outcome is Outcome.REFUSED:
                causes |= dict.fromkeys(kept.rows.to_pylist(), f"{kept.reason}: {kept.message.rstrip('.')}")
        numbers = np.fromiter(causes, np.int64, len(causes))
        for batch in parts.batches() if causes else ():
            here = batch.column(ROW_NUMBER).to_numpy()
            rows = batch.filter(np.isin(here, numbers))
            for number, identifier in zip(
                rows.column(ROW_NUMBER).to_pylist(), destination.identifiers(rows, query).to_pylist(), strict=True
            ):
                yield (query, identifier), causes[number]

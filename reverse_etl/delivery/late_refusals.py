"""What the workspace did not apply of earlier runs' rows, and reported only after those runs had ended.

Found when the sync's next run begins, in the feed from where the last reading ended. The rows are looked for in the
changesets that are kept. Their runs are closed: the rows are counted by cause, and not entered. Decision:
docs/decisions/0014-refusals-between-runs.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from reverse_etl.changeset.parts import ROW_NUMBER, RunFolder
from reverse_etl.changeset.recipient import Recipient, rows_for
from reverse_etl.changeset.shared import FACTS
from reverse_etl.counted import counted
from reverse_etl.destinations.powers import Window
from reverse_etl.errors import StateError
from reverse_etl.report import Outcome

if TYPE_CHECKING:
    from reverse_etl.destinations.powers import Reported, Verifies

_KEPT_S: Final = 30 * 86_400
"""How long the feed goes back. Source: App API OpenAPI, 2026."""

_MOST_CAUSES: Final = 5


async def find(destination: Verifies, folder: RunFolder, before: dict[str, Any], *, now_s: int) -> dict[str, Any]:
    """What came into the feed between two runs, for ``sentence``; empty for nothing.

    Args:
        destination: The workspace.
        folder: This run's; those of the sync's earlier runs lie beside it.
        before: Where the last reading ended: ``recipient``, ``since``, ``seen`` and the ``changeset`` of the run that
            read; empty where none did.
        now_s: Unix seconds by the workspace's clock.

    Raises:
        DestinationError: The feed cannot be read.
    """
    if not before or not Recipient(**before["recipient"]).is_same(destination.recipient):
        return {}
    window = Window(int(before["since"]), frozenset(before["seen"]))
    found, whole = await destination.read_activities(window, at_once=True)
    whole = whole and int(before["since"]) >= now_s - _KEPT_S
    named: dict[tuple[str, str], str] = {}
    unknown = 0
    if found:
        last = _fetched(folder, before["changeset"])
        for each in _earlier(folder, destination.recipient):
            # Retention may remove a folder while it is read.
            with suppress(OSError):
                for key, cause in _not_applied(destination, each, found):
                    named.setdefault(key, cause)
        unknown = 0 if last or named else len(found)
        whole = whole and (last or bool(unknown))
    late = {"causes": Counter(named.values()), "unknown": unknown, "whole": whole}
    return late if named or unknown or not whole else {}


def sentence(late: dict[str, Any], sync: str) -> str:
    """A sentence about it for people; empty where there is nothing to report."""
    if not late:
        return ""
    sentences = []
    if causes := sorted(late["causes"].items(), key=lambda cause: -cause[1]):
        rows = sum(late["causes"].values())
        sentences.append(
            f"{counted(rows, 'row')} that the workspace accepted in earlier runs "
            f"{'was' if rows == 1 else 'were'} not applied, as it reported after they had ended."
        )
        sentences += [f"{count:,} x {cause}" for cause, count in causes[:_MOST_CAUSES]]
        if others := causes[_MOST_CAUSES:]:
            sentences.append(f"{sum(count for _, count in others):,} x something else.")
    if unknown := late["unknown"]:
        sentences.append(
            f"Since the last run {counted(unknown, 'change')} failed in the workspace. "
            "Whether this sync sent them is not known: the rows of its earlier runs are no longer kept here."
        )
    if not late["whole"]:
        sentences.append("There may be more: the workspace's activities since the last run could not all be read.")
    sentences.append(f"See the workspace's activity log, then run: reverse-etl run {sync} --full")
    return " ".join(sentences)


def _fetched(folder: RunFolder, changeset: str) -> bool:
    """Whether the rows of the run that read last are here; brings them from the place that all machines share."""
    path = folder.path.parent / changeset
    if folder.shared is not None:
        shared = replace(folder.shared, name=f"{folder.shared.name.rpartition('/')[0]}/{changeset}")
        with suppress(StateError):
            shared.fetch(path)
    return path.is_dir()


def _earlier(folder: RunFolder, recipient: Recipient) -> Iterator[RunFolder]:
    """The changesets of the sync's earlier runs that are kept here and were for this workspace, newest first."""
    began: list[tuple[float, RunFolder]] = []
    for path in folder.path.parent.iterdir():
        with suppress(OSError):
            began.append(((path / FACTS).stat().st_mtime, RunFolder(path)))
    for _, each in sorted(began, key=lambda one: one[0], reverse=True):
        rows = rows_for(each)
        if each.path != folder.path and (rows is None or rows.recipient.is_same(recipient)):
            yield each


def _not_applied(
    destination: Verifies, folder: RunFolder, found: list[Reported]
) -> Iterator[tuple[tuple[str, str], str]]:
    """Stream and identifier of each delivered row that an activity is about, and why it was not applied."""
    facts = folder.facts()
    for stream in facts.streams if facts else ():
        parts = folder.parts(stream)
        outcomes = parts.outcomes(0)
        if not np.any(outcomes == Outcome.DELIVERED):
            continue
        causes: dict[int, str] = {}
        for kept in destination.not_applied(parts, outcomes, found):
            if kept.outcome is Outcome.REFUSED:
                causes |= dict.fromkeys(kept.rows.to_pylist(), f"{kept.why.reason}: {kept.why.message}")
        numbers = np.fromiter(causes, np.int64, len(causes))
        for batch in parts.batches() if causes else ():
            here = batch.column(ROW_NUMBER).to_numpy()
            rows = batch.filter(np.isin(here, numbers))
            for number, identifier in zip(
                rows.column(ROW_NUMBER).to_pylist(), destination.identifiers(rows, stream).to_pylist(), strict=True
            ):
                yield (stream, identifier), causes[number]

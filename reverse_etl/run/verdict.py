"""How a run that came to its end has ended: by its counts, and by whether they are those of the rows that were read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.counted import counted
from reverse_etl.errors import SOME_ROWS_FAILED_EXIT_CODE
from reverse_etl.report import Counts, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reverse_etl.changeset.parts import RunFolder
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.state.runs import Carrying


def verdict(
    sync: SyncConfig, folder: RunFolder, streams: Mapping[str, Counts], carrying: Carrying | None = None, *, run_id: str
) -> tuple[Status, str, int]:
    """The status, the first line for people, and what the command ends with.

    Args:
        sync: The sync.
        folder: The run's folder.
        streams: What became of the rows of each stream.
        carrying: What becomes of failed rows that are carried; None where they are not.
        run_id: The run's id, which commands that show it are given: later it is not the last one.
    """
    from reverse_etl.changes.compared import compared
    from reverse_etl.delivery.read_back import earlier, not_verified
    from reverse_etl.run.in_table import note_of
    from reverse_etl.run.notices import notices_of
    from reverse_etl.run.pieces import piece_note
    from reverse_etl.run.sentences import joined

    status, what, next_step, exit_code = _verdict(sync, folder, streams, carrying, run_id)
    facts = folder.facts()
    found = compared(folder)
    notes = (
        not_verified(folder, sync.name) if sum(streams.values(), Counts()).delivered else "",
        _carried(carrying),
        sync.note(folder),
        facts.note if facts else "",
        piece_note(facts, status, moves=carrying is not None and not carrying.holds),
        f"Accepted for this run: {', '.join(sorted(facts.accepted))}." if facts and facts.accepted else "",
        found.note if found else "",
        note_of(folder),
        earlier(folder, sync.name),
        notices_of(folder),
    )
    # The command to run next ends the line, so that it can be copied.
    sentences = joined(what, *notes, next_step)
    return status, f"{sync.where}: {sentences}" if sentences else "", exit_code


def _verdict(
    sync: SyncConfig, folder: RunFolder, streams: Mapping[str, Counts], carrying: Carrying | None, run_id: str
) -> tuple[Status, str, str, int]:
    """The status, what is worth a sentence, the next step, and the exit code; either text may be empty."""
    from reverse_etl.run.resume import same_changeset

    total = sum(streams.values(), Counts())
    if not (all(each.balanced for each in streams.values()) and same_changeset(sync, folder)):
        what = (
            f"the row outcomes do not add up: {counted(total.extracted, 'row was', 'rows were')} read, "
            "but those with an outcome are not the same; last sync time stays."
        )
        return Status.FAILED, what, f"Run: reverse-etl run {sync.name} --full", 1
    if total.failed:
        what = (
            f"{total.failed:,} of {counted(total.extracted, 'row')} failed, "
            f"{counted(total.delivered, 'was', 'were')} delivered; {_what_next(carrying)}"
        )
        see = f"See: reverse-etl errors {sync.name} --run {run_id[:8]}"
        return Status.SOME_ROWS_FAILED, what, see, SOME_ROWS_FAILED_EXIT_CODE
    return Status.COMPLETED, "", "", 0


def _what_next(carrying: Carrying | None) -> str:
    """What becomes of failed rows: the end of a sentence."""
    if carrying is None or carrying.holds:
        return "last sync time stays."
    return "each run reads those that failed again until they are delivered."


def _carried(carrying: Carrying | None) -> str:
    """What is worth saying of rows that are carried, in sentences; empty when nothing is."""
    if carrying is None:
        return ""
    found, sentences = carrying.counts, []
    if found.read:
        delivered = f"{found.delivered:,} of them {'was' if found.delivered == 1 else 'were'} delivered"
        sentences.append(f"{counted(found.read, 'row', 'rows')} had failed in earlier runs: {delivered}.")
    if found.gone:
        sentences.append(
            f"{counted(found.gone, 'failed row of an earlier run is', 'failed rows of earlier runs are')} gone."
        )
    if found.unidentified:
        without = counted(found.unidentified, "failed row has", "failed rows have")
        sentences.append(f"{without} no identifier, so no run can read them again: correct them as changed rows.")
    return " ".join(sentences)

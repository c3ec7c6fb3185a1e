"""What a faulty sync may send and where, and which syncs could do harm beside one of which that is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reverse_etl.config.draft import has
from reverse_etl.config.gone import DELETED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reverse_etl.config.contracts import Contract
    from reverse_etl.config.problems import Problem
    from reverse_etl.config.sync_file import SyncFile
    from reverse_etl.config.syncs import SyncConfig

_PLACES: Final = ("workspace", "destination")


def takes_away(sync: SyncConfig, files: Sequence[SyncFile] = ()) -> bool:
    """Whether a sync removes or clears anything in its destination, or may, where its query does not show it."""
    if sync.mirrors or sync.clears_removed_attributes:
        return True
    for stream in sync.streams:
        if sync.gone(stream.name) is not None:
            return True
        if DELETED in stream.apart:
            columns = [each.columns.get(stream.at) for each in files]
            if any(each is None or has(each, DELETED) for each in columns):
                return True
    return False


def sends_what_is_known(name: str, problems: Sequence[Problem], syncs: Mapping[str, SyncConfig]) -> bool:
    """Whether only when it runs is faulty, so that every check across syncs was made with it."""
    return name in syncs and all(problem.key.partition(".")[0] == "schedule" for problem in problems)


def place(name: str, problems: Sequence[Problem], files: Sequence[SyncFile], places: Collection[str]) -> str | None:
    """Where a faulty sync sends its rows; None where that is in doubt, so that it may be anywhere."""
    mine = [each for each in files if each.name == name]
    if len(mine) > 1 or mine[0].document.problems:
        return None
    of_syncs = {file for each in files for file in (each.file, *each.query_files)}
    if any(problem.key in _PLACES or problem.file not in of_syncs for problem in problems):
        return None
    values = mine[0].document.values
    named = [values[key] for key in _PLACES if key in values]
    return named[0] if len(named) == 1 and isinstance(named[0], str) and named[0] in places else None


def defines(file: SyncFile) -> bool:
    """Whether a file says, or may say, what names mean."""
    return bool(file.document.problems) or not file.document.values or "attributes" in file.document.values


def shares_names(contract: Contract) -> bool:
    """Whether rows are stopped by names of the sync's own, of which another sync may say more."""
    return contract.enforce and contract.subject[0] != "syncs" and any(term.own for term in contract.terms.values())

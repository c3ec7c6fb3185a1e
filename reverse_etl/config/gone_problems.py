"""What can be wrong with `gone` in a sync's file: a query that does not return everything, every time; other syncs.

Only a whole reading shows who is gone: a query that leaves rows out would remove everybody else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reverse_etl import plugins
from reverse_etl.config.connections_file import DESTINATIONS
from reverse_etl.config.dialect import UNKNOWN
from reverse_etl.config.draft import Draft, has
from reverse_etl.config.gone import DELETED
from reverse_etl.config.problems import Path, Problem, problem_at
from reverse_etl.config.row_choice import left_out_by
from reverse_etl.config.sql_text import PLACEHOLDER, reads_changes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reverse_etl.config.streams import Stream
    from reverse_etl.config.sync_file import SyncFile
    from reverse_etl.config.syncs import SyncConfig

_TAKES_AWAY: Final = frozenset({"archive", "delete", "hard_delete", "remove", "suppress"})

_PEOPLE: Final = "people"


def look_at_gone(draft: Draft, section: str, query: Path = ("query",)) -> None:
    """Adds what is wrong with a section's `gone`, once its query was read.

    Args:
        draft: The file.
        section: The key with `gone`.
        query: Where the query of its rows is.
    """
    gone, sql = draft.at((section, "gone")), draft.at(query)
    if gone in (None, "nothing") or not isinstance(sql, str):
        return
    at: Path = (section, "gone")
    known = draft.columns.get(query)
    by = draft.at(("changes", "by"))
    if draft.at((section, "gone_scope")) == "table":
        _look_at_table(draft, section, query, sql)
        return
    whole = by == "log" or (by == "compare" and not reads_changes(sql))
    if not whole and known is not None and not has(known, DELETED):
        what = "{{last_sync_time}}" if PLACEHOLDER.search(sql) else "{{changed: ...}}"
        leave = f"leave {what} out of the query and write" if reads_changes(sql) else "write"
        text = f"needs to know which rows are gone: {leave} `changes: {{by: compare}}`, or select a boolean column "
        draft.problem(at, f"{text}`{DELETED}`, as in `deleted_at IS NOT NULL AS {DELETED}`")
        return
    if by not in ("compare", "log"):
        # Only rows that say so of themselves are removed.
        return
    _look_for_all(draft, section, query, sql)


def _look_at_table(draft: Draft, section: str, query: Path, sql: str) -> None:
    if reads_changes(sql):
        what = "{{last_sync_time}}" if PLACEHOLDER.search(sql) else "{{changed: ...}}"
        text = f"table removes every row of the table that the query does not return: leave {what} out of the query"
        draft.problem((section, "gone_scope"), text)
    if draft.at(("changes", "by")) in ("compare", "log"):
        text = "goes with `gone_scope: own`: with table, the table itself says what is new, changed and gone"
        draft.problem(("changes", "by"), text)
    _look_for_all(draft, section, query, sql)


def _look_for_all(draft: Draft, section: str, query: Path, sql: str) -> None:
    for line, what in left_out_by(sql, draft.dialect or UNKNOWN):
        text = f"{section}.gone removes everything that the query leaves out, and {what} decides what that is: "
        draft.problem_in(query, line, text + f"leave it out of the query, or gone out of {section}")


def beside(syncs: Mapping[str, SyncConfig], files: Mapping[str, SyncFile]) -> dict[str, dict[str, Any]]:
    """Which other syncs name the same things, of each sync of which something becomes of what is gone.

    Returns:
        By the sync's name, its fields ``beside`` and ``uncompared``.
    """
    found = {}
    for sync in syncs.values():
        if here := list(_who_count(sync, syncs, files)):
            found[sync.name] = {
                "beside": tuple((mine, other.name, theirs) for mine, other, theirs in here),
                "uncompared": tuple((other.name, other.file) for _, other, _ in here if not _compares(other)),
            }
    return found


def unmarked(syncs: Mapping[str, SyncConfig], files: Mapping[str, SyncFile]) -> Iterator[Problem]:
    """Warnings of syncs that never set or clear anything for who is gone, because another one does not compare."""
    for sync in syncs.values():
        for mine, other, _ in _who_count(sync, syncs, files):
            gone = sync.gone(mine)
            if gone is None or gone.action in _TAKES_AWAY or _compares(other) or not _compares(sync):
                continue
            section = sync.kind if mine == "rows" else mine
            file, theirs = files[sync.name], files[other.name].file
            text = f"sync {other.name} sends {section} to {sync.destination} too, and does not compare, so it is never "
            text += f"known who is gone, and nothing is done: write `changes: {{by: compare}}` in {theirs}"
            if gone.action == "set" and sync.kind == _PEOPLE:
                text += ", or set attributes that the query returns here and not there"
            key = sync.DESTINATION if sync.DESTINATION in sync.SECTIONS else section
            yield replace(problem_at(file.file, file.document, (key, "gone"), text), about=(file.file, theirs))


def conflicts(syncs: Mapping[str, SyncConfig], files: Mapping[str, SyncFile]) -> Iterator[Problem]:
    """What is not known of other syncs, and must be where one deletes."""
    for sync in syncs.values():
        for mine, other, _, alike in _others(sync, syncs):
            gone = sync.gone(mine)
            if gone is None or (gone.action not in _TAKES_AWAY and not gone.of_table):
                continue
            section = sync.kind if mine == "rows" else mine
            things = f"sync {other.name} sends {section} to {sync.destination} too"
            if gone.of_table:
                text = f"sync {other.name} writes to the table too, and its rows would be gone: write `gone_scope: own`"
            elif not alike:
                text = f"{things}, by another identifier, so it is not known whom both send: write `gone: nothing`"
            elif not _compares(other):
                text = (
                    f"{things}, and does not compare, so it is not known whom: write `changes: {{by: compare}}` there, "
                )
                text += "or `gone: nothing` here"
            else:
                continue
            file = files[sync.name]
            key = sync.DESTINATION if sync.DESTINATION in sync.SECTIONS else section
            problem = problem_at(file.file, file.document, (key, "gone"), text)
            yield replace(problem, about=(file.file, files[other.name].file))


def _compares(sync: SyncConfig) -> bool:
    return sync.changes.by != "last_sync_time"


def _who_count(
    sync: SyncConfig, syncs: Mapping[str, SyncConfig], files: Mapping[str, SyncFile]
) -> Iterator[tuple[str, SyncConfig, str]]:
    """Each stream of the sync, with the streams of others whose rows are not gone, whatever this one's query returns.

    Attributes of people that this sync alone sends say something of its query alone: whoever else sends the people.
    """
    for mine, other, theirs, alike in _others(sync, syncs):
        if alike and not _sets_its_own(sync, mine, files[sync.name], other.stream(theirs), files[other.name]):
            yield mine, other, theirs


def _sets_its_own(sync: SyncConfig, mine: str, file: SyncFile, theirs: Stream, other: SyncFile) -> bool:
    """Whether what is set for people who are gone is known to be sent by this sync's query, and not by the other's."""
    gone = sync.gone(mine)
    here, there = file.columns.get(sync.stream(mine).at), other.columns.get(theirs.at)
    if gone is None or gone.action != "set" or sync.kind != _PEOPLE or here is None or there is None:
        return False
    return all(has(here, name) and not has(there, name) for name in gone.attributes)


def _others(sync: SyncConfig, syncs: Mapping[str, SyncConfig]) -> Iterator[tuple[str, SyncConfig, str, bool]]:
    """Each stream of the sync, with the streams of others that name the same kind of things, and whether alike."""
    streams = [stream.name for stream in sync.streams if sync.gone(stream.name) is not None]
    if not streams:
        return
    kind = plugins.load(DESTINATIONS, sync.DESTINATION)
    for other in syncs.values():
        if other.name == sync.name or (other.DESTINATION, other.destination) != (sync.DESTINATION, sync.destination):
            continue
        for mine in streams:
            identity = kind.identity(sync, mine)
            for theirs in other.streams:
                found = kind.identity(other, theirs.name)
                if found[0] == identity[0]:
                    yield mine, other, theirs.name, found == identity

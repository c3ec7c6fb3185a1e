"""What a sync whose changes come from its database's log says against its query, before a database is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reverse_etl.config.draft import Draft
from reverse_etl.config.sql_text import reads_changes
from reverse_etl.config.tables_read import tables_read

if TYPE_CHECKING:
    from reverse_etl.config.streams import Stream


def log_problems(draft: Draft, streams: Sequence[Stream]) -> None:
    """Adds what keeps the log from telling which rows of the query changed; ``streams`` are what is sent."""
    changes = draft.at(("changes",))
    if not isinstance(changes, dict) or changes.get("by") != "log":
        return
    if draft.dialect is not None and not draft.dialect.has_log:
        draft.problem(("changes", "by"), "this kind of database has no log that tells which keys changed")
    if len(streams) > 1:
        text = f"the log tells which rows changed, not which {streams[1].name}: leave them to a sync of their own"
        draft.problem(("changes", "by"), text)
    if len(streams[0].identifier) > 1:
        text = (
            f"the log names rows by one column, and the key has {len(streams[0].identifier)}: compare all rows instead"
        )
        draft.problem(("changes", "by"), text)
    for stream in streams:
        if reads_changes(stream.query):
            text = "with `changes: {by: log}` the query returns every row: leave the placeholder out"
            draft.problem_in(stream.at, 1, text)
    _tables(draft, streams[0].query)


def _tables(draft: Draft, sql: str) -> None:
    """Warns of tables whose changes go unnoticed."""
    named = draft.at(("changes", "tables"))
    if draft.dialect is None or not isinstance(named, dict):
        return
    known = {str(name).rpartition(".")[2].strip('"`').lower() for name in named}
    for parts in tables_read(sql, draft.dialect):
        if parts[-1].lower() not in known:
            name = ".".join(parts)
            draft.warn_in(("query",), 1, f"changes of {name} are not noticed: it is not in changes.tables")

"""What a sync's queries are given for ``{{changed: c}}``, and what of it is remembered. Engines: ``sources.powers``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.config.changed import changed_tables
from reverse_etl.config.sql_text import CHANGED
from reverse_etl.errors import ConfigError
from reverse_etl.sources.powers import Mark, MarksRows

if TYPE_CHECKING:
    from reverse_etl.config.dialect import Dialect
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.sources.base import Session


def mark_of(sync: SyncConfig, session: Session, before: str, dialect: Dialect) -> Mark | None:
    """What the session sees now; None where no query of the sync has the placeholder.

    Args:
        sync: The sync.
        session: Open. What is read in it afterwards holds at least what is visible now.
        before: The place that the last completed run left; empty for none.
        dialect: The session's.

    Raises:
        ConfigError: The engine does not mark rows.
        QueryError: A table's rows are not marked.
    """
    queries = [stream.query for stream in sync.streams if CHANGED.search(stream.query)]
    if not queries:
        return None
    if not isinstance(session, MarksRows):
        raise ConfigError("{{changed: ...}}: this kind of database does not mark the rows that changed.")
    return session.mark(before, [table for query in queries for table in changed_tables(query, dialect)])

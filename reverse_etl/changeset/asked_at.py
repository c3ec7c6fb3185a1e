"""Where the query stands that a database refuses: the file and line at which a user corrects it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from reverse_etl.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reverse_etl.config.streams import Stream
    from reverse_etl.config.syncs import SyncConfig


@contextmanager
def asked_at(sync: SyncConfig, stream: Stream, sql: str) -> Iterator[None]:
    """Has an error of a stream's query say where that begins, and what it asked.

    Args:
        sync: The sync.
        stream: Its stream.
        sql: The query as the database is given it.
    """
    try:
        yield
    except QueryError as error:
        error.sql = error.sql or sql
        error.located(f"sync {sync.name} ({sync.line_of(stream.at, 1)})" if sync.file else sync.where)
        raise

"""Up to where a sync's runs have read the feed of what its workspace did not apply."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from reverse_etl.state.schema import SYNC

if TYPE_CHECKING:
    from reverse_etl.state.store import Store


def read_to(store: Store, sync: str) -> str:
    """As ``remember`` was given it; empty where no run has read the feed. Raises StateError."""
    with store.database.reading() as connection:
        return connection.execute(sa.select(SYNC.c.feed).where(SYNC.c.name == sync)).scalar_one_or_none() or ""


def remember(store: Store, sync: str, position: str) -> None:
    """Remembers a position, once what lies before it is in the history; empty: nothing. Raises StateError."""
    if not position:
        return
    with store.database.writing() as connection:
        connection.execute(sa.update(SYNC).where(SYNC.c.name == sync).values(feed=position))

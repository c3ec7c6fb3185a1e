"""Changesets in the place that all machines share: when each was used last, so that they need not all be listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from reverse_etl.state.schema import STORED

if TYPE_CHECKING:
    from datetime import datetime

    from reverse_etl.state.store import Store


def used(store: Store, name: str, at: datetime) -> None:
    """Writes down that a run uses a changeset. Raises StateError.

    Args:
        store: The state.
        name: The changeset's folder in the shared place.
        at: Aware.
    """
    insert = store.insert(STORED)
    row = insert.values(name=name, used_at=at)
    with store.writing() as connection:
        connection.execute(row.on_conflict_do_update(index_elements=[STORED.c.name], set_={"used_at": at}))


def unused_since(store: Store, before: datetime) -> list[str]:
    """The names of the changesets that no run has used since; those used longest ago first. Raises StateError."""
    wanted = sa.select(STORED.c.name).where(STORED.c.used_at < before).order_by(STORED.c.used_at)
    with store.reading() as connection:
        return list(connection.execute(wanted).scalars())


def forget(store: Store, name: str) -> None:
    """Writes down that a changeset is gone. Raises StateError."""
    with store.writing() as connection:
        connection.execute(sa.delete(STORED).where(STORED.c.name == name))

"""Whose the acknowledgements are, for syncs and runs that are looked at on their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from reverse_etl.changeset.recipient import Recipient
from reverse_etl.state.schema import RUN, SYNC

if TYPE_CHECKING:
    from reverse_etl.state.store import Store


def adopt(store: Store, sync: str, recipient: Recipient) -> None:
    """Remembers whose a last sync time is that is remembered without that. Raises StateError."""
    unknown = sa.update(SYNC).where(SYNC.c.name == sync, SYNC.c.recipient.is_(None))
    with store.database.writing() as connection:
        connection.execute(unknown.values(recipient=recipient.as_text()))


def of_run(store: Store, run_id: str) -> Recipient | None:
    """For whom a run's rows were read; None where that is not, or no longer, known. Raises StateError."""
    with store.database.reading() as connection:
        found = connection.execute(sa.select(RUN.c.recipient).where(RUN.c.run_id == run_id)).scalar_one_or_none()
    return Recipient.from_text(found)

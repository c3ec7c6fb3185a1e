"""Which files say what a sync's destination acknowledged: one number a sync, moved in the transaction that ends a run.

The files are in ``changes.generation``. A run marks the number before its first request, so that whatever ends the
run, the next one knows which rows may have arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from reverse_etl.state.schema import SNAPSHOT

if TYPE_CHECKING:
    from reverse_etl.state.store import Store


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of a sync's acknowledged rows.

    Attributes:
        generation: The files that say so; 0 where there never were any.
        made_by: The changeset whose run made them; empty where there are none, or they were forgotten.
        sending: The changeset that may be partly sent, and is not accounted for in the files; empty for none.
    """

    generation: int = 0
    made_by: str = ""
    sending: str = ""


def snapshot_of(store: Store, sync: str) -> Snapshot:
    """A sync's; an empty one before its first run that compares. Raises StateError."""
    with store.reading() as connection:
        row = connection.execute(sa.select(SNAPSHOT).where(SNAPSHOT.c.sync == sync)).one_or_none()
    return Snapshot(row.generation, row.made_by, row.sending) if row else Snapshot()


def mark_sending(store: Store, sync: str, *, generation: int, changeset: str) -> bool:
    """Notes that rows of a changeset are about to be sent; false, and nothing is noted, where another run came between.

    Args:
        store: The state.
        sync: The sync's name.
        generation: What the changeset was compared with.
        changeset: The changeset's run.
    """
    with store.writing() as connection:
        _begin(store, connection, sync)
        marked = connection.execute(_still(sync, generation, changeset).values(sending=changeset))
        return marked.rowcount == 1


def move_snapshot(connection: sa.Connection, sync: str, *, generation: int, changeset: str) -> bool:
    """Makes the next generation the one that counts; false, and nothing is changed, where another run did so before.

    Args:
        connection: The transaction that ends the run.
        sync: The sync's name.
        generation: The one that counted before.
        changeset: The changeset that is accounted for now.
    """
    moved = {"generation": generation + 1, "made_by": changeset, "sending": ""}
    return connection.execute(_still(sync, generation, changeset).values(**moved)).rowcount == 1


def forget_snapshot(store: Store, sync: str) -> None:
    """Forgets what a sync's destination acknowledged, as a run that does not compare must before it sends.

    Its number moves on, so that rows that were read before are overtaken, those of a first run that compares too.
    """
    forgotten = {"generation": SNAPSHOT.c.generation + 1, "made_by": "", "sending": ""}
    with store.writing() as connection:
        _begin(store, connection, sync)
        connection.execute(sa.update(SNAPSHOT).where(SNAPSHOT.c.sync == sync).values(**forgotten))


def _begin(store: Store, connection: sa.Connection, sync: str) -> None:
    """Enters a sync of which nothing was known."""
    store.put(connection, SNAPSHOT, {"sync": sync, "generation": 0, "made_by": "", "sending": ""}, {})


def _still(sync: str, generation: int, changeset: str) -> sa.Update:
    return sa.update(SNAPSHOT).where(
        SNAPSHOT.c.sync == sync, SNAPSHOT.c.generation == generation, SNAPSHOT.c.sending.in_(("", changeset))
    )

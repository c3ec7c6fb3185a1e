"""Up to when a sync's schedule was looked at: tells a due time that nobody saw from one that was answered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from reverse_etl.state.schema import SYNC

if TYPE_CHECKING:
    from reverse_etl.state.store import Store

_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


def note_tick(store: Store, sync: str, workspace: str, *, grid: str, at: datetime) -> datetime | None:
    """Remembers that a sync's schedule was looked at, and returns when it was before.

    Args:
        store: The state.
        sync: The sync's name.
        workspace: The workspace's name.
        grid: What tells this schedule from one that the file had earlier.
        at: The tick's time, aware.

    Returns:
        The latest tick's time before, aware UTC: the epoch where there was none, None where it was one of another grid.

    Raises:
        StateError: The state database cannot be used.
    """
    store.record_seen(sync, workspace, at)
    row = SYNC.c.name == sync
    with store.database.writing() as connection:
        before = connection.execute(sa.select(SYNC.c.ticked_at, SYNC.c.ticked_grid).where(row)).one()
        known = _NEVER if before.ticked_grid is None else before.ticked_at if before.ticked_grid == grid else None
        if known is None or known < at:
            connection.execute(sa.update(SYNC).where(row).values(ticked_at=at, ticked_grid=grid))
    return known

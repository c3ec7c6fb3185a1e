"""When a sync's rows last arrived: the end of its newest run that came to one, with failed rows or without."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from reverse_etl.report import Status
from reverse_etl.state.schema import RUN, SYNC

if TYPE_CHECKING:
    from collections.abc import Collection

_DELIVERED: Final = [Status.COMPLETED.value, Status.SOME_ROWS_FAILED.value]


def last_delivered_at(connection: sa.Connection, syncs: Collection[str] | None = None) -> dict[str, datetime]:
    """By sync, the aware time; without those that have no such run in the history.

    Args:
        connection: To the state database.
        syncs: Only of these; None: of all.
    """
    newest = (
        sa.select(RUN.c.finished_at)
        .where(RUN.c.sync == SYNC.c.name, RUN.c.status.in_(_DELIVERED))
        .order_by(RUN.c.started_at.desc(), RUN.c.run_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    wanted = sa.select(SYNC.c.name, newest.label("delivered_at"))
    if syncs is not None:
        wanted = wanted.where(SYNC.c.name.in_(syncs))
    return {row.name: row.delivered_at for row in connection.execute(wanted) if row.delivered_at is not None}

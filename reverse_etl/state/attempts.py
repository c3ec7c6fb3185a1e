"""Which attempt a run is: a run and its re-executions are counted on. Retries add to that what they retry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from reverse_etl.state.schema import RUN

if TYPE_CHECKING:
    from datetime import datetime

    from reverse_etl.state.store import Store


def attempt_of(store: Store, run_id: str, *, root_run_id: str, began_at: datetime) -> int:
    """The number, from 1, of a run among those that share its changeset.

    Args:
        store: The history.
        run_id: The run, whether or not it is in the history.
        root_run_id: The first of its chain.
        began_at: When the run began, aware.

    Raises:
        StateError: The history cannot be read.
    """
    earlier = (
        sa.select(sa.func.count())
        .select_from(RUN)
        .where(RUN.c.root_run_id == root_run_id, RUN.c.run_id != run_id, RUN.c.started_at <= began_at)
    )
    with store.database.reading() as connection:
        return 1 + int(connection.execute(earlier).scalar_one())

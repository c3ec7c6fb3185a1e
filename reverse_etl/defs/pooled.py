"""Dagster's storage in a process that lives long: its connections stay open between uses, as they do in the webserver.

Dagster opens one for each query otherwise, some sixty for each tick that queues a run.
"""

from collections.abc import Callable
from typing import Any

import dagster as dg
import sqlalchemy as sa

_RECYCLED_AFTER_S = 600
_MOST_OPEN = 20
"""Beside the one that stays: threads that evaluate ticks, submit runs and take them out of the queue."""


def keep_connections(instance: dg.DagsterInstance) -> None:
    """Lets a storage on a server keep its connections; where it has kept them before, nothing changes."""
    for storage in (instance.run_storage, instance.event_log_storage, instance.schedule_storage):
        if storage is None or not isinstance(_engine(storage), sa.Engine) or _keeps(storage):
            continue
        storage.optimize_for_webserver(statement_timeout=0, pool_recycle=_RECYCLED_AFTER_S, max_overflow=_MOST_OPEN)
        engine = _engine(storage)
        if engine is not None and _keeps(storage):
            sa.event.listen(engine, "checkout", _requiring_alive(engine.dialect))


def _engine(storage: object) -> sa.Engine | None:
    """Dagster has no name for it that is its users'."""
    return getattr(storage, "_engine", None)


def _keeps(storage: object) -> bool:
    engine = _engine(storage)
    return engine is not None and engine.dialect.name == "postgresql" and isinstance(engine.pool, sa.QueuePool)


def _requiring_alive(dialect: sa.Dialect) -> Callable[[Any, object, object], None]:
    """Has a pool replace a connection that a restarted server closed."""

    def require_alive(connection: Any, record: object, proxy: object) -> None:  # noqa: ARG001
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            raise sa.exc.DisconnectionError from error

    return require_alive

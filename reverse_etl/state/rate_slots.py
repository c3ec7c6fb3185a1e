"""Turns at a workspace's rate limit, taken from one row of the state database by every process on every machine.

The row holds when the next free turn is; a process that takes turns moves it on. Nothing is given back: an unused turn
is gone. What a process does while the database does not answer is in ``pacing.shared_rate``.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from reverse_etl.state.schema import PACE
from reverse_etl.state.store import Store

PATIENCE_S: Final = 2
"""Seconds to wait for the database: less than a run may take to be canceled."""

_FURTHEST_TURNS: Final = 1_000
_FURTHEST_S: Final = 60.0


class RateSlots:
    """The turns of one workspace.

    Args:
        url: The state database's, with its tables up to date.
        workspace: The workspace's name.

    Raises:
        StateError: The URL is not a usable one.
    """

    def __init__(self, url: str, workspace: str) -> None:
        self._store = Store(_impatient(url))
        self._workspace = workspace

    def reserve(self, turns: int, per_second: float) -> float:
        """Takes this many turns in a row, at this rate, and returns the seconds until the first: 0 or more.

        Raises:
            StateError: The database did not answer in time, or not as it should.
        """
        taken_s = turns / per_second
        with self._store.writing() as connection:
            if not self._store.sqlite:
                connection.execute(sa.text(f"SET LOCAL lock_timeout = '{PATIENCE_S}s'"))
            now = self._store.now(connection).timestamp()
            # A time that no queue of processes explains comes from a clock that was wrong.
            furthest = now + max(_FURTHEST_S, _FURTHEST_TURNS / per_second)
            first = sa.case((PACE.c.next_at.between(now, furthest), PACE.c.next_at), else_=now)
            insert = self._store.insert(PACE)
            row = insert.values(workspace=self._workspace, next_at=now + taken_s)
            moved = row.on_conflict_do_update(index_elements=[PACE.c.workspace], set_={"next_at": first + taken_s})
            next_at: float = connection.execute(moved.returning(PACE.c.next_at)).scalar_one()
        return max(0.0, next_at - taken_s - now)


def _impatient(url: str) -> str:
    """The URL with a wait of its own, unless it names one. What cannot be read as a URL is left to ``Store``."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        return url
    name = "timeout" if parsed.get_backend_name() == "sqlite" else "connect_timeout"
    if name not in parsed.query:
        parsed = parsed.update_query_dict({name: str(PATIENCE_S)})
    return parsed.render_as_string(hide_password=False)

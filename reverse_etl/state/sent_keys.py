"""What a sync sent to a service that applies twice what is sent twice: one row a key, in doubt until it is settled.

A key is kept before its request leaves. Whatever ends the process, no other run sends it again; a run that continues
this one knows from its journal, and from the service, which of its own rows were sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from reverse_etl.state.schema import SENT
from reverse_etl.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

_AT_ONCE: Final = 500


class SentKeys:
    """The keys of one sync, as a run of it sees and adds to them; ``destinations.request_powers.SentKeys``.

    Args:
        url: The state database's, with its tables up to date.
        sync: The sync's name.
        changeset: The run whose rows are sent, and continued; its own keys are not those of others.
        began_at: When that run began, aware: what counts is counted from then.
        counted_for: For how long a key counts.
        now: Time, aware.

    Raises:
        StateError: The URL is not a usable one.
    """

    def __init__(
        self,
        url: str,
        sync: str,
        *,
        changeset: str,
        began_at: datetime,
        counted_for: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = Store(url)
        self._sync = sync
        self._changeset = changeset
        self._began_at = began_at
        self._counted_for = counted_for
        self._now = now

    def known(self) -> frozenset[str]:
        """Those that other runs sent, as long as they count."""
        with self._store.reading() as connection:
            return frozenset(row.key for row in connection.execute(self._of_others(in_doubt=False)))

    def doubts(self) -> dict[str, int]:
        """Those that other runs may have sent, alike, and when, Unix seconds."""
        with self._store.reading() as connection:
            return {row.key: int(row.sent_at.timestamp()) for row in connection.execute(self._of_others(in_doubt=True))}

    def keep(self, keys: Sequence[str]) -> None:
        """Keeps keys whose request is about to leave."""
        now = self._now()
        values = {
            "changeset": self._changeset,
            "sent_at": now,
            "forgotten_at": now + self._counted_for,
            "in_doubt": True,
        }
        with self._store.writing() as connection:
            for some in _chunks(keys):
                insert = self._store.insert(SENT).values([{"sync": self._sync, "key": key, **values} for key in some])
                connection.execute(insert.on_conflict_do_update(index_elements=[SENT.c.sync, SENT.c.key], set_=values))

    def settle(self, keys: Sequence[str]) -> None:
        """The request was applied, whichever run sent it."""
        with self._store.writing() as connection:
            for some in _chunks(keys):
                these = sa.and_(SENT.c.sync == self._sync, SENT.c.key.in_(some))
                connection.execute(sa.update(SENT).where(these).values(in_doubt=False))

    def forget(self, keys: Sequence[str]) -> None:
        """The request was surely not applied."""
        with self._store.writing() as connection:
            for some in _chunks(keys):
                connection.execute(sa.delete(SENT).where(self._own(some)))

    def _of_others(self, *, in_doubt: bool) -> sa.Select[Any]:
        return sa.select(SENT.c.key, SENT.c.sent_at).where(
            SENT.c.sync == self._sync,
            SENT.c.changeset != self._changeset,
            SENT.c.sent_at > self._began_at - self._counted_for,
            SENT.c.in_doubt == in_doubt,
        )

    def _own(self, keys: Sequence[str]) -> sa.ColumnElement[bool]:
        return sa.and_(SENT.c.sync == self._sync, SENT.c.changeset == self._changeset, SENT.c.key.in_(keys))


def forget_old_keys(store: Store, now: datetime) -> None:
    """Removes the keys that count no more."""
    with store.writing() as connection:
        connection.execute(sa.delete(SENT).where(SENT.c.forgotten_at < now))


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]

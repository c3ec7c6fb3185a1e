"""A sync that a faulty file leaves out, at one moment: what the state knows of it, whatever its file says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reverse_etl.syncs_page.sync_status import left_out_as_json, run_as_json
from reverse_etl.times import at_unix, from_now, iso

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reverse_etl.config.left_out import LeftOut
    from reverse_etl.report import RunReport
    from reverse_etl.state.store import Store
    from reverse_etl.state.syncs import SyncState


@dataclass(frozen=True, slots=True)
class LeftOutStatus:
    """One sync at one moment.

    Attributes:
        name: Its name.
        why: Why it is left out; None where that is not known.
        state: What is remembered of it.
        run: Its newest run that was not skipped; None before the first.
        now: The moment, aware UTC.
        delivered_at: When its last run that delivered ended, with failed rows or without; None before.
    """

    name: str
    why: LeftOut | None
    state: SyncState
    run: RunReport | None
    now: datetime
    delivered_at: datetime | None

    @property
    def destination(self) -> str:
        """As its file says or, where that does not, as its newest run had it; empty where neither is known."""
        known = self.why.sync if self.why is not None else None
        return known.destination if known is not None else self.state.workspace

    @property
    def word(self) -> str:
        """``active``, or ``paused`` here; whether its schedule is off in Dagster's UI is not known."""
        return "paused" if self.state.paused else "active"

    @property
    def last_sync_at(self) -> datetime | None:
        """When the last completed run started; None before there was one."""
        return at_unix(self.state.last_sync_time)

    @property
    def next_run(self) -> str:
        """Why it is not due, in place of a due time."""
        return f"left out\n{self.why.short}" if self.why is not None else "left out"

    @property
    def freshness(self) -> str:
        """How old the data is, in words; whether it is stale is not known."""
        return from_now(self.delivered_at or self.last_sync_at, self.now)

    @property
    def failed_rows(self) -> int | None:
        """Failed rows of the last run, of both queries; None before the first."""
        return None if self.run is None else self.run.total.failed

    def as_json(self) -> dict[str, Any]:
        """The keys of any sync in ``status --json``, null where only its file would tell."""
        return {
            **run_as_json(self.name, self.run, self.now),
            "workspace": self.destination or None,
            "kind": None,
            "sync_status": self.word,
            "off_in_dagster": None,
            "daemon_running": None,
            "in_dagster": None,
            **left_out_as_json(self.why),
            "last_sync_time": self.state.last_sync_time,
            "last_sync_at": iso(self.last_sync_at),
            "freshness": self.freshness,
            "stale": None,
            "next_run": None,
            "after": None,
            "failed_rows": self.failed_rows,
            "changes": None,
            "pieces": None,
        }


def left_out_statuses(left_out: Mapping[str, LeftOut | None], store: Store, now: datetime) -> list[LeftOutStatus]:
    """Each of these syncs, by name. Raises StateError."""
    from reverse_etl.state.run_history import last_delivered_at, latest_runs
    from reverse_etl.state.syncs import SyncState, every_sync

    if not left_out:
        return []
    states = {state.name: state for state in every_sync(store)}
    runs = latest_runs(store, *left_out)
    with store.reading() as connection:
        delivered = last_delivered_at(connection, left_out)
    return [
        LeftOutStatus(name, why, states.get(name, SyncState(name)), runs.get(name), now, delivered.get(name))
        for name, why in sorted(left_out.items())
    ]

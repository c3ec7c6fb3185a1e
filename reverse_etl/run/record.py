"""What is known of one sync's run while it runs: what runs, under which ids, where its files go, who listens to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from reverse_etl.changeset.parts import RunFolder
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.report import RunReport
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import Store


def _ignore(_: object) -> None:
    """What listens to a run where no listener is named."""


@dataclass(frozen=True, slots=True)
class SyncRun:
    """One run of one sync.

    Attributes:
        sync: What runs.
        run_id: Its id in the history (``state.run_ids``).
        root_run_id: The id of the run whose changeset is used: the first of a chain of re-executions.
        home: Where its files go.
        store: What is remembered.
        began_at: Aware UTC, by this machine's clock.
        closed: Called once it has ended, with the report; raises nothing.
        waits: Called with a sentence while the run waits for the workspace.
        one_process: Whether this process, which runs this stage, also runs those that follow.
        dagster_run_id: Dagster's id of it; empty where that is ``run_id``.
    """

    sync: SyncConfig
    run_id: str
    root_run_id: str
    home: Home
    store: Store
    began_at: datetime
    closed: Callable[[RunReport], None] = _ignore
    waits: Callable[[str], None] = _ignore
    one_process: bool = True
    dagster_run_id: str = ""

    @property
    def lease_id(self) -> str:
        """The id under which it holds the workspace's lease, and gives its signs of life."""
        return self.dagster_run_id or self.run_id

    @property
    def folder(self) -> RunFolder:
        """The run's folder, shared with its re-executions."""
        return self.home.run_folder(self.sync.name, self.root_run_id)

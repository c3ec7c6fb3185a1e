"""Runs of a scenario: the product's own stages on a real source, state database and sandbox, as Dagster calls them.

Nothing of the product is replaced; only time is given to it, so that waiting takes none.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reverse_etl.changeset.scope import WHAT_CHANGED, Scope
from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.config.inline import parse_sync
from reverse_etl.destinations.customerio.sync import Sync
from reverse_etl.destinations.customerio.workspace import WorkspaceConfig
from reverse_etl.errors import ReverseEtlError
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.plugins import load
from reverse_etl.report import RunReport, Status
from reverse_etl.run.attend import attend
from reverse_etl.run.record import SyncRun
from reverse_etl.run.remembers import compares
from reverse_etl.run.stages import compare_changeset, deliver_changeset, extract_changeset, validate_changeset
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import find_run
from reverse_etl.state.store import Store, open_store
from reverse_etl.state.syncs import last_sync_time
from reverse_etl_tests.destinations.customerio.configs import workspace
from reverse_etl_tests.destinations.scripted import FastClock
from reverse_etl_tests.faults.shop import Row, Shop, compared, settings
from reverse_etl_tests.faults.workspace import Contents, contents, expected
from reverse_etl_tests.fresh_store import fresh_store
from reverse_etl_tests.servers.sandbox import RunningSandbox, running_sandbox

LATE_S = 600
"""How long before the last sync time a run reads where the database tells nothing: SQLite does not."""

STAGES = ("extract", "validate", "deliver")


@dataclass(frozen=True, slots=True)
class Ended:
    """One run as it ended.

    Attributes:
        run_id: Its id.
        root_run_id: Of the run whose changeset it used.
        rows: What the source's query gave when it was read.
        report: As the history has it; None where it has none.
        error: What ended it.
        sync_time_before: The last sync time when it began.
    """

    run_id: str
    root_run_id: str
    rows: list[Row]
    report: RunReport | None
    error: BaseException | None
    sync_time_before: int


@dataclass(slots=True)
class World:
    """What the scenarios of one process share: a folder, a sandbox, a home folder with its state database, servers."""

    folder: Path
    sandbox: RunningSandbox
    home: Home
    store: Store
    stack: ExitStack = field(default_factory=ExitStack)
    servers: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Any] = field(default_factory=dict)
    compares: bool = False
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def shared(self, name: str, start: Callable[[], AbstractContextManager[Any]]) -> Any:
        """A server, started when it is needed first."""
        if name not in self.servers:
            self.servers[name] = self.stack.enter_context(start())
        return self.servers[name]

    def case(self, kind: str, chance: random.Random, **chosen: Any) -> Case:
        """A new sync on a new source, and an empty workspace.

        Args:
            kind: One of ``shop.KINDS``.
            chance: Decides everything that is not chosen.
            chosen: ``rows``, ``wide``, ``items`` (of one request), ``in_flight``, ``sandbox``, ``home``, ``compare``,
                and ``section``: keys of the section that says what a row is.
        """
        sandbox = chosen.get("sandbox", self.sandbox)
        sandbox.reset()
        name = f"{kind}_{next(self.numbers)}"
        shop = Shop(self.folder / f"{name}.db")
        shop.fill(chosen.get("rows", chance.randint(5, 40)), chance, wide=chosen.get("wide", 0))
        home = chosen.get("home", self.home)
        sync = compared(kind) if chosen.get("compare", self.compares) else settings(kind)
        [section] = {"people", "objects", "events"} & sync.keys()
        sync[section] = {**sync[section], **chosen.get("section", {})}
        return Case(
            name=name,
            kind=kind,
            shop=shop,
            sync=parse_sync(name, {"database": "shop", "workspace": "main", "schedule": "manual", **sync}),
            database=load("reverse_etl.sources", "sqlite").Config(name="shop", type="sqlite", path=shop.path),
            workspace=workspace(
                sandbox.url,
                max_items_per_request=chosen.get("items", chance.randint(1, 8)),
                max_requests_in_flight=chosen.get("in_flight", chance.randint(1, 6)),
            ),
            sandbox=sandbox,
            home=home,
            store=self.store if home is self.home else open_store(home.state_url),
        )


@dataclass(slots=True, kw_only=True)
class Case:
    """One scenario's sync and everything around it."""

    name: str
    kind: str
    shop: Shop
    sync: Sync
    database: DatabaseConfig
    workspace: WorkspaceConfig
    sandbox: RunningSandbox
    home: Home
    store: Store
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _rows_of_folder: dict[Path, list[Row]] = field(default_factory=dict)

    @property
    def refuses(self) -> str:
        """The stage at which rows fail that the destination refuses."""
        return "customerio"

    @property
    def rejects(self) -> str:
        """The stage at which its bad rows fail before they are sent."""
        return "check"

    def contents(self) -> Contents:
        """What is there."""
        return contents(self.sandbox, self.kind)

    def expected(self, row: Row) -> tuple[str, str]:
        """What one row must be there."""
        return expected(row, self.kind)

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages of its runs, in order."""
        return ("extract", "validate", "compare", "deliver") if compares(self.sync) else STAGES

    def start(self, *, root: str = "", began_at: datetime | None = None) -> SyncRun:
        """A run that has done nothing yet; ``root`` makes it a re-execution."""
        run_id = f"{self.name}-{next(self._numbers)}"
        return SyncRun(self.sync, run_id, root or run_id, self.home, self.store, began_at or datetime.now(UTC))

    def run(
        self,
        *,
        root: str = "",
        clock: Clock | None = None,
        before: Callable[[str], None] | None = None,
        began_at: datetime | None = None,
        scope: Scope = WHAT_CHANGED,
    ) -> Ended:
        """Runs the stages one after the other, each closing the run if it fails, as Dagster's assets do.

        Args:
            root: Re-executes that run's changeset from the failed step.
            clock: Time; by default one that jumps over every wait.
            before: Called with each stage's name before it.
            began_at: When this machine says that it began.
            scope: What it is to read; ``rows`` of the result are those of a run of its own.
        """
        run = self.start(root=root, began_at=began_at)
        sync_time_before = last_sync_time(self.store, self.name)
        error: ReverseEtlError | None = None
        rows: list[Row] = []
        for stage in self.stages[-1:] if root else self.stages:
            if before is not None:
                before(stage)
            if stage == "extract":
                rows = self.shop.rows(0 if compares(self.sync) else max(0, sync_time_before - LATE_S))
            try:
                with attend(run):
                    stopped = self._stage(run, stage, clock or FastClock().clock(), scope)
            except ReverseEtlError as raised:
                error = raised
                break
            if stage == "extract":
                # A run may go on with the changeset of one that stopped: then its rows are that one's.
                rows = self._rows_of_folder.setdefault(run.folder.path, rows)
            if stopped:
                break
        return Ended(run.run_id, run.root_run_id, rows, find_run(self.store, run.run_id), error, sync_time_before)

    def through(self, run: SyncRun, before: Callable[[str], None]) -> None:
        """Runs the stages of a run that ``start`` gave; raises what ends it."""
        for stage in self.stages:
            before(stage)
            with attend(run):
                self._stage(run, stage, FastClock().clock())

    def _stage(self, run: SyncRun, stage: str, clock: Clock, scope: Scope = WHAT_CHANGED) -> bool:
        if stage == "extract":
            extract_changeset(run, self.database, self.workspace, scope=scope, clock=clock)
        elif stage == "validate":
            return bool(validate_changeset(run).stopped)
        elif stage == "compare":
            return bool(compare_changeset(run).stopped)
        else:
            deliver_changeset(run, self.workspace, clock=clock)
        return False

    def resume(self, first: Ended) -> Ended:
        """Re-executes a run that failed, from its failed step."""
        assert first.report is not None
        assert first.report.status is Status.FAILED
        return replace(self.run(root=first.root_run_id), rows=first.rows)


@contextmanager
def new_world(folder: Path) -> Iterator[World]:
    """A world in an empty folder; its sandbox ends with it."""
    home = Home.at(folder / "home")
    with running_sandbox(keep_bodies=True, app_rate_limit=0) as sandbox, ExitStack() as stack:
        yield World(folder, sandbox, home, fresh_store(home), stack)

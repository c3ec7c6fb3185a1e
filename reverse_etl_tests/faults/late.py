"""Rows that become visible after a run has read: transactions that commit late, and replicas that lag."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import pymysql  # type: ignore[import-untyped]

from reverse_etl.changeset.from_log import log_name
from reverse_etl.changeset.scope import Scope
from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.inline import parse_sync
from reverse_etl.config.syncs import SyncConfig
from reverse_etl.plugins import load
from reverse_etl.report import RunReport, Status
from reverse_etl.run.attend import attend
from reverse_etl.run.record import SyncRun
from reverse_etl.run.remembers import compares
from reverse_etl.run.stages import compare_changeset, deliver_changeset, extract_changeset, validate_changeset
from reverse_etl.sources import connect
from reverse_etl.sources.powers import ChangeLog, HasLog
from reverse_etl_tests.destinations.customerio.configs import workspace
from reverse_etl_tests.destinations.scripted import FastClock
from reverse_etl_tests.faults.catalogue import family
from reverse_etl_tests.faults.runs import World
from reverse_etl_tests.faults.servers import mariadb_of, postgres_of, standby_of
from reverse_etl_tests.servers import mariadb, postgres
from reverse_etl_tests.servers.sandbox import wait_until

PLACES: Final = (
    *("postgres", "postgres_unseen", "postgres_marks", "postgres_log", "standby", "standby_marks"),
    *("mariadb", "mariadb_unseen", "mariadb_log", "sqlite"),
)
"""Databases that show open transactions, and that do not; a standby whose replay stops; one writer of a file.

Of the ones with marks, a query asks for rows that changed by what wrote them, not by their time; where there is a log,
it names the rows.
"""

HOWS: Final = ("wrote before", "writes later", "in a savepoint", "after a savepoint", "prepared", "rolled back")
"""What an open transaction has done when a run reads."""

_SINCE: Final = {
    "postgres": "to_timestamp({{last_sync_time}})",
    "mysql": "FROM_UNIXTIME({{last_sync_time}})",
    "sqlite": "{{last_sync_time}}",
}
_NOW: Final = {"postgres": "now()", "mysql": "now(6)", "sqlite": "(julianday('now') - 2440587.5) * 86400.0"}
_AT: Final = {"postgres": "timestamptz", "mysql": "timestamp(6)", "sqlite": "REAL"}


@dataclass(slots=True)
class Place:
    """A table of people in one database, and who writes to it.

    Attributes:
        kind: One of ``PLACES``.
        table: Its name; each scenario has its own.
        config: Where the product reads.
        session: Opens a connection of a writer, in autocommit mode; the caller closes it.
        settle: Makes all that is committed visible to a reader.
        stop: Keeps what is committed from now on from readers; nothing where that cannot be.
    """

    kind: str
    table: str
    config: DatabaseConfig
    session: Callable[[], Any]
    settle: Callable[[], object] = lambda: None
    stop: Callable[[], object] = lambda: None
    _numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))

    @property
    def engine(self) -> str:
        """The engine's name."""
        return self.config.type

    def make(self) -> None:
        """Makes the table with three people who changed long ago."""
        with closing(self.session()) as writer:
            execute(writer, f"CREATE TABLE {self.table} (id varchar(20), plan varchar(20), at {_AT[self.engine]})")
            if self.kind.endswith("_log"):
                self._keep_log(writer)
            for number in range(3):
                execute(writer, f"INSERT INTO {self.table} VALUES ('old{number}', 'free', {self._long_ago()})")

    def _keep_log(self, writer: Any) -> None:
        """As the owner of the tables does, and then ``reverse-etl log create``."""
        execute(writer, f"ALTER TABLE {self.table} ADD PRIMARY KEY (id)")
        if self.engine == "mysql":
            execute(writer, f"GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO {mariadb.WATCHER}@'%'")
            return
        execute(writer, f"ALTER ROLE {postgres.WATCHER} REPLICATION")
        execute(writer, f"CREATE PUBLICATION {log_name(self.table)} FOR TABLE {self.table}")
        with self.log() as log:
            log.create()

    @contextmanager
    def log(self) -> Iterator[ChangeLog]:
        """The log of its table, as a sync of the same name reads it."""
        with connect(self.config) as session:
            assert isinstance(session, HasLog)
            yield session.log(log_name(self.table), {self.table: "id"})

    def write(self, writer: Any) -> None:
        """A row of a new person, with the time that the server gives it."""
        number = next(self._numbers)
        execute(writer, f"INSERT INTO {self.table} VALUES ('p{number}', 'pro', {_NOW[self.engine]})")

    def people(self) -> set[str]:
        """Who is committed."""
        with closing(self.session()) as writer:
            return {row[0] for row in execute(writer, f"SELECT id FROM {self.table}")}

    def _long_ago(self) -> str:
        return "0" if self.engine == "sqlite" else "'2020-01-01 00:00:00'"


def execute(session: Any, sql: str) -> list[Any]:
    """Runs a statement of a writer."""
    with closing(session.cursor()) as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []


@dataclass(slots=True)
class OpenTransaction:
    """A transaction that ends after a run has read."""

    place: Place
    writer: Any
    how: str

    def begin(self) -> None:
        """Leaves it open."""
        begin = {"sqlite": "BEGIN IMMEDIATE"}.get(self.place.engine, "BEGIN")
        if (self.place.engine, self.how) == ("mysql", "prepared"):
            begin = f"XA START '{self._name}'"
        execute(self.writer, begin)
        if self.how == "writes later":
            execute(self.writer, f"SELECT count(*), {_NOW[self.place.engine]} FROM {self.place.table}")
            return
        if self.how.endswith("a savepoint"):
            execute(self.writer, "SAVEPOINT s")
        self.place.write(self.writer)
        if self.how == "in a savepoint":
            execute(self.writer, "RELEASE SAVEPOINT s")
        if self.how == "after a savepoint":
            execute(self.writer, "ROLLBACK TO SAVEPOINT s")
            self.place.write(self.writer)
        if self.how == "prepared":
            self._prepare()

    def end(self) -> None:
        """Commits it, or rolls it back."""
        if self.how == "writes later":
            self.place.write(self.writer)
        if self.how == "prepared":
            commit = "XA COMMIT" if self.place.engine == "mysql" else "COMMIT PREPARED"
            execute(self.writer, f"{commit} '{self._name}'")
        else:
            execute(self.writer, "ROLLBACK" if self.how == "rolled back" else "COMMIT")
        self.writer.close()

    @property
    def _name(self) -> str:
        return f"{self.place.table}_{id(self)}"

    def _prepare(self) -> None:
        """Leaves it to whoever commits it; in MariaDB, that needs its session to be gone."""
        if self.place.engine != "mysql":
            execute(self.writer, f"PREPARE TRANSACTION '{self._name}'")
            return
        execute(self.writer, f"XA END '{self._name}'")
        execute(self.writer, f"XA PREPARE '{self._name}'")
        self.writer.close()
        self.writer = self.place.session()


@dataclass(slots=True)
class LateCase:
    """A sync of people of one place.

    Attributes:
        name: The sync's; empty: that of the table.
    """

    world: World
    place: Place
    changes: dict[str, str] = field(default_factory=dict)
    reports: list[RunReport] = field(default_factory=list)
    columns: str = "id, plan"
    query: str = ""
    empty_values: str = "ignore"
    more: dict[str, Any] = field(default_factory=dict)
    name: str = ""

    @property
    def sync(self) -> SyncConfig:
        """The sync, as its file would have it."""
        table, name = self.place.table, self.name or self.place.table
        since = _SINCE[self.place.engine]
        changed = f"{{{{changed: {table}}}}}" if self.place.kind.endswith("_marks") else f"at >= {since}"
        changes: dict[str, Any] = self.changes
        if self.place.kind.endswith("_log"):
            changed, changes = "true", {"by": "log", "tables": self.changes or {table: "id"}}
        settings = {
            "people": {"identify_by": "id", "empty_values": self.empty_values},
            "query": self.query or f"SELECT {self.columns} FROM {table} WHERE {changed}",
            "changes": changes,
            **self.more,
        }
        return parse_sync(name, {"database": "shop", "workspace": "main", "schedule": "manual", **settings})

    def run(self, *, full: bool = False, plan: str = "") -> RunReport:
        """One run of the product's stages, of what changed, of everything or of a plan."""
        sync = self.sync
        run_id, scope = f"{sync.name}-{len(self.reports)}", Scope(full=full, plan=plan)
        run = SyncRun(sync, run_id, run_id, self.world.home, self.world.store, datetime.now(UTC))
        to = workspace(self.world.sandbox.url)
        with attend(run):
            extract_changeset(run, self.place.config, to if compares(sync) else None, scope=scope)
            validate_changeset(run)
            if compares(sync):
                compare_changeset(run)
            report = deliver_changeset(run, to, clock=FastClock().clock())
        assert report.status is Status.COMPLETED or (self.more and report.total.failed), report.message
        self.reports.append(report)
        return report

    def sent(self) -> set[str]:
        """Who is in the workspace."""
        return {person["id"] for person in self.world.sandbox.people()}


def place(world: World, kind: str) -> Place:
    """A place with a table of its own; its server starts when it is first asked for and ends with the world."""
    made = world.places.setdefault(kind, _Server(kind, world))
    return made.place()


@dataclass(slots=True)
class _Server:
    kind: str
    world: World
    tables: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))

    def place(self) -> Place:
        table = f"late_{self.kind}_{next(self.tables)}"
        if self.kind == "sqlite":
            path = self.world.folder / f"{table}.db"
            with closing(sqlite3.connect(path)) as database:
                database.execute("PRAGMA journal_mode = WAL")
            config = load("reverse_etl.sources", "sqlite").Config(name="shop", type="sqlite", path=path)
            return Place(self.kind, table, config, lambda: sqlite3.connect(path, isolation_level=None))
        if self.kind.startswith("mariadb"):
            return self._mariadb(table)
        return self._postgres(table)

    def _postgres(self, table: str) -> Place:
        primary = postgres_of(self.world)
        server = standby_of(self.world) if self.kind.startswith("standby") else primary
        user = postgres.WATCHER if self.kind in ("postgres", "postgres_log", "standby") else postgres.USER
        config = load("reverse_etl.sources", "postgres").Config(
            **{**_login(server, user, postgres.PASSWORD_VARIABLE, postgres.DATABASE), "type": "postgres"}
        )
        if not self.kind.startswith("standby"):
            return Place(self.kind, table, config, primary.session)

        def settle() -> None:
            with server.admin() as admin:
                admin.execute("SELECT pg_wal_replay_resume()")
            primary.catch_up(server)

        def stop() -> None:
            with server.admin() as admin:
                admin.execute("SELECT pg_wal_replay_pause()")

        return Place(self.kind, table, config, primary.session, settle, stop)

    def _mariadb(self, table: str) -> Place:
        server = mariadb_of(self.world)
        user = mariadb.USER if self.kind == "mariadb_unseen" else mariadb.WATCHER
        config = load("reverse_etl.sources", "mysql").Config(
            **{**_login(server, user, mariadb.PASSWORD_VARIABLE, mariadb.DATABASE), "type": "mysql"}
        )

        def session() -> Any:
            return pymysql.connect(
                unix_socket=str(server.unix_socket), user="root", database=mariadb.DATABASE, autocommit=True
            )

        return Place(self.kind, table, config, session)


def _login(server: Any, user: str, variable: str, database: str) -> dict[str, Any]:
    return {
        "name": "shop",
        "host": EnvText(server.host),
        "port": server.port,
        "database": EnvText(database),
        "user": EnvText(user),
        "password": Secret(f"${{{variable}}}"),
        "ca_file": server.ca_file,
    }


def next_second() -> None:
    """Waits until the clock shows another second: whole seconds then tell a run's start from what came before."""
    now = int(time.time())
    wait_until(lambda: int(time.time()) > now)


@family(72, at_once=12)
def late_visibility(world: World, chance: random.Random, seed: int) -> None:
    """Transactions begin before a run and commit after it, and a standby lags, on PostgreSQL, MariaDB and SQLite."""
    where = place(world, PLACES[seed % len(PLACES)])
    world.sandbox.reset()
    where.make()
    where.settle()
    case = LateCase(world, where)
    case.run()
    hows = [how for how in HOWS if how != "prepared" or where.engine != "sqlite"]
    transactions: list[OpenTransaction] = []
    for _ in range(chance.randint(1, 2)):
        # SQLite has one writer at a time.
        for _ in range(1 if where.engine == "sqlite" else chance.randint(1, 3)):
            if where.engine != "sqlite" or not transactions:
                transactions.append(OpenTransaction(where, where.session(), chance.choice(hows)))
                transactions[-1].begin()
        if chance.random() < 0.5:
            where.stop()
        if where.engine != "sqlite":
            with closing(where.session()) as other:
                where.write(other)
        next_second()
        case.run()
        chance.shuffle(transactions)
        for _ in range(chance.randint(0, len(transactions))):
            transactions.pop().end()
        if chance.random() < 0.5:
            where.settle()
        if chance.random() < 0.5:
            case.run()
    while transactions:
        transactions.pop().end()
    where.settle()
    case.run()
    assert case.sent() == where.people(), f"lost: {where.people() - case.sent()}"


__all__ = ["HOWS", "PLACES", "LateCase", "OpenTransaction", "late_visibility", "place"]

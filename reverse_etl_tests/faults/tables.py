"""A sync into a table of a database, and what must be true of the table after every run."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from reverse_etl.changeset.scope import WHAT_CHANGED, Scope
from reverse_etl.config.environment import EnvText
from reverse_etl.config.inline import parse_sync
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.plugins import load
from reverse_etl.run.record import SyncRun
from reverse_etl_tests.destinations.mysql import faulty as mysql
from reverse_etl_tests.destinations.postgres import faulty as postgres
from reverse_etl_tests.destinations.sql.faulty import FaultyServer
from reverse_etl_tests.faults.runs import Case, World
from reverse_etl_tests.faults.servers import mariadb_of, postgres_of, standby_of
from reverse_etl_tests.faults.shop import Row, Shop, compared, settings
from reverse_etl_tests.servers.cut import Cut, cut
from reverse_etl_tests.servers.sandbox import wait_until

ENGINES: Final[dict[str, Callable[[World], FaultyServer]]] = {
    "postgres": lambda world: postgres.faulty(postgres_of(world), lambda: standby_of(world)),
    "mysql": lambda world: mysql.faulty(mariadb_of(world)),
}
"""Each engine's server in trouble; an engine joins by a line."""

NAMES: Final = tuple(ENGINES)
ROWS: Final = 24
SLICE: Final = 6
"""Rows of one transaction."""


def engine_of(seed: int) -> tuple[str, int]:
    """The engine of a scenario, and the scenario's number among its own; every fourth of each compares."""
    block, place = divmod(seed, 4)
    return NAMES[block % len(NAMES)], block // len(NAMES) * 4 + place


@dataclass(slots=True)
class TableCase(Case):
    """One scenario's sync into a table of its own.

    Attributes:
        server: Where the table is.
        relay: The way there.
        table: Its name.
    """

    server: FaultyServer
    relay: Cut
    table: str

    @property
    def refuses(self) -> str:
        """Rows that the database refuses fail at its stage."""
        return str(self.workspace.type)

    @property
    def rejects(self) -> str:
        """Rows that do not fit a column fail when they are to be sent."""
        return "delivery"

    def _stage(self, run: SyncRun, stage: str, clock: Clock, scope: Scope = WHAT_CHANGED) -> bool:
        """As ever; what happens to connections happens to those that write, not to the one that looks ahead."""
        if stage != "extract":
            return Case._stage(self, run, stage, clock, scope)
        moments, self.relay.moments = self.relay.moments, []
        try:
            return Case._stage(self, run, stage, clock, scope)
        finally:
            self.relay.moments = moments

    def contents(self) -> Counter[tuple[str, str]]:
        """The table's rows, but for those of others."""
        found = self.server.fetch(f"SELECT id, email, plan, visits FROM {self.table} WHERE id <> 'theirs'")
        return Counter((key, repr(values)) for key, *values in found)

    def expected(self, row: Row) -> tuple[str, str]:
        """A row as it is in the source."""
        return row.id, repr([row.email, row.plan, row.visits])

    def there_before(self, chance: random.Random) -> None:
        """Some rows of the source are in the table already, with other values."""
        there = [f"('{row.id}', 'old@x', 'old', 0)" for row in self.shop.rows() if chance.random() < 0.5]
        rows = ", ".join([*there, "('theirs', 'their@x', 'their own', 0)"])
        self.server.run(f"INSERT INTO {self.table} VALUES {rows}; DELETE FROM {self.table} WHERE id = 'theirs'")
        self.server.run(f"DELETE FROM {self.table}_writes")

    def each_row_was_written_once(self) -> None:
        """Checks that no row was written again after it was committed."""
        written = Counter(key for (key,) in self.server.fetch(f"SELECT id FROM {self.table}_writes"))
        assert {1} >= set(written.values()), f"written again: {written}"

    def nothing_is_left(self) -> None:
        """Checks that no session, with its transaction and its temporary tables, outlives the run."""
        wait_until(lambda: self.server.sessions() == 0, timeout_s=10)
        assert [] == self.server.left_behind()


@contextmanager
def table_case(world: World, engine: str, chance: random.Random, **chosen: Any) -> Iterator[TableCase]:
    """A new sync on a new source into a new table, which is dropped at the end.

    Args:
        world: Shares the server.
        engine: One of ``ENGINES``, or of the ``servers`` that are chosen.
        chance: Decides what is in the rows.
        chosen: ``key``: the table's, none by ``""``; ``rows``: keys of the section; ``settings`` of the destination;
            ``of``: the class.
    """
    servers: dict[str, Callable[[World], FaultyServer]] = chosen.get("servers", ENGINES)
    server: FaultyServer = world.places.setdefault(f"table of {engine}", None) or servers[engine](world)
    world.places[f"table of {engine}"] = server
    name = f"t{next(world.numbers):05}"
    shop = Shop(world.folder / f"{name}.db")
    shop.fill(ROWS, chance)
    server.run(
        f"CREATE TABLE {name} (id varchar(20) {chosen.get('key', 'PRIMARY KEY')}, email varchar(40), "
        "plan varchar(60), visits bigint CHECK (visits >= 0))"
    )
    server.count_writes(name, f"{name}_writes")
    server.grant_delete(name)
    sync = compared("rows") if world.compares else settings("rows")
    sync["rows"] |= {"table": name, **chosen.get("rows", {})}
    with cut(server.port) as relay:
        config = server.config(
            host=EnvText("127.0.0.1"), port=relay.port, tls="disable", ca_file=None, rows_per_transaction=SLICE,
            **chosen.get("settings", {}),
        )  # fmt: skip
        case = chosen.get("of", TableCase)(
            name=name,
            kind="rows",
            shop=shop,
            sync=parse_sync(name, {"database": "shop", "destination": "crm", "schedule": "manual", **sync}),
            database=load("reverse_etl.sources", "sqlite").Config(name="shop", type="sqlite", path=shop.path),
            workspace=config,
            sandbox=world.sandbox,
            home=world.home,
            store=world.store,
            server=server,
            relay=relay,
            table=name,
        )
        yield case
        case.nothing_is_left()
    server.run(f"DROP TABLE {name}; DROP TABLE {name}_writes")

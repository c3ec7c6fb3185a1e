"""ClickHouse and Snowflake in trouble, and what must be true of their tables: they have neither triggers nor COMMIT."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from reverse_etl_tests.destinations.clickhouse.server import Clickhouse, emptied
from reverse_etl_tests.destinations.snowflake.server import FORGET, GRANTS, ROLE, WRITTEN, Snowflake
from reverse_etl_tests.destinations.sql.faulty import FaultyServer
from reverse_etl_tests.faults.runs import World
from reverse_etl_tests.faults.servers import clickhouse_of, snowflake_of
from reverse_etl_tests.faults.tables import ROWS, TableCase, table_case

_CHECK: Final = re.compile(r" CHECK \([^)]*\)")


@dataclass(slots=True)
class FaultyClickhouse(Clickhouse, FaultyServer):
    """Without TLS, so that a relay sees what is sent; ``commit`` is where an insert's request begins."""

    commit: ClassVar[bytes] = b"query=INSERT+INTO"

    def run(self, sql: str) -> None:
        """As owner; what is counted is emptied whole."""
        Clickhouse.run(self, re.sub(r"DELETE FROM (\w+_writes)", r"TRUNCATE TABLE \1", sql))

    def count_writes(self, table: str, counts: str) -> None:
        """By a view, which has a row for each one that is inserted."""
        self.run(f"CREATE MATERIALIZED VIEW {counts} ENGINE = MergeTree ORDER BY tuple() AS SELECT id FROM {table}")

    def grant_delete(self, table: str) -> None:
        """The engine has no rights."""

    def sessions(self) -> int:
        """Each request stands alone."""
        return 0

    def left_behind(self) -> list[str]:
        """Tables of a name of ours."""
        return [name for (name,) in self.fetch("SHOW TABLES") if name.startswith("reverse_etl")]

    def crash(self) -> None:
        """It is killed, and started again."""
        self.running.crash()


@dataclass(slots=True)
class FaultySnowflake(Snowflake, FaultyServer):
    """Snowflake's counterpart, which enforces no checks."""

    def run(self, sql: str) -> None:
        """As owner."""
        Snowflake.run(self, _CHECK.sub("", sql))

    def config(self, **settings: Any) -> Any:
        """It is spoken to without TLS as it is."""
        kept = {key: value for key, value in settings.items() if key not in ("tls", "ca_file")}
        return Snowflake.config(self, **kept)

    def count_writes(self, table: str, counts: str) -> None:  # noqa: ARG002 - what MERGE tells is counted
        """The counterpart does; from now on."""
        self.run(f"CREATE TABLE {counts} (id varchar(20))")
        self.running.behave()

    def grant_delete(self, table: str) -> None:
        """Lets the writer delete rows of a table."""
        self.run(f"GRANT DELETE ON TABLE CRM.PUBLIC.{table.upper()} TO ROLE {ROLE}")

    def left_behind(self) -> list[str]:
        """Tables of a name of ours."""
        names = [row[1] for row in self.fetch("SHOW TABLES IN SCHEMA CRM.PUBLIC")]
        return [name for name in names if name.startswith("REVERSE_ETL")]

    def crash(self) -> None:
        """All sessions but the owner's end: it keeps nothing that a restart would not lose."""
        self.running.behave(forget_sessions=True)


@dataclass(slots=True)
class WarehouseCase(TableCase):
    """As the others."""

    def nothing_is_left(self) -> None:
        """Checks that nothing of ours is in the catalogue; a session of Snowflake whose process was killed lasts."""
        assert [] == self.server.left_behind()


@dataclass(slots=True)
class SnowflakeCase(WarehouseCase):
    """As the others."""

    def each_row_was_written_once(self) -> None:
        """Checks that no row was written again: all that statements have changed are as many as the rows."""
        assert isinstance(self.server, FaultySnowflake)
        written = sum(self.server.running.seen()["merged"])
        assert written <= ROWS, f"written again: {written - ROWS}"


WAREHOUSES: Final[dict[str, Callable[[World], FaultyServer]]] = {
    "clickhouse": lambda world: _clickhouse(world),
    "snowflake": lambda world: _snowflake(world),
}
NAMES: Final = tuple(WAREHOUSES)
_CASES: Final = {"clickhouse": WarehouseCase, "snowflake": SnowflakeCase}


def warehouse_case(
    world: World, engine: str, chance: random.Random, **chosen: Any
) -> AbstractContextManager[TableCase]:
    """As ``tables.table_case``."""
    return table_case(world, engine, chance, servers=WAREHOUSES, of=_CASES[engine], **chosen)


def _clickhouse(world: World) -> FaultyClickhouse:
    running = clickhouse_of(world)
    database: Clickhouse = world.shared("clickhouse's database", lambda: emptied(running))
    return FaultyClickhouse(running, running.plain_port, database.client)


def _snowflake(world: World) -> FaultySnowflake:
    running = snowflake_of(world)
    server = FaultySnowflake(running, running.port, world.shared("snowflake's owner", lambda: running.admin(WRITTEN)))
    server.run(f"{FORGET};{GRANTS}")
    return server

"""The database servers of a world: each is started when it is needed first, and ends with the world."""

from __future__ import annotations

import os

from reverse_etl_tests.faults.runs import World
from reverse_etl_tests.servers import clickhouse, mariadb, postgres, snowflake


def postgres_of(world: World) -> postgres.PostgresServer:
    """PostgreSQL; the password of its users is in the environment."""
    binaries = postgres.find_binaries()
    assert binaries is not None, postgres.INSTALL
    os.environ[postgres.PASSWORD_VARIABLE] = postgres.PASSWORD
    server: postgres.PostgresServer = world.shared("postgres", lambda: postgres.postgres_server(binaries))
    return server


def standby_of(world: World) -> postgres.PostgresServer:
    """Its standby."""
    primary = postgres_of(world)
    server: postgres.PostgresServer = world.shared("standby", lambda: postgres.standby_of(primary))
    return server


def mariadb_of(world: World) -> mariadb.MariadbServer:
    """MariaDB; the password of its users is in the environment."""
    programs = mariadb.find_programs()
    assert programs is not None, mariadb.INSTALL
    os.environ[mariadb.PASSWORD_VARIABLE] = mariadb.PASSWORD
    server: mariadb.MariadbServer = world.shared("mariadb", lambda: mariadb.mariadb_server(programs))
    return server


def clickhouse_of(world: World) -> clickhouse.ClickhouseServer:
    """ClickHouse; the password of its users is in the environment."""
    os.environ[clickhouse.PASSWORD_VARIABLE] = clickhouse.PASSWORD
    server: clickhouse.ClickhouseServer = world.shared("clickhouse", clickhouse.clickhouse_server)
    return server


def snowflake_of(world: World) -> snowflake.SnowflakeServer:
    """Snowflake's counterpart; the password of its users is in the environment."""
    os.environ[snowflake.PASSWORD_VARIABLE] = snowflake.PASSWORD
    server: snowflake.SnowflakeServer = world.shared("snowflake", snowflake.snowflake_server)
    return server

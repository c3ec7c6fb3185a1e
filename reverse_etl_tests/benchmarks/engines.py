"""The table that every engine is timed on."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reverse_etl_tests.benchmarks import bare_loops
from reverse_etl_tests.servers import bigquery, mariadb, postgres, redshift, snowflake, tds
from reverse_etl_tests.sources import (
    test_bigquery,
    test_mysql,
    test_postgres,
    test_redshift,
    test_snowflake,
    test_sqlserver,
)

QUERY = "SELECT * FROM big"

Filled = tuple[Any, str, dict[str, str]]
"""The connection, the query of all rows, and the environment that the connection needs."""

_POSTGRES = """
SELECT i AS id, 'person' || i || '@example.com' AS email, i % 2 = 0 AS active, i / 7.0::float8 AS share,
       (i * 1.01)::numeric(12, 2) AS total, date '2024-01-01' + i % 365 AS born,
       timestamp '2024-01-01' + i * interval '1 second' AS seen_at,
       CASE WHEN i % 5 = 0 THEN NULL ELSE 'plan ' || i % 3 END AS plan, i % 100 AS visits, md5(i::text) AS token
FROM generate_series(1, {rows}) AS g(i)
"""
_DUCKDB = """
SELECT i AS id, 'person' || i || '@example.com' AS email, i % 2 = 0 AS active, i / 7.0::DOUBLE AS share,
       (i * 1.01)::DECIMAL(12, 2) AS total, DATE '2024-01-01' + (i % 365)::INT AS born,
       TIMESTAMP '2024-01-01' + i * INTERVAL 1 SECOND AS seen_at,
       CASE WHEN i % 5 = 0 THEN NULL ELSE 'plan ' || i % 3 END AS plan, i % 100 AS visits, md5(i::VARCHAR) AS token
FROM range(1, {rows} + 1) AS r(i)
"""
_MARIADB = """
SELECT seq AS id, CONCAT('person', seq, '@example.com') AS email, seq % 2 = 0 AS active, seq / 7e0 AS share,
       CAST(seq * 1.01 AS DECIMAL(12, 2)) AS total, DATE '2024-01-01' + INTERVAL seq % 365 DAY AS born,
       TIMESTAMP '2024-01-01 00:00:00' + INTERVAL seq SECOND AS seen_at,
       IF(seq % 5 = 0, NULL, CONCAT('plan ', seq % 3)) AS plan, seq % 100 AS visits, MD5(seq) AS token
FROM seq_1_to_{rows}
"""
_SNOWFLAKE = """
SELECT SEQ4() AS id, 'person' || SEQ4() || '@example.com' AS email, SEQ4() % 2 = 0 AS active,
       SEQ4() / 7.0::FLOAT AS share, (SEQ4() * 1.01)::NUMBER(12, 2) AS total,
       DATEADD(DAY, SEQ4() % 365, '2024-01-01'::DATE)::DATE AS born,
       DATEADD(SECOND, SEQ4(), '2024-01-01'::TIMESTAMP_NTZ) AS seen_at,
       CASE WHEN SEQ4() % 5 = 0 THEN NULL ELSE 'plan ' || SEQ4() % 3 END AS plan, SEQ4() % 100 AS visits,
       MD5(SEQ4()::TEXT) AS token
FROM TABLE(GENERATOR(ROWCOUNT => {rows}))
"""
_SQLITE = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
SELECT i AS id, 'person' || i || '@example.com' AS email, i % 2 AS active, i / 7.0 AS share, i * 1.01 AS total,
       date('2024-01-01', (i % 365) || ' days') AS born, 1704067200 + i AS seen_at,
       CASE WHEN i % 5 = 0 THEN NULL ELSE 'plan ' || i % 3 END AS plan, i % 100 AS visits, hex(i * 7919) AS token
FROM n
"""


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine to time.

    Attributes:
        filled: Starts its counterpart with a table of so many rows.
        bare: The driver's own loop over a query's rows; returns how many there were.
    """

    filled: Callable[[int], AbstractContextManager[Filled]]
    bare: Callable[[Any, str], int]


@contextmanager
def _sqlite(rows: int) -> Iterator[Filled]:
    from reverse_etl.sources.sqlite import Config

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.db"
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(f"CREATE TABLE big AS {_SQLITE.format(rows=rows)}")
        yield Config(name="big", path=path), QUERY, {}


@contextmanager
def _duckdb(rows: int) -> Iterator[Filled]:
    import duckdb

    from reverse_etl.sources.duckdb import Config

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.duckdb"
        with duckdb.connect(str(path)) as database:
            database.execute(f"CREATE TABLE big AS {_DUCKDB.format(rows=rows)}")
        yield Config(name="big", path=path), QUERY, {}


@contextmanager
def _running_postgres() -> Iterator[postgres.PostgresServer]:
    binaries = postgres.find_binaries()
    if binaries is None:
        raise SystemExit(postgres.INSTALL)
    with postgres.postgres_server(binaries) as server:
        yield server


@contextmanager
def _postgres(rows: int) -> Iterator[Filled]:
    with _running_postgres() as server:
        with server.admin() as admin:
            admin.execute(f"CREATE TABLE big AS {_POSTGRES.format(rows=rows)}")
        yield test_postgres.settings_of(server), QUERY, {postgres.PASSWORD_VARIABLE: postgres.PASSWORD}


@contextmanager
def _redshift(rows: int) -> Iterator[Filled]:
    with _running_postgres() as server, redshift.redshift_server(server) as proxy:
        with server.admin(redshift.DATABASE) as admin:
            admin.execute(f"CREATE TABLE big AS {_POSTGRES.format(rows=rows)}")
        yield test_redshift.settings_of(proxy), QUERY, {redshift.PASSWORD_VARIABLE: redshift.PASSWORD}


@contextmanager
def _mysql(rows: int) -> Iterator[Filled]:
    programs = mariadb.find_programs()
    if programs is None:
        raise SystemExit("MariaDB's server programs are missing: apt-get install mariadb-server")
    with mariadb.mariadb_server(programs) as server:
        with server.admin() as admin:
            admin.execute(f"CREATE TABLE big AS {_MARIADB.format(rows=rows)}")
        yield test_mysql.settings_of(server), QUERY, {mariadb.PASSWORD_VARIABLE: mariadb.PASSWORD}


@contextmanager
def _sqlserver(rows: int) -> Iterator[Filled]:
    with tds.tds_server() as server:
        server.admin(f"CREATE TABLE big AS {_DUCKDB.format(rows=rows)}")
        yield test_sqlserver.settings_of(server), QUERY, {tds.PASSWORD_VARIABLE: tds.PASSWORD}


@contextmanager
def _bigquery(rows: int) -> Iterator[Filled]:
    with bigquery.bigquery_server() as server:
        server.database.execute(f"CREATE TABLE {bigquery.DATASET}.big AS {_DUCKDB.format(rows=rows)}")
        environment = {test_bigquery.KEY: server.key(), "REQUESTS_CA_BUNDLE": str(server.ca_file)}
        yield test_bigquery.settings_of(server), QUERY, environment


@contextmanager
def _snowflake(rows: int) -> Iterator[Filled]:
    with snowflake.snowflake_server() as server:
        with server.admin() as admin:
            admin.execute(f"CREATE TABLE big AS {_SNOWFLAKE.format(rows=rows)}")
        yield test_snowflake.settings_of(server), QUERY, {snowflake.PASSWORD_VARIABLE: snowflake.PASSWORD}


ENGINES = {
    "sqlite": Engine(_sqlite, bare_loops.sqlite),
    "duckdb": Engine(_duckdb, bare_loops.duckdb),
    "postgres": Engine(_postgres, bare_loops.postgres),
    "mysql": Engine(_mysql, bare_loops.mysql),
    "redshift": Engine(_redshift, bare_loops.redshift),
    "sqlserver": Engine(_sqlserver, bare_loops.sqlserver),
    "bigquery": Engine(_bigquery, bare_loops.bigquery),
    "snowflake": Engine(_snowflake, bare_loops.snowflake),
}

"""The table that every engine is timed on, and each driver's own bare fetch loop, as its documentation shows it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reverse_etl_tests.servers import bigquery, mariadb, postgres, redshift, snowflake, tds
from reverse_etl_tests.sources import (
    test_bigquery,
    test_mysql,
    test_postgres,
    test_redshift,
    test_snowflake,
    test_sqlserver,
)

FETCH = 5_000
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


def _bare_sqlite(config: Any, query: str) -> int:
    with closing(sqlite3.connect(config.path)) as database:
        return _counted(database.execute(query))


@contextmanager
def _duckdb(rows: int) -> Iterator[Filled]:
    import duckdb

    from reverse_etl.sources.duckdb import Config

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.duckdb"
        with duckdb.connect(str(path)) as database:
            database.execute(f"CREATE TABLE big AS {_DUCKDB.format(rows=rows)}")
        yield Config(name="big", path=path), QUERY, {}


def _bare_duckdb(config: Any, query: str) -> int:
    import duckdb

    with duckdb.connect(str(config.path), read_only=True) as database:
        return _counted(database.execute(query))


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


def _bare_postgres(config: Any, query: str) -> int:
    import psycopg

    with psycopg.connect(
        host=config.host.resolve(),
        port=config.port,
        user=config.user.resolve(),
        password=config.password.resolve(),
        dbname=config.database.resolve(),
        sslmode="verify-full",
        sslrootcert=str(config.ca_file),
    ) as connection:
        return sum(1 for _ in connection.cursor().stream(query, size=FETCH))


@contextmanager
def _redshift(rows: int) -> Iterator[Filled]:
    with _running_postgres() as server, redshift.redshift_server(server) as proxy:
        with server.admin(redshift.DATABASE) as admin:
            admin.execute(f"CREATE TABLE big AS {_POSTGRES.format(rows=rows)}")
        yield test_redshift.settings_of(proxy), QUERY, {redshift.PASSWORD_VARIABLE: redshift.PASSWORD}


def _bare_redshift(config: Any, query: str) -> int:
    import redshift_connector

    with redshift_connector.connect(
        host="127.0.0.1",
        port=config.port,
        database=config.database.resolve(),
        user=config.user.resolve(),
        password=config.password.resolve(),
        ssl=False,
    ) as connection:
        cursor = connection.cursor()
        cursor.execute(f"DECLARE c CURSOR FOR {query}")
        rows = 0
        while fetched := _fetched(cursor):
            rows += len(fetched)
        return rows


def _fetched(cursor: Any) -> list[Any]:
    cursor.execute(f"FETCH FORWARD {FETCH} FROM c")
    return list(cursor.fetchall())


@contextmanager
def _mysql(rows: int) -> Iterator[Filled]:
    programs = mariadb.find_programs()
    if programs is None:
        raise SystemExit("MariaDB's server programs are missing: apt-get install mariadb-server")
    with mariadb.mariadb_server(programs) as server:
        with server.admin() as admin:
            admin.execute(f"CREATE TABLE big AS {_MARIADB.format(rows=rows)}")
        yield test_mysql.settings_of(server), QUERY, {mariadb.PASSWORD_VARIABLE: mariadb.PASSWORD}


def _bare_mysql(config: Any, query: str) -> int:
    import asyncmy
    from asyncmy.cursors import SSCursor

    async def fetched() -> int:
        connection = await asyncmy.connect(
            host=config.host.resolve(),
            port=config.port,
            user=config.user.resolve(),
            password=config.password.resolve(),
            db=config.database.resolve(),
            ssl=ssl.create_default_context(cafile=str(config.ca_file)),
        )
        rows = 0
        async with connection.cursor(cursor=SSCursor) as cursor:
            await cursor.execute(query)
            while some := await cursor.fetchmany(FETCH):
                rows += len(some)
        connection.close()
        return rows

    return asyncio.run(fetched())


@contextmanager
def _sqlserver(rows: int) -> Iterator[Filled]:
    with tds.tds_server() as server:
        server.admin(f"CREATE TABLE big AS {_DUCKDB.format(rows=rows)}")
        yield test_sqlserver.settings_of(server), QUERY, {tds.PASSWORD_VARIABLE: tds.PASSWORD}


def _bare_sqlserver(config: Any, query: str) -> int:
    import pyodbc

    # FreeTDS as it comes: this loop does not verify the certificate, the engine does.
    library = next(Path("/usr/lib").glob("*/odbc/libtdsodbc.so"))
    login = f"UID={config.user.resolve()};PWD={config.password.resolve()};DATABASE={config.database.resolve()}"
    address = f"SERVER=127.0.0.1;PORT={config.port};TDS_Version=7.4;Encryption=require"
    with closing(pyodbc.connect(f"DRIVER={library};{address};{login}", autocommit=True)) as connection:
        return _counted(connection.execute(query))


@contextmanager
def _bigquery(rows: int) -> Iterator[Filled]:
    with bigquery.bigquery_server() as server:
        server.database.execute(f"CREATE TABLE {bigquery.DATASET}.big AS {_DUCKDB.format(rows=rows)}")
        environment = {test_bigquery.KEY: server.key(), "REQUESTS_CA_BUNDLE": str(server.ca_file)}
        yield test_bigquery.settings_of(server), QUERY, environment


def _bare_bigquery(config: Any, query: str) -> int:
    import json

    from google.api_core.client_options import ClientOptions
    from google.cloud import bigquery as google

    with google.Client.from_service_account_info(
        json.loads(os.environ[test_bigquery.KEY]),
        project=config.project.resolve(),
        default_query_job_config=google.QueryJobConfig(
            default_dataset=f"{config.project.resolve()}.{bigquery.DATASET}"
        ),
        client_options=ClientOptions(api_endpoint=config.api_endpoint.resolve()),
    ) as client:
        return sum(1 for _ in client.query(query).result())


@contextmanager
def _snowflake(rows: int) -> Iterator[Filled]:
    with snowflake.snowflake_server() as server:
        with server.admin() as admin:
            admin.execute(f"CREATE TABLE big AS {_SNOWFLAKE.format(rows=rows)}")
        yield test_snowflake.settings_of(server), QUERY, {snowflake.PASSWORD_VARIABLE: snowflake.PASSWORD}


def _bare_snowflake(config: Any, query: str) -> int:
    import snowflake.connector

    with snowflake.connector.connect(
        account=config.account.resolve(),
        user=config.user.resolve(),
        password=config.password.resolve(),
        host=config.host.resolve(),
        port=config.port,
        protocol=config.protocol,
        role=config.role.resolve(),
        warehouse=config.warehouse.resolve(),
        database=config.database.resolve(),
        schema="PUBLIC",
    ) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        return sum(batch.num_rows for batch in cursor.fetch_arrow_batches())


def _counted(cursor: Any) -> int:
    rows = 0
    while some := cursor.fetchmany(FETCH):
        rows += len(some)
    return rows


ENGINES = {
    "sqlite": Engine(_sqlite, _bare_sqlite),
    "duckdb": Engine(_duckdb, _bare_duckdb),
    "postgres": Engine(_postgres, _bare_postgres),
    "mysql": Engine(_mysql, _bare_mysql),
    "redshift": Engine(_redshift, _bare_redshift),
    "sqlserver": Engine(_sqlserver, _bare_sqlserver),
    "bigquery": Engine(_bigquery, _bare_bigquery),
    "snowflake": Engine(_snowflake, _bare_snowflake),
}

"""Each driver's own bare fetch loop, as its documentation shows it: what reading is compared with."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import ssl
from contextlib import closing
from pathlib import Path
from typing import Any, Final

FETCH: Final = 5_000


def sqlite(config: Any, query: str) -> int:
    """The rows of a query."""
    with closing(sqlite3.connect(config.path)) as database:
        return _counted(database.execute(query))


def duckdb(config: Any, query: str) -> int:
    """The rows of a query."""
    import duckdb

    with duckdb.connect(str(config.path), read_only=True) as database:
        return _counted(database.execute(query))


def postgres(config: Any, query: str) -> int:
    """The rows of a query."""
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


def redshift(config: Any, query: str) -> int:
    """The rows of a query."""
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


def mysql(config: Any, query: str) -> int:
    """The rows of a query."""
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


def sqlserver(config: Any, query: str) -> int:
    """The rows of a query."""
    import pyodbc

    # FreeTDS as it comes: this loop does not verify the certificate, the engine does.
    library = next(Path("/usr/lib").glob("*/odbc/libtdsodbc.so"))
    login = f"UID={config.user.resolve()};PWD={config.password.resolve()};DATABASE={config.database.resolve()}"
    address = f"SERVER=127.0.0.1;PORT={config.port};TDS_Version=7.4;Encryption=require"
    with closing(pyodbc.connect(f"DRIVER={library};{address};{login}", autocommit=True)) as connection:
        return _counted(connection.execute(query))


def bigquery(config: Any, query: str) -> int:
    """The rows of a query."""
    import json

    from google.api_core.client_options import ClientOptions
    from google.cloud import bigquery as google

    from reverse_etl_tests.servers import bigquery as server
    from reverse_etl_tests.sources import test_bigquery

    with google.Client.from_service_account_info(
        json.loads(os.environ[test_bigquery.KEY]),
        project=config.project.resolve(),
        default_query_job_config=google.QueryJobConfig(default_dataset=f"{config.project.resolve()}.{server.DATASET}"),
        client_options=ClientOptions(api_endpoint=config.api_endpoint.resolve()),
    ) as client:
        return sum(1 for _ in client.query(query).result())


def snowflake(config: Any, query: str) -> int:
    """The rows of a query."""
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


def _fetched(cursor: Any) -> list[Any]:
    cursor.execute(f"FETCH FORWARD {FETCH} FROM c")
    return list(cursor.fetchall())


def _counted(cursor: Any) -> int:
    rows = 0
    while some := cursor.fetchmany(FETCH):
        rows += len(some)
    return rows

"""How fast rows of 10 columns come out of Snowflake's stand-in, against the connector's own bare fetch loop.

``python -m reverse_etl_tests.benchmarks.snowflake [rows]``: seconds, rows per second, the ratio to the connector's
loop (less is better), and the peak memory over that of an empty result.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from reverse_etl_tests.servers._snowflake_login import ACCOUNT
from reverse_etl_tests.servers.snowflake import PASSWORD, PASSWORD_VARIABLE, USER, SnowflakeServer, snowflake_server
from reverse_etl_tests.sources.test_snowflake import settings_of

ROWS = 1_000_000
_COLUMNS = """
SEQ4() AS id, 'person' || SEQ4() || '@example.com' AS email, SEQ4() % 2 = 0 AS active, SEQ4() / 7.0::FLOAT AS share,
(SEQ4() * 1.01)::NUMBER(12, 2) AS total, DATEADD(DAY, SEQ4() % 365, '2024-01-01'::DATE)::DATE AS born,
DATEADD(SECOND, SEQ4(), '2024-01-01'::TIMESTAMP_NTZ) AS seen_at,
CASE WHEN SEQ4() % 5 = 0 THEN NULL ELSE 'plan ' || SEQ4() % 3 END AS plan, SEQ4() % 100 AS visits,
MD5(SEQ4()::TEXT) AS token
"""


def through_the_engine(server: SnowflakeServer) -> int:
    """Rows that ``stream`` yields."""
    from reverse_etl.sources import connect

    with connect(settings_of(server)) as session:
        return sum(batch.num_rows for batch in session.stream("SELECT * FROM big"))


def through_the_driver(server: SnowflakeServer) -> int:
    """Rows of ``fetch_arrow_batches``, as it is when nothing is set."""
    import snowflake.connector

    settings: dict[str, Any] = {"host": "localhost", "port": server.port, "protocol": "http", "warehouse": "SYNC_WH"}
    settings |= {"database": "SHOP", "schema": "PUBLIC", "platform_detection_timeout_seconds": 0.0}
    with (
        snowflake.connector.connect(account=ACCOUNT, user=USER, password=PASSWORD, **settings) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT * FROM big")
        return sum(table.num_rows for table in cursor.fetch_arrow_batches())


def nothing(server: SnowflakeServer) -> int:
    """What the imports cost."""
    from reverse_etl.sources import connect

    with connect(settings_of(server)) as session:
        return sum(batch.num_rows for batch in session.stream("SELECT * FROM big WHERE 1 = 0"))


def main(rows: int = ROWS) -> None:
    """Prints the figures."""
    os.environ[PASSWORD_VARIABLE] = PASSWORD
    with snowflake_server() as server:
        with server.admin() as admin:
            admin.execute(f"CREATE TABLE big AS SELECT {_COLUMNS} FROM TABLE(GENERATOR(ROWCOUNT => {rows}))")
        seconds, peaks = {}, {}
        for measured in (nothing, through_the_driver, through_the_engine):
            count, seconds[measured], peaks[measured] = _apart(measured, server)
            print(
                f"{measured.__name__:20} {count:9,} rows {seconds[measured]:6.2f} s {peaks[measured]:5.0f} MB at most"
            )
    own, bare = seconds[through_the_engine], seconds[through_the_driver]
    over = peaks[through_the_engine] - peaks[nothing]
    print(f"{rows / own:,.0f} rows/s, ratio {own / bare:.2f}, {over:.0f} MB over an empty result")


def _apart(measured: Callable[[SnowflakeServer], int], server: SnowflakeServer) -> tuple[int, float, float]:
    """Rows, seconds and peak megabytes, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (measured, server))


def _measure(measured: Callable[[SnowflakeServer], int], server: SnowflakeServer) -> tuple[int, float, float]:
    began = time.perf_counter()
    count = measured(server)
    return count, time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))

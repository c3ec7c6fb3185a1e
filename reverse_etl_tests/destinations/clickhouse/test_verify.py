"""Rows of ClickHouse's tables that are looked up again, and tables as they are shown."""

from __future__ import annotations

from typing import ClassVar

import pytest

from reverse_etl_tests.destinations.clickhouse.server import Clickhouse
from reverse_etl_tests.destinations.sql.verified import SqlLookUps, SqlTablesShown, SqlVerify, crm
from reverse_etl_tests.project import Project

__all__ = ["crm"]


class TestLookUps(SqlLookUps):
    """As the suite says."""


@pytest.mark.thorough
class TestVerify(SqlVerify):
    """As the suite says, but that no text is too long."""

    unfit: ClassVar[list[tuple[object, ...]]] = [(None, "n@x", "free")]


class TestTablesShown(SqlTablesShown):
    """As the suite says."""

    # The engine has no rights.
    revoke = "SELECT 1"

    def test_connection_shows_what_a_run_would_refuse(self, crm: Project, server: Clickhouse) -> None:  # type: ignore[override]
        """As if the right to insert were not there."""
        server.running.go_wrong("INSERT .* WHERE 0$", 9, **{"raise": 497})
        super().test_connection_shows_what_a_run_would_refuse(crm, server)


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("ReplacingMergeTree(n) ORDER BY (id, at)", "ORDER BY (id, at): the greatest n of a key counts"),
        ("MergeTree ORDER BY id", "MergeTree ORDER BY (id): all rows of a key stay"),
        ("Memory", "Memory: all rows of a key stay"),
    ],
)
def test_the_engine_is_what_is_shown_of_keys(crm: Project, server: Clickhouse, engine: str, words: str) -> None:
    """Of a table that cannot be written to, too: the next step says why not."""
    server.client.command("DROP TABLE customers")
    server.client.command(f"CREATE TABLE customers (id Int64, at DateTime, n UInt32) ENGINE = {engine}")
    shown = " ".join(crm.reverse_etl("test-connection", "crm").stdout.split())
    assert words in shown, shown

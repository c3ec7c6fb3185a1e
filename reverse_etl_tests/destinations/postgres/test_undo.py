"""Rows of a table of PostgreSQL are taken back."""

from __future__ import annotations

from typing import ClassVar

from reverse_etl_tests.destinations.sql.undone import SqlUndo
from reverse_etl_tests.servers.postgres import USER


class TestUndo(SqlUndo):
    """As the suite says."""

    table: ClassVar[str] = (
        "CREATE TABLE things (shop text, no bigint, price numeric(9, 2), weight double precision, seen timestamptz, "
        "day date, active boolean, note text, data jsonb, PRIMARY KEY (shop, no))"
    )
    grant_delete: ClassVar[str] = f"GRANT DELETE ON things TO {USER}"

"""Rows of a table of ClickHouse are taken back."""

from __future__ import annotations

from typing import ClassVar

import pytest

from reverse_etl_tests.destinations.sql.undone import SqlUndo

pytestmark = pytest.mark.thorough


class TestUndo(SqlUndo):
    """As the suite says."""

    table: ClassVar[str] = (
        "CREATE TABLE things (shop String, no bigint, price Decimal(9, 2), weight Float64, seen DateTime64(6), "
        "day date, active Bool, note varchar(40), data String, PRIMARY KEY (shop, no))"
    )
    grant_delete: ClassVar[str] = "SELECT 1"

"""Rows of a table of MariaDB are taken back."""

from __future__ import annotations

from typing import ClassVar

import pytest

from reverse_etl_tests.destinations.mysql.server import ACCOUNT
from reverse_etl_tests.destinations.sql.undone import SqlUndo

pytestmark = pytest.mark.thorough


class TestUndo(SqlUndo):
    """As the suite says."""

    table: ClassVar[str] = (
        "CREATE TABLE things (shop varchar(20), no bigint, price decimal(9, 2), weight double, seen datetime(6), "
        "day date, active tinyint(1), note varchar(40), data json, PRIMARY KEY (shop, no))"
    )
    grant_delete: ClassVar[str] = f"GRANT DELETE ON things TO {ACCOUNT}"

"""Rows of a DataFrame into a table of ClickHouse."""

from __future__ import annotations

import pandas as pd

from reverse_etl import DestinationResource
from reverse_etl_tests.destinations.sql.pushes import SqlPushes, crm
from reverse_etl_tests.destinations.sql.tables import SqlServer

__all__ = ["crm"]


class TestPushes(SqlPushes):
    """As the suite says, but for unique columns, which there are not."""

    def test_rows_are_checked_and_written(self, crm: DestinationResource, server: SqlServer) -> None:
        """Each that is not written says why."""
        frame = pd.DataFrame({"id": [1, None, 3], "email": ["a@x", "b@x", "c@x"], "score": [10, 20, 2**40]})
        pushed = crm.push(frame, rows={"table": "customers", "identify_by": "id"})
        assert (3, 1) == (pushed.counts.extracted, pushed.counts.delivered)
        assert [(2, "identifier_present"), (3, "out_of_range")] == [
            (row.row_number, row.why.reason) for row in sorted(pushed.failed_rows, key=lambda row: row.row_number)
        ]
        assert [(1, "a@x")] == server.fetch("SELECT id, email FROM customers ORDER BY id")

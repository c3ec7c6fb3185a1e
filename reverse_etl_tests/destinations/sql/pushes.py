"""Rows of a DataFrame into a table, from a Dagster project of a user's own. Subclass it beside each suite."""

from __future__ import annotations

import pandas as pd
import pytest

from reverse_etl import DestinationResource
from reverse_etl.errors import ConfigError
from reverse_etl_tests.destinations.sql.conformance import TABLE
from reverse_etl_tests.destinations.sql.tables import SqlServer


@pytest.fixture
def crm(server: SqlServer) -> DestinationResource:
    """The destination with a table, by its settings alone: there is no folder of syncs."""
    server.run(TABLE)
    where = {"host": "localhost", "port": server.port, "ca_file": str(server.ca_file)}
    who = {"database": server.database, "user": server.user, "password": f"${{{server.password_variable}}}"}
    return DestinationResource(name="crm", settings={"type": server.kind, **where, **who})


class SqlPushes:
    """By the destination's own rules."""

    def test_rows_are_checked_and_written(self, crm: DestinationResource, server: SqlServer) -> None:
        """Each that is not written says why."""
        frame = pd.DataFrame({"id": [1, None, 3, 4], "email": ["a@x", "b@x", "c@x", "a@x"], "score": [10, 20, 30, 40]})
        pushed = crm.push(frame, rows={"table": "customers", "identify_by": "id"})
        assert (4, 2) == (pushed.counts.extracted, pushed.counts.delivered)
        assert [(2, "identifier_present"), (4, "duplicate_value")] == [
            (row.row_number, row.why.reason) for row in sorted(pushed.failed_rows, key=lambda row: row.row_number)
        ]
        assert [(1, "a@x"), (3, "c@x")] == server.fetch("SELECT id, email FROM customers ORDER BY id")

    def test_rows_are_shaped_as_those_of_a_sync(self, crm: DestinationResource, server: SqlServer) -> None:
        """Left out by a condition, and refused by a type."""
        frame = pd.DataFrame({"number": ["1", "x", "3", "4"], "mail": ["A@X", "b@x", "c@x", None]})
        pushed = crm.push(
            frame,
            rows={"table": "customers", "identify_by": "id"},
            where={"mail": {"exists": True}},
            columns={"id": {"column": "number", "as": "integer"}, "email": {"column": "mail", "then": "lower"}},
        )
        assert (4, 2, 1, 1) == (
            pushed.counts.extracted, pushed.counts.delivered, pushed.counts.rejected, pushed.counts.excluded
        )  # fmt: skip
        assert [(2, "x", "not_convertible")] == [
            (row.row_number, row.identifier, row.why.reason) for row in pushed.failed_rows
        ]
        assert [(1, "a@x"), (3, "c@x")] == server.fetch("SELECT id, email FROM customers ORDER BY id")

    def test_a_missing_column_ends_it(self, crm: DestinationResource) -> None:
        """Before a row is written."""
        with pytest.raises(ConfigError, match="returns no column `id`"):
            crm.push(pd.DataFrame({"email": ["a@x"]}), rows={"table": "customers", "identify_by": "id"})

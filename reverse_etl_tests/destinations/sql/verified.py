"""Rows that are looked up again. Subclass it beside each suite, and give the server as the fixture ``server``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from reverse_etl.destinations.table_powers import LookedUp, LooksUp
from reverse_etl.report import Outcome
from reverse_etl_tests.cli.test_init import answered
from reverse_etl_tests.destinations.sql.runs import ROWS, SYNC, crm, stored
from reverse_etl_tests.destinations.sql.tables import Delivery, Prepared, SqlServer, delivered
from reverse_etl_tests.project import Project, fill

__all__ = ["crm"]


def looked_up(server: SqlServer, folder: Path, columns: dict[str, Any], **rows: Any) -> LookedUp:
    """What the table has of rows, which are not delivered."""
    section = {"table": "customers", "identify_by": "id"} | rows
    delivery = Delivery(server, folder, [pa.RecordBatch.from_pydict(columns)], section)
    found = []

    async def look(destination: Prepared) -> None:
        assert isinstance(destination, LooksUp)
        found.append(await destination.look_up(next(delivery.parts.batches()), "rows"))
        delivery.outcomes[:] = Outcome.EXCLUDED

    delivery.deliver(around=look)
    [one] = found
    assert isinstance(one, LookedUp)
    return one


class SqlLookUps:
    """Column by column."""

    def test_what_is_there_is_the_same_and_what_differs_is_named(self, server: SqlServer, tmp_path: Path) -> None:
        """By the byte, NULL apart from an empty text; a row that is not there is neither."""
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, name varchar(20), price numeric(9,2))")
        rows = {"id": [1, 2, 3], "name": ["Anna", None, "x"], "price": ["1.50", "2", None]}
        delivered(server, tmp_path / "1", rows)
        found = looked_up(server, tmp_path / "2", rows)
        assert [True] * 3 == found.there.to_pylist()
        assert {"name": [True] * 3, "price": [True] * 3} == {
            name: each.to_pylist() for name, each in found.same.items()
        }
        server.run("UPDATE customers SET name = 'ANNA' WHERE id = 1")
        server.run("UPDATE customers SET name = '' WHERE id = 2")
        server.run("DELETE FROM customers WHERE id = 3")
        found = looked_up(server, tmp_path / "3", rows)
        assert [True, True, False] == found.there.to_pylist()
        assert [False, False, None] == found.same["name"].to_pylist()
        assert ["Anna", None, None] == found.expected["name"].to_pylist()
        assert ["ANNA", "", None] == found.found["name"].to_pylist()
        assert [True, True, None] == found.same["price"].to_pylist()

    def test_values_that_are_not_written_are_the_same(self, server: SqlServer, tmp_path: Path) -> None:
        """With ``empty_values: ignore``, NULL keeps what is there."""
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, name varchar(20))")
        server.run("INSERT INTO customers VALUES (1, 'kept')")
        found = looked_up(server, tmp_path, {"id": [1], "name": pa.nulls(1)}, empty_values="ignore")
        assert [True] == found.same["name"].to_pylist()


class SqlVerify:
    """The command.

    Attributes:
        unfit: Rows that cannot be sent.
    """

    unfit: ClassVar[list[tuple[object, ...]]] = [(None, "n@x", "free"), (5, "x" * 41, "free")]

    def test_verify_tells_what_differs(self, crm: Project, server: SqlServer) -> None:
        """Counts and columns; keys and values only where they are asked for; exit code 7."""
        assert 0 == crm.run("crm_customers")[0]
        done = crm.reverse_etl("verify", "crm_customers", "--json")
        shown = {"sync": "crm_customers", "rows": 3, "sampled": 3, "same": 3, "differs": 0, "missing": 0, "columns": {}}
        assert (0, shown) == (done.returncode, json.loads(done.stdout))
        server.run("UPDATE customers SET plan = 'theirs' WHERE id = 2")
        server.run("DELETE FROM customers WHERE id = 3")
        fill(crm.folder / "shop.db", [*ROWS, *self.unfit])
        done = crm.reverse_etl("verify", "crm_customers")
        assert 7 == done.returncode
        lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
        assert ["= 1 same", "~ 1 differ: plan 1", "- 1 missing"] == lines[1:4], done.stdout
        assert "theirs" not in done.stdout
        done = crm.reverse_etl("verify", "crm_customers", "--values", "--json")
        first = sorted(json.loads(done.stdout)["first"], key=lambda each: each["key"])
        plan = {"plan": {"expected": "pro", "found": "theirs"}}
        assert [("2", False, plan), ("3", True, {})] == [tuple(each.values()) for each in first]
        assert "plan theirs instead of pro" in crm.reverse_etl("verify", "crm_customers", "--values").stdout
        assert 1 == json.loads(crm.reverse_etl("verify", "crm_customers", "--sample", "1", "--json").stdout)["sampled"]


class SqlTablesShown:
    """Tables as `test-connection` and `init` show them.

    Attributes:
        revoke: Takes the right to add rows.
        email: The column, as the table spells it.
    """

    revoke: ClassVar[str]
    email: ClassVar[str] = "email"

    def test_init_offers_the_tables_and_columns_that_are_there(self, crm: Project, server: SqlServer) -> None:
        """A table that is not there is asked for again, and so is a key that it does not have."""
        answers = ("shop", "crm", "members", "custmers", "customers", "idd", "id")
        done = answered(crm.folder, *answers, "customers", "", "email, plan", "", "manual")
        assert 0 == done.returncode, done.stderr
        shown = " ".join(done.stderr.split())
        for words in (
            "Tables: customers",
            "There is no custmers; did you mean `customers`?",
            "Columns of customers: id, email, plan",
            "customers has no column idd.",
        ):
            assert words in shown, done.stderr
        code, report = crm.run("members")
        assert (0, ROWS) == (code, stored(server)), report

    def test_connection_shows_what_a_run_would_refuse(self, crm: Project, server: SqlServer) -> None:
        """Sync by sync, with the next step; exit code 5."""
        crm.write("crm_customers.yaml", SYNC.replace("email, plan", "email AS emial"))
        done = crm.reverse_etl("test-connection", "crm")
        shown = " ".join(done.stdout.split())
        assert (5, True) == (done.returncode, "sync crm_customers: " in shown), done.stdout
        assert f"has no column emial. Did you mean `{self.email}`?" in shown, done.stdout
        server.run(self.revoke)
        crm.write("crm_customers.yaml", SYNC)
        shown = " ".join(crm.reverse_etl("test-connection", "crm").stdout.split())
        assert "not INSERT" in shown, shown
        assert "GRANT INSERT" in shown, shown

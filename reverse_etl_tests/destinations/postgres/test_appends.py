"""Rows that PostgreSQL only adds."""

from __future__ import annotations

from pathlib import Path

from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.sql.appends import SqlAppends
from reverse_etl_tests.destinations.sql.tables import SqlServer, delivered


class TestAppends(SqlAppends):
    """The server knows what became of each transaction."""

    second_slice = 3
    """The catalogue is read in a transaction, too."""
    numbered = "CREATE TABLE customers (n serial, name varchar(40), score int)"


def test_a_row_that_a_trigger_leaves_out_is_noticed(server: SqlServer, tmp_path: Path) -> None:
    """It has no key by which it could be looked for; the others are added once."""
    server.run(
        "CREATE TABLE customers (name text, score int); CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF new.score < 0 THEN RETURN NULL; END IF; RETURN new; END $$; CREATE TRIGGER swallow BEFORE INSERT "
        "ON customers FOR EACH ROW EXECUTE FUNCTION swallow()"
    )
    rows = {"name": ["same"] * 12, "score": [-1 if n in (2, 11) else 5 for n in range(12)]}
    delivery = delivered(server, tmp_path, rows, write="append", identify_by=())
    assert {3: ("not_applied", ""), 12: ("not_applied", "")} == delivery.reasons()
    assert (10, [(10,)]) == (
        len(delivery.numbers(Outcome.DELIVERED)),
        server.fetch("SELECT count(*) FROM customers WHERE score = 5"),
    )

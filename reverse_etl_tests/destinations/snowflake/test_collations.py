"""Keys that a collation has equal, which fakesnow has none of: the SQL in DuckDB, whose collations it has to undo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from reverse_etl.destinations._sql.columns import Column, Kind
from reverse_etl.destinations.snowflake.catalogue import TableColumn
from reverse_etl.destinations.snowflake.statements import STAGE, Statements


def column(name: str, *, key: bool, collated: bool) -> TableColumn:
    """A text."""
    fits = Column(name=name, type="VARCHAR", kind=Kind.TEXT, nullable=True, key=key)
    return TableColumn(
        fits=fits, generated=False, has_default=False, stored=name, form="TEXT", collated=collated, writable=True
    )


STATEMENTS = Statements(
    table='"customers"',
    columns=[column("id", key=True, collated=True), column("name", key=False, collated=True)],
    write="add_and_update",
    keeps_when_empty=False,
    deletes=True,
)


class Here:
    """The SQL, as DuckDB's parser takes it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        connection.execute('CREATE MACRO "collate"(v, c) AS (v::VARCHAR COLLATE "C")')
        connection.execute('CREATE TABLE customers (id VARCHAR COLLATE "NOCASE", name VARCHAR COLLATE "NOCASE")')

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Runs it, and gives the rows."""
        for theirs, here in (("COLLATE(", '"collate"('), ("NUMBER(10,0)", "INTEGER"), ("SET t.", "SET ")):
            sql = sql.replace(theirs, here)
        return self._connection.execute(sql).fetchall()

    def stage(self, rows: list[tuple[str, str]]) -> None:
        """Makes the stage and fills it."""
        made = STATEMENTS.make_stage()
        assert made.endswith(" DEFAULT_DDL_COLLATION = ''")
        self.run(made.removesuffix(" DEFAULT_DDL_COLLATION = ''"))
        for place, (key, name) in enumerate(rows):
            self.run(f"INSERT INTO {STAGE} VALUES ({place}, '{key}', '{name}')")


@pytest.fixture
def here() -> Iterator[Here]:
    """A table in which ``Ann`` and ``ann`` are equal, with Ann in it."""
    with duckdb.connect() as connection:
        here = Here(connection)
        here.run("INSERT INTO customers VALUES ('Ann', 'old')")
        assert [("Ann",)] == here.run("SELECT id FROM customers WHERE id = 'ann'")
        yield here


def test_a_row_of_a_key_that_the_collation_has_equal_is_left_alone(here: Here) -> None:
    """It is another row: no update of the wrong one, no key twice, and each is found again."""
    here.stage([("ann", "new"), ("ANN", "third")])
    assert [] == here.run(STATEMENTS.plan())
    here.run(STATEMENTS.merge())
    assert [("ANN", "third"), ("Ann", "old"), ("ann", "new")] == sorted(here.run("SELECT id, name FROM customers"))
    assert [] == here.run(STATEMENTS.unlike())
    assert [(0, 0, 2)] == here.run(STATEMENTS.count())
    assert [("Ann",)] == here.run(STATEMENTS.not_among())


def test_only_rows_with_the_very_key_are_deleted(here: Here) -> None:
    """And looked for afterwards."""
    here.stage([("ann", "")])
    here.run(STATEMENTS.delete())
    assert [("Ann", "old")] == here.run("SELECT id, name FROM customers")
    assert [] == here.run(STATEMENTS.still_there())


def test_a_text_that_differs_as_the_collation_does_not_see_is_written(here: Here) -> None:
    """In a column that is not the key's."""
    here.stage([("Ann", "OLD")])
    here.run(STATEMENTS.merge())
    assert [("Ann", "OLD")] == here.run("SELECT id, name FROM customers")

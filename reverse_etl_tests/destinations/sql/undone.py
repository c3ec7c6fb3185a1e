"""Rows of a table are taken back, and their changes are in a row's history. Subclass it beside each suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pytest

from reverse_etl.changes.history import Acknowledged
from reverse_etl.changeset.scope import WHAT_CHANGED, Scope
from reverse_etl.config.syncs import SyncConfig
from reverse_etl.plugins import load
from reverse_etl.report import RunReport, Status
from reverse_etl.run import changes
from reverse_etl.run.attend import attend
from reverse_etl.run.close import close
from reverse_etl.run.key_history import history_of_key
from reverse_etl.run.named_rows import keep_identifiers
from reverse_etl.run.record import SyncRun
from reverse_etl.run.stages import compare_changeset, deliver_changeset, extract_changeset, validate_changeset
from reverse_etl.run.undo import Undo, make_undo
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import find_run
from reverse_etl.state.store import Store
from reverse_etl_tests.destinations.scripted import FastClock
from reverse_etl_tests.destinations.sql.tables import SqlServer
from reverse_etl_tests.fresh_store import fresh_store

TYPED = """
    CREATE TABLE things AS SELECT * FROM (VALUES
        ('a, b', 1, 10.50::DECIMAL(9, 2), 0.1::DOUBLE, TIMESTAMPTZ '2026-01-05 00:00:00.25Z', DATE '2026-01-05', true,
            'it''s = "x"', '{"k": "v"}'::JSON),
        ('c', 2, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
        ('c', 3, -1.10, 1e300, TIMESTAMPTZ '1969-12-31 23:59:59.999999Z', DATE '1900-02-28', false, '', '"text"'::JSON),
        ('d', 4, 1, 2.0, TIMESTAMPTZ '2026-01-05 00:00:00Z', DATE '2026-01-05', true, 'stays', '[1]'::JSON)
    ) t(shop, no, price, weight, seen, day, active, note, data)
"""


@dataclass(slots=True)
class Table:
    """A sync from DuckDB into a table of a real server."""

    server: SqlServer
    folder: Path
    home: Home
    store: Store
    sync: SyncConfig
    runs: int = 0

    @classmethod
    def at(cls, server: SqlServer, folder: Path, **rows: Any) -> Table:
        """With the table ``things``, whose values are remembered."""
        home = Home.at(folder / "home")
        sync = load("reverse_etl.destinations", server.kind).Sync(
            name="things",
            database="shop",
            destination="crm",
            schedule="manual",
            query="SELECT * FROM things",
            rows={"table": "things", "identify_by": ["shop", "no"], **rows},
            changes={"by": "compare", "keep": "30d"},
        )
        table = cls(server, folder, home, fresh_store(home), sync)
        table.change(TYPED)
        return table

    @property
    def database(self) -> Any:
        """The source's entry in ``connections.yaml``."""
        return load("reverse_etl.sources", "duckdb").Config(name="shop", type="duckdb", path=self.folder / "shop.db")

    def change(self, *sql: str) -> None:
        """Changes the source."""
        with duckdb.connect(self.folder / "shop.db") as connection:
            for each in sql:
                connection.execute(each)

    def run(self, scope: Scope = WHAT_CHANGED, *, undone: bool = False) -> RunReport:
        """Runs the sync; it completes."""
        self.runs += 1
        run = SyncRun(self.sync, f"run-{self.runs}", f"run-{self.runs}", self.home, self.store, datetime.now(UTC))
        clock, config = FastClock().clock(), self.server.config()
        with attend(run):
            extract_changeset(run, self.database, config, scope=scope, clock=clock)
            validate_changeset(run)
            compare_changeset(run)
            deliver_changeset(run, config, clock=clock)
        report = find_run(self.store, run.run_id)
        assert report is not None
        assert (Status.COMPLETED, undone) == (report.status, report.reads == "undo"), report.message
        return report

    def undo_of(self, report: RunReport, *, delete_added: bool = False) -> Undo:
        """What would be taken back of a run."""
        config = self.server.config()
        return make_undo(self.sync, self.home, self.store, self.database, config, report, delete_added=delete_added)

    def undo(self, report: RunReport) -> RunReport:
        """Takes a run back."""
        return self.run(Scope(plan=self.undo_of(report).plan_id), undone=True)

    def there(self) -> list[tuple[Any, ...]]:
        """The rows of the table."""
        return self.server.fetch("SELECT * FROM things ORDER BY shop, no")

    def history(self, key: str) -> list[Acknowledged]:
        """What was acknowledged of a row."""
        return history_of_key(self.sync, self.home, self.store, key)


CHANGED = (
    "UPDATE things SET price = 0, weight = NULL, seen = seen + INTERVAL '0.5 seconds', day = DATE '2000-01-01', "
    "active = NOT active, note = 'wrong', data = '{\"k\": null}' WHERE no IN (1, 3)",
    "UPDATE things SET price = 5, weight = 5, seen = TIMESTAMPTZ '2026-03-01 12:00:00Z', day = '2026-03-01', "
    "active = true, note = 'n', data = '5' WHERE no = 2",
)


class SqlUndo:
    """What differs: how the table is made, and the right to delete from it."""

    table: ClassVar[str]
    grant_delete: ClassVar[str]

    @pytest.fixture
    def things(self, server: SqlServer, tmp_path: Path) -> Callable[..., Table]:
        """The table, and what makes the sync."""
        server.run(self.table)
        server.run(self.grant_delete)
        return lambda **rows: Table.at(server, tmp_path, **rows)

    def test_rows_of_every_type_are_taken_back(self, things: Callable[..., Table]) -> None:
        """To the values from before, NULL among them; the next run sends nothing where the source was corrected."""
        table = things()
        table.run()
        before = table.there()
        table.change("CREATE TABLE right_ones AS SELECT * FROM things", *CHANGED)
        wrong = table.run()
        assert 3 == wrong.total.delivered
        assert before != table.there()
        found = table.undo_of(wrong).undone
        assert (3, 0, 0, 0) == (found.rows, found.in_doubt, found.never_ours, found.changed_since)
        assert {"price": 3, "weight": 3, "seen": 3, "day": 3, "active": 3, "note": 3, "data": 3} == found.attributes
        assert 3 == table.undo(wrong).total.delivered
        assert before == table.there()
        table.change("DROP TABLE things", "ALTER TABLE right_ones RENAME TO things")
        assert (0, 4) == ((again := table.run()).total.delivered, again.total.unchanged)

    def test_a_fraction_of_a_second_is_a_change(self, things: Callable[..., Table]) -> None:
        """And so is a text that became JSON's own, where a key would be written alike."""
        table = things()
        table.run()
        table.change("UPDATE things SET seen = seen + INTERVAL '0.1 seconds' WHERE no = 1")
        assert 1 == table.run().total.delivered
        table.change("UPDATE things SET data = '1' WHERE no = 3")
        table.run()
        table.change("UPDATE things SET data = '\"1\"' WHERE no = 3")
        assert 1 == table.run().total.delivered

    @pytest.mark.thorough
    def test_rows_that_a_run_removed_are_there_again(self, things: Callable[..., Table]) -> None:
        """Whole; a row that the run added stays, and so does what a later run changed."""
        table = things(gone="delete")
        table.run()
        before = table.there()
        table.change("DELETE FROM things WHERE no IN (1, 3)")
        table.change("UPDATE things SET note = 'wrong' WHERE no IN (2, 4)")
        table.change("INSERT INTO things (shop, no, note) VALUES ('new', 9, 'n')")
        wrong = table.run()
        table.change("UPDATE things SET note = 'later' WHERE no = 2")
        table.run()
        found = table.undo_of(wrong).undone
        assert (3, 2, 1, 1) == (found.rows, found.removed, found.added, found.changed_since)
        table.undo(wrong)
        later = [(*row[:7], "later", *row[8:]) if row[1] == 2 else row for row in before]
        assert [*later, ("new", 9)] == [row[:2] if row[1] == 9 else row for row in table.there()]

    def test_rows_that_a_run_added_are_deleted_where_that_is_asked_for(self, things: Callable[..., Table]) -> None:
        """By all columns of their key."""
        table = things(gone="delete")
        table.run()
        before = table.there()
        table.change("INSERT INTO things (shop, no, note) VALUES ('c', 9, 'n'), ('a, b', 2, 'n')")
        wrong = table.run()
        made = table.undo_of(wrong, delete_added=True)
        assert (2, 0) == (made.undone.deleted, made.undone.added)
        table.run(Scope(plan=made.plan_id), undone=True)
        assert before == table.there()

    @pytest.mark.thorough
    def test_a_row_with_a_value_that_is_not_known_is_left_as_it_is(self, things: Callable[..., Table]) -> None:
        """It would be written whole: a run that had no answer left a value in doubt, which NULL would replace."""
        table = things()
        table.run()
        table.change("UPDATE things SET note = 'wrong' WHERE no IN (1, 4)")
        wrong = table.run()
        table.change("UPDATE things SET price = 7 WHERE no = 4")
        self.lose_an_answer(table)
        found = table.undo_of(wrong).undone
        assert (1, {"note": 1}, 1) == (found.rows, found.attributes, found.in_doubt)

    def lose_an_answer(self, table: Table) -> None:
        """A run ends while it sends, and the next one, which reads another row alone, accounts for it."""
        table.runs += 1
        name = f"run-{table.runs}"
        run = SyncRun(table.sync, name, name, table.home, table.store, datetime.now(UTC))
        with attend(run):
            extract_changeset(run, table.database, table.server.config(), clock=FastClock().clock())
            validate_changeset(run)
            compare_changeset(run)
            changes.begin_sending(run)
            close(run, Status.FAILED, message="its process ended", exit_code=1)
        only = keep_identifiers(table.home, table.store, table.sync.name, ["c, 2"])
        table.run(Scope(only=only))

    @pytest.mark.thorough
    def test_empty_values_that_keep_what_is_there_are_no_change(self, things: Callable[..., Table]) -> None:
        """NULL and '' are not written with `empty_values: ignore`: the value from before is still there, and known."""
        table = things(empty_values="ignore")
        table.run()
        before = table.there()
        table.change("UPDATE things SET price = NULL, note = '' WHERE no = 1")
        assert (0, 4) == ((same := table.run()).total.delivered, same.total.unchanged)
        table.change("UPDATE things SET price = 9.75, note = 'wrong' WHERE no IN (1, 2)")
        wrong = table.run()
        found = table.undo_of(wrong).undone
        assert (1, {"price": 1, "note": 1}, 2) == (found.rows, found.attributes, found.never_ours)
        table.undo(wrong)
        assert [row for row in before if row[1] != 2] == [row for row in table.there() if row[1] != 2]

    def test_the_history_of_a_key_of_several_columns(self, things: Callable[..., Table]) -> None:
        """Written as failed rows show it, a comma in a value too."""
        table = things()
        table.run()
        table.change("UPDATE things SET note = 'new', price = NULL WHERE no = 1")
        run = table.run()
        newest, first = table.history("a, b, 1")
        assert (run.run_id, {"price": ("10.5", "null"), "note": ('it\'s = "x"', "new")}) == (
            newest.run_id,
            newest.attributes,
        )
        assert ("2026-01-05T00:00:00.250000Z", True) == (first.attributes["seen"][1], first.added)
        assert [[], [], 1] == [table.history("a"), table.history("a, b"), len(table.history("d, 4"))]

    @pytest.mark.thorough
    def test_a_column_that_left_the_query_is_left_alone(self, things: Callable[..., Table]) -> None:
        """Another one may write it now; what the run changed of it is taken back all the same."""
        table = things()
        table.run()
        table.change("UPDATE things SET weight = 3 WHERE no = 4")
        earlier = table.run()
        table.change("ALTER TABLE things DROP COLUMN weight", "UPDATE things SET note = 'wrong' WHERE no IN (1, 4)")
        wrong = table.run()
        table.server.run("UPDATE things SET weight = 77")
        table.undo(wrong)
        assert {77} == {row[3] for row in table.there()}
        table.undo(earlier)
        assert [2.0] == [row[3] for row in table.there() if row[1] == 4]

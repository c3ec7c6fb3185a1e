"""Runs whose changed keys come from the database's log: none is lost; a gap leads to a whole reading."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pymysql  # type: ignore[import-untyped]
import pytest

from reverse_etl.changeset import from_log
from reverse_etl.changeset.from_log import GONE_FILE, log_name
from reverse_etl.report import Carried, RunReport
from reverse_etl.state.syncs import sync_state
from reverse_etl_tests.faults.late import HOWS, LateCase, OpenTransaction, execute, place
from reverse_etl_tests.faults.runs import World

ONLY_POSTGRES = pytest.mark.parametrize("case", ["postgres_log"], indirect=True)
MARIADB_LATER = pytest.mark.parametrize(
    "case", ["postgres_log", pytest.param("mariadb_log", marks=pytest.mark.thorough)], indirect=True
)
"""What is the same for each database is tried with one where time is short."""


@pytest.fixture(params=["postgres_log", "mariadb_log"])
def case(request: pytest.FixtureRequest, world: World) -> Iterator[LateCase]:
    """A sync whose first run has completed: three people are in the workspace."""
    where = place(world, request.param)
    world.sandbox.reset()
    where.make()
    made = LateCase(world, where)
    assert (3, "") == ((first := made.run()).rows.extracted, first.message)
    yield made
    with where.log() as log:
        log.drop()


def write(case: LateCase, *statements: str) -> None:
    """What an application does, statement by statement; ``{t}`` is the table."""
    with closing(case.place.session()) as writer:
        for sql in statements:
            execute(writer, sql.format(t=case.place.table))


def gone(case: LateCase) -> list[str]:
    """Whom the last run found to be gone."""
    folder = case.world.home.run_folder(case.place.table, case.reports[-1].run_id).path
    found: list[str] = pq.read_table(folder / GONE_FILE).column("key").to_pylist()
    return sorted(found)


def plans(case: LateCase) -> dict[str, str]:
    """Each person's plan in the workspace."""
    return {person["id"]: person["attributes"]["plan"] for person in case.world.sandbox.people()}


@pytest.mark.thorough
def test_what_the_log_names_as_deleted_is_removed(case: LateCase) -> None:
    """Not before its time, though the log names it once alone; and not who is back by then."""
    people = {"identify_by": "id", "gone": "delete", "gone_wait": "1h"}
    case.more = {"people": people}
    case.run(full=True)
    write(case, "DELETE FROM {t} WHERE id = 'old1'", "DELETE FROM {t} WHERE id = 'old2'")
    assert ["rows"] == [*case.run().streams]
    write(case, "INSERT INTO {t} VALUES ('old2', 'free', now())")
    case.run()
    assert {"old0", "old1", "old2"} == case.sent()
    case.more = {"people": people | {"gone_wait": "0s"}}
    assert 1 == case.run().streams["gone_rows"].delivered
    assert {"old0", "old2"} == case.sent()
    assert ["rows"] == [*case.run().streams]


@pytest.mark.thorough
def test_rows_whose_keys_the_log_names_are_read(case: LateCase) -> None:
    """Added and changed ones, once each; who was deleted, or has another key, is gone."""
    assert 0 == case.run().rows.extracted
    write(
        case,
        "INSERT INTO {t} VALUES ('new', 'free', now())",
        "UPDATE {t} SET plan = 'pro' WHERE id = 'new'",
        "UPDATE {t} SET plan = 'team' WHERE id = 'old0'",
        "UPDATE {t} SET id = 'moved' WHERE id = 'old1'",
        "DELETE FROM {t} WHERE id = 'old2'",
        "INSERT INTO {t} VALUES ('short', 'free', now())",
        "DELETE FROM {t} WHERE id = 'short'",
    )
    report = case.run()
    assert (3, case.reports[0].last_sync_time <= (report.read_from or 0)) == (report.rows.extracted, True)
    assert {"new": "pro", "old0": "team", "old1": "free", "old2": "free", "moved": "free"} == plans(case)
    assert ["old1", "old2", "short"] == gone(case)
    assert (0, "") == ((again := case.run()).rows.extracted, again.message)


@pytest.mark.thorough
@ONLY_POSTGRES
def test_rows_that_failed_are_carried_beside_the_log(case: LateCase) -> None:
    """The log moves on; they are read again whether or not it names them, each once."""
    case.more = {"failed_rows": "carry", "checks": [{"accepted_values": {"column": "plan", "values": ["free", "pro"]}}]}
    write(case, "UPDATE {t} SET plan = 'bad' WHERE id IN ('old0', 'old1')")
    assert (2, 2) == ((report := case.run()).rows.extracted, report.rows.failed)
    assert (2, 2) == ((report := case.run()).rows.extracted, report.rows.failed)
    write(case, "UPDATE {t} SET plan = 'pro' WHERE id IN ('old1', 'old2')")
    assert (3, 1) == ((report := case.run()).rows.extracted, report.rows.failed)
    write(case, "DELETE FROM {t} WHERE id = 'old0'")
    report = case.run()
    assert (0, Carried(gone=1)) == (report.rows.extracted, report.carried)
    assert {"old0": "free", "old1": "pro", "old2": "pro"} == plans(case)
    assert (0, "") == ((again := case.run()).rows.extracted, again.message)


@pytest.mark.thorough
def test_of_the_rows_that_are_read_only_those_are_sent_that_differ(case: LateCase) -> None:
    """A row that was changed back is unchanged; what the log does not name stays acknowledged."""
    write(
        case,
        "UPDATE {t} SET plan = 'pro' WHERE id = 'old0'",
        "UPDATE {t} SET plan = 'team' WHERE id = 'old1'",
        "UPDATE {t} SET plan = 'free' WHERE id = 'old1'",
    )
    rows = case.run().rows
    assert (2, 1, 1) == (rows.extracted, rows.delivered, rows.unchanged)
    write(case, "UPDATE {t} SET plan = 'pro' WHERE id = 'old2'", "UPDATE {t} SET plan = 'free' WHERE id = 'old2'")
    rows = case.run().rows
    assert (1, 0, 1) == (rows.extracted, rows.delivered, rows.unchanged)


@pytest.mark.parametrize(
    "how",
    [how if how == "prepared" else pytest.param(how, marks=pytest.mark.thorough) for how in HOWS],
)
def test_rows_are_read_whenever_they_are_committed(case: LateCase, how: str) -> None:
    """Also by transactions that were open while a run read."""
    transaction = OpenTransaction(case.place, case.place.session(), how)
    transaction.begin()
    assert 0 == case.run().rows.extracted
    transaction.end()
    report = case.run()
    if (case.place.engine, how) == ("mysql", "prepared"):
        assert (4, 0) == (report.rows.extracted, report.read_from)
        assert "A transaction was committed in two phases" in report.message
    else:
        assert int(how != "rolled back") == report.rows.extracted
    assert case.sent() == case.place.people()


@MARIADB_LATER
def test_a_run_that_does_not_complete_leaves_the_log_where_it_is(case: LateCase) -> None:
    """The next one reads the same rows, and newer ones."""
    write(case, "INSERT INTO {t} VALUES ('a', 'free', now())")
    before = sync_state(case.world.store, case.place.table).place
    case.world.sandbox.faults([{"match": {"path": "/api/v2/batch"}, "do": {"refuse_items": {"ids": ["a"]}}}])
    with pytest.raises(AssertionError, match="1 of 1 row failed"):
        case.run()
    assert before == sync_state(case.world.store, case.place.table).place
    write(case, "INSERT INTO {t} VALUES ('b', 'free', now())")
    case.reports.append(case.reports[-1])  # the run that failed has the number of this one
    assert 2 == case.run().rows.extracted
    assert case.sent() == case.place.people()


def whole(case: LateCase, words: str) -> RunReport:
    """A run that reads everything and says why; the next one reads what changed again."""
    report = case.run()
    assert (len(case.place.people()), 0) == (report.rows.extracted, report.read_from)
    assert words in report.message
    write(case, "UPDATE {t} SET plan = 'later' WHERE id = 'old0'")
    return report


@ONLY_POSTGRES
@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["TRUNCATE {t}", "INSERT INTO {t} VALUES ('old0', 'free', now())"], "was emptied with TRUNCATE"),
        pytest.param(
            ["ALTER TABLE {t} RENAME id TO key", "ALTER TABLE {t} RENAME key TO id"], "", marks=pytest.mark.thorough
        ),
        (
            [
                "ALTER TABLE {t} REPLICA IDENTITY NOTHING",
                "INSERT INTO {t} VALUES ('n', 'free', now())",
                "ALTER TABLE {t} REPLICA IDENTITY DEFAULT",
            ],
            "does not have {t}.id of deleted and moved rows",
        ),
        (
            [
                "CREATE TABLE {t}_new (LIKE {t} INCLUDING ALL)",
                "INSERT INTO {t}_new SELECT * FROM {t}",
                "DROP TABLE {t}",
                "ALTER TABLE {t}_new RENAME TO {t}",
                "ALTER PUBLICATION reverse_etl_{t} SET TABLE {t}",
            ],
            "are not as they were",
        ),
    ],
)
def test_what_the_log_does_not_tell_leads_to_a_whole_reading(case: LateCase, statements: list[str], words: str) -> None:
    """The run's message says why."""
    write(case, *statements)
    if words:
        whole(case, words.format(t=case.place.table))
        assert 1 == case.run().rows.extracted
    else:
        assert 0 == case.run().rows.extracted


@pytest.mark.thorough
@ONLY_POSTGRES
def test_a_slot_that_is_gone_leads_to_a_whole_reading_until_there_is_one(case: LateCase) -> None:
    """And so does the first run with a new one, which did not keep what happened before it was made."""
    name = log_name(case.place.table)
    with case.place.log() as log:
        assert log.drop()
        assert not log.drop()
        assert not log.status().exists
    whole(case, f"The database has no replication slot {name}. So everything was read. See: reverse-etl log status ")
    with case.place.log() as log:
        log.create()
    assert (3, "") == ((report := case.run()).rows.extracted, report.message)
    with case.place.log() as log:
        log.drop()
        log.create()
    whole(case, f"The replication slot {name} was recreated, or another program reads it.")
    assert 1 == case.run().rows.extracted


@pytest.mark.thorough
@MARIADB_LATER
def test_very_many_changed_keys_are_not_asked_for(case: LateCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """One query costs less; what a whole reading left counts."""
    monkeypatch.setattr(from_log, "FEW", 0)
    people = ", ".join(f"('n{number}', 'free', now())" for number in range(1, 18))
    write(case, f"INSERT INTO {{t}} VALUES {people}")
    whole(case, "17 keys changed, of 3 rows. So everything was read.")
    assert 1 == case.run().rows.extracted
    write(case, "UPDATE {t} SET plan = 'pro' WHERE id IN ('n1', 'n2', 'n3', 'n4')")
    assert 4 == case.run().rows.extracted
    write(case, "UPDATE {t} SET plan = 'team' WHERE id IN ('n1', 'n2', 'n3', 'n4', 'n5')")
    whole(case, "5 keys changed, of 20 rows.")


@pytest.mark.thorough
@ONLY_POSTGRES
def test_a_sync_may_turn_from_the_log_to_marks_and_back(case: LateCase) -> None:
    """What the one left is of no use to the other: everything is read once."""
    case.place.kind = "postgres_marks"
    assert 3 == case.run().rows.extracted
    assert 0 == case.run().rows.extracted
    case.place.kind = "postgres_log"
    assert 3 == case.run().rows.extracted
    assert 0 == case.run().rows.extracted


@MARIADB_LATER
def test_a_full_run_reads_everything_and_leaves_its_own_place(case: LateCase) -> None:
    """Whatever the log has."""
    write(case, "UPDATE {t} SET plan = 'pro' WHERE id = 'old0'")
    assert (3, 0, "") == ((report := case.run(full=True)).rows.extracted, report.read_from, report.message)
    assert 0 == case.run().rows.extracted


@pytest.mark.thorough
@ONLY_POSTGRES
def test_the_log_is_kept_until_a_run_has_completed(case: LateCase) -> None:
    """Status shows how much that is."""
    with case.place.log() as log:
        kept = log.status().kept_bytes
    assert kept is not None
    write(case, "INSERT INTO {t} SELECT 'n' || i, repeat('x', 20), now() FROM generate_series(1, 2000) AS i")
    with case.place.log() as log:
        assert (log.status().kept_bytes or 0) > kept + 100_000
        assert ((), None) == (log.status().problems, log.status().limit_bytes)
    case.run()
    assert 0 == case.run().rows.extracted


ORDERS = "CREATE TABLE {t}_o (number INT PRIMARY KEY, customer VARCHAR(20))"
JOINED = (
    "SELECT p.id, p.plan, count(o.number) AS orders FROM {t} p LEFT JOIN {t}_o o ON o.customer = p.id "
    "GROUP BY p.id, p.plan"
)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", ["postgres_log", "mariadb_log"])
def test_random_histories_of_two_tables_leave_the_workspace_as_the_query_is(world: World, kind: str, seed: int) -> None:
    """People and orders come, change, move and go, in transactions that end before, after or never; runs in between."""
    where = place(world, kind)
    world.sandbox.reset()
    where.make()
    history = History(LateCase(world, where), random.Random(seed))  # noqa: S311
    try:
        history.happen(60)
    finally:
        with where.log() as log:
            log.drop()


@dataclass(slots=True)
class History:
    """What happens to two tables and to the workspace.

    Attributes:
        gone: Whom some run found to be gone.
        seen: Who was in the database when some run read.
    """

    case: LateCase
    chance: random.Random
    open: list[Any] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def happen(self, events: int) -> None:
        """Makes both tables, and lets this many things happen; then all transactions end, and two runs follow."""
        table = self.case.place.table
        write(self.case, ORDERS)
        if self.case.place.engine == "postgres":
            write(
                self.case,
                "ALTER TABLE {t}_o REPLICA IDENTITY FULL",
                "ALTER PUBLICATION reverse_etl_{t} ADD TABLE {t}_o",
            )
        self.case.query = JOINED.format(t=table)
        self.case.changes = {table: "id", f"{table}_o": "customer"}
        for _ in range(events):
            if self.chance.random() < 0.2:
                self._run()
            else:
                self._write()
        while self.open:
            self._end("COMMIT")
        self._run()
        assert {person["id"] for person in self._rows()} <= self.case.sent()
        assert 0 == self.case.run().rows.extracted, "nothing happened since"

    def _write(self) -> None:
        """One statement, in a transaction of its own or in one that ends with a later run, or never."""
        table, number = self.case.place.table, self.chance.randint(1, 30)
        someone = f"p{self.chance.randint(1, 8)}"
        statement = self.chance.choice(
            [
                f"INSERT INTO {table} VALUES ('{someone}_{number}', 'free', now())",
                f"UPDATE {table} SET plan = 'plan {self.chance.random()}' WHERE id LIKE '{someone}%'",
                f"UPDATE {table} SET id = '{someone}x{number}' WHERE id = '{someone}_{number}'",
                f"DELETE FROM {table} WHERE id LIKE '{someone}%'",
                f"INSERT INTO {table}_o VALUES ({number}, 'old{number % 3}')",
                f"UPDATE {table}_o SET customer = 'old{self.chance.randint(0, 2)}' WHERE number = {number}",
                f"DELETE FROM {table}_o WHERE number = {number}",
            ]
        )
        session = self.case.place.session()
        try:
            # Rows of an open transaction are locked, and keys may be there already.
            wait = "SET lock_timeout = '20ms'" if self.case.place.engine == "postgres" else "SET lock_wait_timeout = 1"
            execute(session, wait)
            if self.case.place.engine == "mysql":
                execute(session, "SET innodb_lock_wait_timeout = 0")
            execute(session, "BEGIN")
            execute(session, statement)
        except (psycopg.Error, pymysql.err.MySQLError):
            session.close()
            return
        if len(self.open) < 3 and self.chance.random() < 0.3:
            self.open.append(session)
            return
        execute(session, "COMMIT")
        session.close()

    def _run(self) -> None:
        before = {row["id"] for row in self._rows()}
        self.case.run()
        rows = self._rows()
        people = {person["id"]: person["attributes"] for person in self.case.world.sandbox.people()}
        for row in rows:
            found = people[row["id"]]
            assert (row["plan"], row["orders"]) == (found["plan"], int(found["orders"])), self.case.reports[-1]
        now = {row["id"] for row in rows}
        assert now == before
        if self.case.reports[-1].read_from:
            said = set(gone(self.case))
            assert not said & now, "who is there is not gone"
            self.gone |= said
        else:
            self.gone |= self.seen - now
        assert self.seen - now <= self.gone, "who went is gone"
        self.seen |= now
        for _ in range(self.chance.randint(0, len(self.open))):
            self._end(self.chance.choice(["COMMIT", "ROLLBACK"]))

    def _end(self, how: str) -> None:
        session = self.open.pop()
        execute(session, how)
        session.close()

    def _rows(self) -> list[dict[str, Any]]:
        with closing(self.case.place.session()) as session:
            rows = execute(session, self.case.query)
        return [{"id": row[0], "plan": row[1], "orders": row[2]} for row in rows]

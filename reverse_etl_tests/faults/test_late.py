"""Rows that become visible after a run has read are read by a later run; the runs say from when they read."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg
import pytest

from reverse_etl.config.environment import EnvText
from reverse_etl_tests.faults.late import HOWS, LateCase, OpenTransaction, Place, execute, next_second, place
from reverse_etl_tests.faults.runs import World
from reverse_etl_tests.servers.postgres import USER


def late_row(world: World, kind: str, how: str, changes: dict[str, str] | None = None) -> LateCase:
    """A run between a transaction's start and its end, and one after it."""
    where = place(world, kind)
    world.sandbox.reset()
    where.make()
    case = LateCase(world, where, changes or {})
    transaction = OpenTransaction(where, where.session(), how)
    transaction.begin()
    if not kind.endswith("_marks"):
        next_second()
    case.run()
    transaction.end()
    case.run()
    return case


@pytest.mark.parametrize(
    "how",
    [how if how in ("in a savepoint", "prepared") else pytest.param(how, marks=pytest.mark.thorough) for how in HOWS],
)
def test_changed_rows_are_read_whenever_they_were_committed(world: World, how: str) -> None:
    """By a reader without rights, from a table whose times are not needed; what did not change is not read again."""
    case = late_row(world, "postgres_marks", how)
    first, second = case.reports
    assert case.sent() == case.place.people()
    assert (3, int(how != "rolled back")) == (first.rows.extracted, second.rows.extracted)
    assert (0, first.last_sync_time) == (first.read_from, second.read_from)
    assert 0 == case.run().rows.extracted
    with closing(case.place.session()) as writer:
        execute(writer, f"UPDATE {case.place.table} SET plan = 'pro' WHERE id = 'old1'")
    assert 1 == case.run().rows.extracted
    assert len(case.place.people()) == case.run(full=True).rows.extracted
    assert 0 == case.run().rows.extracted, "the full run left its own place"


def test_after_a_restore_everything_is_read(world: World) -> None:
    """A table of another database has rows of other transactions, whatever their numbers."""
    where = place(world, "postgres_marks")
    world.sandbox.reset()
    where.make()
    case = LateCase(world, where)
    case.run()
    with closing(where.session()) as admin:
        execute(admin, "DROP DATABASE IF EXISTS restored")
        execute(admin, "CREATE DATABASE restored TEMPLATE template0")
        execute(admin, f"GRANT CONNECT ON DATABASE restored TO {USER}")
    with closing(psycopg.connect(**_elsewhere(where, "restored"))) as other:
        execute(other, f"CREATE TABLE {where.table} AS SELECT 'p9' AS id, 'pro' AS plan")
        execute(other, f"GRANT SELECT ON {where.table} TO {USER}")
    where.config = where.config.model_copy(update={"database": EnvText("restored")})
    report = case.run()
    assert (1, 0) == (report.rows.extracted, report.read_from)
    assert "it was restored, or another server took over. So everything was read again." in report.message
    assert (0, "") == ((again := case.run()).rows.extracted, again.message)


def _elsewhere(where: Place, database: str) -> dict[str, Any]:
    with closing(where.session()) as session:
        info = session.info
        return {"host": info.host, "port": info.port, "user": info.user, "dbname": database, "autocommit": True}


@pytest.mark.parametrize("how", HOWS[:2])
def test_postgres_tells_how_far_back_a_run_must_read(world: World, how: str) -> None:
    """A row committed after a run had read, with a time before that run's start, is sent by the next run."""
    case = late_row(world, "postgres", how)
    assert case.sent() == case.place.people()
    first, second = case.reports
    assert first.read_from == 0
    assert second.read_from is not None
    assert second.read_from < first.last_sync_time, "the transaction had begun in an earlier second"
    assert case.run().read_from == second.last_sync_time, "nothing is open any more"


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["writes later", "after a savepoint", "prepared"])
def test_mariadb_tells_how_far_back_a_run_must_read(world: World, how: str) -> None:
    """Also of a prepared transaction whose session is gone."""
    case = late_row(world, "mariadb", how)
    assert case.sent() == case.place.people()
    first, second = case.reports
    assert second.read_from is not None
    assert second.read_from < first.last_sync_time


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["postgres_unseen", "mariadb_unseen", "sqlite"])
def test_where_the_server_does_not_tell_ten_minutes_are_read_again(world: World, kind: str) -> None:
    """Unless the sync says otherwise."""
    case = late_row(world, kind, "wrote before")
    assert case.sent() == case.place.people()
    first, second = case.reports
    assert second.read_from == first.last_sync_time - 600


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["postgres", "postgres_unseen", "mariadb", "sqlite"])
def test_0s_is_customer_ios_bare_rule(world: World, kind: str) -> None:
    """The query is given the last sync time, and what becomes visible late is not read."""
    case = late_row(world, kind, "wrote before", {"late": "0s"})
    first, second = case.reports
    assert second.read_from == first.last_sync_time
    assert len(case.place.people() - case.sent()) == 1


@pytest.mark.thorough
def test_a_standby_that_lags_loses_nothing(world: World) -> None:
    """Three runs complete while its replay stands still; the last sync time is as old as its data."""
    where = place(world, "standby")
    world.sandbox.reset()
    where.make()
    where.settle()
    case = LateCase(world, where, {"late": "0s"})
    where.stop()
    next_second()
    with closing(where.session()) as writer:
        where.write(writer)
    next_second()
    for _ in range(3):
        case.run()
    where.settle()
    case.run()
    assert case.sent() == where.people()


def test_a_changed_query_says_what_full_would_do(world: World) -> None:
    """Once: the next run has completed with the query as it is."""
    where = place(world, "sqlite")
    world.sandbox.reset()
    where.make()
    case = LateCase(world, where)
    assert "" == case.run().message
    case.columns = "id, plan AS level"
    said = case.run().message
    assert "The query changed since the last completed run" in said
    assert f"To send all rows: reverse-etl run {where.table} --full" in said
    assert "" == case.run().message
    case.columns = "id,  plan /* the same */ AS level"
    assert "" == case.run().message
    with closing(where.session()) as writer:
        execute(writer, f"UPDATE {where.table} SET at = 5000000000")
    case.empty_values = "delete"
    assert ": people.empty_values changed since the last completed run" in case.run().message

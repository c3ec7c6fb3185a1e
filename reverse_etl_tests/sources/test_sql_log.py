"""Logs that are asked in SQL, against counterparts of SQL Server, Snowflake and BigQuery that know their statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.errors import QueryError
from reverse_etl.sources import connect
from reverse_etl.sources.powers import ChangeLog, GapError, HasLog
from reverse_etl_tests.servers._tds_changes import Tracked
from reverse_etl_tests.servers.bigquery import DATASET, BigqueryServer
from reverse_etl_tests.servers.snowflake import SnowflakeServer
from reverse_etl_tests.servers.tds import TdsServer
from reverse_etl_tests.sources import test_bigquery, test_snowflake, test_sqlserver

TABLES = {"dbo.customers": "id", "dbo.orders": "customer"}


@contextmanager
def log_of(config: DatabaseConfig, tables: dict[str, str]) -> Iterator[ChangeLog]:
    """The log in a session of its own."""
    with connect(config) as session:
        assert isinstance(session, HasLog)
        yield session.log("any", tables)


def keys(log: ChangeLog, since: str) -> set[tuple[str, str]]:
    """What was written since a place."""
    return {(row["table"], row["key"]) for batch in log.changed(since, log.now()) for row in batch.to_pylist()}


@pytest.fixture
def tracking(sqlserver: TdsServer) -> Iterator[TdsServer]:
    """The TDS counterpart, with two tracked tables at version 7."""
    sqlserver.version = 7
    sqlserver.tracked = {"dbo.customers": Tracked("id"), "dbo.orders": Tracked("customer", oldest=3)}
    yield sqlserver
    sqlserver.version, sqlserver.tracked = None, {}


def test_change_tracking_names_the_keys_since_a_version(tracking: TdsServer) -> None:
    """Also those of deleted rows; of each key the newest version counts."""
    with log_of(test_sqlserver.settings_of(tracking), TABLES) as log:
        log.create()
        since = log.now()
        assert set() == keys(log, since)
        tracking.version = 9
        tracking.tracked["dbo.customers"].versions |= {"1": 8, "O''Hara": 9, "old": 7}
        tracking.tracked["dbo.orders"].versions |= {"1": 9}
        expected = {("dbo.customers", "1"), ("dbo.customers", "O'Hara"), ("dbo.orders", "1")}
        assert expected == keys(log, since) == keys(log, since)
        assert set() == keys(log, log.now())
        assert (True, ()) == ((status := log.status()).exists, status.problems)
        assert not log.drop()


def test_versions_that_were_cleaned_up_or_are_of_another_time_are_gaps(tracking: TdsServer) -> None:
    """SQL Server itself would leave out what is no longer there."""
    with log_of(test_sqlserver.settings_of(tracking), TABLES) as log:
        since = log.now()
        tracking.tracked["dbo.orders"].oldest = 8
        with pytest.raises(GapError, match=r"no longer has what changed in dbo\.orders"):
            keys(log, since)
        with pytest.raises(GapError, match="was restored"):
            keys(log, since.replace("|7", "|70"))
        with pytest.raises(GapError, match="was restored"):
            keys(log, f"other{since}")
        with pytest.raises(GapError, match=r"`changes\.tables`"):
            keys(log, since.replace("|", "|0", 1))


def test_what_is_not_tracked_comes_with_the_statement(tracking: TdsServer) -> None:
    """Of the database, of a table, of a column that is no part of the key."""
    config = test_sqlserver.settings_of(tracking)
    with log_of(config, {"dbo.customers": "email", "dbo.plans": "id"}) as log:
        of_column, of_table = log.status().problems
        assert "What changed in dbo.customers could not be read" in of_column
        assert "the column of dbo.customers in changes.tables has to be a part of its key" in of_column
        assert "ALTER TABLE dbo.plans ENABLE CHANGE_TRACKING; GRANT VIEW CHANGE TRACKING ON dbo.plans TO [" in of_table
        tracking.version = None
        (problem,) = log.status().problems
        assert "SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 7 DAYS)." in problem
        with pytest.raises(GapError, match="does not track changes"):
            log.now()
        with pytest.raises(QueryError, match="does not track changes"):
            log.create()


@pytest.fixture(scope="session")
def changes(snowflake: SnowflakeServer) -> SnowflakeServer:
    """The Snowflake counterpart, with a table and what changed in it."""
    with snowflake.admin() as admin:
        admin.execute("CREATE TABLE leads (id NUMBER, plan TEXT)")
        admin.execute("CREATE TABLE leads__changes (id NUMBER, plan TEXT, changed_at TIMESTAMP_TZ)")
    return snowflake


def test_changes_names_the_keys_between_two_times(changes: SnowflakeServer) -> None:
    """A minute further back, because the time of a commit is given by another machine."""
    with log_of(test_snowflake.settings_of(changes), {"leads": "id"}) as log:
        since = log.now()
        now = datetime.now(UTC)
        with changes.admin() as admin:
            for key, at in ((1, now), (2, now - timedelta(seconds=50)), (3, now - timedelta(seconds=90)), (1, now)):
                admin.execute(f"INSERT INTO leads__changes VALUES ({key}, 'x', '{at.isoformat()}'::TIMESTAMP_TZ)")
        assert {("leads", "1"), ("leads", "2")} == keys(log, since)
        assert (True, ()) == ((status := log.status()).exists, status.problems)


def test_a_table_without_change_tracking_comes_with_the_statement(changes: SnowflakeServer) -> None:
    """Snowflake's own error does not say whether it is off, or longer ago than Time Travel reaches."""
    with log_of(test_snowflake.settings_of(changes), {"leads": "id", "nothing": "id"}) as log:
        (problem,) = log.status().problems
        assert "What changed in nothing could not be read" in problem
        assert problem.endswith("ALTER TABLE nothing SET CHANGE_TRACKING = TRUE.")
        with pytest.raises(GapError, match="What changed in nothing could not be read"):
            log.now()


@pytest.fixture
def history(bigquery: BigqueryServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[BigqueryServer]:
    """The BigQuery stand-in, with a table that is a month old and what changed in it."""
    monkeypatch.setenv(test_bigquery.KEY, bigquery.key())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bigquery.ca_file))
    month_ago = datetime.now(UTC) - timedelta(days=30)
    with bigquery.database.cursor() as admin:
        admin.execute(f"CREATE TABLE {DATASET}.leads (id BIGINT, plan TEXT)")
        admin.execute(f"CREATE TABLE {DATASET}.leads__changes (id BIGINT, plan TEXT, changed_at TIMESTAMPTZ)")
        admin.execute(f"CREATE TABLE {DATASET}.__tables (table_name TEXT, creation_time TIMESTAMPTZ)")
        admin.execute(f"INSERT INTO {DATASET}.__tables VALUES ('leads', ?), ('nothing', ?)", [month_ago, month_ago])
        yield bigquery
        admin.execute(f"DROP TABLE {DATASET}.leads__changes")
        admin.execute(f"DROP TABLE {DATASET}.leads")
        admin.execute(f"DROP TABLE {DATASET}.__tables")


def changed(history: BigqueryServer, key: int, **ago: float) -> None:
    """A row of the table was written so long ago."""
    with history.database.cursor() as admin:
        at = datetime.now(UTC) - timedelta(**ago)
        admin.execute(f"INSERT INTO {DATASET}.leads__changes VALUES (?, 'x', ?)", [key, at])


def moved(place: str, **ago: float) -> str:
    """The place of a run that was so long ago."""
    about, tables, at = place.rsplit("|", 2)
    return f"{about}|{tables}|{datetime.fromisoformat(at) - timedelta(**ago)}"


@pytest.mark.thorough
def test_change_history_names_the_keys_between_two_times(history: BigqueryServer) -> None:
    """Up to ten minutes ago, day by day; what is newer comes with the next run."""
    for key, ago in ((1, {"hours": 1}), (2, {"hours": 30}), (3, {"days": 6}), (4, {"minutes": 5}), (1, {"days": 3})):
        changed(history, key, **ago)
    with log_of(test_bigquery.settings_of(history), {"leads": "id"}) as log:
        now = log.now()
        assert set() == keys(log, now)
        assert {("leads", "1")} == keys(log, moved(now, hours=2))
        assert {("leads", str(key)) for key in (1, 2, 3)} == keys(log, moved(now, days=6, hours=1))
        assert (True, ()) == ((status := log.status()).exists, status.problems)
        assert not log.drop()
    with log_of(test_bigquery.settings_of(history, dataset=None), {f"{DATASET}.leads": "id"}) as log:
        assert {(f"{DATASET}.leads", "1")} == keys(log, moved(log.now(), hours=2))


@pytest.mark.thorough
def test_what_change_history_does_not_tell_is_a_gap(history: BigqueryServer) -> None:
    """Longer ago than time travel reaches, a table that was made again, another dataset, other tables."""
    with log_of(test_bigquery.settings_of(history), {"leads": "id"}) as log:
        now = log.now()
        for days in (7, 8, 400):
            with pytest.raises(GapError, match="What changed in leads could not be read"):
                keys(log, moved(now, days=days))
        with pytest.raises(GapError, match="The database was restored, or it is another one"):
            keys(log, f"other{now}")
        with pytest.raises(GapError, match=r"`changes\.tables` is not as it was"):
            keys(log, now.replace("|", "|0", 1))
        with history.database.cursor() as admin:
            made = f"UPDATE {DATASET}.__tables SET creation_time = ? WHERE table_name = 'leads'"
            admin.execute(made, [datetime.now(UTC) - timedelta(hours=1)])
            with pytest.raises(GapError, match="no longer has what changed in leads since the last completed run"):
                keys(log, moved(now, hours=2))
            admin.execute(made, [datetime.now(UTC) - timedelta(days=30)])


def test_a_table_without_change_history_comes_with_the_statement(history: BigqueryServer) -> None:
    """And so does one that is not there."""
    with log_of(test_bigquery.settings_of(history), {"leads": "id", "nothing": "id", "gone": "id"}) as log:
        first, second = log.status().problems
        assert "What changed in nothing could not be read" in first
        assert first.endswith("ALTER TABLE `nothing` SET OPTIONS (enable_change_history = TRUE).")
        assert second.endswith("ALTER TABLE `gone` SET OPTIONS (enable_change_history = TRUE).")
        with pytest.raises(GapError, match="What changed in nothing could not be read"):
            log.now()

"""What is remembered comes back, in SQLite and in Postgres alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.changeset.failed_rows import batches_of
from reverse_etl.changeset.scope import Reads
from reverse_etl.errors import INTERRUPTED_EXIT_CODE, StateError
from reverse_etl.report import Counts, PieceOf, Reason, RunReport, Status
from reverse_etl.state.failures import MAX_FAILED_ROWS, FailedCause, causes_of_run, failed_rows_of_run
from reverse_etl.state.run_history import (
    Delivery,
    attempt_of,
    find_run,
    last_delivered,
    last_reading_at,
    latest_run,
    latest_runs,
    list_runs,
)
from reverse_etl.state.runs import close_run, record_skipped
from reverse_etl.state.store import Store, open_store
from reverse_etl.state.syncs import (
    SyncState,
    every_sync,
    first_seen_at,
    is_paused,
    last_sync_time,
    record_seen,
    set_paused,
    sync_state,
)
from reverse_etl_tests.state.conftest import NOON, begin, close, failed_row, report


def test_nothing_is_remembered_at_first(store: Store) -> None:
    """An unknown sync starts from 0, is not paused and has no runs."""
    assert (0, False) == (last_sync_time(store, "people"), is_paused(store, "people"))
    assert (None, None) == (first_seen_at(store, "people"), latest_run(store, "people"))
    assert ([], [], None, []) == (
        every_sync(store),
        list_runs(store),
        find_run(store, "r1"),
        causes_of_run(store, "r1"),
    )


def test_a_run_in_progress_is_shown_as_running(store: Store) -> None:
    """From its beginning on a run is in the history, with the last sync time as it is."""
    begin(store)
    expected = RunReport("people", "r1", Status.RUNNING, NOON)
    assert expected == find_run(store, "r1") == latest_run(store, "people")
    assert [SyncState("people", "main", 0, NOON, False, "r1")] == every_sync(store)


@pytest.mark.parametrize("streams", [1, 2, 5])
def test_a_closed_run_comes_back_as_it_was(store: Store, streams: int) -> None:
    """Every field of the report survives, counts of every stream included, in their order."""
    begin(store)
    ended = RunReport(
        sync="people",
        run_id="r1",
        status=Status.SOME_ROWS_FAILED,
        started_at=NOON,
        duration_s=2.5,
        streams={
            "rows": Counts(10_000_000_000, 5, 4, 3, 2, 1),
            **{f"stream {number}": Counts(21, 6, 5, 4, 3, number) for number in range(streams - 1)},
        },
        failed_rows_csv="failed_rows/people/r1.csv",
        message="7 rows failed.",
        exit_code=7,
    )
    assert ended == close(store, ended) == (found := find_run(store, "r1"))
    assert found is not None
    assert list(ended.streams) == list(found.streams)


def test_a_completed_run_moves_the_last_sync_time(store: Store) -> None:
    """The new time is the sync's and the run's."""
    begin(store)
    assert 500 == close(store, report(), moved=500).last_sync_time
    assert 500 == last_sync_time(store, "people")
    assert 500 == list_runs(store)[0].last_sync_time


@pytest.mark.parametrize("status", [Status.SOME_ROWS_FAILED, Status.FAILED, Status.CANCELED])
def test_no_other_run_moves_it(store: Store, status: Status) -> None:
    """Not even on request."""
    begin(store)
    close(store, report(), moved=500)
    begin(store, "r2", since=500)
    assert 500 == close(store, report("r2", status=status), moved=900).last_sync_time
    assert 500 == last_sync_time(store, "people")


def test_an_earlier_run_that_completes_later_moves_it_back(store: Store) -> None:
    """Its older values may lie over newer ones now: what changed since it was read is read again."""
    for run, since in (("r1", 0), ("old", 100), ("new", 100)):
        begin(store, run, since=since)
    close(store, report("r1"), moved=100)
    close(store, report("new"), moved=300)
    assert 200 == close(store, report("old"), moved=200).last_sync_time


@pytest.mark.parametrize("status", [Status.SOME_ROWS_FAILED, Status.FAILED, Status.CANCELED])
def test_an_earlier_run_that_stopped_later_moves_it_back_too(store: Store, status: Status) -> None:
    """It sent some of its rows; one that began when the time already was what it is leaves it alone."""
    for run, since in (("r1", 0), ("old", 100), ("new", 100), ("next", 200)):
        begin(store, run, since=since)
    close(store, report("r1"), moved=100, sent=100)
    close(store, report("new"), moved=300, sent=300)
    assert 200 == close(store, report("old", status=status), sent=200).last_sync_time
    assert 200 == close(store, report("next", status=status), sent=400).last_sync_time


def test_a_run_from_zero_sets_it_to_its_own_start(store: Store) -> None:
    """That is how a time that lies in the future is mended."""
    begin(store)
    close(store, report(), moved=99_999_999_999)
    begin(store, "full", since=0)
    assert 700 == close(store, report("full"), moved=700).last_sync_time


def test_a_changeset_that_leaves_a_gap_does_not_move_it(store: Store) -> None:
    """After the state was restored from an older copy, rows between its time and the changeset's were not read."""
    begin(store)
    close(store, report(), moved=100)
    begin(store, "r2", since=400)
    assert 100 == close(store, report("r2"), moved=500).last_sync_time


def test_a_changeset_of_unknown_origin_does_not_move_it(store: Store) -> None:
    """A re-execution after the state was lost: what its changeset left out is not known."""
    assert 0 == close(store, report("again"), moved=500, root="lost").last_sync_time


def test_a_re_execution_counts_as_the_run_that_read_the_changeset(store: Store) -> None:
    """It never began here, and moves the time by what the first run was given."""
    begin(store, "first", since=0)
    close(store, report("first", status=Status.FAILED))
    close(store, report("again", at=NOON + timedelta(hours=1)), moved=500, root="first")
    assert 500 == last_sync_time(store, "people")
    assert "again" == sync_state(store, "people").last_run_id


def test_closing_again_replaces_what_was_written(store: Store) -> None:
    """A re-executed close leaves one row and only its own failed rows."""
    begin(store)
    close(store, report(status=Status.SOME_ROWS_FAILED), failed=(failed_row(1), failed_row(2)))
    close(store, report(status=Status.SOME_ROWS_FAILED), failed=(failed_row(3),))
    assert [3] == [row.row_number for row in failed_rows_of_run(store, "r1")]
    assert [1] == [cause.rows for cause in causes_of_run(store, "r1")]
    assert 1 == len(list_runs(store))


def test_a_run_that_begins_again_starts_its_row_again(store: Store) -> None:
    """A retried first step: the run is in progress, without the failed rows of the first try."""
    begin(store)
    close(store, report(status=Status.FAILED), failed=(failed_row(1),))
    begin(store)
    assert [Status.RUNNING] == [run.status for run in list_runs(store)]
    assert ([], []) == (list(failed_rows_of_run(store, "r1")), causes_of_run(store, "r1"))


def test_nothing_is_written_when_closing_fails(store: Store) -> None:
    """Failed rows that cannot be read leave run and last sync time as they were."""
    begin(store)

    def broken() -> Iterator[pa.RecordBatch]:
        yield from batches_of([failed_row(1)])
        raise RuntimeError("unreadable part")

    with pytest.raises(RuntimeError, match="unreadable part"):
        close_run(store, report(), root_run_id="r1", workspace="main", failed_rows=broken(), new_last_sync_time=500)
    assert (0, Status.RUNNING) == (last_sync_time(store, "people"), list_runs(store)[0].status)


def test_failed_rows_come_back_in_order_over_many_pages(store: Store) -> None:
    """Two and a half pages, rows of both queries; e-mail addresses are masked."""
    begin(store)
    rows = tuple(failed_row(number) for number in range(1, 2001))
    more = tuple(failed_row(number, query="relationships", identifier="ann@example.com") for number in range(1, 501))
    close(store, report(status=Status.SOME_ROWS_FAILED), failed=rows + more)
    found = list(failed_rows_of_run(store, "r1"))
    assert [*rows, *(replace(row, identifier="a***@example.com") for row in more)] == found
    assert [
        FailedCause("rows", "check", Reason("email_valid", "email", "broke email_valid."), 2000),
        FailedCause("relationships", "check", Reason("email_valid", "email", "broke email_valid."), 500),
    ] == causes_of_run(store, "r1")


def test_an_identifier_that_no_text_column_takes_is_remembered(store: Store) -> None:
    """PostgreSQL keeps no NUL, which may be why the row failed."""
    begin(store)
    close(store, report(), failed=(failed_row(1, identifier="a\0b"),))
    assert ["a\ufffdb"] == [row.identifier for row in failed_rows_of_run(store, "r1")]


@pytest.mark.thorough
def test_failed_rows_are_capped_and_causes_are_not(store: Store) -> None:
    """The state database stays small whatever fails; the CSV has the rest."""
    begin(store)
    close(store, report(), failed=tuple(failed_row(number) for number in range(1, MAX_FAILED_ROWS + 3)))
    assert MAX_FAILED_ROWS == sum(1 for _ in failed_rows_of_run(store, "r1"))
    assert [MAX_FAILED_ROWS + 2] == [cause.rows for cause in causes_of_run(store, "r1")]


def test_runs_are_listed_newest_first(store: Store) -> None:
    """By sync, by status, and no more than asked for."""
    for hour, run in enumerate(("r1", "r2", "r3")):
        begin(store, run, at=NOON + timedelta(hours=hour))
    begin(store, "other", sync="companies")
    close(store, report("r2", at=NOON + timedelta(hours=1), status=Status.FAILED))
    assert ["r3", "r2", "r1"] == [run.run_id for run in list_runs(store, "people")]
    assert ["r3", "r2"] == [run.run_id for run in list_runs(store, "people", limit=2)]
    assert ["r2"] == [run.run_id for run in list_runs(store, status=Status.FAILED)]
    assert 4 == len(list_runs(store))


def test_the_latest_run_is_the_newest_that_was_not_skipped(store: Store) -> None:
    """Closing an older run late does not make it the latest."""
    begin(store, "old")
    begin(store, "new", at=NOON + timedelta(hours=1))
    begin(store, "other", sync="companies")
    close(store, report("old"))
    record_skipped(store, "people", "main", NOON + timedelta(hours=2), "new")
    assert {"people": "new", "companies": "other"} == {name: run.run_id for name, run in latest_runs(store).items()}
    assert {"companies"} == latest_runs(store, "companies").keys()


def test_a_skipped_run_names_the_one_in_the_way(store: Store) -> None:
    """It is in the history once, however often the tick is recorded, and moves nothing."""
    begin(store, "r1", sync="companies")
    for _ in range(2):
        record_skipped(store, "people", "main", NOON, "r1")
    (skipped,) = list_runs(store, "people")
    assert (Status.SKIPPED, NOON, 0) == (skipped.status, skipped.started_at, skipped.last_sync_time)
    assert "r1" in skipped.message
    assert latest_run(store, "people") is None


def test_pausing_is_remembered(store: Store) -> None:
    """Also of a sync that has never run; pausing leaves the last sync time alone."""
    set_paused(store, "people", True)
    assert is_paused(store, "people")
    begin(store)
    close(store, report(), moved=500)
    set_paused(store, "people", False)
    assert SyncState("people", "main", 500, NOON, False, "r1") == sync_state(store, "people")


def test_a_sync_is_first_seen_once(store: Store) -> None:
    """The first time recorded is the one that stays, in UTC, also after it was paused and after it ran."""
    set_paused(store, "people", True)
    berlin = timezone(timedelta(hours=1))
    first = record_seen(store, "people", "main", datetime(2026, 1, 5, 13, tzinfo=berlin))
    assert (NOON, UTC) == (first, first.tzinfo)
    begin(store, at=NOON - timedelta(days=1))
    assert NOON == record_seen(store, "people", "main", NOON + timedelta(days=1)) == first_seen_at(store, "people")


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    """It would be read as another time on another machine."""
    with pytest.raises(Exception, match="needs a zone"):
        begin(store, at=datetime(2026, 1, 5, 12))  # noqa: DTZ001


def test_what_one_process_writes_another_reads(state_url: str) -> None:
    """Two stores of one database see the same."""
    begin(open_store(state_url))
    assert ["r1"] == [run.run_id for run in list_runs(open_store(state_url))]


def test_attempts_are_counted_along_a_chain_of_re_executions(store: Store) -> None:
    """The first run is attempt 1, its re-executions follow in order; other runs do not count."""
    begin(store, "r1")
    begin(store, "other")
    begin(store, "r2", root="r1", at=NOON + timedelta(minutes=1))
    later = NOON + timedelta(minutes=2)
    assert [1, 2, 3, 1] == [
        attempt_of(store, "r1", root_run_id="r1", began_at=NOON),
        attempt_of(store, "r2", root_run_id="r1", began_at=NOON + timedelta(minutes=1)),
        attempt_of(store, "r3", root_run_id="r1", began_at=later),
        attempt_of(store, "new", root_run_id="new", began_at=later),
    ]


def test_the_place_in_the_database_moves_with_last_sync_time(store: Store) -> None:
    """Only then, and back with it; a run whose query needs none leaves none."""
    begin(store)
    close(store, report(), moved=500, sent=500, place="a")
    assert "a" == sync_state(store, "people").place
    begin(store, "r2", since=500)
    begin(store, "r3", since=500)
    close(store, report("r3", status=Status.SOME_ROWS_FAILED), moved=600, sent=600, place="c")
    assert "a" == sync_state(store, "people").place
    begin(store, "r4", since=500)
    close(store, report("r4"), moved=700, sent=700, place="d")
    assert "d" == sync_state(store, "people").place
    close(store, report("r2", status=Status.FAILED), moved=550, sent=550, place="b")
    assert (550, "b") == ((state := sync_state(store, "people")).last_sync_time, state.place)
    begin(store, "r5", since=550)
    close(store, report("r5"), moved=800)
    assert "" == sync_state(store, "people").place


def test_of_two_runs_of_one_second_none_is_known_to_have_seen_less(store: Store) -> None:
    """One completed and the other had sent rows: the next run reads everything."""
    begin(store)
    close(store, report(), moved=500, sent=500, place="a")
    begin(store, "r2", since=500)
    close(store, report("r2", status=Status.FAILED), moved=500, sent=500, place="b")
    assert (500, "") == ((state := sync_state(store, "people")).last_sync_time, state.place)


def test_what_was_taken_back_is_no_delivery_to_run_after(store: Store) -> None:
    """Syncs that run after this one are started by its rows alone."""
    for minutes, (run_id, reads) in enumerate((("r1", "changes"), ("r2", "undo"))):
        at = NOON + timedelta(minutes=minutes)
        begin(store, run_id, at=at)
        close(store, replace(report(run_id, at=at), reads=reads))
    assert {"people": Delivery("r1", NOON + timedelta(seconds=5))} == last_delivered(store, {"people"})


def test_a_piece_before_the_last_is_no_delivery_to_run_after(store: Store) -> None:
    """Also where it is the first one, left as it is for its failed rows, so that nothing is noted as under way."""
    for number in (1, 2):
        begin(store, f"r{number}", at=NOON + timedelta(minutes=number))
        close(store, replace(report(f"r{number}", at=NOON + timedelta(minutes=number)), piece=PieceOf(number, 2)))
        newest = Delivery("r2", NOON + timedelta(minutes=2, seconds=5))
        assert ({"people": newest} if number == 2 else {}) == last_delivered(store, {"people"})


@pytest.mark.parametrize(
    ("ended", "counts"),
    [
        ({}, True),
        ({"status": Status.SOME_ROWS_FAILED}, True),
        ({"status": Status.FAILED, "reads": "changes"}, False),
        ({"status": Status.CANCELED, "reads": "changes", "exit_code": INTERRUPTED_EXIT_CODE}, True),
        ({"status": Status.CANCELED, "exit_code": INTERRUPTED_EXIT_CODE}, False),
        ({"status": Status.CANCELED, "reads": "changes", "exit_code": StateError.exit_code}, False),
        *(({"reads": reads.value}, reads.is_whole) for reads in Reads),
    ],
)
def test_the_last_reading_is_that_of_a_run_that_needs_no_other(
    store: Store, ended: dict[str, Any], counts: bool
) -> None:
    """One that delivered all there was, or that somebody canceled after it had read; from a time on."""
    begin(store)
    close(store, replace(report(), **ended))
    assert (NOON if counts else None) == last_reading_at(store, "people", since=NOON)
    assert last_reading_at(store, "people", since=NOON + timedelta(seconds=1)) is None
    assert last_reading_at(store, "companies", since=NOON) is None


def test_a_re_execution_and_a_last_piece_read_from_where_the_first_run_did(store: Store) -> None:
    """What came between the two is not in the changeset, or not in the pieces before."""
    begin(store)
    close(store, replace(report(status=Status.FAILED), reads="changes"))
    begin(store, "r2", root="r1", at=NOON + timedelta(minutes=5))
    close(store, report("r2", at=NOON + timedelta(minutes=5)), root="r1")
    assert NOON == last_reading_at(store, "people", since=NOON)

    for number in (1, 2):
        at = NOON + timedelta(hours=number)
        begin(store, f"p{number}", at=at)
        close(store, replace(report(f"p{number}", at=at), piece=PieceOf(number, 2)))
        assert NOON + timedelta(hours=number - 1) == last_reading_at(store, "people", since=NOON)

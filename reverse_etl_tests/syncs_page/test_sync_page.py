"""One sync and one import: what happened, why rows failed, and no value of a row but in the file."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from reverse_etl.exclusions import ExcludedRows
from reverse_etl.report import Counts, Status
from reverse_etl.state.check_results import KeptResult, remember_results
from reverse_etl.state.runs import begin_run, record_skipped
from reverse_etl_tests.cli.remembered import FAILED, Remembered
from reverse_etl_tests.syncs_page.served import DAGSTER, Page, read


def test_imports_are_listed_with_what_became_of_their_rows(page: Page, project: Remembered) -> None:
    """Read, delivered, unchanged, left out, failed, and how long it took."""
    project.ran("run-1", ago=timedelta(hours=2), streams={"rows": Counts(100, 60, 1, 2, 30, 0, 7)})
    found = re.search(r"<tr><th scope=\"row\"><a.*?runs/run-1.*?</tr>", page.get("/syncs/people").text, re.DOTALL)
    assert found is not None
    assert "completed 100 60 7 30 3 90.0 s" in read(found[0])


def test_a_sync_that_compares_has_new_and_changed_rows(page: Page, project: Remembered) -> None:
    """Another one has no such columns: which of its rows are new is not known."""
    project.ran("run-1", ago=timedelta(hours=2))
    assert ">changed<" not in page.get("/syncs/people").text
    project.ran("run-2", ago=timedelta(hours=1), streams={"rows": Counts(10, 3, 0, 0, 0, 0, 7)}, differs=(2, 1))
    shown = page.text("/syncs/people")
    assert "read new changed delivered unchanged left out failed took message" in shown
    assert "completed 10 2 1 3 7 0 0 90.0 s" in shown
    assert "new 2 changed 1" in page.text("/syncs/people/runs/run-2")


def test_a_failed_import_says_why_on_top(page: Page, project: Remembered) -> None:
    """Causes with counts and the numbers of some of their rows, and the way to the file and to Dagster."""
    project.ran("run-1", ago=timedelta(hours=2), status=Status.SOME_ROWS_FAILED)
    for address in ("/syncs/people", "/syncs/people/runs/run-1"):
        shown = page.text(address)
        assert "3 failed rows" in shown
        assert "email_valid 2 rows check email column email is not valid. 2, 5" in shown
        assert "invalid 1 relationships customerio no such object. 9" in shown
    assert f'href="{DAGSTER}/guess/people"' in page.get("/syncs/people").text
    assert f'href="{DAGSTER}/runs/run-1"' in page.get("/syncs/people/runs/run-1").text


def test_no_page_has_an_identifier_and_the_file_has_them_all(page: Page, project: Remembered) -> None:
    """Not even a masked one: the page is for anyone who walks past."""
    report = project.ran("run-1", ago=timedelta(hours=2), status=Status.SOME_ROWS_FAILED)
    for address in ("/", "/syncs/people", "/syncs/people/runs/run-1"):
        answer = page.get(address).text
        assert not [row for row in FAILED if len(row.identifier) > 1 and row.identifier in answer]
        assert "***" not in answer
    answer = page.get("/syncs/people/runs/run-1/failed_rows.csv")
    assert (project.folder / report.failed_rows_csv).read_bytes() == answer.content
    assert "anna@example.com" in answer.text
    assert 'attachment; filename="people-run-1-failed_rows.csv"' == answer.headers["content-disposition"]
    assert "text/csv; charset=utf-8" == answer.headers["content-type"]


@pytest.mark.parametrize(
    "address",
    [
        "/syncs/people/runs/run-2/failed_rows.csv",
        "/syncs/staff/runs/run-1/failed_rows.csv",
        "/syncs/people/runs/..%2f..%2fstate.db/failed_rows.csv",
        "/syncs/..%2fpeople/runs/run-1/failed_rows.csv",
        "/syncs/people/runs/run-1%00/failed_rows.csv",
        "/syncs/people/runs/nothing",
        "/syncs/nothing",
    ],
)
def test_only_what_the_history_knows_is_given(page: Page, project: Remembered, address: str) -> None:
    """An import without failed rows, one of another sync, and a path are not found."""
    project.ran("run-1", ago=timedelta(hours=2), status=Status.SOME_ROWS_FAILED)
    project.ran("run-2", ago=timedelta(hours=1))
    assert 404 == page.get(address).status_code


def test_a_file_that_is_no_longer_kept_is_said(page: Page, project: Remembered) -> None:
    """With the command that has what is remembered."""
    project.ran("run-1", ago=timedelta(hours=2), status=Status.SOME_ROWS_FAILED)
    project.home.failed_rows_csv("people", "run-1").unlink()
    shown = page.text("/syncs/people/runs/run-1")
    assert "Their file is no longer kept. See reverse-etl errors people --run run-1" in shown
    assert 404 == page.get("/syncs/people/runs/run-1/failed_rows.csv").status_code


def test_a_skipped_import_says_for_which_run(page: Page, project: Remembered) -> None:
    """It has no numbers: nothing was read."""
    reason = "Skipped: run 1a2b3c4d of staff was in progress."
    record_skipped(project.store, "people", "main", datetime.now(UTC), "1a2b3c4d", message=reason)
    assert reason in page.text("/syncs/people")


def test_an_import_in_progress_says_how_far_it_is(page: Page, project: Remembered) -> None:
    """And is followed; where its rows lie elsewhere, that is said."""
    at = datetime.now(UTC)
    begin_run(project.store, "run-1", root_run_id="run-1", sync="people", workspace="main", started_at=at, since=0)
    for address in ("/syncs/people", "/syncs/people/runs/run-1"):
        answer = page.get(address).text
        assert "data-live" in answer
        assert "In progress Its rows lie on another machine, or are not there yet." in read(answer)


def test_rows_that_were_left_out_are_counted_by_reason(page: Page, project: Remembered) -> None:
    """As `errors` has them."""
    excluded = (ExcludedRows("suppressed", 2, "the person is suppressed."),)
    counts = {"rows": Counts(10, 8, 0, 0, 2)}
    project.ran("run-1", ago=timedelta(hours=2), streams=counts, excluded_by=excluded)
    assert "2 rows left out by choice" in page.text("/syncs/people/runs/run-1")
    assert "suppressed 2 the person is suppressed." in page.text("/syncs/people/runs/run-1")


def test_what_checks_warn_of_is_beside_the_import(page: Page, project: Remembered) -> None:
    """In the list of imports in short, on the import's own page with the first row numbers."""
    project.ran("run-1", ago=timedelta(hours=2))
    found = ("warn", "broken", 9, 3, None, True, "column `plan` is NULL. First rows: 2, 5, 7.")
    remember_results(project.store, "run-1", [KeptResult("rows", "not_null_plan", *found)])
    assert "Warnings: not_null_plan (3 rows)." in page.text("/syncs/people")
    assert "First rows: 2, 5, 7." in page.text("/syncs/people/runs/run-1")


def test_imports_have_pages_and_charts_with_words(page: Page, project: Remembered) -> None:
    """Twenty-five on each; a chart is a picture with the numbers in its name."""
    for number in range(30):
        rows = {"rows": Counts(number + 1, number + 1)}
        project.ran(f"run-{number}", ago=timedelta(hours=number + 1), streams=rows)
    first, second = page.get("/syncs/people").text, page.get("/syncs/people?page=2").text
    assert (25, 5) == (first.count('<tr><th scope="row">'), second.count('<tr><th scope="row">'))
    assert "Rows read in the last 30 imports: newest 1, most 30, least 1." in first
    assert "Rows failed in the last 30 imports: newest 0, most 0, least 0." in first
    assert "Duration in the last 30 imports: newest 90.0 s, most 90.0 s, least 90.0 s." in first


def test_a_sync_without_a_file_keeps_its_history(page: Page, project: Remembered) -> None:
    """It runs no more, and nothing can be done with it."""
    project.ran("run-1", ago=timedelta(hours=2), sync="staff")
    (project.folder / "syncs" / "staff.yaml").unlink()
    shown = page.text("/syncs/staff")
    assert "Its file is gone: it runs no more." in shown
    assert "completed" in shown


def test_a_wrong_name_has_the_right_one_beside_it(page: Page) -> None:
    """As commands do."""
    assert "There is no sync named peple. Did you mean people?" in page.text("/syncs/peple", 404)

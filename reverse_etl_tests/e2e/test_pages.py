"""Dagster's pages after real runs, in a browser: what a person looks for is there, in words.

`REVERSE_ETL_PICTURES=docs/images` writes the pictures that the documentation shows.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reverse_etl_tests.e2e.browser import opened
from reverse_etl_tests.project import SHOP, Project, fill, people
from reverse_etl_tests.servers.dagster_ui import running_ui
from reverse_etl_tests.servers.s3 import BUCKET, RunningS3, running_s3
from reverse_etl_tests.servers.sandbox import RunningSandbox

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Page

pytestmark = pytest.mark.thorough

WEEKLY = people().replace("manual", "{every: 1w, start_at: 2026-01-05T01:30:00Z}")
TICK_MS = 100_000
"""A tick is due every minute; the rest is a daemon that starts."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A project after its runs, and Dagster's UI on it.

    Attributes:
        url: Of the UI.
        some_failed: The run with a failed row.
        stopped: The run that a check stopped.
    """

    url: str
    some_failed: str
    stopped: str


@pytest.fixture(scope="module")
def s3() -> Iterator[RunningS3]:
    """A bucket, so that what the pages name is found from any machine."""
    with running_s3() as server:
        yield server


@pytest.fixture(scope="module")
def ran(sandbox_server: RunningSandbox, s3: RunningS3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """`people` delivers two rows of three; `gated` is stopped; `paused` is due every minute. Files are shared in S3."""
    sandbox_server.reset()
    project = Project(tmp_path_factory.mktemp("pages"), s3.env("shop"))
    project.connections(SHOP, sandbox_server.url)
    fill(
        project.folder / "shop.db",
        [("1", "ann@example.com", "free"), ("2", "not an address", "pro"), ("3", "cy@example.com", "")],
    )
    project.write("people.yaml", WEEKLY)
    project.write("gated.yaml", people(more="checks:\n  - max_failed_rows: 0\n"))
    project.write("paused.yaml", people().replace("manual", "{every: 1m}"))
    assert 0 == project.reverse_etl("pause", "paused").returncode
    (code, some_failed), (gate, stopped) = project.run("people"), project.run("gated")
    assert (7, 4) == (code, gate)
    with running_ui(project.folder, project.env()) as url:
        yield Ran(url, some_failed["run_id"], stopped["run_id"])


def shows(page: Page, *texts: str) -> None:
    """Waits until each of the texts can be seen."""
    for text in texts:
        page.get_by_text(text).first.wait_for()


def picture(page: Page, name: str, *, height: int = 1000) -> None:
    """Takes the documentation's picture, where one is asked for: so much of the page from above."""
    if folder := os.environ.get("REVERSE_ETL_PICTURES"):
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(1000)
        width, all_of_it = (page.viewport_size or {}).values()
        clip: FloatRect = {"x": 0, "y": 0, "width": width, "height": min(height, all_of_it)}
        page.screenshot(path=Path(folder) / f"{name}.png", clip=clip)


def test_a_delivery_shows_its_rows_its_columns_and_whether_it_is_fresh(ran: Ran) -> None:
    """Counts, rows per second and the failed rows' CSV; a policy of two intervals, and that it passes."""
    with opened(f"{ran.url}/assets/people/people_delivery", height=1400) as page:
        shows(page, "The rows as they arrived in the Customer.io workspace main.", "Row count", "email")
        shows(page, "some_rows_failed", "rows_failed", "rows_per_second", "duration_s", f"{ran.some_failed}.csv")
        shows(page, "= delivered", "+ rejected", "email_valid")
        shows(page, "Freshness policy", "Passing", "Fails if more than")
        picture(page, "dagster-delivery", height=1400)


@pytest.mark.parametrize("path", ["/locations/reverse_etl/jobs/people/runs", "/runs?q[0]=job:people"])
def test_a_run_by_command_is_in_the_lists_of_runs(ran: Ran, path: str) -> None:
    """Of its job, and of all; without a tag that only we read."""
    with opened(f"{ran.url}{path}") as page:
        shows(page, ran.some_failed[:8])
        assert not page.get_by_text("began").count()


def test_the_jobs_and_the_timeline_have_runs_by_command(ran: Ran) -> None:
    """When each job ran last, and its runs in time."""
    with opened(f"{ran.url}/jobs") as page:
        shows(page, "gated", "people")
        page.get_by_text(re.compile("(second|minute)s? ago")).nth(1).wait_for()
        page.goto(f"{ran.url}/overview/timeline")
        shows(page, "gated", "people")


def test_the_numbers_of_a_delivery_are_plotted(ran: Ran) -> None:
    """Each number has a curve over the runs."""
    with opened(f"{ran.url}/assets/people/people_delivery") as page:
        page.get_by_text("Plots", exact=True).first.click()
        shows(page, "rows_per_second", "rows_failed", "duration_s")
        page.locator("canvas").first.wait_for()


def test_a_check_says_what_it_found_and_where(ran: Ran) -> None:
    """What is checked, in a sentence; which rule rows break, and a table of all with some row numbers."""
    with opened(f"{ran.url}/assets/people/people_validated?view=checks&checkDetail=rows_allowed") as page:
        shows(page, "Every row keeps", "email_valid: 1 row: column email is not a valid e-mail address.")
        shows(page, "rows_checked", "rules_broken")
        shows(page, "row_numbers", "that is not empty is a valid address.")
        picture(page, "dagster-check")


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("some_failed", "1 of 3 rows failed, 2 were delivered; last sync time stays."),
        ("stopped", "check max_failed_rows stopped the run"),
    ],
)
def test_a_failed_run_says_in_words_what_failed(ran: Ran, run: str, said: str) -> None:
    """Its failure is the sync, its file and what happened, links the CSV, and has no stack trace."""
    run_id = getattr(ran, run)
    with opened(f"{ran.url}/runs/{run_id}", height=860) as page:
        shows(page, "RUN_FAILURE", said)
        assert not page.get_by_text("Stack Trace").count()
        if run == "some_failed":
            shows(page, "failed_rows_csv", f"s3://{BUCKET}/shop/failed_rows/people/{run_id}.csv")
            picture(page, "dagster-failed-run")


def test_the_tick_history_says_why_nothing_ran(ran: Ran) -> None:
    """A tick that asked for no run says for which reason."""
    from playwright.sync_api import TimeoutError as NotYet

    with opened(f"{ran.url}/locations/reverse_etl/schedules/paused_schedule") as page:
        page.get_by_text("0 runs requested").first.wait_for(timeout=TICK_MS)
        shows(page, "Every 1m.")
        reason = page.get_by_text(re.compile("Not due: the next run is at|Paused: ")).first
        # A new tick moves the list, away from under the mouse.
        for _ in range(4):
            page.mouse.move(0, 0)
            page.get_by_text("0 runs requested").first.hover()
            with contextlib.suppress(NotYet):
                reason.wait_for(timeout=5_000)
                break
        reason.wait_for()
        picture(page, "dagster-ticks")

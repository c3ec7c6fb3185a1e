"""What can be done on the page where it is allowed, and the plan, which can always be made."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from reverse_etl.errors import SourceError
from reverse_etl.run.planned import Plan
from reverse_etl.state.syncs import is_paused
from reverse_etl.syncs_page.plans import Plans
from reverse_etl_tests.cli.remembered import Remembered
from reverse_etl_tests.syncs_page.served import DAGSTER, LAUNCHED, Page, wait

PLAN = Plan("plan-1f2e3d4c", "people", False, 0, 0, {})


def test_a_sync_is_paused_resumed_and_run(project: Remembered) -> None:
    """Each button leads back to the sync's page, which says what was done."""
    page = Page(project, may_act=True)
    paused = page.press("people", "pause")
    assert (303, True) == (paused.status_code, is_paused(project.store, "people"))
    assert "Paused. Due imports are left out" in page.text(paused.headers["location"])
    resumed = page.press("people", "resume")
    assert (303, False) == (resumed.status_code, is_paused(project.store, "people"))
    assert "Resumed." in page.text(resumed.headers["location"])
    started = page.press("people", "run")
    assert (303, ["people"]) == (started.status_code, page.started)
    waits = page.get(started.headers["location"]).text
    for words in ("An import was started.", f'href="{DAGSTER}/runs/{LAUNCHED}"', "data-live"):
        assert words in waits
    project.ran(LAUNCHED, ago=timedelta(minutes=1))
    assert "An import was started." not in page.text("/syncs/people")


def test_the_button_fits_the_status(project: Remembered) -> None:
    """A paused sync can be resumed, an active one paused; what "Run now" does is said before it is done."""
    page = Page(project, may_act=True)
    active = page.text("/syncs/people")
    assert (True, False) == (" Pause " in active, " Resume " in active)
    assert "It reads what changed and sends it to main" in active
    page.press("people", "pause")
    assert " Resume " in page.text("/syncs/people")


def test_a_sync_that_is_not_there_is_not_acted_on(project: Remembered) -> None:
    """The answer has the name that was probably meant."""
    page = Page(project, may_act=True)
    page.get("/syncs/people")
    token = page.get("/syncs/people").text.split('name="form" value="')[1].split('"')[0]
    answer = page.press("peple", "run", token=token)
    assert (404, True) == (answer.status_code, "Did you mean people?" in answer.text)
    assert 404 == page.press("people", "delete", token=token).status_code


def test_a_plan_that_cannot_be_made_says_why(page: Page) -> None:
    """Its database is not there: the sync, its file and the next step, on the page."""
    assert 303 == page.press("people", "plan").status_code
    wait("people")
    shown = page.text("/syncs/people")
    assert "The plan could not be made" in shown
    assert "sync people (syncs/people.yaml)" in shown


def test_a_plan_is_made_once_and_one_after_the_other() -> None:
    """Who asks twice waits for the same plan; another sync's is made next."""
    gate, made = threading.Event(), []

    def make(sync: str) -> Plan:
        gate.wait(30)
        made.append(sync)
        return PLAN

    plans = Plans(make)
    for sync in ("people", "people", "staff"):
        plans.ask(sync)
    found = plans.of("people")
    assert found is not None
    assert found.in_the_making
    gate.set()
    for sync in ("people", "staff"):
        wait(sync)
    assert ["people", "staff"] == sorted(made)


def test_a_plan_is_shown_as_long_as_it_can_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour."""
    at = [datetime.now(UTC)]
    plans = Plans(lambda _sync: PLAN, now=lambda: at[0])
    plans.ask("people")
    wait("people")
    at[0] += timedelta(minutes=59)
    assert plans.of("people") is not None
    at[0] += timedelta(minutes=2)
    assert plans.of("people") is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_in_a_plan_does_not_leave_it_in_the_making() -> None:
    """The page says where to look; an error of the source says what is wrong there."""

    def broken(sync: str) -> Plan:
        raise SourceError("no.", hint="Do.") if sync == "staff" else ZeroDivisionError

    plans = Plans(broken)
    for sync, problem in (("people", "defect"), ("staff", "no. Do.")):
        plans.ask(sync)
        wait(sync)
        found = plans.of(sync)
        assert found is not None
        assert problem in found.problem

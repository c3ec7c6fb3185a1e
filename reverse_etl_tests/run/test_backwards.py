"""A time that is earlier than what was acknowledged before is told, and sent all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from reverse_etl.changes.compared import compared as found_in
from reverse_etl.config.inline import parse_sync
from reverse_etl.report import Status
from reverse_etl_tests.faults.completed import ended
from reverse_etl_tests.faults.runs import Case
from reverse_etl_tests.faults.shop import compared as compared_settings
from reverse_etl_tests.run.test_compare import compared
from reverse_etl_tests.run.test_values import PLACES, planned
from reverse_etl_tests.servers.sandbox import RunningSandbox


@pytest.fixture(params=["plan AS last_seen_at", "plan AS seen_at"])
def case(request: pytest.FixtureRequest, tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """A sync of people that remembers values, a column of times among them, and has completed once."""
    case = compared(tmp_path, sandbox)
    settings = compared_settings(case.kind)
    query = settings["query"].replace("plan", f"plan, {request.param}")
    changes = {"by": "compare", "keep": "30d"}
    case.sync = parse_sync(case.name, PLACES | settings | {"query": query, "changes": changes})
    times(case, "2026-01-05T10:00:00Z", 1, 2, 3, 4)
    times(case, "1767600000", 5, 6)
    assert Status.COMPLETED is ended(case.run()).status
    return case


def times(case: Case, text: str, *rows: int) -> None:
    """Gives rows another time."""
    with case.shop.changing() as database:
        for row in rows:
            database.execute("UPDATE shop SET plan = ? WHERE rowid = ?", [text, row])


@pytest.mark.thorough
def test_a_time_that_goes_back_is_told_by_its_column_and_rows(case: Case) -> None:
    """Of columns that are named like the last of something; later times, NULL and other texts are none."""
    times(case, "2026-01-05T11:59:59+02:00", 1, 2)
    times(case, "2026-01-05T10:00:01Z", 3)
    times(case, "never", 4)
    times(case, "1767599999", 5)
    told = "`last_seen_at` is earlier than what was acknowledged before in 3 rows (1, 2, 5)."
    is_last = "last_seen_at" in case.sync.query
    assert is_last == (told in " ".join(planned(case).notes))
    report = ended(case.run())
    assert Status.COMPLETED is report.status
    assert (5, is_last) == (report.total.delivered, told in report.message)
    found = found_in(case.home.run_folder(case.name, report.run_id))
    assert found is not None
    assert ({"rows": {"last_seen_at": 3}} if is_last else {}) == found.went_back
    assert "earlier" not in ended(case.run()).message

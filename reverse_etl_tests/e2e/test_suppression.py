"""Suppressed people: left out or failed rows, from a query, a file and Customer.io's own answer."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from reverse_etl_tests.project import Project, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

pytestmark = pytest.mark.thorough


def failed(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Row number, reason and message of each failed row in the CSV."""
    with Path(report["failed_rows_csv"]).open(newline="") as file:
        return [(row["row_number"], row["reason"], row["message"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("listed", ["{query: SELECT 2 AS id}", "{file: lists/blocked.csv}"])
@pytest.mark.parametrize("setting", ["ignore_and_complete", "ignore_and_fail"])
def test_people_on_a_list_are_not_sent(project: Project, sandbox: RunningSandbox, listed: str, setting: str) -> None:
    """Left out, the run completes and last sync time moves; as a failed row, it does not."""
    project.write("lists/blocked.csv", "email\nBOB@example.com\n")
    settings = f"people: {{identify_by: id, suppressed: {setting}, suppression_list: {listed}}}"
    project.write("people.yaml", people().replace("people: {identify_by: id}", settings))
    code, report = project.run("people")
    assert {"1", "3"} == {person["id"] for person in sandbox.people()}
    if setting == "ignore_and_complete":
        assert (0, "completed", 2, 1) == (
            code,
            report["status"],
            *(report["rows"][n] for n in ("delivered", "excluded")),
        )
        assert 0 < report["last_sync_time"]
    else:
        assert (7, "some_rows_failed", 0) == (code, report["status"], report["last_sync_time"])
        assert [("2", "suppressed", "person is suppressed")] == failed(report)

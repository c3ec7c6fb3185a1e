"""`reverse-etl ui` and its Syncs page: a plan, and a run by Dagster's queue, from a browser to the workspace."""

from __future__ import annotations

import pytest

from reverse_etl_tests.e2e.browser import opened
from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.dagster_ui import running_ui, with_token
from reverse_etl_tests.servers.sandbox import RunningSandbox

pytestmark = pytest.mark.thorough

LONG_MS = 240_000
"""For a run that waits for a queue, a process and the machine."""


def test_a_plan_and_a_run_from_the_page(project: Project, sandbox: RunningSandbox) -> None:
    """The plan counts and sends nothing; the run delivers, and is in the list as soon as it is there."""
    with (
        running_ui(project.folder, project.env(), "--allow-actions") as dagster,
        opened(with_token(project.folder)) as tab,
    ):
        tab.get_by_role("link", name="people", exact=True).click()
        tab.get_by_role("button", name="Make a plan").click()
        tab.get_by_text("people: 3 rows read").wait_for(timeout=LONG_MS)
        assert 0 == sandbox.counts()["people"]
        tab.get_by_text("Run now").click()
        tab.get_by_role("button", name="Start the import").click()
        tab.get_by_text("An import was started.").wait_for()
        tab.locator("#imports .tag.completed").wait_for(timeout=LONG_MS)
        assert {"1", "2", "3"} == {person["id"] for person in sandbox.people()}
        tab.locator("#imports tbody a").first.click()
        tab.get_by_role("link", name="Dagster").click()
        tab.wait_for_url(f"{dagster}/runs/*")
        tab.get_by_text("people").first.wait_for()

"""A process that is killed while a job is at work: whoever runs next neither sends it again nor is overtaken by it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from reverse_etl_tests import warm
from reverse_etl_tests.project import SHOP, Project, fill
from reverse_etl_tests.servers.saas import RunningStandin, Saas
from reverse_etl_tests.servers.sandbox import wait_until

SYNC = """\
database: shop
destination: crm
schedule: manual
salesforce: {object: Account, identify_by: Customer_No__c, via: bulk}
query: SELECT id AS "Customer_No__c", email AS "Name" FROM customers
"""


@pytest.fixture
def salesforce(saas: Saas) -> RunningStandin:
    """An org whose jobs take their time."""
    standin = saas("salesforce")
    standin.set(polls_until_done=1_000_000)
    return standin


@pytest.fixture
def crm(project: Project, salesforce: RunningStandin) -> Project:
    """A project with a sync of twenty accounts."""
    project.environment |= {"SALESFORCE_KEY": "sandbox"}
    entry = "type: salesforce\n    client_id: ${SALESFORCE_KEY}\n    client_secret: ${SALESFORCE_KEY}\n"
    project.write(
        "connections.yaml", f"databases:\n{SHOP}destinations:\n  crm:\n    {entry}    url: {salesforce.url}\n"
    )
    (project.folder / "syncs" / "people.yaml").unlink()
    project.write("accounts.yaml", SYNC)
    fill(project.folder / "shop.db", [(n, f"old {n}", "free") for n in range(1, 21)])
    return project


def killed(crm: Project, salesforce: RunningStandin) -> None:
    """Runs the sync until its job is at work, and kills the process."""
    process = warm.started("run", "accounts", "--json", folder=crm.folder, environment=crm.env())
    wait_until(lambda: any(job["state"] != "Open" for job in salesforce.records("jobs")), timeout_s=20)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.thorough
def test_the_next_run_waits_for_the_job(crm: Project, salesforce: RunningStandin) -> None:
    """And sends none of its rows again."""
    killed(crm, salesforce)
    salesforce.set(polls_until_done=1)
    code, report = crm.run("accounts")
    assert (0, "completed", 20) == (code, report["status"], report["rows"]["delivered"]), report
    assert ["JobComplete"] == [job["state"] for job in salesforce.records("jobs")]


@pytest.mark.thorough
def test_a_run_of_everything_ends_the_job_first(crm: Project, salesforce: RunningStandin, tmp_path: Path) -> None:
    """So that its older rows are not written over the newer ones."""
    killed(crm, salesforce)
    fill(crm.folder / "shop.db", [(n, f"new {n}", "free") for n in range(1, 21)])
    salesforce.set(polls_until_done=1)
    code, report = crm.run("accounts", "--full")
    assert (0, "completed", 20) == (code, report["status"], report["rows"]["delivered"]), report
    states = [job["state"] for job in salesforce.records("jobs")]
    assert (2, True) == (len(states), {*states} <= {"Aborted", "JobComplete"}), states
    names = {each["Name"] for each in salesforce.records("Account", limit=100)}
    assert {f"new {n}" for n in range(1, 21)} == names

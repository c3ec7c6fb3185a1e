"""A sync from SQLite into a cohort of Amplitude, as a user runs it: commands in a project folder."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reverse_etl_tests.project import SHOP, Project
from reverse_etl_tests.servers.saas import RunningStandin, Saas

CONNECTIONS = """\
databases:
{shop}destinations:
  analytics:
    type: amplitude
    api_key: ${{AMPLITUDE_API_KEY}}
    secret_key: ${{AMPLITUDE_SECRET_KEY}}
    url: {url}
"""
SYNC = """\
database: shop
destination: analytics
schedule: manual
changes: {by: compare}
amplitude:
  send: cohort
  cohort: {name: At risk, owner: ann@example.com, app_id: 7}
  gone: remove
query: SELECT user_id FROM customers
"""


def fill(project: Project, *users: str) -> None:
    """Makes the table again, with these users."""
    with closing(sqlite3.connect(project.folder / "shop.db")) as database, database:
        database.execute("DROP TABLE IF EXISTS customers")
        database.execute("CREATE TABLE customers (user_id)")
        database.executemany("INSERT INTO customers VALUES (?)", [(user,) for user in users])


@pytest.mark.thorough
def test_a_cohort_follows_the_query(saas: Saas, tmp_path: Path) -> None:
    """New members are sent, those who are gone are taken out, and who was unknown is sent again once known."""
    amplitude = saas("amplitude")
    project = Project(tmp_path, {"AMPLITUDE_API_KEY": "sandbox", "AMPLITUDE_SECRET_KEY": "sandbox"})
    project.write("connections.yaml", CONNECTIONS.format(shop=SHOP, url=amplitude.url))
    project.write("at_risk.yaml", SYNC)
    amplitude.put("users", {"user_id": "user-1"}, {"user_id": "user-2"})
    fill(project, "user-1", "user-2", "user-3")
    assert 0 == project.reverse_etl("plan", "at_risk").returncode
    assert [] == members(amplitude)
    code, report = project.run("at_risk")
    assert (0, {"unknown_user": 1}) == (code, report.get("excluded_by")), report
    assert [["user-1", "user-2"]] == members(amplitude)
    amplitude.put("users", {"user_id": "user-3"})
    fill(project, "user-2", "user-3")
    code, report = project.run("at_risk")
    assert (0, 1, 1) == (code, report["rows"]["delivered"], report["rows"]["unchanged"]), report
    assert [["user-2", "user-3"]] == members(amplitude)


def members(amplitude: RunningStandin) -> list[list[str]]:
    """Those of each cohort."""
    return [each["members"] for each in amplitude.records("cohorts")]

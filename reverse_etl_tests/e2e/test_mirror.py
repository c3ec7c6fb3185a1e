"""A mirrored segment: people whom the query no longer returns leave it, and no one else ever does."""

from __future__ import annotations

import pytest

from reverse_etl_tests.project import Project, fill, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

pytestmark = pytest.mark.thorough

ANN, BOB, CY = ("1", "ann@example.com", "a"), ("2", "bob@example.com", "b"), ("3", "cy@example.com", "c")
ALL = "SELECT id, email, plan FROM customers"


def mirrored(project: Project, *, identify_by: str = "id", more: str = "") -> None:
    """A sync that mirrors the segment Everyone."""
    settings = f"{{identify_by: {identify_by}, segment: {{name: Everyone, mirror: true{more}}}}}"
    project.write("people.yaml", people(ALL).replace("{identify_by: id}", settings))


def members(sandbox: RunningSandbox) -> set[str]:
    """Addresses of the people in the segment."""
    (segment,) = sandbox.segments()
    return {str(person["email"]) for person in segment["people"]}


@pytest.mark.parametrize("identify_by", ["id", "email"])
def test_who_is_gone_from_the_query_leaves_the_segment(
    project: Project, sandbox: RunningSandbox, identify_by: str
) -> None:
    """They stay people of the workspace; an address in another case is the same person."""
    mirrored(project, identify_by=identify_by)
    assert 0 == project.run("people")[0]
    fill(project.folder / "shop.db", [("1", "ANN@example.com", "a"), CY])
    code, _ = project.run("people")
    assert 0 == code
    assert {"ann@example.com", "cy@example.com"} == {address.lower() for address in members(sandbox)}
    assert 3 == len(sandbox.people())


def test_a_segment_is_not_emptied_by_mistake(project: Project, sandbox: RunningSandbox) -> None:
    """More than half at once removes no one and fails the run, an empty result too; a higher limit lets it."""
    mirrored(project)
    project.run("people")
    one: list[tuple[object, object, object]] = [ANN]
    for rows in (one, []):
        fill(project.folder / "shop.db", rows)
        code, report = project.run("people")
        assert (4, "failed") == (code, report["status"])
        assert "no one was removed" in report["message"]
        assert 3 == len(members(sandbox))
    mirrored(project, more=", mirror_max_removed: 100%")
    assert 0 == project.run("people")[0]
    assert set() == members(sandbox)


def test_a_run_with_failed_rows_removes_no_one(project: Project, sandbox: RunningSandbox) -> None:
    """A row that failed may mean that a person is still there; a retry reads too few rows to know."""
    mirrored(project)
    project.run("people")
    fill(project.folder / "shop.db", [ANN, CY, ("4", "nope", "d")])
    assert 7 == project.run("people")[0]
    assert 3 == len(members(sandbox))
    fill(project.folder / "shop.db", [ANN, CY, ("4", "dee@example.com", "d")])
    assert 0 == project.reverse_etl("retry", "people").returncode
    assert {"ann@example.com", "bob@example.com", "cy@example.com", "dee@example.com"} == members(sandbox)

"""``reverse-etl test``, and the page about it: without a database, a secret or a network."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reverse_etl.config.loader import load_project
from reverse_etl.run.sync_tests import run_tests
from reverse_etl_tests.config.projects import CONNECTIONS, write_project
from reverse_etl_tests.project import Project

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
TESTS = """\
database: shop
workspace: main
schedule: manual
people: {}
query: SELECT id, plan FROM customers
tests:
  - name: A pro is sent
    given: [{id: 1, plan: pro}]
    expect: {operations: [{type: person, action: identify, identifiers: {id: "1"}, attributes: {plan: pro}}]}
  - name: another plan
    given: [{id: 1, plan: "free\\u0007"}]
    expect: {operations: [{type: person, action: identify, identifiers: {id: "1"}, attributes: {plan: pro}}]}
  - name: no time
    types: {plan: timestamp}
    given: [{id: 1, plan: pro}]
    expect: {}
"""
CREDENTIALS = ("CUSTOMERIO_SITE_ID", "CUSTOMERIO_TRACK_API_KEY", "CUSTOMERIO_APP_API_KEY", "SHOP_PASSWORD")


def bare(folder: Path, **files: str) -> Project:
    """A project in whose environment no credential is set, and whose database is not there."""
    write_project(folder, {"connections.yaml": CONNECTIONS, **files})
    return Project(folder, {"COLUMNS": "80", **dict.fromkeys(CREDENTIALS, "")})


def test_a_failing_test_is_shown_side_by_side(tmp_path: Path) -> None:
    """In 80 columns, under its place in the file; the exit code is 7, and nothing is made beside the report."""
    project = bare(tmp_path, **{"customers.yaml": TESTS})
    done = project.reverse_etl("test", "--junit", "report.xml")
    assert 7 == done.returncode, done.stderr
    assert done.stdout.startswith(
        """\
FAILED  customers: another plan
        syncs/customers.yaml:10
                    expected  found
──────────────────────────────────────────
operation 1, row 1
  attributes.plan   "pro"     "free\\u0007"

FAILED  customers: no time
        syncs/customers.yaml:13
  column `plan` of rows is no timestamp in row 1. Correct the value, or `types`
  of the test.
"""
    ), done.stdout
    assert max(map(len, done.stdout.splitlines()[:8])) <= 80
    assert done.stderr.startswith("2 of 3 tests failed")
    assert {"syncs", "report.xml"} == {path.name for path in tmp_path.iterdir()}


def test_the_report_is_what_ci_systems_read(tmp_path: Path) -> None:
    """A suite for each sync, an error for what could not be tried, a failure for what differs."""
    project = bare(tmp_path, **{"customers.yaml": TESTS})
    project.reverse_etl("test", "--junit", "report.xml")
    [suite] = ElementTree.parse(tmp_path / "report.xml").getroot()  # noqa: S314 - our own
    assert {"name": "customers", "tests": "3", "failures": "1", "errors": "1", "skipped": "0"} == {
        name: suite.get(name) for name in ("name", "tests", "failures", "errors", "skipped")
    }
    needed = {"id", "package", "name", "timestamp", "hostname", "tests", "failures", "errors", "skipped", "time"}
    assert needed == set(suite.keys()), "no more than Jenkins knows, no less than Ant needs"
    assert ["properties", *["testcase"] * 3, "system-out", "system-err"] == [child.tag for child in suite]
    cases = suite.findall("testcase")
    assert {("name", "classname", "time")} == {tuple(case.keys()) for case in cases}
    assert [[], ["failure"], ["error"]] == [[child.tag for child in case] for case in cases]
    failure = cases[1][0]
    assert "syncs/customers.yaml:10: not as expected" == failure.get("message")
    assert 'operation 1, row 1: attributes.plan\n  expected: "pro"' in str(failure.text)


def test_tests_are_chosen_by_sync_and_words(tmp_path: Path) -> None:
    """And JSON has each with its differences."""
    project = bare(tmp_path, **{"customers.yaml": TESTS, "others.yaml": TESTS.replace("another plan", "a third")})
    done = project.reverse_etl("test", "customers", "-k", "PLAN", "--json")
    assert 7 == done.returncode
    [found] = json.loads(done.stdout)
    assert ("customers", "another plan", 10, False, "") == tuple(
        found[key] for key in ("sync", "test", "line", "passed", "error")
    )
    assert [
        {"where": "operation 1, row 1", "key": "attributes.plan", "expected": '"pro"', "found": '"free\\u0007"'}
    ] == found["differences"]
    done = project.reverse_etl("test", "-k", "a pro")
    assert (0, "2 tests passed") == (done.returncode, done.stderr[:14])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("test", "-k", "refund"), "no test in"),
        (("test", "plain"), "there are no tests in plain. Add some under `tests:`"),
        (("test", "custmers"), "there is no sync named custmers"),
        (("test", "--junit", "not/there.xml"), "not/there.xml cannot be written"),
    ],
)
def test_nothing_to_do_is_said(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    """In a sentence, with exit code 2."""
    plain = TESTS.split("tests:", maxsplit=1)[0]
    project = bare(tmp_path, **{"customers.yaml": TESTS, "plain.yaml": plain})
    done = project.reverse_etl(*arguments)
    assert 2 == done.returncode
    assert says in " ".join(done.stderr.split())


def test_an_unknown_column_is_a_problem_with_its_line(tmp_path: Path) -> None:
    """Nothing is run."""
    project = bare(tmp_path, **{"customers.yaml": TESTS.replace("{id: 1, plan: pro}", "{id: 1, paln: pro}", 1)})
    done = project.reverse_etl("test")
    assert (2, "") == (done.returncode, done.stdout)
    says = "customers.yaml:8: tests.given.paln: the query has no column `paln`; did you mean `plan`?"
    assert says in " ".join(done.stderr.split())


def test_the_page_and_the_shipped_syncs_pass(tmp_path: Path) -> None:
    """The page's YAML is tests that pass; each shipped sync has one."""
    shutil.copytree(ROOT / "syncs", tmp_path / "syncs")
    connections = tmp_path / "syncs" / "connections.yaml"
    connections.write_text(connections.read_text().replace("type: sqlite", "type: duckdb"))
    [text] = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    (tmp_path / "syncs" / "order_placed.yaml").write_text(text)
    project = load_project(tmp_path / "syncs")
    assert all(sync.tests for sync in project.syncs.values())
    results = run_tests(project, [(sync, test) for sync in project.syncs.values() for test in sync.tests])
    assert [] == [result for result in results if not result.passed]


def test_the_page_names_every_key() -> None:
    """And its commands are commands."""
    from reverse_etl.config.sync_tests import ExpectedConfig, SyncTest

    keys = {*SyncTest.keys(), *ExpectedConfig.keys()} - {"name"}
    assert set() == {key for key in keys if not re.search(rf"^ *(- )?{key}:", PAGE, flags=re.MULTILINE)}

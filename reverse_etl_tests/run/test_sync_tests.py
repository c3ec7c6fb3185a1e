"""A sync's own tests: given rows become what a run would send, and each difference is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reverse_etl.config.loader import load_project
from reverse_etl.run.sync_tests import Tried, run_tests
from reverse_etl_tests.config.projects import CONNECTIONS, write_project

PEOPLE = """\
database: shop
workspace: main
schedule: manual
people: {identify_by: id}
query: SELECT id, email, plan, created_at FROM customers WHERE updated_at >= {{last_sync_time}}
checks:
  - accepted_values: {column: plan, values: [free, pro]}
"""
ANN = '{type: person, action: identify, identifiers: {id: "1"}, attributes: {plan: pro}}'


def results_of(folder: Path, sync: str, tests: str, **files: str) -> list[Tried]:
    """The results of the tests of a sync, in order."""
    texts = {"connections.yaml": CONNECTIONS, "customers.yaml": f"{sync}tests:\n{tests}", **files}
    project = load_project(write_project(folder, texts))
    return list(run_tests(project, [(each, test) for each in project.syncs.values() for test in each.tests]))


def differing(result: Tried) -> list[tuple[str, str, str, str]]:
    """Where, key, expected and found of each difference."""
    assert result.error == ""
    return [(each.where, each.key, each.expected, each.found) for each in result.differences]


def test_what_is_as_expected_passes(tmp_path: Path) -> None:
    """Columns that are left out are NULL, numbers are compared by value."""
    [found] = results_of(
        tmp_path,
        PEOPLE,
        f"""\
  - name: everything
    given:
      - {{id: 1, plan: pro}}
      - {{id: 2, plan: gold}}
      - {{id: 3, plan: free, created_at: 1.50}}
    expect:
      operations:
        - {ANN}
        - {{type: person, action: identify, identifiers: {{id: "3"}}, attributes: {{plan: free, created_at: 1.5}}}}
      rejected: [{{row: 2, reason: accepted_values_plan, field: plan}}]
""",
    )
    assert found.passed, found
    assert ("customers", "everything", 9) == (found.sync, found.name, found.line)


def test_every_difference_is_named(tmp_path: Path) -> None:
    """A value, a kind of value, a row that nobody expected to be rejected, an operation too many and one too few."""
    [value, rejected, too_many, too_few, kinds, field] = results_of(
        tmp_path,
        PEOPLE,
        f"""\
  - name: another value
    given: [{{id: 1, plan: free, email: ann@example.com}}]
    expect: {{operations: [{ANN}]}}
  - name: rejected
    given: [{{id: 1, plan: gold}}, {{id: 2, plan: free}}]
    expect:
      operations: [{{type: person, action: identify, identifiers: {{id: "2"}}, attributes: {{plan: free}}}}]
      excluded: [{{row: 2, reason: suppressed}}]
  - name: too many
    given: [{{id: 7, plan: pro}}, {{id: 1, plan: pro}}]
    expect: {{operations: [{ANN}]}}
  - name: too few
    given: []
    expect: {{operations: [{ANN}]}}
  - name: kinds
    given: [{{id: 1, plan: pro, created_at: true}}]
    expect:
      operations: [{{type: person, action: identify, identifiers: {{id: 1}}, attributes: {{plan: pro, created_at: 1}}}}]
  - name: another field
    given: [{{id: 1, plan: gold}}]
    expect: {{rejected: [{{row: 1, reason: accepted_values_plan, field: email}}]}}
""",
    )
    first = "operation 1, row 1"
    assert [
        (first, "attributes.plan", '"pro"', '"free"'),
        (first, "attributes.email", "nothing", '"ann@example.com"'),
    ] == differing(value)
    why = "rejected: accepted_values_plan (plan): column `plan` holds a value that is not accepted."
    assert [("row 1", "", "sent", why), ("row 2", "", "excluded: suppressed", "sent")] == differing(rejected)
    seven = '{"action": "identify", "attributes": {"plan": "pro"}, "identifiers": {"id": "7"}, "type": "person"}'
    assert [(first, "", "nothing", seven)] == differing(too_many)
    assert [("operation 1", "", seven.replace('"7"', '"1"'), "nothing")] == differing(too_few)
    assert [
        (first, "identifiers.id", "1", '"1"'),
        (first, "attributes.created_at", "1", "true"),
    ] == differing(kinds)
    assert [("row 1", "", "rejected: accepted_values_plan (email)", why)] == differing(field)


def test_a_subset_compares_what_is_written(tmp_path: Path) -> None:
    """The number of operations counts all the same."""
    [same, other, more] = results_of(
        tmp_path,
        PEOPLE,
        """\
  - name: same
    given: [{id: 1, plan: pro}]
    expect: {match: subset, operations: [{attributes: {plan: pro}}]}
  - name: other
    given: [{id: 1, plan: pro}]
    expect: {match: subset, operations: [{attributes: {plan: free}}]}
  - name: more
    given: [{id: 1, plan: pro}, {id: 2, plan: pro}]
    expect: {match: subset, operations: [{attributes: {plan: pro}}]}
""",
    )
    assert same.passed
    assert [("operation 1, row 1", "attributes.plan", '"free"', '"pro"')] == differing(other)
    assert ["operation 2, row 2"] == [each.where for each in more.differences]


def test_gates_are_judged_where_a_test_is_about_them(tmp_path: Path) -> None:
    """Of a few rows they mean nothing otherwise; a check that stops the run for a row always counts."""
    sync = PEOPLE + "  - row_count: {min: 3}\n  - not_null: {column: email, severity: stop}\n"
    [passes, stops, does_not, stopped] = results_of(
        tmp_path,
        sync,
        f"""\
  - name: not about it
    given: [{{id: 1, email: ann@example.com, plan: pro}}]
    expect: {{match: subset, operations: [{ANN}]}}
  - name: too few
    given: [{{id: 1, email: ann@example.com, plan: pro}}]
    expect: {{stopped: row_count}}
  - name: enough
    given: [{{id: 1, email: a@x.ch}}, {{id: 2, email: b@x.ch}}, {{id: 3, email: c@x.ch}}]
    expect: {{stopped: row_count}}
  - name: a row without
    given: [{{id: 1, plan: pro}}]
    expect: {{operations: [{ANN}]}}
""",
    )
    assert passes.passed
    assert stops.passed, stops
    assert [("the run", "", "stopped by row_count", "not stopped")] == differing(does_not)
    [found] = stopped.differences
    assert ("the run", "not stopped") == (found.where, found.expected)
    assert found.found.startswith("check not_null_email would stop the run")


def test_now_and_types_are_those_of_the_test(tmp_path: Path) -> None:
    """Time stands still: without `now` it is the first of January 2026."""
    sync = """\
database: shop
workspace: main
schedule: manual
events: {name: order, identify_by: id, max_age: 24h}
query: SELECT id, placed_at AS occurred_at, paid_on, total FROM orders
"""
    [recent, old, wrong] = results_of(
        tmp_path,
        sync,
        """\
  - name: recent
    now: 2026-01-05T12:00:00+01:00
    types: {occurred_at: timestamp, paid_on: date, total: number}
    given: [{id: 1, occurred_at: "2026-01-05 10:00:00", paid_on: 2026-01-05, total: "12.340"}]
    expect:
      match: subset
      operations: [{timestamp: 1767607200, attributes: {paid_on: 1767571200, total: 12.34}}]
  - name: old
    types: {occurred_at: timestamp}
    given: [{id: 1, occurred_at: 2025-12-30T23:00:00Z}, {id: 1, occurred_at: 2026-01-05T00:00:00Z}]
    expect:
      excluded: [{row: 1, reason: event_max_age}]
      rejected: [{row: 2, reason: event_in_future}]
  - name: wrong
    types: {occurred_at: timestamp}
    given: [{id: 1, occurred_at: 2025-12-31T23:00:00Z}, {id: 2, occurred_at: yesterday}]
    expect: {}
""",
    )
    assert recent.passed, recent
    assert old.passed, old
    assert "column `occurred_at` of rows is no timestamp in row 2." in wrong.error


def test_each_query_has_rows_of_its_own(tmp_path: Path) -> None:
    """Relationships, and a suppression list that is queried; the same text may stand for two queries."""
    sync = """\
database: shop
workspace: main
schedule: manual
people: {suppression_list: {query: SELECT id FROM blocked}}
query: SELECT id, company FROM members
relationships:
  query: SELECT id, company FROM members
  columns: {id: id, object_id: company}
"""
    [found, none] = results_of(
        tmp_path,
        sync,
        """\
  - name: all three
    given:
      rows: [{id: 1}, {id: 2}]
      relationships: [{id: 1, company: 7}]
      suppressed: [{id: 2}]
    expect:
      operations:
        - {type: person, action: identify, identifiers: {id: "1"}, attributes: {}}
        - type: person
          action: add_relationships
          identifiers: {id: "1"}
          cio_relationships: [{identifiers: {object_type_id: "1", object_id: "7"}}]
      excluded: [{row: 2, reason: suppressed}]
  - name: no rows
    given: {rows: }
    expect: {}
""",
    )
    assert found.passed, found
    assert none.passed, none


def test_a_transform_is_started_once(tmp_path: Path) -> None:
    """For all tests of its sync; where it fails for every row of a test, that row is a rejected one."""
    script = """\
calls = []


def transform(row):
    calls.append(row)
    return {**row, "plan": row["email"][:3], "created_at": len(calls)}
"""
    expected = {
        "pro@x.ch": "{match: subset, operations: [{attributes: {plan: pro, created_at: 1}}]}",
        "null": "{rejected: [{row: 1, reason: transform_failed}]}",
        "gold@x.ch": "{rejected: [{row: 1, reason: accepted_values_plan}]}",
        "free@x.ch": "{rejected: [{row: 1, reason: accepted_values_plan}]}",
        "pro@y.ch": "{match: subset, operations: [{attributes: {plan: pro, created_at: 5}}]}",
    }
    tests = (
        f"  - {{name: of {email}, given: [{{id: 1, email: {email}}}], expect: {expect}}}\n"
        for email, expect in expected.items()
    )
    results = results_of(tmp_path, PEOPLE + "transform: plans.py\n", "".join(tests), **{"plans.py": script})
    assert [] == [each for each in results if not each.passed]


def test_rows_of_tables_and_services_are_shown_as_preview_shows_them(tmp_path: Path) -> None:
    """Each kind of destination has its own words for what is sent."""
    more = """\
destinations:
  crm: {type: postgres, host: localhost, database: crm, user: w, password: "${UNSET_PASSWORD}"}
"""
    sync = """\
database: shop
destination: crm
schedule: manual
rows: {table: customers, identify_by: id}
query: SELECT * FROM customers
where: {plan: {is_not: free}}
"""
    [found] = results_of(
        tmp_path,
        sync,
        """\
  - name: a row of a table
    given: [{id: 1, plan: pro, tags: [a, b]}, {id: 2, plan: free}, {id: null, plan: pro}]
    expect:
      operations: [{id: 1, plan: pro, tags: [a, b]}]
      excluded: [{row: 2, reason: filtered}]
      rejected: [{row: 3, reason: identifier_present}]
""",
        **{"connections.yaml": CONNECTIONS + more},
    )
    assert found.passed, json.dumps(found.as_json(), indent=1)


@pytest.mark.parametrize("severity", ["warn", "reject"])
def test_a_rule_across_rows_sees_only_the_rows_of_its_test(severity: str, tmp_path: Path) -> None:
    """Though all tests share a scratch database."""
    sync = PEOPLE + f"  - unique: {{column: email, severity: {severity}}}\n"
    one = "given: [{id: 1, email: a@x.ch, plan: pro}]"
    [first, second, both] = results_of(
        tmp_path,
        sync,
        f"""\
  - {{name: first, {one}, expect: {{match: subset, operations: [{{action: identify}}]}}}}
  - {{name: second, {one}, expect: {{match: subset, operations: [{{action: identify}}]}}}}
  - name: both
    given: [{{id: 1, email: a@x.ch, plan: pro}}, {{id: 2, email: a@x.ch, plan: pro}}]
    expect: {{rejected: [{{row: 1, reason: unique_email}}, {{row: 2, reason: unique_email}}]}}
""",
    )
    assert first.passed
    assert second.passed
    assert both.passed is (severity == "reject")

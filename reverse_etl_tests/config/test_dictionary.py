"""The dictionary: what names mean, which syncs must keep to it, and what is valid without one."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from reverse_etl.config.contracts import quoted
from reverse_etl.config.definitions import Definition
from reverse_etl.config.inline import parse_sync
from reverse_etl.config.loader import inspect_project, load_project
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl_tests.config.json_schema import errors
from reverse_etl_tests.config.projects import CONNECTIONS, CUSTOMERS, write_project
from reverse_etl_tests.config.test_schema import values
from reverse_etl_tests.schemas import dictionary_schema, sync_schema

PLAIN = """\
database: server
workspace: main
schedule: manual
people: {}
query: SELECT id, plan, seats FROM customers
"""
DICTIONARY = """\
contract: enforce
attributes:
  plan: {type: text, description: What is paid for, allowed_values: [free, pro], owner: "team:data", since: 2026-01-05}
  seats:
"""


def loaded(folder: Path, **files: str) -> ProjectConfig:
    """A project of these files."""
    named = {f"{name}.yaml": text for name, text in files.items()}
    return load_project(write_project(folder, {"connections.yaml": CONNECTIONS, **named}))


def test_a_dictionary_is_no_sync_and_binds_all_syncs_of_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each definition knows its place; what is not said has no limit."""
    monkeypatch.chdir(tmp_path)
    project = loaded(tmp_path, customers=PLAIN, dictionary=DICTIONARY)

    assert list(project.syncs) == ["customers"]
    assert project.warnings == ()
    contract = project.syncs["customers"].contract_of("rows")
    assert contract is not None
    assert (contract.enforce, contract.subject, contract.apart) == (True, ("attributes",), frozenset({"id"}))
    assert contract.terms["plan"].at == "syncs/dictionary.yaml:3"
    assert contract.terms["plan"].definition.allowed_values == ("free", "pro")
    assert contract.terms["seats"].definition == Definition()


def test_without_a_dictionary_no_sync_has_a_contract(tmp_path: Path) -> None:
    """Files that are valid stay valid, with the version that they had."""
    project = loaded(tmp_path, customers=CUSTOMERS, other=PLAIN)

    assert [sync.contracts for sync in project.syncs.values()] == [(), ()]
    with_dictionary = loaded(tmp_path, dictionary="events: {order_placed: {description: A paid order}}")
    assert [sync.version for sync in with_dictionary.syncs.values()] == [
        sync.version for sync in project.syncs.values()
    ]


def test_a_file_of_that_name_with_a_query_is_a_sync_as_before(tmp_path: Path) -> None:
    """Nothing that ran stops because its name has a meaning now."""
    assert list(loaded(tmp_path, dictionary=PLAIN).syncs) == ["dictionary"]


def test_a_sync_adds_to_a_definition_and_promises_the_column(tmp_path: Path) -> None:
    """What both say is one definition; the sync's mode comes before the file's."""
    own = PLAIN + "contract: warn\nattributes:\n  plan: {source: shop.customers.plan}\n  seats: {type: integer}\n"
    project = loaded(tmp_path, customers=own, dictionary=DICTIONARY)

    contract = project.syncs["customers"].contract_of("rows")
    assert contract is not None
    plan = contract.terms["plan"]
    assert (plan.own, plan.definition.type, plan.definition.source) == (True, "text", "shop.customers.plan")
    assert contract.enforce is False
    assert project.dictionary.terms["attributes",]["seats"].definition.type == "integer"


def test_a_changed_dictionary_is_another_version_of_the_sync(tmp_path: Path) -> None:
    """Rows that were read under other rules are not continued under these."""
    before = loaded(tmp_path, customers=PLAIN, dictionary=DICTIONARY).syncs["customers"].version
    same = loaded(tmp_path, dictionary=DICTIONARY.replace("seats:", "# people\n  seats:")).syncs["customers"].version
    after = loaded(tmp_path, dictionary=DICTIONARY.replace("pro]", "pro, team]")).syncs["customers"].version

    assert (before == same, before == after) == (True, False)


def test_events_objects_and_relationships_have_names_of_their_own(tmp_path: Path) -> None:
    """`name` of an object is not `name` of a person; an event's attributes are its own."""
    dictionary = """\
    events:
      order_placed:
        attributes: {total: {type: number, required: true}}
    objects:
      "2":
        attributes: {name: {type: text}}
        relationship_attributes: {role: {type: text}}
    """
    orders = PLAIN.replace("people: {}", "events: {name: order_placed}").replace("plan, seats", "occurred_at, event_id")
    companies = (
        PLAIN.replace("people: {}", "objects: {object_type: 2}").replace("id, plan, seats", "object_id, name")
        + "relationships: {object_type: 2, query: 'SELECT id, object_id, role FROM members'}\n"
    )
    project = loaded(tmp_path, people=PLAIN, orders=orders, companies=companies, dictionary=dictionary)

    subjects = {name: [each.subject for each in sync.contracts] for name, sync in project.syncs.items()}
    assert subjects == {
        "people": [],
        "orders": [("events", "order_placed", "attributes")],
        "companies": [("objects", "2", "attributes"), ("objects", "2", "relationship_attributes")],
    }
    assert len(project.warnings) == 1
    assert project.warnings[0].endswith(
        "orders.yaml:5: query: returns no column `total`, which "
        + str(tmp_path / "syncs" / "dictionary.yaml:3 requires: select it")
    )


def test_a_sync_to_any_destination_declares_its_own_columns() -> None:
    """The keys are those of every sync."""
    sync = parse_sync(
        "crm",
        {
            "database": "shop",
            "destination": "crm",
            "schedule": "manual",
            "rows": {"table": "customers", "identify_by": "id"},
            "query": "SELECT id, plan FROM c",
            "attributes": {"id": None, "plan": {"allowed_values": [1.5]}},
        },
    )
    assert sync.attributes["plan"].allowed_values == (Decimal("1.5"),)


def test_a_problem_of_the_dictionary_concerns_every_sync(tmp_path: Path) -> None:
    """None of them would run; a sync that has its name is another sync."""
    files = {
        "connections.yaml": CONNECTIONS,
        "customers.yaml": PLAIN,
        "dictionary.yaml": "attributes: {plan: {typ: x}}",
    }
    found = inspect_project(write_project(tmp_path, files))
    assert [each.key for each in found.concerning(["customers"])[0]] == ["attributes.plan.typ"]

    write_project(tmp_path, {"dictionary.yaml": PLAIN.replace("people", "poeple")})
    found = inspect_project(tmp_path / "syncs")
    assert (len(found.problems) > 0, found.concerning(["customers"])[0]) == (True, [])


def test_an_editor_knows_the_dictionary() -> None:
    """What the loader takes fits its schema; what it does not take, does not."""
    assert errors(dictionary_schema(), values(DICTIONARY)) == []
    assert errors(sync_schema(), values(PLAIN + "attributes: {plan: {type: text}, seats: }\ncontract: warn\n")) == []
    assert errors(dictionary_schema(), values("attributes: {plan: {typ: text}}"))
    assert errors(dictionary_schema(), values('objects: {"0": {}}'))


def test_many_names_are_counted_in_a_sentence() -> None:
    """A dictionary that has just been begun knows few of a query's columns."""
    assert quoted(["a"]) == "`a`"
    assert quoted(["a", "b"]) == "`a` and `b`"
    assert quoted("abcdefgh") == "`a`, `b`, `c`, `d`, `e` and 3 more"

"""Who is meant by an identifier, and what is accepted with 200 and then not done."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.sandbox.customerio import operations
from reverse_etl.sandbox.customerio.identity import is_email
from reverse_etl.sandbox.customerio.settings import SandboxSettings
from reverse_etl.sandbox.customerio.workspace import Workspace
from reverse_etl_tests.sandbox.conftest import Batch, Item, person, refusals, thing, to_object
from reverse_etl_tests.servers.sandbox import RunningSandbox, running_sandbox

ADA = person(id="1", attributes={"email": "ada@example.com"})


@pytest.mark.parametrize(
    "again",
    [
        person(id="1", attributes={"x": 1}),
        person(id="1", attributes={"email": "ADA@example.com", "x": 1}),
        person(id="1", attributes={"email": None, "id": "", "x": 1}),
        person(email="Ada@Example.COM", attributes={"x": 1}),
        person(email="ada@example.com", attributes={"id": "1", "x": 1}),
        person(cio_id="a3000001", attributes={"x": 1}),
    ],
)
def test_every_identifier_finds_the_same_person(sandbox: RunningSandbox, batch: Batch, again: Item) -> None:
    """By id, by e-mail address in any case, by cio_id."""
    batch(ADA)
    batch(again)
    (found,) = sandbox.people()
    assert (found["id"], found["email"].lower(), found["attributes"]) == ("1", "ada@example.com", {"x": 1})
    assert refusals(sandbox) == []


def test_an_id_completes_a_person_known_by_email(sandbox: RunningSandbox, batch: Batch) -> None:
    """An id sent with a known e-mail address is that person's, and the other way round."""
    batch(person(email="a@example.com"), person(id="1", attributes={"email": "A@example.com"}))
    batch(person(id="2"), person(email="b@example.com", attributes={"id": "2"}))
    batch(person(id="3"), person(id="3", attributes={"email": "c@example.com"}))
    assert [(each["id"], each["email"].lower()) for each in sandbox.people()] == [
        ("1", "a@example.com"),
        ("2", "b@example.com"),
        ("3", "c@example.com"),
    ]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (person(id="2", attributes={"email": "ada@example.com"}), "email belongs to another person"),
        (person(email="bob@example.com", attributes={"id": "1"}), "id belongs to another person"),
        (person(email="ada@example.com", attributes={"id": "9"}), "id is set already"),
        (person(id="1", attributes={"email": "new@example.com"}), "email is set already"),
        (person(id="3", attributes={"email": "no address"}), "email address is invalid"),
        (person(email="no address"), "email address is invalid"),
        (person(id="3", attributes={"email": 5}), "email address is invalid"),
        (person(id="3", attributes={"id": "4"}), "identifiers do not match"),
        (person(email="c@example.com", attributes={"email": "d@example.com"}), "identifiers do not match"),
        (person(cio_id="unknown"), "cio_id does not exist"),
        (person(cio_id="a3000001", attributes={"email": "bob@example.com"}), "email belongs to another person"),
    ],
)
def test_a_conflict_is_accepted_and_then_not_done(
    sandbox: RunningSandbox, batch: Batch, app: httpx.Client, item: Item, reason: str
) -> None:
    """The answer is 200, the activities tell the truth, and everybody is as before."""
    batch(ADA, person(email="bob@example.com", attributes={"id": "b"}))
    before = sandbox.people()
    assert batch(item).status_code == 200
    assert sandbox.people() == before
    assert refusals(sandbox) == [("failed_attribute_change", reason)]
    (shown,) = app.get("/v1/activities", params={"type": "failed_attribute_change"}).json()["activities"]
    assert shown["data"]["reason"] == reason


def test_a_cio_id_may_change_identifiers(sandbox: RunningSandbox, batch: Batch) -> None:
    """It is the one identifier that never changes."""
    batch(ADA, person(cio_id="a3000001", attributes={"id": "new", "email": "new@example.com"}), person(id="1"))
    shown = [(each["cio_id"], each["id"], each["email"]) for each in sandbox.people()]
    assert shown == [("a3000001", "new", "new@example.com"), ("a3000002", "1", None)]


def test_update_only_never_creates(sandbox: RunningSandbox, batch: Batch) -> None:
    """For a known person it updates, for an unknown one it is a skipped update; the flag is no attribute."""
    batch(person(id="1", attributes={"x": 1}))
    batch(person(id="1", attributes={"_update": True, "x": 2}), person(id="2", attributes={"_update": "TRUE", "x": 2}))
    batch(person(id="3", attributes={"_update": False}))
    assert [(each["id"], each["attributes"]) for each in sandbox.people()] == [("1", {"x": 2}), ("3", {})]
    assert refusals(sandbox) == [("skipped_update", "person does not exist")]


def test_a_person_holds_300_attributes(sandbox: RunningSandbox, batch: Batch) -> None:
    """One more, over several requests, is a failed change of all that came with it."""
    batch(person(id="1", attributes={f"a{n}": n for n in range(299)}))
    batch(person(id="1", attributes={"a0": "again", "b": 1}), person(id="1", attributes={"a1": "again", "c": 1}))
    attributes = sandbox.people()[0]["attributes"]
    assert (len(attributes), attributes["a0"], attributes["a1"], "c" in attributes) == (300, "again", 1, False)
    assert refusals(sandbox) == [("failed_attribute_change", "person has more than 300 attributes")]


def test_suppressing_deletes_and_blocks_both_identifiers(sandbox: RunningSandbox, batch: Batch) -> None:
    """Whatever names the person later is ignored, until each identifier is freed."""
    batch(ADA, person("suppress", id="1"))
    assert sandbox.people() == []
    blocked = [("id", "1"), ("email", "ada@example.com")]
    assert [(each["kind"], each["value"]) for each in sandbox.suppressed()] == blocked
    again = [ADA, person(email="ADA@example.com"), person(id="9", attributes={"email": "ada@example.com"})]
    answer = batch(*again, person("event", id="1", name="x"), thing(cio_relationships=[{"identifiers": {"id": "1"}}]))
    assert answer.status_code == 200
    assert (sandbox.people(), sandbox.events(), sandbox.relationships()) == ([], [], [])
    changes = ["failed_attribute_change"] * 3
    kinds = [*changes, "failed_event", "relationship_failed_attribute_change"]
    assert refusals(sandbox) == [(kind, "person is suppressed") for kind in kinds]
    batch(person("unsuppress", id="1"), person("unsuppress", email="Ada@example.com"), ADA)
    assert [each["id"] for each in sandbox.people()] == ["1"]


def test_suppressed_people_can_be_refused_in_the_answer_instead() -> None:
    """The documentation allows both readings."""
    with (
        running_sandbox(suppressed="error") as sandbox,
        httpx.Client(base_url=sandbox.url, auth=("sandbox", "sandbox"), trust_env=False) as track,
    ):
        sandbox.suppress(id="1", email="b@example.com")
        items = [
            person(id="1"),
            person(id="2", attributes={"email": "B@example.com"}),
            person("event", id="1", name="x"),
            thing(cio_relationships=[{"identifiers": {"id": "7"}}, {"identifiers": {"id": "1"}}]),
            person(id="3"),
            person("unsuppress", id="1"),
        ]
        answer = track.post("/api/v2/batch", json={"batch": items})
        fields = [(error["batch_index"], error["field"]) for error in answer.json()["errors"]]
        nested = "cio_relationships[1].identifiers.id"
        assert fields == [(0, "identifiers.id"), (1, "identifiers.id"), (2, "identifiers.id"), (3, nested)]
        assert {error["reason"] for error in answer.json()["errors"]} == {"suppressed"}
        assert [each["id"] for each in sandbox.people()] == ["3"]
        assert track.put("/api/v1/customers/b@example.com", json={}).status_code == 400


def test_other_readings_of_the_documentation_can_be_chosen() -> None:
    """Nobody and nothing is created on the side, an id may change an address, an unknown type fails later."""
    chosen = {"create_missing": False, "change_email_by_id": True, "unknown_object_type": "activity", "object_types": 7}
    with (
        running_sandbox(**chosen) as sandbox,
        httpx.Client(base_url=sandbox.url, auth=("sandbox", "sandbox"), trust_env=False) as track,
    ):
        items = [
            ADA,
            person(id="1", attributes={"email": "new@example.com"}, cio_relationships=[to_object("nowhere")]),
            person("event", id="2", name="x"),
            thing("add_relationships", "nowhere", cio_relationships=[{"identifiers": {"id": "1"}}]),
            thing(type_id="9"),
            thing(type_id="7"),
        ]
        assert track.post("/api/v2/batch", json={"batch": items}).status_code == 200
        assert [each["email"] for each in sandbox.people()] == ["new@example.com"]
        assert [(each["object_type_id"], each["object_type"]) for each in sandbox.objects()] == [("7", "Type 7")]
        assert refusals(sandbox) == [
            ("_o:1:failed_attribute_change", "object does not exist"),
            ("failed_event", "person does not exist"),
            ("_o:1:failed_attribute_change", "object does not exist"),
            ("_o:9:failed_attribute_change", "The specified Object Type does not exist."),
        ]


def test_an_event_of_an_impossible_person_is_recorded(sandbox: RunningSandbox, batch: Batch) -> None:
    """A cio_id cannot be made up, and an address must be one."""
    batch(person("event", cio_id="unknown", name="x"), person("event", email="no address", name="x"))
    batch(person("add_device", email="no address", device={"token": "x"}))
    assert refusals(sandbox) == [
        ("failed_event", "person does not exist"),
        ("failed_event", "email address is invalid"),
        ("failed_attribute_change", "email address is invalid"),
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@example.com", True),
        ("first.last+tag@sub.example-shop.com", True),
        ('"john doe"@example.com', True),
        ("a@localhost", False),
        ("a..b@example.com", False),
        ("ä@example.com", False),
        ("a@exämple.com", False),
        ("a@-example.com", False),
        ("a b@example.com", False),
        ("a@example.com\n", False),
        ("x" * 250 + "@example.com", False),
        ("", False),
        (None, False),
    ],
)
def test_email_addresses(value: Any, expected: bool) -> None:
    """ASCII, as in RFC 5322, with a domain that has a dot."""
    assert is_email(value) == expected


_IDS = st.sampled_from(["1", "2", "3"])
_EMAILS = st.sampled_from(["a@x.io", "A@x.io", "b@x.io", "c@x.io", "no address"])
_WHO = st.one_of(
    st.fixed_dictionaries({"id": _IDS}),
    st.fixed_dictionaries({"email": _EMAILS}),
    st.fixed_dictionaries({"cio_id": st.sampled_from(["a3000001", "a3000002", "a3000009"])}),
)
_OBJECTS = st.fixed_dictionaries({"object_type_id": st.just("1"), "object_id": st.sampled_from(["x", "y"])})
_ITEMS = st.one_of(
    st.builds(
        lambda who, attributes: {"type": "person", "action": "identify", "identifiers": who, "attributes": attributes},
        _WHO,
        st.fixed_dictionaries({}, optional={"id": _IDS, "email": _EMAILS, "x": st.none() | st.integers()}),
    ),
    st.builds(
        lambda who, action, held: {
            "type": "person",
            "action": action,
            "identifiers": who,
            "cio_relationships": [{"identifiers": held}],
        },
        _WHO,
        st.sampled_from(["add_relationships", "delete_relationships", "delete", "suppress", "unsuppress"]),
        _OBJECTS,
    ),
    st.builds(lambda one, other: {"type": "person", "action": "merge", "primary": one, "secondary": other}, _WHO, _WHO),
    st.builds(lambda held: {"type": "object", "action": "delete", "identifiers": held}, _OBJECTS),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_ITEMS, max_size=25))
def test_indexes_always_agree(items: list[Item]) -> None:
    """Whatever is sent, each person is found under each of their identifiers, no one else is, and counts are right."""
    workspace = Workspace(SandboxSettings())
    for item in items:
        operations.apply(workspace, item, 100)
    people = list(workspace.people.values())
    assert {each.id: each for each in people if each.id is not None} == workspace.by_id
    assert {each.email.lower(): each for each in people if each.email is not None} == workspace.by_email
    assert {each.cio_id: each for each in people} == workspace.people
    from_objects = [(each, held) for held in workspace.objects.values() for each in held.relationships]
    from_people = [(each, held) for each in people for held in each.relationships or ()]
    assert set(from_objects) == set(from_people)
    assert len(from_objects) == workspace.relationship_count
    assert not any(workspace.is_suppressed("id", each.id) for each in people if each.id is not None)

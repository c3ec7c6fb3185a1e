"""Objects and their relationships, from either end."""

from __future__ import annotations

from typing import Any

from reverse_etl_tests.sandbox.conftest import Batch, person, refusals, thing, to_object
from reverse_etl_tests.servers.sandbox import RunningSandbox

WITH_ADA = {"identifiers": {"id": "1"}, "relationship_attributes": {"role": "admin"}}


def test_an_object_is_created_and_updated(sandbox: RunningSandbox, batch: Batch) -> None:
    """Null and an empty text remove an attribute; ids are unique within their type."""
    batch(thing(attributes={"name": "Acme", "seats": 5, "old": 1}), thing(type_id="2", attributes={"name": "Course"}))
    batch(thing(attributes={"seats": 6, "old": None, "name": "", "new": False}))
    shown = [(each["object_type_id"], each["object_id"], each["attributes"]) for each in sandbox.objects()]
    assert shown == [("1", "acme", {"seats": 6, "new": False}), ("2", "acme", {"name": "Course"})]


def test_a_relationship_is_one_from_either_end(sandbox: RunningSandbox, batch: Batch) -> None:
    """Its attributes are merged, and null or an empty text removes one."""
    batch(person(id="1", attributes={"email": "a@example.com"}, cio_relationships=[to_object(role="x", since=1)]))
    batch(thing("add_relationships", cio_relationships=[WITH_ADA]))
    batch(person("add_relationships", id="1", cio_relationships=[to_object(since=None, until="")]))
    held = {"id": "1", "email": "a@example.com", "cio_id": "a3000001"}
    expected = {"object_type_id": "1", "object_id": "acme", "person": held, "attributes": {"role": "admin"}}
    assert sandbox.relationships() == [expected]
    assert sandbox.counts()["relationships"] == 1


def test_a_relationship_creates_what_it_names(sandbox: RunningSandbox, batch: Batch) -> None:
    """Neither end need exist before."""
    batch(person("add_relationships", id="1", cio_relationships=[to_object("new")]))
    batch(
        thing(cio_relationships=[{"identifiers": {"email": "b@example.com"}}]), thing("identify_anonymous", "anonymous")
    )
    assert [(each["id"], each["email"]) for each in sandbox.people()] == [("1", None), (None, "b@example.com")]
    assert [(each["object_id"], each["people"]) for each in sandbox.objects()] == [
        ("new", 1),
        ("acme", 1),
        ("anonymous", 0),
    ]


def test_relationships_end_from_either_end(sandbox: RunningSandbox, batch: Batch) -> None:
    """Ending what is not there is no fault and creates nothing."""
    batch(person(id="1", cio_relationships=[to_object("a"), to_object("b"), to_object("c")]))
    batch(person("delete_relationships", id="1", cio_relationships=[to_object("a"), to_object("unknown")]))
    nobody = {"identifiers": {"id": "9"}}
    batch(thing("delete_relationships", "b", cio_relationships=[WITH_ADA, nobody]))
    batch(thing("delete_relationships", "unknown", cio_relationships=[WITH_ADA]))
    batch(person("delete_relationships", id="9", cio_relationships=[to_object("c")]))
    assert [each["object_id"] for each in sandbox.relationships()] == ["c"]
    assert (sandbox.counts()["people"], sandbox.counts()["objects"]) == (1, 3)


def test_deleting_an_object_ends_its_relationships(sandbox: RunningSandbox, batch: Batch) -> None:
    """The people stay; deleting nothing is no fault."""
    batch(thing(cio_relationships=[WITH_ADA]))
    assert batch(thing("delete"), thing("delete")).status_code == 200
    counts = sandbox.counts()
    assert (counts["objects"], counts["relationships"], counts["people"]) == (0, 0, 1)


def test_an_object_is_found_by_its_cio_object_id(sandbox: RunningSandbox, batch: Batch) -> None:
    """It references only what exists."""
    batch(thing())
    (held,) = sandbox.objects()
    by_cio_id = {"type": "object", "action": "identify", "identifiers": {"cio_object_id": held["cio_object_id"]}}
    unknown = {**by_cio_id, "identifiers": {"cio_object_id": "unknown"}}
    batch({**by_cio_id, "attributes": {"seats": 1}}, {**unknown, "attributes": {"seats": 2}})
    assert [(each["object_id"], each["attributes"]) for each in sandbox.objects()] == [("acme", {"seats": 1})]
    assert refusals(sandbox) == [("_o::failed_attribute_change", "object does not exist")]


def test_an_object_and_a_relationship_hold_only_so_much(sandbox: RunningSandbox, batch: Batch) -> None:
    """Beyond 300 attributes or 100 kilobytes a change is accepted and not made."""
    many: list[dict[str, Any]] = [{f"{letter}{n}": 1 for n in range(151)} for letter in "ab"]
    batch(*[thing(object_id="many", attributes=part) for part in many])
    batch(*[person(id="1", cio_relationships=[to_object("related", "1", **part)]) for part in many])
    wide = [{f"{letter}{n}": "x" * 1000 for n in range(30)} for letter in "abcd"]
    batch(*[thing(object_id="wide", attributes=part) for part in wide])
    sizes = {each["object_id"]: len(each["attributes"]) for each in sandbox.objects()}
    assert sizes == {"many": 151, "related": 0, "wide": 90}
    assert len(sandbox.relationships()[0]["attributes"]) == 151
    too_much = "has more than 300 attributes or 100 kilobytes"
    assert refusals(sandbox) == [
        ("_o:1:failed_attribute_change", f"object {too_much}"),
        ("_r:1:failed_attribute_change", f"relationship {too_much}"),
        ("_o:1:failed_attribute_change", f"object {too_much}"),
    ]

"""Track v2 as a client meets it: statuses, errors per item, and what arrives."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from reverse_etl_tests.sandbox.conftest import Batch, person, refusals, thing, to_object
from reverse_etl_tests.servers.sandbox import RunningSandbox, running_sandbox

LONG = "é" * 76
ULID = "01HB4HBDKTFWYZCK01DMRSWRFD"


def test_a_batch_of_people_arrives(sandbox: RunningSandbox, batch: Batch) -> None:
    """People are there with their identifiers beside their attributes."""
    answer = batch(person(id="42", attributes={"email": "Ada@Example.com", "plan": "pro", "tags": ["a"], "n": 1.5}))
    expected = {"cio_id": "a3000001", "id": "42", "email": "Ada@Example.com"}
    assert (answer.status_code, answer.content) == (200, b"{}\n")
    assert sandbox.people() == [{**expected, "attributes": {"plan": "pro", "tags": ["a"], "n": 1.5}}]


def test_an_invalid_item_is_named_and_the_others_are_applied(sandbox: RunningSandbox, batch: Batch) -> None:
    """207 lists the position of what was refused, and nothing else is lost."""
    answer = batch(person(id="1"), person(id="2", attributes={"bio": "x" * 1001}), person(id="3"))
    message = "value for attribute 'bio' cannot be longer than 1000 bytes"
    assert answer.status_code == 207
    expected = {"batch_index": 1, "reason": "invalid", "field": "attributes.bio", "message": message}
    assert answer.json() == {"errors": [expected]}
    assert [each["id"] for each in sandbox.people()] == ["1", "3"]


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ("not an object", ""),
        ({"action": "identify", "identifiers": {"id": "1"}}, "type"),
        ({"type": "delivery", "action": "opened"}, "type"),
        ({"type": "person", "action": "identify"}, "identifiers"),
        (person(id="1", email="a@b.c"), "identifiers"),
        ({"type": "person", "action": "identify", "identifiers": {"phone": "+49"}}, "identifiers.phone"),
        (person(id=42), "identifiers.id"),
        (person(id=""), "identifiers.id"),
        (person(id=LONG), "identifiers.id"),
        ({"type": "person", "identifiers": {"id": "1"}}, "action"),
        (person("promote", id="1"), "action"),
        (person(id="1", attributes=[]), "attributes"),
        (person(id="1", attributes=None), "attributes"),
        (person(id="1", attributes={f"a{n}": n for n in range(301)}), "attributes"),
        (person(id="1", attributes={LONG: 1}), "attributes"),
        (person(id="1", attributes={"": 1}), "attributes"),
        (person(id="1", attributes={"a": {"b": "x" * 1000}}), "attributes.a"),
        (person(id="1", attributes={"a": "é" * 501}), "attributes.a"),
        (person(email="a@b.io", attributes={"id": 42}), "attributes.id"),
        (person(id="1", timestamp="now"), "timestamp"),
        (person(id="1", timestamp=-1), "timestamp"),
        (person(id="1", cio_relationships=[]), "cio_relationships"),
        (person(id="1", cio_relationships=["x"]), "cio_relationships[0]"),
        (person("event", id="1"), "name"),
        (person("event", id="1", name=" "), "name"),
        (person("event", id="1", name="x" * 101), "name"),
        (person("event", id="1", name="x", timestamp=True), "timestamp"),
        (person("event", id="1", name="x", attributes=[]), "attributes"),
        ({**person("event", id="1", name="x"), "id": "not a ULID"}, "id"),
        (person("add_relationships", id="1"), "cio_relationships"),
        (person("add_device", id="1"), "device.token"),
        ({"type": "person", "action": "merge", "primary": {"id": "1"}}, "secondary"),
        ({"type": "object", "action": "identify"}, "identifiers"),
        ({"type": "object", "action": "identify", "identifiers": {"object_id": "1"}}, "identifiers"),
        (thing("rename"), "action"),
        (thing(type_id=1), "identifiers.object_type_id"),
        (thing(type_id="0"), "identifiers.object_type_id"),
        (thing(type_id="9"), "identifiers.object_type_id"),
        (thing(object_id=7), "identifiers.object_id"),
        (thing(attributes={"a": "x" * 1001}), "attributes.a"),
        (thing("add_relationships"), "cio_relationships"),
        (thing(cio_relationships=[{"identifiers": {}}]), "cio_relationships[0].identifiers"),
        (
            person(id="1", cio_relationships=[to_object(role="x" * 1001)]),
            "cio_relationships[0].relationship_attributes.role",
        ),
    ],
)
def test_an_item_against_the_rules_is_refused_in_the_answer(
    sandbox: RunningSandbox, batch: Batch, item: Any, field: str
) -> None:
    """Each broken rule names the field at fault, and nothing of the item is applied."""
    answer = batch(item)
    assert answer.status_code == 207
    assert [(error["batch_index"], error["field"]) for error in answer.json()["errors"]] == [(0, field)]
    assert all(error["reason"] and error["message"] for error in answer.json()["errors"])
    assert (sandbox.people(), sandbox.objects(), sandbox.events()) == ([], [], [])


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"{}", b'{"batch":{}}', b'{"batch":[NaN]}'])
def test_a_request_that_is_no_batch_is_refused_whole(track: httpx.Client, body: bytes) -> None:
    """The answer is 400 and names no item."""
    answer = track.post("/api/v2/batch", content=body)
    assert answer.status_code == 400
    assert "batch_index" not in answer.json()["errors"][0]


def test_a_request_over_500_kb_is_refused_whole(sandbox: RunningSandbox, track: httpx.Client) -> None:
    """500,000 bytes are taken, one more is 413, and nothing of it is applied."""
    head, tail = b'{"batch":[{"type":"person","action":"identify","identifiers":{"id":"1"}}', b"]}"
    fits = head + b" " * (500_000 - len(head) - len(tail)) + tail
    assert track.post("/api/v2/batch", content=fits).status_code == 200
    sandbox.reset()
    assert track.post("/api/v2/batch", content=fits + b" ").status_code == 413
    assert sandbox.people() == []


@pytest.mark.parametrize("over", [0, 1], ids=["fits", "one byte over"])
def test_an_item_over_32_kb_is_refused_alone(sandbox: RunningSandbox, track: httpx.Client, over: int) -> None:
    """Items are measured as they were sent."""
    attributes = {f"a{n:02d}": "x" * 900 for n in range(35)}
    item = json.dumps(person(id="1", attributes=attributes), separators=(",", ":"))
    item = item[:-1] + " " * (32_000 - len(item) + over) + "}"
    other = json.dumps(person(id="2"))
    body = f' {{ "a" : 1 , "batch" : [ {other} , {item} ] , "b" : [ {{}} ] }} '
    answer = track.post("/api/v2/batch", content=body)
    assert answer.status_code == (207 if over else 200)
    assert [each["id"] for each in sandbox.people()] == (["2"] if over else ["2", "1"])


def test_escapes_count_towards_an_items_size(track: httpx.Client) -> None:
    """A letter written as six bytes is six bytes."""
    attributes = {f"a{n:02d}": "x" * 300 for n in range(20)}
    item = json.dumps(person(id="1", attributes=attributes)).replace("x", "\\u0078")
    answer = track.post("/api/v2/batch", content=f'{{"batch":[{item}]}}')
    assert answer.json()["errors"][0]["message"] == "item cannot be larger than 32000 bytes"


def test_kilobytes_and_the_oversize_answer_can_be_chosen() -> None:
    """The documentation says neither, so both readings can be tested."""
    with (
        running_sandbox(kilobyte=1024, oversize_status=400) as sandbox,
        httpx.Client(base_url=sandbox.url, auth=("sandbox", "sandbox"), trust_env=False) as track,
    ):
        body = b'{"batch":[' + b" " * (512_000 - 12) + b"]}"
        assert track.post("/api/v2/batch", content=body).status_code == 200
        assert track.post("/api/v2/batch", content=body + b" ").status_code == 400


def test_one_operation_by_entity(sandbox: RunningSandbox, track: httpx.Client) -> None:
    """An entity is one item, and its refusal is the request's."""
    assert track.post("/api/v2/entity", json=person(id="1")).status_code == 200
    refused = track.post("/api/v2/entity", json=person(id=""))
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "identifiers.id")
    assert track.post("/api/v2/entity", content=b"{").status_code == 400
    assert track.post("/api/v2/entity", content=b" " * 32_001).status_code == 413
    assert [each["id"] for each in sandbox.people()] == ["1"]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/v2/batch", {}),
        ("/api/v2/batch", {"authorization": "Basic c2FuZGJveDp3cm9uZw=="}),
        ("/api/v2/batch", {"authorization": "Bearer sandbox"}),
        ("/v1/segments", {}),
        ("/v1/segments", {"authorization": "Bearer wrong"}),
    ],
)
def test_wrong_credentials_are_401(sandbox: RunningSandbox, path: str, headers: dict[str, str]) -> None:
    """Neither API takes the other's credentials, and nothing is applied."""
    content = json.dumps({"batch": [person(id="1")]})
    answer = httpx.post(f"{sandbox.url}{path}", headers=headers, content=content, trust_env=False)
    assert answer.status_code == 401
    assert (sandbox.people(), sandbox.requests()[0]["status"]) == ([], 401)


def test_numbers_keep_their_digits(sandbox: RunningSandbox, track: httpx.Client, app: httpx.Client) -> None:
    """What a float cannot hold is neither rounded here nor when it is read back."""
    digits = (
        '{"balance":12345678901234567890.123456789,"big":123456789012345678901234567890,"price":0.30000000000000004}'
    )
    item = f'{{"type":"person","action":"identify","identifiers":{{"id":"1"}},"attributes":{digits}}}'
    assert track.post("/api/v2/batch", content=f'{{"batch":[{item}]}}').status_code == 200
    expected = {"balance": Decimal("12345678901234567890.123456789"), "big": 123456789012345678901234567890}
    assert sandbox.people()[0]["attributes"] == {**expected, "price": 0.30000000000000004}
    texts = app.get("/v1/customers/1/attributes").json()["customer"]["attributes"]
    assert (texts["balance"], texts["big"]) == ("12345678901234567890.123456789", "123456789012345678901234567890")


def test_empty_values_clear_an_attribute(sandbox: RunningSandbox, batch: Batch) -> None:
    """Null and an empty text both clear; on the first identify there is nothing to clear."""
    batch(person(id="1", attributes={"a": 1, "b": 2, "c": 3, "d": None, "e": ""}))
    batch(person(id="1", attributes={"a": None, "b": "", "c": 0, "f": False}))
    assert sandbox.people()[0]["attributes"] == {"c": 0, "f": False}


def test_an_older_timestamp_does_not_undo_a_newer_change(sandbox: RunningSandbox, batch: Batch) -> None:
    """The timestamp orders updates attribute by attribute; one without counts as made on receipt."""
    batch(person(id="1", timestamp=100, attributes={"a": "at 100", "b": "at 100"}))
    batch(person(id="1", timestamp=200, attributes={"a": "at 200"}))
    batch(person(id="1", timestamp=150, attributes={"a": "at 150", "b": "at 150", "c": "at 150"}))
    assert sandbox.people()[0]["attributes"] == {"a": "at 200", "b": "at 150", "c": "at 150"}
    batch(person(id="1", attributes={"b": "now"}), person(id="1", timestamp=900, attributes={"b": "at 900"}))
    batch(person(id="2", attributes={"a": "now"}), person(id="2", timestamp=900, attributes={"a": "at 900"}))
    assert [each["attributes"].get("b") or each["attributes"]["a"] for each in sandbox.people()] == ["now", "now"]


def test_events_are_kept_once(sandbox: RunningSandbox, batch: Batch) -> None:
    """A ULID seen before is dropped; without one nothing can be."""
    event = person("event", email="a@example.com", name="order_placed", timestamp=1713849600, attributes={"price": 2})
    batch({**event, "id": ULID}, {**event, "id": ULID}, event, event)
    batch(person("screen", email="A@example.com", name="Home"), person("page", email="a@example.com", name="/"))
    events = sandbox.events()
    assert [(each["id"], each["name"], each["type"]) for each in events] == [
        (ULID, "order_placed", "event"),
        (None, "order_placed", "event"),
        (None, "order_placed", "event"),
        (None, "Home", "screen"),
        (None, "/", "page"),
    ]
    assert events[0]["person"] == {"id": None, "email": "a@example.com", "cio_id": "a3000001"}
    assert (events[0]["timestamp"], events[0]["attributes"]) == (1713849600, {"price": 2})
    assert events[3]["timestamp"] > 1713849600


def test_people_can_be_deleted(sandbox: RunningSandbox, batch: Batch) -> None:
    """Deleting takes relationships along and leaves events; deleting an unknown person is no fault."""
    batch(person(id="1", cio_relationships=[to_object()]), person("event", id="1", name="x"))
    assert batch(person("delete", id="1"), person("delete", id="2")).status_code == 200
    assert (sandbox.people(), sandbox.relationships(), len(sandbox.events())) == ([], [], 1)


def test_merging_moves_what_the_primary_lacks(sandbox: RunningSandbox, batch: Batch, track: httpx.Client) -> None:
    """The secondary's relationships, events, memberships and identifiers go over, and it is deleted."""
    batch(person(id="1", attributes={"a": 1}, cio_relationships=[to_object("both")]))
    second = [to_object("both", role="x"), to_object("own", role="admin")]
    batch(person(email="b@example.com", attributes={"a": 2, "b": 2}, cio_relationships=second))
    batch(person("event", email="b@example.com", name="x"))
    segment = sandbox.add_segment("all")
    track.post(f"/api/v1/segments/{segment}/add_customers?id_type=email", json={"ids": ["b@example.com"]})
    batch({"type": "person", "action": "merge", "primary": {"id": "1"}, "secondary": {"email": "b@example.com"}})
    (merged,) = sandbox.people()
    assert (merged["id"], merged["email"], merged["attributes"]) == ("1", "b@example.com", {"a": 1, "b": 2})
    assert [(each["object_id"], each["attributes"]) for each in sandbox.relationships()] == [
        ("both", {}),
        ("own", {"role": "admin"}),
    ]
    assert sandbox.events()[0]["person"]["id"] == "1"
    assert sandbox.segments()[0]["people"] == [{"cio_id": "a3000001", "id": "1", "email": "b@example.com"}]


def test_a_merge_that_cannot_be_is_recorded(sandbox: RunningSandbox, batch: Batch) -> None:
    """Both people must exist, and be two."""
    batch(person(id="1"))
    for primary, secondary in (("2", "1"), ("1", "2"), ("1", "1")):
        batch({"type": "person", "action": "merge", "primary": {"id": primary}, "secondary": {"id": secondary}})
    reasons = ["primary does not exist", "secondary does not exist", "primary and secondary are one person"]
    assert refusals(sandbox) == [("failed_profile_merge", reason) for reason in reasons]


def test_devices_come_and_go(sandbox: RunningSandbox, batch: Batch, app: httpx.Client) -> None:
    """A person's devices are kept by token."""
    for token in ("one", "two"):
        batch(person("add_device", id="1", device={"token": token, "platform": "ios"}))
    batch(
        person("delete_device", id="1", device={"token": "one"}), person("delete_device", id="2", device={"token": "x"})
    )
    devices = app.get("/v1/customers/1/attributes").json()["customer"]["devices"]
    assert devices == [{"token": "two", "platform": "ios"}]

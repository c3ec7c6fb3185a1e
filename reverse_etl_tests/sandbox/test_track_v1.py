"""Track v1: people by address, manual segments, the region."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from reverse_etl_tests.sandbox.conftest import Batch, person, to_object
from reverse_etl_tests.servers.sandbox import RunningSandbox, running_sandbox


@pytest.mark.thorough
@pytest.mark.parametrize(("region", "host"), [("us", "track.customer.io"), ("eu", "track-eu.customer.io")])
def test_the_region_is_the_one_chosen(region: str, host: str) -> None:
    """As the real service answers it; the environment's id is another one when the contents are."""
    with running_sandbox(region=region) as sandbox:

        def asked() -> dict[str, Any]:
            url = f"{sandbox.url}/api/v1/accounts/region"
            return dict(httpx.get(url, auth=("sandbox", "sandbox"), trust_env=False).json())

        first, second = asked(), asked()
        sandbox.reset()
        emptied = asked()
        sandbox.restart()
        ids = [each.pop("environment_id") for each in (first, second, emptied, asked())]
    assert first == {"url": f"https://{host}", "region": region}
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_people_by_address(sandbox: RunningSandbox, track: httpx.Client) -> None:
    """An address is an id, an e-mail address, or a cio_id with its prefix."""
    assert track.put("/api/v1/customers/42", json={"a": 1}).status_code == 200
    assert track.put("/api/v1/customers/a%40example.com", json={"a": 2}).status_code == 200
    assert track.put("/api/v1/customers/cio_a3000001", json={"id": "43", "_update": True}).status_code == 200
    assert track.put("/api/v1/customers/44", json={"_update": True}).status_code == 200
    assert track.put("/api/v1/customers/43", json={"a": 0, "_timestamp": 5}).status_code == 200
    shown = [(each["id"], each["email"], each["attributes"]) for each in sandbox.people()]
    assert shown == [("43", None, {"a": 1}), (None, "a@example.com", {"a": 2})]
    assert track.delete("/api/v1/customers/43").status_code == 200
    assert sandbox.counts()["people"] == 1


def test_relationships_with_an_identify(sandbox: RunningSandbox, track: httpx.Client) -> None:
    """Added and removed as the body says."""
    for object_id, action in (("a", "add_relationships"), ("b", "add_relationships"), ("a", "delete_relationships")):
        relationships = {"action": action, "relationships": [to_object(object_id)]}
        assert track.put("/api/v1/customers/1", json={"cio_relationships": relationships}).status_code == 200
    assert [each["object_id"] for each in sandbox.relationships()] == ["b"]
    assert track.put("/api/v1/customers/1", json={"cio_relationships": []}).status_code == 400


def test_events_by_address(sandbox: RunningSandbox, track: httpx.Client) -> None:
    """An event's attributes are its data; what is wrong with one is in the words of v1."""
    body = {"name": "bought", "data": {"sku": 1}, "timestamp": 1700000000, "id": "01HB4HBDKTFWYZCK01DMRSWRFD"}
    assert track.post("/api/v1/customers/42/events", json=body).status_code == 200
    assert track.post("/api/v1/customers/42/events", json={"name": "/home", "type": "page"}).status_code == 200
    shown = [(each["name"], each["type"], each["attributes"]) for each in sandbox.events()]
    assert shown == [("bought", "event", {"sku": 1}), ("/home", "page", {})]
    for wrong, message in (
        ({"name": ""}, "event name must not be blank"),
        ({"name": "x" * 101}, "event name cannot be longer than 100 bytes"),
        ({"name": "x", "data": 5}, "event data must be a hash"),
    ):
        answer = track.post("/api/v1/customers/42/events", json=wrong)
        assert (answer.status_code, answer.json()) == (400, {"meta": {"error": message}})
    assert track.post("/api/v1/customers/42/events", content=b" " * 100_001).status_code == 413


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "body must be JSON"),
        (b"[]", "body must be an object"),
        (b'{"bio":"' + b"x" * 1001 + b'"}', "value for attribute 'bio' cannot be longer than 1000 bytes"),
    ],
)
def test_an_invalid_identify_is_refused(
    sandbox: RunningSandbox, track: httpx.Client, body: bytes, message: str
) -> None:
    """Nothing of it is applied."""
    answer = track.put("/api/v1/customers/1", content=body)
    assert (answer.status_code, answer.json()) == (400, {"meta": {"error": message}})
    assert sandbox.people() == []


def test_suppressing_and_merging(sandbox: RunningSandbox, track: httpx.Client, batch: Batch) -> None:
    """The same operations as in v2, by their own paths."""
    batch(*[person(id=str(n)) for n in range(4)])
    track.post("/api/v1/customers/0/suppress")
    track.post("/api/v1/customers/1/suppress")
    track.post("/api/v1/customers/1/unsuppress")
    track.post("/api/v1/merge_customers", json={"primary": {"id": "2"}, "secondary": {"id": "3"}})
    assert track.post("/api/v1/merge_customers", json={"primary": {"id": "2"}}).status_code == 400
    assert track.post("/api/v1/merge_customers", content=b"{").status_code == 400
    assert [each["id"] for each in sandbox.people()] == ["2"]
    assert [each["value"] for each in sandbox.suppressed()] == ["0"]


def test_people_join_and_leave_a_manual_segment(sandbox: RunningSandbox, track: httpx.Client, batch: Batch) -> None:
    """By any identifier; unknown people are ignored, no one is in it twice, and deleting a person takes them out."""
    batch(*[person(id=str(n), attributes={"email": f"{n}@example.com"}) for n in range(4)])
    path = f"/api/v1/segments/{sandbox.add_segment('all')}"
    track.post(f"{path}/add_customers", json={"ids": ["0", "0", "unknown"]})
    track.post(f"{path}/add_customers?id_type=email", json={"ids": ["1@EXAMPLE.com", "2@example.com"]})
    track.post(f"{path}/add_customers?id_type=cio_id", json={"ids": ["a3000004"]})
    track.post(f"{path}/remove_customers", json={"ids": ["1", "unknown"]})
    batch(person("delete", id="2"))
    (segment,) = sandbox.segments()
    assert (segment["name"], [each["id"] for each in segment["people"]]) == ("all", ["0", "3"])
    assert sandbox.requests()[1]["items"] == 3


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("1/add_customers", {"ids": []}, 400),
        ("1/add_customers", {"ids": [str(n) for n in range(1001)]}, 400),
        ("1/add_customers", {"ids": [1]}, 400),
        ("1/add_customers", {"ids": "1"}, 400),
        ("1/add_customers", [], 400),
        ("1/add_customers?id_type=phone", {"ids": ["1"]}, 400),
        ("1/add_customers", {"ids": [str(n) for n in range(1000)]}, 200),
        ("2/add_customers", {"ids": ["1"]}, 400),
        ("2/remove_customers", {"ids": ["1"]}, 400),
        ("3/add_customers", {"ids": ["1"]}, 404),
        ("x/add_customers", {"ids": ["1"]}, 404),
    ],
)
def test_what_a_segment_call_may_hold(
    sandbox: RunningSandbox, track: httpx.Client, path: str, content: Any, status: int
) -> None:
    """1 to 1000 strings, into a segment that exists and is manual."""
    assert (sandbox.add_segment("manual"), sandbox.add_segment("dynamic", kind="dynamic")) == (1, 2)
    assert track.post(f"/api/v1/segments/{path}", json=content).status_code == status

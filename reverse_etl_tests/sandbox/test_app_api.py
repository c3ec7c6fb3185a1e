"""The App API: segments, lookups, objects, activities, paging and the rate limit."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from reverse_etl.sandbox.customerio.app_api import RateLimit
from reverse_etl_tests.sandbox.conftest import APP, Batch, person, thing, to_object
from reverse_etl_tests.servers.sandbox import RunningSandbox, running_sandbox


def test_a_segment_from_creation_to_deletion(app: httpx.Client, track: httpx.Client, batch: Batch) -> None:
    """Created, listed, filled, counted, paged through, deleted."""
    created = app.post("/v1/segments", json={"segment": {"name": "Shop", "description": "all"}}).json()["segment"]
    expected = {"id": 1, "name": "Shop", "description": "all", "type": "manual", "state": "finished"}
    assert {name: created[name] for name in expected} == expected
    assert app.get("/v1/segments").json() == {"segments": [created]}
    assert app.get("/v1/segments/1").json() == {"segment": created}
    batch(*[person(id=str(n)) for n in range(5)])
    track.post("/api/v1/segments/1/add_customers", json={"ids": ["0", "1", "2", "3", "4"]})
    assert app.get("/v1/segments/1/customer_count").json() == {"segment_id": 1, "count": 5}
    found, start = [], ""
    while True:
        page = app.get("/v1/segments/1/membership", params={"limit": 2, "start": start}).json()
        assert [each["id"] for each in page["identifiers"]] == page["ids"]
        found.append(page["ids"])
        start = page["next"]
        if not start:
            break
    assert found == [["0", "1"], ["2", "3"], ["4"]]
    assert app.get("/v1/segments/1/used_by").json()["used_by"]["campaigns"] == []
    assert app.get("/v1/customers/3/segments").json() == {"segments": [{"id": 1, "name": "Shop"}]}
    assert app.delete("/v1/segments/1").status_code == 204
    assert app.get("/v1/segments/1").status_code == 404


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"segment":5}', b'{"segment":{"name":" "}}'])
def test_a_segment_needs_a_name(app: httpx.Client, body: bytes) -> None:
    """Whatever else is sent is a 400 in the shape of this API."""
    answer = app.post("/v1/segments", content=body)
    assert (answer.status_code, answer.json()["errors"][0]["status"]) == (400, "400")


def test_object_types(app: httpx.Client) -> None:
    """Three exist by default, numbered from 1, with singular names."""
    types = app.get("/v1/object_types").json()["types"]
    assert [(each["id"], each["name"], each["singular_name"]) for each in types] == [
        ("1", "Companies", "Company"),
        ("2", "Courses", "Course"),
        ("3", "Accounts", "Account"),
    ]


def test_people_by_email(app: httpx.Client, batch: Batch) -> None:
    """Without regard to case; an unknown address is an empty list, a plus that is not escaped a space."""
    batch(person(id="1", attributes={"email": "a+b@example.com"}))
    known = {"cio_id": "a3000001", "id": "1", "email": "a+b@example.com"}
    assert app.get("/v1/customers", params={"email": "A+B@example.com"}).json() == {"results": [known]}
    assert app.get("/v1/customers?email=a+b@example.com").json() == {"results": []}
    assert app.get("/v1/customers").status_code == 400


def test_attributes_are_text(app: httpx.Client, batch: Batch) -> None:
    """Whatever their type was; people who do not exist are 404 alone and left out in bulk."""
    attributes = {"email": "a@example.com", "n": 1.5, "yes": True, "list": [1, "a"], "unsubscribed": "True"}
    batch(person(id="1", attributes=attributes), person(id="2"))
    expected = {"n": "1.5", "yes": "true", "list": '[1,"a"]', "unsubscribed": "True"}
    identifiers = {"cio_id": "a3000001", "id": "1", "email": "a@example.com"}
    by_email = app.get("/v1/customers/a@example.com/attributes", params={"id_type": "email"}).json()["customer"]
    assert by_email["attributes"] == {**expected, **identifiers}
    assert (by_email["id"], by_email["unsubscribed"]) == ("1", True)
    bulk = app.post("/v1/customers/attributes", json={"ids": ["2", "9", "1"]}).json()["customers"]
    assert [each["id"] for each in bulk] == ["2", "1"]
    assert app.get("/v1/customers/9/attributes").status_code == 404
    assert app.get("/v1/customers/1/attributes?id_type=phone").status_code == 400
    assert app.post("/v1/customers/attributes", json={"ids": []}).status_code == 400
    assert app.post("/v1/customers/attributes", json={"ids": ["1"] * 101}).status_code == 400


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, ["1", "2", "3"]),
        ({"attribute": {"field": "plan", "operator": "eq", "value": "pro"}}, ["1"]),
        ({"attribute": {"field": "n", "operator": "eq", "value": "2"}}, ["2"]),
        ({"attribute": {"field": "plan", "operator": "exists"}}, ["1", "2"]),
        ({"attribute": {"field": "email", "operator": "exists"}}, ["3"]),
        ({"segment": {"id": 1}}, ["2", "3"]),
        ({"not": {"segment": {"id": 1}}}, ["1"]),
        ({"and": [{"segment": {"id": 1}}, {"attribute": {"field": "plan", "operator": "exists"}}]}, ["2"]),
        ({"or": [{"segment": {"id": 1}}, {"attribute": {"field": "plan", "operator": "exists"}}]}, ["1", "2", "3"]),
    ],
)
def test_people_by_filter(
    sandbox: RunningSandbox, app: httpx.Client, track: httpx.Client, batch: Batch, wanted: Any, ids: list[str]
) -> None:
    """By segment, by attribute, and combined."""
    batch(person(id="1", attributes={"plan": "pro"}), person(id="2", attributes={"plan": "free", "n": 2}))
    batch(person(id="3", attributes={"email": "c@example.com"}))
    track.post(f"/api/v1/segments/{sandbox.add_segment('x')}/add_customers", json={"ids": ["2", "3"]})
    found = app.post("/v1/customers", json={"filter": wanted}).json()
    assert (found["ids"], [each["id"] for each in found["identifiers"]], found["next"]) == (ids, ids, "")


@pytest.mark.parametrize(
    "wanted",
    [
        5,
        {"and": [], "or": []},
        {"and": 5},
        {"and": [{"nothing": 1}]},
        {"not": {"nothing": 1}},
        {"segment": {"id": 9}},
        {"segment": 9},
        {"attribute": {"field": 5, "operator": "exists"}},
        {"attribute": {"field": "a", "operator": "matches"}},
        {"object_attribute": {"field": "a", "operator": "exists"}},
    ],
)
def test_a_filter_that_is_none_is_refused(app: httpx.Client, wanted: Any) -> None:
    """Rather than answered with everybody."""
    assert app.post("/v1/customers", json={"filter": wanted}).status_code == 400


def test_objects_and_relationships(app: httpx.Client, batch: Batch) -> None:
    """By filter, by id, and from either end of a relationship."""
    batch(thing(attributes={"plan": "pro", "seats": 5}), thing(object_id="b/c"), thing(object_id="d", type_id="2"))
    batch(person(id="1", cio_relationships=[to_object("b/c", role="admin", n=1)]))
    wanted = {"object_attribute": {"field": "plan", "operator": "eq", "value": "pro", "type_id": "1"}}
    found = app.post("/v1/objects", json={"object_type_id": "1", "filter": wanted}).json()
    assert (found["ids"], found["next"]) == (["acme"], "")
    cio_id = found["identifiers"][0]["cio_object_id"]
    held = app.get(f"/v1/objects/1/{cio_id}/attributes?id_type=cio_object_id").json()["object"]
    assert (held["identifiers"]["object_id"], held["attributes"]) == ("acme", {"plan": "pro", "seats": "5"})
    assert app.post("/v1/objects", json={"object_type_id": "1"}).json()["ids"] == ["acme", "b/c"]
    assert app.post("/v1/objects", json={"object_type_id": "9"}).status_code == 400
    assert app.post("/v1/objects", json={"object_type_id": "1", "filter": {"segment": 1}}).status_code == 400
    assert app.get("/v1/objects/1/unknown/attributes").status_code == 404
    (of_object,) = app.get("/v1/objects/1/b%2Fc/relationships").json()["cio_relationships"]
    assert (of_object["identifiers"]["id"], of_object["attributes"]) == ("1", {"role": "admin", "n": "1"})
    (of_person,) = app.get("/v1/customers/1/relationships").json()["cio_relationships"]
    assert (of_person["identifiers"]["object_id"], of_person["attributes"]) == ("b/c", {"role": "admin", "n": "1"})


def test_activities_come_latest_first(app: httpx.Client, batch: Batch) -> None:
    """Of a type, of a name, of a person, and page by page."""
    batch(person(id="1"), person(id="2"), person("event", id="1", name="bought"), person("event", id="2", name="left"))
    batch(person(id="3", attributes={"email": "no address"}))
    found, start = [], "0"
    while start:
        page = app.get("/v1/activities", params={"limit": 2, "start": start}).json()
        found += [(each["type"], each["name"], each["customer_id"]) for each in page["activities"]]
        start = page["next"]
    assert found == [
        ("failed_attribute_change", "", "3"),
        ("event", "left", "2"),
        ("event", "bought", "1"),
        ("profile_create", "", "2"),
        ("profile_create", "", "1"),
    ]
    for asked, count in (({"type": "event"}, 2), ({"name": "left"}, 1), ({"customer_id": "1"}, 2)):
        assert len(app.get("/v1/activities", params=asked).json()["activities"]) == count
    assert app.get("/v1/activities?customer_id=9").status_code == 404
    assert app.get("/v1/activities?limit=101").status_code == 400
    assert app.get("/v1/activities?start=x").status_code == 400


def test_the_workspace_counts_its_contents(app: httpx.Client, batch: Batch) -> None:
    """One workspace with its name."""
    batch(person(id="1"), thing())
    (workspace,) = app.get("/v1/workspaces").json()["workspaces"]
    assert (workspace["name"], workspace["people"], workspace["objects"]) == ("Sandbox", 1, 1)


def test_what_is_not_there_is_404(app: httpx.Client) -> None:
    """Paths that this workspace does not serve."""
    assert app.get("/v1/broadcasts").status_code == 404
    assert app.get("/v1/segments/x").status_code == 404


def test_more_than_ten_requests_a_second_are_429() -> None:
    """The eleventh says how long to wait; Track has no such limit."""
    with running_sandbox() as sandbox, httpx.Client(base_url=sandbox.url, headers=APP, trust_env=False) as app:
        answers = [app.get("/v1/segments") for _ in range(11)]
    assert [each.status_code for each in answers] == [200] * 10 + [429]
    assert answers[-1].headers["retry-after"] == "1"
    assert "rate limited to 10 requests per 1s" in answers[-1].json()["errors"][0]["detail"]


def test_the_rate_limit_forgets_after_a_second() -> None:
    """It counts the requests of the last second, and none when switched off."""
    limit = RateLimit(2)
    waits = [limit.wait_s(at) for at in (0.0, 0.5, 0.75, 1.0, 1.25, 1.5)]
    assert waits == [0, 0, 1, 0, 1, 0]
    assert [RateLimit(0).wait_s(0.0) for _ in range(3)] == [0, 0, 0]

"""Looking into the workspace, and who may."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from reverse_etl.sandbox.customerio.activity_log import ActivityLog
from reverse_etl_tests.sandbox.conftest import Batch, person, to_object
from reverse_etl_tests.servers.sandbox import RunningSandbox


def fill(sandbox: RunningSandbox, batch: Batch, track: httpx.Client) -> None:
    """Three people, two objects, three relationships, two events, one segment of two, one refusal."""
    both = [to_object("acme", role="admin"), to_object("zeta")]
    batch(person(id="1", attributes={"email": "ada@example.com", "plan": "Team"}, cio_relationships=both))
    batch(person(id="2", cio_relationships=both[:1]), person(id="3"), person(id="x", attributes={"email": "broken"}))
    batch(person("event", id="1", name="bought", attributes={"sku": "A-1"}), person("event", id="2", name="left"))
    track.post(f"/api/v1/segments/{sandbox.add_segment('Shop')}/add_customers", json={"ids": ["3", "1"]})
    sandbox.suppress(email="gone@example.com")


@pytest.mark.parametrize(
    ("name", "count", "search", "found"),
    [
        ("people", 3, "TEAM", 1),
        ("objects", 2, "zet", 1),
        ("relationships", 3, "admin", 2),
        ("events", 2, "a-1", 1),
        ("segments", 1, "shop", 1),
        ("requests", 4, "segments", 1),
        ("activities", 13, "invalid", 1),
        ("suppressed", 1, "GONE", 1),
    ],
)
def test_every_list_is_searched_and_paged(
    sandbox: RunningSandbox, batch: Batch, track: httpx.Client, name: str, count: int, search: str, found: int
) -> None:
    """Whole by default, in order, with the number of all rows; the latest first when asked."""
    fill(sandbox, batch, track)

    def read(**asked: Any) -> tuple[list[Any], int]:
        answer = httpx.get(f"{sandbox.url}/_sandbox/{name}", params=asked, trust_env=False)
        return answer.json(), int(answer.headers["x-total-count"])

    rows, total = read()
    assert (len(rows), total) == (count, count)
    assert read(limit=1, offset=1) == (rows[1:2], total)
    assert read(newest=1, limit=2) == (rows[::-1][:2], total)
    assert read(search=search)[1] == found
    assert read(search="not in there") == ([], 0)


def test_a_list_takes_only_numbers(sandbox: RunningSandbox) -> None:
    """As limit and as offset."""
    for asked in ("limit=x", "offset=-1"):
        assert httpx.get(f"{sandbox.url}/_sandbox/people?{asked}", trust_env=False).status_code == 400


def test_one_person_and_one_object_whole(sandbox: RunningSandbox, batch: Batch, track: httpx.Client) -> None:
    """With everything around them; who is not there is 404."""
    fill(sandbox, batch, track)
    (ada,) = sandbox.people(search="ada@")
    seen = httpx.get(f"{sandbox.url}/_sandbox/people/{ada['cio_id']}", trust_env=False).json()
    assert [(each["object_type"], each["object_id"]) for each in seen["relationships"]] == [
        ("Companies", "acme"),
        ("Companies", "zeta"),
    ]
    assert ([each["name"] for each in seen["segments"]], [each["name"] for each in seen["events"]]) == (
        ["Shop"],
        ["bought"],
    )
    (acme,) = sandbox.objects(search="acme")
    held = httpx.get(f"{sandbox.url}/_sandbox/objects/{acme['cio_object_id']}", trust_env=False).json()
    assert [(each["person"]["id"], each["attributes"]) for each in held["relationships"]] == [
        ("1", {"role": "admin"}),
        ("2", {"role": "admin"}),
    ]
    for path in ("people/unknown", "objects/unknown"):
        assert httpx.get(f"{sandbox.url}/_sandbox/{path}", trust_env=False).status_code == 404


def test_people_of_a_segment(sandbox: RunningSandbox, batch: Batch, track: httpx.Client) -> None:
    """In the order in which they joined; no one where there is no such segment."""
    fill(sandbox, batch, track)
    assert [each["id"] for each in sandbox.people(segment=1)] == ["3", "1"]
    assert sandbox.people(segment=9) == []
    assert "people" not in sandbox.segments(members=0)[0]


def test_requests_show_what_was_sent(sandbox: RunningSandbox, track: httpx.Client) -> None:
    """Bodies as JSON, else as text, and not when left out."""
    track.post("/api/v2/batch", json={"batch": [person(id="1"), person(id="2")]})
    track.post("/api/v2/batch?x=1", content=b"\xff{")
    first, second = sandbox.requests()
    facts = (first["method"], first["path"], first["status"], first["items"])
    assert facts == ("POST", "/api/v2/batch", 200, 2)
    assert (first["bytes"], first["body"]["batch"][1]["identifiers"]) == (137, {"id": "2"})
    assert (second["status"], second["body"], second["query"], second["number"]) == (400, "\ufffd{", "x=1", 2)
    assert {each["body"] for each in sandbox.requests(bodies=0)} == {None}


def test_setting_up_takes_only_what_it_knows(sandbox: RunningSandbox) -> None:
    """Anything else is a 400."""
    for path, body in (("segments", b"{}"), ("segments", b"["), ("suppress", b"[]"), ("suppress", b'{"id":5}')):
        assert httpx.post(f"{sandbox.url}/_sandbox/{path}", content=body, trust_env=False).status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://localhost:3000"}, 200),
        ({"origin": "https://example.com"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "example.com"}, 403),
        ({"host": "app.localhost:99"}, 200),
    ],
)
def test_other_sites_may_not_look(sandbox: RunningSandbox, headers: dict[str, str], status: int) -> None:
    """A page of another site can neither read nor empty the workspace through the browser."""
    for path in ("/_sandbox/people", "/", "/page.js"):
        assert httpx.get(f"{sandbox.url}{path}", headers=headers, trust_env=False).status_code == status
    assert httpx.post(f"{sandbox.url}/_sandbox/reset", headers=headers, trust_env=False).status_code == status


def test_refusals_are_remembered_longer_than_the_rest() -> None:
    """Ordinary activities are forgotten beyond a number, refusals never, and the order stays."""
    log = ActivityLog(kept=2)
    for number in range(4):
        log.add("attribute_change", None, number, {})
        log.refuse("failed_event", {"id": str(number)}, number, "because")
    expected = [2, 4, 5, 6, 7, 8]
    assert [each.number for each in log] == expected
    assert [each.number for each in log.newest_first()] == expected[::-1]

"""The stand-in Amplitude project, and the official client as a witness of its answers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from amplitude import Amplitude, BaseEvent, EventOptions, Identify

from reverse_etl_tests.servers.saas import RunningStandin, Saas

NOW_MS = 1_793_817_970_000
WEEK_S = 7 * 86_400


@pytest.fixture
def project(saas: Saas) -> RunningStandin:
    """An empty project."""
    return saas("amplitude")


def event(user_id: Any = "user-1", event_type: Any = "order", **more: Any) -> dict[str, Any]:
    """An event."""
    return {"user_id": user_id, "event_type": event_type, "time": NOW_MS, **more}


def identify(operation: str, properties: dict[str, Any], user_id: str = "user-1") -> dict[str, Any]:
    """An operation on a user's properties."""
    return event(user_id, "$identify", user_properties={operation: properties})


def send(project: RunningStandin, *events: Any, path: str = "/batch", **more: Any) -> httpx.Response:
    """Sends events."""
    content = {"api_key": "sandbox", "events": list(events), **more}
    return project.http.post(path, json=content)


def test_events_are_taken(project: RunningStandin) -> None:
    """With their number, and what the user is known by."""
    answer = send(project, event(user_properties={"plan": "pro"}, groups={"company": "Acme"}), event("user-2"))
    assert 200 == answer.status_code
    assert {"code": 200, "events_ingested": 2} == {name: answer.json()[name] for name in ("code", "events_ingested")}
    users = project.records("users")
    assert [("user-1", {"plan": "pro"}, {"company": "Acme"}), ("user-2", {}, {})] == [
        (user["user_id"], user["properties"], user["groups"]) for user in users
    ]
    assert ["order", "order"] == [taken["event_type"] for taken in project.records("events")]


@pytest.mark.parametrize(
    ("operation", "value", "expected"),
    [
        ("$set", {"a": 2, "b": None}, {"a": 2, "l": ["x"]}),
        ("$setOnce", {"a": 2, "c": 3}, {"a": 1, "l": ["x"], "c": 3}),
        ("$add", {"a": 2}, {"a": 3, "l": ["x"]}),
        ("$append", {"l": "y"}, {"a": 1, "l": ["x", "y"]}),
        ("$prepend", {"l": ["y"]}, {"a": 1, "l": ["y", "x"]}),
        ("$preInsert", {"l": ["x", "y"]}, {"a": 1, "l": ["y", "x"]}),
        ("$postInsert", {"l": ["x", "y"]}, {"a": 1, "l": ["x", "y"]}),
        ("$remove", {"l": "x"}, {"a": 1, "l": []}),
        ("$unset", {"a": "-"}, {"l": ["x"]}),
    ],
)
def test_operations_on_a_users_properties(
    project: RunningStandin, operation: str, value: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Each does what it is for, and is no event."""
    send(project, identify("$set", {"a": 1, "l": ["x"]}), identify(operation, value))
    assert expected == project.records("users")[0]["properties"]
    assert (0, 2) == (project.counts()["events"], project.counts()["identifies"])


def test_groups_have_properties(project: RunningStandin) -> None:
    """Without any user."""
    about = {"event_type": "$groupidentify", "groups": {"company": "Acme"}, "group_properties": {"$set": {"seats": 5}}}
    assert 200 == send(project, about).status_code
    assert [{"type": "company", "name": "Acme", "properties": {"seats": 5}}] == project.records("groups")


def test_an_insert_id_counts_once_in_a_week_and_device(project: RunningStandin) -> None:
    """The device is made from the user where none is named; answered as taken all the same."""
    project.stop_clock()
    for _ in range(2):
        assert 1 == send(project, event(insert_id="1")).json()["events_ingested"]
    send(project, event("user-2", insert_id="1"), event(device_id="device-1", insert_id="1"))
    assert (3, 1) == (project.counts()["events"], project.counts()["duplicates"])
    project.advance(WEEK_S - 1)
    send(project, event(insert_id="1"))
    assert 3 == project.counts()["events"]
    project.advance(1)
    send(project, event(insert_id="1"))
    assert 4 == project.counts()["events"]


@pytest.mark.parametrize(
    ("wrong", "problems", "field"),
    [
        (event(event_type=None), "events_with_missing_fields", "event_type"),
        (event(None), "events_with_missing_fields", "user_id"),
        (event("abcd"), "events_with_invalid_id_lengths", "user_id"),
        (event(12345), "events_with_invalid_fields", "user_id"),
        (event(device_id="abc"), "events_with_invalid_id_lengths", "device_id"),
        (event(event_type="[Amplitude] Revenue"), "events_with_invalid_fields", "event_type"),
        (event(time="2026-11-28T00:00:00Z"), "events_with_invalid_fields", "time"),
        (event(time=1.5), "events_with_invalid_fields", "time"),
        (event(insert_id=7), "events_with_invalid_fields", "insert_id"),
        (event(event_properties=[1]), "events_with_invalid_fields", "event_properties"),
        (event(event_properties={"note": "x" * 1025}), "events_with_invalid_fields", "event_properties"),
        (
            event(event_properties=json.loads('{"a":' * 41 + "1" + "}" * 41)),
            "events_with_invalid_fields",
            "event_properties",
        ),
        (event(user_properties={"$set": {"a": 1}, "b": 2}), "events_with_invalid_fields", "user_properties"),
        (event(revenue="9.99"), "events_with_invalid_fields", "revenue"),
        ("text", "events_with_invalid_fields", "event"),
    ],
)
def test_one_wrong_event_and_nothing_is_taken(project: RunningStandin, wrong: Any, problems: str, field: str) -> None:
    """The answer says which events, under the field that is wrong."""
    answer = send(project, event(), wrong, event("user-3"), wrong)
    assert 400 == answer.status_code
    assert {field: [1, 3]} == answer.json()[problems]
    assert 0 == project.counts()["users"]


def test_the_http_api_names_the_first_event_of_each_field_alone(project: RunningStandin) -> None:
    """Others come to light once it is gone."""
    wrong = [event(time="x"), event("abc"), event(time="x"), event("abd")]
    answer = send(project, *wrong, path="/2/httpapi").json()
    assert {"time": [0]} == answer["events_with_invalid_fields"]
    assert {"user_id": [1]} == answer["events_with_invalid_id_lengths"]


def test_shorter_ids_can_be_asked_for(project: RunningStandin) -> None:
    """By the request's options."""
    assert 200 == send(project, event("ab"), options={"min_id_length": 2}).status_code


def test_reserved_ids_vanish_or_are_refused(project: RunningStandin) -> None:
    """Which, no source says: the first hides more, and is what it does unless told otherwise."""
    assert 1 == send(project, event("Unknown")).json()["events_ingested"]
    assert (0, 1) == (project.counts()["events"], project.counts()["dropped"])
    project.set(reserved_ids="refuse")
    assert {"user_id": [0]} == send(project, event("unknown")).json()["events_with_invalid_fields"]


@pytest.mark.parametrize(
    ("content", "error", "missing"),
    [
        ({"api_key": "other", "events": [event()]}, "Invalid API key: other", None),
        ({"events": [event()]}, "Request missing required field", "api_key"),
        ({"api_key": "sandbox", "events": []}, "Request missing required field", "events"),
    ],
)
def test_requests_that_are_none(
    project: RunningStandin, content: dict[str, Any], error: str, missing: str | None
) -> None:
    """Wrong key, no key, no events."""
    answer = project.http.post("/batch", json=content)
    assert (400, error, missing) == (answer.status_code, answer.json()["error"], answer.json()["missing_field"])


def test_too_many_events_or_bytes(project: RunningStandin) -> None:
    """413; the limit in bytes of `/2/httpapi` is the smaller one."""
    many = [event(f"user-{n}") for n in range(2001)]
    assert 413 == send(project, *many).status_code
    large = [event(f"user-{n}", note="x" * 1000) for n in range(1000)]
    assert 413 == send(project, *large, path="/2/httpapi").status_code
    assert 200 == send(project, *large).status_code


def test_a_user_has_so_many_events_a_second(project: RunningStandin) -> None:
    """429 with those beyond; nothing is taken, and the next second has room again."""
    project.stop_clock()
    answer = send(project, *[event() for _ in range(32)], event("user-2"), path="/2/httpapi")
    assert 429 == answer.status_code
    told = answer.json()
    assert (30, {"user-1": 32}, [30, 31]) == (told["eps_threshold"], told["throttled_users"], told["throttled_events"])
    assert 0 == project.counts()["events"]
    assert 200 == send(project, *[event() for _ in range(30)], path="/2/httpapi").status_code
    assert [0] == send(project, event(), path="/2/httpapi").json()["throttled_events"]
    project.advance(1)
    assert 200 == send(project, event(), path="/2/httpapi").status_code


def test_a_day_has_a_quota(project: RunningStandin) -> None:
    """The answer says of whom."""
    project.stop_clock()
    project.set(daily_events=2)
    send(project, event(), event())
    assert {"user-1": 3} == send(project, event(), event("user-2")).json()["exceeded_daily_quota_users"]
    project.advance(86_400)
    assert 200 == send(project, event()).status_code


def test_a_text_can_meet_the_firewall(project: RunningStandin) -> None:
    """403 and a page of HTML, for the content of one row."""
    project.set(blocked_text="<script")
    answer = send(project, event(), event(event_properties={"note": "<script>"}))
    assert (403, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert 200 == send(project, event()).status_code


@pytest.mark.parametrize(
    ("own", "status", "name", "value"),
    [
        ("throttled", 429, "throttled_events", [1]),
        ("daily_quota", 429, "exceeded_daily_quota_users", {"user-2": 500_001}),
        ("silenced", 400, "silenced_events", [1]),
        ("unnamed", 400, "events_with_invalid_fields", {}),
        ("invalid", 400, "events_with_invalid_fields", {"event_properties": [1]}),
    ],
)
def test_faults_about_some_users(project: RunningStandin, own: str, status: int, name: str, value: Any) -> None:
    """Requests without them go through; of one with them nothing is taken."""
    project.faults({"always": True, "do": {"own": own, "details": {"ids": ["user-2"]}}})
    answer = send(project, event(), event("user-2"))
    assert (status, value) == (answer.status_code, answer.json()[name])
    assert 0 == project.counts()["events"]
    assert 200 == send(project, event()).status_code


def test_the_key_can_end_midway(project: RunningStandin) -> None:
    """Nothing of that request is taken, nor of any after it."""
    project.faults({"skip": 1, "always": True, "do": {"own": "key_revoked"}})
    answers = [send(project, event(f"user-{n}")) for n in range(3)]
    assert [200, 400, 400] == [answer.status_code for answer in answers]
    assert "Invalid API key: sandbox" == answers[1].json()["error"]
    assert 1 == project.counts()["events"]


def test_fewer_can_be_ingested_than_were_sent(project: RunningStandin) -> None:
    """With 200, and the events are not there."""
    project.faults({"do": {"own": "ingested_fewer", "details": {"ids": ["user-2"]}}})
    assert 2 == send(project, event(), event("user-2"), event("user-3")).json()["events_ingested"]
    assert ["user-1", "user-3"] == [taken["user_id"] for taken in project.records("events")]


KEYS = ("sandbox", "sandbox")


def cohort(project: RunningStandin, **more: Any) -> httpx.Response:
    """Uploads a cohort."""
    content = {"name": "At risk", "app_id": 1, "id_type": "BY_USER_ID", "owner": "a@example.com", "published": True}
    return project.http.post("/api/3/cohorts/upload", json={**content, **more}, auth=KEYS)


def test_a_cohort_is_uploaded_replaced_and_changed(project: RunningStandin) -> None:
    """Ids that Amplitude does not know are skipped, and named."""
    project.put("users", {"user_id": "user-1"}, {"user_id": "user-2"})
    made = cohort(project, ids=["user-1", "nobody"], skip_invalid_ids=True).json()
    assert ["nobody"] == made["invalid_ids_sample"]
    cohort(project, ids=["user-2"], existing_cohort_id=made["cohort_id"])
    assert ["user-2"] == project.records("cohorts")[0]["members"]
    changes = [
        {"ids": ["user-1", "nobody"], "id_type": "BY_NAME", "operation": "ADD"},
        {"ids": ["user-2"], "id_type": "BY_NAME", "operation": "REMOVE"},
    ]
    content = {"cohort_id": made["cohort_id"], "skip_invalid_ids": True, "memberships": changes}
    changed = project.http.post("/api/3/cohorts/membership", json=content, auth=KEYS).json()
    assert [["nobody"], []] == [result["skipped_ids"] for result in changed["memberships_result"]]
    assert ["user-1"] == project.records("cohorts")[0]["members"]


def test_a_cohort_of_somebody_unknown_is_refused(project: RunningStandin) -> None:
    """Unless they may be skipped; and without the secret key, anyhow."""
    assert 400 == cohort(project, ids=["nobody"]).status_code
    answer = project.http.post("/api/3/cohorts/upload", json={}, auth=("sandbox", "other"))
    assert 401 == answer.status_code


@pytest.fixture
def client(project: RunningStandin) -> Iterator[tuple[Amplitude, list[tuple[str, int]]]]:
    """The official client, and what it is told of each event: user and status."""
    told: list[tuple[str, int]] = []
    made = Amplitude("sandbox")
    made.configuration.server_url = f"{project.url}/batch"
    made.configuration.flush_interval_millis = 10
    made.configuration.callback = lambda sent, code, _message=None: told.append((sent.user_id, code))
    yield made, told
    made.shutdown()


def test_the_official_client_accepts_its_answers(
    client: tuple[Amplitude, list[tuple[str, int]]], project: RunningStandin
) -> None:
    """A callback per event: those that are named in a 400 fail, the rest it sends again."""
    amplitude, told = client
    project.faults({"always": True, "do": {"own": "invalid", "details": {"ids": ["user-2"]}}})
    for n in (1, 2, 3):
        amplitude.track(BaseEvent("order", user_id=f"user-{n}", time=NOW_MS, insert_id=str(n)))
    about = Identify()
    about.set("plan", "pro")
    amplitude.identify(about, EventOptions(user_id="user-1"))
    amplitude.flush()
    deadline = time.monotonic() + 20
    while len(told) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [("user-1", 200), ("user-1", 200), ("user-2", 400), ("user-3", 200)] == sorted(told)
    assert {"user-1": {"plan": "pro"}, "user-3": {}} == {
        user["user_id"]: user["properties"] for user in project.records("users")
    }

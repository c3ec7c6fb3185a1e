"""The stand-in for HubSpot: what a batch does, what it refuses and how, its limits and what it can do wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from reverse_etl_tests.servers.saas import RunningStandin, Saas

CONTACTS = "/crm/v3/objects/contacts/batch"
Row = dict[str, Any]
Write = Callable[..., httpx.Response]


@pytest.fixture
def hubspot(saas: Saas) -> RunningStandin:
    """A new account."""
    return saas("hubspot")


@pytest.fixture
def client(hubspot: RunningStandin, transport: httpx.HTTPTransport) -> httpx.Client:
    """A client with the app's token."""
    headers = {"authorization": "Bearer sandbox"}
    return httpx.Client(base_url=hubspot.url, headers=headers, transport=transport, trust_env=False)


@pytest.fixture
def upsert(client: httpx.Client) -> Write:
    """Upserts contacts."""
    return lambda *inputs: client.post(f"{CONTACTS}/upsert", json={"inputs": list(inputs)})


def row(key: str, trace: str | None = None, *, by: str = "customer_no", **properties: Any) -> Row:
    """An input of an upsert."""
    traced = {} if trace is None else {"objectWriteTraceId": trace}
    return {"id": key, "idProperty": by, "properties": properties, **traced}


def codes(answer: httpx.Response) -> list[str]:
    """The codes of a refusal's values."""
    return [each["code"] for each in answer.json().get("errors", [])]


def test_an_upsert_makes_a_record_and_then_changes_it(upsert: Write, hubspot: RunningStandin) -> None:
    """The second one finds the first by its unique value, changes what is given and clears what is empty."""
    made = upsert(row("c1", score="85", firstname="Ann"))
    changed = upsert(row("c1", "t", score="", risk="low"))
    assert (200, 200) == (made.status_code, changed.status_code)
    (before,), (after,) = made.json()["results"], changed.json()["results"]
    assert (True, False, "t") == (before["new"], after["new"], after["objectWriteTraceId"])
    assert before["id"] == after["id"]
    (held,) = hubspot.records("contacts")
    own = {name: held["properties"].get(name) for name in ("customer_no", "firstname", "score", "risk")}
    assert {"customer_no": "c1", "firstname": "Ann", "score": None, "risk": "low"} == own


def test_with_trace_ids_the_others_are_written(upsert: Write, hubspot: RunningStandin) -> None:
    """207: the results are in another order than the inputs; each error names its inputs, equal ones once."""
    answer = upsert(
        row("c1", "1", score="1"),
        row("c2", "2", score="x"),
        row("c3", "3", score="x"),
        row("c4", "4", nope="x"),
        row("c5", "5"),
    )
    told = answer.json()
    assert 207 == answer.status_code
    assert ["5", "1"] == [each["objectWriteTraceId"] for each in told["results"]]
    named = [(each["context"]["objectWriteTraceId"], each["errors"][0]["code"]) for each in told["errors"]]
    assert [(["2", "3"], "INVALID_NUMBER"), (["4"], "PROPERTY_DOESNT_EXIST")] == named
    assert 3 == told["numErrors"]
    assert {"c1", "c5"} == {each["properties"]["customer_no"] for each in hubspot.records("contacts")}


@pytest.mark.parametrize("traces", [(None, None), ("1", None), ("1", "1")])
def test_without_unique_trace_ids_one_bad_row_fails_all(
    upsert: Write, hubspot: RunningStandin, traces: tuple[str | None, str | None]
) -> None:
    """400, which names the first only; nothing is written."""
    answer = upsert(row("c1", traces[0]), row("c2", traces[1], risk="none"))
    assert 400 == answer.status_code
    assert ["INVALID_OPTION"] == codes(answer)
    assert [] == hubspot.records("contacts")


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"nope": "x"}, "PROPERTY_DOESNT_EXIST"),
        ({"hubspotscore": "1"}, "READ_ONLY_VALUE"),
        ({"score": "1,5"}, "INVALID_NUMBER"),
        ({"risk": "Low"}, "INVALID_OPTION"),
        ({"interests": "news;sport"}, "INVALID_OPTION"),
        ({"is_active": "yes"}, "INVALID_OPTION"),
        ({"renews_on": "02.01.2026"}, "INVALID_DATE"),
        ({"renews_on": "1767312000001"}, "INVALID_DATE"),
        ({"last_seen_at": "yesterday"}, "INVALID_LONG"),
        ({"last_seen_at": "2026-01-02T03:04:05"}, "INVALID_LONG"),
        ({"email": "ann"}, "INVALID_EMAIL"),
        ({"firstname": "x" * 65_537}, "PROPERTY_VALUE_TOO_LONG"),
    ],
)
def test_a_value_that_its_property_does_not_take_is_refused(upsert: Write, properties: Row, code: str) -> None:
    """With HubSpot's code and the property's name."""
    answer = upsert(row("c1", **properties))
    assert [code] == codes(answer)
    assert [list(properties)] == [each["context"]["propertyName"] for each in answer.json()["errors"]]


def test_values_are_kept_as_hubspot_writes_them(upsert: Write, hubspot: RunningStandin) -> None:
    """Dates of both kinds, instants in UTC, truths and addresses in lower case."""
    sent = {"renews_on": "1767312000000", "last_seen_at": "2026-01-02T04:04:05+01:00", "is_active": "TRUE"}
    assert upsert(row("c1", email="Ann@Shop.example", interests="news;offers", **sent)).is_success
    (held,) = hubspot.records("contacts")
    expected = {"renews_on": "2026-01-02", "last_seen_at": "2026-01-02T03:04:05.000Z", "is_active": "true"}
    expected |= {"email": "ann@shop.example", "interests": "news;offers"}
    assert expected == {name: held["properties"][name] for name in expected}


def test_a_life_cycle_stage_moves_forward_only(upsert: Write, hubspot: RunningStandin) -> None:
    """An earlier one is passed over without an error, unless it is cleared first."""
    for stage in ("customer", "lead"):
        assert upsert(row("c1", lifecyclestage=stage)).is_success
    assert "customer" == hubspot.records("contacts")[0]["properties"]["lifecyclestage"]
    for stage in ("", "lead"):
        assert upsert(row("c1", lifecyclestage=stage)).is_success
    assert "lead" == hubspot.records("contacts")[0]["properties"]["lifecyclestage"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "cannot be empty"),
        ([row(f"c{n}") for n in range(101)], "the maximum is 100"),
        ([row("c1"), row("c2"), row("c1")], r"Duplicate IDs found in batch input: \[c1\]"),
        ([row("a@shop.example", by="email"), row("A@shop.example", by="email")], "Duplicate IDs"),
        ([row("1", by="hs_object_id")], "non-unique 0-1 property hs_object_id"),
        ([row("Ann", by="firstname")], "non-unique 0-1 property firstname"),
        ([{"id": "c1", "properties": {}}], "idProperty is required"),
        ([row("c1", score=85)], "the value of score must be a text"),
        ([row("c1", score=None)], "the value of score must be a text"),
        ([{"idProperty": "customer_no", "properties": {}}], "id must be a text"),
        ([{"id": "c1", "idProperty": "customer_no"}], "properties must be an object"),
        (["c1"], "inputs must be a list of objects"),
    ],
)
def test_a_batch_that_is_none_is_refused(
    upsert: Write, hubspot: RunningStandin, inputs: list[Any], message: str
) -> None:
    """As a whole, trace ids or not."""
    answer = upsert(*inputs)
    assert (400, "VALIDATION_ERROR") == (answer.status_code, answer.json()["category"])
    assert re.search(message, answer.json()["message"])
    assert [] == hubspot.records("contacts")


def test_what_is_unique_stays_so(upsert: Write, client: httpx.Client) -> None:
    """Another record's address is a conflict, another's unique value an invalid one; also within a batch."""
    assert upsert(row("c1", email="ann@shop.example")).is_success
    answer = upsert(
        row("c2", "2", email="Ann@shop.example"),
        row("c3", "3", customer_no="c1"),
        row("c4", "4", email="b@shop.example"),
        row("c5", "5", email="b@shop.example"),
    )
    told = {each["context"]["objectWriteTraceId"][0]: each["category"] for each in answer.json()["errors"]}
    assert {"2": "CONFLICT", "3": "VALIDATION_ERROR", "5": "CONFLICT"} == told
    created = client.post(f"{CONTACTS}/create", json={"inputs": [{"properties": {"email": "ann@shop.example"}}]})
    assert 409 == created.status_code
    assert created.json()["message"].startswith("Contact already exists. Existing ID: 15100000")


def test_a_contact_is_found_by_each_of_its_addresses(upsert: Write, hubspot: RunningStandin) -> None:
    """Two rows can be one contact."""
    assert upsert(row("c1", email="a@shop.example", hs_additional_emails="b@shop.example")).is_success
    answer = upsert(row("b@shop.example", "1", by="email", email="a@shop.example", city="Bonn"))
    assert [False] == [each["new"] for each in answer.json()["results"]]
    assert 1 == len(hubspot.records("contacts"))


def test_an_update_needs_a_record(client: httpx.Client, upsert: Write) -> None:
    """One that is not there is named; an address without idProperty does nothing and is told nowhere."""
    record = upsert(row("c1")).json()["results"][0]["id"]

    def update(*inputs: Row) -> httpx.Response:
        return client.post(f"{CONTACTS}/update", json={"inputs": list(inputs)})

    given = {"properties": {"city": "Bonn"}}
    answer = update({"id": record, "objectWriteTraceId": "1", **given}, {"id": "9", "objectWriteTraceId": "2", **given})
    assert 207 == answer.status_code
    assert [record] == [each["id"] for each in answer.json()["results"]]
    assert [{"ids": ["9"], "objectWriteTraceId": ["2"]}] == [each["context"] for each in answer.json()["errors"]]
    nothing = update({"id": "ann@shop.example", **given})
    assert (200, []) == (nothing.status_code, nothing.json()["results"])


def test_a_new_record_needs_what_its_type_requires(client: httpx.Client) -> None:
    """An own object type, by its id and by its name."""
    inputs = {"inputs": [{"properties": {"plan": "pro"}}]}
    for name in ("2-1234567", "p1460001_subscriptions"):
        answer = client.post(f"/crm/v3/objects/{name}/batch/create", json=inputs)
        assert (400, {"properties": ["subscription_no"]}) == (answer.status_code, answer.json()["context"])
    upserted = {"inputs": [row("s1", by="subscription_no", plan="pro")]}
    assert 200 == client.post("/crm/objects/2026-09/subscriptions/batch/upsert", json=upserted).status_code


def test_what_is_archived_is_found_no_more(client: httpx.Client, upsert: Write, hubspot: RunningStandin) -> None:
    """Ids that there are none of are passed over; the unique value is free again."""
    record = upsert(row("c1")).json()["results"][0]["id"]
    answer = client.post(f"{CONTACTS}/archive", json={"inputs": [{"id": record}, {"id": "9"}]})
    assert (204, b"") == (answer.status_code, answer.content)
    read = client.post(f"{CONTACTS}/read", json={"inputs": [{"id": "c1"}], "idProperty": "customer_no"})
    assert (207, [], {"ids": ["c1"]}) == (read.status_code, read.json()["results"], read.json()["errors"][0]["context"])
    assert upsert(row("c1")).json()["results"][0]["new"]
    assert [True, False] == sorted((each["archived"] for each in hubspot.records("contacts")), reverse=True)


def test_a_search_lags(client: httpx.Client, upsert: Write, hubspot: RunningStandin) -> None:
    """A batch read finds at once what a search finds seconds later."""
    hubspot.stop_clock()
    upsert(row("c1"))
    asked = {"filterGroups": [{"filters": [{"propertyName": "customer_no", "operator": "IN", "values": ["c1"]}]}]}
    read = {"inputs": [{"id": "c1"}], "idProperty": "customer_no"}
    assert 200 == client.post(f"{CONTACTS}/read", json=read).status_code
    assert 0 == client.post("/crm/v3/objects/contacts/search", json=asked).json()["total"]
    hubspot.advance(5)
    assert 1 == client.post("/crm/v3/objects/contacts/search", json=asked).json()["total"]


def test_properties_say_what_they_take(client: httpx.Client, hubspot: RunningStandin) -> None:
    """Types, options, uniqueness, who may write; and one that is made is taken at once."""
    hubspot.put("properties", {"object": "contacts", "name": "plan_no", "type": "string", "hasUniqueValue": True})
    told = {each["name"]: each for each in client.get("/crm/v3/properties/contacts").json()["results"]}
    assert ["low", "medium", "high"] == [each["value"] for each in told["risk"]["options"]]
    assert (True, "checkbox") == (told["customer_no"]["hasUniqueValue"], told["interests"]["fieldType"])
    assert told["hubspotscore"]["modificationMetadata"]["readOnlyValue"]
    assert client.post(f"{CONTACTS}/upsert", json={"inputs": [row("p1", by="plan_no")]}).is_success
    assert 404 == client.get("/crm/v3/properties/contacts/nope").status_code
    assert 400 == client.get("/crm/v3/properties/nope").status_code


def test_members_of_a_list_are_records(client: httpx.Client, upsert: Write, hubspot: RunningStandin) -> None:
    """Who is added, removed and unknown is told; a dynamic list takes none."""
    first, second = (upsert(row(key)).json()["results"][0]["id"] for key in ("c1", "c2"))
    path = "/crm/v3/lists/42/memberships"
    assert client.put(f"{path}/add", json=[second]).json()["recordsIdsAdded"] == [second]
    changed = {"recordIdsToAdd": [first, "9"], "recordIdsToRemove": [second]}
    told = client.put(f"{path}/add-and-remove", json=changed).json()
    assert ([first], ["9"], [second]) == (told["recordsIdsAdded"], told["recordIdsMissing"], told["recordsIdsRemoved"])
    assert [first] == next(each["members"] for each in hubspot.records("lists") if each["listId"] == "42")
    assert 400 == client.put("/crm/v3/lists/43/memberships/add", json=[first]).status_code
    assert 404 == client.put("/crm/v3/lists/44/memberships/add", json=[first]).status_code


def test_associations_have_types_and_two_ends(client: httpx.Client, hubspot: RunningStandin) -> None:
    """A pair that is not there and a type that is none are named; a company is the primary one of a contact once."""
    (contact,) = hubspot.put("contacts", {"customer_no": "c1"})
    companies = hubspot.put("companies", {"name": "Acme"}, {"name": "Bolt"})
    path = "/crm/v4/associations/contacts/companies"

    def pair(company: str, type_id: int) -> Row:
        types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}]
        return {"from": {"id": contact["id"]}, "to": {"id": company}, "types": types}

    answer = client.post(
        f"{path}/batch/create",
        json={"inputs": [pair(companies[0]["id"], 1), pair("9", 279), pair(companies[1]["id"], 341)]},
    )
    assert (207, 2) == (answer.status_code, answer.json()["numErrors"])
    assert 201 == client.post(f"{path}/batch/create", json={"inputs": [pair(companies[1]["id"], 1)]}).status_code
    held = client.post(f"{path}/batch/read", json={"inputs": [{"id": contact["id"]}]}).json()["results"][0]["to"]
    assert [[279], [1, 279]] == [[each["typeId"] for each in to["associationTypes"]] for to in held]
    back = {"inputs": [{"id": companies[1]["id"]}]}
    told = client.post("/crm/v4/associations/companies/contacts/batch/read", json=back).json()["results"]
    assert [2, 280] == [each["typeId"] for each in told[0]["to"][0]["associationTypes"]]
    labels = {each["label"]: each["typeId"] for each in client.get(f"{path}/labels").json()["results"]}
    assert {None: 279, "Primary": 1, "Champion": 37} == labels


def test_the_account_says_who_it_is(client: httpx.Client, hubspot: RunningStandin) -> None:
    """Its portal's id, also for the token; another token is nobody's."""
    assert 1_460_001 == client.get("/account-info/v3/details").json()["portalId"]
    told = client.post("/oauth/v2/private-apps/get/access-token-info", json={"tokenKey": "sandbox"}).json()
    assert (1_460_001, True) == (told["hubId"], "crm.objects.contacts.write" in told["scopes"])
    refused = client.get("/account-info/v3/details", headers={"authorization": "Bearer other"})
    assert (401, "INVALID_AUTHENTICATION") == (refused.status_code, refused.json()["category"])


def test_a_missing_scope_is_named(client: httpx.Client, upsert: Write, hubspot: RunningStandin) -> None:
    """403; what needs another scope is answered."""
    hubspot.set(missing_scopes="crm.objects.contacts.write")
    told = upsert(row("c1"))
    assert (403, "MISSING_SCOPES") == (told.status_code, told.json()["category"])
    assert ["crm.objects.contacts.write"] == told.json()["errors"][0]["context"]["requiredGranularScopes"]
    assert client.get("/crm/v3/objects/contacts").is_success


def test_limits_count_down_and_end(client: httpx.Client, hubspot: RunningStandin) -> None:
    """In ten rolling seconds and in a day; searches have a limit of their own and no headers."""
    hubspot.stop_clock()
    hubspot.set(calls_in_ten_seconds=2, calls_a_day=4)
    answers = [client.get("/crm/v3/objects/contacts") for _ in range(3)]
    names = ("x-hubspot-ratelimit-remaining", "x-hubspot-ratelimit-daily-remaining")
    told = [tuple(int(answer.headers[name]) for name in names) for answer in answers]
    assert [(1, 3), (0, 2), (0, 2)] == told
    assert [200, 200, 429] == [answer.status_code for answer in answers]
    assert "TEN_SECONDLY_ROLLING" == answers[2].json()["policyName"]
    search = client.post("/crm/v3/objects/contacts/search", json={})
    assert (200, None) == (search.status_code, search.headers.get(names[0]))
    hubspot.advance(10)
    assert [200, 429] == [client.get("/crm/v3/objects/contacts").status_code for _ in range(2)]
    assert "DAILY" == client.get("/crm/v3/objects/contacts").json()["policyName"]
    hubspot.advance(86_400)
    assert 200 == client.get("/crm/v3/objects/contacts").status_code


@pytest.mark.parametrize(
    ("own", "status", "part", "written"),
    [
        ("daily_limit", 429, ("policyName", "DAILY"), 0),
        ("ten_second_limit", 429, ("policyName", "TEN_SECONDLY_ROLLING"), 0),
        ("locked", 423, ("category", "LOCKED"), 0),
        ("migrating", 477, ("category", "MIGRATION_IN_PROGRESS"), 0),
        ("conflict", 409, ("category", "CONFLICT"), 0),
        ("empty", 200, ("results", []), 0),
        ("missing_results", 200, ("status", "COMPLETE"), 2),
        ("warnings", 200, ("status", "COMPLETE"), 2),
        ("untraced_results", 200, ("status", "COMPLETE"), 2),
        ("untraced_errors", 207, ("numErrors", 1), 1),
        ("refuse", 207, ("numErrors", 1), 1),
    ],
)
def test_what_only_it_can_do_wrong(
    upsert: Write, hubspot: RunningStandin, own: str, status: int, part: tuple[str, Any], written: int
) -> None:
    """Once each, and what is written is what the fault says."""
    hubspot.faults({"do": {"own": own, "details": {"ids": ["c2"]}}})
    answer = upsert(row("c1", "1"), row("c2", "2"))
    told = answer.json()
    assert (status, part[1]) == (answer.status_code, told[part[0]])
    assert written == len(hubspot.records("contacts"))
    contexts = [each["context"] for each in told["errors"]] if status == 207 else []
    assert (
        [{"objectWriteTraceId": ["2"]}] if own == "refuse" else [{}] if own == "untraced_errors" else []
    ) == contexts
    assert (own == "warnings") == any("warnings" in each for each in told.get("results", []))
    assert upsert(row("c1", "1"), row("c2", "2")).status_code == 200

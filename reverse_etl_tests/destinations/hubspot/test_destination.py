"""Rows delivered to the stand-in: what it holds afterwards is what was called delivered, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.destinations.hubspot import steps
from reverse_etl.errors import CallsUsedUpError, ConfigError, DestinationError, UnauthorizedError
from reverse_etl_tests.destinations.hubspot.configs import account
from reverse_etl_tests.destinations.hubspot.sending import DELIVERED, EXCLUDED, REFUSED, REJECTED, send, stored
from reverse_etl_tests.servers.saas import RunningStandin, Saas

Rows = list[dict[str, Any]]

BATCH = "/crm/v3/objects/contacts/batch"


@pytest.fixture
def hubspot(saas: Saas) -> Iterator[RunningStandin]:
    """A new account; every fault that a test sets must happen."""
    standin = saas("hubspot")
    yield standin
    assert all(rule["fired"] for rule in standin.faults())


def contacts(count: int, **more: Any) -> Rows:
    """Contacts ``c0``, ``c1``, … with a score."""
    return [{"customer_no": f"c{n}", "score": n, **more} for n in range(count)]


def writes(hubspot: RunningStandin) -> list[str]:
    """The last words of the paths of calls that were answered, without what is asked before the first row."""
    asked = (each["path"] for each in hubspot.requests() if each["method"] != "GET")
    return [path.rpartition("/")[2] for path in asked]


def test_every_kind_of_value_arrives(hubspot: RunningStandin, tmp_path: Path) -> None:
    """As HubSpot keeps it; empty values are left out, or clear."""
    at = datetime(2026, 1, 5, 10, 30, 0, 250_000, UTC)
    row = {
        "customer_no": "c1", "firstname": 'Ann "A"\n', "score": 7.5, "is_active": True, "renews_on": date(2026, 1, 5),
        "last_seen_at": at, "risk": "low", "interests": "news;events", "city": None, "phone": "",
    }  # fmt: skip
    assert [DELIVERED] == send(hubspot, tmp_path, [row]).outcomes
    wanted = ['Ann "A"\n', "7.5", "true", "2026-01-05", "2026-01-05T10:30:00.250Z", "low", "news;events", None, None]
    assert {"c1": wanted} == stored(hubspot, *list(row)[1:])
    times = pa.record_batch({"customer_no": ["c1"], "renews_on": [datetime(2026, 2, 1, tzinfo=UTC)],
                             "last_seen_at": [date(2026, 2, 1)], "is_active": [0], "firstname": [""]})  # fmt: skip
    assert [DELIVERED] == send(hubspot, tmp_path, times, empty_values="clear").outcomes
    assert {"c1": ["2026-02-01", "2026-02-01T00:00:00.000Z", "false", None]} == stored(
        hubspot, "renews_on", "last_seen_at", "is_active", "firstname"
    )


def test_values_that_do_not_fit_reject_their_rows(hubspot: RunningStandin, tmp_path: Path) -> None:
    """With the column; nothing of them is sent."""
    rows = [
        {"interests": "news;offers"},
        {"interests": "news;nothing"},
        {"city": "x" * 65_537},
        {"renews_on": "2026-02-30"},
        {"risk": "Low"},
    ]
    names = ("interests", "city", "renews_on", "risk")
    columns = {name: [row.get(name) for row in rows] for name in names}
    batch = pa.record_batch({"customer_no": [f"c{n}" for n in range(5)], **columns})
    sent = send(hubspot, tmp_path, batch)
    assert [DELIVERED, *[REJECTED] * 4] == sent.outcomes
    found = [(why.reason, why.field) for why in sent.reasons.values()]
    assert [("invalid_option", "interests"), ("too_long", "city"), ("wrong_type", "renews_on"),
            ("invalid_option", "risk")] == found  # fmt: skip
    assert {"c0"} == stored(hubspot, "city").keys()


@pytest.mark.parametrize("by", ["customer_no", "email"])
def test_records_that_exist_are_changed_and_others_added(hubspot: RunningStandin, tmp_path: Path, by: str) -> None:
    """What a row does not name stays, also where HubSpot's own upsert by e-mail address would clear it."""
    hubspot.set(email_upsert="clear")
    hubspot.put("contacts", {by: "a@x.io", "city": "Oslo", "score": 1})
    rows = [{by: "A@x.io" if by == "email" else "a@x.io", "score": 2}, {by: "b@x.io", "score": 3}]
    assert [DELIVERED] * 2 == send(hubspot, tmp_path, rows, identify_by=by).outcomes
    assert {"a@x.io": ["2", "Oslo"], "b@x.io": ["3", None]} == stored(hubspot, "score", "city", key=by)


def test_two_addresses_of_one_contact_are_written_one_after_the_other(hubspot: RunningStandin, tmp_path: Path) -> None:
    """HubSpot takes a record once a batch; its first address stays."""
    hubspot.put("contacts", {"email": "a@x.io", "hs_additional_emails": "b@x.io"})
    rows = [{"email": "a@x.io", "score": 1}, {"email": "b@x.io", "score": 2}]
    assert [DELIVERED] * 2 == send(hubspot, tmp_path, rows, identify_by="email").outcomes
    assert {"a@x.io": "2"} == stored(hubspot, "score", key="email")


def test_only_records_that_exist_are_changed(hubspot: RunningStandin, tmp_path: Path) -> None:
    """Others are excluded; by HubSpot's own id too."""
    made = hubspot.put("contacts", {"customer_no": "c1"}, {"customer_no": "c2"})
    sent = send(hubspot, tmp_path, contacts(3), write="update_only")
    assert [EXCLUDED, DELIVERED, DELIVERED] == sent.outcomes
    rows = [{"hs_object_id": int(made[0]["id"]), "score": 9}, {"hs_object_id": 7, "score": 9}]
    sent = send(hubspot, tmp_path, rows, identify_by="hs_object_id", write="update_only")
    assert [DELIVERED, EXCLUDED] == sent.outcomes
    assert {"c1": "9", "c2": "2"} == stored(hubspot, "score")


def test_only_new_records_are_added(hubspot: RunningStandin, tmp_path: Path) -> None:
    """Others are excluded, and stay as they are."""
    hubspot.put("contacts", {"customer_no": "c1", "score": 50})
    assert [DELIVERED, EXCLUDED, DELIVERED] == send(hubspot, tmp_path, contacts(3), write="add_only").outcomes
    assert {"c0": "0", "c1": "50", "c2": "2"} == stored(hubspot, "score")


def test_a_record_that_this_run_added_is_not_taken_for_another_ones(hubspot: RunningStandin, tmp_path: Path) -> None:
    """The answer was lost after it was made: the next try finds it, and it is delivered."""
    hubspot.faults({"match": {"path": f"{BATCH}/create"}, "times": 1, "do": {"drop": "after_apply"}})
    assert [DELIVERED] * 2 == send(hubspot, tmp_path, contacts(2), write="add_only").outcomes
    assert {"c0": "0", "c1": "1"} == stored(hubspot, "score")


def test_rows_that_are_gone_are_archived(hubspot: RunningStandin, tmp_path: Path) -> None:
    """By their column, among others; one that is not there is gone already."""
    hubspot.put("contacts", {"customer_no": "c0"}, {"customer_no": "c9"})
    rows = [{**each, "deleted": each["score"] != 2} for each in contacts(3)]
    assert [DELIVERED] * 3 == send(hubspot, tmp_path, rows, gone="archive").outcomes
    assert {"c2": "2", "c9": None} == stored(hubspot, "score")


def test_delivered_records_join_the_list(hubspot: RunningStandin, tmp_path: Path) -> None:
    """A row is delivered when its record is a member; those that were stay, refused rows do not join."""
    ids = {each["properties"]["customer_no"]: each["id"] for each in hubspot.put("contacts", *contacts(1))}
    hubspot.faults(
        {"match": {"path": f"{BATCH}/upsert"}, "always": True, "do": {"own": "refuse", "details": {"ids": ["c2"]}}},
        {"match": {"path": "/crm/v3/lists/42/memberships/add"}, "times": 1, "do": {"status": 503}},
    )
    sent = send(hubspot, tmp_path, contacts(3), list={"id": 42})
    assert [DELIVERED, DELIVERED, REFUSED] == sent.outcomes
    found = {each["properties"]["customer_no"]: each["id"] for each in hubspot.records("contacts")}
    assert {"c0", "c1"} == found.keys()
    [members] = (each["members"] for each in hubspot.records("lists") if each["listId"] == "42")
    assert {*found.values()} == {*members}
    assert ids.items() <= found.items()


def test_delivered_records_are_associated(hubspot: RunningStandin, tmp_path: Path) -> None:
    """With the record that a row names, if it names one; where there is none, the row is refused, and says so."""
    [company] = hubspot.put("companies", {"domain_key": "acme.com"})
    rows = [
        {"customer_no": "c0", "company": "acme.com"},
        {"customer_no": "c1", "company": None},
        {"customer_no": "c2", "company": "nobody.com"},
    ]
    associate = {"to": "companies", "identify_by": "domain_key", "column": "company", "label": "primary"}
    sent = send(hubspot, tmp_path, rows, associate=associate)
    assert [DELIVERED, DELIVERED, REFUSED] == sent.outcomes
    assert ("associated_not_found", "company") == sent.reasons[3][:2]
    assert "nobody.com" not in sent.reasons[3].message
    [contact] = (each["id"] for each in hubspot.records("contacts") if each["properties"]["customer_no"] == "c0")
    [pair] = hubspot.records("associations")
    assert (contact, company["id"], True) == (pair["from"], pair["to"], 1 in pair["types"])
    assert [None] * 3 == [each["properties"].get("company") for each in hubspot.records("contacts")]


def test_an_association_that_is_too_large_alone_is_refused_as_that(hubspot: RunningStandin, tmp_path: Path) -> None:
    """Whatever category the answer has, as for a record."""
    hubspot.put("companies", {"domain_key": "acme.com"})
    path = "/crm/v4/associations/contacts/companies/batch/create"
    hubspot.faults({"match": {"path": path}, "always": True, "do": {"status": 413}})
    associate = {"to": "companies", "identify_by": "domain_key", "column": "company", "label": "primary"}
    sent = send(hubspot, tmp_path, [{"customer_no": "c0", "company": "acme.com"}], associate=associate)
    assert ([REFUSED], "too_large") == (sent.outcomes, sent.reasons[1].reason)


@pytest.mark.parametrize("own", ["untraced_results", "missing_results", "warnings", "empty"])
def test_odd_answers_lose_no_row(hubspot: RunningStandin, tmp_path: Path, own: str) -> None:
    """Without trace ids, with half of the results, with none at all: every row is written, and delivered once."""
    hubspot.faults({"match": {"path": f"{BATCH}/upsert"}, "times": 1, "do": {"own": own}})
    assert [DELIVERED] * 9 == send(hubspot, tmp_path, contacts(9)).outcomes
    assert {f"c{n}": str(n) for n in range(9)} == stored(hubspot, "score")


def test_errors_without_trace_ids_are_found_row_by_row(hubspot: RunningStandin, tmp_path: Path) -> None:
    """The rows that no result names are sent in ever smaller requests; the one at fault is refused alone."""
    hubspot.faults(
        {
            "match": {"path": f"{BATCH}/upsert"},
            "always": True,
            "do": {"own": "untraced_errors", "details": {"ids": ["c3"]}},
        }
    )
    sent = send(hubspot, tmp_path, contacts(9))
    assert [3] == [number - 1 for number in sent.reasons]
    assert "validation_error" == sent.reasons[4].reason
    assert {*range(9)} - {3} == {int(key[1:]) for key in stored(hubspot, "score")}


def test_a_conflict_is_over_the_next_time(hubspot: RunningStandin, tmp_path: Path) -> None:
    """Another call made the record first: the whole request was refused, and is sent again in halves."""
    hubspot.faults({"match": {"path": f"{BATCH}/upsert"}, "times": 1, "do": {"own": "conflict"}})
    assert [DELIVERED] * 4 == send(hubspot, tmp_path, contacts(4)).outcomes
    hubspot.faults({"match": {"path": f"{BATCH}/upsert"}, "times": 1, "do": {"own": "conflict"}})
    assert [DELIVERED] == send(hubspot, tmp_path, contacts(1)).outcomes


@pytest.mark.parametrize(("own", "least_s"), [("ten_second_limit", 0.3), ("locked", 2), ("migrating", 1)])
def test_passing_trouble_waits(hubspot: RunningStandin, tmp_path: Path, own: str, least_s: float) -> None:
    """As long as HubSpot asks for, or as it says that such a thing takes."""
    hubspot.faults({"match": {"path": f"{BATCH}/upsert"}, "times": 1, "do": {"own": own}})
    sent = send(hubspot, tmp_path, contacts(2))
    assert ([DELIVERED] * 2, True) == (sent.outcomes, sent.slept_s >= least_s)


def test_when_the_calls_of_the_day_are_used_up_the_run_ends(hubspot: RunningStandin, tmp_path: Path) -> None:
    """It says when they begin anew; what was not sent stays undelivered."""
    hubspot.faults({"match": {"path": f"{BATCH}/upsert"}, "always": True, "do": {"own": "daily_limit"}})
    with pytest.raises(CallsUsedUpError, match="calls of the day are used up") as raised:
        send(hubspot, tmp_path, contacts(2))
    assert "midnight in the account's time zone (UTC)" in raised.value.hint
    assert {} == stored(hubspot, "score")


@pytest.mark.parametrize(
    ("section", "said", "next_step"),
    [
        ({"object": "contact_s"}, "there is no object type contact_s", "Did you mean `contacts`?"),
        ({"identify_by": "risk"}, "property risk is not unique", "email, customer_no"),
        ({"list": {"id": 7}}, "there is no list 7", "Correct `list"),
        ({"list": {"id": 43}}, "fills list 43 by its filters", "manual"),
        ({"object": "companies", "list": {"id": 42}}, "list 42 is of contacts", "of that object type"),
        ({"associate": ("companies", "domain", None)}, "companies: property domain is not unique", "domain_key"),
        ({"associate": ("companies", "domain_key", "Boss")}, "no association with the label Boss", "champion"),
        ({"scor": 1}, "there is no property scor", "Did you mean `score`?"),
        ({"hubspotscore": 1}, "property hubspotscore is read-only", "Leave the column out"),
    ],
)
def test_what_the_account_cannot_take_ends_the_run_before_the_first_row(
    hubspot: RunningStandin, tmp_path: Path, section: dict[str, Any], said: str, next_step: str
) -> None:
    """With what to change; nothing was sent."""
    row = {"customer_no": "c1", "risk": "low", "to": "x"}
    row |= {name: section.pop(name) for name in ("scor", "hubspotscore") if name in section}
    if "associate" in section:
        section["associate"] = dict(zip(("to", "identify_by", "label"), section["associate"], strict=True), column="to")
    else:
        del row["to"]
    with pytest.raises(ConfigError) as raised:
        send(hubspot, tmp_path, [row], **section)
    assert said in raised.value.message
    assert next_step in raised.value.hint
    assert [] == writes(hubspot)


def test_a_scope_that_is_missing_is_named(hubspot: RunningStandin, tmp_path: Path) -> None:
    """With where it is added; the token is refused in other words, and not shown."""
    hubspot.set(missing_scopes="crm.objects.contacts.write")
    with pytest.raises(DestinationError, match=r"lacks the scope crm\.objects\.contacts\.write"):
        send(hubspot, tmp_path, contacts(1))
    hubspot.set(access_token="another")
    with pytest.raises(UnauthorizedError, match="refused the access token") as raised:
        send(hubspot, tmp_path, contacts(1))
    assert "sandbox" not in str(raised.value)


def test_a_connection_is_tested_step_by_step(hubspot: RunningStandin) -> None:
    """The account, the scopes that the app lacks, and how many properties there are."""
    found = {step.name: step.detail for step in steps(account(hubspot.url)) if step.ok}
    assert ["connection", "credentials", "account", "scopes", "properties"] == [*found]
    assert ("1460001", "all types") == (found["account"], found["scopes"])
    assert found["properties"].startswith("contacts ")
    hubspot.set(missing_scopes="crm.schemas.deals.read")
    [scopes] = (step for step in steps(account(hubspot.url)) if step.name == "scopes")
    assert (True, "none for deals") == (scopes.ok, scopes.detail)
    hubspot.set(access_token="another")
    [step] = steps(account(hubspot.url))
    assert ("credentials", False) == (step.name, step.ok)
    assert "access_token" in step.hint
    hubspot.set(access_token="sandbox")
    hubspot.faults({"always": True, "do": {"own": "daily_limit"}})
    [step] = steps(account(hubspot.url))
    assert ("answer", False) == (step.name, step.ok)
    assert ("midnight" in step.hint, "undelivered" in step.hint) == (True, False)


def test_what_a_new_record_of_a_custom_object_needs_is_in_the_query(hubspot: RunningStandin, tmp_path: Path) -> None:
    """Otherwise the run ends before the first row; records that exist are changed without."""
    hubspot.http.post(
        "/crm/v3/properties/2-1234567",
        json={"name": "external_no", "type": "string", "fieldType": "text", "hasUniqueValue": True},
        headers={"authorization": "Bearer sandbox"},
    ).raise_for_status()
    row, section = {"external_no": "e1", "plan": "pro"}, {"object": "2-1234567", "identify_by": "external_no"}
    with pytest.raises(ConfigError, match="needs a value of subscription_no"):
        send(hubspot, tmp_path, [row], **section)
    assert [EXCLUDED] == send(hubspot, tmp_path, [row], write="update_only", **section).outcomes
    assert [DELIVERED] == send(hubspot, tmp_path, [{**row, "subscription_no": "s1"}], **section).outcomes

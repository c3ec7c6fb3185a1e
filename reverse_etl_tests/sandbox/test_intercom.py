"""The stand-in workspace of Intercom, and the official client as a witness of its answers."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from intercom import CreateContactRequestWithExternalId, Intercom
from intercom.core.api_error import ApiError

from reverse_etl_tests.servers.saas import RunningStandin, Saas

HEADERS = {"authorization": "Bearer sandbox", "intercom-version": "2.15"}


class Api:
    """Calls of the stand-in."""

    def __init__(self, standin: RunningStandin) -> None:
        self.standin = standin

    def call(self, method: str, path: str, content: Any = None, **more: Any) -> httpx.Response:
        """Any call."""
        sent = {"headers": HEADERS, **more}
        return self.standin.http.request(method, path, json=content, **sent)

    def ok(self, method: str, path: str, content: Any = None) -> Any:
        """The JSON of a call that succeeds."""
        answer = self.call(method, path, content)
        assert 200 == answer.status_code, answer.text
        return answer.json()

    def error(self, status: int, method: str, path: str, content: Any = None) -> tuple[str, str]:
        """Code and message of a call that does not."""
        answer = self.call(method, path, content)
        assert status == answer.status_code, answer.text
        (error,) = answer.json()["errors"]
        return error["code"], error["message"]

    def contact(self, **about: Any) -> str:
        """Makes a contact; its id."""
        return str(self.ok("POST", "/contacts", about)["id"])


@pytest.fixture
def api(saas: Saas) -> Api:
    """An empty workspace whose time stands still."""
    standin = saas("intercom")
    standin.stop_clock()
    return Api(standin)


def test_a_contact_is_made_changed_and_found(api: Api) -> None:
    """What is not sent stays; null clears; the external id may hold a slash."""
    made = api.ok(
        "POST", "/contacts", {"external_id": "a/1", "email": "a@example.com", "custom_attributes": {"seats": 3}}
    )
    changed = api.ok(
        "PUT", f"/contacts/{made['id']}", {"name": "Ann", "custom_attributes": {"seats": None, "plan": "pro"}}
    )
    found = api.ok("GET", "/contacts/find_by_external_id/a%2F1")
    assert changed == found == api.ok("GET", f"/contacts/{made['id']}")
    assert ("user", "a@example.com", "Ann", {"plan": "pro"}) == tuple(
        found[name] for name in ("role", "email", "name", "custom_attributes")
    )


@pytest.mark.parametrize(
    ("content", "code", "text"),
    [
        ({"name": "Ann"}, "parameter_not_found", "one of email, external_id or role"),
        ({"external_id": 7}, "parameter_invalid", "external_id is invalid"),
        ({"email": "ann"}, "parameter_invalid", "email is invalid"),
        ({"role": "admin"}, "parameter_invalid", "role must be one of"),
        ({"role": "lead", "external_id": "1"}, "parameter_invalid", "cannot be set for a lead"),
        ({"external_id": "1", "signed_up_at": 1_793_817_970_000}, "parameter_invalid", "signed_up_at must be in Unix"),
        ({"external_id": "1", "custom_attributes": {"Plan": "x"}}, "parameter_invalid", "'Plan' does not exist"),
        ({"external_id": "1", "custom_attributes": {"seats": "3"}}, "parameter_invalid", "must be of type integer"),
        ({"external_id": "1", "custom_attributes": {"seats": 3.5}}, "parameter_invalid", "must be of type integer"),
        ({"external_id": "1", "custom_attributes": {"score": "3"}}, "parameter_invalid", "must be of type float"),
        ({"external_id": "1", "custom_attributes": {"active": 1}}, "parameter_invalid", "must be of type boolean"),
        ({"external_id": "1", "custom_attributes": {"renewal_at": "2026-11-28"}}, "parameter_invalid", "type date"),
        ({"external_id": "1", "custom_attributes": {"plan": "x" * 256}}, "parameter_invalid", "is too long"),
        ({"external_id": "1", "custom_attributes": {"tier": "iron"}}, "parameter_invalid", "has no such option"),
        ({"external_id": "1", "custom_attributes": []}, "parameter_invalid", "must be an object"),
    ],
)
def test_content_that_is_refused(api: Api, content: dict[str, Any], code: str, text: str) -> None:
    """The field is in the text alone, and nobody is made."""
    found, message = api.error(400, "POST", "/contacts", content)
    assert code == found
    assert text in message
    assert 0 == api.standin.counts()["contacts"]


def test_a_number_of_many_digits_is_a_float(api: Api) -> None:
    """As JSON has it in most languages."""
    content = b'{"external_id": "1", "custom_attributes": {"score": 0.12345678901234567890123}}'
    assert 200 == api.standin.http.post("/contacts", content=content, headers=HEADERS).status_code


def test_an_option_that_is_none_may_be_accepted(api: Api) -> None:
    """Which of the two Intercom does is not settled."""
    api.standin.set(unknown_option="accept")
    api.contact(external_id="1", custom_attributes={"tier": "iron"})


def test_who_exists_is_named_in_the_text_of_a_409(api: Api) -> None:
    """By external id, or by e-mail address where that is all there is; also who is archived."""
    first = api.contact(external_id="1", email="a@example.com")
    text = f"A contact matching those details already exists with id={first}"
    assert ("conflict", text) == api.error(409, "POST", "/contacts", {"external_id": "1"})
    assert ("conflict", text) == api.error(409, "POST", "/contacts", {"email": "A@example.com"})
    api.ok("POST", f"/contacts/{first}/archive")
    _, message = api.error(409, "POST", "/contacts", {"external_id": "1"})
    assert f"An archived contact matching those details already exists with id={first}" == message
    api.standin.faults({"do": {"own": "conflict_without_id"}})
    _, message = api.error(409, "POST", "/contacts", {"external_id": "1"})
    assert re.fullmatch("An archived contact matching those details already exists", message)


def test_an_update_can_meet_another_contact(api: Api) -> None:
    """Whose external id it would take."""
    first, second = api.contact(external_id="1"), api.contact(external_id="2")
    assert ("conflict", f"A contact matching those details already exists with id={first}") == api.error(
        409, "PUT", f"/contacts/{second}", {"external_id": "1"}
    )


def test_users_can_share_an_address_and_leads_are_twins(api: Api) -> None:
    """Neither is a conflict."""
    for external_id in ("1", "2"):
        api.contact(external_id=external_id, email="a@example.com")
    for _ in range(2):
        api.contact(role="lead", email="b@example.com")
    assert 4 == api.standin.counts()["contacts"]


def test_archived_comes_back_and_deleted_does_not(api: Api) -> None:
    """An archived contact is not found, but its external id is taken; a deleted one's is free."""
    contact = api.contact(external_id="1")
    assert api.ok("POST", f"/contacts/{contact}/archive")["archived"]
    for method, path in (
        ("GET", f"/contacts/{contact}"),
        ("PUT", f"/contacts/{contact}"),
        ("GET", "/contacts/find_by_external_id/1"),
    ):
        assert "not_found" == api.error(404, method, path, {})[0]
    assert not api.ok("POST", f"/contacts/{contact}/unarchive")["archived"]
    assert contact == api.ok("GET", "/contacts/find_by_external_id/1")["id"]
    assert api.ok("DELETE", f"/contacts/{contact}")["deleted"]
    assert "not_found" == api.error(404, "POST", f"/contacts/{contact}/unarchive")[0]
    assert contact != api.contact(external_id="1")


def search(api: Api, query: dict[str, Any], **pagination: Any) -> Any:
    """Searches."""
    return api.ok("POST", "/contacts/search", {"query": query, "pagination": pagination})


def test_a_search_sees_what_was_written_a_while_ago(api: Api) -> None:
    """Not the new contact, and of a changed one what it was."""
    contact = api.contact(external_id="1", name="Ann")
    ann = {"field": "name", "operator": "=", "value": "Ann"}
    assert 0 == search(api, ann)["total_count"]
    api.standin.advance(60)
    assert 1 == search(api, ann)["total_count"]
    api.ok("PUT", f"/contacts/{contact}", {"name": "Bea"})
    assert "Ann" == search(api, ann)["data"][0]["name"]
    api.standin.advance(60)
    assert 0 == search(api, ann)["total_count"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"field": "external_id", "operator": "IN", "value": ["1", "3"]}, ["1", "3"]),
        ({"field": "external_id", "operator": "NIN", "value": ["1", "3"]}, ["2"]),
        ({"field": "email", "operator": "=", "value": "E2@example.com"}, ["2"]),
        ({"field": "email", "operator": "^", "value": "e"}, ["1", "2", "3"]),
        ({"field": "custom_attributes.seats", "operator": ">", "value": "1"}, ["2", "3"]),
        (
            {
                "operator": "AND",
                "value": [
                    {"field": "role", "operator": "=", "value": "user"},
                    {
                        "operator": "OR",
                        "value": [
                            {"field": "external_id", "operator": "=", "value": "2"},
                            {"field": "custom_attributes.seats", "operator": "<", "value": 2},
                        ],
                    },
                ],
            },
            ["1", "2"],
        ),
    ],
)
def test_filters(api: Api, query: dict[str, Any], expected: list[str]) -> None:
    """One, or groups of them."""
    api.standin.set(search_lag_s=0)
    for n in (1, 2, 3):
        api.contact(external_id=str(n), email=f"e{n}@example.com", custom_attributes={"seats": n})
    assert expected == [found["external_id"] for found in search(api, query)["data"]]


@pytest.mark.parametrize(
    "query",
    [
        None,
        {"field": "color", "operator": "=", "value": 1},
        {"field": "name", "operator": "==", "value": 1},
        {"field": "name", "operator": "IN", "value": "x"},
        {"operator": "AND", "value": [{"field": "name", "operator": "=", "value": "x"}] * 16},
    ],
)
def test_a_query_that_is_none(api: Api, query: Any) -> None:
    """Unknown fields and operators, more than fifteen filters."""
    assert api.error(400, "POST", "/contacts/search", {"query": query})[0].startswith("parameter_")


def test_lists_come_page_by_page(api: Api) -> None:
    """At most 150 a page."""
    api.standin.set(search_lag_s=0)
    ids = [api.contact(external_id=str(n)) for n in range(3)]
    everybody = {"field": "role", "operator": "=", "value": "user"}
    first = search(api, everybody, per_page=2)
    second = search(api, everybody, per_page=2, starting_after=first["pages"]["next"]["starting_after"])
    assert ids == [found["id"] for page in (first, second) for found in page["data"]]
    assert ("next" in second["pages"], 2, 3) == (False, second["pages"]["total_pages"], second["total_count"])
    assert ids == [found["id"] for found in api.ok("GET", "/contacts")["data"]]
    content = {"query": everybody, "pagination": {"per_page": 151}}
    assert "parameter_invalid" == api.error(400, "POST", "/contacts/search", content)[0]


def test_tags_are_put_on_and_taken_off(api: Api) -> None:
    """One by one, or on many at once: on all of them or, where one is nobody, on none."""
    first, second = api.contact(external_id="1"), api.contact(external_id="2")
    tag = api.ok("POST", "/tags", {"name": "risk"})
    assert tag == api.ok("POST", "/tags", {"name": "Risk"})
    assert "risk" == api.ok("POST", f"/contacts/{first}/tags", {"id": tag["id"]})["name"]
    assert ["risk"] == [each["name"] for each in api.ok("GET", f"/contacts/{first}/tags")["data"]]
    nobody = {"name": "risk", "users": [{"id": second}, {"id": "none"}]}
    assert "not_found" == api.error(404, "POST", "/tags", nobody)[0]
    assert [] == api.ok("GET", f"/contacts/{second}/tags")["data"]
    api.ok("POST", "/tags", {"name": "vip", "users": [{"id": first}, {"id": second}]})
    api.ok("DELETE", f"/contacts/{first}/tags/{tag['id']}")
    assert [["vip"], ["vip"]] == [contact["tags"] for contact in api.standin.records("contacts")]
    assert "not_found" == api.error(404, "DELETE", f"/contacts/{first}/tags/{tag['id']}")[0]
    assert "not_found" == api.error(404, "POST", f"/contacts/{first}/tags", {"id": "99"})[0]
    assert "not_found" == api.error(404, "POST", "/contacts/none/tags", {"id": tag["id"]})[0]
    assert ["risk", "vip"] == [each["name"] for each in api.ok("GET", "/tags")["data"]]


def test_a_company_is_hidden_until_somebody_belongs_to_it(api: Api) -> None:
    """It is written by its own id, and a fraction of what it spends is lost."""
    content = {"company_id": "acme", "name": "Acme", "monthly_spend": 9.99, "custom_attributes": {"plan": "pro"}}
    made = api.ok("POST", "/companies", content)
    again = api.ok("POST", "/companies", {"company_id": "acme", "name": "Acme Corp"})
    assert (made["id"], "Acme Corp", 9, {"plan": "pro"}) == tuple(
        again[name] for name in ("id", "name", "monthly_spend", "custom_attributes")
    )
    assert "company_not_found" == api.error(404, "GET", "/companies?company_id=acme")[0]
    contact = api.contact(external_id="1")
    assert 1 == api.ok("POST", f"/contacts/{contact}/companies", {"id": made["id"]})["user_count"]
    assert made["id"] == api.ok("GET", "/companies?company_id=acme")["id"]
    assert [made["id"]] == [each["id"] for each in api.ok("GET", f"/contacts/{contact}/companies")["data"]]
    assert [made["id"]] == [each["id"] for each in api.ok("GET", "/companies")["data"]]
    api.ok("DELETE", f"/contacts/{contact}/companies/{made['id']}")
    assert [] == api.ok("GET", "/companies")["data"]


@pytest.mark.parametrize(
    ("path", "content", "status", "code"),
    [
        ("/companies", {"name": "Acme"}, 400, "parameter_not_found"),
        ("/companies", {"company_id": "a", "size": "3"}, 400, "parameter_invalid"),
        ("/companies", {"company_id": "a", "monthly_spend": "3"}, 400, "parameter_invalid"),
        ("/companies", {"company_id": "a", "custom_attributes": {"x": 1}}, 400, "parameter_invalid"),
        ("/contacts/{}/companies", {}, 400, "parameter_not_found"),
        ("/contacts/{}/companies", {"id": "acme"}, 404, "company_not_found"),
        ("/contacts/none/companies", {"id": "acme"}, 404, "not_found"),
        ("/data_attributes", {"name": "x", "model": "contact"}, 400, "parameter_not_found"),
        ("/data_attributes", {"name": "x", "model": "deal", "data_type": "string"}, 400, "parameter_invalid"),
        ("/data_attributes", {"name": "a.b", "model": "contact", "data_type": "string"}, 400, "parameter_invalid"),
        ("/data_attributes", {"name": "plan", "model": "contact", "data_type": "string"}, 400, "parameter_invalid"),
        ("/data_attributes", {"name": "x", "model": "contact", "data_type": "options"}, 400, "parameter_invalid"),
    ],
)
def test_what_is_refused_of_companies_and_attributes(
    api: Api, path: str, content: dict[str, Any], status: int, code: str
) -> None:
    """With Intercom's code for it."""
    contact = api.contact(external_id="1")
    assert code == api.error(status, "POST", path.format(contact), content)[0]


def test_attributes_can_be_listed_and_made(api: Api) -> None:
    """Of the model that is asked for."""
    options = [{"value": "a"}, {"value": "b"}]
    api.ok("POST", "/data_attributes", {"name": "band", "model": "contact", "data_type": "options", "options": options})
    found = {each["name"]: each for each in api.ok("GET", "/data_attributes?model=contact")["data"]}
    assert {"contact"} == {each["model"] for each in found.values()}
    assert ("string", ["a", "b"], True) == tuple(found["band"][name] for name in ("data_type", "options", "custom"))
    assert not found["email"]["custom"]
    api.contact(external_id="1", custom_attributes={"band": "a"})


def test_the_rate_is_counted_in_windows_of_ten_seconds(api: Api) -> None:
    """Headers say what is left and when it is new; there is no Retry-After."""
    api.standin.set(calls_a_window=2)
    now = api.standin.now()
    left = [api.call("GET", "/me") for _ in range(3)]
    assert ["1", "0", "0"] == [answer.headers["x-ratelimit-remaining"] for answer in left]
    assert (429, "rate_limit_exceeded") == (left[2].status_code, left[2].json()["errors"][0]["code"])
    reset = float(left[2].headers["x-ratelimit-reset"])
    assert "retry-after" not in left[2].headers
    assert 0 < reset - now <= 10
    api.standin.advance(reset - now)
    assert 200 == api.call("GET", "/me").status_code


@pytest.mark.parametrize(
    ("own", "details", "status", "code"),
    [
        ("rate_limited", {"reset_in_s": -5}, 429, "rate_limit_exceeded"),
        ("token_expired", {}, 401, "unauthorized"),
        ("plan_restricted", {}, 403, "api_plan_restricted"),
        ("unique_company_constraint", {}, 400, "unique_company_constraint"),
    ],
)
def test_faults_of_its_own(api: Api, own: str, details: dict[str, Any], status: int, code: str) -> None:
    """Nothing is done then; a time of reset can have passed."""
    api.standin.faults({"do": {"own": own, "details": details}})
    answer = api.call("POST", "/companies", {"company_id": "acme"})
    assert (status, code) == (answer.status_code, answer.json()["errors"][0]["code"])
    assert 0 == api.standin.counts()["companies"]
    if own == "rate_limited":
        assert api.standin.now() > float(answer.headers["x-ratelimit-reset"])


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"intercom-version": "2.15"}, 401, "unauthorized"),
        ({"intercom-version": "2.15", "authorization": "Bearer other"}, 401, "unauthorized"),
        ({"authorization": "Bearer sandbox"}, 400, "intercom_version_invalid"),
        ({"authorization": "Bearer sandbox", "intercom-version": "1.0"}, 400, "intercom_version_invalid"),
    ],
)
def test_token_and_version_are_needed(api: Api, headers: dict[str, str], status: int, code: str) -> None:
    """Another version would have other shapes."""
    answer = api.call("GET", "/me", headers=headers)
    assert (status, code) == (answer.status_code, answer.json()["errors"][0]["code"])


def test_the_region_is_in_the_answer(api: Api) -> None:
    """Of the workspace, whatever host was asked."""
    api.standin.set(region="eu")
    assert "EU" == api.ok("GET", "/me")["app"]["region"]


def test_the_official_client_accepts_its_answers(api: Api) -> None:
    """Contacts, tags, companies, attributes, search; and it raises what is refused."""
    client = Intercom(
        base_url=api.standin.url,
        token="sandbox",
        headers={"Intercom-Version": "2.15"},
        httpx_client=api.standin.http,
    )
    api.standin.set(search_lag_s=0)
    made = client.contacts.create(request=CreateContactRequestWithExternalId(external_id="1"))
    assert made.id is not None
    changed = client.contacts.update(made.id, email="a@example.com", custom_attributes={"plan": "pro"})
    assert ("a@example.com", {"plan": "pro"}) == (changed.email, changed.custom_attributes)
    assert made.id == client.contacts.show_contact_by_external_id("1").id
    query: Any = {"field": "external_id", "operator": "=", "value": "1"}
    assert [made.id] == [found.id for found in client.contacts.search(query=query)]
    tag: Any = client.tags.create(request={"name": "risk"})
    assert "risk" == client.tags.tag_contact(made.id, tag_id=tag.id).name
    company = client.companies.create_or_update(request={"company_id": "acme"})
    assert company.id is not None
    assert 1 == client.companies.attach_contact(made.id, company_id=company.id).user_count
    attributes: Any = client.data_attributes.list(model="contact").data
    assert "plan" in {attribute.name for attribute in attributes}
    assert client.contacts.archive(made.id).archived
    with pytest.raises(ApiError) as refused:
        client.contacts.create(request=CreateContactRequestWithExternalId(external_id="1"))
    assert 409 == refused.value.status_code

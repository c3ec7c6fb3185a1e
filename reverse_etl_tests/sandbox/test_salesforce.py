"""The stand-in for Salesforce: sign-in, describe, collections, single records, look-ups, limits, faults."""

from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from reverse_etl_tests.servers.saas import RunningStandin, Saas

DATA = "/services/data/v66.0"
BY_KEY = f"{DATA}/composite/sobjects/Account/Customer_No__c"
APP = {"client_id": "sandbox", "client_secret": "sandbox"}
Row = dict[str, Any]
Write = Callable[..., httpx.Response]


@pytest.fixture
def salesforce(saas: Saas) -> RunningStandin:
    """A new org."""
    return saas("salesforce")


def sign_in(client: httpx.Client, **form: str) -> httpx.Response:
    """Asks for a token."""
    return client.post("/services/oauth2/token", data={"grant_type": "client_credentials", **APP, **form})


@pytest.fixture
def client(salesforce: RunningStandin, transport: httpx.HTTPTransport) -> httpx.Client:
    """A client with a token."""
    client = httpx.Client(base_url=salesforce.url, transport=transport, trust_env=False)
    client.headers["authorization"] = f"Bearer {sign_in(client).json()['access_token']}"
    return client


@pytest.fixture
def upsert(client: httpx.Client) -> Write:
    """Upserts accounts by their customer number."""
    return lambda *records, **more: client.patch(BY_KEY, json={"allOrNone": False, "records": list(records), **more})


def row(kind: str = "Account", **fields: Any) -> Row:
    """A record of a collection."""
    return {"attributes": {"type": kind}, **fields}


def codes(answer: httpx.Response) -> list[str | None]:
    """For each result its error's code, null for a success."""
    return [None if each["success"] else each["errors"][0]["statusCode"] for each in answer.json()]


def error(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refused request."""
    return answer.status_code, answer.json()[0]["errorCode"]


def test_client_credentials_open_a_session(client: httpx.Client, salesforce: RunningStandin) -> None:
    """The answer says where to call, and whose the token is; wrong credentials are told apart."""
    told = sign_in(client).json()
    assert salesforce.url == told["instance_url"]
    headers = {"authorization": f"Bearer {told['access_token']}"}
    for address in (told["id"], f"{salesforce.url}/services/oauth2/userinfo"):
        who = client.get(address, headers=headers).json()
        assert ("00DSb000000000FAAQ", "integration@sandbox.example") == (
            who["organization_id"],
            who["preferred_username"],
        )
    refusals = [sign_in(client, **{name: "x"}) for name in ("client_id", "client_secret", "grant_type")]
    assert [400, 400, 400] == [answer.status_code for answer in refusals]
    told_apart = ["invalid_client_id", "invalid_client", "unsupported_grant_type"]
    assert told_apart == [answer.json()["error"] for answer in refusals]


def test_a_refresh_token_opens_a_session(client: httpx.Client) -> None:
    """The app's own, and no other."""
    assert sign_in(client, grant_type="refresh_token", refresh_token="sandbox").is_success
    assert "invalid_grant" == sign_in(client, grant_type="refresh_token", refresh_token="x").json()["error"]


def test_an_assertion_opens_a_session(client: httpx.Client, salesforce: RunningStandin) -> None:
    """Signed with the app's key, for its user, not expired; otherwise the grant is invalid."""
    key = rsa.generate_private_key(65_537, 2048)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    audience = "https://login.salesforce.com"
    claims = {
        "iss": "sandbox",
        "sub": "integration@sandbox.example",
        "aud": audience,
        "exp": int(salesforce.now()) + 180,
    }

    def ask(**changed: Any) -> httpx.Response:
        parts = [orjson.dumps({"alg": "RS256"}), orjson.dumps({**claims, **changed})]
        signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
        signature = base64.urlsafe_b64encode(key.sign(signed, padding.PKCS1v15(), SHA256())).rstrip(b"=")
        grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return sign_in(client, grant_type=grant, assertion=(signed + b"." + signature).decode())

    assert "invalid_grant" == ask().json()["error"]
    salesforce.set(jwt_public_key=pem)
    assert ask().is_success
    assert ask(aud=salesforce.url).is_success
    for changed in ({"sub": "x"}, {"aud": "x"}, {"exp": 1}, {"exp": None}):
        assert "invalid_grant" == ask(**changed).json()["error"]
    assert "invalid_client_id" == ask(iss="x").json()["error"]
    key = rsa.generate_private_key(65_537, 2048)
    assert "invalid_grant" == ask().json()["error"]


def test_a_token_ends(client: httpx.Client, salesforce: RunningStandin) -> None:
    """After its time, or on order; then another one is taken."""
    assert client.get(f"{DATA}/limits").is_success
    salesforce.advance(7200)
    assert (401, "INVALID_SESSION_ID") == error(client.get(f"{DATA}/limits"))
    for _ in range(2):
        client.headers["authorization"] = f"Bearer {sign_in(client).json()['access_token']}"
        assert client.get(f"{DATA}/limits").is_success
        salesforce.faults({"do": {"own": "session_expired"}})
        assert [401, 401] == [client.get(f"{DATA}/limits").status_code for _ in range(2)]


@pytest.mark.parametrize(
    ("version", "status"), [("v66.0", 200), ("v45.0", 404), ("v69.0", 404), ("66.0", 404), ("x", 404)]
)
def test_the_path_has_a_version(client: httpx.Client, version: str, status: int) -> None:
    """One that there is."""
    assert status == client.get(f"/services/data/{version}/limits").status_code


def test_an_object_is_described(client: httpx.Client) -> None:
    """Its fields with all that rules are made of."""
    fields = {each["name"]: each for each in client.get(f"{DATA}/sobjects/Account/describe").json()["fields"]}
    key, tier, score, parent = (fields[name] for name in ("Customer_No__c", "Tier__c", "Health_Score__c", "ParentId"))
    assert (True, True, False, 40) == (key["externalId"], key["unique"], key["caseSensitive"], key["length"])
    assert [True, True, True, False] == [each["active"] for each in tier["picklistValues"]]
    assert (True, 5, 2) == (tier["restrictedPicklist"], score["precision"], score["scale"])
    assert (["Account"], "Parent") == (parent["referenceTo"], parent["relationshipName"])
    required = {name for name, each in fields.items() if each["createable"] and not each["nillable"]}
    assert {"Name"} == required - {name for name, each in fields.items() if each["defaultedOnCreate"]}
    assert (404, "NOT_FOUND") == error(client.get(f"{DATA}/sobjects/Nope/describe"))


def test_an_upsert_makes_a_record_and_then_changes_it(upsert: Write, salesforce: RunningStandin) -> None:
    """Found without regard to case; what is not named stays, null clears; results are in the order sent."""
    made = upsert(row(Customer_No__c="c1", Name="Acme", Health_Score__c=1), row(Customer_No__c="c2", Name="Bolt"))
    changed = upsert(row(Customer_No__c="c2", Tier__c="Gold"), row(Customer_No__c="C1", Health_Score__c=None))
    assert (200, [True, True]) == (made.status_code, [each["created"] for each in made.json()])
    assert [False, False] == [each["created"] for each in changed.json()]
    assert [each["id"] for each in made.json()] == [each["id"] for each in changed.json()][::-1]
    first, second = salesforce.records("Account")
    assert ("Acme", None, "C1") == (first["Name"], first["Health_Score__c"], first["Customer_No__c"])
    assert ("Bolt", "Gold", False) == (second["Name"], second["Tier__c"], second["Is_Active__c"])


@pytest.mark.parametrize(
    ("fields", "code", "named"),
    [
        ({}, "REQUIRED_FIELD_MISSING", ["Name"]),
        ({"Name": None}, "REQUIRED_FIELD_MISSING", ["Name"]),
        ({"Name": " "}, "REQUIRED_FIELD_MISSING", ["Name"]),
        ({"Name": "x" * 81}, "STRING_TOO_LONG", ["Name"]),
        ({"Name": 5}, "JSON_PARSER_ERROR", ["Name"]),
        ({"Name": "x", "Tier__c": "Copper"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["Tier__c"]),
        ({"Name": "x", "Interests__c": "News;Sport"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["Interests__c"]),
        ({"Name": "x", "Health_Score__c": 1000}, "NUMBER_OUTSIDE_VALID_RANGE", ["Health_Score__c"]),
        ({"Name": "x", "Health_Score__c": "high"}, "JSON_PARSER_ERROR", ["Health_Score__c"]),
        ({"Name": "x", "NumberOfEmployees": 1.5}, "JSON_PARSER_ERROR", ["NumberOfEmployees"]),
        ({"Name": "x", "Is_Active__c": None}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["Is_Active__c"]),
        ({"Name": "x", "Renews_On__c": "2026-02-30"}, "JSON_PARSER_ERROR", ["Renews_On__c"]),
        ({"Name": "x", "Last_Seen_At__c": "2026-01-02T03:04:05"}, "JSON_PARSER_ERROR", ["Last_Seen_At__c"]),
        ({"Name": "x", "Nope__c": 1}, "INVALID_FIELD", ["Nope__c"]),
        ({"Name": "x", "Score_Band__c": "A"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Score_Band__c"]),
        ({"Name": "x", "Id": "001Sb0000000001IAA"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Id"]),
        ({"Name": "x", "ParentId": "abc"}, "MALFORMED_ID", ["ParentId"]),
        ({"Name": "x", "ParentId": "001Sb0000000009AAA"}, "MALFORMED_ID", ["ParentId"]),
        ({"Name": "x", "ParentId": "001Sb0000000009"}, "INVALID_CROSS_REFERENCE_KEY", ["ParentId"]),
        ({"Name": "x", "Parent": {"Customer_No__c": "c9"}}, "INVALID_FIELD", ["ParentId"]),
        ({"Name": "x", "Parent": {"Website": "c9"}}, "INVALID_FIELD", ["ParentId"]),
    ],
)
def test_a_record_that_is_refused_fails_alone(upsert: Write, fields: Row, code: str, named: list[str]) -> None:
    """With its code and fields; the others are written."""
    answer = upsert(row(Customer_No__c="c1", **fields), row(Customer_No__c="c2", Name="Bolt"))
    assert (200, [code, None]) == (answer.status_code, codes(answer))
    assert named == answer.json()[0]["errors"][0]["fields"]


def test_values_are_kept_as_salesforce_does(upsert: Write, salesforce: RunningStandin) -> None:
    """Rounded to the scale, trimmed, instants in UTC; a parent by its external id becomes its id."""
    upsert(row(Customer_No__c="c1", Name=" Acme "))
    instant = "2026-01-02T04:04:05.678+01:00"
    upsert(
        row(
            Customer_No__c="c2",
            Name="B",
            Health_Score__c=1.005,
            Last_Seen_At__c=instant,
            Parent={"Customer_No__c": "C1"},
        )
    )
    first, second = salesforce.records("Account")
    assert ("Acme", 1.01) == (first["Name"], second["Health_Score__c"])
    assert ("2026-01-02T03:04:05.678+0000", first["Id"]) == (second["Last_Seen_At__c"], second["ParentId"])


def test_the_same_key_twice_fails_every_row_with_it(upsert: Write, salesforce: RunningStandin) -> None:
    """None of them is written; a row without a key fails too."""
    answer = upsert(*(row(Customer_No__c=key, Name="x") for key in ("c1", "c2", "C1")), row(Name="x"))
    assert ["DUPLICATE_VALUE", None, "DUPLICATE_VALUE", "MISSING_ARGUMENT"] == codes(answer)
    assert ["c2"] == [each["Customer_No__c"] for each in salesforce.records("Account")]


def test_a_key_that_several_records_have_finds_none(client: httpx.Client, salesforce: RunningStandin) -> None:
    """Neither in a collection nor alone, where the answer is 300 with their addresses, nor as a parent."""
    held = salesforce.put("Account", *({"Name": name, "Region_Code__c": "north"} for name in "ab"))
    body = {"records": [row(Region_Code__c="north", Name="c")]}
    assert ["DUPLICATE_EXTERNAL_ID"] == codes(
        client.patch(f"{DATA}/composite/sobjects/Account/Region_Code__c", json=body)
    )
    several = client.patch(f"{DATA}/sobjects/Account/Region_Code__c/north", json={"Name": "c"})
    assert (300, [f"{DATA}/sobjects/Account/{each['Id']}" for each in held]) == (several.status_code, several.json())
    child = {"records": [row("Contact", LastName="x", Account={"Region_Code__c": "north"})]}
    assert ["INVALID_FIELD"] == codes(client.post(f"{DATA}/composite/sobjects", json=child))


def test_what_is_unique_stays_so(client: httpx.Client, salesforce: RunningStandin) -> None:
    """An insert with a key that is there, and a change to another's, are told on that field."""
    first, second = salesforce.put("Account", *({"Name": key, "Customer_No__c": key} for key in ("c1", "c2")))
    inserted = client.post(f"{DATA}/composite/sobjects", json={"records": [row(Customer_No__c="C1", Name="x")]})
    changed = client.patch(
        f"{DATA}/composite/sobjects",
        json={"records": [row(id=second["Id"], Customer_No__c="c1"), row(id=first["Id"], Name="y")]},
    )
    assert (["DUPLICATE_VALUE"], ["DUPLICATE_VALUE", None]) == (codes(inserted), codes(changed))
    assert ["Customer_No__c"] == inserted.json()[0]["errors"][0]["fields"]
    assert first["Id"] in inserted.json()[0]["errors"][0]["message"]


def test_records_are_deleted_by_id(client: httpx.Client, salesforce: RunningStandin) -> None:
    """Each answered in its place; who is gone is told so, and the key is free."""
    (held,) = salesforce.put("Account", {"Name": "a", "Customer_No__c": "c1"})
    unknown = held["Id"].replace("001IAA", "009")
    address = f"{DATA}/composite/sobjects"
    answer = client.delete(address, params={"ids": f"{unknown},{held['Id']},abc", "allOrNone": "false"})
    assert ["INVALID_CROSS_REFERENCE_KEY", None, "MALFORMED_ID"] == codes(answer)
    assert ["ENTITY_IS_DELETED"] == codes(client.delete(address, params={"ids": held["Id"]}))
    assert salesforce.put("Account", {"Name": "b", "Customer_No__c": "c1"})
    assert [True, False] == [each["IsDeleted"] for each in salesforce.records("Account")]


def test_all_or_none_writes_none(upsert: Write, salesforce: RunningStandin) -> None:
    """The record at fault has its own code, the others say that they were rolled back."""
    answer = upsert(row(Customer_No__c="c1", Name="x"), row(Customer_No__c="c2"), allOrNone=True)
    assert ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"] == codes(answer)
    assert [] == salesforce.records("Account")


@pytest.mark.parametrize(
    ("path", "records", "expected"),
    [
        (
            "Account/Customer_No__c",
            [row(Customer_No__c=str(n), Name="x") for n in range(201)],
            (400, "EXCEEDED_ID_LIMIT"),
        ),
        ("Account/Customer_No__c", [], (400, "REQUIRED_FIELD_MISSING")),
        ("Account/Name", [row(Name="x")], (404, "NOT_FOUND")),
        ("Account/Id", [row(Name="x")], (404, "NOT_FOUND")),
        ("Nope/Customer_No__c", [row("Nope")], (404, "NOT_FOUND")),
        ("Account/Customer_No__c", [row("Contact")], (400, "INVALID_TYPE")),
        ("Account/Customer_No__c", [{"Name": "x"}], (400, "INVALID_TYPE")),
    ],
)
def test_a_request_that_is_none_is_refused(
    client: httpx.Client, path: str, records: list[Row], expected: tuple[int, str]
) -> None:
    """As a list with one error."""
    assert expected == error(client.patch(f"{DATA}/composite/sobjects/{path}", json={"records": records}))


def test_a_malformed_record_can_fail_the_request(upsert: Write, salesforce: RunningStandin) -> None:
    """An unknown field and an unreadable value: the other reading of what is not documented."""
    salesforce.set(malformed="request")
    for wrong, code in (({"Nope": 1}, "INVALID_FIELD"), ({"Renews_On__c": "x"}, "JSON_PARSER_ERROR")):
        answer = upsert(row(Customer_No__c="c1", Name="x"), row(Customer_No__c="c2", Name="x", **wrong))
        assert (400, code) == error(answer)
    assert [] == salesforce.records("Account")
    unknown_parent = upsert(row(Customer_No__c="c1", Name="x", Parent={"Customer_No__c": "zz"}))
    assert ["INVALID_FIELD"] == codes(unknown_parent)


def test_one_record_has_an_address(client: httpx.Client) -> None:
    """By its key: made, changed, only changed, read and deleted."""
    address = f"{DATA}/sobjects/Account/Customer_No__c/c1"
    assert (404, "NOT_FOUND") == error(client.patch(address, params={"updateOnly": "true"}, json={"Name": "x"}))
    assert [201, 200] == [client.patch(address, json={"Name": "Acme"}).status_code for _ in range(2)]
    assert (400, "REQUIRED_FIELD_MISSING") == error(client.patch(address, json={"Name": None}))
    assert "Acme" == client.get(address).json()["Name"]
    assert [204, 404] == [client.delete(address).status_code for _ in range(2)]


def test_look_ups_find_by_lists(client: httpx.Client, salesforce: RunningStandin) -> None:
    """Without regard to case, with quotes escaped, by several fields and a parent's, a page at a time."""
    salesforce.put("Account", *({"Name": f"O'{n}", "Customer_No__c": f"c{n}"} for n in range(5)))
    salesforce.put("Contact", {"LastName": "x", "Email": "a@acme.example", "Account": {"Customer_No__c": "c3"}})

    def ask(statement: str) -> Any:
        return client.get(f"{DATA}/query", params={"q": statement})

    told = ask("SELECT Id, Customer_No__c FROM Account WHERE Customer_No__c IN ('C1', 'zz', 'c2')").json()
    assert (2, True, ["c1", "c2"]) == (
        told["totalSize"],
        told["done"],
        [each["Customer_No__c"] for each in told["records"]],
    )
    named = ask(r"select Customer_No__c from Account where Name = 'o\'3' and Customer_No__c != null limit 1").json()
    assert ["c3"] == [each["Customer_No__c"] for each in named["records"]]
    child = ask("SELECT Account.Name FROM Contact WHERE Email IN ('A@acme.example')").json()["records"][0]
    assert {"Name": "O'3"} == child["Account"]
    salesforce.set(query_page_rows=2)
    page = ask("SELECT Customer_No__c FROM Account").json()
    found = [each["Customer_No__c"] for each in page["records"]]
    while not page["done"]:
        page = client.get(page["nextRecordsUrl"]).json()
        found += [each["Customer_No__c"] for each in page["records"]]
    assert ([f"c{n}" for n in range(5)], 5) == (found, page["totalSize"])


def test_a_key_can_be_a_number(client: httpx.Client, salesforce: RunningStandin) -> None:
    """Found as one in a collection, by its address and in a statement, where it has no quotes."""
    body = {"records": [row(Legacy_No__c=7, Name="a"), row(Legacy_No__c="8", Name="b")]}
    assert [None, None] == codes(client.patch(f"{DATA}/composite/sobjects/Account/Legacy_No__c", json=body))
    assert 200 == client.patch(f"{DATA}/sobjects/Account/Legacy_No__c/7", json={"Phone": "1"}).status_code
    assert (400, "INVALID_TYPE_ON_FIELD_IN_RECORD") == error(client.get(f"{DATA}/sobjects/Account/Legacy_No__c/x"))
    asked = {"q": "SELECT Name, Phone FROM Account WHERE Legacy_No__c IN (7, 8) AND Is_Active__c = false"}
    found = client.get(f"{DATA}/query", params=asked).json()["records"]
    assert [("a", "1"), ("b", None)] == [(each["Name"], each["Phone"]) for each in found]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
        ("SELECT Nope FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Nope = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Name = 'O'Neill'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Name IN ()", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Legacy_No__c IN ('7')", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Customer_No__c IN (7)", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Renews_On__c = '2026-01-02'", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Is_Active__c = 'true'", "INVALID_FIELD"),
        ("SELECT Id, FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account ORDER BY Name", "MALFORMED_QUERY"),
        (f"SELECT Id FROM Account WHERE Name = '{'x' * 4001}'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Id IN ('abc')", "INVALID_QUERY_FILTER_OPERATOR"),
    ],
)
def test_a_statement_that_is_none_is_refused(client: httpx.Client, statement: str, code: str) -> None:
    """With Salesforce's code."""
    assert (400, code) == error(client.get(f"{DATA}/query", params={"q": statement}))


def test_an_address_has_an_end(client: httpx.Client) -> None:
    """16,384 bytes."""
    assert (
        414
        == client.get(f"{DATA}/query", params={"q": "SELECT Id FROM Account WHERE Id = '" + "x" * 16_384}).status_code
    )


def test_every_answer_says_what_is_left_of_the_day(client: httpx.Client, salesforce: RunningStandin) -> None:
    """Also a refusal; at the limit calls are refused, until a day later some are free again."""
    salesforce.set(calls_a_day=12, calls_of_others=9)
    answers = [client.get(f"{DATA}/{path}") for path in ("limits", "sobjects/Nope/describe", "limits", "limits")]
    assert [200, 404, 200, 403] == [answer.status_code for answer in answers]
    told = [answer.headers["sforce-limit-info"].split(",")[0] for answer in answers]
    assert [f"api-usage={used}/12" for used in (10, 11, 12, 12)] == told
    assert (403, "REQUEST_LIMIT_EXCEEDED") == error(answers[3])
    assert {"Max": 12, "Remaining": 2} == answers[0].json()["DailyApiRequests"]
    salesforce.set(token_s=10**6)
    client.headers["authorization"] = f"Bearer {sign_in(client).json()['access_token']}"
    salesforce.advance(25 * 3600)
    assert client.get(f"{DATA}/limits").is_success


@pytest.mark.parametrize(
    ("own", "expected", "used_up"),
    [
        ("day_limit", (403, "REQUEST_LIMIT_EXCEEDED"), True),
        ("concurrent_limit", (403, "REQUEST_LIMIT_EXCEEDED"), False),
        ("not_expiry", (401, "INVALID_SESSION_ID"), False),
        ("api_disabled", (403, "API_DISABLED_FOR_ORG"), False),
    ],
)
def test_a_request_can_be_refused_on_order(
    upsert: Write, salesforce: RunningStandin, own: str, expected: tuple[int, str], used_up: bool
) -> None:
    """Nothing is written; whether the day is used up can be told by the header."""
    salesforce.faults({"do": {"own": own}})
    answer = upsert(row(Customer_No__c="c1", Name="x"))
    used, most = answer.headers["sforce-limit-info"].split(",")[0].removeprefix("api-usage=").split("/")
    assert (expected, used_up) == (error(answer), used == most)
    assert [] == salesforce.records("Account")
    assert used_up != upsert(row(Customer_No__c="c1", Name="x")).is_success


def test_rows_of_a_locked_parent_fail_in_large_requests(client: httpx.Client, salesforce: RunningStandin) -> None:
    """Those of other parents are written; as many as the fault lets pass are, too."""
    salesforce.put("Account", *({"Name": key, "Customer_No__c": key} for key in ("p1", "p2")))
    details = {"parents": ["p1"], "most": 2}
    salesforce.faults({"always": True, "do": {"own": "row_lock", "details": details}})

    def send(*keys: str) -> list[str | None]:
        records = [
            row("Contact", Contact_No__c=f"{n}{key}", LastName="x", Account={"Customer_No__c": key})
            for n, key in enumerate(keys)
        ]
        return codes(client.patch(f"{DATA}/composite/sobjects/Contact/Contact_No__c", json={"records": records}))

    assert ["UNABLE_TO_LOCK_ROW", None, "UNABLE_TO_LOCK_ROW"] == send("p1", "p2", "p1")
    assert [None, None] == send("p1", "p1")


def test_records_can_be_refused_on_order(upsert: Write, salesforce: RunningStandin) -> None:
    """By their keys or every nth, with any code; a lock can come wrapped in a trigger's error."""
    salesforce.faults(
        {"do": {"own": "refuse_records", "details": {"keys": ["c2"], "code": "FIELD_INTEGRITY_EXCEPTION"}}},
        {"do": {"own": "row_lock", "details": {"every": 2, "wrapped": True}}},
        {"do": {"own": "missing_results"}},
    )
    rows = [row(Customer_No__c=f"c{n}", Name="x") for n in (1, 2)]
    assert [None, "FIELD_INTEGRITY_EXCEPTION"] == codes(upsert(*rows))
    wrapped = upsert(*rows)
    assert [None, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"] == codes(wrapped)
    assert "UNABLE_TO_LOCK_ROW" in wrapped.json()[1]["errors"][0]["message"]
    assert 1 == len(upsert(*rows).json())
    assert 2 == len(salesforce.records("Account"))


def test_children_of_one_parent_collide_in_parallel(client: httpx.Client, salesforce: RunningStandin) -> None:
    """Of two requests at a time the later one's rows are refused, but those of other parents and those sent after."""
    salesforce.put("Account", *({"Name": key, "Customer_No__c": key} for key in ("p1", "p2", "p3")))
    address = f"{DATA}/composite/sobjects/Contact/Contact_No__c"

    def send(*keys: str) -> list[str | None]:
        parents = [{"Account": {"Customer_No__c": key}} for key in keys]
        records = [
            row("Contact", Contact_No__c=key, LastName="x", **parent) for key, parent in zip(keys, parents, strict=True)
        ]
        return codes(client.patch(address, json={"records": records}))

    salesforce.set(work_s=0.25)
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda keys: send(*keys), [("p1", "p2"), ("p1", "p3")]))
    assert [[None, None], ["UNABLE_TO_LOCK_ROW", None]] == sorted(answers, key=lambda codes: codes[0] or "")
    salesforce.set(work_s=0)
    assert [None, None] == send("p1", "p3")


def test_records_can_be_looked_at_in_parts(client: httpx.Client, salesforce: RunningStandin) -> None:
    """Without those before and after being made."""
    salesforce.put("Account", *({"Name": f"n{n}"} for n in range(4)))
    assert ["n1", "n2"] == [each["Name"] for each in salesforce.records("Account", offset=1, limit=2)]
    assert ["n3", "n2"] == [each["Name"] for each in salesforce.records("Account", newest=1, limit=2)]
    assert ["n2"] == [each["Name"] for each in salesforce.records("Account", search="n2", limit=2)]

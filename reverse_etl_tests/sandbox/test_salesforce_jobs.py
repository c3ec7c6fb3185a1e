"""The stand-in's Bulk API 2.0: states, the rules of its CSV, results in which every row is once."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pytest

from reverse_etl_tests.sandbox.test_salesforce import DATA, error, sign_in
from reverse_etl_tests.servers.saas import RunningStandin, Saas

JOBS = f"{DATA}/jobs/ingest"
RESULTS = ("successfulResults", "failedResults/", "unprocessedrecords")


@pytest.fixture
def salesforce(saas: Saas) -> RunningStandin:
    """A new org."""
    return saas("salesforce")


@pytest.fixture
def client(salesforce: RunningStandin, transport: httpx.HTTPTransport) -> httpx.Client:
    """A client with a token."""
    client = httpx.Client(base_url=salesforce.url, transport=transport, trust_env=False)
    client.headers["authorization"] = f"Bearer {sign_in(client).json()['access_token']}"
    return client


def made(client: httpx.Client, text: str | bytes, operation: str = "upsert", **more: Any) -> str:
    """The address of an open job with its CSV."""
    key = {"externalIdFieldName": "Customer_No__c"} if operation == "upsert" else {}
    asked = {"object": "Account", "operation": operation, "contentType": "CSV", "lineEnding": "LF", **key, **more}
    answer = client.post(JOBS, json=asked)
    assert ("Open", 200) == (answer.json()["state"], answer.status_code)
    address = f"{JOBS}/{answer.json()['id']}"
    uploaded = client.put(f"{address}/batches", content=text, headers={"content-type": "text/csv"})
    assert (201, b"") == (uploaded.status_code, uploaded.content)
    return address


def ended(client: httpx.Client, address: str) -> dict[str, Any]:
    """A job that is closed and asked for until it has ended."""
    assert "UploadComplete" == client.patch(address, json={"state": "UploadComplete"}).json()["state"]
    for _ in range(5):
        job = dict(client.get(address).json())
        if job["state"] in ("JobComplete", "Failed", "Aborted"):
            return job
    raise AssertionError(job["state"])


def results(client: httpx.Client, address: str, delimiter: str = ",") -> list[list[dict[str, str]]]:
    """The rows of the three results."""
    texts = [client.get(f"{address}/{which}").text for which in RESULTS]
    return [list(csv.DictReader(io.StringIO(text), delimiter=delimiter)) for text in texts]


def lines(*rows: str, header: str = "Customer_No__c,Name") -> str:
    """A CSV."""
    return "\n".join([header, *rows, ""])


def test_a_job_goes_through_its_states(client: httpx.Client) -> None:
    """Results can be read at its end, not before; it takes one upload."""
    address = made(client, lines("c1,Acme"))
    again = client.put(f"{address}/batches", content="x", headers={"content-type": "text/csv"})
    assert (400, "INVALIDJOBSTATE") == error(again)
    assert (400, "INVALIDJOBSTATE") == error(client.get(f"{address}/successfulResults"))
    client.patch(address, json={"state": "UploadComplete"})
    states = [client.get(address).json()["state"] for _ in range(4)]
    assert ["UploadComplete", "InProgress", "JobComplete", "JobComplete"] == states
    assert (400, "INVALIDJOBSTATE") == error(client.patch(address, json={"state": "Aborted"}))
    assert 204 == client.delete(address).status_code
    assert 404 == client.get(address).status_code


def test_every_row_is_in_one_result(client: httpx.Client, salesforce: RunningStandin) -> None:
    """Found again by its key, whatever the order; what failed says why, and what was made and what was changed."""
    (held,) = salesforce.put("Account", {"Name": "old", "Customer_No__c": "c3"})
    address = made(client, lines("c1,Acme", 'c2,"O""Neill, ""A""\nB"', "c3,New", "c4,", "c5,x", "C5,y"))
    job = ended(client, address)
    successful, failed, unprocessed = results(client, address)
    assert {"c1": "true", "c2": "true", "c3": "false"} == {
        each["Customer_No__c"]: each["sf__Created"] for each in successful
    }
    assert 'O"Neill, "A"\nB' == next(each["Name"] for each in successful if each["Customer_No__c"] == "c2")
    assert held["Id"] == next(each["sf__Id"] for each in successful if each["Customer_No__c"] == "c3")
    assert {
        "c4": "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --",
        "c5": "DUPLICATE_VALUE:Duplicate external id specified: c5:Customer_No__c --",
        "C5": "DUPLICATE_VALUE:Duplicate external id specified: C5:Customer_No__c --",
    } == {each["Customer_No__c"]: each["sf__Error"] for each in failed}
    assert ([], 6, 3) == (unprocessed, job["numberRecordsProcessed"], job["numberRecordsFailed"])


def test_results_are_in_another_order(client: httpx.Client, salesforce: RunningStandin) -> None:
    """Unless the order is kept on order."""
    rows = [f"c{n},x" for n in range(50)]
    orders = []
    for shuffled in (True, False):
        salesforce.set(shuffle_results=shuffled)
        address = made(client, lines(*rows))
        ended(client, address)
        orders.append([each["Customer_No__c"] for each in results(client, address)[0]])
    sent = [f"c{n}" for n in range(50)]
    assert (sent, True, True) == (orders[1], sorted(orders[0]) == sorted(sent), orders[0] != sent)


def test_empty_leaves_and_na_clears(client: httpx.Client, salesforce: RunningStandin) -> None:
    """Parents are named by their external id, or cleared."""
    salesforce.put("Account", {"Name": "p", "Customer_No__c": "p1"})
    salesforce.put("Account", {"Name": "a", "Customer_No__c": "c1", "Health_Score__c": 1, "Phone": "1"})
    header = "Customer_No__c,Name,Health_Score__c,Phone,Parent.Customer_No__c"
    for row in ("c1,,#N/A,,P1", "c1,,,2,", "c1,,,,#N/A"):
        address = made(client, lines(row, header=header))
        ended(client, address)
        assert 1 == len(results(client, address)[0])
        held = salesforce.records("Account")[1]
        assert ("a", None) == (held["Name"], held["Health_Score__c"])
        assert (None if "#N/A" in row[-5:] else salesforce.records("Account")[0]["Id"]) == held["ParentId"]
    assert "2" == held["Phone"]


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("Name", "x" * 81, "STRING_TOO_LONG"),
        ("Health_Score__c", "high", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Health_Score__c", "1000", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("NumberOfEmployees", "1.5", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Is_Active__c", "yes", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Is_Active__c", "#N/A", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Renews_On__c", "2026-02-30", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Renews_On__c", "01.02.2026", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Last_Seen_At__c", "2026-01-02 03:04:05", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Last_Seen_At__c", "2026-13-02T03:04:05Z", "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ("Tier__c", "Copper", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("Interests__c", "News;Sport", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("Parent.Customer_No__c", "zz", "INVALID_FIELD"),
        ("ParentId", "abc", "MALFORMED_ID"),
        ("Id", "001Sb0000000001IAA", "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("Score_Band__c", "A", "INVALID_FIELD_FOR_INSERT_UPDATE"),
    ],
)
def test_a_value_that_is_refused_fails_its_row(client: httpx.Client, column: str, value: str, code: str) -> None:
    """The other row is written."""
    other = "" if column != "Name" else "x"
    named = "" if column == "Name" else ",Name"
    rows = (f"c1,{value}{',x' if named else ''}", f"c2,{other}{',x' if named else ''}")
    address = made(client, lines(*rows, header=f"Customer_No__c,{column}{named}"))
    ended(client, address)
    successful, failed, _ = results(client, address)
    assert (["c2"], ["c1"]) == tuple([each["Customer_No__c"] for each in part] for part in (successful, failed))
    assert failed[0]["sf__Error"].startswith(f"{code}:")


def test_values_are_kept_as_in_collections(client: httpx.Client, salesforce: RunningStandin) -> None:
    """What is told by the column and what is told value by value come out alike."""
    header = (
        "Customer_No__c,Name,Health_Score__c,NumberOfEmployees,Is_Active__c,Renews_On__c,Last_Seen_At__c,Interests__c"
    )
    address = made(
        client,
        lines(
            "c1, A ,1.5,7,true,2026-01-02,2026-01-02T04:04:05.678+01:00,News",
            "c2,B,1.005,+7,1,2026-01-02,2026-01-02T04:04:05.678+0100,News;Events",
            header=header,
        ),
    )
    ended(client, address)
    first, second = salesforce.records("Account")
    assert ("A", 1.5, 7, True, "News") == tuple(
        first[name] for name in ("Name", "Health_Score__c", "NumberOfEmployees", "Is_Active__c", "Interests__c")
    )
    assert (1.01, 7, True, "News;Events") == tuple(
        second[name] for name in ("Health_Score__c", "NumberOfEmployees", "Is_Active__c", "Interests__c")
    )
    for held in (first, second):
        assert ("2026-01-02", "2026-01-02T03:04:05.678+0000") == (held["Renews_On__c"], held["Last_Seen_At__c"])


def test_a_column_spelt_in_another_case_comes_back_empty(client: httpx.Client, salesforce: RunningStandin) -> None:
    """It is written all the same: matching by it finds nothing."""
    address = made(client, lines("c1,Acme", header="customer_no__c,Name"))
    ended(client, address)
    (told,) = results(client, address)[0]
    assert ("", "Acme") == (told["customer_no__c"], told["Name"])
    assert ["c1"] == [each["Customer_No__c"] for each in salesforce.records("Account")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lines("c1,x", header="Customer_No__c,Nope"), "Field name not found : Nope"),
        (lines("c1,x", header="Customer_No__c,Customer_No__c"), "Duplicate field name"),
        ("\ufeff" + lines("c1,x"), "byte order mark"),
        (lines("c1,x").replace("\n", "\r\n"), "LineEnding is invalid"),
        (lines("c1,x,y"), "Expected 2 columns"),
        ("", "no header"),
        (lines("c1,\udcff").encode(errors="surrogateescape"), "UTF8"),
    ],
)
def test_a_csv_that_is_none_fails_the_job(
    client: httpx.Client, salesforce: RunningStandin, text: str | bytes, message: str
) -> None:
    """Nothing is written; what can be read of it is unprocessed."""
    job = ended(client, made(client, text))
    assert ("Failed", True) == (job["state"], message in job["errorMessage"])
    assert [] == salesforce.records("Account")


def test_a_job_can_fail_halfway(client: httpx.Client, salesforce: RunningStandin) -> None:
    """What was written, what was refused and what was not touched are told apart."""
    salesforce.faults({"match": {"method": "PATCH"}, "do": {"own": "job_fails", "details": {"applied_rows": 3}}})
    address = made(client, lines("c1,x", "c2,", "c3,x", "c4,x", "c5,x"))
    job = ended(client, address)
    keys = [sorted(each["Customer_No__c"] for each in part) for part in results(client, address)]
    assert ("Failed", [["c1", "c3"], ["c2"], ["c4", "c5"]]) == (job["state"], keys)
    assert (3, 1) == (job["numberRecordsProcessed"], job["numberRecordsFailed"])
    assert ["c1", "c3"] == [each["Customer_No__c"] for each in salesforce.records("Account")]


def test_an_aborted_job_may_have_written_a_part(client: httpx.Client, salesforce: RunningStandin) -> None:
    """None of it before it has begun, half of it after."""
    for polls, written in ((0, 0), (2, 2)):
        address = made(client, lines(*(f"{polls}-{n},x" for n in range(4))))
        client.patch(address, json={"state": "UploadComplete"})
        for _ in range(polls):
            client.get(address)
        assert "Aborted" == client.patch(address, json={"state": "Aborted"}).json()["state"]
        assert [written, 0, 4 - written] == [len(part) for part in results(client, address)]
    assert 2 == len(salesforce.records("Account"))


def test_counters_can_leave_rows_out(client: httpx.Client, salesforce: RunningStandin) -> None:
    """The results have them all."""
    salesforce.faults({"match": {"method": "PATCH"}, "do": {"own": "job_miscounts"}})
    address = made(client, lines("c1,x", "c2,x", "c3,"))
    job = ended(client, address)
    assert (1, 0) == (job["numberRecordsProcessed"], job["numberRecordsFailed"])
    assert [2, 1, 0] == [len(part) for part in results(client, address)]


def test_rows_are_written_a_batch_at_a_time(client: httpx.Client, salesforce: RunningStandin) -> None:
    """The same key in another internal batch changes the record; locks come in the results."""
    salesforce.set(bulk_batch_rows=2)
    salesforce.faults({"match": {"method": "PATCH"}, "do": {"own": "row_lock", "details": {"keys": ["c2"]}}})
    address = made(client, lines("c1,a", "c2,a", "c1,b"))
    ended(client, address)
    successful, failed, _ = results(client, address)
    assert ["false", "true"] == sorted(each["sf__Created"] for each in successful)
    assert failed[0]["sf__Error"].startswith("UNABLE_TO_LOCK_ROW:")
    assert ["b"] == [each["Name"] for each in salesforce.records("Account")]


@pytest.mark.parametrize("operation", ["update", "delete", "hardDelete"])
def test_by_id(client: httpx.Client, salesforce: RunningStandin, operation: str) -> None:
    """Changes and deletions name records by their ids, which failed rows bring back."""
    (held,) = salesforce.put("Account", {"Name": "a"})
    header, value = ("Id,Name", ",b") if operation == "update" else ("Id", "")
    address = made(client, lines(f"{held['Id']}{value}", f"abc{value}", header=header), operation)
    ended(client, address)
    successful, failed, _ = results(client, address)
    assert ([held["Id"]], ["abc"]) == ([each["sf__Id"] for each in successful], [each["sf__Id"] for each in failed])
    (after,) = salesforce.records("Account")
    assert (("b", False) if operation == "update" else ("a", True)) == (after["Name"], after["IsDeleted"])


def test_other_delimiters_and_line_endings(client: httpx.Client, salesforce: RunningStandin) -> None:
    """As the job says; results have the delimiter too."""
    text = lines("c1;Acme, Inc", header="Customer_No__c;Name").replace("\n", "\r\n")
    address = made(client, text, columnDelimiter="SEMICOLON", lineEnding="CRLF")
    assert "JobComplete" == ended(client, address)["state"]
    assert ["Acme, Inc"] == [each["Name"] for each in results(client, address, ";")[0]]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"object": "Nope", "operation": "insert"}, (400, "InvalidEntity")),
        ({"object": "Account", "operation": "merge"}, (400, "InvalidJob")),
        ({"object": "Account", "operation": "upsert"}, (400, "InvalidJob")),
        ({"object": "Account", "operation": "upsert", "externalIdFieldName": "Name"}, (404, "NOT_FOUND")),
        ({"object": "Account", "operation": "insert", "columnDelimiter": "DOT"}, (400, "InvalidJob")),
    ],
)
def test_a_job_that_is_none_is_refused(client: httpx.Client, asked: dict[str, str], expected: tuple[int, str]) -> None:
    """When it is made."""
    assert expected == error(client.post(JOBS, json=asked))


def test_a_csv_has_its_content_type(client: httpx.Client) -> None:
    """JSON is none."""
    job = client.post(JOBS, json={"object": "Account", "operation": "insert"}).json()
    assert 415 == client.put(f"{JOBS}/{job['id']}/batches", json={}).status_code

"""``simple-salesforce``, which was not written by us, reads what the stand-in answers."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
)

from reverse_etl_tests.sandbox.test_salesforce import sign_in
from reverse_etl_tests.servers.saas import RunningStandin, Saas


class Plain(HTTPAdapter):
    """Sends without TLS what the client means for ``https://``: it knows no other."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Sends a request."""
        assert request.url is not None
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


@pytest.fixture
def salesforce(saas: Saas) -> RunningStandin:
    """A new org."""
    return saas("salesforce")


@pytest.fixture
def witness(salesforce: RunningStandin, transport: httpx.HTTPTransport) -> Any:
    """The client, signed in."""
    client = httpx.Client(base_url=salesforce.url, transport=transport, trust_env=False)
    return witness_with(salesforce, sign_in(client).json()["access_token"])


def witness_with(salesforce: RunningStandin, token: str) -> Any:
    """The client with a token."""
    session = requests.Session()
    session.mount("https://", Plain())
    return Salesforce(
        instance=salesforce.url.removeprefix("http://"), session_id=token, session=session, version="66.0"
    )


def test_it_describes_queries_and_counts(witness: Any, salesforce: RunningStandin) -> None:
    """Pages are followed, and what is used of the day is read from the header."""
    salesforce.set(query_page_rows=2)
    salesforce.put("Account", *({"Name": str(n)} for n in range(5)))
    assert "Customer_No__c" in {each["name"] for each in witness.Account.describe()["fields"]}
    assert [str(n) for n in range(5)] == [
        each["Name"] for each in witness.query_all("SELECT Name FROM Account")["records"]
    ]
    assert {"Account", "Contact"} <= {each["name"] for each in witness.describe()["sobjects"]}
    assert 100_000 == witness.limits()["DailyApiRequests"]["Max"]
    assert (6, 100_000) == witness.api_usage["api-usage"]


def test_it_writes_records(witness: Any, salesforce: RunningStandin) -> None:
    """Made, changed, read and deleted; refusals are told apart."""
    made = witness.Account.create({"Name": "Acme", "Customer_No__c": "c1"})
    assert made["success"]
    assert [200, 204] == [
        witness.Account.upsert("Customer_No__c/c1", {"Name": "New"}),
        witness.Account.update(made["id"], {"Phone": "1"}),
    ]
    assert "New" == witness.Account.get_by_custom_id("Customer_No__c", "c1")["Name"]
    assert 204 == witness.Account.delete(made["id"])
    with pytest.raises(SalesforceMalformedRequest, match="REQUIRED_FIELD_MISSING"):
        witness.Account.create({"Customer_No__c": "c1"})
    salesforce.put("Account", *({"Name": name, "Region_Code__c": "north"} for name in "ab"))
    with pytest.raises(SalesforceMoreThanOneRecord):
        witness.Account.upsert("Region_Code__c/north", {"Name": "c"})
    with pytest.raises(SalesforceExpiredSession):
        witness_with(salesforce, "other").limits()


def test_it_runs_jobs(witness: Any, salesforce: RunningStandin) -> None:
    """From records to results, all three."""
    salesforce.set(polls_until_done=0)
    rows = [{"Customer_No__c": "c1", "Name": "Acme"}, {"Customer_No__c": "c2", "Name": "x" * 81}]
    (job,) = witness.bulk2.Account.upsert(records=rows, external_id_field="Customer_No__c", wait=0)
    assert (2, 1) == (job["numberRecordsProcessed"], job["numberRecordsFailed"])
    read = witness.bulk2.Account.get_all_ingest_records(job["job_id"])
    assert ["c1"] == [each["Customer_No__c"] for each in read["successfulRecords"]]
    assert ["c2"] == [each["Customer_No__c"] for each in read["failedRecords"]]
    unprocessed = witness.bulk2.Account.get_unprocessed_records(job["job_id"])
    assert [] == list(csv.DictReader(io.StringIO(unprocessed)))

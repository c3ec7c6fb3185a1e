"""HubSpot's own client, which was not written by us, reads what the stand-in answers."""

from __future__ import annotations

from typing import Any

import pytest
from hubspot import HubSpot
from hubspot.crm.associations.v4 import BatchInputPublicAssociationMultiPost
from hubspot.crm.lists import MembershipChangeRequest
from hubspot.crm.objects import BatchInputSimplePublicObjectBatchInputUpsert, BatchReadInputSimplePublicObjectId
from hubspot.crm.objects.exceptions import ApiException

from reverse_etl_tests.servers.saas import RunningStandin, Saas


@pytest.fixture
def hubspot(saas: Saas) -> RunningStandin:
    """A new account."""
    return saas("hubspot")


def pointed(api: Any, standin: RunningStandin) -> Any:
    """One of the client's interfaces with the stand-in's address, which refuses answers without a required part."""
    api.api_client.configuration.host = standin.url
    api.api_client.configuration.client_side_validation = True
    return api


def upsert(*keys: str) -> BatchInputSimplePublicObjectBatchInputUpsert:
    """A batch of contacts; a key that begins with a minus sign is refused."""
    inputs = [
        {
            "id": key,
            "idProperty": "customer_no",
            "objectWriteTraceId": str(place),
            "properties": {"score": "x" if key.startswith("-") else "1"},
        }
        for place, key in enumerate(keys)
    ]
    return BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs)


def test_its_client_reads_batches(hubspot: RunningStandin) -> None:
    """Upserts with and without errors, and records read back."""
    batch = pointed(HubSpot(access_token="sandbox").crm.objects.batch_api, hubspot)
    whole = batch.upsert("contacts", upsert("c1", "c2"))
    partly = batch.upsert("contacts", upsert("c1", "-c3"))
    assert ("COMPLETE", {"0", "1"}) == (whole.status, {each.object_write_trace_id for each in whole.results})
    assert (1, [False]) == (partly.num_errors, [each.new for each in partly.results])
    assert [{"objectWriteTraceId": ["1"]}] == [each.context for each in partly.errors]
    wanted = BatchReadInputSimplePublicObjectId(
        id_property="customer_no", properties=["score"], inputs=[{"id": "c1"}], properties_with_history=[]
    )
    read = batch.read("contacts", wanted)
    assert ["1"] == [each.properties["score"] for each in read.results]


def test_its_client_reads_refusals(hubspot: RunningStandin) -> None:
    """The status and the category of a wrong token."""
    batch = pointed(HubSpot(access_token="other").crm.objects.batch_api, hubspot)
    with pytest.raises(ApiException, match="INVALID_AUTHENTICATION") as caught:
        batch.upsert("contacts", upsert("c1"))
    assert 401 == caught.value.status


def test_its_client_reads_properties_lists_and_associations(hubspot: RunningStandin) -> None:
    """Each with what the client requires."""
    client = HubSpot(access_token="sandbox")
    (contact,) = hubspot.put("contacts", {"customer_no": "c1"})
    (company,) = hubspot.put("companies", {"name": "Acme"})
    properties = pointed(client.crm.properties.core_api, hubspot).get_all("contacts").results
    assert {"customer_no"} == {each.name for each in properties if each.has_unique_value}
    changed = pointed(client.crm.lists.memberships_api, hubspot).add_and_remove(
        "42", MembershipChangeRequest(record_ids_to_add=[contact["id"]], record_ids_to_remove=["9"])
    )
    assert ([contact["id"]], [], ["9"]) == (
        changed.records_ids_added,
        changed.record_ids_removed,
        changed.record_ids_missing,
    )
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}]
    pair = {"from": {"id": contact["id"]}, "to": {"id": company["id"]}, "types": types}
    made = pointed(client.crm.associations.v4.batch_api, hubspot).create(
        "contacts", "companies", BatchInputPublicAssociationMultiPost(inputs=[pair])
    )
    assert [company["id"]] == [str(each.to_object_id) for each in made.results]

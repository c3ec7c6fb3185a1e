"""Records found by a unique property, by reading them: a search would not find what was written a moment ago.

Source: developers.hubspot.com, CRM objects, batch read, 2026-09.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.destinations.base import RequestRefused, TryAgain
from reverse_etl.destinations.hubspot.batches import folded
from reverse_etl.destinations.hubspot.refusals import reason_of
from reverse_etl.destinations.hubspot.section import EMAIL, RECORD_ID

if TYPE_CHECKING:
    from reverse_etl.destinations.hubspot.client import Client

_FURTHER_EMAILS: Final = "hs_additional_emails"


async def find(
    client: Client, object_type: str, by: str, keys: Sequence[str]
) -> dict[str, str] | RequestRefused | TryAgain:
    """The ids of records, by their folded keys; keys of no record are not among them.

    Args:
        client: The account.
        object_type: Whose records.
        by: A unique property, or the record's id.
        keys: Its values, at most 100; some may be equal.

    Raises:
        DestinationError: The API does not answer so.
    """
    wanted = list(dict.fromkeys(folded(key, by) for key in keys))
    properties = [by, _FURTHER_EMAILS] if by == EMAIL else [by]
    body: dict[str, Any] = {"inputs": [{"id": key} for key in wanted], "properties": properties}
    if by != RECORD_ID:
        body["idProperty"] = by
    reply = await client.call("POST", f"/crm/v3/objects/{object_type}/batch/read", body)
    if isinstance(reply, TryAgain):
        return reply
    if reply.status == 413 and len(wanted) > 1:
        return await _find_halves(client, object_type, by, wanted)
    if reply.status in (409, 413):
        return TryAgain(f"HTTP {reply.status}")
    if reply.status == 400:
        return RequestRefused(reason_of(reply.json))
    read = reply.json
    if reply.status not in (200, 207) or not isinstance(read, dict):
        raise client.unusable(reply)
    found: dict[str, str] = {}
    results, errors = read.get("results"), read.get("errors")
    for result in results if isinstance(results, list) else ():
        for value in _values(result, by):
            if (key := folded(value, by)) in wanted:
                found[key] = str(result["id"])
    missing = {folded(key, by) for error in errors or () for key in _ids(error)}
    if {*wanted} - found.keys() - missing:
        # Who is not told of may be there.
        return TryAgain("an answer that does not name every record it was asked for")
    return found


async def _find_halves(
    client: Client, object_type: str, by: str, wanted: Sequence[str]
) -> dict[str, str] | RequestRefused | TryAgain:
    found: dict[str, str] = {}
    for half in (wanted[: len(wanted) // 2], wanted[len(wanted) // 2 :]):
        answer = await find(client, object_type, by, half)
        if not isinstance(answer, dict):
            return answer
        found |= answer
    return found


def _values(result: Any, by: str) -> list[str]:
    """What a record is found under."""
    properties = result.get("properties") if isinstance(result, dict) else None
    if not isinstance(properties, dict) or not isinstance(result.get("id"), str | int):
        return []
    if by == RECORD_ID:
        return [str(result["id"])]
    values = [properties.get(by)]
    if by == EMAIL and isinstance(properties.get(_FURTHER_EMAILS), str):
        values += properties[_FURTHER_EMAILS].split(";")
    return [str(value) for value in values if value]


def _ids(error: Any) -> list[str]:
    context = error.get("context") if isinstance(error, dict) else None
    ids = context.get("ids") if isinstance(context, dict) else None
    return [str(each) for each in ids] if isinstance(ids, list) else []

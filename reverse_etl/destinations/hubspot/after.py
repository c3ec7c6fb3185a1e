"""What is done with records that were written: they join a list, and are associated with others.

Both take the ids of records, and may be repeated. Source: developers.hubspot.com, lists v3, associations v4, 2026-09.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from reverse_etl.destinations.base import RequestRefused, TryAgain
from reverse_etl.destinations.hubspot.batches import MOST_SENDS, TOO_LARGE, folded
from reverse_etl.destinations.hubspot.finding import find
from reverse_etl.destinations.hubspot.refusals import reason_of
from reverse_etl.report import Reason

if TYPE_CHECKING:
    from reverse_etl.destinations.hubspot.client import Client
    from reverse_etl.destinations.hubspot.section import Associate

Failed = dict[int, tuple[Reason, int | None]]
"""Why it was not done, by place, and how often it is tried in all; None: it will not be."""

_NOT_LISTED: Final = Reason("not_in_list", "", "the record was written, and HubSpot did not put it into the list.")
_NOT_ASSOCIATED: Final = Reason(
    "not_associated", "", "the record was written, and HubSpot did not answer whether it is associated."
)


class Afterwards(Protocol):
    """One of these steps."""

    async def do(self, ids: Mapping[int, str], others: Mapping[int, str]) -> Failed | RequestRefused | TryAgain:
        """Does it for a request's records, and returns those for which it failed.

        Args:
            ids: Theirs, by place.
            others: What identifies the record that each is associated with, by place; some have none.

        Raises:
            DestinationError: It cannot be done for any record.
        """
        ...


@dataclass(frozen=True, slots=True)
class JoinList:
    """Records join a manual list."""

    client: Client
    list_id: int

    async def do(self, ids: Mapping[int, str], others: Mapping[int, str]) -> Failed | RequestRefused | TryAgain:  # noqa: ARG002 - members alone
        """Names the records; those that are members already stay so."""
        path = f"/crm/v3/lists/{self.list_id}/memberships/add"
        reply = await self.client.call("PUT", path, list(dict.fromkeys(ids.values())))
        if isinstance(reply, TryAgain):
            return reply
        if reply.status == 409:
            return TryAgain("HTTP 409")
        if reply.status in (400, 413):
            return RequestRefused(_NOT_LISTED)
        read = reply.json
        if reply.status >= 300 or not isinstance(read, dict):
            raise self.client.unusable(reply)
        missing = {str(each) for key in ("recordIdsMissing", "recordsIdsMissing") for each in read.get(key) or ()}
        return {place: (_NOT_LISTED, MOST_SENDS) for place, id_ in ids.items() if id_ in missing}


@dataclass(frozen=True, slots=True)
class Relate:
    """Records are associated with those that their rows name.

    Attributes:
        of: The object type of the records.
        category: Of the association's type, as its number is of that alone.
        type_id: The number of the association's type.
    """

    client: Client
    of: str
    associate: Associate
    category: str
    type_id: int

    async def do(self, ids: Mapping[int, str], others: Mapping[int, str]) -> Failed | RequestRefused | TryAgain:
        """Finds the other records, and associates."""
        to, by = self.associate.to, self.associate.identify_by
        if not others:
            return {}
        found = await find(self.client, to, by, list(others.values()))
        if not isinstance(found, dict):
            return found
        known = {place: found.get(folded(key, by)) for place, key in others.items()}
        message = f"the record was written, but not associated: of {to}, none has this value of `{by}`."
        unknown = Reason("associated_not_found", self.associate.column, message)
        failed: Failed = {place: (unknown, None) for place, other in known.items() if other is None}
        pairs = {(ids[place], other): place for place, other in known.items() if other is not None}
        if not pairs:
            return failed
        types = [{"associationCategory": self.category, "associationTypeId": self.type_id}]
        inputs = [{"from": {"id": one}, "to": {"id": other}, "types": types} for one, other in pairs]
        path = f"/crm/v4/associations/{self.of}/{to}/batch/create"
        reply = await self.client.call("POST", path, {"inputs": inputs})
        if isinstance(reply, TryAgain):
            return reply
        read = reply.json
        if reply.status in (400, 409, 413):
            return RequestRefused(TOO_LARGE if reply.status == 413 else reason_of(read))
        if reply.status not in (200, 201, 207) or not isinstance(read, dict):
            raise self.client.unusable(reply)
        return failed | _unrelated(read, pairs)


def _unrelated(read: dict[str, Any], pairs: dict[tuple[str, str], int]) -> Failed:
    """The places of pairs that an answer does not name as associated."""
    failed: Failed = dict.fromkeys(pairs.values(), (_NOT_ASSOCIATED, MOST_SENDS))
    for result in read.get("results") or ():
        if isinstance(result, dict):
            pair = str(result.get("fromObjectId")), str(result.get("toObjectId"))
            failed.pop(pairs.get(pair, -1), None)
    for error in read.get("errors") or ():
        context = error.get("context") if isinstance(error, dict) else None
        if not isinstance(context, dict):
            continue
        ones, others = context.get("fromObjectId") or (), context.get("toObjectId") or ()
        for pair in zip(map(str, ones), map(str, others), strict=False):
            if pair in pairs:
                why = reason_of(error)
                told = Reason(why.reason, "", f"the record was written, but not associated: {why.message}")
                failed[pairs[pair]] = told, None
    return failed

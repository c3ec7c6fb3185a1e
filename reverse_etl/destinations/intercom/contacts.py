"""One contact: found or made, changed, tagged, put into its company, or taken away.

A known id is asked for first; otherwise the contact is made, and 409 names the one that exists already. So a repeat
does no harm where contacts have external ids. Source: Intercom's REST API description 2.15, 2026-08; what 409 says was
seen with clients.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from reverse_etl.destinations._http.reply import Reply
from reverse_etl.destinations.base import Accepted, Answer, InDoubt, RequestRefused, TryAgain
from reverse_etl.destinations.intercom.client import error_of
from reverse_etl.destinations.left_out import ALREADY_GONE, EXISTS, NO_RECORD, left_out
from reverse_etl.destinations.powers import Fate
from reverse_etl.report import Reason

if TYPE_CHECKING:
    from reverse_etl.destinations.intercom.client import Client
    from reverse_etl.destinations.intercom.section import Intercom

_EXISTS: Final = Accepted(excluded=left_out([0], EXISTS))
_NO_RECORD: Final = Accepted(excluded=left_out([0], NO_RECORD))
_ALREADY_GONE: Final = Accepted(excluded=left_out([0], ALREADY_GONE))

_ID: Final = re.compile(r"\bid=([0-9a-zA-Z]+)")
_FIELD: Final = re.compile(r"[Cc]ustom attribute '([^']+)'|^([a-z_]+) ")
_SEVERAL: Final = Reason("several_matches", "email", "several contacts have this e-mail address.")
_ARCHIVED: Final = Reason("archived", "", "the contact is archived; `archived: restore` brings it back.")
_CONFLICT: Final = Reason("conflict", "", "another contact has this id or e-mail address.")


class Contacts:
    """Contacts of one workspace.

    Args:
        client: Where they are.
        section: What is done.

    Attributes:
        once: Whether it is asked first what became of a contact that may have been made.
    """

    def __init__(self, client: Client, section: Intercom) -> None:
        self._client = client
        self._section = section
        # An e-mail address may not keep Intercom from making a second contact; and what add_only made is no other's.
        self.once = section.write == "add_only" or (section.identify_by == "email" and section.write != "update_only")
        self._ids: dict[str, str] = {}
        self._tags: dict[str, str] = {}
        self._companies: dict[str, str] = {}

    async def settle(self, item: dict[str, Any]) -> Answer | InDoubt:
        """Does all that is to be done with one item. Raises DestinationError."""
        if item.get("gone"):
            return await self._take_away(str(item["key"]))
        body = item["body"]
        if isinstance(item.get("attributes"), dict):
            body["custom_attributes"] |= item["attributes"]
        contact = await self._written(str(item["key"]), body)
        if not isinstance(contact, str):
            return contact
        if (answer := await self._tag(contact, item.get("tags"))) is not None:
            return answer
        if (answer := await self._attach(contact, item.get("company"))) is not None:
            return answer
        return Accepted()

    async def fate(self, key: str) -> Fate | TryAgain:
        """What became of a contact that may have been made: one that is there is ours, and is changed from then on."""
        found = await self.find(key)
        if isinstance(found, TryAgain):
            return found
        if isinstance(found, RequestRefused):
            return Fate.UNKNOWN
        if len(found) == 1:
            self._ids[key] = found[0]
            return Fate.NOT_WRITTEN
        # One that was made a moment ago is not found by its address yet.
        return Fate.NOT_WRITTEN if self._section.identify_by == "external_id" else Fate.UNKNOWN

    async def find(self, key: str) -> list[str] | TryAgain | RequestRefused:
        """The ids of the contacts with a key that are not archived; those known in this run too.

        A refused question says nothing about who is there.
        """
        if key in self._ids:
            return [self._ids[key]]
        if self._section.identify_by == "external_id":
            reply = await self._client.call("GET", f"/contacts/find_by_external_id/{quote(key, safe='')}")
            if isinstance(reply, TryAgain):
                return reply
            if reply.status == 404:
                return []
            return [str(reply.json["id"])] if reply.status == 200 else _refused(reply)
        query = {"field": "email", "operator": "=", "value": key}
        reply = await self._client.call("POST", "/contacts/search", {"query": query})
        if isinstance(reply, TryAgain):
            return reply
        if reply.status != 200:
            return _refused(reply)
        found = reply.json.get("data")
        return [str(each["id"]) for each in found or () if isinstance(each, dict) and each.get("role") != "lead"]

    async def _written(self, key: str, body: dict[str, Any]) -> str | Answer | InDoubt:
        """The id of the contact, once it is as the row has it; or what became of the row."""
        write, by_email = self._section.write, self._section.identify_by == "email"
        if write != "add_and_update" or by_email or key in self._ids:
            found = await self.find(key)
            if not isinstance(found, list):
                return found
            if len(found) > 1:
                return RequestRefused(_SEVERAL)
            unwanted = write == "add_only" if found else write == "update_only"
            if unwanted and key not in self._ids:
                return _EXISTS if found else _NO_RECORD
            if found:
                return await self._changed(key, found[0], body)
        return await self._made(key, body)

    async def _made(self, key: str, body: dict[str, Any]) -> str | Answer | InDoubt:
        reply = await self._client.call("POST", "/contacts", {"role": "user", **body})
        if isinstance(reply, TryAgain):
            sent = not (reply.not_sent or reply.slow_down)
            return InDoubt(reply.cause) if sent and self.once else reply
        if reply.status == 200:
            self._ids[key] = str(reply.json["id"])
            return self._ids[key]
        if reply.status != 409:
            return _refused(reply)
        if self._section.write == "add_only":
            return _EXISTS
        _, message = error_of(reply)
        named = _ID.search(message)
        found = [named[1]] if named else await self.find(key)
        if not isinstance(found, list):
            return found
        if len(found) != 1:
            return RequestRefused(_SEVERAL if found else _CONFLICT)
        if "archived" in message.lower():
            restored = await self._restored(found[0])
            if restored is not None:
                return restored
        return await self._changed(key, found[0], body)

    async def _restored(self, contact: str) -> Answer | None:
        if self._section.archived == "refuse":
            return RequestRefused(_ARCHIVED)
        reply = await self._client.call("POST", f"/contacts/{contact}/unarchive")
        if isinstance(reply, TryAgain):
            return reply
        return None if reply.status == 200 else _refused(reply)

    async def _changed(self, key: str, contact: str, body: dict[str, Any]) -> str | Answer:
        reply = await self._client.call("PUT", f"/contacts/{contact}", body)
        if isinstance(reply, TryAgain):
            return reply
        if reply.status == 200:
            self._ids[key] = contact
            return contact
        self._ids.pop(key, None)
        if reply.status == 404:
            return _NO_RECORD if self._section.write == "update_only" else _refused(reply)
        return RequestRefused(_CONFLICT) if reply.status == 409 else _refused(reply)

    async def _tag(self, contact: str, wanted: Any) -> Answer | None:
        """Takes tags off that begin with one of the prefixes, and puts those of the row on; None where that is done."""
        section = self._section.tags
        if section is None or (wanted is None and self._section.empty_values == "ignore"):
            return None
        names = [str(name) for name in wanted] if isinstance(wanted, list) else []
        reply = await self._client.call("GET", f"/contacts/{contact}/tags")
        if isinstance(reply, TryAgain):
            return reply
        if reply.status != 200:
            return _refused(reply)
        there = {str(tag.get("name")): str(tag.get("id")) for tag in reply.json.get("data") or ()}
        for name, tag in there.items():
            if name not in names and name.startswith(section.replace):
                reply = await self._client.call("DELETE", f"/contacts/{contact}/tags/{tag}")
                if isinstance(reply, TryAgain):
                    return reply
                if reply.status not in (200, 404):
                    return _refused(reply)
        for name in names:
            if name not in there and (answer := await self._put_on(contact, name)) is not None:
                return answer
        return None

    async def _put_on(self, contact: str, name: str) -> Answer | None:
        if name not in self._tags:
            # Making a tag that exists gives the one that is there.
            reply = await self._client.call("POST", "/tags", {"name": name})
            if isinstance(reply, TryAgain):
                return reply
            if reply.status != 200:
                return _refused(reply)
            self._tags[name] = str(reply.json["id"])
        reply = await self._client.call("POST", f"/contacts/{contact}/tags", {"id": self._tags[name]})
        if isinstance(reply, TryAgain):
            return reply
        return None if reply.status == 200 else _refused(reply)

    async def _attach(self, contact: str, company: str | None) -> Answer | None:
        if company is None:
            return None
        if company not in self._companies:
            # By its id alone it is left as it is, or made: a company that nobody belongs to cannot be found.
            reply = await self._client.call("POST", "/companies", {"company_id": company})
            if isinstance(reply, TryAgain):
                return reply
            if reply.status != 200:
                return _refused(reply)
            self._companies[company] = str(reply.json["id"])
        reply = await self._client.call("POST", f"/contacts/{contact}/companies", {"id": self._companies[company]})
        if isinstance(reply, TryAgain):
            return reply
        return None if reply.status == 200 else _refused(reply)

    async def _take_away(self, key: str) -> Answer:
        found = await self.find(key)
        if not isinstance(found, list):
            return found
        if len(found) != 1:
            return RequestRefused(_SEVERAL) if found else _ALREADY_GONE
        gone = self._section.when_gone
        if gone is not None and gone.action == "archive":
            reply = await self._client.call("POST", f"/contacts/{found[0]}/archive")
        else:
            reply = await self._client.call("DELETE", f"/contacts/{found[0]}")
        if isinstance(reply, TryAgain):
            return reply
        self._ids.pop(key, None)
        if reply.status == 404:
            return _ALREADY_GONE
        return Accepted() if reply.status == 200 else _refused(reply)


async def write_company(client: Client, item: dict[str, Any]) -> Answer:
    """A company, added or updated by its ``company_id``. Raises DestinationError."""
    body = item["body"]
    if isinstance(item.get("attributes"), dict):
        body["custom_attributes"] |= item["attributes"]
    reply = await client.call("POST", "/companies", body)
    if isinstance(reply, TryAgain):
        return reply
    if reply.status == 200:
        return Accepted()
    if "unique_company_constraint" in error_of(reply):
        return TryAgain("another call made the company at the same time")
    return _refused(reply)


def _refused(reply: Reply) -> RequestRefused:
    code, message = error_of(reply)
    found = _FIELD.search(message)
    field = (found[1] or found[2]) if found else ""
    return RequestRefused(Reason(code or "invalid", field, message or f"refused with HTTP {reply.status}."))

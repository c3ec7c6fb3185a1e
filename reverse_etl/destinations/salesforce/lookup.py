"""Which records the org has of some keys: their ids, by SOQL.

Source: Salesforce SOQL and SOSL reference, 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import orjson

from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.salesforce.domains import domain_of, domain_of_website, websites_of
from reverse_etl.errors import DestinationRefusedError

if TYPE_CHECKING:
    from reverse_etl.destinations.salesforce.client import Client
    from reverse_etl.destinations.salesforce.section import Salesforce

_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")

_MOST_URL: Final = 12_000
"""Bytes of a query in an address; the limit, headers included, is 16,384."""


def folded(key: str, section: Salesforce) -> str:
    """What keys of one record have in common: case makes no difference but in ids, of 15 characters above all."""
    return key if section.key_field == "Id" else key.lower()


def by_id(item: bytes, key: str, record_id: str) -> bytes:
    """A record as it is changed by its id: without the key that it was found by."""
    record = orjson.loads(item)
    del record[key]
    return orjson.dumps({**record, "id": record_id})


async def ids_of(
    client: Client, section: Salesforce, keys: Sequence[str], label: str, *, numbers: bool = False
) -> dict[str, list[str]] | TryAgain:
    """The ids of the records with some keys, by folded key; several where several have it.

    Args:
        client: The org.
        section: The object and its key.
        keys: Those to look for.
        label: What messages call the destination.
        numbers: Whether the key's field holds numbers: no other key can be of a record then.

    Raises:
        DestinationRefusedError: The org does not answer the query.
    """
    field, by_domain = section.key_field, section.by_domain
    if by_domain is not None:
        return await _by_domain(client, section, keys, label)
    if field == "Id":
        return {key: [key] for key in keys}
    literals = [key for key in keys if _NUMBER.fullmatch(key)] if numbers else [*map(_quoted, keys)]
    return await _found(client, section, literals, label)


def portions(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Keys that one query asks for, and then those of the next."""
    return (keys[some] for some in _fitting([*map(_quoted, keys)]))


async def _by_domain(
    client: Client, section: Salesforce, keys: Sequence[str], label: str
) -> dict[str, list[str]] | TryAgain:
    """The ids of the records with the domain of each address."""
    domains = {key: domain_of(key) for key in keys}
    literals = [*map(_quoted, websites_of(dict.fromkeys(filter(None, domains.values()))))]
    websites = await _found(client, section, literals, label)
    if isinstance(websites, TryAgain):
        return websites
    there: dict[str, list[str]] = {}
    for website, ids in websites.items():
        there.setdefault(domain_of_website(website), []).extend(ids)
    return {key.lower(): there[domain] for key, domain in domains.items() if domain in there}


async def _found(
    client: Client, section: Salesforce, literals: Sequence[str], label: str
) -> dict[str, list[str]] | TryAgain:
    """The ids of the records whose key is one of some, by key in lower case."""
    field = section.key_field
    found: dict[str, list[str]] = {}
    for query in _queries(section.object, field, literals):
        path = f"{client.version}/query?q={query}"
        while path:
            reply = await client.ask("GET", path)
            if isinstance(reply, TryAgain):
                return reply
            read = reply.json
            if reply.status != 200 or not isinstance(read, dict) or not isinstance(read.get("records"), list):
                raise DestinationRefusedError(
                    f"{label}: Salesforce does not look up {section.object} by {field} (HTTP {reply.status}).",
                    hint="Check that the app's user may read the object and the field.",
                )
            for record in read["records"]:
                found.setdefault(_folded(record, field), []).append(str(record["Id"]))
            path = str(read.get("nextRecordsUrl") or "")
    return found


def _folded(record: dict[str, Any], field: str) -> str:
    value = record.get(field)
    # A number comes as one: 7.0 is the key 7.
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).lower()


def _quoted(key: str) -> str:
    escaped = key.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _queries(kind: str, field: str, literals: Sequence[str]) -> Iterator[str]:
    """One or more queries, each short enough for an address."""
    start = quote(f"SELECT Id, {field} FROM {kind} WHERE {field} IN (", safe="")
    end, comma = quote(")", safe=""), quote(",", safe="")
    for some in _fitting(literals):
        yield f"{start}{comma.join(quote(each, safe='') for each in literals[some])}{end}"


def _fitting(literals: Sequence[str]) -> Iterator[slice]:
    """Which of the literals go into each query."""
    first, size = 0, 0
    for at, each in enumerate(literals):
        length = len(quote(each, safe="")) + len(quote(",", safe=""))
        if at > first and size + length > _MOST_URL:
            yield slice(first, at)
            first, size = at, 0
        size += length
    if literals:
        yield slice(first, len(literals))

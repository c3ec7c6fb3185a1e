"""What a workspace has of people and objects, read back through the App API and compared with what would be sent.

Source: App API OpenAPI, 2026: attributes of 100 people a request, or of one object; every value is a text.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import pyarrow as pa

from reverse_etl.changeset.columns import identifiers
from reverse_etl.destinations.customerio import lookup, operations
from reverse_etl.destinations.customerio.client import Client
from reverse_etl.destinations.table_powers import LookedUp
from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from reverse_etl.destinations.customerio.sync import Outgoing
    from reverse_etl.destinations.customerio.workspace import WorkspaceConfig
    from reverse_etl.pacing.rate_limit import Clock
    from reverse_etl.pacing.retry import Patience

_AT_ONCE: Final = 100
_UPDATED_AT: Final = "updated_at"

Found = Mapping[str, str]
"""The attributes of a person or an object, each as a text."""


def not_looked_up(sync: Outgoing, workspace: WorkspaceConfig) -> ConfigError | None:
    """Why a sync's rows cannot be read back; None where they can."""
    if sync.events is not None:
        return ConfigError(
            f"{sync.where}: Customer.io has no way to read an event back.",
            hint="Look at people or objects: their attributes can be read.",
        )
    if workspace.app_api_key is None:
        key = workspace.track_api_key
        place = f"{key.file}:{key.line}: " if key.file else ""
        return ConfigError(
            f"{place}{workspace.label} has no app_api_key, with which {sync.kind} are read back.",
            hint="Add `app_api_key: ${CUSTOMERIO_APP_API_KEY}` to it, and set the variable.",
        )
    return None


@asynccontextmanager
async def open_look_up(
    sync: Outgoing, workspace: WorkspaceConfig, *, patience: Patience, clock: Clock
) -> AsyncIterator[SpotCheck]:
    """The workspace, for looking alone: no segment is made. Raises UnsetVariableError."""
    async with Client(workspace, clock=clock) as client:
        yield SpotCheck(sync, client, patience)


class SpotCheck:
    """A ``table_powers.LooksUp`` of one workspace."""

    def __init__(self, sync: Outgoing, client: Client, patience: Patience) -> None:
        self._sync, self._client, self._patience = sync, client, patience

    async def look_up(self, batch: pa.RecordBatch, stream: str) -> LookedUp:
        """What it has of people or objects; and, among what was found, every attribute that says when they changed.

        Raises:
            UnauthorizedError: The App API key is refused.
            DestinationError: The App API gives no usable answer.
        """
        keys = identifiers(batch, self._sync.stream(stream)).to_pylist()
        if self._sync.people is not None:
            found = await self._people(keys, self._sync.people.identify_by)
        else:
            types = operations.object_types(batch, self._sync.objects.object_type if self._sync.objects else 1)
            found = [await self._object(*each) for each in zip(types.to_pylist(), keys, strict=True)]
        wanted = operations.attributes(batch, self._sync, stream)
        return _looked_up(found, {name: texts.to_pylist() for name, texts in wanted.items()})

    async def _people(self, keys: Sequence[str], id_type: str) -> list[Found | None]:
        by_key: dict[str, Found] = {}
        for start in range(0, len(keys), _AT_ONCE):
            body = {"ids": list(keys[start : start + _AT_ONCE]), "id_type": id_type}
            ask = partial(self._client.ask, "App", "POST", "/v1/customers/attributes", body=body)
            reply = await self._patience.until_settled(ask)
            for person in lookup.entries(reply, "customers", workspace=self._client.workspace):
                named = person.get("identifiers")
                holder = named if isinstance(named, dict) else person
                key = lookup.text(reply, holder, id_type, workspace=self._client.workspace)
                by_key[_comparable(key, id_type)] = _texts(person.get("attributes"))
        return [by_key.get(_comparable(key, id_type)) for key in keys]

    async def _object(self, kind: str, key: str) -> Found | None:
        path = f"/v1/objects/{quote(kind, safe='')}/{quote(key, safe='')}/attributes"
        reply = await self._patience.until_settled(partial(self._client.ask, "App", "GET", path))
        if reply.status == 404:
            return None
        return _texts(lookup.entry(reply, "object", workspace=self._client.workspace).get("attributes"))


def _comparable(key: str, id_type: str) -> str:
    return key.lower() if id_type == "email" else key


def _texts(attributes: Any) -> Found:
    named = attributes if isinstance(attributes, dict) else {}
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in named.items()
        if value is not None
    }


def _looked_up(found: Sequence[Found | None], wanted: Mapping[str, Sequence[str | None]]) -> LookedUp:
    there = [each is not None for each in found]
    beside = {name for each in found for name in each or () if name.endswith(_UPDATED_AT)}

    def has(name: str) -> list[str | None]:
        return [(each or {}).get(name) for each in found]

    same = {
        name: [
            None if each is None else _is_same(name, *pair) for each, *pair in zip(found, texts, has(name), strict=True)
        ]
        for name, texts in wanted.items()
    }
    return LookedUp(
        pa.array(there, pa.bool_()),
        {name: pa.array(marks, pa.bool_()) for name, marks in same.items()},
        {name: pa.array([_shown(text) for text in texts], pa.string()) for name, texts in wanted.items()},
        {name: pa.array(has(name), pa.string()) for name in [*wanted, *sorted(beside - wanted.keys())]},
    )


def _is_same(name: str, expected: str | None, found: str | None) -> bool:
    """Whether a text is what the App API makes of a value; what is not sent may be anything."""
    if expected is None:
        return True
    value = json.loads(expected, parse_float=Decimal, parse_int=Decimal)
    if value is None or value == "":
        return not found
    if found is None:
        return False
    if isinstance(value, str):
        # Customer.io knows people by their address in any case.
        return found == value or (name == "email" and found.lower() == value.lower())
    if isinstance(value, bool):
        return found.lower() == str(value).lower()
    try:
        if isinstance(value, Decimal):
            return Decimal(found) == value
        return bool(json.loads(found, parse_float=Decimal, parse_int=Decimal) == value)
    except (InvalidOperation, ValueError):
        return False


def _shown(expected: str | None) -> str | None:
    """The value of a JSON text, without the quotes of a text; None for one that is cleared or not sent."""
    if expected is None:
        return None
    value = json.loads(expected) if expected.startswith('"') else expected
    return None if value in ("", "null") else str(value)

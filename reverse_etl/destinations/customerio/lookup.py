"""What a workspace is asked about itself: its region, who exists already, which object types there are.

Source: Track API and App API OpenAPI, 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import numbers_where
from reverse_etl.destinations._http.reply import Reply
from reverse_etl.destinations.base import KeptBack
from reverse_etl.errors import DestinationRefusedError
from reverse_etl.report import Outcome, Reason

if TYPE_CHECKING:
    from reverse_etl.destinations.customerio.client import Client
    from reverse_etl.pacing.retry import Patience

_UNKNOWN_OBJECT_TYPE: Final = "unknown_object_type"
_MOST_IDS: Final = 100
"""People that one bulk look-up takes."""


async def require_region(client: Client, patience: Patience, region: str) -> str:
    """Asks the Track API where the account lives; the plainest request that needs its credentials.

    Returns:
        Which environment it is, in its region; empty where the address has no such request (a proxy), or no id.

    Raises:
        UnauthorizedError: The Track credentials are refused.
        DestinationRefusedError: The account is in another region.
    """
    reply = await patience.until_settled(partial(client.ask, "Track", "GET", "/api/v1/accounts/region"))
    if reply.status == 404:
        return ""
    try:
        answered: Any = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        answered = None
    actual = answered.get("region") if isinstance(answered, dict) else None
    if reply.status != 200 or actual not in ("us", "eu"):
        raise DestinationRefusedError(
            f"workspace {client.workspace}: the Track API does not report its region (HTTP {reply.status}).",
            hint="Check track_url of the workspace in connections.yaml.",
        )
    if actual != region:
        raise DestinationRefusedError(
            f"workspace {client.workspace} is in Customer.io's region {actual}, and connections.yaml says {region}.",
            hint=f"Write `region: {actual}` for this workspace; nothing was sent.",
        )
    environment = answered.get("environment_id")
    return f"{actual} {environment}" if isinstance(environment, int | str) and environment else ""


async def existing_people(
    client: Client, patience: Patience, identifiers: Sequence[str], *, id_type: str
) -> list[bool]:
    """Whether a person exists under each identifier, in order; e-mail addresses are found without regard to case.

    Args:
        client: The workspace.
        patience: The retry budget.
        identifiers: Any number; the App API's rate limit lets about 900 be looked up in a second.
        id_type: What they are: ``id`` or ``email``.
    """
    known: set[str] = set()
    for start in range(0, len(identifiers), _MOST_IDS):
        body = {"ids": list(identifiers[start : start + _MOST_IDS]), "id_type": id_type}
        ask = partial(client.ask, "App", "POST", "/v1/customers/attributes", body=body)
        reply = await patience.until_settled(ask)
        found = _existing(reply, id_type, workspace=client.workspace)
        known.update(_comparable(identifier, id_type) for identifier in found)
    return [_comparable(asked, id_type) in known for asked in identifiers]


async def object_types(client: Client, patience: Patience) -> dict[str, str]:
    """The workspace's object types: name by id, which is an integer as text."""
    reply = await patience.until_settled(partial(client.ask, "App", "GET", "/v1/object_types"))
    types = {}
    for each in entries(reply, "types", workspace=client.workspace):
        key = str(number(reply, each, "id", workspace=client.workspace))
        types[key] = text(reply, each, "name", workspace=client.workspace)
    return types


def named(types: dict[str, str]) -> str:
    """Object types for a message: ``1 (Companies), 2 (Courses)``."""
    return ", ".join(f"{key} ({name})" if name else key for key, name in types.items()) or "none"


def of_unknown_type(batch: pa.RecordBatch, types: pa.StringArray, known: dict[str, str]) -> KeptBack | None:
    """The rows of a batch whose object types are none of the workspace's."""
    rows = numbers_where(batch, pc.invert(pc.is_in(types, value_set=pa.array(list(known), pa.string()))))
    message = f"the workspace has no such object type; it has {named(known)}."
    why = Reason(_UNKNOWN_OBJECT_TYPE, "object_type", message)
    return KeptBack(rows, Outcome.REJECTED, why) if len(rows) else None


def entry(reply: Reply, key: str, *, workspace: str) -> dict[str, Any]:
    """One object of an answer of the App API.

    Raises:
        DestinationRefusedError: It has no such entry, so it is a refusal, or no answer of the App API.
    """
    found = _read(reply).get(key)
    if reply.status < 300 and isinstance(found, dict):
        return found
    raise unreadable(reply, key, workspace=workspace)


def entries(reply: Reply, key: str, *, workspace: str) -> list[dict[str, Any]]:
    """One list of objects of an answer of the App API.

    Raises:
        DestinationRefusedError: It has no such list, or one of something else.
    """
    found = _read(reply).get(key)
    if reply.status < 300 and isinstance(found, list) and all(isinstance(each, dict) for each in found):
        return found
    raise unreadable(reply, key, workspace=workspace)


def text(reply: Reply, holder: dict[str, Any], key: str, *, workspace: str) -> str:
    """A text of an object of an answer; empty where there is none. Raises DestinationRefusedError for anything else."""
    value = holder.get(key)
    if value is None or isinstance(value, str):
        return value or ""
    raise unreadable(reply, key, workspace=workspace)


def number(reply: Reply, holder: dict[str, Any], key: str, *, workspace: str) -> int:
    """An integer of an object of an answer, as text too. Raises DestinationRefusedError for anything else."""
    value = holder.get(key)
    if isinstance(value, str) and re.fullmatch("[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise unreadable(reply, key, workspace=workspace)


def next_page(reply: Reply, start: str, *, workspace: str) -> str:
    """Where the page after the one from ``start`` begins; empty at the end.

    Raises:
        DestinationRefusedError: The answer lacks it, or leads back to the same page.
    """
    following = text(reply, _read(reply), "next", workspace=workspace)
    if following and following == start:
        raise unreadable(reply, "next", workspace=workspace)
    return following


def unreadable(reply: Reply, key: str, *, workspace: str) -> DestinationRefusedError:
    """The error about a key of an answer that is missing or of another shape; without values."""
    return DestinationRefusedError(
        f"workspace {workspace}: the App API did not answer with {key} as documented (HTTP {reply.status}).",
        hint="Check app_url and app_api_key of the workspace in connections.yaml.",
    )


def _read(reply: Reply) -> dict[str, Any]:
    try:
        read = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return {}
    return read if isinstance(read, dict) else {}


def _existing(reply: Reply, id_type: str, *, workspace: str) -> Iterator[str]:
    for customer in entries(reply, "customers", workspace=workspace):
        identifiers = customer.get("identifiers")
        yield text(reply, identifiers if isinstance(identifiers, dict) else customer, id_type, workspace=workspace)


def _comparable(identifier: str, id_type: str) -> str:
    return identifier.lower() if id_type == "email" else identifier

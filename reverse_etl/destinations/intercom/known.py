"""The attributes that a workspace has: which columns it takes, and which values.

Source: Intercom's REST API description, version 2.15, data attributes, 2026-08.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.destinations._http.fields import Field, Kind, require_fields
from reverse_etl.destinations.intercom.items import OWN

if TYPE_CHECKING:
    from reverse_etl.destinations._http.reply import Reply
    from reverse_etl.destinations.intercom.client import Client
    from reverse_etl.destinations.intercom.section import Intercom
    from reverse_etl.pacing.retry import Patience

WORD: Final = "attribute"
MAX_TEXT: Final = 255

_MODELS: Final = {"contacts": "contact", "companies": "company"}
_KINDS: Final[dict[str, Kind]] = {"string": "text", "integer": "integer", "float": "number", "boolean": "boolean"}


async def known_attributes(client: Client, patience: Patience, section: Intercom) -> dict[str, Field]:
    """The custom attributes by name, and Intercom's own fields. Raises DestinationError."""
    path = f"/data_attributes?model={_MODELS[section.object]}"
    reply: Reply = await patience.until_settled(partial(client.call, "GET", path))
    read = reply.json
    listed = read.get("data") if isinstance(read, dict) else None
    if reply.status != 200 or not isinstance(listed, list):
        raise client.unusable(reply)
    found = {name: Field(name) for name in OWN[section.object]}
    for each in listed:
        if isinstance(each, dict) and each.get("custom") and not each.get("archived"):
            field = _field(each)
            found.setdefault(field.name, field)
    return found


def require_attributes(there: dict[str, Field], section: Intercom, names: Sequence[str], label: str) -> None:
    """Makes sure that columns are attributes that can be set. Raises ConfigError."""
    columns = [name for name in names if name not in (*section.key, *section.apart)]
    require_fields(there, columns, where=f"{label}, {section.object}", word=WORD)


def _field(each: dict[str, Any]) -> Field:
    kind = _KINDS.get(str(each.get("data_type")), "other")
    # Whether a text that is none of the options is refused is for Intercom to say, which announced it and took it back.
    return Field(
        str(each.get("name")),
        kind,
        max_length=MAX_TEXT if kind == "text" else None,
        is_writable=each.get("api_writable") is not False,
    )

"""What an account is asked before the first row: its properties, the list and the kind of association a sync names.

Source: developers.hubspot.com, properties v3, lists v3, associations v4, 2026-09.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reverse_etl.config.model import nearest
from reverse_etl.destinations._http.fields import Field, Kind
from reverse_etl.destinations.hubspot.section import EMAIL, RECORD_ID
from reverse_etl.errors import ConfigError, DestinationRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reverse_etl.destinations.hubspot.client import Client
    from reverse_etl.destinations.hubspot.section import Associate
    from reverse_etl.pacing.retry import Patience

WORD: Final = "property"

LONGEST_TEXT: Final = 65_536
"""Characters; inferred, as HubSpot names no limit."""

_CONTACTS: Final = frozenset({"contacts", "contact", "0-1"})
_TAKES_MEMBERS: Final = frozenset({"MANUAL", "SNAPSHOT"})
_TYPE_IDS: Final = {"contacts": "0-1", "companies": "0-2", "deals": "0-3", "tickets": "0-5"}
_KINDS: Final[dict[str, Kind]] = {
    "string": "text",
    "number": "number",
    "bool": "boolean",
    "date": "date",
    "datetime": "datetime",
}


async def properties(client: Client, patience: Patience, object_type: str) -> dict[str, Field]:
    """The properties of an object type, by name. Raises DestinationError; ConfigError where there is no such type."""
    read = await client.asked(patience, "GET", f"/crm/v3/properties/{object_type}")
    if read is None:
        near = nearest(object_type, _TYPE_IDS)
        raise ConfigError(
            f"{client.label}: there is no object type {object_type}.",
            hint=f"Did you mean `{near}`?" if near else "A custom object is named by its objectTypeId, like 2-1234567.",
        )
    listed = read.get("results") if isinstance(read, dict) else None
    if not isinstance(listed, list):
        raise client.unreadable("its properties")
    fields = [_field(each, object_type) for each in listed if isinstance(each, dict) and each.get("name")]
    return {field.name: field for field in fields}


async def require_required(client: Client, patience: Patience, object_type: str, columns: Sequence[str]) -> None:
    """Makes sure that rows have what a new record of a custom object must have.

    Raises:
        ConfigError: A required property has no column.
    """
    if object_type in _TYPE_IDS:
        return
    try:
        read = await client.asked(patience, "GET", "/crm/v3/schemas")
    except DestinationRefusedError:
        # Without the scope for it HubSpot says it of each row.
        return
    listed = read.get("results") if isinstance(read, dict) else None
    for each in listed if isinstance(listed, list) else ():
        if not isinstance(each, dict) or object_type not in (each.get("objectTypeId"), each.get("fullyQualifiedName")):
            continue
        required = each.get("requiredProperties")
        missing = [name for name in required if name not in columns] if isinstance(required, list) else []
        if missing:
            raise ConfigError(
                f"{client.label}: a new record of {object_type} needs a value of {', '.join(missing)}, and the query "
                "returns no such column.",
                hint="Select it, or write `write: update_only` to change records that exist.",
            )


async def require_list(client: Client, patience: Patience, list_id: int, object_type: str) -> None:
    """Makes sure that records of a type can join a list. Raises DestinationError; ConfigError where none can."""
    read = await client.asked(patience, "GET", f"/crm/v3/lists/{list_id}")
    found = read.get("list") if isinstance(read, dict) else None
    if not isinstance(found, dict):
        hint = "Correct `list: {id: ...}`: the number is in the list's address in HubSpot."
        raise ConfigError(f"{client.label}: there is no list {list_id}.", hint=hint)
    if str(found.get("processingType")) not in _TAKES_MEMBERS:
        hint = "Name a manual (static) list in `list: {id: ...}`."
        raise ConfigError(f"{client.label}: HubSpot fills list {list_id} by its filters.", hint=hint)
    of, wanted = str(found.get("objectTypeId", "")), _TYPE_IDS.get(object_type, object_type)
    if of and wanted[:2] in ("0-", "2-") and of != wanted:
        names = {number: name for name, number in _TYPE_IDS.items()}
        raise ConfigError(
            f"{client.label}: list {list_id} is of {names.get(of, of)}, and the sync sends {object_type}.",
            hint="Name a list of that object type in `list: {id: ...}`.",
        )


async def association_type(
    client: Client, patience: Patience, object_type: str, associate: Associate
) -> tuple[str, int]:
    """Category and number of the association type with a label, or of the plain one.

    Raises:
        ConfigError: There is none.
        DestinationError: The account cannot be asked.
    """
    path = f"/crm/v4/associations/{object_type}/{associate.to}/labels"
    read = await client.asked(patience, "GET", path)
    listed = read.get("results") if isinstance(read, dict) else None
    types: dict[str, tuple[str, int]] = {}
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and type(each.get("typeId")) is int:
            types.setdefault(str(each.get("label") or "").lower(), (str(each.get("category")), each["typeId"]))
    found = types.get((associate.label or "").lower())
    if found is None:
        called = f" with the label {associate.label}" if associate.label else " without a label"
        labels = [label for label in types if label]
        raise ConfigError(
            f"{client.label}: {object_type} and {associate.to} have no association{called}.",
            hint=f"Labels there are: {', '.join(labels)}." if labels else "Check `associate.to`.",
        )
    return found


def _field(told: dict[str, Any], object_type: str) -> Field:
    name, options = str(told["name"]), told.get("options")
    about = told.get("modificationMetadata")
    read_only = isinstance(about, dict) and about.get("readOnlyValue") is True
    kind: Kind = _KINDS.get(str(told.get("type")), "other")
    if told.get("type") == "enumeration":
        kind = "choices" if told.get("fieldType") == "checkbox" else "choice"
    values = [str(each.get("value")) for each in options if isinstance(each, dict)] if isinstance(options, list) else []
    return Field(
        name,
        "integer" if name == RECORD_ID else kind,
        max_length=LONGEST_TEXT if kind == "text" else None,
        # Some, such as owners, are kept elsewhere.
        options=() if told.get("externalOptions") is True else tuple(values),
        is_writable=not (read_only or told.get("calculated") is True),
        is_unique=told.get("hasUniqueValue") is True
        or name == RECORD_ID
        or (name == EMAIL and object_type in _CONTACTS),
    )

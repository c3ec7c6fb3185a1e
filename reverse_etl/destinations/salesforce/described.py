"""The object as the org describes it: which fields there are, and that the sync can write to them.

Source: Salesforce REST API developer guide, sObject Describe, 2026.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.destinations._http.fields import Field, Kind
from reverse_etl.destinations._http.reply import Reply
from reverse_etl.errors import ConfigError, DestinationRefusedError

if TYPE_CHECKING:
    from reverse_etl.destinations.salesforce.section import Salesforce

_KINDS: Final[dict[str, Kind]] = {
    "string": "text",
    "textarea": "text",
    "email": "text",
    "phone": "text",
    "url": "text",
    "picklist": "choice",
    "multipicklist": "choices",
    "double": "number",
    "currency": "number",
    "percent": "number",
    "int": "integer",
    "boolean": "boolean",
}

NUMBERS: Final = frozenset({"double", "currency", "percent", "int"})

Described = Mapping[str, Mapping[str, Any]]
"""Fields by name."""


def described(reply: Reply, section: Salesforce, label: str) -> Described:
    """The object's fields. Raises ConfigError; DestinationRefusedError where the org does not give them."""
    read = reply.json
    found = read.get("fields") if isinstance(read, dict) else None
    if reply.status != 200 or not isinstance(found, list):
        kind = ConfigError if reply.status in (200, 404) else DestinationRefusedError
        raise kind(
            f"{label}: there is no object {section.object}, or the app's user may not see it (HTTP {reply.status}).",
            hint="Check the object's API name (custom ones end in __c), and the user's permissions.",
        )
    return {str(each.get("name")): each for each in found if isinstance(each, dict)}


def fields_of(there: Described, columns: Sequence[str]) -> list[Field]:
    """What the object says of the fields of some columns; parents are for the org to find.

    A restricted picklist's value can be refused all the same, for a record type or because of another picklist.
    """
    return [_field(name, there[name]) for name in columns if name in there]


def require_fields(there: Described, section: Salesforce, columns: Sequence[str], label: str) -> None:
    """Makes sure, before the first row, that the key identifies records and each column is a field to write to.

    Raises:
        ConfigError: It is not; the hint has what to change.
    """
    key = there.get(section.key_field)
    if key is None:
        raise _unknown(section.key_field, there, section, label)
    if section.key_field == "Id":
        if section.write != "update_only":
            raise ConfigError(
                f"{label}: `identify_by: Id` goes with `write: update_only`: Salesforce gives ids itself.",
                hint="Identify records by an External ID field to add them, or write update_only.",
            )
    elif section.by_domain is None and not key.get("externalId"):
        names = [name for name, each in there.items() if each.get("externalId")]
        found = f" {section.object} has: {', '.join(names)}." if names else f" {section.object} has none yet."
        raise ConfigError(
            f"{label}: field {section.key_field} of {section.object} is no External ID.",
            hint=f"Name an External ID field in identify_by, or tick External ID on the field in Salesforce.{found}",
        )
    for column in columns:
        _require_field(column, there, section, label)


def _require_field(column: str, there: Described, section: Salesforce, label: str) -> None:
    if column == section.key_column:
        return
    relationship, _, parent_key = column.partition(".")
    if parent_key:
        if not any(each.get("relationshipName") == relationship for each in there.values()):
            raise _unknown(relationship, _relationships(there), section, label)
        return
    field = there.get(column)
    if field is None:
        raise _unknown(column, there, section, label)
    writes = ("updateable",) if section.write == "update_only" else ("createable", "updateable")
    if not any(field.get(each) for each in writes):
        why = "it is calculated" if field.get("calculated") else "the app's user may not write to it"
        raise ConfigError(
            f"{label}: field {column} of {section.object} is read-only: {why}.",
            hint="Leave the column out of the query, or name another field.",
        )


def _field(name: str, about: Mapping[str, Any]) -> Field:
    kind = _KINDS.get(str(about.get("type")), "other")
    length = about.get("length")
    options = about.get("picklistValues") if about.get("restrictedPicklist") else None
    chosen = tuple(str(each.get("value")) for each in options or () if isinstance(each, dict) and each.get("active"))
    if kind in ("choice", "choices") and not chosen:
        kind = "text"
    return Field(name, kind, length if isinstance(length, int) and length > 0 else None, chosen)


def _relationships(there: Described) -> Described:
    return {str(each["relationshipName"]): each for each in there.values() if each.get("relationshipName")}


def _unknown(name: str, there: Described, section: Salesforce, label: str) -> ConfigError:
    other_case = [each for each in there if each.casefold() == name.casefold()]
    near = other_case or difflib.get_close_matches(name, [*there], n=1)
    meant = f" Did you mean {near[0]}?" if near else ""
    return ConfigError(
        f"{label}: {section.object} has no field {name}, or the app's user may not see it.",
        hint=f"Columns are named like fields, by their API names; `columns:` renames them.{meant}",
    )

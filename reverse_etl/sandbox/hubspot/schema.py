"""Object types and properties: what a record can hold. Which values a property takes is in ``values``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["string", "number", "date", "datetime", "enumeration", "bool"]
_FIELD_TYPES = {"string": "text", "number": "number", "date": "date", "datetime": "date", "bool": "booleancheckbox"}
_MADE_AT = "2024-01-15T09:00:00.000Z"


@dataclass(frozen=True, slots=True)
class Property:
    """One property of an object type.

    Attributes:
        options: Internal values of an enumeration.
        unique: Whether no two records may have the same value (``hasUniqueValue``).
        read_only: Whether HubSpot alone sets it.
        several: Whether it is a set of options, joined by ``;``.
        external_options: Whether ``options`` are kept elsewhere and not shown, as stages of a pipeline are.
    """

    name: str
    type: Kind = "string"
    options: tuple[str, ...] = ()
    unique: bool = False
    read_only: bool = False
    several: bool = False
    external_options: bool = False
    hidden: bool = False
    label: str = ""
    hubspot_defined: bool = True

    def as_json(self) -> dict[str, Any]:
        """As the properties endpoint shows it."""
        shown = () if self.external_options else self.options
        field_type = (
            ("checkbox" if self.several else "select") if self.type == "enumeration" else _FIELD_TYPES[self.type]
        )
        return {
            "name": self.name,
            "label": self.label or _label(self.name),
            "type": self.type,
            "fieldType": field_type,
            "description": "",
            "groupName": "sandbox",
            "options": [
                {"label": _label(value), "value": value, "displayOrder": place, "hidden": False}
                for place, value in enumerate(("true", "false") if self.type == "bool" else shown)
            ],
            "displayOrder": -1,
            "calculated": False,
            "externalOptions": self.external_options,
            "hasUniqueValue": self.unique,
            "hidden": self.hidden,
            "hubspotDefined": self.hubspot_defined,
            "archived": False,
            "formField": not self.read_only,
            "createdAt": _MADE_AT,
            "updatedAt": _MADE_AT,
            "modificationMetadata": {
                "archivable": not self.hubspot_defined,
                "readOnlyDefinition": self.hubspot_defined,
                "readOnlyOptions": self.hubspot_defined,
                "readOnlyValue": self.read_only,
            },
        }


@dataclass(slots=True)
class ObjectType:
    """One type of record.

    Attributes:
        id: ``objectTypeId``, such as ``0-1``.
        name: As paths have it, such as ``contacts``.
        singular: As messages have it.
        required: Properties that a new record must have.
        scope: What comes before ``.read`` and ``.write`` in its scopes' names; tickets have one scope for both.
        key: A property that finds a record although it is not unique by declaration: a contact's e-mail address.
    """

    id: str
    name: str
    singular: str
    properties: dict[str, Property]
    required: tuple[str, ...] = ()
    scope: str = ""
    key: str | None = None
    others: tuple[str, ...] = field(default=())

    def scope_for(self, verb: Literal["read", "write"]) -> str:
        """The scope that a call needs."""
        return "tickets" if self.name == "tickets" else f"{self.scope}.{verb}"

    def finds_by(self, name: str) -> bool:
        """Whether a property may be an ``idProperty``."""
        found = self.properties.get(name)
        return found is not None and (found.unique or name == self.key)

    def unique_names(self) -> list[str]:
        """The properties whose values no two records share."""
        return [name for name, each in self.properties.items() if each.unique or name == self.key]


def account_types(portal_id: int) -> list[ObjectType]:
    """The object types of a new account: four of HubSpot's and one of its own, each with a few own properties."""
    return [
        ObjectType("0-1", "contacts", "CONTACT", _named(*_CONTACT), scope="crm.objects.contacts", key="email"),
        ObjectType("0-2", "companies", "COMPANY", _named(*_COMPANY), scope="crm.objects.companies"),
        ObjectType("0-3", "deals", "DEAL", _named(*_DEAL), scope="crm.objects.deals"),
        ObjectType("0-5", "tickets", "TICKET", _named(*_TICKET)),
        ObjectType(
            "2-1234567",
            "subscriptions",
            "SUBSCRIPTION",
            _named(_key("subscription_no"), Property("plan", hubspot_defined=False)),
            required=("subscription_no",),
            scope="crm.objects.custom",
            others=(f"p{portal_id}_subscriptions",),
        ),
    ]


def _label(name: str) -> str:
    return name.removeprefix("hs_").replace("_", " ").capitalize()


def _key(name: str) -> Property:
    return Property(name, unique=True, hubspot_defined=False)


def _stage(name: str, *stages: str) -> Property:
    return Property(name, "enumeration", stages, external_options=True)


def _named(*properties: Property) -> dict[str, Property]:
    return {each.name: each for each in (*_OF_ALL, *properties)}


LIFECYCLE_STAGES = (
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
)
_OF_ALL = (
    Property("hs_object_id", "number", read_only=True),
    Property("createdate", "datetime", read_only=True),
    Property("hs_lastmodifieddate", "datetime", read_only=True),
    Property("hubspotscore", "number", read_only=True),
    _stage("hubspot_owner_id", "101", "102"),
    Property("score", "number", hubspot_defined=False),
    Property("risk", "enumeration", ("low", "medium", "high"), hubspot_defined=False),
    Property("interests", "enumeration", ("news", "offers", "events"), several=True, hubspot_defined=False),
    Property("is_active", "bool", hubspot_defined=False),
    Property("renews_on", "date", hubspot_defined=False),
    Property("last_seen_at", "datetime", hubspot_defined=False),
)
_PLACE = (Property("phone"), Property("city"), Property("country"))
_CONTACT = (
    Property("email"),
    Property("hs_additional_emails"),
    Property("firstname"),
    Property("lastname"),
    Property("jobtitle"),
    Property("company"),
    Property("lifecyclestage", "enumeration", LIFECYCLE_STAGES),
    Property("lastmodifieddate", "datetime", read_only=True),
    _key("customer_no"),
    *_PLACE,
)
_COMPANY = (
    Property("name"),
    Property("domain"),
    Property("numberofemployees", "number"),
    Property("lifecyclestage", "enumeration", LIFECYCLE_STAGES),
    _key("customer_no"),
    _key("domain_key"),
    *_PLACE,
)
_DEAL = (
    Property("dealname"),
    Property("amount", "number"),
    Property("closedate", "datetime"),
    _stage("pipeline", "default"),
    _stage("dealstage", "appointmentscheduled", "qualifiedtobuy", "contractsent", "closedwon", "closedlost"),
    _key("deal_no"),
)
_TICKET = (
    Property("subject"),
    Property("content"),
    _stage("hs_pipeline", "0"),
    _stage("hs_pipeline_stage", "1", "2", "3", "4"),
    Property("hs_ticket_priority", "enumeration", ("LOW", "MEDIUM", "HIGH", "URGENT")),
    _key("ticket_no"),
)

"""Fields and objects, as describe tells them. The org that is stood in for is in ``org_objects``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NUMBERS = frozenset({"double", "currency", "percent", "int"})
TEXTS = frozenset({"string", "textarea", "email", "phone", "url", "picklist", "multipicklist", "id", "reference"})
_SOAP = {"double": "xsd:double", "currency": "xsd:double", "percent": "xsd:double", "int": "xsd:int"}
_SOAP |= {
    "boolean": "xsd:boolean",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "id": "tns:ID",
    "reference": "tns:ID",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        type: As describe has it.
        length: Most characters of a text; 0 for what is no text.
        precision: Most digits of a number, ``scale`` of them after the point.
        default: What a new record has without a value; None is none.
        defaulted: Whether Salesforce sets it on a new record, so that it need not be given.
        options: Values of a picklist that are active.
        inactive: Values of a picklist that no longer are.
        restricted: Whether other values are refused.
        reference_to: The object whose record it names.
        relationship: How the named record is reached: ``Account`` beside ``AccountId``.
    """

    name: str
    type: str = "string"
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    external_id: bool = False
    unique: bool = False
    case_sensitive: bool = False
    id_lookup: bool = False
    default: Any = None
    defaulted: bool = False
    options: tuple[str, ...] = ()
    inactive: tuple[str, ...] = ()
    restricted: bool = False
    reference_to: str | None = None
    relationship: str | None = None
    calculated: bool = False

    @property
    def is_required(self) -> bool:
        """Whether a new record must have it."""
        return self.createable and not self.nillable and not self.defaulted

    @property
    def is_indexed(self) -> bool:
        """Whether records are found by it."""
        return self.external_id or self.unique or self.id_lookup

    def fold(self, value: Any) -> Any:
        """A value as it finds: texts without regard to case, unless the field regards it."""
        return value.lower() if isinstance(value, str) and not self.case_sensitive else value

    def folded(self, values: list[Any]) -> list[Any]:
        """Many values as they find."""
        if self.case_sensitive:
            return values
        try:
            return [value.lower() for value in values]
        except AttributeError:
            return [self.fold(value) for value in values]

    def as_json(self) -> dict[str, Any]:
        """As describe shows it."""
        shown = [(value, True) for value in self.options] + [(value, False) for value in self.inactive]
        return {
            "name": self.name,
            "label": self.name.removesuffix("__c").replace("_", " "),
            "type": self.type,
            "soapType": _SOAP.get(self.type, "xsd:string"),
            "length": self.length,
            "byteLength": self.length * 3,
            "precision": self.precision,
            "scale": self.scale,
            "digits": self.precision if self.type == "int" else 0,
            "nillable": self.nillable,
            "createable": self.createable,
            "updateable": self.updateable,
            "custom": self.name.endswith("__c"),
            "externalId": self.external_id,
            "idLookup": self.id_lookup or self.external_id,
            "unique": self.unique,
            "caseSensitive": self.case_sensitive,
            "calculated": self.calculated,
            "defaultedOnCreate": self.defaulted,
            "defaultValue": self.default,
            "restrictedPicklist": self.restricted,
            "dependentPicklist": False,
            "picklistValues": [
                {"value": value, "label": value, "active": active, "defaultValue": False, "validFor": None}
                for value, active in shown
            ],
            "referenceTo": [self.reference_to] if self.reference_to else [],
            "relationshipName": self.relationship,
            "filterable": self.type != "textarea",
            "sortable": self.type != "textarea",
        }


@dataclass(frozen=True, slots=True)
class SObject:
    """One object.

    Attributes:
        prefix: The first three characters of its records' ids.
        writable: Whether records can be written.
    """

    name: str
    prefix: str
    fields: tuple[Field, ...]
    writable: bool = True

    def field(self, name: str) -> Field | None:
        """A field by its name, without regard to case."""
        return next((each for each in self.fields if each.name.lower() == name.lower()), None)

    def summary(self, version: str) -> dict[str, Any]:
        """As the list of objects shows it."""
        base = f"/services/data/v{version}/sobjects/{self.name}"
        return {
            "name": self.name,
            "label": self.name.removesuffix("__c").replace("_", " "),
            "labelPlural": self.name.removesuffix("__c").replace("_", " ") + "s",
            "keyPrefix": self.prefix,
            "custom": self.name.endswith("__c"),
            "createable": self.writable,
            "updateable": self.writable,
            "deletable": self.writable,
            "queryable": True,
            "urls": {"sobject": base, "describe": f"{base}/describe", "rowTemplate": f"{base}/{{ID}}"},
        }

    def describe(self, version: str) -> dict[str, Any]:
        """All that is told of it."""
        return {**self.summary(version), "fields": [each.as_json() for each in self.fields]}

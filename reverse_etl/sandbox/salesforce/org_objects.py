"""The objects of the org that is stood in for: two of Salesforce's and one of its own, each with a few own fields."""

from __future__ import annotations

from reverse_etl.sandbox.salesforce.schema import Field, SObject


def org_objects() -> tuple[SObject, ...]:
    """The objects of a new org."""
    return (_ACCOUNT, _CONTACT, _SUBSCRIPTION, _ORGANIZATION)


def _system(name: str, kind: str, length: int = 0) -> Field:
    return Field(name, kind, length, nillable=False, createable=False, updateable=False, defaulted=True)


def _key(name: str, *, case_sensitive: bool = False) -> Field:
    return Field(name, "string", 40, external_id=True, unique=True, id_lookup=True, case_sensitive=case_sensitive)


def _flag(name: str) -> Field:
    return Field(name, "boolean", nillable=False, default=False, defaulted=True)


_SYSTEM = (
    _system("Id", "id", 18),
    _system("IsDeleted", "boolean"),
    _system("CreatedDate", "datetime"),
    _system("LastModifiedDate", "datetime"),
    _system("SystemModstamp", "datetime"),
)
_SCORE = (
    Field("Health_Score__c", "double", precision=5, scale=2),
    Field("Score_Band__c", "string", 20, createable=False, updateable=False, calculated=True),
)
_ACCOUNT = SObject(
    "Account",
    "001",
    (
        *_SYSTEM,
        Field("Name", "string", 80, nillable=False),
        _key("Customer_No__c"),
        Field("Region_Code__c", "string", 20, external_id=True, id_lookup=True),
        Field("Legacy_No__c", "double", precision=18, external_id=True, unique=True, id_lookup=True),
        Field("ParentId", "reference", 18, reference_to="Account", relationship="Parent"),
        Field("Website", "url", 255),
        Field("Phone", "phone", 40),
        Field("Industry", "picklist", 40, options=("Banking", "Energy", "Retail")),
        Field("AnnualRevenue", "currency", precision=18, scale=0),
        Field("NumberOfEmployees", "int", precision=8),
        Field("Description", "textarea", 32_000),
        Field("Tier__c", "picklist", 40, options=("Bronze", "Silver", "Gold"), inactive=("Copper",), restricted=True),
        Field("Interests__c", "multipicklist", 4099, options=("News", "Offers", "Events"), restricted=True),
        _flag("Is_Active__c"),
        Field("Renews_On__c", "date"),
        Field("Last_Seen_At__c", "datetime"),
        *_SCORE,
    ),
)
_CONTACT = SObject(
    "Contact",
    "003",
    (
        *_SYSTEM,
        Field("LastName", "string", 80, nillable=False),
        Field("FirstName", "string", 40),
        Field("Email", "email", 80, id_lookup=True),
        _key("Contact_No__c"),
        Field("AccountId", "reference", 18, reference_to="Account", relationship="Account"),
        Field("Title", "string", 128),
        Field("Birthdate", "date"),
        _flag("HasOptedOutOfEmail"),
        *_SCORE,
    ),
)
_SUBSCRIPTION = SObject(
    "Subscription__c",
    "a01",
    (
        *_SYSTEM,
        Field("Name", "string", 80, defaulted=True),
        _key("Subscription_No__c", case_sensitive=True),
        Field("Account__c", "reference", 18, nillable=False, reference_to="Account", relationship="Account__r"),
        Field("Contact__c", "reference", 18, reference_to="Contact", relationship="Contact__r"),
        Field("Plan__c", "picklist", 255, options=("Basic", "Pro", "Team"), restricted=True),
        Field("Amount__c", "currency", precision=16, scale=2),
        Field("Seats__c", "int", precision=8),
        Field("Starts_On__c", "date"),
    ),
)
_ORGANIZATION = SObject(
    "Organization",
    "00D",
    (*_SYSTEM, _system("Name", "string", 80), _system("IsSandbox", "boolean"), _system("InstanceName", "string", 5)),
    writable=False,
)

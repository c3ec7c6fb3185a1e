"""The section of a sync to Salesforce: the object, the field that identifies its records, and how they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from reverse_etl.config.gone import GoneMax, GoneMaxRows, MayBeGone
from reverse_etl.config.intervals import IntervalOrZero
from reverse_etl.config.model import Misfit, YamlModel

_Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=80)]


class ByDomain(YamlModel):
    """Accounts by the domain of an e-mail address.

    Attributes:
        domain_of: The column with the address.
        field: Where the object has its website.
        free_mail: Domains at which anyone can have an address, beside the usual ones (``domains.FREE_MAIL``).
    """

    domain_of: Annotated[str, Field(min_length=1)] = Field(description="The column with the e-mail address.")
    field: _Name = Field(default="Website", description="The field with the website.")
    free_mail: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="Domains that say nothing about a company, beside gmail.com and the like."
    )


class Salesforce(MayBeGone):
    """Rows are records of an object; a column is a field of its name, ``Account.Customer_No__c`` a parent by its key.

    Attributes:
        object: By its API name.
        identify_by: An External ID field, or ``Id``.
        write: ``update_only`` leaves out rows that the org has no record of, ``add_only`` those that it has one of.
        via: ``collections`` answers within seconds; jobs take a few calls whatever their size.
        empty_values: Whether NULL and '' are left out, or clear the field.
        duplicate_rules: What becomes of a record for which one of the org's duplicate rules gives an alert.
        gone: What becomes of records that the query no longer returns, or whose column ``deleted`` is true.
    """

    object: _Name = Field(description="The object's API name, such as Account or Health__c.")
    identify_by: _Name | ByDomain = Field(
        description="The External ID field that identifies a record, or Id; or {domain_of: email} for accounts of the "
        "domain of an e-mail address."
    )
    write: Literal["add_and_update", "update_only", "add_only"] = Field(
        default="add_and_update",
        description="update_only changes records that exist, add_only adds those that do not.",
    )
    via: Literal["auto", "collections", "bulk"] = Field(
        default="auto", description="How rows are sent; auto: in jobs (Bulk API) where there are more than 2,000."
    )
    empty_values: Literal["ignore", "clear"] = Field(
        default="ignore", description="NULL and '': left out, or the field is cleared."
    )
    duplicate_rules: Literal["obey", "save"] = Field(
        default="obey",
        description="A record for which a duplicate rule of the org gives an alert: refused, or saved all the same; "
        "one that a rule blocks is refused in any case.",
    )
    gone: Literal["nothing", "delete", "hard_delete"] = Field(
        default="nothing",
        description="Records that the query no longer returns, or whose column deleted is true: delete them, into the "
        "recycle bin or, with hard_delete, for good.",
    )
    gone_wait: IntervalOrZero = Field(
        default=timedelta(hours=24), description="How long a record must be missing before gone applies."
    )
    gone_max: GoneMax = 5.0
    gone_max_rows: GoneMaxRows = 1_000

    @property
    def records(self) -> str:
        """The object."""
        return self.object

    @property
    def key(self) -> tuple[str, ...]:
        """The field that identifies a record."""
        return (self.key_column,)

    @property
    def by_domain(self) -> ByDomain | None:
        """How accounts are found by a domain; None where a field identifies records."""
        return self.identify_by if isinstance(self.identify_by, ByDomain) else None

    @property
    def key_column(self) -> str:
        """The column with the key."""
        return self.identify_by.domain_of if isinstance(self.identify_by, ByDomain) else self.identify_by

    @property
    def key_field(self) -> str:
        """The field that records are found by."""
        return self.identify_by.field if isinstance(self.identify_by, ByDomain) else self.identify_by

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """Of a domain, records are only ever changed; jobs have no word for alerts."""
        if given.get("duplicate_rules") == "save" and given.get("via") == "bulk":
            yield (
                "duplicate_rules",
                "save goes with `via: collections`: jobs cannot save what a rule gives an alert for",
            )
        if isinstance(given.get("identify_by"), Mapping):
            if given.get("write") != "update_only":
                yield (
                    "identify_by",
                    "a domain goes with `write: update_only`: it is no key that a record can be added with",
                )
            if given.get("gone", "nothing") != "nothing":
                yield "gone", "goes with an External ID: a domain is no reason to delete an account"
        yield from super().misfits(given)

    @property
    def needed(self) -> tuple[str, ...]:
        """The key alone."""
        return self.key

    @property
    def apart(self) -> tuple[str, ...]:
        """Nothing: every column is a field."""
        return ()

    @property
    def repeats(self) -> bool:
        """A record comes once."""
        return False

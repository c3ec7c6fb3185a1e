"""Rows on their way to Salesforce."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from reverse_etl.destinations._http.sync import ServiceRows, ServiceSync
from reverse_etl.destinations.salesforce.section import Salesforce


class Outgoing(ServiceRows):
    """Records of an object.

    A key is compared without regard to case: the org does that unless the field is case-sensitive, and two rows with
    one key are refused both.
    """

    DESTINATION: ClassVar[str] = "salesforce"
    TITLE: ClassVar[str] = "Salesforce"
    SECTIONS: ClassVar[frozenset[str]] = frozenset({"salesforce"})
    MAX_COLUMNS: ClassVar[int] = 800
    """Source: Salesforce help, custom fields allowed per object, 2026."""

    salesforce: Salesforce = Field(description="Rows are records of an object.")

    @property
    def any_case(self) -> frozenset[str]:
        """The key, but ``Id``, whose 15-character form tells by case."""
        return frozenset(self.salesforce.key) - {"Id"}


class Sync(Outgoing, ServiceSync):
    """One sync to Salesforce."""

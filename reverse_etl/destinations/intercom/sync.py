"""Rows on their way to Intercom."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from reverse_etl.destinations._http.sync import ServiceRows, ServiceSync
from reverse_etl.destinations.intercom.section import Intercom


class Outgoing(ServiceRows):
    """Contacts or companies."""

    DESTINATION: ClassVar[str] = "intercom"
    TITLE: ClassVar[str] = "Intercom"
    SECTIONS: ClassVar[frozenset[str]] = frozenset({"intercom"})
    MAX_COLUMNS: ClassVar[int] = 270
    """Intercom has some 250 custom attributes beside its own fields."""

    intercom: Intercom = Field(description="Rows are contacts or companies.")


class Sync(Outgoing, ServiceSync):
    """One sync to Intercom."""

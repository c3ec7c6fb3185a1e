"""Rows on their way to HubSpot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from reverse_etl.destinations._http.sync import ServiceRows, ServiceSync
from reverse_etl.destinations.hubspot.section import HubSpot

if TYPE_CHECKING:
    from reverse_etl.config.streams import Stream


class Outgoing(ServiceRows):
    """Records of one object type."""

    DESTINATION: ClassVar[str] = "hubspot"
    TITLE: ClassVar[str] = "HubSpot"
    SECTIONS: ClassVar[frozenset[str]] = frozenset({"hubspot"})

    hubspot: HubSpot = Field(description="Rows are records of an object type.")


class Sync(Outgoing, ServiceSync):
    """One sync to HubSpot."""

    @classmethod
    def streams_of(cls, values: Mapping[str, Any]) -> list[Stream]:
        """Its rows, with the column of the key, and the one that names what is associated."""
        [stream] = super().streams_of(values)
        section = values.get(cls.DESTINATION)
        associate = section.get("associate") if isinstance(section, dict) else None
        column = associate.get("column") if isinstance(associate, dict) else None
        required = (*stream.required, column) if isinstance(column, str) else stream.required
        return [replace(stream, required=required)]

"""Rows on their way to Amplitude."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from reverse_etl.config.streams import ROWS
from reverse_etl.destinations._http.sync import ServiceRows, ServiceSync
from reverse_etl.destinations.amplitude.section import Amplitude

if TYPE_CHECKING:
    import pyarrow as pa

    from reverse_etl.checks.base import AnyRule


class Outgoing(ServiceRows):
    """Users' properties, groups' properties, events, or members of a cohort."""

    DESTINATION: ClassVar[str] = "amplitude"
    TITLE: ClassVar[str] = "Amplitude"
    SECTIONS: ClassVar[frozenset[str]] = frozenset({"amplitude"})

    amplitude: Amplitude = Field(description="Rows are users' or groups' properties, events, or members of a cohort.")

    @property
    def any_case(self) -> frozenset[str]:
        """None: ids are equal letter by letter."""
        return frozenset()

    def rules(self) -> dict[str, list[AnyRule]]:
        """Those of every service, and Amplitude's own."""
        from reverse_etl.destinations.amplitude.rules import rules_of

        return {ROWS: [*super().rules()[ROWS], *rules_of(self)]}


class Sync(Outgoing, ServiceSync):
    """One sync to Amplitude."""

    def as_read(self, batch: pa.RecordBatch, *, timezone: str) -> pa.RecordBatch:
        """With the times of events as instants."""
        from reverse_etl.changeset.occurred_at import with_zones

        return with_zones(batch, timezone=timezone) if self.amplitude.send == "events" else batch

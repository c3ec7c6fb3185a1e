"""How many requests rows would be sent in, without sending them: they are encoded and packed as a delivery does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.delivery.lanes import Lanes
from reverse_etl.delivery.sender import SLICE_ROWS
from reverse_etl.delivery.turns import lanes_of
from reverse_etl.destinations.tables import TableDestination

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import Outcomes, Parts
    from reverse_etl.destinations.base import Destination, Items


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a delivery would send.

    Attributes:
        requests: Requests, or slices of a table.
        payload_bytes: Of the rows in them; 0 for a table, whose rows are not encoded.
    """

    requests: int = 0
    payload_bytes: int = 0

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(self.requests + other.requests, self.payload_bytes + other.payload_bytes)


def estimate(
    parts: Parts,
    outcomes: Outcomes,
    destination: Destination | TableDestination,
    items_of: Items | None = None,
) -> Estimate:
    """What the delivery of one stream would send; nothing is asked of the destination.

    Args:
        parts: The rows.
        outcomes: One a row: those that are ``UNDELIVERED`` would be sent.
        destination: Open, and not prepared.
        items_of: Encodes rows; by default the destination.
    """
    if isinstance(destination, TableDestination):
        rows = sum(batch.num_rows for batch in parts.sendable(outcomes))
        return Estimate(-(-rows // destination.rows_per_transaction))
    limits = destination.limits
    lanes = Lanes(limits, lanes_of(limits) if destination.repeats(parts.stream) else 1)
    requests = payload = 0
    for batch in parts.sendable(outcomes):
        for start in range(0, batch.num_rows, SLICE_ROWS):
            rows_of_slice = batch.slice(start, SLICE_ROWS)
            items = (items_of or destination.items)(rows_of_slice, parts.stream)
            numbers = rows_of_slice.column(ROW_NUMBER).to_pylist()
            identifiers = destination.identifiers(rows_of_slice, parts.stream)
            for _, request in lanes.add(numbers, numbers, items, identifiers):
                requests += 1
                payload += request.item_bytes
            lanes.too_large()
    for _, request in lanes.rest():
        requests += 1
        payload += request.item_bytes
    return Estimate(requests, payload)

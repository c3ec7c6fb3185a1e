"""What is sent of a run's rows, where that is not all of each: as its comparison decided, whoever sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.changes.chosen import ChosenAttributes
from reverse_etl.changes.compared import compared
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations.powers import SendsSome

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from reverse_etl.changeset.parts import RunFolder
    from reverse_etl.destinations.base import Destination, Items
    from reverse_etl.destinations.tables import TableDestination


def items_of(folder: RunFolder, stream: str, destination: Destination | TableDestination) -> Items | None:
    """Encodes the rows of a stream with the attributes that are to be sent of them; they are asked for in order.

    Returns:
        None where every row is sent whole.
    """
    found = compared(folder)
    values = found.values.get(stream) if found is not None else None
    if values is None or not values.chosen or not isinstance(destination, SendsSome):
        return None
    able, chosen = destination, ChosenAttributes(folder.parts(stream), values.names, values.chosen)

    def items(batch: pa.RecordBatch, stream: str) -> Sequence[bytes]:
        return able.items_of(batch, stream, chosen.of(batch.column(ROW_NUMBER).to_numpy()))

    return items

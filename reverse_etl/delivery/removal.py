"""What is gone, on its way out: the rows that stand for keys to remove, sent like rows of their stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from reverse_etl.destinations.tables import TableDestination

if TYPE_CHECKING:
    from reverse_etl.changeset.recipient import Recipient
    from reverse_etl.destinations.base import Answer, Destination, KeptBack, Limits


class Removal:
    """A ``Destination`` for the rows that stand for keys: each is marked as deleted, and encoded as such.

    Args:
        destination: Where they are removed, prepared.
        stream: The stream whose keys they are.
    """

    def __init__(self, destination: Destination, stream: str) -> None:
        self.name: str = destination.name
        self.kind: str = destination.kind
        self.limits: Limits = destination.limits
        self.recipient: Recipient = destination.recipient
        self._destination = destination
        self._stream = stream

    async def prepare(self) -> None:
        """It is prepared."""

    async def kept_back(self, batch: pa.RecordBatch, stream: str) -> Sequence[KeptBack]:  # noqa: ARG002 - none are
        """None: what is gone was sent before."""
        return ()

    def identifiers(self, batch: pa.RecordBatch, stream: str) -> pa.StringArray:  # noqa: ARG002 - theirs
        """As those of the rows."""
        return self._destination.identifiers(batch, self._stream)

    def repeats(self, stream: str) -> bool:  # noqa: ARG002 - no key is there twice
        """No: a key is there once."""
        return False

    def items(self, batch: pa.RecordBatch, stream: str) -> Sequence[bytes]:  # noqa: ARG002 - theirs
        """As those of rows that say that they are gone."""
        return self._destination.items(batch, self._stream)

    async def send(self, items: Sequence[bytes]) -> Answer:
        """As it sends rows."""
        return await self._destination.send(items)


def removal(destination: Destination | TableDestination, stream: str) -> Destination | TableDestination:
    """The way out of a destination for what is gone of a stream."""
    # A table is given rows that say so of themselves, too.
    return destination if isinstance(destination, TableDestination) else Removal(destination, stream)

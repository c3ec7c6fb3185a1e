"""Items packed into requests, by bytes, in order. ``destinations`` encode the items."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from reverse_etl.destinations.base import Limits
from reverse_etl.destinations.item_column import ItemColumn


@dataclass(frozen=True, slots=True)
class Request:
    """Items that go together.

    Attributes:
        numbers: Row numbers.
        keys: The rows' keys (``changeset.row_keys``), as long as ``numbers``.
        items: As long as ``numbers``; never empty.
        tries: How often its items were sent before and not applied, as only requests that may be too large are.
    """

    numbers: Sequence[int]
    keys: Sequence[int]
    items: Sequence[bytes]
    tries: int = 0

    def fullness(self, limits: Limits) -> float:
        """How full it is, by bytes or by items: 1 when nothing more may be in it."""
        return max(
            (self.item_bytes + len(self.items) - 1 + limits.envelope_bytes) / limits.max_request_bytes,
            len(self.items) / limits.max_items,
        )

    @property
    def item_bytes(self) -> int:
        """Bytes of all its items, without what is between them."""
        return int(ItemColumn.of(self.items).sizes().sum())

    def halves(self) -> tuple[Request, Request]:
        """Two requests with the items of this one, which has at least two, in order."""
        middle = len(self.items) // 2
        return (
            Request(self.numbers[:middle], self.keys[:middle], self.items[:middle], self.tries),
            Request(self.numbers[middle:], self.keys[middle:], self.items[middle:], self.tries),
        )


@dataclass(slots=True)
class Packer:
    """Fills one request after the other; each request is full before the next begins.

    Attributes:
        limits: What one request may carry.
        too_large: Numbers and keys of rows whose items no request may carry, in order; the caller takes them from here.
    """

    limits: Limits
    too_large: list[tuple[int, int]] = field(default_factory=list)
    _numbers: array[int] = field(default_factory=lambda: array("q"))
    _keys: array[int] = field(default_factory=lambda: array("Q"))
    _items: list[ItemColumn] = field(default_factory=list)
    _bytes: int = 0

    def add(self, numbers: Sequence[int], keys: Sequence[int], items: Sequence[bytes]) -> Iterator[Request]:
        """Takes rows, and yields the requests that became full; must be exhausted."""
        column = ItemColumn.of(items)
        sizes = column.sizes()
        most_bytes = self.limits.max_request_bytes - self.limits.envelope_bytes
        fit = sizes <= min(self.limits.max_item_bytes, most_bytes)
        if not fit.all():
            self.too_large += [(numbers[at], keys[at]) for at in np.flatnonzero(~fit).tolist()]
            places = np.flatnonzero(fit).tolist()
            numbers, keys = [numbers[at] for at in places], [keys[at] for at in places]
            column, sizes = column.take(places), sizes[fit]
        # One byte parts an item from the one before it: the first of a request has it in hand.
        ends = np.cumsum(sizes + 1)
        start = taken = 0
        while start < len(column):
            room = most_bytes + 1 - self._bytes
            end = int(np.searchsorted(ends, taken + room, "right"))
            end = min(end, start + self.limits.max_items - len(self._numbers))
            if end <= start:
                yield from self.rest()
                continue
            self._numbers.extend(numbers[start:end])
            self._keys.extend(keys[start:end])
            self._items.append(column[start:end])
            self._bytes += int(ends[end - 1]) - taken
            start, taken = end, int(ends[end - 1])

    def rest(self) -> Iterator[Request]:
        """Yields what is left as a last request, if anything is."""
        if self._items:
            request = Request(self._numbers, self._keys, ItemColumn.concatenated(self._items))
            self._numbers, self._keys, self._items, self._bytes = array("q"), array("Q"), [], 0
            yield request

"""Items packed into requests, by bytes, in order. ``destinations`` encode the items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from reverse_etl.destinations.base import Limits


@dataclass(frozen=True, slots=True)
class Request:
    """Items that go together.

    Attributes:
        numbers: Row numbers.
        keys: The rows' keys (``changeset.row_keys``), as long as ``numbers``.
        items: As long as ``numbers``; never empty.
        tries: How often its items were sent before and not applied, as only requests that may be too large are.
    """

    numbers: list[int]
    keys: list[int]
    items: list[bytes]
    tries: int = 0

    def fullness(self, limits: Limits) -> float:
        """How full it is, by bytes or by items: 1 when nothing more may be in it."""
        size = sum(map(len, self.items)) + len(self.items) - 1 + limits.envelope_bytes
        return max(size / limits.max_request_bytes, len(self.items) / limits.max_items)

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
    _numbers: list[int] = field(default_factory=list)
    _keys: list[int] = field(default_factory=list)
    _items: list[bytes] = field(default_factory=list)
    _bytes: int = 0

    def add(self, numbers: Iterable[int], keys: Iterable[int], items: Iterable[bytes]) -> Iterator[Request]:
        """Takes rows, and yields the requests that became full; must be exhausted."""
        limits = self.limits
        most_bytes = limits.max_request_bytes - limits.envelope_bytes
        most_item_bytes = min(limits.max_item_bytes, most_bytes)
        for number, key, item in zip(numbers, keys, items, strict=True):
            size = len(item)
            if size > most_item_bytes:
                self.too_large.append((number, key))
                continue
            # One byte parts an item from the one before it.
            if self._items and (self._bytes + 1 + size > most_bytes or len(self._items) >= limits.max_items):
                yield from self.rest()
            self._bytes += size + bool(self._items)
            self._numbers.append(number)
            self._keys.append(key)
            self._items.append(item)

    def rest(self) -> Iterator[Request]:
        """Yields what is left as a last request, if anything is."""
        if self._items:
            request = Request(self._numbers, self._keys, self._items)
            self._numbers, self._keys, self._items, self._bytes = [], [], [], 0
            yield request

"""Rows of one identifier kept in their order: they share a lane, and a lane has one request open at a time.

``batches`` fills the requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.delivery.batches import Packer, Request
from reverse_etl.destinations.base import Limits
from reverse_etl.destinations.item_column import ItemColumn

_Value = TypeVar("_Value")


class Lanes:
    """Fills requests in several lanes at once; with one lane, one after the other.

    Args:
        limits: What one request may carry.
        count: Lanes.
    """

    def __init__(self, limits: Limits, count: int) -> None:
        self._limits = limits
        self._packers = [Packer(limits) for _ in range(count)]
        self._filled = False

    def add(
        self, numbers: Sequence[int], keys: Sequence[int], items: Sequence[bytes], identifiers: pa.StringArray
    ) -> Iterator[tuple[int, Request]]:
        """Takes rows, and yields the requests that became full with their lanes; must be exhausted."""
        if len(self._packers) == 1:
            yield from self._pack(0, numbers, keys, items)
            return
        lanes, column = self._lanes(identifiers), ItemColumn.of(items)
        for lane in range(len(self._packers)):
            places = np.flatnonzero(lanes == lane).tolist()
            yield from self._pack(lane, _at(numbers, places), _at(keys, places), column.take(places))

    def too_large(self) -> list[tuple[int, int]]:
        """Numbers and keys of rows that no request may carry, each given once."""
        found = [row for packer in self._packers for row in packer.too_large]
        for packer in self._packers:
            packer.too_large.clear()
        return found

    def rest(self) -> Iterator[tuple[int, Request]]:
        """Yields what is left; a few rows make one request rather than one a lane."""
        left = [(lane, request) for lane, packer in enumerate(self._packers) for request in packer.rest()]
        if self._filled or len(left) < 2:
            yield from left
            return
        rows = sorted(
            row for _, request in left for row in zip(request.numbers, request.keys, request.items, strict=True)
        )
        packer = Packer(self._limits)
        numbers, keys, items = zip(*rows, strict=True)
        for request in [*packer.add(numbers, keys, items), *packer.rest()]:
            yield 0, request

    def _pack(
        self, lane: int, numbers: Sequence[int], keys: Sequence[int], items: Sequence[bytes]
    ) -> Iterator[tuple[int, Request]]:
        for request in self._packers[lane].add(numbers, keys, items):
            self._filled = True
            yield lane, request

    def _lanes(self, identifiers: pa.StringArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        # In lower case, because e-mail addresses that differ in case alone are one person.
        known = pc.utf8_lower(identifiers).dictionary_encode()
        lanes = [crc32(text.encode()) % len(self._packers) for text in known.dictionary.to_pylist()]
        of_row: np.ndarray[tuple[int], np.dtype[np.int64]] = np.array(lanes, dtype=np.int64)[known.indices.to_numpy()]
        return of_row


def _at(values: Sequence[_Value], places: list[int]) -> list[_Value]:
    return [values[place] for place in places]

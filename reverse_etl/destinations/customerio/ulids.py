"""Event ids: ULIDs that are the same for every repeat of an event, so that Customer.io discards the repeat."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

Milliseconds = np.ndarray[tuple[int], np.dtype[np.int64]]

_ALPHABET = np.frombuffer(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", np.uint8)
_RANDOM_BYTES = 10
_LAST_MS = (1 << 48) - 1
_ULID_CHARS = 26


def event_ids(sync: str, row_keys: Iterable[bytes], occurred_at_ms: Milliseconds) -> pa.StringArray:
    """One ULID an event; as long as the row keys.

    The first 10 characters are the event's time, the other 16 are 80 bits of a hash of row key and time, keyed by
    the sync's name: two syncs with the same keys do not discard each other's events.

    Args:
        sync: The sync's name.
        row_keys: What distinguishes the rows of this sync.
        occurred_at_ms: Unix milliseconds; times that a ULID cannot hold are moved to its nearest.

    Source: ULID specification, https://github.com/ulid/spec.
    """
    # A key longer than 64 bytes is refused by BLAKE2, and a file name may be longer.
    keyed = hashlib.blake2b(key=hashlib.blake2b(sync.encode()).digest(), digest_size=_RANDOM_BYTES)
    digests = bytearray()
    for row_key, at_ms in zip(row_keys, occurred_at_ms.tolist(), strict=True):
        hashed = keyed.copy()
        hashed.update(b"%d:%b" % (at_ms, row_key))
        digests += hashed.digest()
    rows = len(occurred_at_ms)
    characters = np.empty((rows, _ULID_CHARS), np.uint8)
    times = np.clip(occurred_at_ms, 0, _LAST_MS)
    for place in range(10):
        characters[:, place] = (times >> (5 * (9 - place))) & 31
    halves = np.frombuffer(digests, np.uint8).reshape(rows * 2, 5).astype(np.int64)
    numbers = (halves << (8 * np.arange(4, -1, -1))).sum(axis=1).reshape(rows, 2)
    for place in range(8):
        characters[:, [10 + place, 18 + place]] = (numbers >> (5 * (7 - place))) & 31
    offsets = np.arange(0, (rows + 1) * _ULID_CHARS, _ULID_CHARS, dtype=np.int32)
    return pa.StringArray.from_buffers(
        rows, pa.py_buffer(offsets.tobytes()), pa.py_buffer(_ALPHABET[characters].tobytes())
    )

"""Keyed fingerprints of many texts at once: SipHash-2-4 over Arrow's own buffers, a column at a time.

They are stored, so they must be the same on every machine and in every release of every library, and no one may find
a plan or a phone number by trying: that is why it is not a hash of DuckDB's, and why it has a key.

Source: Aumasson and Bernstein, SipHash: a fast short-input PRF, 2012.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Fingerprints: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint64]]
Subkey: TypeAlias = tuple[int, int]

VERSION: Final = 1
"""Of what a fingerprint is made of; another one puts every row in doubt."""

_WORD_BYTES: Final = 8
_INITIAL: Final = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_ROUND: Final = ((0, 1, 2, 3, 13, 16), (2, 1, 0, 3, 17, 21))
"""The two halves of a round: four places of the state, and by how many bits two of them are turned."""


@lru_cache(maxsize=4_096)
def subkey(secret: bytes, *use: str) -> Subkey:
    """128 bits for one use of the secret, so that equal texts in two columns have different fingerprints."""
    derived = hashlib.blake2b("\0".join(use).encode(), key=secret, digest_size=2 * _WORD_BYTES).digest()
    return int.from_bytes(derived[:_WORD_BYTES], "little"), int.from_bytes(derived[_WORD_BYTES:], "little")


def fingerprints(texts: pa.StringArray, key: Subkey) -> Fingerprints:
    """One number a text, as long as the texts; 0 for null."""
    found = np.zeros(len(texts), np.uint64)
    if len(texts) == texts.null_count:
        return found
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    written = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]] if data is not None else np.zeros(0, np.uint8)
    # A text's last word may reach beyond the last byte.
    written = np.concatenate((written, np.zeros(_WORD_BYTES, np.uint8)))
    starts, lengths = ends[:-1] - ends[0], np.diff(ends)
    windows = np.lib.stride_tricks.as_strided(written, (len(written) - _WORD_BYTES + 1, _WORD_BYTES), (1, 1))
    words = lengths // _WORD_BYTES
    order = np.argsort(words, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(words[order])) + 1):
        found[rows] = _of_one_length(windows, starts[rows], lengths[rows], key)
    if texts.null_count:
        found[pc.is_null(texts).to_numpy(zero_copy_only=False)] = 0
    return found


def row_fingerprints(attributes: Mapping[str, pa.StringArray], rows: int, secret: bytes, sync: str) -> Fingerprints:
    """One number a row: the sum of its attributes' fingerprints, so the order of columns makes no difference.

    An attribute that is not sent, null, adds nothing: a new column that is empty in every row changes none.

    Args:
        attributes: What is sent, by name; each as long as there are rows.
        rows: How many.
        secret: The home folder's.
        sync: The sync's name.
    """
    total = np.zeros(rows, np.uint64)
    for name, texts in attributes.items():
        total += fingerprints(texts, subkey(secret, "value", sync, name))
    return total


def _of_one_length(
    windows: np.ndarray[tuple[int, int], np.dtype[np.uint8]],
    starts: np.ndarray[tuple[int], np.dtype[np.int64]],
    lengths: np.ndarray[tuple[int], np.dtype[np.int64]],
    key: Subkey,
) -> Fingerprints:
    """Texts with the same number of whole words."""
    state = [np.full(len(starts), key[at % 2] ^ initial, np.uint64) for at, initial in enumerate(_INITIAL)]
    whole = int(lengths[0]) // _WORD_BYTES
    for word in range(whole):
        message = np.ascontiguousarray(windows[starts + _WORD_BYTES * word]).view(np.uint64).ravel()
        _absorb(state, message)
    rest = (lengths % _WORD_BYTES).astype(np.uint64) * np.uint64(8)
    last = np.ascontiguousarray(windows[starts + _WORD_BYTES * whole]).view(np.uint64).ravel()
    last &= (np.uint64(1) << rest) - np.uint64(1)
    _absorb(state, last | (lengths.astype(np.uint64) << np.uint64(56)))
    state[2] ^= np.uint64(0xFF)
    _turn(state, rounds=4)
    mixed: Fingerprints = state[0] ^ state[1] ^ state[2] ^ state[3]
    return mixed


def _absorb(state: list[Fingerprints], message: Fingerprints) -> None:
    state[3] ^= message
    _turn(state, rounds=2)
    state[0] ^= message


def _turn(state: list[Fingerprints], *, rounds: int) -> None:
    for _ in range(rounds):
        for a, b, c, d, left, right in _ROUND:
            state[a] += state[b]
            state[b] = _rotated(state[b], left) ^ state[a]
            state[a] = _rotated(state[a], 32)
            state[c] += state[d]
            state[d] = _rotated(state[d], right) ^ state[c]


def _rotated(values: Fingerprints, bits: int) -> Fingerprints:
    return (values << np.uint64(bits)) | (values >> np.uint64(64 - bits))

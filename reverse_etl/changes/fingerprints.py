"""Keyed fingerprints of many texts at once: SipHash-2-4 over Arrow's own buffers, a column at a time.

They are stored, so they must be the same on every machine and in every release of every library: that is why it is
not a hash of DuckDB's. It has a key, so that no one can find a plan or a phone number by trying.

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
_WORD_BITS: Final = 3
"""By how many bits a number of bytes is shifted to be one of words."""

_KEPT: Final = np.array([2 ** (8 * size) - 1 for size in range(_WORD_BYTES)], np.uint64)
"""Of a last word with that many bytes."""

_ROWS_AT_ONCE: Final = 8_192
"""Numbers of as many rows are made and forgotten in the cache; more would be new pages of memory for each step."""

_SAMPLE: Final = 1_000
"""Texts that are looked at to guess how many are equal."""

_FEW: Final = 0.5
"""The share of them, above which each is taken for a text of its own."""

_PLACES: Final = 5
"""Of the state, and one to work with."""

_Space: TypeAlias = "np.ndarray[tuple[int, int], np.dtype[np.uint64]]"

_MOST_16_BITS: Final = 2**16 - 1
_INITIAL: Final = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_ROUND: Final = ((0, 1, 2, 3, 13, 16), (2, 1, 0, 3, 17, 21))
"""The two halves of a round: four places of the state, and by how many bits two of them are turned."""


_Shift: TypeAlias = "np.ndarray[tuple[()], np.dtype[np.uint64]]"

_SHIFTS: Final[Mapping[int, tuple[_Shift, _Shift]]] = {
    bits: (np.array(bits, np.uint64), np.array(64 - bits, np.uint64)) for bits in (13, 16, 17, 21, 32)
}
"""By how many bits to the left and to the right a number is turned; of its own type, so that none is looked for."""


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
    if _mostly_repeat(texts):
        encoded = texts.dictionary_encode()
        found = fingerprints(encoded.dictionary, key)[encoded.indices.fill_null(0).to_numpy()]
    else:
        _enter(texts, key, found)
    if texts.null_count:
        found[pc.is_null(texts).to_numpy(zero_copy_only=False)] = 0
    return found


def _mostly_repeat(texts: pa.StringArray) -> bool:
    """Whether finding the few texts that there are costs less than the fingerprints of all of them; a guess."""
    if len(texts) < _SAMPLE:
        return False
    # From all over: what is in order is alike nearby, or different nearby.
    some = texts.take(pa.array(np.arange(0, len(texts), len(texts) // _SAMPLE)))
    return len(some.unique()) < len(some) * _FEW


def _enter(texts: pa.StringArray, key: Subkey, found: Fingerprints) -> None:
    """Enters one number a text; something for null."""
    # As many in each: what is left over would take as many calls.
    pieces = max(1, round(len(texts) / _ROWS_AT_ONCE))
    rows = -(-len(texts) // pieces)
    space = np.empty((_PLACES, rows), np.uint64)
    for start in range(0, len(texts), rows):
        found[start : start + rows] = _of_some(texts.slice(start, rows), key, space)


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


def _of_some(texts: pa.StringArray, key: Subkey, space: _Space) -> Fingerprints:
    """As ``fingerprints``, of texts that fit into the processor's cache; something for null."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    size = int(ends[-1] - ends[0])
    # A text's last word may reach beyond the last byte.
    written = np.zeros(size + _WORD_BYTES, np.uint8)
    if size:
        written[:size] = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    starts, lengths = (ends[:-1] - ends[0]).astype(np.int64), np.diff(ends)
    words = lengths >> _WORD_BITS
    most = int(words.max())
    if int(words.min()) == most:
        return _of_sorted(written, starts, lengths, key, space)
    # The longest first; sixteen bits are sorted by radix.
    fewer = most - words
    order = np.argsort(fewer.astype(np.uint16) if most <= _MOST_16_BITS else fewer, kind="stable")
    found = np.empty(len(texts), np.uint64)
    found[order] = _of_sorted(written, starts[order], lengths[order], key, space)
    return found


def _of_sorted(
    written: np.ndarray[tuple[int], np.dtype[np.uint8]],
    starts: np.ndarray[tuple[int], np.dtype[np.int64]],
    lengths: np.ndarray[tuple[int], np.dtype[np.int32]],
    key: Subkey,
    space: _Space,
) -> Fingerprints:
    """Texts in the order of their whole words, the most first; a word of zeros follows the last one's bytes."""
    # A word at each byte, whatever its alignment.
    words: Fingerprints = np.ndarray((len(written) - _WORD_BYTES + 1,), np.dtype("<u8"), written.data, strides=(1,))
    rows, whole = len(starts), lengths >> _WORD_BITS
    *state, spare = space[:, :rows]
    for at, initial in enumerate(_INITIAL):
        state[at][:] = key[at % 2] ^ initial
    for word in range(int(whole[0])):
        longer = slice(rows - int(np.searchsorted(whole[::-1], word, "right")))
        _absorb([each[longer] for each in state], words[starts[longer] + _WORD_BYTES * word], spare[longer])
    last = words[starts + (whole << _WORD_BITS)]
    last &= _KEPT[lengths & (_WORD_BYTES - 1)]
    last |= lengths.astype(np.uint64) << 56
    _absorb(state, last, spare)
    state[2] ^= np.uint64(0xFF)
    _turn(state, spare, rounds=4)
    mixed: Fingerprints = state[0] ^ state[1]
    mixed ^= state[2]
    mixed ^= state[3]
    return mixed


def _absorb(state: list[Fingerprints], message: Fingerprints, spare: Fingerprints) -> None:
    state[3] ^= message
    _turn(state, spare, rounds=2)
    state[0] ^= message


def _turn(state: list[Fingerprints], spare: Fingerprints, *, rounds: int) -> None:
    """Mixes the state in place."""
    # Calls are a third of what it costs: written out, and with each result's place given by position.
    add, xor, either, left_shift, right_shift = np.add, np.bitwise_xor, np.bitwise_or, np.left_shift, np.right_shift
    steps = [
        (state[a], state[b], state[c], state[d], _SHIFTS[left], _SHIFTS[right]) for a, b, c, d, left, right in _ROUND
    ]
    half, _ = _SHIFTS[32]
    for _ in range(rounds):
        for a, b, c, d, (left, left_back), (right, right_back) in steps:
            add(a, b, a)
            left_shift(b, left, spare)
            right_shift(b, left_back, b)
            either(b, spare, b)
            xor(b, a, b)
            left_shift(a, half, spare)
            right_shift(a, half, a)
            either(a, spare, a)
            add(c, d, c)
            left_shift(d, right, spare)
            right_shift(d, right_back, d)
            either(d, spare, d)
            xor(d, c, d)

"""A number for each row, from its stream, its row number and its identifier; sums of them distinguish sets of rows.

The sum (modulo 2**64) does not depend on the order, so it can be taken where rows are read and again where each is
known to have an outcome: equal sums mean the same rows. ``ledger.reconcile`` compares them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

Keys = np.ndarray[tuple[int], np.dtype[np.uint64]]

_Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
_Places = np.ndarray[tuple[int], np.dtype[np.int64]]

MODULUS: Final = 2**64

_GOLDEN: Final = 0x9E3779B97F4A7C15
_PLACES: Final = 256


def row_keys(numbers: pa.Int64Array, identifiers: pa.StringArray, stream: str) -> Keys:
    """One number a row, as long as ``numbers``; a column pass, no row is looked at in Python.

    Args:
        numbers: Row numbers.
        identifiers: As long; no nulls.
        stream: The name of their stream.
    """
    text = text_keys(identifiers)
    salt = np.uint64(sum(stream.encode()))
    return _mixed(_mixed(numbers.to_numpy().astype(np.uint64) + salt * np.uint64(_GOLDEN % 2**32)) + text)


def key_sum(keys: Keys) -> int:
    """The sum of some rows' keys, modulo 2**64."""
    return int(keys.sum(dtype=np.uint64))


def text_keys(text: pa.StringArray) -> Keys:
    """A number for each text: a weighted sum of its bytes, the weight depends on the place within the text."""
    _, offsets, data = text.buffers()
    if data is None or len(text) == 0:
        return np.zeros(len(text), dtype=np.uint64)
    ends = np.frombuffer(offsets, np.int32)[text.offset : text.offset + len(text) + 1].astype(np.int64)
    written = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    starts, lengths = ends[:-1] - ends[0], np.diff(ends)
    if len(written) and lengths.max() <= _PLACES:
        sums = _sums_of_short(written, starts, lengths)
    else:
        sums = _sums(written, starts, lengths)
    return _mixed(sums + lengths.astype(np.uint64))


def _sums_of_short(written: _Bytes, starts: _Places, lengths: _Places) -> Keys:
    """Place by place, of the texts that are long enough: several times as fast as byte by byte."""
    order = np.argsort((_PLACES - lengths).astype(np.uint16), kind="stable")
    ordered, sorted_lengths = starts[order], lengths[order][::-1]
    found = np.zeros(len(starts), np.uint64)
    for place, weight in enumerate(_weights()[: sorted_lengths[-1]]):
        longer = len(starts) - int(np.searchsorted(sorted_lengths, place, "right"))
        # The one of each byte is added last, to all of them at once.
        found[:longer] += written[ordered[:longer] + place].astype(np.uint64) * weight
    totals = np.concatenate((np.zeros(1, np.uint64), np.cumsum(_weights(), dtype=np.uint64)))
    sums = np.empty_like(found)
    sums[order] = found
    sums += totals[lengths]
    return sums


def _sums(written: _Bytes, starts: _Places, lengths: _Places) -> Keys:
    places = np.arange(len(written), dtype=np.int64) - np.repeat(starts, lengths)
    weighted = (written.astype(np.uint64) + np.uint64(1)) * _weights()[places % _PLACES]
    # Differences of a running sum rather than `reduceat`, which has no word for an empty text.
    running = np.concatenate((np.zeros(1, np.uint64), np.cumsum(weighted, dtype=np.uint64)))
    sums: Keys = running[starts + lengths] - running[starts]
    return sums


def _weights() -> Keys:
    return _mixed(np.arange(1, _PLACES + 1, dtype=np.uint64) * np.uint64(_GOLDEN)) | np.uint64(1)


def _mixed(values: Keys) -> Keys:
    """Spreads each value over all 64 bits. Source: SplitMix64, Steele et al., OOPSLA 2014."""
    values = values + np.uint64(_GOLDEN)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))

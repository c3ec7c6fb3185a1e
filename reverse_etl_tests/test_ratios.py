"""What a million rows cost stays below what a plain loop over them costs: ratios of two loops, in turn, in one process.

Seconds of a machine say nothing on another one, or beside other work; which of two loops takes longer does. The bounds
are two to three times what was measured, as other work takes more from kernels than from loops: a kernel that falls
back to a loop over rows is beyond.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from zlib import crc32

import orjson
import pyarrow as pa

from reverse_etl.changes.fingerprints import fingerprints
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.changeset.row_keys import text_keys
from reverse_etl.destinations.customerio.operations import items
from reverse_etl_tests.destinations.customerio.configs import numbered, sync

ROWS = 20_000
TEXTS = [f"user{number}@example.com" for number in range(ROWS)]


def ratio(ours: Callable[[], object], plain: Callable[[], object]) -> float:
    """How many times the processor's time of the plain loop ours takes: the least of seven turns of each."""
    taken: list[list[float]] = [[], []]
    for _ in range(7):
        for work, seconds in zip((ours, plain), taken, strict=True):
            began = time.thread_time()
            work()
            seconds.append(time.thread_time() - began)
    return min(taken[0]) / min(taken[1])


def test_fingerprints_cost_less_than_a_hash_of_each_text() -> None:
    """SipHash over a column, beside BLAKE2 text by text."""
    column, key = pa.array(TEXTS), b"k" * 32
    plain = [text.encode() for text in TEXTS]
    assert 0.6 > ratio(
        lambda: fingerprints(column, (1, 2)), lambda: [hashlib.blake2b(text, key=key).digest() for text in plain]
    )


def test_row_keys_cost_less_than_a_checksum_of_each_text() -> None:
    """A weighted sum over a column, beside CRC-32 text by text."""
    column = pa.array(TEXTS)
    plain = [text.encode() for text in TEXTS]
    assert 2.5 > ratio(lambda: text_keys(column), lambda: [crc32(text) for text in plain])


def test_operations_cost_less_than_a_dictionary_of_each_row() -> None:
    """Kernels that write JSON, beside orjson row by row."""
    people = [
        {"id": text, "name": "Ann", "plan": "pro", "age": number % 90, "score": number / 8, "active": True}
        for number, text in enumerate(TEXTS)
    ]
    batch = numbered(people, pa.Table.from_pylist(people[:1]).schema)
    of = sync(people={"identify_by": "id"})

    def row_by_row() -> list[bytes]:
        return [
            orjson.dumps({"type": "person", "identifiers": {"id": row["id"]}, "action": "identify", "attributes": row})
            for row in batch.drop_columns([ROW_NUMBER]).to_pylist()
        ]

    assert 0.5 > ratio(lambda: items(batch, of, "rows"), row_by_row)

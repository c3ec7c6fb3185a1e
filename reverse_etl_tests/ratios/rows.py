"""What a million rows cost, beside plain loops over them: a kernel that falls back to a loop over rows is beyond."""

from __future__ import annotations

import csv
import hashlib
import io
import tempfile
from pathlib import Path
from typing import Final
from zlib import crc32

import numpy as np
import orjson
import pyarrow as pa

from reverse_etl.changes.fingerprints import fingerprints
from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.changeset.row_keys import text_keys
from reverse_etl.checks.base import BatchRule
from reverse_etl.checks.rules import rules_for
from reverse_etl.delivery.batches import Packer
from reverse_etl.destinations.base import Limits
from reverse_etl.destinations.customerio.operations import items
from reverse_etl.destinations.item_column import ItemColumn, joined
from reverse_etl.ledger.ledger import Ledger
from reverse_etl.report import Cause, Reason
from reverse_etl.sources.mysql.packets import Packets
from reverse_etl.sources.postgres.types import Types
from reverse_etl.sources.postgres.values import batch as columns_of
from reverse_etl_tests.destinations.customerio.configs import numbered, sync
from reverse_etl_tests.ratios import ratio, require
from reverse_etl_tests.sources.mysql_packets import sent

ROWS = 20_000
TEXTS = [f"user{number}@example.com" for number in range(ROWS)]


def columns_of_a_copy_cost_less_than_its_fields() -> None:
    """COPY's CSV into typed columns, beside fields of text by Python's own reader of CSV."""
    oids = {"email": 25, "first_name": 25, "age": 23, "score": 701, "active": 16, "seen_at": 1184}
    lines = [
        f"{text},Ann {number % 500},{number % 90},{number / 8},{'tf'[number % 2]},2026-01-05 01:30:{number % 60:02}+00"
        for number, text in enumerate(TEXTS)
    ]
    block = "\n".join([*lines, ""]).encode()

    def ours() -> pa.RecordBatch:
        return columns_of(block, [*oids], oids=[*oids.values()], types=Types(), timezone="UTC")

    assert ours().num_rows == ROWS
    require(0.5, ours, lambda: [*csv.reader(io.StringIO(block.decode()))])


def columns_of_packets_cost_less_than_their_values() -> None:
    """Rows of six columns as MySQL sends them, beside a loop that takes each value out of them."""
    rows = [
        (text, f"Ann {number % 500}", str(number % 90), str(number / 8), "1", None) for number, text in enumerate(TEXTS)
    ]
    received = sent([tuple(value and value.encode() for value in row) for row in rows])

    def ours() -> list[pa.BinaryArray]:
        packets = Packets()
        assert (ROWS, len(received)) == packets.add(received, 0, len(received), number=0, most=ROWS)
        return packets.take(6)

    def values() -> list[bytearray]:
        found: list[bytearray] = []
        at = 0
        for _ in range(ROWS):
            at += 4
            for _ in range(6):
                size, at = received[at], at + 1
                if size < 251:
                    found.append(received[at : at + size])
                    at += size
        return found

    assert 5 * ROWS == len(values()) == sum(len(column) - column.null_count for column in ours())
    require(0.7, ours, values)


def no_rule_looks_at_each_value_in_a_loop() -> None:
    """Each rule of people that looks at one row at a time, beside a loop over one column."""
    people = [{"id": str(number), "email": text, "plan": "pro", "age": number} for number, text in enumerate(TEXTS)]
    batch = numbered(people, pa.Table.from_pylist(people[:1]).schema)
    rules = [rule for rule in rules_for(sync(people={"identify_by": "id"}))["rows"] if isinstance(rule, BatchRule)]
    column = batch.column("email")
    # A pattern is a search through each text, and this one looks at every column of texts.
    most = {"email_valid": 3.5, "text_encodable": 1.3}

    def plain() -> list[bool]:
        return [bool(text) and len(text) <= 150 for text in column.to_pylist()]

    assert [found for rule in rules for found in rule.findings(batch, 1_767_600_000)] == []
    assert len(rules) > 10
    too_slow = {}
    for each in rules:
        below = most.get(each.rule.name, 0.5)
        if (found := ratio(below, lambda each=each: [*each.findings(batch, 1_767_600_000)], plain)) >= below:
            too_slow[each.rule.name] = found
    assert {} == too_slow


def packing_and_settling_cost_less_than_a_line_for_each_row() -> None:
    """Requests filled, and an entry of the journal for each, beside a line of JSON a row."""
    scratch = tempfile.TemporaryDirectory()
    numbers, keys = [*range(1, ROWS + 1)], [*range(ROWS)]
    operations = [text.encode() * 10 for text in TEXTS]
    limits = Limits(32_000, 475_000, 15, 10_000, 100.0, 8)
    packed: list[int] = []

    def ours() -> None:
        packer = Packer(limits)
        folder = Path(scratch.name, str(len(packed)))
        ledger = Ledger(Parts(folder, "rows"), np.zeros(ROWS, np.uint8), lambda batch, name: batch.column(name))
        requests = [*packer.add(numbers, keys, operations), *packer.rest()]
        for request in requests:
            ledger.deliver(request.numbers, request.keys)
        assert ledger.close(Cause("delivery", Reason("stopped", "", ""))).delivered == ROWS
        packed.append(len(requests))

    def row_by_row() -> list[bytes]:
        return [
            orjson.dumps({"row": number, "key": key, "bytes": len(item), "outcome": "delivered"})
            for number, key, item in zip(numbers, keys, operations, strict=True)
        ]

    with scratch:
        require(0.4, ours, row_by_row)
    assert 5 < packed[0] < 15


def fingerprints_cost_less_than_a_hash_of_each_text() -> None:
    """SipHash over a column, beside BLAKE2 text by text."""
    column, key = pa.array(TEXTS), b"k" * 32
    plain = [text.encode() for text in TEXTS]
    require(
        0.6, lambda: fingerprints(column, (1, 2)), lambda: [hashlib.blake2b(text, key=key).digest() for text in plain]
    )


def texts_that_repeat_cost_less_than_as_many_that_do_not() -> None:
    """SipHash over a column of ninety texts, beside one that has each text once, of the same length."""
    few, each = (pa.array([f"{number:06}" for number in numbers]) for numbers in ([*range(90)] * 223, range(90 * 223)))
    assert len(few) == len(each)
    require(0.8, lambda: fingerprints(few, (1, 2)), lambda: fingerprints(each, (1, 2)))


def row_keys_cost_less_than_a_checksum_of_each_text() -> None:
    """A weighted sum over a column, beside CRC-32 text by text."""
    column = pa.array(TEXTS)
    plain = [text.encode() for text in TEXTS]
    require(2.5, lambda: text_keys(column), lambda: [crc32(text) for text in plain])


def operations_cost_less_than_a_dictionary_of_each_row() -> None:
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

    require(0.5, lambda: [*items(batch, of, "rows")], row_by_row)


def packing_costs_less_than_a_loop_over_items() -> None:
    """Bodies cut out of a column of items, beside items taken out and added up one by one."""
    column, numbers = ItemColumn.of([text.encode() * 8 for text in TEXTS]), [*range(ROWS)]
    limits = Limits(32_000, 475_000, 12, 5_000, 100, 8)

    def one_by_one() -> list[bytes]:
        bodies, size, items = [], 0, []
        for item in column:
            if size + len(item) > limits.max_request_bytes:
                bodies.append(b",".join(items))
                size, items = 0, []
            size += len(item) + 1
            items.append(item)
        return [*bodies, b",".join(items)]

    def packed() -> list[bytes]:
        packer = Packer(limits)
        requests = [*packer.add(numbers, numbers, column), *packer.rest()]
        return [b"".join((joined(request.items),)) for request in requests]

    require(0.6, packed, one_by_one)


GUARDS: Final = (
    columns_of_packets_cost_less_than_their_values,
    columns_of_a_copy_cost_less_than_its_fields,
    no_rule_looks_at_each_value_in_a_loop,
    packing_and_settling_cost_less_than_a_line_for_each_row,
    fingerprints_cost_less_than_a_hash_of_each_text,
    texts_that_repeat_cost_less_than_as_many_that_do_not,
    row_keys_cost_less_than_a_checksum_of_each_text,
    operations_cost_less_than_a_dictionary_of_each_row,
    packing_costs_less_than_a_loop_over_items,
)

"""Fingerprints are SipHash-2-4, the same in every release, and equal exactly where what is sent is equal."""

from __future__ import annotations

import json
import random
from datetime import UTC, date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.changes.fingerprints import fingerprints, row_fingerprints, subkey
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations.customerio import as_sent
from reverse_etl.destinations.customerio.operations import items
from reverse_etl.destinations.customerio.sync import Sync
from reverse_etl.sources.base import marked
from reverse_etl_tests.destinations.customerio.configs import numbered, sync
from reverse_etl_tests.destinations.customerio.test_operations import OBJECTS, PEOPLE, RELATIONSHIPS

GOLDEN = Path(__file__).with_name("golden_fingerprints.json")
SECRET = bytes(range(32))
KEY = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
VECTORS = {0: 0x726FDB47DD0E0E31, 8: 0x93F5F5799A932462, 15: 0xA129CA6149BE45E5, 63: 0x958A324CEB064572}
"""Source: the authors' reference implementation, vectors_sip64."""

PEOPLE_SYNC = sync(people={"identify_by": "id"})
RELATED = sync(
    people={"identify_by": "id"}, relationships={"identify_by": "id", "query": "SELECT 1", "empty_values": "delete"}
)


def of_rows(batch: pa.RecordBatch, of: Sync = PEOPLE_SYNC, stream: str = ROWS) -> list[tuple[int, int]]:
    """The fingerprints of each row's key and of its attributes."""
    sent = as_sent(batch, of, stream)
    keys = fingerprints(sent.keys, subkey(SECRET, "key"))
    rows = row_fingerprints(sent.attributes, batch.num_rows, SECRET, "customers")
    return list(zip(keys.tolist(), rows.tolist(), strict=True))


def test_the_authors_vectors_hold() -> None:
    """Texts of every length up to 63 bytes at once, which are grouped by their words."""
    found = fingerprints(pa.array([bytes(range(length)) for length in range(64)], pa.binary()), KEY)
    assert VECTORS == {length: int(found[length]) for length in VECTORS}


def test_many_texts_are_as_each_alone() -> None:
    """More than are hashed at once, of lengths that differ and that are all the same."""
    for texts in (["é" * (at % 23) + "x" * (at % 7) for at in range(9_001)], [f"{at:09}" for at in range(9_001)]):
        found = fingerprints(pa.array(texts), KEY)
        for at in (0, 1, 22, 8_191, 8_192, 8_193, 9_000):
            assert fingerprints(pa.array([texts[at]]), KEY)[0] == found[at]


@pytest.mark.thorough
def test_few_texts_of_many_rows_are_as_each_alone() -> None:
    """Each is hashed once: with nulls, and where a guess from some of the rows is wrong."""
    few = [None if not at % 5 else f"{at % 3}" for at in range(9_001)]
    seldom = ["same" if not at % 9 else f"{at:09}" for at in range(9_001)]
    for texts in (few, seldom):
        found = fingerprints(pa.array(texts), KEY)
        alone = {text: int(fingerprints(pa.array([text], pa.string()), KEY)[0]) for text in {*texts}}
        assert [alone[text] for text in texts] == found.tolist()


def test_a_null_adds_nothing() -> None:
    """An attribute that is left out is no attribute; an empty text is one."""
    assert [0, 0] == fingerprints(pa.array([None, None], pa.string()), KEY).tolist()
    with_text = fingerprints(pa.array([None, "", "a"]), KEY).tolist()
    assert 0 == with_text[0]
    assert len({0, *with_text}) == 3
    assert 0 == len(fingerprints(pa.array([], pa.string()), KEY))


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=40)), max_size=30), st.integers(0, 5))
def test_batches_may_be_cut_anywhere(texts: list[str | None], start: int) -> None:
    """A slice of a batch has the fingerprints of its rows."""
    whole = pa.array(texts, pa.string())
    assert fingerprints(whole, KEY)[start:].tolist() == fingerprints(whole.slice(start), KEY).tolist()


@pytest.mark.parametrize(
    ("name", "batch", "of", "stream"),
    [
        ("people", PEOPLE, PEOPLE_SYNC, ROWS),
        ("people_cleared", PEOPLE, sync(people={"identify_by": "email", "empty_values": "delete"}), ROWS),
        ("objects", OBJECTS, sync(objects={}), ROWS),
        ("relationships", RELATIONSHIPS, RELATED, "relationships"),
    ],
)
def test_they_are_the_same_in_every_release(name: str, batch: pa.RecordBatch, of: Sync, stream: str) -> None:
    """Of every canonical type. Where this fails, everything would be sent again: raise ``_RENDERING``, say why."""
    golden = json.loads(GOLDEN.read_text())
    assert [tuple(row) for row in golden[name]] == of_rows(batch, of, stream)


TEXTS = st.one_of(st.sampled_from(["", "0", "1", "1.0", "-0", "null", '""', "true", "É", "a\tb"]), st.text(max_size=5))
COLUMNS: dict[str, tuple[pa.Field, st.SearchStrategy[Any]]] = {
    "boolean": (pa.field("boolean", pa.bool_()), st.booleans()),
    "integer": (pa.field("integer", pa.int64()), st.sampled_from([0, 1, -1, 10, 2**53, 2**53 + 1, -(2**63)])),
    "float": (pa.field("float", pa.float64()), st.sampled_from([0.0, -0.0, 1.0, 1.1, 0.1 + 0.2, 0.3, 1e22, 2.0**53])),
    "decimal": (marked("decimal", "decimal"), st.sampled_from(["0", "-0", "0.0", "1", "1.0", "1.1", "1.10", "1E+2"])),
    "text": (pa.field("text", pa.string()), TEXTS),
    "date-time": (pa.field("date-time", pa.timestamp("us", "UTC")), st.datetimes(timezones=st.just(UTC))),
    "date": (pa.field("date", pa.date32()), st.sampled_from([date(1970, 1, 1), date(1, 1, 1), date(9999, 12, 31)])),
    "json": (marked("json", "json"), st.sampled_from(['{"a": 1}', '{"a":1}', "null", '""', "[]", "1", "1.0", "true"])),
    "nothing": (pa.field("nothing", pa.null()), st.none()),
}
"""Every canonical type that rows are sent with, and values that are easily taken for each other."""


@st.composite
def canonical(draw: st.DrawFn) -> pa.RecordBatch:
    """One person with one attribute, of any type."""
    field, values = COLUMNS[draw(st.sampled_from([*COLUMNS]))]
    schema = pa.schema([("id", pa.string()), field.with_name("plan")])
    return numbered([{"id": "1", "plan": draw(st.none() | values)}], schema)


@settings(max_examples=60, deadline=None)
@given(st.lists(canonical(), min_size=2, max_size=8), st.sampled_from(["ignore", "delete"]))
def test_rows_are_equal_exactly_where_their_operations_are(rows: list[pa.RecordBatch], empty_values: str) -> None:
    """Whatever type their values have in each batch: another operation has another fingerprint, and no other has."""
    of = sync(people={"identify_by": "id", "empty_values": empty_values})
    found, sent = [of_rows(row, of) for row in rows], [items(row, of, ROWS) for row in rows]
    for one in range(len(rows)):
        for other in range(one):
            assert (found[one] == found[other]) == (sent[one] == sent[other]), (sent[one], sent[other])


WIDE = pa.schema([("id", pa.string()), *(field for field, _ in COLUMNS.values())])
WIDE_ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | values for name, (_, values) in COLUMNS.items()}), min_size=1, max_size=12
)


@settings(max_examples=40, deadline=None)
@given(WIDE_ROWS, st.randoms(use_true_random=False), st.sampled_from(["ignore", "delete"]))
def test_order_of_rows_and_columns_and_cuts_make_no_difference(
    rows: list[dict[str, Any]], chance: random.Random, empty_values: str
) -> None:
    """Read again in another order, another select list and other batches, each row has the fingerprints it had."""
    of = sync(people={"identify_by": "id", "empty_values": empty_values})
    rows = [{"id": str(number), **row} for number, row in enumerate(rows)]
    before = dict(zip((row["id"] for row in rows), of_rows(numbered(rows, WIDE), of), strict=True))
    chance.shuffle(rows)
    names = chance.sample(WIDE.names, len(WIDE.names))
    again = numbered(rows, pa.schema([WIDE.field(name) for name in names]))
    after = []
    start = 0
    while start < len(rows):
        size = chance.randint(1, 4)
        after += of_rows(again.slice(start, size), of)
        start += size
    assert before == dict(zip((row["id"] for row in rows), after, strict=True))


def test_columns_in_another_order_are_the_same_row() -> None:
    """And a column that is empty everywhere changes none; values that change places do."""
    schema = pa.schema([("id", pa.string()), ("plan", pa.string()), ("country", pa.string())])
    batch = numbered([{"id": "1", "plan": "pro", "country": "NL"}, {"id": "1", "plan": "NL", "country": "pro"}], schema)
    turned = batch.select(["country", "id", "plan", batch.schema.names[-1]])
    wider = pa.RecordBatch.from_arrays(
        [pa.nulls(2, pa.string()), *batch.columns], names=["nickname", *batch.schema.names]
    )
    assert of_rows(batch) == of_rows(turned) == of_rows(wider)
    assert of_rows(batch)[0] != of_rows(batch)[1]


def test_addresses_are_one_person_in_any_case() -> None:
    """As Customer.io compares them; ids are not."""
    batch = numbered([{"email": "Ann@Example.com", "id": "A"}, {"email": "ann@example.com", "id": "a"}])
    by_email = [key for key, _ in of_rows(batch, sync(people={"identify_by": "email"}))]
    by_id = [key for key, _ in of_rows(batch)]
    assert (1, 2) == (len(set(by_email)), len(set(by_id)))


def test_another_secret_or_use_gives_other_numbers() -> None:
    """Neither two columns nor two home folders have a fingerprint in common."""
    text = pa.array(["pro"])
    uses = [subkey(SECRET, "value", "customers", "plan"), subkey(SECRET, "value", "customers", "tier")]
    uses += [subkey(bytes(32), "value", "customers", "plan"), subkey(SECRET, "value", "others", "plan")]
    assert 4 == len({int(fingerprints(text, use)[0]) for use in uses})


def test_they_are_spread_over_all_bits() -> None:
    """Of texts that differ in one character, half of the bits differ."""
    found = fingerprints(pa.array([f"customer-{number}" for number in range(1_000)]), KEY)
    bits = np.unpackbits((found[1:] ^ found[:-1]).view(np.uint8)).mean()
    assert 0.48 < bits < 0.52

"""Rows out of the packets that a MySQL server sends: each value once, in its column, whatever a packet holds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.sources.base import BATCH_BYTES, BATCH_ROWS
from reverse_etl.sources.mysql.packets import Packets, needed_bytes
from reverse_etl.sources.mysql.pile import Pile
from reverse_etl.sources.mysql.wire import Refused, Row
from reverse_etl_tests.sources.mysql_packets import packet, sent, value

LENGTHS = (0, 1, 250, 251, 252, 255, 256, 65_535, 65_536, 70_000)
"""Around which the length of a value is written otherwise."""


def unpacked(packets: Packets, columns: int) -> list[Row]:
    """The rows."""
    return list(zip(*(column.to_pylist() for column in packets.take(columns)), strict=True))


CONTENT = st.none() | st.binary(max_size=4) | st.sampled_from(LENGTHS).map(lambda size: b"\xfe" * size)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3).flatmap(lambda columns: st.lists(st.tuples(*[CONTENT] * columns), min_size=1, max_size=8)),
    st.lists(st.integers(1, 5_000), min_size=1, max_size=10),
    st.integers(0, 255),
    st.integers(1, 4),
)
def test_rows_come_out_as_they_were_sent(rows: list[Row], pieces: list[int], number: int, most: int) -> None:
    """However what is received is cut, with whatever lies before it, and with a few at a time."""
    packets, whole = Packets(), sent(rows, number)
    received, left, done = bytearray(b"before"), bytes(whole), 0
    begin = len(received)
    while done < len(rows):
        missing = needed_bytes(received, begin, len(received)) - (len(received) - begin)
        taken, begin = packets.add(received, begin, len(received), number=(number + done) & 0xFF, most=most)
        done += taken
        assert bool(taken) == (missing <= 0)
        if not taken:
            cut = max(missing, pieces[done % len(pieces)])
            received, left = received + left[:cut], left[cut:]
    assert (begin, len(whole)) == (len(received), packets.nbytes)
    assert rows == unpacked(packets, len(rows[0]))
    assert 0 == packets.nbytes


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(packet(b"\xfe\0\0\2\0", 2), id="the end"),
        pytest.param(packet(b"\xfe\0\0\2\0\0\0", 2), id="the end as a newer server has it"),
        pytest.param(packet(b"\xff\x15\x04#70100killed", 2), id="an error"),
        pytest.param(packet(value(b"c"), 3), id="the packet after the next"),
        pytest.param(packet(value(b"c"), 2)[:-1], id="a row that is not whole"),
        pytest.param(packet(value(b"c"), 2)[:3], id="a header that is not whole"),
        pytest.param(packet(b"\xfd\xff\xff\xfe" + bytes(2**24 - 5), 2), id="a row of several packets"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_is_no_row_of_one_packet_is_left_to_the_driver(other: bytes) -> None:
    """With all that comes after it."""
    packets, rows = Packets(), [(b"a",), (None,)]
    before = sent(rows)
    received = before + other + packet(value(b"d"), 3)
    end = len(received) if len(other) > 6 else len(before + other)
    assert (2, len(before)) == packets.add(received, 0, end, number=0, most=9)
    assert (0, len(before)) == packets.add(received, len(before), end, number=2, most=9)
    assert rows == unpacked(packets, 1)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(value(b"a"), id="one column"),
        pytest.param(value(b"a") * 3, id="three columns"),
        pytest.param(value(b"a") + b"\x09b", id="a value longer than its row"),
        pytest.param(value(b"a") + b"\xfd\xff\xff\x7fb", id="a value longer than all"),
        pytest.param(value(b"a") + b"\xfc", id="a length that is cut off"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_row_that_has_not_two_columns_is_refused(payload: bytes, place: int) -> None:
    """The first, one between others and the last: nothing of it is read from another row or from behind all."""
    payloads = [value(b"x") * 2] * 3
    payloads[place] = payload
    received = bytearray(b"".join(packet(each, number) for number, each in enumerate(payloads)))
    packets = Packets()
    assert (3, len(received)) == packets.add(received, 0, len(received), number=0, most=9)
    with pytest.raises(Refused) as refused:
        packets.take(2)
    assert refused.value.lost


def test_no_rows_have_their_columns_too() -> None:
    """Empty ones."""
    assert [0, 0] == [len(column) for column in Packets().take(2)]


def test_a_pile_keeps_packets_and_rows_of_a_driver_in_order() -> None:
    """A row of several packets, which the driver reads, comes between others; and no more than there is room for."""
    pile = Pile(1, limit=4)
    first, last = sent([(b"1",), (b"2",)]), sent([(b"4",), (b"5",)])
    assert (2, len(first)) == pile.add_received(first, 0, len(first), number=0)
    pile.add([(b"3",)])
    assert (1, len(last) // 2) == pile.add_received(last, 0, len(last), number=0)
    assert (4, 0) == (pile.rows, pile.room)
    (column,) = pile.take()
    assert [b"1", b"2", b"3", b"4"] == column.to_pylist()


def test_a_pile_of_packets_is_full_by_rows_or_bytes() -> None:
    """By what has been received at once beyond it at most."""
    narrow, wide = Pile(1, limit=None), Pile(1, limit=None)
    few, large = sent([(b"x",)] * 256), sent([(bytes(60_000),)])
    while narrow.room:
        narrow.add_received(few, 0, len(few), number=0)
    while wide.room:
        wide.add_received(large, 0, len(large), number=0)
    assert BATCH_ROWS == narrow.rows
    assert BATCH_BYTES <= wide.take()[0].nbytes < BATCH_BYTES + 2 * len(large)

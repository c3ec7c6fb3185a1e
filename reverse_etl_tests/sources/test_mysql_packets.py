"""Rows out of the packets that a MySQL server sends: each value once, in its column, whatever a packet holds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.sources.base import BATCH_BYTES, BATCH_ROWS
from reverse_etl.sources.mysql.packets import Packets, needed_bytes
from reverse_etl.sources.mysql.pile import Pile
from reverse_etl.sources.mysql.wire import Refused, Row
from reverse_etl_tests.sources.mysql_packets import packet, plainly, sent, value

EDGES = (*range(249, 258), *range(65_533, 65_539))
"""Lengths that are written otherwise than those before them, or in bytes that mean something else elsewhere."""

LENGTHS = (0, 1, *EDGES, 70_000)
BEGINNINGS = (b"\0", b"\xfb", b"\xfc", b"\xfd", b"\xfe", b"\xff")
"""First bytes of values that read as a part of a length, or as what stands for one."""


def unpacked(packets: Packets, columns: int) -> list[Row]:
    """The rows."""
    return list(zip(*(column.to_pylist() for column in packets.take(columns)), strict=True))


CONTENT = (
    st.none()
    | st.binary(max_size=4)
    | st.builds(lambda size, first: first * size, st.sampled_from(LENGTHS), st.sampled_from(BEGINNINGS))
)


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


@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "middle", "last"])
def test_a_value_of_any_length_comes_out_whole(place: int) -> None:
    """In each column, beside others of any length, in one batch."""
    contents = [first + b"z" * (size - 1) for size in EDGES for first in BEGINNINGS]
    rows = [
        tuple(content if column == place else other for column, other in enumerate((b"ab!", None, b"")))
        for content in contents
    ]
    rows += zip(contents, contents[1:], reversed(contents), strict=False)
    packets, received = Packets(), sent(rows)
    assert (len(rows), len(received)) == packets.add(received, 0, len(received), number=0, most=len(rows))
    assert rows == unpacked(packets, 3)


def test_the_longest_value_of_one_packet_comes_out_whole() -> None:
    """Beside one of the other longest length."""
    row = (b"a", b"\0" * (2**24 - 1 - 65_535 - 2 - 4 - 3 - 1), b"\xfd" * 65_535)
    packets, received = Packets(), sent([row])
    assert 2**24 + 2 == len(received)
    assert (1, len(received)) == packets.add(received, 0, len(received), number=0, most=9)
    assert [row] == unpacked(packets, 3)


MARKS = st.sampled_from((0, 1, 249, 250, 251, 252, 253, 254, 255))


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """Of a row of about three columns, whose lengths are written in more bytes than they need or are not true."""
    payload = b""
    for _ in range(draw(st.sampled_from((2, 3, 3, 3, 3, 3, 4)))):
        content = draw(CONTENT)
        short = content is not None and len(content) < 2**16
        mark = draw(st.sampled_from((None, b"\xfc", b"\xfd")))
        if content is None or mark is None or not short:
            payload += value(content)
        else:
            payload += mark + len(content).to_bytes(2 + mark[0] - 0xFC, "little") + content
    if draw(st.booleans()):
        place = draw(st.integers(0, min(len(payload) - 1, 600)))
        payload = payload[:place] + bytes([draw(MARKS)]) + payload[place + 1 :]
    return payload


@settings(max_examples=100, deadline=None)
@given(st.lists(payloads().filter(lambda payload: payload[0] < 0xFE), min_size=1, max_size=5))
def test_packets_are_read_as_a_loop_over_their_bytes_reads_them(sent_payloads: list[bytes]) -> None:
    """Or refused, where one of them is no row of three columns."""
    received = bytearray(b"".join(packet(payload, number) for number, payload in enumerate(sent_payloads)))
    packets = Packets()
    taken = packets.add(received, 0, len(received), number=0, most=9)
    assert (len(sent_payloads), len(received)) == taken
    rows = [plainly(payload, 3) for payload in sent_payloads]
    if None in rows:
        with pytest.raises(Refused):
            packets.take(3)
    else:
        assert rows == unpacked(packets, 3)


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
        pytest.param(value(b"a") + b"\xfe" + bytes(254), id="a length of eight bytes in one packet"),
        pytest.param(value(b"a") + b"\xff" + bytes(255), id="no length"),
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

"""Packing: every item exactly once, in order, in requests that are full and never too full."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.delivery.batches import Packer, Request
from reverse_etl.destinations.base import Limits


def limits(item_bytes: int = 50, request_bytes: int = 100, items: int = 4, envelope: int = 12) -> Limits:
    """Limits so small that a few items fill them."""
    return Limits(
        max_item_bytes=item_bytes,
        max_request_bytes=request_bytes,
        envelope_bytes=envelope,
        max_items=items,
        requests_per_second=1,
        max_requests_in_flight=1,
    )


def pack(packer: Packer, items: list[bytes]) -> list[Request]:
    """All requests of items that are numbered from 1."""
    numbers = range(1, len(items) + 1)
    requests = list(packer.add(numbers, [number * 7 for number in numbers], items))
    return requests + list(packer.rest())


@settings(max_examples=200)
@given(
    sizes=st.lists(st.integers(0, 60), max_size=40), request_bytes=st.integers(13, 120), most_items=st.integers(1, 6)
)
def test_every_item_is_packed_once_in_order_within_the_limits(
    sizes: list[int], request_bytes: int, most_items: int
) -> None:
    """Whatever the sizes: what no request may carry is set apart, all else is in exactly one request."""
    packer = Packer(limits(request_bytes=request_bytes, items=most_items))
    items = [b"x" * size for size in sizes]
    requests = pack(packer, items)
    packed = [number for request in requests for number in request.numbers]
    largest = min(50, request_bytes - 12)
    assert [n for n, size in enumerate(sizes, 1) if size <= largest] == packed
    assert [(n, n * 7) for n, size in enumerate(sizes, 1) if size > largest] == packer.too_large
    for request in requests:
        assert [items[number - 1] for number in request.numbers] == request.items
        assert [number * 7 for number in request.numbers] == [*request.keys]
        size = len(b",".join(request.items)) + 12
        assert max(size / request_bytes, len(request.items) / most_items) == request.fullness(packer.limits)
        assert 1 <= len(request.items) <= most_items
        assert len(b",".join(request.items)) + 12 <= request_bytes
    for request, following in pairwise(requests):
        with_next = len(b",".join([*request.items, following.items[0]])) + 12
        assert len(request.items) == most_items or with_next > request_bytes


def contents(request: Request) -> tuple[list[int], list[int], list[bytes]]:
    """Its numbers, keys and items, whatever holds them."""
    return [*request.numbers], [*request.keys], [*request.items]


def test_requests_are_filled_across_slices() -> None:
    """What one call leaves over is the beginning of the next request."""
    packer = Packer(limits())
    assert [] == list(packer.add([1, 2, 3], [7, 8, 9], [b"a", b"b", b"c"]))
    (request,) = packer.add([4, 5], [10, 11], [b"d", b"e"])
    (rest,) = packer.rest()
    assert ([1, 2, 3, 4], [7, 8, 9, 10], [b"a", b"b", b"c", b"d"]) == contents(request)
    assert ([5], [11], [b"e"]) == contents(rest)
    assert [] == list(packer.rest())


def test_halves_keep_order_and_lose_nothing() -> None:
    """Five items become two and three."""
    first, second = Request([1, 2, 3, 4, 5], [6, 7, 8, 9, 0], [b"a", b"b", b"c", b"d", b"e"]).halves()
    assert (
        Request([1, 2], [6, 7], [b"a", b"b"]),
        Request([3, 4, 5], [8, 9, 0], [b"c", b"d", b"e"]),
    ) == (first, second)

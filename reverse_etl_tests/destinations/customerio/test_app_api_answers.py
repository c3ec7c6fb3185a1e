"""An answer of the App API in an unexpected shape is a sentence without values, wherever it is read."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pytest

from reverse_etl.destinations.customerio import activities, lookup, mirror, segments
from reverse_etl.destinations.customerio.client import Client
from reverse_etl.destinations.customerio.segment_config import SegmentConfig
from reverse_etl.destinations.powers import Window
from reverse_etl.errors import DestinationRefusedError
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl_tests.destinations.customerio.configs import workspace
from reverse_etl_tests.destinations.scripted import Asked, FastClock, Said, scripted_server

Read = Callable[[Client, Patience], Awaitable[object]]
SHAPES: tuple[Any, ...] = (3, 1.5, True, {"quince": "quince"}, ["quince"], [["quince"]], "quince")
"""Values of which at most one or two kinds are right at any place."""


async def _mirror(client: Client, patience: Patience) -> object:
    returned = [pa.array(["1"])]
    return await mirror.remove_others(client, patience, returned, segment=1, id_type="id", most_percent=100, at_once=1)


async def _segment(client: Client, patience: Patience) -> object:
    return await segments.segment_id(client, patience, SegmentConfig(name="x"))


async def _segment_by_id(client: Client, patience: Patience) -> object:
    return await segments.segment_id(client, patience, SegmentConfig(id=1))


async def _existing(client: Client, patience: Patience) -> object:
    return await lookup.existing_people(client, patience, ["1"], id_type="id")


async def _object_types(client: Client, patience: Patience) -> object:
    return await lookup.object_types(client, patience)


async def _window(client: Client, patience: Patience) -> object:
    return await activities.window(client, patience, ("event",))


async def _feed(client: Client, patience: Patience) -> object:
    began = Window(0, frozenset())
    return await activities.since(client, patience, ("event",), began, clock=Clock(), until=float("inf"))


def answered(asked: Sequence[tuple[Read, object]]) -> list[object]:
    """What is made of each answer, or the error; each is the answer to whatever its reader asks."""
    now: list[object] = [None]

    async def run() -> list[object]:
        made: list[object] = []
        async with (
            scripted_server(lambda _: Said(200, orjson.dumps(now[0]))) as server,
            Client(workspace(server.url), clock=FastClock().clock()) as client,
        ):
            for read, now[0] in asked:
                patience = Patience(RetryPolicy(budget_s=0.0), name="workspace main", clock=Clock())
                try:
                    made.append(await read(client, patience))
                except DestinationRefusedError as error:
                    made.append(error)
        return made

    return asyncio.run(run())


PLACES: dict[str, tuple[Read, Callable[[Any], object], tuple[type, ...]]] = {
    "members": (_mirror, lambda odd: {"identifiers": odd}, ()),
    "a member": (_mirror, lambda odd: {"identifiers": [odd]}, (dict,)),
    "a member's id": (_mirror, lambda odd: {"identifiers": [{"id": odd}]}, (str,)),
    "a member's cio_id": (_mirror, lambda odd: {"identifiers": [{"cio_id": odd}]}, (str,)),
    "the next members": (_mirror, lambda odd: {"identifiers": [], "next": odd}, ()),
    "segments": (_segment, lambda odd: {"segments": odd}, ()),
    "a segment": (_segment, lambda odd: {"segments": [odd]}, ()),
    "a segment's id": (_segment, lambda odd: {"segments": [{"name": "x", "type": "manual", "id": odd}]}, (int,)),
    "a made segment": (_segment, lambda odd: {"segments": [], "segment": odd}, ()),
    "a made segment's id": (_segment, lambda odd: {"segments": [], "segment": {"id": odd}}, (int,)),
    "the segment": (_segment_by_id, lambda odd: {"segment": odd}, (dict,)),
    "customers": (_existing, lambda odd: {"customers": odd}, ()),
    "a customer": (_existing, lambda odd: {"customers": [odd]}, (dict,)),
    "a customer's id": (_existing, lambda odd: {"customers": [{"id": odd}]}, (str,)),
    "a customer's identifier": (_existing, lambda odd: {"customers": [{"identifiers": {"id": odd}}]}, (str,)),
    "object types": (_object_types, lambda odd: {"types": odd}, ()),
    "an object type": (_object_types, lambda odd: {"types": [odd]}, ()),
    "an object type's id": (_object_types, lambda odd: {"types": [{"id": odd, "name": ""}]}, (int,)),
    "an object type's name": (_object_types, lambda odd: {"types": [{"id": 1, "name": odd}]}, (str,)),
    "activities": (_window, lambda odd: {"activities": odd}, ()),
    "an activity": (_feed, lambda odd: {"activities": [odd]}, ()),
    "an activity's time": (_feed, lambda odd: {"activities": [{"timestamp": odd}]}, (int, float)),
    "the next activities": (_feed, lambda odd: {"activities": [{"timestamp": 1}], "next": odd}, ()),
}


def test_an_answer_of_another_shape_is_an_error_without_values() -> None:
    """Neither a traceback nor a person passed over, and a page that leads to itself is no answer either."""
    odd = [
        (place, read, answer(shape))
        for place, (read, answer, right) in PLACES.items()
        for shape in SHAPES
        if not isinstance(shape, right) or (shape is True and right == (int,))
    ]
    made = answered([(read, answer) for _, read, answer in odd])
    named = re.compile(r"did not answer with [a-z_]+ as documented")
    passed = [place for (place, *_), each in zip(odd, made, strict=True) if not named.search(str(each))]
    assert [] == passed
    assert "quince" not in " ".join(map(str, made))


def test_a_member_without_an_id_is_no_odd_answer() -> None:
    """People who have an address alone have no ``id``: they are removed by their ``cio_id``."""
    members: list[dict[str, object]] = [{}, {"id": None, "cio_id": "c1"}, {"id": "", "cio_id": "c1"}]
    assert [1, 1, 1] == answered([(_mirror, {"identifiers": [member]}) for member in members])


@pytest.mark.parametrize(
    "date", ["", "soon", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "1 Jan 2024 00:00 +99999"]
)
def test_a_date_that_cannot_be_read_is_none(date: str) -> None:
    """The window of a run begins by this machine's clock then."""

    async def run() -> object:
        said = Said(200, orjson.dumps({"activities": []}), {"date": date})
        async with (
            scripted_server(lambda _: said) as server,
            Client(workspace(server.url), clock=FastClock().clock()) as client,
        ):
            return await _window(client, Patience(RetryPolicy(budget_s=0.0), name="workspace main", clock=Clock()))

    window = asyncio.run(run())
    assert isinstance(window, Window)
    assert -60 < window.since - time.time() < 60


@pytest.mark.parametrize(
    ("pages", "asked"),
    [
        ({"": ("1", "a"), "a": ("2", "b"), "b": ("3", "a")}, ["", "a", "b"]),
        ({"": ("", "a"), "a": ("", "b"), "b": ("", "c"), "c": ("", "d")}, ["", "a"]),
    ],
)
def test_members_that_come_again_and_again_have_an_end(pages: dict[str, tuple[str, str]], asked: list[str]) -> None:
    """Pages that lead back in a circle, or on and on without members, are no answer."""
    starts: list[str] = []

    def answer(request: Asked) -> Said:
        starts.append(request.path.partition("start=")[2])
        identifier, following = pages[starts[-1]] if len(starts) < 10 else ("", "")
        people = [{"id": identifier}] if identifier else []
        return Said(200, orjson.dumps({"identifiers": people, "next": following}))

    async def run() -> object:
        async with (
            scripted_server(answer) as server,
            Client(workspace(server.url), clock=FastClock().clock()) as client,
        ):
            return await _mirror(client, Patience(RetryPolicy(budget_s=0.0), name="workspace main", clock=Clock()))

    with pytest.raises(DestinationRefusedError, match="did not answer with next as documented"):
        asyncio.run(run())
    assert asked == starts

"""Rows of one identifier arrive in their order, in requests that are as full as others."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.changeset.parts import Parts, with_row_numbers
from reverse_etl.delivery.batches import Request
from reverse_etl.delivery.deliver import deliver
from reverse_etl.delivery.lanes import Lanes
from reverse_etl.destinations.base import Limits
from reverse_etl.destinations.customerio.destination import open_destination
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl_tests.destinations.customerio.configs import sync, workspace
from reverse_etl_tests.destinations.scripted import Asked, Said, scripted_server

LIMITS = Limits(10, 1000, 0, 3, 1, 4)


def packed(lanes: Lanes, people: list[str]) -> list[tuple[int, Request]]:
    """All requests of rows of these people, given in two slices."""
    numbers = list(range(1, len(people) + 1))
    requests = []
    for rows in (slice(0, len(people) // 2), slice(len(people) // 2, None)):
        some = numbers[rows]
        items = [b"%d" % number for number in some]
        requests += list(lanes.add(some, [n * 7 for n in some], items, pa.array(people[rows], pa.string())))
    return requests + list(lanes.rest())


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "d@x", "D@X", ""]), max_size=40), st.integers(1, 5))
def test_every_row_is_in_one_request_and_those_of_a_person_in_one_lane(people: list[str], count: int) -> None:
    """Whatever the mixture: nothing lost or doubled, and each person's rows are in order in one lane."""
    requests = packed(Lanes(LIMITS, count), people)
    numbers = [number for _, request in requests for number in request.numbers]
    assert list(range(1, len(people) + 1)) == sorted(numbers)
    lanes = defaultdict(set)
    order = defaultdict(list)
    for lane, request in requests:
        assert [n * 7 for n in request.numbers] == [*request.keys]
        assert [b"%d" % n for n in request.numbers] == request.items
        for number in request.numbers:
            lanes[people[number - 1].lower()].add(lane)
            order[people[number - 1].lower()].append(number)
    assert all(1 == len(used) for used in lanes.values())
    assert all(sorted(rows) == rows for rows in order.values())


def test_few_rows_make_one_request() -> None:
    """Three people in four lanes fit into one request, in row order."""
    assert [(0, [1, 2, 3])] == [(lane, [*r.numbers]) for lane, r in packed(Lanes(LIMITS, 4), ["x", "y", "z"])]


def test_items_that_are_too_large_are_reported_once() -> None:
    """With their numbers and keys, from whichever lane."""
    lanes = Lanes(LIMITS, 4)
    assert [] == list(lanes.add([5], [9], [b"x" * 11], pa.array(["a"])))
    assert [(5, 9)] == lanes.too_large()
    assert [] == lanes.too_large()


def test_events_of_a_person_never_overtake_each_other(tmp_path: Path) -> None:
    """Answers that settle nothing, in any order, and four requests at once: each person's events arrive in order."""
    chance = random.Random(7)  # noqa: S311 - the same every time
    events = [(f"p{chance.randrange(9)}", number) for number in range(200)]
    arrived: dict[str, list[int]] = defaultdict(list)

    def script(asked: Asked) -> Said:
        if chance.random() < 0.3:
            return Said(503)
        for item in json.loads(asked.body)["batch"]:
            arrived[item["identifiers"]["id"]].append(item["attributes"]["n"])
        return Said(200)

    parts = Parts(tmp_path / "rows", "rows")
    columns = {
        "id": [person for person, _ in events],
        "n": [number for _, number in events],
        "event_id": [str(number) for _, number in events],
        "occurred_at": [1_767_614_400] * len(events),
    }
    parts.write(with_row_numbers([pa.RecordBatch.from_pydict(columns)]))

    async def run() -> int:
        async with scripted_server(script) as server:
            config = workspace(server.url, max_items_per_request=4, max_requests_in_flight=4)
            async with open_destination(sync(events={"name": "bought"}), config) as destination:
                policy = RetryPolicy(base_s=0.001, most_s=0.002)
                patience = Patience(policy, name="workspace main", clock=Clock())
                return (await deliver(parts, parts.outcomes(200), destination, patience=patience)).counts.delivered

    assert 200 == asyncio.run(run())
    expected: dict[str, list[int]] = defaultdict(list)
    for person, number in events:
        expected[person].append(number)
    assert expected == arrived

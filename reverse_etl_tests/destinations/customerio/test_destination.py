"""A sync's way into a workspace, against the sandbox: what is checked first, what arrives, what is kept back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import Parts, with_row_numbers
from reverse_etl.config.environment import Secret
from reverse_etl.destinations.base import Accepted, KeptBack, Refusal, RequestRefused
from reverse_etl.destinations.customerio.destination import CustomerIO, open_destination
from reverse_etl.destinations.customerio.sync import Sync
from reverse_etl.destinations.left_out import LeftOut
from reverse_etl.errors import ConfigError, DestinationRefusedError, DestinationUnavailableError, UnauthorizedError
from reverse_etl.report import Outcome, Reason
from reverse_etl_tests.destinations.customerio.configs import numbered, sync, workspace
from reverse_etl_tests.destinations.scripted import Asked, FastClock, Said, scripted_server
from reverse_etl_tests.servers.sandbox import RunningSandbox

Given = TypeVar("Given")

PEOPLE = numbered([{"id": "1", "plan": "pro"}, {"id": "2", "plan": "x" * 1001}, {"id": "3", "plan": "free"}])


def using(url: str, config: Sync, use: Callable[[CustomerIO], Awaitable[Given]], **settings: Any) -> Given:
    """Opens the destination on a fast clock and uses it."""
    time = FastClock()

    async def run() -> Given:
        opened = open_destination(config, workspace(url, **settings), clock=time.clock())
        async with opened as destination:
            return await use(destination)

    return asyncio.run(run())


def prepare(url: str, config: Sync, **settings: Any) -> None:
    """Only the checks before the first row."""
    using(url, config, lambda destination: destination.prepare(), **settings)


def test_a_batch_arrives_and_refused_items_are_named(sandbox: RunningSandbox) -> None:
    """The sandbox refuses the value of 1001 bytes; the message names the attribute and not the value."""
    answer = using(sandbox.url, sync(people={}), lambda d: d.send(d.items(PEOPLE, "rows")))
    assert isinstance(answer, Accepted)
    (refusal,) = answer.refusals
    assert (1, "attributes.plan") == (refusal.place, refusal.why.field)
    assert "1000 bytes" in refusal.why.message
    assert {"1": "pro", "3": "free"} == {person["id"]: person["attributes"]["plan"] for person in sandbox.people()}


def test_messages_come_without_the_items_values() -> None:
    """In a list of refusals, and when a request of one item is refused whole; a larger one's is not kept."""
    quoting = {"reason": "invalid", "message": "'free' and customer-3 are taken"}
    people = numbered([{"id": "customer-3", "plan": "free"}])

    async def send(said: Said) -> Any:
        async with scripted_server(lambda _: said) as server:
            opened = open_destination(sync(people={}), workspace(server.url))
            async with opened as destination:
                return await destination.send(destination.items(people, "rows"))

    listed = Said(207, json.dumps({"errors": [{"batch_index": 0, **quoting}]}).encode())
    whole = Said(400, json.dumps({"errors": [quoting]}).encode())
    assert Accepted((Refusal(0, Reason("invalid", "", "'…' and … are taken")),)) == asyncio.run(send(listed))
    assert RequestRefused(Reason("invalid", "", "'…' and … are taken")) == asyncio.run(send(whole))


@pytest.mark.parametrize(
    ("suppressed", "expected"),
    [
        ("ignore_and_complete", Accepted(excluded=(LeftOut(1, Reason("suppressed", "", "person is suppressed")),))),
        ("ignore_and_fail", Accepted((Refusal(1, Reason("suppressed", "identifiers.id", "person is suppressed")),))),
    ],
)
def test_suppressed_people_are_excluded_or_failed(sandbox: RunningSandbox, suppressed: str, expected: Accepted) -> None:
    """Customer.io's own answer is taken as the sync's file says."""
    sandbox.suppress(id="2")
    batch = numbered([{"id": "1"}, {"id": "2"}, {"id": "3"}])
    config = sync(people={"suppressed": suppressed})
    assert expected == using(sandbox.url, config, lambda d: d.send(d.items(batch, "rows")))


def test_wrong_credentials_and_the_wrong_region_stop_before_the_first_row(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each says which key to change; without retries."""
    monkeypatch.setenv("WRONG", "planted-secret")
    with pytest.raises(UnauthorizedError, match="track_api_key") as raised:
        prepare(sandbox.url, sync(people={}), track_api_key=Secret("${WRONG}"))
    assert "planted-secret" not in str(raised.value)
    with pytest.raises(UnauthorizedError, match="app_api_key"):
        prepare(sandbox.url, sync(objects={}), app_api_key=Secret("${WRONG}"))
    with pytest.raises(DestinationRefusedError, match="`region: us`"):
        prepare(sandbox.url, sync(people={}), region="eu")
    assert 4 == len(sandbox.requests())


def test_a_storm_at_the_start_is_sat_out(sandbox: RunningSandbox) -> None:
    """Faults of the server before the first row are retried like any other."""
    storm = [{"status": 503}, {"status": 429, "retry_after": 2}, {"drop": "before"}, {"status": 500}]
    sandbox.faults([{"match": {"path": "/api/v1/accounts"}, "do": fault} for fault in storm])
    prepare(sandbox.url, sync(people={}))
    assert 5 == len(sandbox.requests())


def test_an_unreachable_workspace_is_given_up_within_the_budget() -> None:
    """Nothing listens at port 9: the error has the cause in words."""
    with pytest.raises(
        DestinationUnavailableError, match=r"workspace main cannot be reached: the connection was refused"
    ):
        prepare("http://127.0.0.1:9", sync(people={}))


def test_an_address_that_is_no_track_api_is_an_error() -> None:
    """200 with something else than a region."""

    async def run(body: bytes) -> None:
        script = scripted_server(lambda _: Said(200, body))
        async with script as server, open_destination(sync(people={}), workspace(server.url)) as destination:
            await destination.prepare()

    for body in (b"<html>", b"{}", b"[]", b'{"region": "moon"}'):
        with pytest.raises(DestinationRefusedError, match="track_url"):
            asyncio.run(run(body))


@pytest.mark.parametrize(
    ("config", "refused"),
    [
        (sync("SELECT id AS object_id FROM t", objects={"object_type": 9}), True),
        (sync("SELECT id AS object_id, 2 AS object_type FROM t", objects={"object_type": 9}), False),
        (sync("SELECT * FROM t", objects={"object_type": 9}), False),
        (sync("SELECT id AS object_id FROM t", objects={"object_type": 2}), False),
        (sync(people={}, relationships={"query": "SELECT id, object_id FROM t", "object_type": 9}), True),
        (sync(people={}, relationships={"query": "SELECT id, object_id FROM t"}), False),
    ],
)
def test_an_unknown_object_type_is_an_error_before_the_first_row(
    sandbox: RunningSandbox, config: Sync, refused: bool
) -> None:
    """Where no row can say another type; the types that there are are listed. Unknown without an App API key."""
    if refused:
        with pytest.raises(ConfigError, match=r"no object type 9\. It has 1 \(Companies\), 2"):
            prepare(sandbox.url, config)
    else:
        prepare(sandbox.url, config)
    prepare(sandbox.url, config, app_key=False)


def test_rows_of_unknown_object_types_are_kept_back(sandbox: RunningSandbox) -> None:
    """Only these rows, and only of queries about objects."""
    rows: list[dict[str, Any]] = [
        {"object_id": "a", "object_type": 1},
        {"object_id": "b", "object_type": 9},
        {"object_id": "c"},
    ]
    batch = numbered(rows)

    async def kept(destination: CustomerIO) -> list[KeptBack]:
        assert [] == await destination.kept_back(batch, "rows")
        await destination.prepare()
        return list(await destination.kept_back(batch, "rows"))

    config = sync("SELECT object_type", objects={}, relationships={"query": "SELECT object_type"})
    (found,) = using(sandbox.url, config, kept)
    assert ([2], Outcome.REJECTED, "unknown_object_type") == (found.rows.to_pylist(), found.outcome, found.why.reason)
    (found,) = using(
        sandbox.url, sync(people={}, relationships={"query": "*"}), lambda d: _relationships_kept(d, batch)
    )
    assert [2] == found.rows.to_pylist()


async def _relationships_kept(destination: CustomerIO, batch: pa.RecordBatch) -> list[KeptBack]:
    await destination.prepare()
    assert [] == await destination.kept_back(batch, "rows")
    return list(await destination.kept_back(batch, "relationships"))


@pytest.mark.parametrize("identify_by", ["id", "email"])
def test_add_only_keeps_back_whoever_exists(sandbox: RunningSandbox, identify_by: str) -> None:
    """250 people are looked up in three calls; those who are there are excluded, addresses in any case."""
    there = numbered([{identify_by: f"P{n}@example.com"} for n in range(0, 250, 2)])
    batch = numbered([{identify_by: f"{'p' if identify_by == 'email' else 'P'}{n}@example.com"} for n in range(250)])
    config = sync(people={"identify_by": identify_by, "write": "add_only"})

    async def kept(destination: CustomerIO) -> list[KeptBack]:
        await destination.prepare()
        await destination.send(destination.items(there, "rows"))
        return list(await destination.kept_back(batch, "rows"))

    (found,) = using(sandbox.url, config, kept)
    assert list(range(1, 251, 2)) == found.rows.to_pylist()
    assert (Outcome.EXCLUDED, "") == (found.outcome, found.why.field)
    assert 3 == sum(request["path"] == "/v1/customers/attributes" for request in sandbox.requests())


def test_add_only_needs_an_app_api_key(sandbox: RunningSandbox) -> None:
    """Said before anything is asked."""
    with pytest.raises(ConfigError, match="app_api_key"):
        prepare(sandbox.url, sync(people={"write": "add_only"}), app_key=False)
    assert [] == sandbox.requests()


def test_other_syncs_keep_nothing_back_and_look_no_one_up(sandbox: RunningSandbox) -> None:
    """People and events are sent without looking anything up."""
    for config in (sync(people={}), sync(events={"name": "x"})):
        assert [] == list(using(sandbox.url, config, lambda d: d.kept_back(PEOPLE, "rows")))
    assert [] == sandbox.requests()


def delivered_people(folder: Path, people: list[str], outcomes: list[int]) -> tuple[Parts, np.ndarray[Any, Any]]:
    """Stored people and what became of them."""
    parts = Parts(folder / "rows", "rows")
    parts.write(
        with_row_numbers(
            [pa.RecordBatch.from_pydict({"id": people[:2]}), pa.RecordBatch.from_pydict({"id": people[2:]})]
        )
    )
    return parts, np.array(outcomes, np.uint8)


def test_only_delivered_people_join_the_segment(sandbox: RunningSandbox, tmp_path: Path) -> None:
    """A segment that is not there is created; the second run finds it; people not delivered stay out."""
    parts, outcomes = delivered_people(tmp_path, ["1", "2", "3", "4", "5"], [1, 3, 1, 2, 0])
    batch = numbered([{"id": str(n)} for n in range(1, 6)])
    config = sync(people={"segment": {"name": "Shop customers"}})

    async def run(destination: CustomerIO) -> int:
        await destination.prepare()
        await destination.send(destination.items(batch, "rows"))
        return await destination.after_delivery(parts, outcomes)

    assert [2, 2] == [using(sandbox.url, config, run) for _ in range(2)]
    (segment,) = sandbox.segments()
    assert "Shop customers" == segment["name"]
    assert ["1", "3"] == sorted(person["id"] for person in segment["people"])


def test_people_join_a_thousand_at_a_time(sandbox: RunningSandbox, tmp_path: Path) -> None:
    """2,500 people are three calls, whatever batches they are stored in."""
    people = [str(n) for n in range(2500)]
    parts, outcomes = delivered_people(tmp_path, people, [1] * 2500)
    number = sandbox.add_segment("Shop customers")

    async def run(destination: CustomerIO) -> int:
        await destination.prepare()
        return await destination.after_delivery(parts, outcomes)

    assert 2500 == using(sandbox.url, sync(people={"segment": {"id": number}}), run, max_requests_in_flight=2)
    bodies = [r["body"]["ids"] for r in sandbox.requests() if r["path"].endswith("add_customers")]
    assert [500, 1000, 1000] == sorted(map(len, bodies))
    assert sorted(people) == sorted(person for body in bodies for person in body)


def test_without_a_segment_nothing_happens_after_delivery(sandbox: RunningSandbox, tmp_path: Path) -> None:
    """No request at all."""
    parts, outcomes = delivered_people(tmp_path, ["1", "2", "3"], [1, 1, 1])
    assert 0 == using(sandbox.url, sync(people={}), lambda d: d.after_delivery(parts, outcomes))
    assert [] == sandbox.requests()


def test_segments_that_cannot_be_filled_are_an_error_before_the_first_row(sandbox: RunningSandbox) -> None:
    """Unknown, data-driven by id and by name, and by name without an App API key."""
    dynamic = sandbox.add_segment("Active", kind="dynamic")
    for segment, words in (
        ({"id": 99}, "no segment 99"),
        ({"id": dynamic}, "data-driven"),
        ({"name": "Active"}, "data-driven"),
    ):
        with pytest.raises(ConfigError, match=words):
            prepare(sandbox.url, sync(people={"segment": segment}))
    with pytest.raises(ConfigError, match=r"app_api_key.*segment: \{id"):
        prepare(sandbox.url, sync(people={"segment": {"name": "x"}}), app_key=False)
    prepare(sandbox.url, sync(people={"segment": {"id": 99}}), app_key=False)
    assert 1 == len(sandbox.segments())


def test_a_segment_whose_creation_got_no_answer_is_not_created_twice(sandbox: RunningSandbox) -> None:
    """Each further attempt looks before it creates; among equal names the oldest manual one is taken."""
    sandbox.faults([{"match": {"path": "/v1/segments", "method": "POST"}, "do": {"drop": "after_apply"}}])
    prepare(sandbox.url, sync(people={"segment": {"name": "New"}}))
    assert ["New"] == [segment["name"] for segment in sandbox.segments()]


def test_a_segment_that_is_gone_ends_the_run_and_says_that_people_were_delivered(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """The first failure ends the other calls."""
    parts, outcomes = delivered_people(tmp_path, [str(n) for n in range(3000)], [1] * 3000)

    async def run(destination: CustomerIO) -> int:
        await destination.prepare()
        return await destination.after_delivery(parts, outcomes)

    with pytest.raises(ConfigError, match=r"segment 99 takes no people \(HTTP 404\).*were delivered"):
        using(sandbox.url, sync(people={"segment": {"id": 99}}), run, app_key=False)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"segments": 3}', b'{"segments": null}'])
def test_an_app_api_that_answers_something_else_is_an_error(body: bytes) -> None:
    """A wrong ``app_url`` is an error of its own."""

    def script(asked: Asked) -> Said:
        return Said(200, b'{"region": "us"}' if asked.path.startswith("/api/") else body)

    async def run() -> None:
        async with scripted_server(script) as server:
            config = sync(people={"segment": {"name": "x"}})
            async with open_destination(config, workspace(server.url)) as destination:
                await destination.prepare()

    with pytest.raises(DestinationRefusedError, match="app_url"):
        asyncio.run(run())


def test_the_transport_can_be_replaced() -> None:
    """One argument, no network."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"region": "us"}))

    async def run() -> None:
        async with open_destination(sync(people={}), workspace("http://127.0.0.1:9"), transport=transport) as opened:
            await opened.prepare()

    asyncio.run(run())

"""Faults on order, as the other side of the connection meets them."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from reverse_etl_tests.sandbox.conftest import TRACK, Batch, person, thing
from reverse_etl_tests.servers.sandbox import RunningSandbox, running_sandbox, wait_until

BATCH = {"path": "/api/v2/batch"}


def test_a_status_with_a_time_to_wait(sandbox: RunningSandbox, batch: Batch) -> None:
    """Nothing is applied, and the next request is answered as ever."""
    sandbox.faults([{"match": BATCH, "do": {"status": 429, "retry_after": 3, "body": "slow down"}}])
    answer = batch(person(id="1"))
    assert (answer.status_code, answer.headers["retry-after"], answer.text) == (429, "3", "slow down")
    assert sandbox.people() == []
    assert batch(person(id="1")).status_code == 200
    shown = [(each["status"], each["fault"]) for each in sandbox.requests()]
    assert shown == [(429, "status, retry_after, body"), (200, "")]


def test_a_status_after_everything_was_applied(sandbox: RunningSandbox, batch: Batch) -> None:
    """The answer is lost, not the items."""
    sandbox.faults([{"match": BATCH, "do": {"status": 503, "apply": True}}])
    answer = batch(person(id="1"))
    assert (answer.status_code, "retry-after" in answer.headers) == (503, False)
    assert sandbox.counts()["people"] == 1


def test_rules_skip_and_end(sandbox: RunningSandbox, batch: Batch, track: httpx.Client) -> None:
    """Only matching requests count; the first rule that fires decides; one that is used up lets others see."""
    sandbox.faults(
        [
            {"match": {**BATCH, "method": "POST"}, "skip": 1, "times": 2, "do": {"status": 500}},
            {"match": {"path": "/api/"}, "always": True, "do": {"status": 502}},
        ]
    )
    assert track.get("/api/v1/accounts/region").status_code == 502
    assert [batch().status_code for _ in range(4)] == [502, 500, 500, 502]
    assert [each["fired"] for each in sandbox.faults()] == [2, 3]
    assert sandbox.counts()["faults"] == 1
    sandbox.clear_faults()
    assert (batch().status_code, sandbox.faults()) == (200, [])


@pytest.mark.parametrize(
    ("drop", "people"),
    [("before", 0), ("during_request", 0), ("before_apply", 0), ("after_apply", 1), ("during_answer", 1)],
)
def test_a_dropped_connection(sandbox: RunningSandbox, batch: Batch, drop: str, people: int) -> None:
    """The client has no whole answer, whether or not the items were applied; the next request works."""
    sandbox.faults([{"match": BATCH, "do": {"drop": drop}}])
    with pytest.raises(httpx.TransportError):
        batch(person(id="1"))
    assert sandbox.counts()["people"] == people
    assert sandbox.requests()[0]["status"] == (200 if drop == "during_answer" else None)
    assert batch().status_code == 200


def test_answers_that_are_no_answers(sandbox: RunningSandbox, batch: Batch) -> None:
    """Half a body that claims to be whole, and a page of HTML; both after applying."""
    sandbox.faults([{"match": BATCH, "do": {"truncate_body": True}}, {"match": BATCH, "do": {"not_json": True}}])
    half, page = batch(person(id="1")), batch(person(id="2"))
    assert (half.status_code, half.content) == (200, b"{")
    assert (page.status_code, page.text[:6]) == (200, "<html>")
    assert sandbox.counts()["people"] == 2


def test_a_redirect_to_the_other_region(sandbox: RunningSandbox, batch: Batch) -> None:
    """With the path kept, and nothing applied."""
    redirect = {"redirect": "https://track-eu.customer.io/"}
    sandbox.faults([{"do": redirect}, {"do": {**redirect, "redirect_status": 308}}])
    answers = [batch(person(id="1")) for _ in range(2)]
    assert [each.status_code for each in answers] == [301, 308]
    assert answers[0].headers["location"] == "https://track-eu.customer.io/api/v2/batch"
    assert sandbox.people() == []


def test_a_slow_answer(sandbox: RunningSandbox, batch: Batch) -> None:
    """The items are applied late, and other requests are not held up."""
    sandbox.faults([{"match": BATCH, "do": {"delay_s": 0.2}}])
    started = time.monotonic()
    assert batch(person(id="1")).status_code == 200
    assert time.monotonic() - started >= 0.19
    assert sandbox.requests()[0]["duration_s"] >= 0.19


def test_a_slow_request_does_not_outlive_a_reset(sandbox: RunningSandbox, batch: Batch) -> None:
    """What is applied late is not applied to the workspace of whoever comes next."""
    sandbox.faults([{"match": BATCH, "do": {"delay_s": 0.2}}])
    with ThreadPoolExecutor(1) as client:
        late = client.submit(batch, person(id="1"))
        wait_until(lambda: sandbox.requests() != [])
        sandbox.reset()
        assert isinstance(late.exception(), httpx.RemoteProtocolError | httpx.ReadError)
    assert sandbox.people() == []


def test_chosen_items_are_refused(sandbox: RunningSandbox, batch: Batch, track: httpx.Client) -> None:
    """Every nth of a request, or those with an identifier; the others are applied."""
    named: dict[str, Any] = {"ids": ["b@example.com", "acme"], "reason": "odd", "field": "f", "message": "no"}
    sandbox.faults([{"do": {"refuse_items": {"every": 2}}}, {"always": True, "do": {"refuse_items": named}}])
    errors = batch(*[person(id=str(n)) for n in range(5)]).json()["errors"]
    assert [error["batch_index"] for error in errors] == [1, 3]
    answer = batch(person(id="9"), person(email="b@example.com"), thing(), thing(object_id="c"))
    expected = {"reason": "odd", "field": "f", "message": "no"}
    assert answer.json()["errors"] == [{"batch_index": 1, **expected}, {"batch_index": 2, **expected}]
    assert track.post("/api/v2/entity", json=thing()).json() == {"errors": [expected]}
    assert [each["id"] for each in sandbox.people()] == ["0", "2", "4", "9"]


def test_a_bad_item_spoils_its_whole_request(sandbox: RunningSandbox, batch: Batch) -> None:
    """Answered 400 without saying which item it was; requests without it are applied."""
    rule = {"refuse_items": {"ids": ["b"], "whole": True, "field": "f", "message": "no"}}
    sandbox.faults([{"match": BATCH, "always": True, "do": rule}])
    answer = batch(person(id="a"), "no item", person(id="b"))
    assert (answer.status_code, answer.json()) == (
        400,
        {"errors": [{"reason": "invalid", "field": "f", "message": "no"}]},
    )
    assert batch(person(id="c")).status_code == 200
    assert [each["id"] for each in sandbox.people()] == ["c"]


def test_too_many_items_are_too_large(sandbox: RunningSandbox, batch: Batch) -> None:
    """413 above the number, as ever up to it."""
    sandbox.faults([{"match": BATCH, "always": True, "do": {"most_items": 1}}])
    assert batch(person(id="a"), person(id="b")).status_code == 413
    assert batch(person(id="a")).status_code == 200
    assert [each["id"] for each in sandbox.people()] == ["a"]


@pytest.mark.thorough
@pytest.mark.parametrize(("crash", "people"), [("before", 0), ("after_apply", 1)])
def test_a_crash_forgets_nothing_that_was_saved(tmp_path: Path, crash: str, people: int) -> None:
    """A durable sandbox that is gone without an answer holds, started again, all that it had applied."""
    with running_sandbox(data_file=tmp_path / "contents.jsonl", durable=True) as sandbox:
        sandbox.faults([{"match": BATCH, "do": {"crash": crash}}])
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{sandbox.url}/api/v2/batch", json={"batch": [person(id="1")]}, auth=TRACK, trust_env=False)
        wait_until(sandbox.has_ended)
        sandbox.restart()
        assert sandbox.counts()["people"] == people


@pytest.mark.parametrize(
    "rules",
    [
        {},
        [{}],
        [{"do": {}}],
        [{"do": {"status": 500, "drop": "before"}}],
        [{"do": {"explode": True}}],
        [{"times": 0, "do": {"status": 500}}],
        [{"do": {"status": 500}}, {"do": {"status": 5}}],
    ],
)
def test_a_rule_that_is_none_is_refused(sandbox: RunningSandbox, rules: Any) -> None:
    """With what is wrong, and without putting the others in force."""
    answer = httpx.post(f"{sandbox.url}/_sandbox/faults", json=rules, trust_env=False)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert sandbox.faults() == []


def test_an_empty_list_of_rules_ends_all(sandbox: RunningSandbox) -> None:
    """Who posts the rules that are to hold, none of them, finds none in force."""
    sandbox.faults([{"always": True, "do": {"status": 500}}])
    assert ([], []) == (sandbox.faults([]), sandbox.faults())


def test_a_request_that_breaks_off_is_not_applied(sandbox: RunningSandbox) -> None:
    """Even when what has arrived would be a whole body."""
    body = b'{"batch":[{"type":"person","action":"identify","identifiers":{"id":"1"}}]}'
    credentials = "authorization: Basic c2FuZGJveDpzYW5kYm94"
    head = f"POST /api/v2/batch HTTP/1.1\r\nhost: localhost\r\n{credentials}\r\ncontent-length: {len(body) + 1}"
    address = urlsplit(sandbox.url)
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port or 0)) as connection:
        connection.sendall(head.encode() + b"\r\n\r\n" + body)
        wait_until(lambda: sandbox.requests())
    wait_until(lambda: sandbox.requests()[0]["duration_s"] > 0)
    (seen,) = sandbox.requests()
    assert (seen["status"], seen["bytes"], sandbox.people()) == (None, len(body), [])


@pytest.mark.parametrize("index", ["none", "beyond"])
def test_refused_items_without_their_index(index: str, sandbox: RunningSandbox, batch: Batch) -> None:
    """The others are applied; the answer does not say which were not."""
    named = {"refuse_items": {"ids": ["2"], "index": index}}
    sandbox.faults([{"match": BATCH, "always": True, "do": named}])
    answer = batch(person(id="1"), person(id="2"), person(id="3"))
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error.get("batch_index")) == (207, None if index == "none" else 4)
    assert ["1", "3"] == [each["id"] for each in sandbox.people()]


@pytest.mark.parametrize("kind", ["head", "body", "flood"])
@pytest.mark.parametrize("status", [200, 503])
def test_an_answer_without_end(kind: str, status: int, sandbox: RunningSandbox, batch: Batch) -> None:
    """Whoever asks goes away at last; the sandbox goes on."""
    sandbox.faults([{"match": BATCH, "do": {"endless": kind} | ({"status": 503} if status == 503 else {})}])
    url = urlsplit(sandbox.url)
    body = json.dumps({"batch": [person(id="1")]}).encode()
    head = f"POST {BATCH['path']} HTTP/1.1\r\nhost: x\r\nauthorization: Basic c2FuZGJveDpzYW5kYm94\r\n"
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=60) as connection:
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        received = b""
        while received.count(b"x" if kind == "head" else b" ") < 10:
            received += connection.recv(65536)
    assert received.startswith(b"HTTP/1.1 %d" % status)
    assert ([] if status == 503 else ["1"]) == [each["id"] for each in sandbox.people()]
    assert batch(person(id="2")).status_code == 200


def test_a_bomb(sandbox: RunningSandbox, batch: Batch) -> None:
    """Small as it comes, large as it is."""
    sandbox.faults([{"match": BATCH, "do": {"endless": "bomb"}}])
    answer = batch(person(id="1"))
    assert (answer.headers["content-encoding"], len(answer.content)) == ("gzip", 64_000_000)
    assert int(answer.headers["content-length"]) < 1_000_000

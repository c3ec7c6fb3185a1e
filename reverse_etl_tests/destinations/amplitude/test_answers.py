"""What Amplitude's answers mean, item by item."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reverse_etl.destinations._http.reply import Reply
from reverse_etl.destinations.amplitude.answers import THROTTLED_S, answer_of
from reverse_etl.destinations.base import Accepted, Answer, RequestRefused, TryAgain
from reverse_etl.errors import DestinationRefusedError, UnauthorizedError

ITEMS = [json.dumps({"user_id": f"user-{n}"}).encode() for n in range(4)]


def answer(status: int, body: Any, headers: dict[str, str] | None = None) -> Answer:
    """Of a request with ``ITEMS``."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answer_of(Reply(status, headers or {}, text), items=ITEMS, label="destination analytics")


def places(found: Answer) -> tuple[dict[int, tuple[str, str]], dict[int, float]]:
    """What is refused, with reason and field, and what is sent again, after how long."""
    assert isinstance(found, Accepted)
    refused = {each.place: (each.why.reason, each.why.field) for each in found.refusals}
    return refused, {each.place: each.after_s for each in found.again}


def test_every_event_must_be_counted() -> None:
    """A 200 that counts fewer, or none, delivers nothing."""
    assert Accepted() == answer(200, {"code": 200, "events_ingested": 4})
    fewer = answer(200, {"code": 200, "events_ingested": 3})
    assert isinstance(fewer, RequestRefused)
    assert "not_ingested" == fewer.why.reason
    assert isinstance(answer(200, {"code": 200}), TryAgain)
    assert isinstance(answer(200, b"<html>"), TryAgain)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("events_with_invalid_fields", "invalid_field"),
        ("events_with_missing_fields", "missing_field"),
        ("events_with_invalid_id_lengths", "invalid_id_length"),
    ],
)
def test_a_400_took_nothing(key: str, reason: str) -> None:
    """The rows that it names are refused with their field, all others are sent again at once."""
    refused, again = places(answer(400, {"code": 400, "error": "bad", key: {"time": [1, 3]}}))
    assert ({1: (reason, "time"), 3: (reason, "time")}, {0: 0.0, 2: 0.0}) == (refused, again)


def test_a_silenced_user_is_refused() -> None:
    """Amplitude names the places beside those at fault."""
    refused, again = places(answer(400, {"code": 400, "silenced_events": [0]}))
    assert ({0: ("silenced", "")}, [1, 2, 3]) == (refused, [*again])


@pytest.mark.parametrize(
    "body",
    [{"code": 400, "error": "odd"}, b"<html>", {"events_with_invalid_fields": {"time": [9, -1, True, "1"]}}, []],
)
def test_a_400_that_names_no_row_is_halved(body: Any) -> None:
    """Neither places that the request did not have, nor anything else than numbers, are believed."""
    assert isinstance(answer(400, body), RequestRefused)


@pytest.mark.parametrize("status", [403, 413])
def test_a_firewall_or_a_size_is_halved(status: int) -> None:
    """A page of a firewall's is about what is in a row, not about credentials."""
    assert isinstance(answer(status, b"<html>blocked</html>"), RequestRefused)


def test_throttled_users_wait_and_others_do_not() -> None:
    """Nothing was taken; a user over the day's quota is refused."""
    refused, again = places(answer(429, {"code": 429, "throttled_events": [0, 3], "throttled_users": {"user-0": 31}}))
    assert ({}, {0: THROTTLED_S, 1: 0.0, 2: 0.0, 3: THROTTLED_S}) == (refused, again)
    refused, again = places(answer(429, {"code": 429, "exceeded_daily_quota_users": {"user-2": 500_001}}))
    assert ({2: ("daily_quota", "")}, {0: 0.0, 1: 0.0, 3: 0.0}) == (refused, again)


def test_a_429_without_places_waits() -> None:
    """As long as a throttled user."""
    found = answer(429, {"code": 429})
    assert isinstance(found, TryAgain)
    assert (THROTTLED_S, True) == (found.after_s, found.slow_down)


@pytest.mark.parametrize(
    ("status", "body"),
    [(401, b""), (400, {"error": "Invalid API key: x"}), (400, {"missing_field": "api_key", "error": "missing"})],
)
def test_a_refused_key_ends_the_run(status: int, body: Any) -> None:
    """With the keys to look at."""
    with pytest.raises(UnauthorizedError, match="API key") as raised:
        answer(status, body)
    assert "region" in str(raised.value.hint)


@pytest.mark.parametrize("status", [302, 404, 405])
def test_another_address_is_no_amplitude(status: int) -> None:
    """It ends the run."""
    with pytest.raises(DestinationRefusedError, match=f"HTTP {status}"):
        answer(status, b"")

"""Every answer of the batch endpoint is distinguished, and none is taken for a delivery by mistake."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from reverse_etl.destinations._http.reply import Reply, retry_after_s
from reverse_etl.destinations.base import Accepted, Answer, Refusal, RequestRefused, TryAgain
from reverse_etl.destinations.customerio.answers import batch_answer, trouble
from reverse_etl.errors import DestinationRefusedError, UnauthorizedError
from reverse_etl.report import Reason

ITEMS = 3
NOON = datetime(2026, 1, 5, 12, 0, 0, tzinfo=UTC)


def read(status: int, body: Any = b"", *, leads_to: str = "", **headers: str) -> Answer:
    """The meaning of an answer to a request of three items."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return batch_answer(Reply(status, sent, content, leads_to), items=ITEMS, workspace="main")


def errors(*listed: Any) -> dict[str, Any]:
    """A body with a list of errors."""
    return {"errors": list(listed)}


TOO_LONG = {"batch_index": 1, "reason": "invalid", "field": "attributes.plan", "message": "too long"}

TABLE: dict[str, tuple[Answer, Answer]] = {
    "200": (read(200, b"{}\n"), Accepted()),
    "200 with an empty list": (read(200, errors()), Accepted()),
    "200 with refusals": (
        read(200, errors(TOO_LONG)),
        Accepted((Refusal(1, Reason("invalid", "attributes.plan", "too long")),)),
    ),
    "207": (read(207, errors(TOO_LONG)), Accepted((Refusal(1, Reason("invalid", "attributes.plan", "too long")),))),
    "207, several errors for one item": (
        read(207, errors(TOO_LONG, {"batch_index": 0}, {**TOO_LONG, "field": "x", "message": "no"}, TOO_LONG)),
        Accepted(
            (
                Refusal(0, Reason("invalid", "", "refused without a message")),
                Refusal(1, Reason("invalid", "attributes.plan", "too long; no")),
            )
        ),
    ),
    "207, fields of other types": (
        read(207, errors({"batch_index": 2, "reason": 5, "field": None, "message": ["x"]})),
        Accepted((Refusal(2, Reason("invalid", "", "refused without a message")),)),
    ),
    "400": (
        read(400, errors({"reason": "required", "field": "batch", "message": "batch must be a list"})),
        RequestRefused(Reason("required", "batch", "batch must be a list")),
    ),
    "400 of v1": (read(400, {"meta": {"errors": ["no"]}}), RequestRefused(Reason("invalid", "", "no"))),
    "400 of v1, one error": (read(400, {"meta": {"error": "no"}}), RequestRefused(Reason("invalid", "", "no"))),
    "400, not JSON": (
        read(400, b"<html>"),
        RequestRefused(Reason("invalid", "", "the request was refused with HTTP 400")),
    ),
    "400, other JSON": (
        read(400, {"meta": 3}),
        RequestRefused(Reason("invalid", "", "the request was refused with HTTP 400")),
    ),
    "413": (read(413, b""), RequestRefused(Reason("too_large", "", "the request is too large"))),
    "429": (read(429, b"", retry_after="7"), TryAgain("HTTP 429", after_s=7.0, slow_down=True)),
    "503": (read(503, b"", retry_after="7"), TryAgain("HTTP 503", after_s=7.0)),
}


@pytest.mark.parametrize("case", TABLE)
def test_each_answer_has_its_meaning(case: str) -> None:
    """The table of answers."""
    actual, expected = TABLE[case]
    assert expected == actual


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 522, 524])
def test_passing_trouble_is_tried_again(status: int) -> None:
    """Time-outs and faults of servers and proxies; no rate limit."""
    assert TryAgain(f"HTTP {status}") == read(status)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>"),
        (200, b"{"),
        (207, b""),
        (207, b"<html>"),
        (207, b'{"errors": [{"batch_in'),
    ],
)
def test_unreadable_success_is_no_delivery(status: int, body: bytes) -> None:
    """An answer that was cut off, or comes from something else, counts for nothing."""
    assert isinstance(read(status, body), TryAgain)


NAMES_NO_ITEM: list[tuple[int, Any]] = [
    (200, b"[]"),
    (200, errors("x")),
    (200, {"errors": "all of them"}),
    (207, {}),
    (207, b"[]"),
    (207, b"null"),
    (207, {"errors": {}}),
    (207, errors()),
    (207, errors(None)),
    (207, errors({"batch_index": 3})),
    (207, errors({"batch_index": -1})),
    (207, errors({"batch_index": True})),
    (207, errors({"batch_index": 1.0})),
    (207, errors({"batch_index": "1"})),
    (207, errors({"message": "which one?"})),
    (207, errors(TOO_LONG, {"message": "and another"})),
]


@pytest.mark.parametrize(("status", "body"), NAMES_NO_ITEM)
def test_an_answer_that_names_no_item_is_asked_again_in_halves(status: int, body: Any) -> None:
    """A list that does not name each item at fault is the refusal of the request, and of an item that is alone."""
    assert isinstance(read(status, body), RequestRefused)


def test_an_item_alone_needs_no_index() -> None:
    """Its reason is that of the first error; without one it says that nothing was said."""
    assert RequestRefused(Reason("required", "id", "which one?")) == read(
        207, errors({"reason": "required", "field": "id", "message": "which one?"})
    )
    assert RequestRefused(
        Reason("invalid", "", "the answer was HTTP 207 without a reason; the row may have been applied")
    ) == read(207, {})


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_name_workspace_and_keys(status: int) -> None:
    """The Track keys for Track, the App API key for the App API."""
    with pytest.raises(UnauthorizedError, match=r"workspace main: .*Track API.*site_id and track_api_key"):
        read(status)
    with pytest.raises(UnauthorizedError, match=r"workspace main: .*App API.*app_api_key"):
        trouble(Reply(status, httpx.Headers(), b""), api="App", workspace="main")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(("host", "region"), [("track-eu", "eu"), ("track", "us")])
def test_a_redirect_to_the_other_region_names_it(status: int, host: str, region: str) -> None:
    """Nothing is sent on: the data would pass through the wrong region."""
    with pytest.raises(DestinationRefusedError, match=rf"`region: {region}`"):
        read(status, leads_to=f"{host}.customer.io")


def test_other_redirects_are_refused() -> None:
    """The address is shown to be wrong, not followed."""
    for host in ("example.com", ""):
        with pytest.raises(DestinationRefusedError, match="track_url"):
            read(302, leads_to=host)


@pytest.mark.parametrize("status", [204, 404, 405, 410])
def test_what_is_no_track_api_says_where_to_look(status: int) -> None:
    """A wrong address is a mistake in ``track_url``."""
    with pytest.raises(DestinationRefusedError, match=rf"HTTP {status}.*track_url"):
        read(status)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "7, 9"}, None),
        ({"retry-after": "86400"}, 300.0),
        ({"retry-after": "9" * 400}, 300.0),
        ({"retry-after": "1e400"}, 300.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 300.0),
        ({"retry-after": "Mon, 01 Jan 0001 00:00:00 GMT"}, 0.0),
        ({"retry-after": "Mon Jan  5 12:00:30 2026"}, 30.0),
        ({"retry-after": "Mon, 05 Jan 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Mon, 05 Jan 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Mon, 05 Jan 2026 13:00:30 GMT", "date": "Mon, 05 Jan 2026 13:00:00 GMT"}, 30.0),
        ({"retry-after": "Mon, 05 Jan 2026 12:00:30 -0000", "date": "nonsense"}, 30.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_servers_clock(headers: dict[str, str], expected: float | None) -> None:
    """A date is compared with the answer's own ``Date``, so that a wrong clock here does not matter."""
    assert expected == retry_after_s(httpx.Headers(headers), now=NOON)

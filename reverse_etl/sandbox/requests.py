"""The list of the requests that a stand-in has seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from reverse_etl.sandbox.exact_json import loads


@dataclass(slots=True)
class SeenRequest:
    """One request to the service.

    Attributes:
        number: From 1, in order.
        at: Unix seconds of arrival.
        status: As answered; null where no answer was sent.
        items: Rows in its body.
        body: As sent; null unless bodies are kept.
        fault: The fault it met, if any.
    """

    number: int
    method: str
    path: str
    query: str
    at: float
    status: int | None = None
    size_bytes: int = 0
    items: int = 0
    duration_s: float = 0.0
    fault: str = ""
    body: bytes | None = None


def show_request(seen: SeenRequest, *, whole: bool) -> dict[str, Any]:
    """A request; ``body`` as JSON where it is, else as text; null unless bodies are kept and shown."""
    return {
        "method": seen.method,
        "path": seen.path,
        "status": seen.status,
        "bytes": seen.size_bytes,
        "items": seen.items,
        "body": _readable(seen.body) if whole and seen.body is not None else None,
        "number": seen.number,
        "query": seen.query,
        "at": seen.at,
        "duration_s": seen.duration_s,
        "fault": seen.fault,
    }


def request_texts(seen: SeenRequest) -> Iterator[Any]:
    """What is searched of a request."""
    yield f"{seen.method} {seen.path} {seen.status}"
    yield seen.fault


def by_path(requests: Iterable[SeenRequest]) -> list[dict[str, Any]]:
    """How many requests each path met: ``method, path, requests, items, statuses``; status ``none`` is no answer."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for seen in requests:
        about = found.setdefault(
            (seen.method, seen.path),
            {"method": seen.method, "path": seen.path, "requests": 0, "items": 0, "statuses": {}},
        )
        about["requests"] += 1
        about["items"] += seen.items
        status = "none" if seen.status is None else str(seen.status)
        about["statuses"][status] = about["statuses"].get(status, 0) + 1
    return list(found.values())


def _readable(body: bytes) -> Any:
    try:
        return loads(body)
    except ValueError:
        return body.decode(errors="replace")

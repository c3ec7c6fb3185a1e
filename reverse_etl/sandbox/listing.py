"""A part of a list as JSON, the same for all that ``/_sandbox`` lists.

Every list takes ``limit``, ``offset``, ``search`` (a part of any text shown) and ``newest=1`` (the latest first), and
gives the number of all its rows in the header ``X-Total-Count``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from reverse_etl.sandbox.base import RecordsToLookAt
from reverse_etl.sandbox.exact_json import dumps, loads


def page(
    request: Request,
    rows: Iterable[Any],
    show: Callable[[Any], dict[str, Any]],
    texts: Callable[[Any], Iterator[Any]],
    *,
    total: int | None = None,
    ordered: bool = False,
) -> Response:
    """A part of a list as JSON.

    ``total`` is the number of rows where that is known without walking them; ``ordered`` rows come latest first.
    """
    asked = request.query_params
    offset, limit = asked.get("offset", "0"), asked.get("limit")
    if not offset.isdecimal() or not (limit is None or limit.isdecimal()):
        return as_json({"error": "limit and offset must be numbers"}, 400)
    search = asked.get("search", "").lower()
    if search:
        rows = [row for row in rows if any(search in str(text).lower() for text in texts(row))]
        total = None
    if asked.get("newest") == "1" and not ordered:
        rows = (rows if isinstance(rows, list | RecordsToLookAt) else list(rows))[::-1]
    if total is None:
        rows = rows if isinstance(rows, Collection) else list(rows)
        total = len(rows)
    wanted = slice(int(offset), None if limit is None else int(offset) + int(limit))
    chosen = rows[wanted] if isinstance(rows, list | RecordsToLookAt) else islice(rows, wanted.start, wanted.stop)
    response = as_json([show(row) for row in chosen])
    response.headers["x-total-count"] = str(total)
    return response


async def body_of(request: Request) -> dict[str, Any]:
    """The body, where it is a JSON object; else an empty one."""
    try:
        content = loads(await request.body())
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def as_json(content: Any, status: int = 200) -> Response:
    """JSON with a newline at the end; a ``Decimal`` has all its digits."""
    return Response(dumps(content) + b"\n", status, media_type="application/json")

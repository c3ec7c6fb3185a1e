"""The page that shows any stand-in's records: plain HTML without scripts, so that what was sent stays text."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from html import escape
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

from reverse_etl.sandbox.base import RecordsToLookAt, Standin
from reverse_etl.sandbox.exact_json import dumps
from reverse_etl.sandbox.faults import Faults
from reverse_etl.sandbox.requests import SeenRequest, by_path, show_request

SHOWN_ROWS: Final = 100
"""Rows of a table: the latest."""

STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1280px; padding: 1.5rem; color: #1d2733; }
h1 { font-size: 1.4rem; margin: 0 0 .2rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; }
p { margin: .3rem 0; color: #51606f; }
nav a { display: inline-block; padding: .2rem .7rem; margin: .3rem .3rem .3rem 0; border-radius: 1rem;
        background: #edf1f5; color: inherit; text-decoration: none; }
nav a[aria-current] { background: #1d4ed8; color: #fff; }
div { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid #e2e8ee; }
th { color: #51606f; font-weight: 600; } td { max-width: 32rem; overflow-wrap: anywhere; }
input { font: inherit; padding: .2rem .5rem; }
@media (prefers-color-scheme: dark) {
  body { background: #12181f; color: #e4eaf0; } p, th { color: #9fb0c0; } nav a { background: #263340; }
  th, td { border-color: #2b3947; } }
"""
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_REQUESTS = ("number", "method", "path", "status", "items", "bytes", "fault")


def shown_page(standin: Standin, faults: Faults, requests: list[SeenRequest], chosen: str, search: str) -> Response:
    """One kind of record, or requests and faults, and how much there is of the others.

    Args:
        standin: Whose records are shown.
        faults: Its rules in force.
        requests: What it was asked.
        chosen: The kind to show; another name is its first kind.
        search: A part of a text that each row shown has.
    """
    kinds = standin.records()
    chosen = chosen if chosen in kinds or chosen == "requests" else next(iter(kinds), "requests")
    counts = {kind: standin.counts().get(kind, "") for kind in kinds}
    links = [_link(kind, count, chosen) for kind, count in {**counts, "requests": len(requests)}.items()]
    if chosen == "requests":
        listed: Iterable[Any] = (show_request(seen, whole=False) for seen in requests)
        main = "<h2>By path</h2>" + _table(by_path(requests)) + "<h2>Requests</h2>"
        main += _table([{name: row[name] for name in _REQUESTS} for row in _latest(listed, search)])
    else:
        main = _table(_latest(kinds[chosen], search))
    own = [{"own": name, "what it does": does} for name, does in standin.OWN_FAULTS.items()]
    title = f"{standin.TITLE}, a sandbox"
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<link rel="stylesheet" href="page.css"><h1>{escape(title)}</h1>'
        f"<p>The latest {SHOWN_ROWS} of each kind; all of them: <a href='records.json'>records.json</a></p>"
        f"<nav>{''.join(links)}</nav>"
        f'<form><input type="hidden" name="kind" value="{escape(chosen)}">'
        f'<input name="search" aria-label="Search" placeholder="Search" value="{escape(search)}"></form>'
        f"<main>{main}</main>"
        f"<h2>Faults in force</h2>{_table(faults.as_json())}"
        f"<h2>Faults that only {escape(standin.TITLE)} has</h2>{_table(own)}</html>",
        headers=_HEADERS,
    )


def _link(kind: str, count: Any, chosen: str) -> str:
    current = ' aria-current="page"' if kind == chosen else ""
    return f'<a href="?kind={quote(kind)}"{current}>{escape(kind)} {escape(str(count))}</a>'


def _latest(records: Iterable[dict[str, Any]], search: str) -> list[dict[str, Any]]:
    """The latest rows that have a text, the latest first."""
    if not search and isinstance(records, RecordsToLookAt):
        return list(records[-SHOWN_ROWS:])[::-1]
    looked_for = search.lower()
    found = (record for record in records if not looked_for or looked_for in _text(record).lower())
    return list(deque(found, maxlen=SHOWN_ROWS))[::-1]


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "<p>None.</p>"
    columns = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_text(row.get(column, '')))}</td>" for column in columns) + "</tr>"
        for row in rows
    )
    return f"<div><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else dumps(value).decode()

"""What all pages have: head, navigation, notes and the shapes of tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.responses import HTMLResponse

from reverse_etl.syncs_page.addresses import own
from reverse_etl.syncs_page.markup import Child, Html, element, html
from reverse_etl.times import clock, from_now

if TYPE_CHECKING:
    from datetime import datetime

SHIPPED: Final = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
"""Files of every page, the same for everybody, by their kinds."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds the contents of a page.

    Attributes:
        title: Of the page.
        dagster: The address of Dagster's page that shows the same; empty for none.
        up: The way back to the list of syncs, and to the sync: titles with their addresses.
        live: Whether something on it is in progress: it then shows what changes without being loaded again.
        status: HTTP's, of the answer.
        leads_to: The address that a browser opens by itself; empty for none.
    """

    title: str
    dagster: str = ""
    up: tuple[tuple[str, str], ...] = ()
    live: bool = False
    status: int = 200
    leads_to: str = ""


def framed(frame: Frame, *contents: Child) -> HTMLResponse:
    """A whole page."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="refresh", content=f"0;url={frame.leads_to}") if frame.leads_to else None,
        element("title", frame.title),
        element("link", rel="icon", href=own("/icon.svg")),
        element("link", rel="stylesheet", href=own("/page.css")),
        element("script", src=own("/page.js"), defer=True),
    )
    ways = [element("a", title, href=address) for title, address in frame.up]
    if frame.dagster:
        ways.append(element("a", "Dagster", href=frame.dagster, class_="dagster"))
    body = element(
        "body",
        element("a", "Skip to the contents", href="#main", class_="skip"),
        element("header", element("nav", *ways, aria_label="Pages") if ways else None, element("h1", frame.title)),
        element("main", *contents, id="main", tabindex="-1", data_live=frame.live),
    )
    return HTMLResponse(f"<!doctype html>\n{element('html', head, body, lang='en')}\n", frame.status)


def note(kind: str, *contents: Child) -> Html:
    """A box that says something: ``problem``, ``warning`` or ``done``."""
    return element("section", *contents, class_=f"note {kind}", role="alert" if kind == "problem" else "status")


def paragraphs(text: str) -> Html:
    """A text of several lines; names in backticks are set apart."""
    return html(element("p", prose(line)) for line in text.splitlines() if line)


def prose(line: str) -> Html:
    """A sentence whose commands and names in backticks are set apart."""
    parts = line.split("`")
    if len(parts) % 2 == 0:
        return html(line)
    return html(element("code", part) if place % 2 else part for place, part in enumerate(parts))


def problem_list(problems: Iterable[str]) -> Html:
    """Problems of files, a line each."""
    return element("ul", *(element("li", prose(line)) for line in problems))


def tag(word: str) -> Html:
    """A status in its colour."""
    return element("span", word.replace("_", " "), class_=f"tag {word.replace(' ', '_')}")


def when(moment: datetime | None, now: datetime, *, never: str = "never") -> Html:
    """How long ago, or how soon, with the time itself beside."""
    if moment is None:
        return element("span", never, class_="quiet")
    written = element("time", clock(moment), datetime=moment.isoformat(), class_="quiet")
    return html(element("span", from_now(moment, now)), " ", written)


def facts(found: Iterable[tuple[str, Child]]) -> Html:
    """Names with what is known; those of which nothing is are left out."""
    rows = [(name, value) for name, value in found if value not in (None, "", ())]
    return element("dl", *(html(element("dt", name), element("dd", value)) for name, value in rows))


def table(
    caption: str, headings: Sequence[str], rows: Iterable[Sequence[Child]], *, numbers: Sequence[str] = ()
) -> Html:
    """A table whose rows become blocks where the window is narrow; the first cell names its row."""
    classes = ["number" if heading in numbers else "" for heading in headings]
    head = element(
        "tr", *(element("th", each, scope="col", class_=kind) for each, kind in zip(headings, classes, strict=True))
    )
    body = []
    for first, *others in rows:
        cells = [
            element("td", cell, data_label=heading, class_=kind)
            for heading, cell, kind in zip(headings[1:], others, classes[1:], strict=True)
        ]
        body.append(element("tr", element("th", first, scope="row"), *cells))
    shown = element("table", element("caption", caption), element("thead", head), element("tbody", *body))
    return element("div", shown, class_="table")


def page_links(address: str, page: int, *, more: bool, before: str = "Previous", after: str = "Next") -> Html:
    """The ways to the page before and the one after; nothing where there is one page.

    Args:
        address: Of the list, up to the number of its page.
        page: From 1.
        more: Whether another one follows.
        before: What the way to the page before is called.
        after: What the other is called.
    """
    if page < 2 and not more:
        return html()
    return element(
        "nav",
        element("a", before, href=f"{address}{page - 1}", rel="prev") if page > 1 else None,
        element("span", f"page {page:,}"),
        element("a", after, href=f"{address}{page + 1}", rel="next") if more else None,
        class_="pages",
        aria_label="Pages of the list",
    )

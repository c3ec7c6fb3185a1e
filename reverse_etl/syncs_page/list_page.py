"""The first page: every sync with its status, its last import and its next one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from reverse_etl.report import Status
from reverse_etl.syncs_page.addresses import own
from reverse_etl.syncs_page.frame import Frame, framed, note, page_links, paragraphs, table, tag, when
from reverse_etl.syncs_page.loading import loading, still_loaded
from reverse_etl.syncs_page.markup import Child, Html, element, html
from reverse_etl.syncs_page.problems_note import problems_note

if TYPE_CHECKING:
    from starlette.responses import Response

    from reverse_etl.config.folder_now import FilesFound
    from reverse_etl.config.left_out import LeftOut
    from reverse_etl.report import RunReport
    from reverse_etl.syncs_page.left_out_status import LeftOutStatus
    from reverse_etl.syncs_page.sync_status import SyncStatus

_PAGE: Final = 50
"""Syncs on one page."""

_HEADINGS: Final = ("sync", "status", "last import", "rows", "failed", "next import")

_NO_DAEMON: Final = "No scheduled import starts: Dagster's daemon does not run. It starts with `reverse-etl ui`."


@dataclass(frozen=True, slots=True)
class Asked:
    """Which syncs are shown.

    Attributes:
        find: A part of their name, description or destination; empty for all.
        show: A group of ``GROUPS``, or ``LEFT_OUT``; empty for all.
        page: From 1.
    """

    find: str = ""
    show: str = ""
    page: int = 1


def _last(status: SyncStatus) -> Status | None:
    return None if status.run is None else status.run.status


GROUPS: Final[Mapping[str, Callable[[SyncStatus], bool]]] = {
    "running": lambda each: _last(each) is Status.RUNNING,
    "failed": lambda each: _last(each) in (Status.FAILED, Status.SOME_ROWS_FAILED, Status.CANCELED),
    "stale": lambda each: each.stale,
    "paused": lambda each: each.word == "paused",
    "never run": lambda each: each.run is None,
}
"""What can be shown alone, by the word for it; besides, syncs that faulty files leave out."""

LEFT_OUT: Final = "left out"


@dataclass(frozen=True, slots=True)
class Everything:
    """What the page is about.

    Attributes:
        folder: Of the syncs, as people are shown it.
        statuses: Of every sync whose file has no problem.
        faulty: What is remembered of every other sync.
        problems: Of the files, a line each.
        left_out: The syncs that they leave out.
        gone: Syncs that Dagster has and that have no file.
        warning: What could not be seen, a sentence; empty for nothing.
    """

    folder: str
    statuses: Sequence[SyncStatus]
    faulty: Sequence[LeftOutStatus]
    problems: Sequence[str]
    left_out: Mapping[str, LeftOut] = field(default_factory=dict)
    gone: Sequence[str] = ()
    warning: str = ""


def list_page(found: Everything, asked: Asked, *, dagster: str) -> Response:
    """The page."""
    wanted = [each for each in found.statuses if _is_wanted(each, asked)]
    pages = max(1, -(-len(wanted) // _PAGE))
    page = min(max(asked.page, 1), pages)
    shown = wanted[(page - 1) * _PAGE : page * _PAGE]
    rows: list[list[Child]] = [_row(each) for each in shown]
    if page == 1 and asked.show not in GROUPS:
        rows = [_faulty(each) for each in found.faulty if asked.find.lower() in each.name.lower()] + rows
    live = any(_last(each) is Status.RUNNING for each in shown) or any(each.starting for each in found.statuses)
    total = len(found.statuses) + len(found.faulty)
    address = f"{own('/')}?{urlencode({'find': asked.find, 'show': asked.show})}&page="
    return framed(
        Frame("Syncs", dagster=dagster, live=live),
        element("div", _notes(found), id="notes"),
        _finder(found, asked) if total else None,
        element("div", _listed(rows, total, found.folder), id="list"),
        page_links(address, page, more=page < pages),
    )


def unknown_page(found: FilesFound, why: str, *, dagster: str) -> Response:
    """The page where what is remembered cannot be read: the names that the files have.

    Args:
        found: The files.
        why: The state cannot be read, and the next step.
        dagster: The address of Dagster's page.
    """
    cannot = note("problem", element("h2", "The state cannot be read"), paragraphs(why))
    rows: list[list[Child]] = [[name, "not known"] for name in sorted((*found.syncs, *found.faulty))]
    listed = table("The syncs of the files", ("sync", "status"), rows) if rows else None
    again = element("p", element("a", "Try again", href=own("/")))
    noted = problems_note(found.problems, found.left_out)
    return framed(Frame("Syncs", dagster=dagster, status=503), cannot, again, noted, listed)


def _notes(found: Everything) -> Html:
    notes = [problems_note(found.problems, found.left_out)]
    if found.warning:
        notes.append(note("warning", paragraphs(found.warning)))
    if any(each.unattended for each in found.statuses):
        notes.append(note("warning", paragraphs(_NO_DAEMON)))
    if not_as_the_files := loading(found.statuses):
        notes.append(note("warning", paragraphs(not_as_the_files)))
    if without_file := still_loaded(found.gone):
        notes.append(note("warning", paragraphs(without_file)))
    return html(notes)


def _finder(found: Everything, asked: Asked) -> Html:
    """Groups with how many are in each, and a field to find syncs by name."""
    counts = {name: sum(map(is_of, found.statuses)) for name, is_of in GROUPS.items()}
    counts = {"": len(found.statuses) + len(found.faulty), **counts, LEFT_OUT: len(found.left_out)}
    links = [
        element(
            "a",
            f"{name or 'all'} {count:,}",
            href=f"{own('/')}?{urlencode({'find': asked.find, 'show': name})}",
            aria_current="page" if asked.show == name else None,
        )
        for name, count in counts.items()
        if count or name in ("", asked.show)
    ]
    field = element("input", type="search", name="find", value=asked.find, id="find", maxlength=200)
    label = element("label", "Find by name, description or destination", for_="find")
    kept = element("input", type="hidden", name="show", value=asked.show)
    form = element("form", label, kept, field, element("button", "Find"), method="get", role="search")
    return html(element("nav", *links, class_="groups", aria_label="Groups of syncs"), form)


def _is_wanted(status: SyncStatus, asked: Asked) -> bool:
    sync = status.sync
    words = f"{sync.name}\n{sync.description}\n{sync.destination}".lower()
    if asked.show == LEFT_OUT and status.left_out is None:
        return False
    return asked.find.lower() in words and (asked.show not in GROUPS or GROUPS[asked.show](status))


def _listed(rows: Sequence[Sequence[Child]], total: int, folder: str) -> Html:
    if not total:
        how = "Make the first with `reverse-etl init`, or see what syncs do with `reverse-etl demo`."
        return html(element("p", f"There are no syncs in {folder} yet."), paragraphs(how))
    if not rows:
        return element("p", "No sync fits. ", element("a", "Show all", href=own("/")))
    return table("Every sync", _HEADINGS, rows, numbers=("rows", "failed"))


def _row(status: SyncStatus) -> list[Child]:
    sync, run = status.sync, status.run
    name = html(
        element("a", sync.name, href=own(f"/syncs/{sync.name}")),
        element("span", sync.description or f"{sync.kind} in {sync.destination}", class_="quiet", dir="auto"),
    )
    left_out = status.left_out is not None
    words = [tag(status.word) if not left_out or status.word == "paused" else None]
    words += [tag("stale") if status.stale else None, tag("left out") if left_out else None]
    last: Child = element("span", "none yet", class_="quiet")
    if run is not None:
        last = html(tag(run.status.value), " ", when(run.started_at, status.now))
    failed = element("b", f"{status.failed_rows:,}") if status.failed_rows else _failed(run)
    return [name, html(words), last, _rows(run), failed, element("span", status.next_run, class_="lines")]


def _faulty(status: LeftOutStatus) -> list[Child]:
    name, run = status.name, status.run
    link = html(
        element("a", name, href=own(f"/syncs/{name}")), element("span", "see the problem above", class_="quiet")
    )
    words = html(tag("paused") if status.word == "paused" else None, tag("left out"))
    last = tag(run.status.value) if run else element("span", "none yet", class_="quiet")
    short = status.why.short if status.why is not None else ""
    return [link, words, last, _rows(run), _failed(run), element("span", short, class_="lines")]


def _rows(run: RunReport | None) -> str:
    """Rows delivered and read; nothing before there were any, and while they are counted."""
    return "" if run is None or not run.streams else f"{run.rows.delivered:,} of {run.rows.extracted:,}"


def _failed(run: RunReport | None) -> str:
    return "" if run is None or not run.streams else f"{run.total.failed:,}"

"""One sync: how it is, what its imports did, what the next one would do, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reverse_etl.report import Status
from reverse_etl.syncs_page.addresses import own
from reverse_etl.syncs_page.charts import charts
from reverse_etl.syncs_page.frame import (
    Frame,
    facts,
    framed,
    note,
    page_links,
    paragraphs,
    prose,
    table,
    tag,
    when,
)
from reverse_etl.syncs_page.guard import FIELD
from reverse_etl.syncs_page.loading import loading
from reverse_etl.syncs_page.markup import Child, Html, element, html
from reverse_etl.syncs_page.plan_lines import conclusion, heading, lines, lines_in_table, removed_attributes
from reverse_etl.syncs_page.problems_note import problems_note
from reverse_etl.syncs_page.run_page import Failures, failed_rows, outcome
from reverse_etl.times import clock
from reverse_etl.warned import in_short

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.responses import Response

    from reverse_etl.config.left_out import LeftOut
    from reverse_etl.config.schedule import ScheduleConfig
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.report import RunReport
    from reverse_etl.run.planned import Plan
    from reverse_etl.syncs_page.actions import Actions
    from reverse_etl.syncs_page.in_progress import InProgress
    from reverse_etl.syncs_page.left_out_status import LeftOutStatus
    from reverse_etl.syncs_page.plans import Planned
    from reverse_etl.syncs_page.sync_status import SyncStatus

IMPORTS: Final = 25
"""On one page."""

SAID: Final = {
    "paused": "Paused. Due imports are left out until it is resumed; an import by hand still works.",
    "resumed": "Resumed. It runs at its next due time, and reads what changed meanwhile.",
    "resumed, blocked": "Resumed. It runs at its next due time once the files are mended.",
}
"""What was done, by the word for it in an address."""

NO_ACTIONS: Final = "This page only shows. To start and pause syncs here, start it with `--allow-actions`."
NO_DAGSTER: Final = "Nothing can be started here: start the page with `--dagster-url` and Dagster's address."
_BLOCKED: Final = "No import can be started until the files are mended."
_GONE: Final = "Its file is gone: it runs no more. Nothing is deleted where it sent to."
_PLAN: Final = "A plan reads the rows as an import would and counts what would be sent. Nothing is sent."


@dataclass(frozen=True, slots=True)
class OneSync:
    """What the page is about.

    Attributes:
        name: The sync's.
        status: As it is now; None where its file is gone, or has a problem.
        faulty: What is remembered of it, where its file has a problem; None otherwise.
        problems: Of all files.
        left_out: The syncs that have no imports for them: maybe this one.
        gone: Whether it has no file.
        imports: Of one page of them, the newest first.
        latest: The newest of all, for the charts, likewise.
        page: Which page, from 1.
        more: Whether there are older ones.
        last_failed: The newest that ended, where rows of it failed or it stopped, with why; None otherwise.
        csv: Whether the CSV of that one is there.
        progress: How far the one in progress is; None where there is none.
        planned: Its plan; None where none was asked for.
        said: A key of ``SAID``; empty for none.
        started: Dagster's page of a run that was started here and has not begun; empty for none.
        token: Of its forms.
        actions: What may be done here; None: nothing.
        plans: Whether a plan may be asked for.
    """

    name: str
    status: SyncStatus | None
    faulty: LeftOutStatus | None
    problems: Sequence[str]
    left_out: Mapping[str, LeftOut]
    gone: bool
    imports: Sequence[RunReport]
    latest: Sequence[RunReport]
    page: int
    more: bool
    last_failed: tuple[RunReport, Failures] | None
    csv: bool
    progress: InProgress | None
    planned: Planned | None
    said: str
    started: str
    token: str
    actions: Actions | None
    plans: bool

    @property
    def blocked(self) -> bool:
        """Whether none of its imports starts until the files are mended."""
        return self.name in self.left_out


def sync_page(found: OneSync, now: datetime, *, dagster: str) -> Response:
    """The page."""
    status = found.status
    planning = found.planned is not None and found.planned.in_the_making
    running = next((run for run in found.latest if run.status is Status.RUNNING), None)
    return framed(
        Frame(
            found.name,
            dagster=dagster,
            up=(("Syncs", own("/")),),
            live=planning or running is not None or bool(found.started) or (status is not None and status.starting),
        ),
        element("p", status.sync.description, dir="auto") if status else None,
        element("div", _said(found), _problems(found), _loading(status), id="said"),
        note("warning", element("p", _GONE)) if found.gone else None,
        element("div", outcome(running, found.progress) if running else _last_failed(found), id="outcome"),
        element("div", _status_facts(status), id="facts") if status else None,
        element("div", _remembered(found.faulty), id="facts") if found.faulty else None,
        _actions(found, status) if status else None,
        element("section", element("h2", "Plan"), _plan(found, status.sync), id="plan") if status else None,
        element("section", element("h2", "Imports"), charts(found.latest), _imports(found, now), id="imports"),
    )


def _said(found: OneSync) -> Html:
    if found.started:
        waits = "An import was started. It waits its turn, and is listed here as soon as it begins: "
        return note("done", element("p", waits, element("a", "its run in Dagster", href=found.started)))
    said = SAID.get("resumed, blocked" if found.said == "resumed" and found.blocked else found.said)
    return note("done", element("p", said)) if said else html()


def _problems(found: OneSync) -> Html:
    """The problems of the files; before them, why they leave the sync out, where they do."""
    why = found.left_out.get(found.name)
    own = note("problem", paragraphs(f"{found.name} is left out: {why.why}")) if why is not None else None
    return html(own, problems_note(found.problems, found.left_out))


def _loading(status: SyncStatus | None) -> Html | None:
    """What Dagster would start in place of what the file says."""
    said = loading([status]) if status is not None else ""
    return note("warning", paragraphs(said)) if said else None


def _last_failed(found: OneSync) -> Html:
    if found.last_failed is None:
        return html()
    run, failures = found.last_failed
    return html(
        outcome(run, None, before="Last import: "),
        failed_rows(failures, run, csv=found.csv) if run.total.failed else None,
    )


def _remembered(status: LeftOutStatus) -> Html:
    """What is known of a sync although its file is faulty."""
    run = status.run
    last: Child = html(tag(run.status.value), " ", when(run.started_at, status.now)) if run else "none yet"
    return facts(
        (
            ("status", html((tag("paused"), " ") if status.word == "paused" else None, tag("left out"))),
            ("last import", last),
            ("data arrived", status.freshness),
            ("last sync time", clock(status.last_sync_at)),
            ("to", status.destination),
        )
    )


def _status_facts(status: SyncStatus) -> Html:
    sync, run = status.sync, status.run
    exact = element("span", clock(status.next_run_at), class_="quiet") if status.next_run_at else None
    last: Child = html(tag(run.status.value), " ", when(run.started_at, status.now)) if run else "none yet"
    return facts(
        (
            ("status", html(tag(status.word), " ", tag("stale") if status.stale else None)),
            ("last import", last),
            ("next import", html(status.next_run, " ", exact)),
            ("schedule", _schedule(sync.schedule)),
            ("data arrived", status.freshness),
            ("everything", status.pieces_read),
            ("last sync time", clock(status.last_sync_at)),
            ("from", sync.database),
            ("to", f"{sync.destination}: {sync.kind}"),
            ("finds changes", sync.changes.by),
            ("file", element("code", sync.file)),
        )
    )


def _schedule(schedule: ScheduleConfig) -> str:
    from reverse_etl.schedule.cadence import format_interval

    after = f"after {' and '.join(schedule.after)}" if schedule.after else ""
    cron = f"cron {schedule.cron}, UTC" if schedule.cron else ""
    every = f"every {format_interval(schedule.every)}" if schedule.every else ""
    return ", ".join(filter(None, (after, cron, every))) or "by hand"


def _button(found: OneSync, action: str, text: str, *, main: bool = False) -> Html:
    token = element("input", type="hidden", name=FIELD, value=found.token)
    button = element("button", text, class_="main" if main else "")
    return element("form", token, button, method="post", action=own(f"/syncs/{found.name}/{action}"))


def _actions(found: OneSync, status: SyncStatus) -> Html:
    if found.actions is None:
        return element("p", prose(NO_ACTIONS), class_="quiet")
    toggle = _button(found, "resume", "Resume") if status.word == "paused" else _button(found, "pause", "Pause")
    if found.blocked:
        return element("div", toggle, element("p", _BLOCKED, class_="quiet"), class_="actions", id="actions")
    if found.actions.run is None:
        return element("div", toggle, element("p", prose(NO_DAGSTER), class_="quiet"), class_="actions", id="actions")
    sure = f"It reads what changed and sends it to {status.sync.destination}, as a scheduled import does."
    button = _button(found, "run", "Start the import", main=True)
    start = element("details", element("summary", "Run now"), element("p", sure), button)
    return element("div", toggle, start, class_="actions", id="actions")


def _plan(found: OneSync, sync: SyncConfig) -> Html:
    planned = found.planned
    if not found.plans:
        return element("p", prose(f"`reverse-etl plan {found.name}` counts what the next import would send."))
    if found.blocked:
        return element("p", "A plan can be made once the files are mended.", class_="quiet")
    if planned is not None and planned.in_the_making:
        return element("p", f"The plan is being made, since {clock(planned.at)}.", class_="busy")
    shown: list[Child] = [element("p", _PLAN, class_="quiet")]
    if planned is not None and planned.problem:
        shown = [note("problem", element("h3", "The plan could not be made"), paragraphs(planned.problem))]
    elif planned is not None and planned.plan is not None:
        shown = [element("p", f"Made {clock(planned.at)}.", class_="quiet"), _planned(planned.plan, sync)]
    return html(*shown, _button(found, "plan", "Make a plan" if planned is None else "Make it again"))


def _planned(plan: Plan, sync: SyncConfig) -> Html:
    parts: list[Html] = []
    for name, stream in plan.streams.items():
        parts.append(_lines(heading(plan, sync, name), lines(stream, sync.gone(name))))
        if stream.in_table is not None:
            parts.append(_lines(f"In table {sync.writes[0]}", lines_in_table(stream.in_table, sync.gone(name))))
        if stream.removed:
            parts.append(element("p", removed_attributes(stream, sync)))
    parts += [element("p", prose(sentence)) for sentence in conclusion(plan)]
    if plan.sendable:
        command = f"reverse-etl run {sync.name} --plan {plan.plan_id}"
        parts.append(element("p", "To send exactly this within an hour: ", element("code", command)))
    return html(parts)


def _lines(title: str, found: Sequence[tuple[str, int, str]]) -> Html:
    rows: list[list[Child]] = [[what, f"{number:,}"] for _sign, number, what in found]
    return table(title, ("what", "rows"), rows, numbers=("rows",)) if rows else element("p", title)


def _imports(found: OneSync, now: datetime) -> Html:
    if not found.imports:
        how = "it can once the files are mended" if found.blocked else f"start it with `reverse-etl run {found.name}`"
        return element("p", prose(f"It has not run yet: {how}." if found.page == 1 else "None older."))
    compares = any(run.added is not None for run in found.imports)
    differs = ("new", "changed") if compares else ()
    counted = ("read", *differs, "delivered", "unchanged", "left out", "failed", "took")
    headings = ("started", "status", *counted, "message")
    rows = [_import(run, now, compares=compares) for run in found.imports]
    address = own(f"/syncs/{found.name}?page=")
    links = page_links(address, found.page, more=found.more, before="Newer imports", after="Older imports")
    return html(table("Imports, the newest first", headings, rows, numbers=counted), links)


def _import(run: RunReport, now: datetime, *, compares: bool) -> list[Child]:
    started = element("a", when(run.started_at, now), href=own(f"/syncs/{run.sync}/runs/{run.run_id}"))
    took = f"{run.duration_s:,.1f} s" if run.duration_s else ""
    read, found = run.read, (run.added, run.changed) if compares else ()
    counts: list[Child] = [
        "" if count is None or not run.streams else f"{count:,}"
        for count in (read.extracted, *found, read.delivered, read.unchanged, read.excluded)
    ]
    failed = element("b", f"{run.total.failed:,}") if run.total.failed else "0" if run.streams else ""
    said = f"{run.message} {in_short(run.warnings)}".strip()
    return [started, tag(run.status.value), *counts, failed, took, prose(said)]

"""One import: what was read, what became of it, why rows failed, and their CSV. No value of a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from reverse_etl.counted import counted
from reverse_etl.report import Status, is_gone
from reverse_etl.state.check_results import results_of_run
from reverse_etl.state.failures import causes_of_run, failed_rows_of_run
from reverse_etl.syncs_page.addresses import own
from reverse_etl.syncs_page.frame import Frame, facts, framed, note, paragraphs, prose, table, tag, when
from reverse_etl.syncs_page.markup import Child, Html, element, html
from reverse_etl.times import at_unix, clock

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.responses import Response

    from reverse_etl.report import RunReport
    from reverse_etl.state.check_results import KeptResult
    from reverse_etl.state.failures import FailedCause
    from reverse_etl.state.store import Store
    from reverse_etl.syncs_page.in_progress import InProgress

_LOOKED_AT: Final = 2_000
"""Failed rows of a run that are looked through for row numbers of each cause."""
_SAMPLES: Final = 5

_READS: Final = {
    "changes": "what changed",
    "full": "everything",
    "since": "what changed since a time",
    "limit": "the first rows",
    "only": "rows by identifier",
    "retry": "the rows that had failed",
    "undo": "nothing: took back what an earlier import sent",
}


@dataclass(frozen=True, slots=True)
class Failures:
    """Why rows of a run failed.

    Attributes:
        causes: Most rows first.
        samples: The numbers of the first rows of each cause that is among the first failed rows.
    """

    causes: Sequence[FailedCause]
    samples: Mapping[tuple[object, ...], Sequence[int]]


def failures_of(store: Store, run_id: str) -> Failures:
    """Why rows of a run failed. Raises StateError."""
    causes = causes_of_run(store, run_id)
    samples: dict[tuple[object, ...], list[int]] = {}
    for row in islice(failed_rows_of_run(store, run_id), _LOOKED_AT) if causes else ():
        found = samples.setdefault((row.query, row.stage, row.why), [])
        if len(found) < _SAMPLES:
            found.append(row.row_number)
    return Failures(causes, samples)


def run_page(
    store: Store, run: RunReport, now: datetime, *, dagster: str, csv: bool, progress: InProgress | None
) -> Response:
    """The page of one import.

    Args:
        store: The history.
        run: The import.
        now: Aware.
        dagster: The address of Dagster's page of the run; empty where there is none.
        csv: Whether its CSV is still there.
        progress: How far it is; None where it has ended.
    """
    sync = own(f"/syncs/{run.sync}")
    title = f"{run.sync}: import of {run.started_at:%Y-%m-%d %H:%M} UTC"
    return framed(
        Frame(title, dagster=dagster, up=(("Syncs", own("/")), (run.sync, sync)), live=progress is not None),
        element("div", outcome(run, progress), id="outcome"),
        element("div", _facts(run, now), _streams(run), id="facts"),
        failed_rows(failures_of(store, run.run_id), run, csv=csv) if run.total.failed else None,
        _left_out(run),
        _checks(results_of_run(store, run.run_id)),
    )


def outcome(run: RunReport, progress: InProgress | None, *, before: str = "This import: ") -> Html:
    """How it ended and what to do next, or how far it is; ``before`` begins the heading."""
    if progress is not None:
        return note("progress", element("h2", "In progress"), element("p", progress.sentence), _bar(progress))
    if run.status is Status.COMPLETED:
        return html()
    kind = "problem" if run.status in (Status.FAILED, Status.SOME_ROWS_FAILED) else "warning"
    return note(kind, element("h2", before, run.status.value.replace("_", " ")), paragraphs(run.message))


def failed_rows(failures: Failures, run: RunReport, *, csv: bool) -> Html:
    """The failed rows by cause, and the way to the file with all of them."""
    rows = [_cause(cause, failures.samples) for cause in failures.causes]
    headings = ("reason", "rows", "query", "stage", "field", "what is wrong", "for example row")
    address = own(f"/syncs/{run.sync}/runs/{run.run_id}/failed_rows.csv")
    if csv:
        link = element("a", "Download the failed rows (CSV)", href=address, class_="button", download=True)
        where = html(
            element("p", link), element("p", "The file holds identifiers of rows: keep it to yourself.", class_="quiet")
        )
    else:
        where = element(
            "p", prose(f"Their file is no longer kept. See `reverse-etl errors {run.sync} --run {run.run_id[:8]}`.")
        )
    return element(
        "section",
        element("h2", f"{counted(run.total.failed, 'failed row')}"),
        table("Failed rows by cause", headings, rows, numbers=("rows",)) if rows else None,
        where,
    )


def _cause(cause: FailedCause, samples: Mapping[tuple[object, ...], Sequence[int]]) -> list[Child]:
    numbers = samples.get((cause.query, cause.stage, cause.why), ())
    which = ", ".join(f"{number:,}" for number in numbers)
    why = cause.why
    return [why.reason, f"{cause.rows:,}", cause.query, cause.stage, why.field, prose(why.message), which]


def _bar(progress: InProgress) -> Html:
    if not progress.total:
        return html()
    return element("progress", value=progress.done, max=progress.total, aria_label="Rows with an outcome")


def _facts(run: RunReport, now: datetime) -> Html:
    since = clock(at_unix(run.read_from)) if run.read_from else ""
    read = _READS.get(run.reads, run.reads)
    return facts(
        (
            ("status", tag(run.status.value)),
            ("started", when(run.started_at, now)),
            ("duration", f"{run.duration_s:,.1f} s" if run.duration_s else ""),
            ("read", f"{read}, from {since}" if since else read),
            ("piece", f"{run.piece.number:,} of {run.piece.of:,}" if run.piece else ""),
            ("new", "" if run.added is None else f"{run.added:,}"),
            ("changed", "" if run.changed is None else f"{run.changed:,}"),
            ("run", element("code", run.run_id)),
        )
    )


def _streams(run: RunReport) -> Html:
    headings = ("query", "read", "delivered", "unchanged", "left out", "rejected", "refused", "not delivered")
    rows: list[list[Child]] = [
        [
            f"{name.removeprefix('gone_')} that are gone" if is_gone(name) else name,
            *(
                f"{number:,}"
                for number in (
                    counts.extracted,
                    counts.delivered,
                    counts.unchanged,
                    counts.excluded,
                    counts.rejected,
                    counts.refused,
                    counts.undelivered,
                )
            ),
        ]
        for name, counts in run.streams.items()
    ]
    return table("What became of the rows", headings, rows, numbers=headings[1:]) if rows else html()


def _left_out(run: RunReport) -> Html:
    if not run.excluded_by:
        return html()
    rows: Iterable[list[Child]] = [[each.reason, f"{each.rows:,}", each.message] for each in run.excluded_by]
    heading = element("h2", f"{counted(run.total.excluded, 'row')} left out by choice")
    why = table("Why rows were left out", ("reason", "rows", "why"), rows, numbers=("rows",))
    return element("section", heading, why)


def _checks(results: Sequence[KeptResult]) -> Html:
    found: list[list[Child]] = [
        [
            each.name,
            each.severity,
            each.outcome.replace("_", " "),
            f"{each.rows_failed:,}",
            each.stream,
            prose(each.message),
        ]
        for each in results
        if each.outcome != "passed" or each.rows_failed
    ]
    if not results:
        return html()
    passed = len(results) - len(found)
    headings = ("check", "severity", "outcome", "rows", "query", "what was found")
    return element(
        "section",
        element("h2", "Checks"),
        element("p", f"{counted(passed, 'check')} passed."),
        table("Checks that found something", headings, found, numbers=("rows",)) if found else None,
    )

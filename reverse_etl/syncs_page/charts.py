"""Charts of a sync's latest imports, as drawings within the page: a bar for each, the newest on the right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reverse_etl.report import Status
from reverse_etl.syncs_page.markup import Html, element, html
from reverse_etl.times import minute

if TYPE_CHECKING:
    from reverse_etl.report import RunReport

_WIDTH: Final = 320
_HEIGHT: Final = 72
_LOWEST: Final = 1.5
"""Of a bar that stands for more than nothing: so that one failed row of a million is seen."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What a chart shows of each import.

    Attributes:
        title: What that is.
        of: The number.
        text: The number as people read it.
        class_: How its bars look.
    """

    title: str
    of: Callable[[RunReport], float]
    text: Callable[[float], str]
    class_: str


def _count(number: float) -> str:
    return f"{number:,.0f}"


MEASURES: Final = (
    Measure("Rows read", lambda run: run.read.extracted, _count, "rows"),
    Measure("Rows failed", lambda run: run.total.failed, _count, "failed"),
    Measure("Duration", lambda run: run.duration_s, lambda seconds: f"{seconds:,.1f} s", "duration"),
)


def charts(newest_first: Sequence[RunReport]) -> Html:
    """A chart for each measure of the imports that ended; nothing where there are fewer than two."""
    ended = [run for run in newest_first if run.status not in (Status.RUNNING, Status.SKIPPED)][::-1]
    if len(ended) < 2:
        return html()
    return element("div", *(_chart(measure, ended) for measure in MEASURES), class_="charts")


def _chart(measure: Measure, runs: Sequence[RunReport]) -> Html:
    numbers = [measure.of(run) for run in runs]
    most, newest = max(numbers), numbers[-1]
    step = _WIDTH / max(len(runs), 12)
    bars = []
    for place, (run, number) in enumerate(zip(runs, numbers, strict=True)):
        height = max(number / most * _HEIGHT, _LOWEST) if number else 0
        left = _WIDTH - (len(runs) - place) * step
        about = element("title", f"{minute(run.started_at)} UTC: {measure.text(number)}")
        bars.append(
            element(
                "rect",
                about,
                x=f"{left + step * 0.1:.1f}",
                y=f"{_HEIGHT - height:.1f}",
                width=f"{step * 0.8:.1f}",
                height=f"{height:.1f}",
            )
        )
    said = (
        f"{measure.title} in the last {len(runs)} imports: newest {measure.text(newest)}, "
        f"most {measure.text(most)}, least {measure.text(min(numbers))}."
    )
    drawing = element(
        "svg", *bars, role="img", aria_label=said, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", preserveAspectRatio="none"
    )
    caption = element(
        "figcaption", element("b", measure.title), f" newest {measure.text(newest)}, most {measure.text(most)}"
    )
    return element("figure", caption, drawing, class_=measure.class_)

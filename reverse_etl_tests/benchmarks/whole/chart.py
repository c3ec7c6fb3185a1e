"""Rows against seconds as an SVG: both axes logarithmic, a line or a point for each, its name beside it.

Plain elements and one style sheet, which follows the reader's light or dark theme.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import escape

from reverse_etl_tests.benchmarks.whole.figures import LOOPS, PUBLISHED_S, middle

WIDTH: Final = 860
HEIGHT: Final = 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 180, 20, 48
_LEAST_ROWS, _MOST_ROWS = 10_000, 10_000_000
_LEAST_S, _MOST_S = 0.1, 10_000
_STYLE: Final = """
text{font:13px system-ui,sans-serif;fill:#333}.grid{stroke:#8884;stroke-width:1}.tick{fill:#666;font-size:12px}
.run{stroke:#0a62c9;fill:#0a62c9}.floor{stroke:#6b7280;fill:#6b7280}.customerio{stroke:#b4530a;fill:#b4530a}.drt{stroke:#8a3ffc;fill:#8a3ffc}
path{fill:none!important;stroke-width:2.5}text.run,text.floor,text.customerio,text.drt{stroke:none}
@media(prefers-color-scheme:dark){text{fill:#ddd}.tick{fill:#aaa}.run{stroke:#6cb2ff;fill:#6cb2ff}
.floor{stroke:#a3acb9;fill:#a3acb9}.customerio{stroke:#f4a35d;fill:#f4a35d}.drt{stroke:#c6a2ff;fill:#c6a2ff}}
"""


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one kind.

    Attributes:
        style: Its class in the style sheet.
        name: Beside its last point.
        points: Rows and seconds, by rows.
    """

    style: str
    name: str
    points: Sequence[tuple[float, float]]


def series(figures: dict[str, Any]) -> list[Series]:
    """What there is to draw: people of 10 columns from PostgreSQL; 0 ms but where the name says otherwise."""
    cases = sorted(
        (
            case
            for case in figures["cases"].values()
            if (case["columns"], case["engine"], case["latency_ms"]) == (10, "postgres", 0) and case["runs"]
        ),
        key=lambda case: case["rows"],
    )
    runs = [(case["rows"], middle(case["runs"], "wall_s")) for case in cases]
    floors = [
        (case["rows"], sum(middle(case["floor"], f"{loop}_s") for loop in LOOPS)) for case in cases if case["floor"]
    ]
    found = [
        Series("customerio", "Customer.io’s own, published", sorted(PUBLISHED_S.items())),
        Series("run", "reverse-etl run", runs),
        Series("floor", "floor: bare fetch, JSON, send", floors),
    ]
    drt: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for case in figures["peers"].values():
        if case["drt"]:
            point = (case["rows"], middle(case["drt"], "wall_s"))
            drt.setdefault((case["batch"], case["latency_ms"]), []).append(point)
    for (batch, latency_ms), points in drt.items():
        found.append(Series("drt", f"drt, {batch:,} rows a request, {latency_ms} ms", sorted(points)))
    return [each for each in found if each.points]


def chart(figures: dict[str, Any]) -> str:
    """The text of the SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Seconds by rows"><style>{_STYLE.strip()}</style>'
    ]
    for rows in (10_000, 100_000, 1_000_000, 10_000_000):
        x = _x(rows)
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>')
        parts.append(f'<text class="tick" x="{x}" y="{HEIGHT - 28}" text-anchor="middle">{rows:,}</text>')
    for seconds, name in ((0.1, "0.1 s"), (1, "1 s"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (3600, "1 h")):
        y = _y(seconds)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{name}</text>')
    middle_x = (_LEFT + WIDTH - _RIGHT) / 2
    parts.append(f'<text class="tick" x="{middle_x}" y="{HEIGHT - 8}" text-anchor="middle">rows of 10 columns</text>')
    found = series(figures)
    most = max(each.points[-1][0] for each in found)
    for each in found:
        at = [(_x(rows), _y(seconds)) for rows, seconds in each.points]
        if len(at) > 1:
            line = "L".join(f"{x} {y}" for x, y in at)
            parts.append(f'<path class="{each.style}" d="M{line}"/>')
        parts += [f'<circle class="{each.style}" cx="{x}" cy="{y}" r="3.5"/>' for x, y in at]
        x, y = at[-1]
        # A line that ends before the others has its name above it, where the others go on beside it.
        is_shorter = len(at) > 1 and each.points[-1][0] < most
        place = f'x="{x}" y="{y - 10}"' if is_shorter else f'x="{x + 9}" y="{y + 4}"'
        parts.append(f'<text class="{each.style}" {place}>{escape(each.name)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _x(rows: float) -> float:
    return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * _share(rows, _LEAST_ROWS, _MOST_ROWS), 1)


def _y(seconds: float) -> float:
    return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * _share(seconds, _LEAST_S, _MOST_S), 1)


def _share(value: float, least: float, most: float) -> float:
    return math.log(value / least) / math.log(most / least)

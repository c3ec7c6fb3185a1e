"""What measures is tested too: the sink counts right, a failure is a line of the table, the page has the figures."""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from reverse_etl_tests.benchmarks.whole import chart, figures, page
from reverse_etl_tests.benchmarks.whole.cases import CASES, asked
from reverse_etl_tests.benchmarks.whole.child import ChildError, ran
from reverse_etl_tests.benchmarks.whole.floor import all_requests, posted
from reverse_etl_tests.benchmarks.whole.sink import running_sink

RUN = {"wall_s": 9.0, "run_s": 6.0, "cpu_s": 8.0, "peak_mb": 420.0, "requests": 550, "body_bytes": 262_000_000}
LOOPS = {"fetch_s": 1.2, "fetch_cpu_s": 1.0, "encode_s": 0.5, "encode_cpu_s": 0.4, "send_s": 0.3, "send_cpu_s": 0.1}
STAGE = {"wall_s": 1.0, "cpu_s": 1.0, "peak_mb": 300.0}


def case(rows: int, **changed: Any) -> dict[str, Any]:
    """The figures of one case."""
    found = {"rows": rows, "columns": 10, "engine": "postgres", "latency_ms": 0, "busy": [0.02], "error": ""}
    found |= {"runs": [RUN, RUN | {"wall_s": 11.0}], "floor": [LOOPS, LOOPS], "taken_at": "2026-11-28T12:00+00:00"}
    found |= {"stages": [dict.fromkeys(("extract", "validate", "deliver"), STAGE)], "machine": "2 processors"}
    return found | changed


def peer(rows: int, **changed: Any) -> dict[str, Any]:
    """The figures of one comparison with drt."""
    return case(rows, **{"version": "1.2.1", "batch": 100, "drt": [RUN | {"wall_s": 90.0}]} | changed)


QUOTING = ("README.md", "docs/performance/README.md")
"""Pages with figures of whole runs."""

MEASURED = {
    "cases": {"100k": case(100_000), "1m": case(1_000_000), "5m": case(5_000_000, runs=[], error="no room | at all")},
    "peers": {"20k": peer(20_000), "1m": peer(1_000_000, drt=[], error="cannot be installed")},
}


def test_the_sink_counts_every_row_of_every_request() -> None:
    """Requests in pieces, over many connections, and more than one in a connection; what is no row is not counted."""
    with running_sink() as sink:
        posted(sink.port, all_requests({"id": "c1", "plan": "pro"}, 30_001))
        with httpx.Client(base_url=sink.url, trust_env=False) as client:
            assert client.get("/api/v1/accounts/region").json()["region"] == "us"
            client.post("/api/v2/batch", content=(piece for piece in [b'{"batch":[{"identi', b'fiers":{}}]}']))
        counts = sink.counts()
        assert counts.operations == 30_001 + 1
        assert counts.requests == len([*all_requests({"id": "c1", "plan": "pro"}, 30_001)]) + 1
        sink.begin()
        assert sink.counts().operations == 0


def test_the_sink_answers_after_its_latency() -> None:
    """Eight requests over eight connections wait at the same time."""
    with running_sink(latency_s=0.1) as sink:
        began = time.monotonic()
        posted(sink.port, iter([b"POST /api/v2/batch HTTP/1.1\r\ncontent-length: 0\r\n\r\n"] * 8))
        assert 0.1 <= time.monotonic() - began
        assert sink.counts().requests == 8


@pytest.mark.parametrize(
    ("program", "message"),
    [("raise SystemExit('no room')", "exit code 1: no room"), ("print('hello')", "it printed no JSON")],
)
def test_a_child_that_fails_says_why(program: str, message: str, tmp_path: Path) -> None:
    """Its last line is the message."""
    with pytest.raises(ChildError, match=message):
        ran([sys.executable, "-c", program], folder=tmp_path, environment=os.environ)


def test_a_child_is_measured(tmp_path: Path) -> None:
    """Its own processor's time, not the clock's, and what it printed."""
    program = "import json, time; time.sleep(0.2); print(json.dumps({'rows': 3}))"
    done = ran([sys.executable, "-S", "-c", program], folder=tmp_path, environment=os.environ)
    assert done.printed == {"rows": 3}
    assert 0 < done.cpu_s < done.wall_s - 0.19


def test_a_case_that_failed_is_a_line_of_the_table() -> None:
    """What was measured before it stays."""
    text = page.page(MEASURED)
    assert "| 5,000,000 × 10, PostgreSQL, 0 ms | 0 | **failed: no room ∣ at all** |" in text
    assert "**failed: cannot be installed**" in text
    assert "| 1,000,000 × 10, PostgreSQL, 0 ms | 2 | 10.0 (9.0–11.0) |" in text
    assert "| 1,000,000 | 40:39 | 10.0 s | 244 |" in text
    assert "beside other work" not in text


def test_the_ratios_count_all_three_loops_of_the_floor() -> None:
    """A command of 9 and 11 s, processor 8, and stages of 3 s, beside 2.0 s, processor 1.5."""
    text = page.page(MEASURED)
    assert "ms | 1.2 (1.2–1.2) | 0.50 (0.50–0.50) | 0.30 (0.30–0.30) | 1.5 | 5.0 (4.5–5.5) |" in text
    assert "| 1.0 (1.0) | 1.0 (1.0) | 1.0 (1.0) | 2.0 | 300 |" in text


def test_what_each_further_million_takes_leaves_out_what_a_run_costs_once() -> None:
    """Half a second more for 100,000 rows more are five for a million; what a case without runs took is not known."""
    cases = {"100k": case(100_000), "200k": case(200_000, runs=[RUN | {"run_s": 6.5}]), "5m": MEASURED["cases"]["5m"]}
    assert "| 100,000 to 200,000 | 5.0 |" in page.page({"cases": cases, "peers": {}})


def test_other_work_is_said() -> None:
    """Where others used the processors, the page says that its wall times are of little use."""
    busy = {"cases": {"1m": case(1_000_000, busy=[0.5, 0.9])}, "peers": {}}
    assert "**Taken beside other work**, which used 90% of the processors" in page.page(busy)


def test_every_line_of_a_table_has_its_columns() -> None:
    """As many cells as the head of its table, whatever failed."""
    cells = 0
    for line in page.page(MEASURED).splitlines():
        if not line.startswith("|"):
            cells = 0
            continue
        cells = cells or line.count("|")
        assert line.count("|") == cells, line


def test_the_chart_shows_what_was_measured() -> None:
    """Well-formed, each point within the axes, each series by name."""
    tree = ElementTree.fromstring(chart.chart(MEASURED))  # noqa: S314 - our own text
    circles = tree.findall("{*}circle")
    assert len(circles) == 1 + 2 + 2 + 1
    assert all(0 < float(circle.get("cx", 0)) < chart.WIDTH for circle in circles)
    assert all(0 < float(circle.get("cy", 0)) < chart.HEIGHT for circle in circles)
    names = {text.text for text in tree.findall("{*}text")}
    assert {"reverse-etl run", "floor: bare fetch, JSON, send", "drt, 100 rows a request, 0 ms"} <= names


def test_the_page_and_the_chart_are_those_of_the_figures() -> None:
    """`python -m reverse_etl_tests.benchmarks.whole.page` writes them from whole-runs.json."""
    measured = figures.load()
    assert page.PAGE.read_text(encoding="utf-8") == page.page(measured)
    assert page.CHART.read_text(encoding="utf-8") == chart.chart(measured)


def test_other_pages_quote_the_figures_of_this_one() -> None:
    """The README's memory and the seconds of the performance page are medians of whole-runs.json."""
    cases = figures.load()["cases"]

    def median(case: str, of: str) -> float:
        return statistics.median(run[of] for run in cases[case]["runs"])

    root = page.PAGE.parents[2]
    readme, parts = (" ".join((root / name).read_text(encoding="utf-8").split()) for name in QUOTING)
    memory = f"{median('100k', 'peak_mb'):.0f} MB for 100,000 rows, {median('1m', 'peak_mb'):.0f} MB for a million."
    assert f"a peak of {memory}" in readme
    assert f"{median('1m-150ms', 'wall_s'):.1f} s at 150 ms, {median('1m', 'wall_s'):.1f} s at 0 ms" in parts


def test_measuring_one_case_again_keeps_the_others(tmp_path: Path) -> None:
    """Only the figures of that name are replaced."""
    file = tmp_path / "figures.json"
    figures.keep("cases", {"100k": {"rows": 1}, "1m": {"rows": 2}}, file)
    figures.keep("cases", {"1m": {"rows": 3}}, file)
    assert {name: found["rows"] for name, found in figures.load(file)["cases"].items()} == {"100k": 1, "1m": 3}


def test_a_case_that_there_is_not_names_those_that_there_are() -> None:
    """A list of names; all without one."""
    assert asked("") == CASES
    assert [*asked("1m,100k")] == ["1m", "100k"]
    with pytest.raises(SystemExit, match="there is no case 2m; there are 100k, "):
        asked("1m,2m")

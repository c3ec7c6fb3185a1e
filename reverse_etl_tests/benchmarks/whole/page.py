"""The page and the chart, from the figures and nothing else.

``python -m reverse_etl_tests.benchmarks.whole.page`` writes both again without measuring.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

from reverse_etl_tests.benchmarks.whole.cases import Case
from reverse_etl_tests.benchmarks.whole.chart import chart
from reverse_etl_tests.benchmarks.whole.figures import FOLDER, LOOPS, PUBLISHED_S, QUIET, load, middle, spread

PAGE: Final = FOLDER / "whole-runs.md"
CHART: Final = FOLDER / "whole-runs.svg"
REQUESTS_PER_S: Final = 100
_FIELDS: Final = ("rows", "columns", "engine", "latency_ms")

_TOP: Final = """\
# Whole runs, their stages and the floor

<!-- Written by `make bench CASE=whole` from whole-runs.json. Do not edit. -->

People from a database on this machine to a sink on this machine, which counts the rows of each request and answers after the latency of the case.
`make bench CASE=whole` measures it, `make bench-peers` what drt needs. {taken}

![Seconds by rows, both axes logarithmic](whole-runs.svg)
"""

_BUSY: Final = """
**Taken beside other work**, which used {median:.0%} of the processors before the runs (median; {most:.0%} at most): wall times are longer than on a quiet
machine, and of little use. Processor seconds, requests, bytes and memory hold.
"""

_RUNS: Final = """
## A run as a user starts it

`reverse-etl run people --json --full`, settings as shipped but the rate limit (`requests_per_second: 10000`): medians, least and most in brackets. *Command* is from the
start of the process to its end, *run* the part that the run itself reports. *Rate* is what the default limit of {rate} requests a second would take by itself, at least.
Processor seconds are the process's own, user and system.

| rows × columns, database, latency | runs | command, s | run, s | rate, s | rows/s of the command | processor, s | peak, MB | requests | MB sent |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
{lines}
"""

_FURTHER: Final = """
## What each further million takes

Seconds of the run itself that a case takes longer than the one before it, for each million rows more: without what every run costs once. {least} to {most}.

| rows | s for each further million |
|---:|---:|
{lines}
"""

_FLOOR: Final = """
## The floor of the same work

The driver's own fetch loop over the same rows (`cursor.stream` of psycopg, `SSCursor` of asyncmy); the rows as JSON, made by DuckDB on one thread from batches of columns; then requests that are ready on
eight raw connections. No rate limit, nothing is checked or kept. Measured after each run, beside the same work. Seconds are those of the three loops, without a start of the process.

| case | fetch, s | JSON, s | send, s | processor, s | command ÷ floor, by the clock | command ÷ floor, by the processor |
|---|---:|---:|---:|---:|---:|---:|
{lines}

The sink took {sink:,.0f} rows a second there, {times:.0f} times as many as the fastest run sent it: it holds nothing back.
"""

_STAGES: Final = """
## Each stage alone

The three functions that a run calls, one after the other in a process without Dagster, once. What a command takes besides is the start of the process, Dagster and the books of the run.

| case | extract, s (processor) | validate, s (processor) | encode and send, s (processor) | all three ÷ floor, by the processor | peak, MB |
|---|---:|---:|---:|---:|---:|
{lines}
"""

_PUBLISHED: Final = """
## Customer.io's own reverse ETL

Customer.io publishes how long its own reverse ETL takes for rows of 10 columns, from its servers through its own pipeline: the end of its work is not that of ours, which is the
last answer of the Track API. The Track API takes what it has accepted in its own time.

| rows | Customer.io | this command, 0 ms | times as fast |
|---:|---:|---:|---:|
{lines}
"""

_PEERS: Final = """
## drt

[drt](https://pypi.org/project/drt-core/) {version}, `drt run`, the same table to the same sink. It has no destination for Customer.io; its REST destination posts to the batch endpoint,
without its rate limit, one request at a time, 100 rows in each as by default, or as many as fill a request. It checks no rows and keeps no record of each. Both commands in turn.

| rows × columns, database, latency | rows a request | drt: command, s | drt: processor, s | requests | `reverse-etl run`: command, s | processor, s | requests | times as fast | by the processor |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
{lines}
"""


def page(figures: dict[str, Any]) -> str:
    """The Markdown text."""
    cases, peers = figures["cases"], figures["peers"]
    done = {name: case for name, case in cases.items() if case["runs"]}
    busy = sorted(share for case in cases.values() for share in case["busy"])
    taken = sorted({case["taken_at"][:10] for case in cases.values()})
    machines = sorted({case["machine"] for case in cases.values()})
    text = _TOP.format(taken=f"{'; '.join(machines)}; {' and '.join(taken)}.")
    if busy and busy[len(busy) // 2] > QUIET:
        text += _BUSY.format(median=busy[len(busy) // 2], most=busy[-1])
    text += _RUNS.format(rate=REQUESTS_PER_S, lines=_lines(_run_line(case) for case in cases.values()))
    grown = sorted((case for case in done.values() if _comparable(case)), key=lambda case: case["rows"])
    further = [
        (
            one["rows"],
            two["rows"],
            (middle(two["runs"], "run_s") - middle(one["runs"], "run_s")) / (two["rows"] - one["rows"]) * 1e6,
        )
        for one, two in pairwise(grown)
    ]
    if further:
        lines = _lines(f"| {one:,} to {two:,} | {_s(each)} |" for one, two, each in further)
        took = [each for *_, each in further]
        text += _FURTHER.format(least=_s(min(took)), most=_s(max(took)), lines=lines)
    floors = [case for case in done.values() if case["floor"]]
    if floors:
        fastest = max(case["rows"] / min(run["run_s"] for run in case["runs"]) for case in floors)
        sink = max(case["rows"] / middle(case["floor"], "send_s") for case in floors)
        lines = _lines(map(_floor_line, floors))
        text += _FLOOR.format(lines=lines, sink=sink, times=sink / fastest)
    staged = [case for case in done.values() if case["stages"]]
    if staged:
        text += _STAGES.format(lines=_lines(map(_stage_line, staged)))
    published = [_published_line(case) for case in done.values() if _comparable(case) and case["rows"] in PUBLISHED_S]
    if published:
        text += _PUBLISHED.format(lines=_lines(published))
    if peers:
        [version] = {case["version"] for case in peers.values()}
        text += _PEERS.format(version=version, lines=_lines(map(_peer_line, peers.values())))
    return text


def write(figures: dict[str, Any] | None = None) -> None:
    """Both files."""
    figures = load() if figures is None else figures
    PAGE.write_text(page(figures), encoding="utf-8")
    CHART.write_text(chart(figures), encoding="utf-8")


def _comparable(case: dict[str, Any]) -> bool:
    return (case["columns"], case["engine"], case["latency_ms"]) == (10, "postgres", 0)


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _label(case: dict[str, Any]) -> str:
    return Case(**{name: case[name] for name in _FIELDS}).label


def _failed(case: dict[str, Any]) -> str:
    return f"**failed: {case['error'].replace('|', '∣')}**"


def _seconds(runs: Sequence[dict[str, float]], name: str) -> str:
    least, most = spread(runs, name)
    around = f" ({_s(least)}–{_s(most)})" if len(runs) > 1 else ""
    return f"{_s(middle(runs, name))}{around}"


def _s(seconds: float) -> str:
    return f"{seconds:,.0f}" if seconds >= 100 else f"{seconds:.1f}" if seconds >= 1 else f"{seconds:.2f}"


def _run_line(case: dict[str, Any]) -> str:
    runs = case["runs"]
    failed = _failed(case) if case["error"] else ""
    if not runs:
        return f"| {_label(case)} | 0 | {failed} | | | | | | | |"
    cells = [
        f"{len(runs)} {failed}".strip(),
        _seconds(runs, "wall_s"),
        _seconds(runs, "run_s"),
        _s(middle(runs, "requests") / REQUESTS_PER_S),
        f"{case['rows'] / middle(runs, 'wall_s'):,.0f}",
        _seconds(runs, "cpu_s"),
        f"{middle(runs, 'peak_mb'):.0f}",
        f"{middle(runs, 'requests'):,.0f}",
        f"{middle(runs, 'body_bytes') / 1e6:,.0f}",
    ]
    return f"| {_label(case)} | {' | '.join(cells)} |"


def _floor_line(case: dict[str, Any]) -> str:
    floor, runs = case["floor"], case["runs"]
    wall, cpu = ([sum(one[f"{loop}_{unit}"] for loop in LOOPS) for one in floor] for unit in ("s", "cpu_s"))
    ratios = [
        {"wall": run["wall_s"] / clock, "cpu": run["cpu_s"] / processor}
        for run, clock, processor in zip(runs, wall, cpu, strict=False)
    ]
    cells = [
        *(_seconds(floor, f"{loop}_s") for loop in LOOPS),
        _s(sorted(cpu)[len(cpu) // 2]),
        *(_seconds(ratios, name) for name in ("wall", "cpu")),
    ]
    return f"| {_label(case)} | {' | '.join(cells)} |"


def _stage_line(case: dict[str, Any]) -> str:
    [stages] = case["stages"]
    cells = [
        f"{_s(stages[name]['wall_s'])} ({_s(stages[name]['cpu_s'])})" for name in ("extract", "validate", "deliver")
    ]
    ratio = ""
    if case["floor"]:
        floor_s = sum(middle(case["floor"], f"{loop}_cpu_s") for loop in LOOPS)
        ratio = _s(sum(stage["cpu_s"] for stage in stages.values()) / floor_s)
    return f"| {_label(case)} | {' | '.join(cells)} | {ratio} | {stages['deliver']['peak_mb']:.0f} |"


def _published_line(case: dict[str, Any]) -> str:
    theirs, ours = PUBLISHED_S[case["rows"]], middle(case["runs"], "wall_s")
    return f"| {case['rows']:,} | {theirs // 60}:{theirs % 60:02} | {_s(ours)} s | {theirs / ours:,.0f} |"


def _peer_line(case: dict[str, Any]) -> str:
    if case["error"] or not case["drt"]:
        return f"| {_label(case)} | {case['batch']:,} | {_failed(case)} | | | | | | | |"
    theirs, ours = case["drt"], case["runs"]
    cells = [
        cell
        for runs in (theirs, ours)
        for cell in (_seconds(runs, "wall_s"), _seconds(runs, "cpu_s"), f"{middle(runs, 'requests'):,.0f}")
    ]
    times = [_s(middle(theirs, name) / middle(ours, name)) for name in ("wall_s", "cpu_s")]
    return f"| {_label(case)} | {case['batch']:,} | {' | '.join([*cells, *times])} |"


if __name__ == "__main__":
    write()

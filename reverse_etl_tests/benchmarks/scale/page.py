"""``docs/scale.md``, from the figures and nothing else.

``python -m reverse_etl_tests.benchmarks.scale.page`` writes it again without measuring.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

_DOCS: Final = Path(__file__).parents[3] / "docs"
PAGE: Final = _DOCS / "scale.md"
FIGURES: Final = _DOCS / "performance" / "scale.json"

_TEXT: Final = """\
# Many syncs

<!-- Written by `make bench CASE=scale` from performance/scale.json. Do not edit. -->

What a number of syncs costs, and what to do at which size. Each sync here is hourly and sends people without checks of its own; what is due together is spread evenly over the
minutes of an hour, in different workspaces. Measured on {machine}, {taken}, with SQLite sources and everything else on one PostgreSQL: processor seconds, connections and rows hold on
other machines, the seconds of a tick are of one process on a {busy} machine.

| | {sizes} |
|---|{rules}|
{rows}

* **Load** is what a code server does at its start and at each reload; **snapshot** what it hands to the daemon and the UI, which keep it in memory. A job carries every workspace of its
  location: with one workspace instead of {workspaces}, it is {small_job:.0f} kB; a location of {small_syncs} such syncs takes {small_load:.1f} + {small_making:.1f} processor seconds and {small_peak:.0f} MB.
* **Due** syncs are those of one minute. The daemon looks at {threads} at once (`schedules` in `dagster.yaml`). PostgreSQL counted the connections that the daemon and the code server
  opened, nearly all of them Dagster's and most of them once a minute: for each sync that is queued {per_tick}.
  Taking a run out of the queue opens {per_dequeue:.0f} more. For one sync, one thread and the daemon's process alone there is [another count](performance/README.md#a-small-run-and-a-tick).
* **A run** leaves {events:.0f} rows in `event_logs` and {check_rows:.0f} in `asset_check_executions`, {kilobytes:.0f} kB of JSON; PostgreSQL's indexes take about half as much again. Dagster keeps them for good unless `retention.dagster_runs` says how long ([deployment](deploy.md)).

## What to do at which size

| syncs | recommended |
|---|---|
| up to 300 | One code location, as shipped. Dagster's storage and the state on PostgreSQL ([deployment](deploy.md)), `retention: {{dagster_runs: 30d}}`, and `start_at` spread over the hour. |
| up to 1,000 | A code location for each workspace or team: a folder of syncs (`REVERSE_ETL_SYNCS`) and a code server each. An edit then reloads one of them, and a job carries one workspace. All share `REVERSE_ETL_HOME` and the state, so a sync's name is given once in all folders. |
| up to 3,000 | The same, with pgBouncer in transaction mode before PostgreSQL (a queued tick took 0.7 s instead of 2.0 through it, measured once), and runs on workers or in pods. One daemon is enough while the ticks of a minute take less than a minute. |
| beyond | Not measured. Two Dagster instances, each with workspaces of its own, halve everything above: a workspace must not be in both. |

**In one workspace** runs follow each other. Thirty hourly syncs that take more than two minutes each do not fit into an hour: with `overlap: skip` those that find a run in progress
are skipped. `overlap: wait`, fewer syncs with more columns, or longer intervals are the way out ([when runs happen](scheduling.md)).

**What this depends on.** Events and connections are mostly Dagster's. They do not grow with the checks that a sync asks for: all its rules are one asset check. Measure again
after an upgrade of Dagster: `make bench CASE=scale`.

## Why the three steps of a run stay in one process

Extracting, validating and delivering follow each other, each needs what the one before it left on the disk, and one process fills a workspace's default rate by itself. An executor
that gives each step a process pays a start of {start:.1f} processor seconds three times and moves the rows between machines: with `celery_executor`, two workers and S3 a run took 112 s where 7 to
12 s were usual (one measurement, on a busy machine). What more machines make faster is more workspaces at once: let the *launcher* distribute runs, with Celery or Kubernetes.
"""


def page(figures: dict[str, Any]) -> str:
    """The Markdown text."""
    sizes, small, run = figures["sizes"], figures["small"], figures["run"]
    lines = {
        "load, processor s": "{load_cpu_s:.1f}",
        "snapshot, processor s": "{snapshot_cpu_s:.1f}",
        "snapshot, MB": "{snapshot_mb:.1f}",
        "what one job adds when it is launched or looked at, kB": "{job_kb:.0f}",
        "peak memory of the process that did both, MB": "{peak_mb:,.0f}",
        "due in one minute": "{queued:,.0f}",
        "the ticks of that minute, s": "{tick_s:.1f}",
        "the same, processor s": "{tick_cpu_s:.1f}",
        "connections to PostgreSQL for them": "{tick_connections:,.0f}",
    }
    rows = [
        f"| {name} | " + " | ".join(_cell(form, each) for each in sizes.values()) + " |" for name, form in lines.items()
    ]
    events = [f"{float(size) * 24 * run['event_bytes'] / 1e9:.1f}" for size in sizes]
    rows.append(f"| hourly runs of all: events a day, GB of JSON | {' | '.join(events)} |")
    # The most: what a minute opens once is then the smallest part of it.
    last = max(sizes.values(), key=lambda each: each.get("queued", 0))
    return _TEXT.format(
        machine=figures["machine"], taken=figures["taken_at"][:10], busy=figures["busy"], rows="\n".join(rows),
        sizes=" | ".join(f"{int(size):,} syncs, {figures['workspaces']} workspaces" for size in sizes),
        rules="|".join("---:" for _ in sizes), workspaces=figures["workspaces"], small_syncs=small["syncs"],
        small_job=small["job_kb"], small_peak=small["peak_mb"], small_load=small["load_cpu_s"], small_making=small["snapshot_cpu_s"],
        threads=figures["threads"], start=run["run_cpu_s"], events=run["events"], check_rows=run["check_rows"],
        kilobytes=run["event_bytes"] / 1e3,
        per_tick=", ".join(_per_tick(each) for each in sizes.values() if each.get("queued")),
        per_dequeue=last.get("dequeue_connections", 0) / max(1, last.get("dequeued", 0)),
    )  # fmt: skip


def _per_tick(found: dict[str, Any]) -> str:
    return f"{found['tick_connections'] / found['queued']:.0f} where {found['queued']:.0f} are due"


def _cell(form: str, found: dict[str, Any]) -> str:
    try:
        return form.format(**found)
    except KeyError:
        return f"failed: {found['error']}" if found.get("error") else "not measured"


def write() -> None:
    """The page, from the figures that are there."""
    PAGE.write_text(page(json.loads(FIGURES.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    write()

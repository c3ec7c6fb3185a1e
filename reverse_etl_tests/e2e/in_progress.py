"""Runs of the sync `people` while they are in progress, what they sent, and how Dagster re-executes them."""

from __future__ import annotations

import json
from collections import Counter
from subprocess import CompletedProcess
from typing import Any

from reverse_etl_tests import warm
from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.sandbox import RunningSandbox
from reverse_etl_tests.warm import Running

_RE_EXECUTE = """
import sys
import dagster as dg
import os
settings = {"folder": os.path.abspath("syncs"), "name": "people"}
recipe = dg.build_reconstructable_job("reverse_etl.definitions", "job", reconstructable_kwargs=settings)
with dg.DagsterInstance.get() as instance:
    run = instance.get_run_by_id(sys.argv[1])
    if not run.is_finished:
        instance.report_run_failed(run)
    options = dg.ReexecutionOptions.from_failure(run.run_id, instance)
    with dg.execute_job(recipe, instance, reexecution_options=options, raise_on_error=False) as result:
        print(*{event.step_key for event in result.all_events if event.event_type_value == "STEP_START"})
"""


def started(project: Project, *options: str) -> Running:
    """`reverse-etl run people --json` in progress, a process group of its own."""
    return warm.started("run", "people", "--json", *options, folder=project.folder, environment=project.env())


def re_executed(project: Project, run_id: str) -> CompletedProcess[str]:
    """What the UI's button and the daemon do with a run that failed, or that run monitoring finds dead."""
    return warm.python(_RE_EXECUTE, run_id, folder=project.folder, environment=project.env())


def batches(sandbox: RunningSandbox) -> list[list[str]]:
    """The ids in each batch that was answered 200 so far."""
    return [
        [item["identifiers"]["id"] for item in request["body"]["batch"]]
        for request in sandbox.requests()
        if request["path"] == "/api/v2/batch" and request["status"] == 200
    ]


def sent(sandbox: RunningSandbox) -> Counter[str]:
    """How often each person was taken."""
    return Counter(each for batch in batches(sandbox) for each in batch)


def history(project: Project) -> list[dict[str, Any]]:
    """The runs, newest first."""
    return list(json.loads(project.reverse_etl("history", "people", "--json").stdout))

"""Runs of the sync `people` while they are in progress, what they sent, and how Dagster re-executes them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.sandbox import RunningSandbox

RE_EXECUTE = """
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
"""What the UI's button and the daemon do with a run that failed, or that run monitoring finds dead."""


def started(project: Project, *options: str) -> subprocess.Popen[str]:
    """`reverse-etl run people --json` in progress, a process group of its own."""
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("reverse-etl")), "run", "people", "--json", *options],
        cwd=project.folder,
        env=project.env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


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

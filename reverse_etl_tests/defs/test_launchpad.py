"""What a run reads, as it is written in Dagster's launchpad: the options of `reverse-etl run`, with the same rules."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.defs.project import build_definitions
from reverse_etl.report import RunReport
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import find_run
from reverse_etl.state.store import open_store
from reverse_etl_tests.project import Project, people

QUERY = "SELECT id, email, plan FROM customers WHERE updated_at >= {{last_sync_time}} AND updated_at < {{until}}"


def launched(loaded: ProjectConfig, instance: dg.DagsterInstance, config: dict[str, Any]) -> RunReport:
    """A run of `people` with a configuration of its changeset."""
    job = build_definitions(loaded).resolve_job_def("people")
    run_config = {"ops": {"people__people_changeset": {"config": config}}}
    result = job.execute_in_process(instance=instance, run_config=run_config, raise_on_error=False)
    report = find_run(open_store(Home.from_environment().state_url), result.run_id)
    assert report is not None
    return report


@pytest.mark.thorough
def test_the_launchpad_takes_what_the_command_takes(loaded: ProjectConfig, instance: dg.DagsterInstance) -> None:
    """And a run without any of it reads what changed."""
    report = launched(loaded, instance, {"limit": 1})
    assert ("completed", 1, 0) == (report.status.value, report.rows.delivered, report.last_sync_time)
    report = launched(loaded, instance, {"since": "1970-01-01T00:01:41Z"})
    assert ("completed", 0, "since") == (report.status.value, report.rows.extracted, report.reads)
    report = launched(loaded, instance, {})
    assert ("completed", "changes", True) == (report.status.value, report.reads, report.last_sync_time > 0)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"full": True, "since": "2026-01-05"}, "full and since exclude each other. Leave out one of them."),
        ({"since": "soon"}, "since is not a time. Write since 2026-01-05T01:30:00Z"),
        ({"until": "2026-01-05"}, "until needs since beside it."),
        ({"since": "2026-01-05", "until": "2026-01-06"}, "the query has no {{until}}, which would end what is read."),
        ({"only": "a list that is gone"}, "the list of identifiers that this run was asked for is gone"),
    ],
)
def test_a_mistake_is_the_runs_message(
    loaded: ProjectConfig, instance: dg.DagsterInstance, config: dict[str, Any], said: str
) -> None:
    """Nothing is sent."""
    report = launched(loaded, instance, config)
    assert ("failed", 0) == (report.status.value, report.rows.delivered)
    assert said in " ".join(report.message.split())
    assert report.message.startswith("sync people (")


@pytest.mark.thorough
def test_until_ends_what_is_read(project: Project, loaded: ProjectConfig, instance: dg.DagsterInstance) -> None:
    """And in other runs ends nothing."""
    from reverse_etl.config.loader import load_project

    project.write("people.yaml", people(QUERY))
    changed = load_project(loaded.directory)
    for until, rows in (("1970-01-01T00:01:40Z", 0), ("1970-01-01T00:01:41Z", 3)):
        report = launched(changed, instance, {"since": "1970-01-01T00:01:30Z", "until": until})
        assert ("completed", rows) == (report.status.value, report.rows.delivered)
    assert "since 1970-01-01 00:01:30 UTC and before 1970-01-01 00:01:41 UTC was read: last sync" in report.message
    assert 3 == launched(changed, instance, {}).rows.delivered

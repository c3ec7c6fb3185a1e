"""A sync's spot check in Dagster: an asset check with a job and a schedule of its own."""

from __future__ import annotations

from datetime import datetime

import dagster as dg

from reverse_etl.config.loader import load_project
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.definitions import build_definitions
from reverse_etl_tests.project import Project, fill, people

DELIVERY = dg.AssetKey(["people", "people_delivery"])


def definitions(project: Project) -> dg.Definitions:
    """Of the sync `people`, which asks for a look every 6 hours."""
    project.write("people.yaml", people(more="spot_check: {every: 6h, sample: 2}\n"))
    return build_definitions(load_project(project.folder / "syncs"))


def test_the_check_runs_without_the_sync(loaded: ProjectConfig, project: Project, instance: dg.DagsterInstance) -> None:
    """Its job reads rows back; what is not there warns, with counts and without values."""
    defs = definitions(project)
    done = defs.resolve_job_def("people_spot_check").execute_in_process(instance=instance)
    [found] = done.get_asset_check_evaluations()
    assert (DELIVERY, "spot_check", False, dg.AssetCheckSeverity.WARN) == (
        found.asset_key,
        found.check_name,
        found.passed,
        found.severity,
    )
    assert "2 of 2 rows differ or are missing." == found.description
    assert {"sampled": 2, "same": 0, "missing": 2} == {
        name: found.metadata[name].value for name in ("sampled", "same", "missing")
    }
    assert 0 == project.run("people")[0]
    done = defs.resolve_job_def("people_spot_check").execute_in_process(instance=instance)
    [found] = done.get_asset_check_evaluations()
    assert found.passed
    assert "example.com" not in str(found)


def test_a_look_that_fails_is_one_sentence(
    loaded: ProjectConfig, project: Project, instance: dg.DagsterInstance
) -> None:
    """Without a trace."""
    defs = definitions(project)
    fill(project.folder / "shop.db", [])
    (project.folder / "shop.db").write_bytes(b"no database at all, but some bytes of another file")
    done = defs.resolve_job_def("people_spot_check").execute_in_process(instance=instance, raise_on_error=False)
    assert not done.success
    [failure] = [event for event in done.all_events if event.is_step_failure]
    error = failure.step_failure_data.error
    assert error is not None
    assert [] == error.stack
    assert "sync people (" in error.message


def test_the_syncs_own_job_does_not_run_it(loaded: ProjectConfig, project: Project) -> None:
    """It is due on a grid of its own, every six hours."""
    defs = definitions(project)
    job = defs.resolve_job_def("people")
    assert "spot_check" not in " ".join(node.name for node in job.nodes)
    schedules = {each.name: each for each in defs.schedules or [] if isinstance(each, dg.ScheduleDefinition)}
    look = schedules["people_spot_check_schedule"]
    for at, due in (("2026-01-05T06:00:00+00:00", True), ("2026-01-05T07:00:00+00:00", False)):
        with dg.build_schedule_context(
            scheduled_execution_time=datetime.fromisoformat(at), resources=dict(defs.resources or {})
        ) as context:
            assert due is bool(look.evaluate_tick(context).run_requests)

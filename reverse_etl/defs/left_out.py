"""Syncs that a faulty file leaves out, in Dagster: a job that fails at once, a schedule that starts nothing.

Which those are is the files' rule (``config.left_out``), asked when the definitions load and again at each due time.
"""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from reverse_etl.config.left_out import SEE_ALL, LeftOut
from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.config.sync_names import name_problem
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.defs.not_now import failure, in_words, not_now
from reverse_etl.defs.run_tags import SYNC_TAG
from reverse_etl.defs.schedules import covering_cron


def job_that_fails(name: str, why: LeftOut) -> dg.JobDefinition:
    """The job of a sync of whose assets nothing is known for sure: one step, which says why and what to do.

    The step is called as the sync's first one and takes any configuration, so that a run that was asked for before
    its file was faulty ends with these words, too.
    """

    @dg.op(name=f"{name}__{name}_changeset", config_schema=dg.Field(dict, is_required=False))
    def left_out(_: dg.OpExecutionContext) -> None:
        raise failure(name, why)

    @dg.job(
        name=name,
        description=f"{in_words(name, why)} {SEE_ALL}",
        tags={SYNC_TAG: name},
        executor_def=dg.in_process_executor,
    )
    def left_out_job() -> None:
        left_out()

    return left_out_job


def schedule_that_skips(name: str, schedule: ScheduleConfig, folder: Path) -> dg.ScheduleDefinition | None:
    """Its schedule, as long as it is left out; None where it has none, as when it runs by hand."""
    cron = covering_cron(schedule)
    if cron is None:
        return None

    @dg.schedule(
        name=f"{name}_schedule",
        job_name=name,
        cron_schedule=cron,
        execution_timezone="UTC",
        description="Starts nothing until the sync's file is mended.",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def due(_: dg.ScheduleEvaluationContext) -> dg.SkipReason:
        mended = f"The file of {name} is mended: it is due as its schedule says once Dagster has loaded it."
        return dg.SkipReason(not_now(folder, name) or mended)

    return due


def unknown_syncs(project: ProjectConfig) -> Iterator[tuple[dg.JobDefinition, dg.ScheduleDefinition | None]]:
    """The jobs of left-out syncs without assets, each with its schedule where its file says one.

    Where it does not, Dagster keeps whether a person has switched the schedule off until it is there again.
    """
    for name, why in project.left_out.items():
        if why.healthy is None and not name_problem(name):
            schedule = schedule_that_skips(name, why.schedule, project.directory) if why.schedule else None
            yield job_that_fails(name, why), schedule

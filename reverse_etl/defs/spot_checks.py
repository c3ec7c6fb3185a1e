"""``spot_check:`` as an asset check on a sync's delivery, with a job and a schedule that need no run of the sync."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from reverse_etl.config.syncs import SyncConfig
from reverse_etl.counted import counted
from reverse_etl.defs.assets import HOME
from reverse_etl.defs.failure import StepFailedError
from reverse_etl.defs.not_now import not_now
from reverse_etl.defs.resources import database_key, destination_key
from reverse_etl.defs.run_tags import SYNC_TAG
from reverse_etl.defs.schedules import ON_THE_ROUND
from reverse_etl.defs.specs import SyncSpecs
from reverse_etl.errors import ReverseEtlError
from reverse_etl.schedule.cadence import Cadence, format_interval
from reverse_etl.state.kept import kept_store
from reverse_etl.state.syncs import is_paused

if TYPE_CHECKING:
    from reverse_etl.run.verify import Verified

SPOT_CHECK = "spot_check"


@dataclass(frozen=True)
class SpotCheck:
    """A sync's look at what its destination has.

    Attributes:
        check: On the delivery.
        job: Runs it alone, by the name ``SYNC_spot_check``.
        schedule: When.
    """

    check: dg.AssetChecksDefinition
    job: UnresolvedAssetJobDefinition
    schedule: dg.ScheduleDefinition


def spot_check(sync: SyncConfig, specs: SyncSpecs, *, folder: Path) -> SpotCheck | None:
    """The look that a sync's file asks for; None where it does not."""
    if sync.spot_check is None:
        return None
    check = _check(sync, specs, sync.spot_check.sample)
    job = dg.define_asset_job(
        f"{sync.name}_{SPOT_CHECK}",
        selection=dg.AssetSelection.checks(check),
        description=f"Reads {counted(sync.spot_check.sample, 'row')} of {sync.name} back from {sync.destination}.",
        tags={SYNC_TAG: sync.name},
        executor_def=dg.in_process_executor,
    )
    return SpotCheck(check, job, _schedule(sync, job.name, Cadence(ON_THE_ROUND, sync.spot_check.every), folder))


def _check(sync: SyncConfig, specs: SyncSpecs, sample: int) -> dg.AssetChecksDefinition:
    database, destination = database_key(sync.database), destination_key(sync.DESTINATION, sync.destination)

    @dg.asset_check(
        asset=specs.delivery.key,
        name=SPOT_CHECK,
        description="Random rows, read back from the destination, are as the source has them now.",
        required_resource_keys={database, destination},
    )
    def look(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        from reverse_etl.run.verify import verify

        resources = context.op_execution_context.resources
        try:
            found = verify(
                sync, getattr(resources, database).config, getattr(resources, destination).config, sample=sample
            )
        except ReverseEtlError as error:
            raise StepFailedError(str(error.located(sync.where)), {}) from None
        return _result(found)

    return look


def _result(found: "Verified") -> dg.AssetCheckResult:
    """Counts alone: no row value, no key."""
    failed = found.differs + found.missing
    columns = ", ".join(f"{name} {rows:,}" for name, rows in found.columns.items())
    ages: Mapping[str, dict[str, int]] = {f"age_of_{name}": counts for name, counts in found.ages.items()}
    return dg.AssetCheckResult(
        passed=not failed,
        # A row that changed since the last run differs, too.
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{failed:,} of {counted(found.sampled, 'row')} differ or are missing." if failed else None,
        metadata={
            "sampled": found.sampled,
            "same": found.same,
            "differs": found.differs,
            "missing": found.missing,
            **({"columns": columns} if columns else {}),
            **{name: dg.MetadataValue.json(counts) for name, counts in ages.items()},
        },
    )


def _schedule(sync: SyncConfig, job: str, cadence: Cadence, folder: Path) -> dg.ScheduleDefinition:
    cron = cadence.cron_covering()

    @dg.schedule(
        name=f"{job}_schedule",
        job_name=job,
        cron_schedule=cron[0] if len(cron) == 1 else cron,
        execution_timezone="UTC",
        description=f"Every {format_interval(cadence.every)}.",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        required_resource_keys={HOME},
    )
    def due(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        at = context.scheduled_execution_time
        if not cadence.is_due(at):
            return dg.SkipReason(f"Not due: the next look is at {cadence.next_due(at):%Y-%m-%d %H:%M} UTC.")
        if why := not_now(folder, sync.name):
            return dg.SkipReason(why)
        if is_paused(kept_store(getattr(context.resources, HOME).home.state_url), sync.name):
            return dg.SkipReason(f"Paused: `reverse-etl resume {sync.name}` lets it run again.")
        return dg.RunRequest()

    return due

"""The assets of a sync: changeset, validated, compared where it compares, delivery. Thin callers of ``stages``.

What does not belong here: anything that would also be needed without Dagster.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice

import dagster as dg
from dagster._core.definitions.executor_definition import execute_in_process_executor

from reverse_etl.changeset.recipient import rows_for
from reverse_etl.changeset.scope import Scope
from reverse_etl.config.streams import ROWS
from reverse_etl.config.syncs import ProjectConfig, SyncConfig
from reverse_etl.defs import checks, columns, run_tags
from reverse_etl.defs.delivered import FAILED_ROWS_SHOWN, delivered_metadata, failed_rows_csv
from reverse_etl.defs.failure import RunSkippedError, StepFailedError
from reverse_etl.defs.io_managers import FOLDER_METADATA
from reverse_etl.defs.kept_files import keep_files_open
from reverse_etl.defs.not_now import failure
from reverse_etl.defs.origin import give_origin
from reverse_etl.defs.resources import database_key, destination_key
from reverse_etl.defs.specs import SyncSpecs
from reverse_etl.defs.stage_asset import Events, stage_asset
from reverse_etl.errors import ReverseEtlError, StateError, WorkspaceBusyError
from reverse_etl.notify.sending import after_run
from reverse_etl.report import RunReport, Status
from reverse_etl.run.attend import attend
from reverse_etl.run.interrupts import undisturbed
from reverse_etl.run.monitoring import copy_after_run
from reverse_etl.run.record import SyncRun
from reverse_etl.run.stages import compare_changeset, deliver_changeset, extract_changeset, validate_changeset
from reverse_etl.sources import dialect
from reverse_etl.state.failures import failed_rows_of_run
from reverse_etl.state.retention import prune
from reverse_etl.state.run_history import find_run
from reverse_etl.state.run_ids import id_of_sync, runs_of
from reverse_etl.state.store import open_store

HOME = "reverse_etl_home"
VALIDATED_ROWS = "validated_rows"
_ONE_PROCESS = (dg.in_process_executor.name, execute_in_process_executor.name)
"""Executors that run all stages in the process that runs the first."""


class ChangesetConfig(dg.Config):
    """How the changeset is read in one run.

    Attributes:
        full: Read everything again, from last sync time 0.
        since: Read what changed since this time, ISO 8601, in UTC where it names no zone. Last sync time stays.
        until: Beside since: read what changed before this time; the query needs {{until}}.
        limit: Read at most this many rows of each query; 0 for all. Last sync time stays.
        only: The id of a list of identifiers that `reverse-etl run --only` made, for a run that is launched again:
            read only their rows. Identifiers themselves are nothing to write here, because Dagster keeps it.
        retry_of: The id of a run: read again only the rows that failed in it. Last sync time stays.
        plan: The id of a plan that `reverse-etl plan` made: send exactly the rows that it read.
        gone_max: Of what is gone, remove up to this share (20%) or number, instead of what the sync's file allows.
        adds_max: Add up to this share (20%) of a table's rows, or this number, instead of what the sync's file allows.
        updates_max: Change up to this share or number of a table's rows, likewise.
        accept: Checks that may be broken without stopping this run, with commas between: row_count,null_rate_plan.
    """

    full: bool = False
    since: str = ""
    until: str = ""
    limit: int = 0
    only: str = ""
    retry_of: str = ""
    plan: str = ""
    gone_max: str = ""
    adds_max: str = ""
    updates_max: str = ""
    accept: str = ""


_CHANGESET_CONFIG = ChangesetConfig.to_config_schema()


def sync_assets(sync: SyncConfig, project: ProjectConfig, specs: SyncSpecs) -> list[dg.AssetsDefinition]:
    """The sync's assets, in the order in which they run."""
    stages = {"changeset": _changeset, "validated": _validated, "compared": _compared, "delivery": _delivery}
    return [stages[stage](sync, project, specs) for stage in specs.stages]


def _changeset(sync: SyncConfig, project: ProjectConfig, specs: SyncSpecs) -> dg.AssetsDefinition:
    def changeset(context: dg.AssetExecutionContext, _: object) -> Events:
        config = ChangesetConfig(**context.op_execution_context.op_config)
        with _stage(context, sync, project) as run:
            scope = Scope.of(**config.model_dump())
            database = getattr(context.resources, database_key(sync.database)).config
            destination = getattr(context.resources, destination_key(sync.DESTINATION, sync.destination)).config
            facts = extract_changeset(run, database, destination, scope=scope)
            if (kept := rows_for(run.folder)) and kept.note:
                context.log.warning(f"{sync.where}: {kept.note}")
        schema = run.folder.parts("rows").schema()
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": facts.streams[ROWS].rows,
                **columns.read_columns(sync, dialect(database), schema, specs.table_key),
                **{
                    f"{stream.removesuffix('s')}_rows": read.rows
                    for stream, read in facts.streams.items()
                    if stream != ROWS
                },
                "reads": facts.reads.value,
                **({} if facts.piece is None else {"piece": facts.piece.number, "pieces": facts.piece.of}),
                "last_sync_time": facts.since,
                **({} if facts.read_from is None else {"read_from": facts.read_from}),
                "run_start_time": dg.MetadataValue.timestamp(float(facts.started_at)),
                FOLDER_METADATA: dg.MetadataValue.path(str(run.folder.path)),
            }
        )

    return stage_asset(
        changeset,
        specs.changeset,
        resources={HOME, database_key(sync.database), destination_key(sync.DESTINATION, sync.destination)},
        rows=dg.Nothing,
        pool=run_tags.pool(sync),
        config_schema=_CHANGESET_CONFIG,
    )


def _validated(sync: SyncConfig, project: ProjectConfig, specs: SyncSpecs) -> dg.AssetsDefinition:
    def validated(context: dg.AssetExecutionContext, _: object) -> Events:
        with _stage(context, sync, project) as run:
            validation = validate_changeset(run)
        counted = validation.counts
        yield dg.MaterializeResult(
            metadata={
                **columns.same_columns(sync, specs.changeset.key, run.folder.parts(ROWS).schema()),
                "dagster/row_count": counted[ROWS].undelivered,
                "rows_rejected": sum(counts.rejected for counts in counted.values()),
                "rows_excluded": sum(counts.excluded for counts in counted.values()),
                FOLDER_METADATA: dg.MetadataValue.path(str(run.folder.path)),
            }
        )
        yield from checks.validation_results(validation.results)
        if validation.stopped:
            csv = failed_rows_csv(find_run(run.store, run.run_id))
            hint = f" {validation.let_pass}" if validation.let_pass else ""
            raise StepFailedError(f"{sync.where}: {validation.stopped}{hint}", csv)

    return stage_asset(
        validated,
        specs.validated,
        resources={HOME},
        io_manager_key=VALIDATED_ROWS,
        pool=run_tags.pool(sync),
        checks=checks.validation_specs(sync, specs.validated.key),
    )


def _compared(sync: SyncConfig, project: ProjectConfig, specs: SyncSpecs) -> dg.AssetsDefinition:
    def compared(context: dg.AssetExecutionContext, _: object) -> Events:
        with _stage(context, sync, project) as run:
            found = compare_changeset(run)
        if found.note:
            context.log.warning(f"{sync.where}: {found.note}")
        counts = {
            f"rows_{name}": sum(getattr(each, name) for each in found.streams.values())
            for name in ("added", "changed", "in_doubt", "unchanged", "gone")
        }
        counts["rows_to_remove"] = sum(each.removed for each in found.gone.values())
        metadata = {"dagster/row_count": found.to_send, "compared_with_generation": found.generation, **counts}
        # Which attributes differ is known where values are remembered: names and numbers, no value.
        differs = {name: each.attributes for name, each in found.streams.items() if name in found.values}
        if differs:
            metadata["changed_attributes"] = dg.MetadataValue.json(differs)
        yield dg.MaterializeResult(metadata=metadata)
        yield from checks.gone_results(sync, found)
        yield from checks.times_results(sync, found)
        if found.stopped:
            raise StepFailedError(f"{sync.where}: {found.stopped}", failed_rows_csv(find_run(run.store, run.run_id)))

    asset = specs.stages["compared"]
    return stage_asset(
        compared,
        asset,
        resources={HOME},
        rows=dg.Nothing,
        pool=run_tags.pool(sync),
        checks=[*checks.gone_specs(sync, asset.key), *checks.times_specs(sync, asset.key)],
    )


def _delivery(sync: SyncConfig, project: ProjectConfig, specs: SyncSpecs) -> dg.AssetsDefinition:
    def delivery(context: dg.AssetExecutionContext, _: object) -> Events:
        with _stage(context, sync, project) as run:
            destination = getattr(context.resources, destination_key(sync.DESTINATION, sync.destination)).config
            report = deliver_changeset(run, destination)
        if report.message and not report.exit_code:
            context.log.warning(report.message)
        total = report.total
        context.log.info(f"{sync.name}: {report.status.value}: {total.delivered:,} of {total.extracted:,} delivered.")
        schema = run.folder.parts("rows").schema()
        delivered = columns.same_columns(sync, specs.validated.key, schema)
        first_failed = islice(failed_rows_of_run(run.store, report.run_id), FAILED_ROWS_SHOWN)
        settled = delivered_metadata(report, first_failed)
        yield dg.MaterializeResult(metadata={**settled, **delivered})
        attributes = columns.same_columns(sync, specs.delivery.key, schema)
        yield dg.AssetMaterialization(
            specs.destination, metadata={"sync": sync.name, "rows": report.rows.delivered, **attributes}
        )
        yield from checks.delivery_results(report)
        if report.exit_code:
            # After everything was stored, so that the run's failure is a sentence and not the checks' names.
            raise StepFailedError(report.message, failed_rows_csv(report))

    return stage_asset(
        delivery,
        specs.delivery,
        resources={HOME, destination_key(sync.DESTINATION, sync.destination)},
        pool=run_tags.pool(sync),
        checks=checks.delivery_specs(specs.delivery.key),
    )


@contextmanager
def _stage(context: dg.AssetExecutionContext, sync: SyncConfig, project: ProjectConfig) -> Iterator[SyncRun]:
    """The run's report, and errors in words, once, without a stack trace."""
    if (why := project.left_out.get(sync.name)) is not None:
        raise failure(sync.name, why)
    keep_files_open(context.instance)
    home = getattr(context.resources, HOME).home
    store = open_store(home.state_url)

    def closed(report: RunReport) -> None:
        run_tags.tag_status(context.instance, context.run.run_id, report.status)
        for warning in after_run(report, sync, channels=project.notify, store=store):
            context.log.warning(warning)
        if warning := copy_after_run(project.monitoring, project.destinations, store):
            context.log.warning(warning)
        try:
            prune(store, home, project.retention, datetime.now(UTC))
        except StateError as error:
            context.log.warning(f"house-keeping after the run: {error}")

    run_id, job = context.run.run_id, context.run.job_name
    run = SyncRun(
        sync=sync,
        run_id=id_of_sync(run_id, sync.name, job=job),
        root_run_id=id_of_sync(context.run.root_run_id or run_id, sync.name, job=job),
        home=home,
        store=store,
        began_at=_began_at(context),
        closed=closed,
        waits=context.log.info,
        one_process=context.job_def.executor_def.name in _ONE_PROCESS,
        dagster_run_id=run_id,
    )
    first = not runs_of(store, run_id)
    if first:
        _tag_started(context)
        give_origin(context.instance, context.run, sync.destination)
    try:
        with attend(run):
            if first:
                context.instance.add_run_tags(run_id, {run_tags.BEGAN_TAG: run_id})
            yield run
    except WorkspaceBusyError as error:
        run_tags.tag_status(context.instance, run_id, Status.SKIPPED)
        context.instance.report_run_canceling(context.run, message=str(error))
        raise RunSkippedError(str(error)) from None
    except ReverseEtlError as error:
        run_tags.tag_status(context.instance, run_id, Status.FAILED)
        csv = {} if isinstance(error, StateError) else failed_rows_csv(find_run(run.store, run.run_id))
        raise StepFailedError(str(error), csv) from None
    except BaseException:
        with undisturbed():
            ended = find_run(run.store, run.run_id)
            run_tags.tag_status(context.instance, run_id, ended.status if ended else Status.FAILED)
        raise


def _tag_started(context: dg.AssetExecutionContext) -> None:
    """Tags a run at its first stage, also where a re-execution carries the tags of how the run before it ended."""
    graph, selected = context.job_def.asset_layer.asset_graph, context.job_def.asset_layer.selected_asset_keys
    missing = run_tags.missing_tags(context.run, [graph.get(key).metadata for key in selected])
    context.instance.add_run_tags(context.run.run_id, {**missing, run_tags.STATUS_TAG: Status.RUNNING.value})


def _began_at(context: dg.AssetExecutionContext) -> datetime:
    record = context.instance.get_run_record_by_id(context.run.run_id)
    started = record.start_time if record else None
    return datetime.fromtimestamp(started, UTC) if started else datetime.now(UTC)

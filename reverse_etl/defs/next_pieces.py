"""The sensor that starts the next piece of a reading of everything, so that no piece waits for the sync's schedule."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from reverse_etl.config.syncs import SyncConfig
from reverse_etl.defs.assets import HOME
from reverse_etl.defs.not_now import not_now
from reverse_etl.defs.overlap import runs_in_the_way
from reverse_etl.state.kept import kept_store
from reverse_etl.state.pieces import readings_under_way
from reverse_etl.state.syncs import is_paused

EVERY_S: Final = 30

WAIT: Final = timedelta(seconds=60)
"""Before a piece is started here, a command that runs one after the other has started it."""


def next_pieces_sensor(
    syncs: Iterable[SyncConfig], jobs: Iterable[UnresolvedAssetJobDefinition], *, folder: Path
) -> dg.SensorDefinition | None:
    """The sensor ``next_pieces`` of the syncs of a folder, with all jobs; None where none of them reads in pieces."""
    in_pieces = {sync.name: sync for sync in syncs if sync.pieces is not None}
    if not in_pieces:
        return None

    @dg.sensor(
        name="next_pieces",
        minimum_interval_seconds=EVERY_S,
        jobs=[job for job in jobs if job.name in in_pieces],
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the next piece of a sync that reads everything in pieces, once the one before has ended.",
        required_resource_keys={HOME},
    )
    def next_pieces(context: dg.SensorEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        store = kept_store(getattr(context.resources, HOME).home.state_url)
        now, taken = datetime.now(UTC), set[str]()
        requests: list[dg.RunRequest] = []
        waiting: list[str] = []
        for name, under_way in readings_under_way(store).items():
            sync = in_pieces.get(name)
            if sync is None or now < under_way.read_at + WAIT:
                continue
            in_the_way = next(iter(runs_in_the_way(context.instance, store, sync.destination)), None)
            if why := not_now(folder, name):
                waiting.append(why)
            elif is_paused(store, name):
                waiting.append(f"{name} is paused before {under_way.piece.words}.")
            elif in_the_way is not None:
                waiting.append(f"{name} waits: {in_the_way.describe(sync.destination)}.")
            elif sync.destination not in taken:
                taken.add(sync.destination)
                # One that failed is read again when the sync is due.
                key = f"{name}-{under_way.piece.reading}-{under_way.piece.number}"
                requests.append(dg.RunRequest(run_key=key, job_name=name))
        return requests or dg.SkipReason("\n".join(waiting) or "No piece is to be started.")

    return next_pieces

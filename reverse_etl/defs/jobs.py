"""The job of a sync. What runs in it is in ``assets``; when it runs, in ``schedules``."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from reverse_etl.config.syncs import SyncConfig
from reverse_etl.defs.run_tags import SYNC_TAG, WORKSPACE_TAG


class SyncJob(UnresolvedAssetJobDefinition):
    """An asset job that looks only at its own assets when Dagster resolves it.

    Dagster 1.13 resolves each asset job against every asset and every check of the code location, so that loading
    one takes time that grows with the square of its syncs.
    """

    def resolve(self, asset_graph: AssetGraph, *more: Any, **settings: Any) -> dg.JobDefinition:
        """The job, out of the graph of its own assets; of what they depend on, only keys and partitions.

        Where a table is one of a hundred models that are made together, no job looks at the others.
        """
        own = {asset_graph.get(key).assets_def for key in self.selection.resolve(asset_graph)}
        before = {key for asset in own for keys in asset.asset_deps.values() for key in keys}
        outside = before - {key for asset in own for key in asset.keys}
        specs = [dg.AssetSpec(key, partitions_def=asset_graph.get(key).partitions_def) for key in outside]
        stubs = [dg.AssetsDefinition(specs=[spec]) for spec in specs]
        return super().resolve(AssetGraph.from_assets([*own, *stubs]), *more, **settings)


def sync_job(sync: SyncConfig, assets: Sequence[dg.AssetsDefinition]) -> SyncJob:
    """The job of a sync, by the sync's name: its assets, one after the other in one process."""
    tags: Mapping[str, str] = {WORKSPACE_TAG: sync.destination, SYNC_TAG: sync.name}
    return SyncJob(
        name=sync.name,
        selection=dg.AssetSelection.assets(*assets),
        description=sync.description or None,
        tags=tags,
        executor_def=dg.in_process_executor,
    )

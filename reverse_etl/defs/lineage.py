"""Which nodes the asset graph shows: the tables a sync reads, its own three assets, what it writes to.

Names only. The assets themselves are built in ``assets``, the outside nodes in ``outside_assets``.
"""

from collections import defaultdict
from collections.abc import Iterable

import dagster as dg

from reverse_etl.changeset.extract import queries
from reverse_etl.changeset.query import tables_read
from reverse_etl.config.syncs import ProjectConfig, SyncConfig
from reverse_etl.sources import dialect


def changeset_key(sync: SyncConfig) -> dg.AssetKey:
    """The rows that one run's queries returned."""
    return dg.AssetKey([sync.name, f"{sync.name}_changeset"])


def validated_key(sync: SyncConfig) -> dg.AssetKey:
    """The rows that may leave."""
    return dg.AssetKey([sync.name, f"{sync.name}_validated"])


def delivery_key(sync: SyncConfig) -> dg.AssetKey:
    """The rows as they arrived."""
    return dg.AssetKey([sync.name, f"{sync.name}_delivery"])


def destination_key(sync: SyncConfig) -> dg.AssetKey:
    """What the sync writes to: the workspace's people, one object type, or one event."""
    if sync.objects is not None:
        last = f"object_type_{sync.objects.object_type}"
    elif sync.events is not None:
        last = sync.events.name or "events"
    else:
        last = "people"
    return dg.AssetKey(["customerio", sync.workspace, last])


def table_keys(sync: SyncConfig, project: ProjectConfig) -> list[dg.AssetKey]:
    """The tables that the sync's queries read, each as ``[DATABASE, …, TABLE]``."""
    spoken = dialect(project.databases[sync.database])
    tables = {table for text in queries(sync).values() for table in tables_read(text, spoken)}
    return [dg.AssetKey([sync.database, *table]) for table in sorted(tables)]


def outside_assets(project: ProjectConfig) -> list[dg.AssetsDefinition]:
    """The tables and the workspace's contents as external nodes.

    Each is a definition of its own: loose specs would be merged into one, and every job that touches one of
    them would then carry them all in its graph.
    """
    syncs = project.syncs.values()
    tables = {key: sync.database for sync in syncs for key in table_keys(sync, project)}
    specs = [
        dg.AssetSpec(key, group_name=_group(database), kinds={project.databases[database].type, "table"})
        for key, database in tables.items()
    ]
    for key, writers in _writers(syncs).items():
        specs.append(
            dg.AssetSpec(
                key,
                deps=[delivery_key(sync) for sync in writers],
                group_name=_group(writers[0].workspace),
                kinds={"customerio"},
                description=f"In the Customer.io workspace {writers[0].workspace}.",
            )
        )
    return [dg.AssetsDefinition(specs=[spec]) for spec in specs]


def _writers(syncs: Iterable[SyncConfig]) -> dict[dg.AssetKey, list[SyncConfig]]:
    writers: dict[dg.AssetKey, list[SyncConfig]] = defaultdict(list)
    for sync in syncs:
        writers[destination_key(sync)].append(sync)
    return writers


def _group(name: str) -> str:
    return name.replace("-", "_")

"""Which nodes the asset graph shows: the tables a sync reads, its own three assets, what it writes to.

Keys only, as they are without a translator. The specs with these keys are in ``specs``.
"""

import dagster as dg

from reverse_etl.changeset.query import tables_read
from reverse_etl.config.dbt_manifest import read_manifest
from reverse_etl.config.syncs import ProjectConfig, SyncConfig
from reverse_etl.sources import dialect


def stage_key(sync: SyncConfig, stage: str) -> dg.AssetKey:
    """What a stage of a sync makes: ``[SYNC, SYNC_changeset]`` and so on."""
    return dg.AssetKey([sync.name, f"{sync.name}_{stage}"])


def destination_key(sync: SyncConfig) -> dg.AssetKey:
    """What the sync writes to: ``[KIND, DESTINATION, …]``."""
    return dg.AssetKey([sync.DESTINATION, sync.destination, *sync.writes])


def table_key(project: ProjectConfig, database: str, table: tuple[str, ...]) -> dg.AssetKey:
    """What makes a table: as ``asset_keys`` says, or the dbt project's model or source, or ``[DATABASE, …, TABLE]``."""
    config = project.databases[database]
    lowered = tuple(part.lower() for part in table)
    for name, path in config.asset_keys.items():
        named = tuple(name.lower().split("."))
        if lowered[-len(named) :] == named:
            return dg.AssetKey(path)
    made_by = read_manifest(config.dbt.manifest).made_by(table) if config.dbt is not None else []
    return dg.AssetKey(made_by[0].key) if len(made_by) == 1 else dg.AssetKey([database, *table])


def tables(sync: SyncConfig, project: ProjectConfig) -> list[tuple[str, ...]]:
    """The tables that the sync's queries read, each as ``(…, TABLE)``, in order."""
    spoken = dialect(project.databases[sync.database])
    return sorted({table for stream in sync.streams for table in tables_read(stream.query, spoken)})

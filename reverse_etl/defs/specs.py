"""The specs of a project's assets, as its translator has them. What the assets do is in ``assets``.

The metadata of a sync's assets name the sync and its workspace: the run queue and the stages read them there, because
a translator may change every key and every group.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import dagster as dg
from dagster._core.storage.tags import KIND_PREFIX

from reverse_etl.config.run_order import in_order
from reverse_etl.config.streams import ROWS
from reverse_etl.config.syncs import ProjectConfig, SyncConfig
from reverse_etl.defs import lineage, run_tags
from reverse_etl.defs.freshness import freshness_policy
from reverse_etl.defs.translator import Stage, SyncAsset, SyncTranslator
from reverse_etl.run.remembers import compares

_KEPT = "reverse_etl/"


@dataclass(frozen=True, slots=True)
class SyncSpecs:
    """The assets of one sync.

    Attributes:
        stages: By stage.
        destination: The key of what it writes to.
        table_key: The key of a table that it reads.
        awaited: The keys of assets that its schedule waits for.
    """

    stages: Mapping[Stage, dg.AssetSpec]
    destination: dg.AssetKey
    table_key: Callable[[tuple[str, ...]], dg.AssetKey]
    awaited: Sequence[dg.AssetKey] = ()

    @property
    def changeset(self) -> dg.AssetSpec:
        """What was read."""
        return self.stages["changeset"]

    @property
    def validated(self) -> dg.AssetSpec:
        """What the checks let pass."""
        return self.stages["validated"]

    @property
    def delivery(self) -> dg.AssetSpec:
        """What arrived."""
        return self.stages["delivery"]


@dataclass(frozen=True, slots=True)
class ProjectSpecs:
    """The specs of a project: of each sync, by its name, and of what they write to."""

    syncs: Mapping[str, SyncSpecs]
    destinations: Sequence[dg.AssetSpec]

    def syncs_of(self, assets: Iterable[dg.AssetKey]) -> set[str]:
        """The syncs whose assets are among these."""
        wanted = set(assets)
        return {name for name, own in self.syncs.items() if wanted & {spec.key for spec in own.stages.values()}}


def project_specs(project: ProjectConfig, translator: SyncTranslator) -> ProjectSpecs:
    """The specs of all assets of a project's syncs; each asset is translated once."""
    stages: dict[str, dict[Stage, dg.AssetSpec]] = {}
    for sync in in_order(project.syncs.values()):
        after = [stages[name]["delivery"].key for name in sync.schedule.after_syncs if name in stages]
        stages[sync.name] = _stages(sync, project, translator, after=after)
    writers: dict[dg.AssetKey, list[SyncConfig]] = defaultdict(list)
    for sync in project.syncs.values():
        writers[lineage.destination_key(sync)].append(sync)
    destinations = {}
    for key, (first, *others) in writers.items():
        spec = dg.AssetSpec(
            key,
            deps=[stages[sync.name]["delivery"].key for sync in (first, *others)],
            group_name=first.destination.replace("-", "_"),
            kinds={first.DESTINATION},
            description=f"In {_place(first, project)}.",
        )
        destinations[key] = _translated(translator, first, project, stage="destination", spec=spec)
    return ProjectSpecs(
        syncs={
            sync.name: SyncSpecs(
                stages[sync.name],
                destination=destinations[lineage.destination_key(sync)].key,
                table_key=partial(_table_key, project, translator, sync.database),
                awaited=_awaited(sync, project, translator),
            )
            for sync in project.syncs.values()
        },
        destinations=list(destinations.values()),
    )


def table_specs(project: ProjectConfig, specs: ProjectSpecs) -> list[dg.AssetSpec]:
    """The tables that the syncs read, as assets that are made outside of Dagster, in the group of the database."""
    tables = {
        specs.syncs[sync.name].table_key(table): sync.database
        for sync in project.syncs.values()
        for table in lineage.tables(sync, project)
    }
    return [
        dg.AssetSpec(key, group_name=database.replace("-", "_"), kinds={project.databases[database].type, "table"})
        for key, database in tables.items()
    ]


def _table_keys(sync: SyncConfig, project: ProjectConfig, translator: SyncTranslator) -> list[dg.AssetKey]:
    return [_table_key(project, translator, sync.database, table) for table in lineage.tables(sync, project)]


def _table_key(
    project: ProjectConfig, translator: SyncTranslator, database: str, table: tuple[str, ...]
) -> dg.AssetKey:
    """As the translator has it; where it leaves that as it is, as ``connections.yaml`` says."""
    named, unchanged = (each.get_table_key(database, table) for each in (translator, SyncTranslator()))
    return lineage.table_key(project, database, table) if named == unchanged else named


def _awaited(sync: SyncConfig, project: ProjectConfig, translator: SyncTranslator) -> list[dg.AssetKey]:
    upstream = _table_keys(sync, project, translator) if sync.schedule.after_upstream else []
    return [*upstream, *(dg.AssetKey(path) for path in sync.schedule.after_assets)]


def _stages(
    sync: SyncConfig, project: ProjectConfig, translator: SyncTranslator, *, after: Sequence[dg.AssetKey]
) -> dict[Stage, dg.AssetSpec]:
    """The specs of what each stage makes, in the order in which they run; ``after``: what other syncs delivered."""
    before = [*_table_keys(sync, project, translator), *after, *map(dg.AssetKey, sync.schedule.after_assets)]
    own: dict[Stage, tuple[set[str], str]] = {
        "changeset": ({project.databases[sync.database].type, "parquet"}, _described(sync)),
        "validated": ({"pandas"}, "The rows that may leave: the changeset without those that a check rejects."),
        "compared": ({"parquet"}, f"The rows that differ from what {_place(sync, project)} acknowledged before."),
        "delivery": ({sync.DESTINATION}, f"The rows as they arrived in {_place(sync, project)}."),
    }
    if not compares(sync):
        del own["compared"]
    specs: dict[Stage, dg.AssetSpec] = {}
    deps = before
    for stage, (kinds, description) in own.items():
        spec = _own(sync, stage, deps=deps, kinds=kinds, description=description)
        specs[stage] = _translated(translator, sync, project, stage=stage, spec=spec)
        deps = [specs[stage].key]
    return specs


def _own(
    sync: SyncConfig, stage: Stage, *, deps: Iterable[dg.AssetKey], kinds: set[str], description: str
) -> dg.AssetSpec:
    return dg.AssetSpec(
        lineage.stage_key(sync, stage),
        deps=list(dict.fromkeys(deps)),
        kinds=kinds,
        description=description,
        group_name=sync.destination,
        owners=list(sync.owners),
        code_version=sync.version,
        tags={run_tags.OVERLAP_TAG: "wait"} if sync.schedule.overlap == "wait" else {},
        metadata={run_tags.SYNC_TAG: sync.name, run_tags.WORKSPACE_TAG: sync.destination},
        freshness_policy=freshness_policy(sync.schedule) if stage == "delivery" else None,
    )


def _translated(
    translator: SyncTranslator, sync: SyncConfig, project: ProjectConfig, *, stage: Stage, spec: dg.AssetSpec
) -> dg.AssetSpec:
    """The translator's spec, with what the stages and the run queue need where it was left out."""
    file = Path(os.path.relpath(sync.file, project.directory)).as_posix()
    asset = SyncAsset(sync=sync.name, stage=stage, destination=sync.destination, file=file, spec=spec)
    translated = translator.get_asset_spec(asset)
    if translated is spec:
        return spec
    known = {dep.asset_key for dep in translated.deps}
    needed = [dep for dep in spec.deps if dep.asset_key not in known] if stage != "changeset" else []
    return translated.replace_attributes(
        deps=[*translated.deps, *needed],
        metadata={**translated.metadata, **_kept(spec.metadata)},
        tags={**_without_kinds(translated), **_kept(spec.tags)},
        # Nothing materializes what a sync writes to but the sync.
        automation_condition=None if stage == "destination" else translated.automation_condition,
    )


def _kept(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if name.startswith(_KEPT)}


def _without_kinds(spec: dg.AssetSpec) -> dict[str, str]:
    """The tags; Dagster adds those of the kinds again."""
    return {name: value for name, value in spec.tags.items() if not name.startswith(KIND_PREFIX)}


def _place(sync: SyncConfig, project: ProjectConfig) -> str:
    """Its destination in words: ``the PostgreSQL destination crm``."""
    return f"the {sync.TITLE} {project.destinations[sync.destination].label}"


def _described(sync: SyncConfig) -> str:
    texts = [sync.description]
    for stream in sync.streams:
        heading = "" if stream.name == ROWS else f"{stream.name.capitalize()}:\n"
        texts.append(f"{heading}```sql\n{stream.query.strip()}\n```")
    return "\n\n".join(text for text in texts if text)

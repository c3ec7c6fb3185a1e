"""A stage's asset is, to Dagster, the one that its decorator would make."""

import dagster as dg
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster_shared.serdes import serialize_value

from reverse_etl.defs.stage_asset import Events, stage_asset

KEY = dg.AssetKey(["people", "people_validated"])
CHECKS = [
    dg.AssetCheckSpec("unique", asset=KEY, blocking=True),
    dg.AssetCheckSpec("few", asset=KEY, description="Few."),
]
DEPS = [dg.AssetKey(["shop", "crm.people"]), dg.AssetKey(["shop", "left-over"])]
ABOUT = {"description": "People.", "group_name": "main", "owners": ["team:data"], "code_version": "1"}


class Settings(dg.Config):
    """What can be said in one run."""

    full: bool = False


def told(asset: dg.AssetsDefinition) -> str:
    """All that Dagster keeps of a code location with this asset and a job."""
    job = dg.define_asset_job("people", dg.AssetSelection.assets(asset))
    resources = {"home": dg.ResourceDefinition.none_resource(), "rows": dg.mem_io_manager}
    definitions = dg.Definitions(assets=[asset], jobs=[job], resources=resources)
    return serialize_value(RepositorySnap.from_def(definitions.get_repository_def()))


def test_it_is_what_the_decorator_makes() -> None:
    """Keys, dependencies, checks, config, resources, pool: the same snapshot, and the same job."""

    @dg.asset(
        key=KEY,
        deps=DEPS,
        kinds={"pandas"},
        check_specs=CHECKS,
        pool="main",
        io_manager_key="rows",
        required_resource_keys={"home"},
        **ABOUT,  # type: ignore[arg-type]
    )
    def decorated(config: Settings) -> Events:
        yield dg.MaterializeResult()

    def compute(context: dg.AssetExecutionContext, _: object) -> Events:
        yield dg.MaterializeResult()

    made = stage_asset(
        compute,
        dg.AssetSpec(KEY, deps=DEPS, kinds={"pandas"}, **ABOUT),  # type: ignore[arg-type]
        resources={"home"},
        io_manager_key="rows",
        pool="main",
        checks=CHECKS,
        config_schema=Settings.to_config_schema(),
    )
    assert told(decorated) == told(made)
    assert decorated.specs_by_key == made.specs_by_key
    assert decorated.check_specs_by_output_name == made.check_specs_by_output_name


def test_any_table_can_be_upstream() -> None:
    """Names with spaces and letters of any script, and names that differ in what Dagster has no letter for."""
    tables = [dg.AssetKey(["wh", name]) for name in ("my table", "my_table", "Ünïcode", "a.b")]

    def compute(context: dg.AssetExecutionContext, _: object) -> Events:
        yield dg.MaterializeResult()

    made = stage_asset(compute, dg.AssetSpec(KEY, deps=tables), resources=set())
    snapshot = RepositorySnap.from_def(dg.Definitions(assets=[made]).get_repository_def())
    (node,) = [node for node in snapshot.asset_nodes if node.asset_key == KEY]
    assert set(tables) == {edge.parent_asset_key for edge in node.parent_edges}

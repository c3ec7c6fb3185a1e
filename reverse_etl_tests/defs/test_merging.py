"""The syncs among a project's own assets: `Definitions.merge` gives one graph, whatever the project brings."""

from collections.abc import Callable, Iterator

import dagster as dg
import pytest

from reverse_etl import build_definitions
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.definitions import defs
from reverse_etl_tests.project import Project, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

TABLE = dg.AssetKey(["shop", "customers"])
CHANGESET = dg.AssetKey(["people", "people_changeset"])


def one_asset() -> dg.Definitions:
    """An asset that makes the table."""

    @dg.asset(key=TABLE, group_name="own")
    def customers() -> None: ...

    return dg.Definitions(assets=[customers])


def several_at_once() -> dg.Definitions:
    """The table among others, as a dbt project's models are."""
    specs = [
        dg.AssetSpec(["raw", "customers"], group_name="own"),
        dg.AssetSpec(TABLE, deps=[["raw", "customers"]], group_name="own", kinds={"dbt"}),
    ]

    @dg.multi_asset(specs=specs, can_subset=True)
    def models(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        for key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key)

    return dg.Definitions(assets=[models])


def by_day() -> dg.Definitions:
    """A table that is made one day at a time."""

    @dg.asset(key=TABLE, group_name="own", partitions_def=dg.DailyPartitionsDefinition("2026-01-01"))
    def customers() -> None: ...

    return dg.Definitions(assets=[customers])


def outside() -> dg.Definitions:
    """A table that something outside makes, with a group of its own, and a check on it."""

    @dg.asset_check(asset=TABLE)
    def filled() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    return dg.Definitions(assets=[dg.AssetSpec(TABLE, group_name="own")], asset_checks=[filled])


PROJECTS = [one_asset, several_at_once, by_day, outside]


@pytest.mark.parametrize("own", PROJECTS)
@pytest.mark.parametrize("order", [1, -1], ids=["syncs first", "own first"])
def test_an_asset_of_the_project_stands_upstream(
    loaded: ProjectConfig, project: Project, own: Callable[[], dg.Definitions], order: int
) -> None:
    """Under the key of a table that two syncs read: one node, the project's, and the syncs' jobs are without it."""
    project.write("orders.yaml", people())
    definitions = dg.Definitions.merge(*[build_definitions(loaded.directory), own()][::order])
    graph = definitions.resolve_asset_graph()
    assert "own" == graph.get(TABLE).group_name
    assert {CHANGESET, dg.AssetKey(["orders", "orders_changeset"])} <= graph.get(TABLE).child_keys
    jobs = {job.name: job for job in definitions.resolve_all_job_defs()}
    nodes = {"people__people_changeset", "people__people_delivery", "people__people_validated"}
    assert nodes == {node.name for node in jobs["people"].nodes}
    # Nor do they look at what is made together with the table: loading would take the product of both numbers.
    looked_at = jobs["people"].asset_layer.asset_graph
    assert {TABLE, *(asset.key for asset in _of_people(definitions))} == looked_at.get_all_asset_keys()
    assert graph.get(TABLE).partitions_def == looked_at.get(TABLE).partitions_def


def _of_people(definitions: dg.Definitions) -> list[dg.AssetSpec]:
    return [spec for spec in definitions.resolve_all_asset_specs() if spec.key.path[0] == "people"]


@pytest.mark.thorough
@pytest.mark.parametrize("own", PROJECTS)
def test_a_sync_reads_the_table_whoever_makes_it(
    loaded: ProjectConfig, instance: dg.DagsterInstance, sandbox: RunningSandbox, own: Callable[[], dg.Definitions]
) -> None:
    """Its job runs, also where the table was never materialized."""
    definitions = dg.Definitions.merge(build_definitions(loaded.directory), own())
    assert definitions.resolve_job_def("people").execute_in_process(instance=instance).success
    assert 3 == len(sandbox.people())


def test_tables_are_defined_where_no_asset_makes_them(
    loaded: ProjectConfig, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, for all syncs that read them: when a project asks for it, and in the shipped code location."""
    project.write("orders.yaml", people())
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(loaded.directory))
    for definitions in (build_definitions(tables=True), defs()):
        (spec,) = [spec for spec in definitions.resolve_all_asset_specs() if spec.key == TABLE]
        assert ("shop", {"sqlite", "table"}) == (spec.group_name, spec.kinds)


def test_a_project_keeps_its_executor(loaded: ProjectConfig, instance: dg.DagsterInstance) -> None:
    """Dagster refuses to merge two: ours are on the syncs' jobs alone, whatever the project's is."""
    own = dg.Definitions(executor=dg.multiprocess_executor)
    definitions = dg.Definitions.merge(build_definitions(loaded.directory), own)
    names = {job.name: job.executor_def.name for job in definitions.resolve_all_job_defs()}
    assert {"people": "in_process", "__ASSET_JOB": "multiprocess"} == names

"""A user's project changes what Dagster shows of its syncs, and their runs do the same as before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.tags import AUTOMATION_CONDITION_TAG
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from reverse_etl import SyncAsset, SyncTranslator, build_definitions
from reverse_etl.config.loader import load_project
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.report import Status
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import list_runs
from reverse_etl.state.store import open_store
from reverse_etl.state.syncs import every_sync
from reverse_etl_tests.defs.daemon import Daemon, shipped_instance
from reverse_etl_tests.project import Project, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

STAGES = ("changeset", "validated", "delivery")


class Everything(SyncTranslator):
    """Changes all that can be changed, and leaves out what Dagster's specs let one leave out."""

    def get_asset_spec(self, asset: SyncAsset) -> dg.AssetSpec:
        """Keys that say nothing of the sync, and no dependencies, tags or metadata of ours."""
        return asset.spec.replace_attributes(
            key=["crm", f"{asset.destination}_{asset.stage}_of_{asset.sync}"],
            group_name="crm",
            owners=["team:growth"],
            description=f"From {asset.file}.",
            tags={"tier": "1"},
            metadata={"docs": "here"},
            deps=[],
            kinds={"crm"},
        )

    def get_table_key(self, database: str, table: tuple[str, ...]) -> dg.AssetKey:
        """The dbt model of that name."""
        return dg.AssetKey(["dbt", database, *table])


def key(stage: str, sync: str = "people") -> dg.AssetKey:
    """What `Everything` makes of a stage's key."""
    return dg.AssetKey(["crm", f"main_{stage}_of_{sync}"])


def test_every_attribute_is_the_translators(loaded: ProjectConfig) -> None:
    """Keys, groups, owners, descriptions, tags, kinds and metadata of the stages and of what they write to."""
    definitions = build_definitions(loaded, translator=Everything())
    specs = {spec.key: spec for spec in definitions.resolve_all_asset_specs()}
    assert {key(stage) for stage in (*STAGES, "destination")} == specs.keys()
    for spec in specs.values():
        assert ("crm", ["team:growth"], {"crm"}) == (spec.group_name, list(spec.owners), spec.kinds)
        assert "From people.yaml." == spec.description
        assert ("1", "here") == (spec.tags["tier"], spec.metadata["docs"])


def test_stages_stay_in_order_whatever_a_translator_leaves_out(loaded: ProjectConfig, project: Project) -> None:
    """A stage depends on the one before it, what is written to on every sync that writes; tables may be left out."""
    project.write("orders.yaml", people())
    definitions = build_definitions(load_project(loaded.directory), translator=Everything())
    graph = definitions.resolve_asset_graph()
    upstream = {each: graph.get(each).parent_keys for each in graph.get_all_asset_keys()}
    assert {
        **{key("changeset", sync): set() for sync in ("orders", "people")},
        **{key("validated", sync): {key("changeset", sync)} for sync in ("orders", "people")},
        **{key("delivery", sync): {key("validated", sync)} for sync in ("orders", "people")},
        key("destination", "orders"): {key("delivery", "orders"), key("delivery", "people")},
    } == upstream


def test_a_run_leaves_everything_under_the_translators_keys(
    loaded: ProjectConfig, instance: dg.DagsterInstance, sandbox: RunningSandbox
) -> None:
    """Materializations, check results and the way of a column, from the dbt model to the destination."""
    definitions = build_definitions(loaded, translator=Everything())
    result = definitions.resolve_job_def("people").execute_in_process(instance=instance)
    assert 3 == len(sandbox.people())
    assert {key(stage) for stage in STAGES} == {each.asset_key for each in result.get_asset_check_evaluations()} | {
        key("changeset")
    }
    at, way = key("destination"), []
    while (event := instance.get_latest_materialization_event(at)) and event.asset_materialization:
        lineage = event.asset_materialization.metadata["dagster/column_lineage"].value
        assert isinstance(lineage, dg.TableColumnLineage)
        (dep,) = lineage.deps_by_column["plan"]
        at = dep.asset_key
        way.append(at)
    assert [*map(key, reversed(STAGES)), dg.AssetKey(["dbt", "shop", "customers"])] == way
    tags = result.dagster_run.tags
    assert ("people", "main") == (tags["reverse_etl/sync"], tags["reverse_etl/workspace"])


def test_dependencies_can_be_added(loaded: ProjectConfig) -> None:
    """A changeset that waits for an asset that its query does not name, and still for its table."""

    class After(SyncTranslator):
        def get_asset_spec(self, asset: SyncAsset) -> dg.AssetSpec:
            return asset.spec.merge_attributes(deps=["tests_passed"]) if asset.stage == "changeset" else asset.spec

    graph = build_definitions(loaded, translator=After()).resolve_asset_graph()
    changeset = graph.get(dg.AssetKey(["people", "people_changeset"]))
    assert {dg.AssetKey("tests_passed"), dg.AssetKey(["shop", "customers"])} == changeset.parent_keys


class Eager(SyncTranslator):
    """A sync runs whenever what it reads was made again."""

    def get_asset_spec(self, asset: SyncAsset) -> dg.AssetSpec:
        """All stages, so that they run together."""
        return asset.spec.replace_attributes(automation_condition=dg.AutomationCondition.eager())


@pytest.mark.filterwarnings("ignore:Parameter `include_sources` of function `AssetSelection.all`")  # by Dagster itself
def test_an_automation_condition_asks_for_the_whole_sync(loaded: ProjectConfig, instance: dg.DagsterInstance) -> None:
    """Once the user's own asset, which has the table's key, was materialized; and not again before it was again."""

    @dg.asset(key=["shop", "customers"])
    def customers() -> None: ...

    definitions = dg.Definitions.merge(build_definitions(loaded, translator=Eager()), dg.Definitions([customers]))
    first = dg.evaluate_automation_conditions(defs=definitions, instance=instance)
    assert 0 == first.total_requested
    dg.materialize([customers], instance=instance)
    second = dg.evaluate_automation_conditions(defs=definitions, instance=instance, cursor=first.cursor)
    requested = {each.key for each in second.results if each.true_subset.size}
    assert {dg.AssetKey(["people", f"people_{stage}"]) for stage in STAGES} == requested
    third = dg.evaluate_automation_conditions(defs=definitions, instance=instance, cursor=second.cursor)
    assert 0 == third.total_requested


LOCATION = """\
from reverse_etl import build_definitions
from reverse_etl_tests.defs.test_translator import Everything

import dagster as dg


@dg.asset
def own() -> None: ...


defs = dg.Definitions.merge(build_definitions(translator=Everything()), dg.Definitions(assets=[own]))
"""


@pytest.fixture
def daemon(loaded: ProjectConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """The daemons of an instance as shipped, for a code location of translated syncs and an asset of its own."""
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(loaded.directory))
    (tmp_path / "location.py").write_text(LOCATION)
    target = LoadableTargetOrigin(python_file=str(tmp_path / "location.py"), attribute="defs")
    with shipped_instance() as instance, Daemon.of(instance, target=target) as daemon:
        yield daemon


@pytest.mark.parametrize(("more", "alone"), [([], "yes"), (["own"], None)], ids=["a sync's", "a user's own too"])
def test_the_run_queue_knows_the_syncs_of_translated_assets(daemon: Daemon, more: list[str], alone: str | None) -> None:
    """What "Materialize" launches has the tags of its syncs, and says whether it is of syncs alone."""
    run = daemon.materialize("crm/main_changeset_of_people", *more)
    assert ("people", "main") == (run.tags["reverse_etl/sync"], run.tags["reverse_etl/workspace"])
    assert alone == run.tags.get(".dagster/reverse_etl/alone")


def test_a_backfill_of_translated_assets_is_skipped_beside_a_run(daemon: Daemon) -> None:
    """It is in the history of the sync, with the workspace's own name, which is not the group's."""
    daemon.materialize("crm/main_changeset_of_people")
    assert 1 == len(daemon.dequeue())
    daemon.backfill(*(f"crm/main_{stage}_of_people" for stage in STAGES))
    daemon.backfills()
    store = open_store(Home.from_environment().state_url)
    assert [("people", Status.SKIPPED)] == [(run.sync, run.status) for run in list_runs(store)]
    assert ["main"] == [known.workspace for known in every_sync(store)]


def test_a_run_that_a_condition_asks_for_waits_in_the_queue(daemon: Daemon) -> None:
    """Beside a run of its workspace, as one that a person launches."""
    daemon.materialize("crm/main_changeset_of_people")
    assert 1 == len(daemon.dequeue())
    run = daemon.launch("people", {AUTOMATION_CONDITION_TAG: "true"})
    assert (dg.DagsterRunStatus.QUEUED, []) == (run.status, daemon.dequeue())


def test_a_run_of_translated_assets_that_never_started_is_in_the_history(daemon: Daemon, loaded: ProjectConfig) -> None:
    """The sensor finds the sync by the asset; one that was canceled in the queue gets its tag."""
    failed, canceled = (daemon.materialize("crm/main_changeset_of_people") for _ in range(2))
    daemon.instance.report_run_failed(failed)
    daemon.instance.report_run_canceled(canceled)
    definitions = build_definitions(loaded, translator=Everything())
    resources = {"reverse_etl_home": (definitions.resources or {})["reverse_etl_home"]}
    with dg.build_sensor_context(instance=daemon.instance, resources=resources) as context:
        definitions.resolve_sensor_def("runs_that_never_started").evaluate_tick(context)
    (run,) = list_runs(open_store(Home.from_environment().state_url))
    assert ("people", Status.FAILED) == (run.sync, run.status)
    ended = daemon.instance.get_run_by_id(canceled.run_id)
    assert ended is not None
    assert "canceled" == ended.tags["reverse_etl/status"]

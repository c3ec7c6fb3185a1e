"""Syncs that run after others: what the sensor starts, and when it waits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from reverse_etl.config.loader import load_project
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.definitions import build_definitions
from reverse_etl.defs.after import NAME
from reverse_etl.report import RunReport, Status
from reverse_etl.state.home import Home
from reverse_etl.state.runs import close_run
from reverse_etl.state.store import Store, open_store
from reverse_etl.state.syncs import set_paused
from reverse_etl_tests.project import Project, people

CUSTOMERS = dg.AssetKey(["shop", "customers"])
PLANS = dg.AssetKey(["shop", "plans"])
NOTHING_SEEN = json.dumps({"people": {"marks": {}, "started_at": None}})
"""The sensor's cursor after a look at which nothing that people waits for had come."""


@dataclass
class Sensor:
    """The sensor of a project, with its cursor from look to look."""

    project: ProjectConfig
    instance: dg.DagsterInstance
    cursor: str | None = None
    message: str = ""

    def look(self) -> list[str]:
        """The syncs that one look starts."""
        definitions = build_definitions(self.project)
        resources = {"reverse_etl_home": (definitions.resources or {})["reverse_etl_home"]}
        sensor = definitions.resolve_sensor_def(NAME)
        with dg.build_sensor_context(self.instance, self.cursor, resources=resources) as context:
            answer = sensor.evaluate_tick(context)
        self.cursor, self.message = answer.cursor, str(answer.skip_message)
        return [str(request.job_name) for request in answer.run_requests or ()]


@pytest.fixture
def store(loaded: ProjectConfig) -> Store:
    """The state database of the project."""
    return open_store(Home.from_environment().state_url)


def sensor(project: Project, instance: dg.DagsterInstance, **schedules: str) -> Sensor:
    """The sensor of syncs with these schedules."""
    for name, schedule in schedules.items():
        project.write(f"{name}.yaml", people().replace("schedule: manual", f"schedule: {schedule}"))
    return Sensor(load_project(project.folder / "syncs"), instance)


def made(instance: dg.DagsterInstance, key: dg.AssetKey = CUSTOMERS) -> None:
    """Something makes an asset."""
    instance.report_runless_asset_event(dg.AssetMaterialization(key))


def ran(store: Store, sync: str, run_id: str, status: Status = Status.COMPLETED, ago: timedelta = timedelta(0)) -> None:
    """A run of a sync is in the history."""
    started_at = datetime.now(UTC) - ago
    report = RunReport(sync, run_id, status, started_at, duration_s=1)
    close_run(store, report, root_run_id=run_id, workspace="main", failed_rows=(), new_last_sync_time=None)


def test_a_sync_runs_once_whenever_its_table_was_made_again(
    project: Project, store: Store, instance: dg.DagsterInstance
) -> None:
    """Not before it was made at all; the run has the sync's own job, which has its tags."""
    after = sensor(project, instance, people="{after: upstream}")
    assert ([], "Nothing new.") == (after.look(), after.message)

    made(instance)
    assert ["people"] == after.look()
    assert [] == after.look()

    made(instance)
    made(instance)
    assert ["people"] == after.look()
    assert [] == after.look()


def test_a_sync_that_ran_before_it_had_the_schedule_waits_for_what_is_new(
    project: Project, store: Store, instance: dg.DagsterInstance
) -> None:
    """The first look takes what is there as known."""
    made(instance)
    ran(store, "people", "earlier")
    after = sensor(project, instance, people="{after: upstream}")
    assert [] == after.look()

    made(instance)
    assert ["people"] == after.look()


def test_a_sync_waits_until_a_run_has_made_all_it_reads(
    project: Project, store: Store, instance: dg.DagsterInstance
) -> None:
    """A dbt build makes one model after the other: half of them are no reason to start."""
    query = "SELECT c.id, c.email, p.plan FROM customers AS c JOIN plans AS p ON p.id = c.id"
    text = people(query).replace("schedule: manual", "schedule: {after: upstream}")
    project.write("people.yaml", text)
    after = Sensor(load_project(project.folder / "syncs"), instance)

    half: list[tuple[list[str], str]] = []

    @dg.asset(key=CUSTOMERS)
    def customers() -> None: ...

    @dg.asset(key=PLANS, deps=[customers])
    def plans() -> None:
        half.append((after.look(), after.message))

    job = dg.Definitions(assets=[customers, plans], jobs=[dg.define_asset_job("dbt")]).resolve_job_def("dbt")
    assert job.execute_in_process(instance=instance).success

    assert [([], "people waits until shop/plans is made.")] == half
    assert ["people"] == after.look()


def test_a_sync_runs_after_each_of_those_that_it_names_has_delivered(
    project: Project, store: Store, instance: dg.DagsterInstance
) -> None:
    """Failed rows are no reason to wait, a run that delivered nothing is; an asset counts as a sync does."""
    after = sensor(
        project, instance, companies="manual", plans="manual", people="{after: [companies, plans, key:shop/plans]}"
    )
    ran(store, "companies", "one")
    ran(store, "plans", "two", Status.FAILED)
    made(instance, PLANS)
    assert [] == after.look()

    ran(store, "plans", "three", Status.SOME_ROWS_FAILED)
    assert ["people"] == after.look()

    ran(store, "companies", "four")
    made(instance, PLANS)
    assert [] == after.look()


def test_a_run_that_began_after_a_delivery_uses_it_up_whoever_started_it(
    project: Project, store: Store, instance: dg.DagsterInstance
) -> None:
    """As `run --all` does, where a second run would append every row twice; the next delivery is new again."""
    after = sensor(project, instance, companies="manual", people="{after: [companies]}")
    ran(store, "companies", "one", ago=timedelta(seconds=20))
    ran(store, "people", "by hand", ago=timedelta(seconds=10))
    ran(store, "people", "before", ago=timedelta(days=1))
    after.cursor = NOTHING_SEEN
    assert ([], "people has run since sync:companies came.") == (after.look(), after.message)
    assert ([], "Nothing new.") == (after.look(), after.message)

    ran(store, "companies", "two", ago=timedelta(seconds=5))
    assert ["people"] == after.look()
    assert [] == after.look()


def test_a_run_uses_up_only_what_had_come_when_it_began(
    project: Project, store: Store, instance: dg.DagsterInstance
) -> None:
    """It read before the delivery had ended; of two that are awaited, the other one is not used up."""
    after = sensor(project, instance, companies="manual", plans="manual", people="{after: [companies, plans]}")
    after.cursor = NOTHING_SEEN
    ran(store, "companies", "one", ago=timedelta(seconds=40))
    ran(store, "people", "by hand", ago=timedelta(seconds=39, milliseconds=500))
    ran(store, "plans", "two", ago=timedelta(seconds=30))
    assert ["people"] == after.look()

    ran(store, "companies", "three", ago=timedelta(seconds=20))
    ran(store, "people", "again", ago=timedelta(seconds=15))
    ran(store, "plans", "four", ago=timedelta(seconds=10))
    assert [] == after.look()

    ran(store, "companies", "five", ago=timedelta(seconds=5))
    assert ["people"] == after.look()


@pytest.mark.parametrize("status", [Status.FAILED, Status.SKIPPED, Status.CANCELED])
def test_a_run_that_did_not_deliver_is_tried_again_once(
    project: Project, store: Store, instance: dg.DagsterInstance, status: Status
) -> None:
    """The sensor starts the sync as if nobody had, and leaves one that it started itself at that."""
    after = sensor(project, instance, companies="manual", people="{after: [companies]}")
    after.cursor = NOTHING_SEEN
    ran(store, "companies", "one", ago=timedelta(seconds=20))
    ran(store, "people", "by hand", status, ago=timedelta(seconds=10))
    assert ["people"] == after.look()

    ran(store, "people", "by the sensor", status, ago=timedelta(seconds=5))
    assert [] == after.look()


@pytest.mark.parametrize("waits_for", ["upstream", "[key:shop/customers]"])
def test_a_run_that_began_after_a_materialization_uses_it_up(
    project: Project, store: Store, instance: dg.DagsterInstance, waits_for: str
) -> None:
    """One that began before does not."""
    after = sensor(project, instance, people=f"{{after: {waits_for}}}")
    after.cursor = NOTHING_SEEN
    made(instance)
    ran(store, "people", "by hand")
    assert ([], "people has run since key:shop/customers came.") == (after.look(), after.message)
    assert ([], "Nothing new.") == (after.look(), after.message)

    ran(store, "people", "earlier", ago=timedelta(seconds=1))
    made(instance)
    assert ["people"] == after.look()
    assert [] == after.look()


def test_a_run_of_several_assets_uses_up_what_it_makes_upstream_itself(
    project: Project, store: Store, instance: dg.DagsterInstance
) -> None:
    """All that "Materialize" starts in one run of Dagster's has the run's start; a run that failed does not count."""
    after = sensor(project, instance, companies="manual", people="{after: [companies, key:shop/plans]}")
    began = timedelta(seconds=60)
    for number, status in enumerate((Status.COMPLETED, Status.FAILED)):
        after.cursor = NOTHING_SEEN

        @dg.asset(key=PLANS)
        def plans() -> None: ...

        job = dg.Definitions(assets=[plans], jobs=[dg.define_asset_job("several")]).resolve_job_def("several")
        run_id = job.execute_in_process(instance=instance).run_id
        ran(store, "companies", f"{run_id}.companies", ago=began / (number + 1))
        ran(store, "people", f"{run_id}.people", status, ago=began / (number + 1))
        assert ([], ["people"])[number] == after.look()


def test_every_is_the_longest_wait(project: Project, store: Store, instance: dg.DagsterInstance) -> None:
    """From the start of the last run, whoever started it."""
    after = sensor(project, instance, people="{after: upstream, every: 24h}")
    ran(store, "people", "yesterday", ago=timedelta(hours=24, minutes=1))
    assert ["people"] == after.look()
    assert [] == after.look()

    ran(store, "people", "today", ago=timedelta(hours=1))
    assert [] == after.look()


def test_a_busy_workspace_delays_a_sync_and_loses_nothing(
    project: Project, store: Store, instance: dg.DagsterInstance
) -> None:
    """Of two syncs of one workspace the second one starts when the first is over."""
    after = sensor(project, instance, companies="{after: upstream}", people="{after: upstream}")
    made(instance)
    assert ["companies"] == after.look()
    run = dg.DagsterRun("companies", tags={"reverse_etl/workspace": "main"}, status=dg.DagsterRunStatus.STARTED)
    instance.add_run(run)
    assert [] == after.look()
    assert after.message == f"people waits: companies is in progress in main (run {run.run_id[:8]})."

    instance.delete_run(run.run_id)
    assert ["people"] == after.look()


def test_a_paused_sync_passes_over_what_is_made(project: Project, store: Store, instance: dg.DagsterInstance) -> None:
    """Like due times: after it is resumed, the next one counts."""
    after = sensor(project, instance, people="{after: upstream}")
    set_paused(store, "people", True)
    made(instance)
    assert [] == after.look()
    assert "reverse-etl resume people" in after.message

    set_paused(store, "people", False)
    assert [] == after.look()
    made(instance)
    assert ["people"] == after.look()


def test_what_a_sync_runs_after_stands_upstream_of_it(
    project: Project, loaded: ProjectConfig, instance: dg.DagsterInstance
) -> None:
    """One graph: the delivery of the other sync, and the asset."""
    definitions = build_definitions(
        sensor(project, instance, companies="manual", people="{after: [companies, key:staging/plans]}").project
    )
    graph = definitions.resolve_asset_graph()
    parents = graph.get(dg.AssetKey(["people", "people_changeset"])).parent_keys
    assert {CUSTOMERS, dg.AssetKey(["companies", "companies_delivery"]), dg.AssetKey(["staging", "plans"])} == parents

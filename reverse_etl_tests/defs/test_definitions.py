"""What Dagster gets of a project, and what a job leaves behind in Dagster."""

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from dagster._core.code_pointer import CodePointer
from dagster._core.definitions.reconstruct import ReconstructableRepository
from rich.console import Console

from reverse_etl import definitions
from reverse_etl.checks.rules import rules_for
from reverse_etl.cli.demo_syncs import write_missing
from reverse_etl.config.loader import load_project
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.definitions import build_definitions
from reverse_etl.defs.io_managers import Frames
from reverse_etl.demo.shop import create_shop
from reverse_etl.errors import ReverseEtlError
from reverse_etl_tests.defs.daemon import shipped_instance
from reverse_etl_tests.project import CREDENTIALS, Project, fill, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

VALIDATED = dg.AssetKey(["people", "people_validated"])


def run(project: ProjectConfig, instance: dg.DagsterInstance, job: str = "people") -> dg.ExecuteInProcessResult:
    """Executes a job."""
    definition = build_definitions(project).resolve_job_def(job)
    return definition.execute_in_process(instance=instance, raise_on_error=False)


def table(found: dg.AssetCheckEvaluation) -> list[Mapping[str, object]]:
    """The line of each rule."""
    rules = found.metadata["rules"]
    assert isinstance(rules, dg.TableMetadataValue)
    return [dict(record.data) for record in rules.records]


def test_the_graph_leads_from_the_table_to_the_workspace(loaded: ProjectConfig) -> None:
    """Keys and their upstream keys, as the specification fixes them."""
    graph = build_definitions(loaded).resolve_asset_graph()
    upstream = {
        key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
        for key in graph.get_all_asset_keys()
    }
    assert {
        "shop/customers": [],
        "people/people_changeset": ["shop/customers"],
        "people/people_validated": ["people/people_changeset"],
        "people/people_delivery": ["people/people_validated"],
        "customerio/main/people": ["people/people_delivery"],
    } == upstream


@pytest.mark.thorough
def test_a_code_location_loads_without_what_only_runs_need() -> None:
    """Pandas and the drivers take longer to import than a folder of syncs takes to read."""
    heavy = ["pandas", "psycopg", "pymysql", "duckdb", "httpx"]
    program = f"import sys, reverse_etl.definitions; print([name for name in {heavy} if name in sys.modules])"
    assert "[]\n" == subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def test_each_sync_has_a_job_of_its_name_and_a_schedule(loaded: ProjectConfig, project: Project) -> None:
    """A manual sync has a job and no schedule; one with an interval has both."""
    project.write("hourly.yaml", people().replace("manual", "{every: 1h, start_at: 2026-01-05T01:30:00Z}"))
    definitions = build_definitions(load_project(project.folder / "syncs"))
    assert {"people", "hourly"} <= {job.name for job in definitions.resolve_all_job_defs()}
    (schedule,) = list(definitions.schedules or [])
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert ("hourly", "30 * * * *") == (schedule.job_name, schedule.cron_schedule)


def test_a_workspace_can_be_a_code_location_of_its_own(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name, as an attribute of the module, holds the syncs of that workspace alone."""
    connections = project.folder / "syncs" / "connections.yaml"
    text = connections.read_text()
    connections.write_text(text + text.partition("workspaces:\n")[2].replace("  main:", "  other:"))
    project.write("elsewhere.yaml", people().replace("workspace: main", "workspace: other"))
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(project.folder / "syncs"))
    for workspace, syncs in (("main", ["people"]), ("other", ["elsewhere"])):
        pointer = CodePointer.from_module("reverse_etl.definitions", workspace, None)
        jobs = ReconstructableRepository(pointer).get_definition().get_all_jobs()
        assert syncs == [job.name for job in jobs if not job.name.startswith("__")]
    with pytest.raises(AttributeError):
        definitions.nowhere  # noqa: B018 - looking it up is the test


def test_a_run_with_failed_rows_is_a_failed_run_that_keeps_its_materializations(
    loaded: ProjectConfig, project: Project, instance: dg.DagsterInstance, sandbox: RunningSandbox
) -> None:
    """The job fails by its blocking check, after the good rows were delivered and recorded."""
    fill(project.folder / "shop.db", [("1", "ann@example.com", "a"), ("2", "nope", "b")])
    result = run(loaded, instance)
    assert not result.success
    evaluations = {each.check_name: each for each in result.get_asset_check_evaluations()}
    assert {"all_rows_delivered", "rows_allowed"} == evaluations.keys()
    delivered, allowed = evaluations["all_rows_delivered"], evaluations["rows_allowed"]
    assert (False, False) == (delivered.passed, allowed.passed)
    # Of the validated rows, an error would be a run that ends there.
    assert (dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN) == (delivered.severity, allowed.severity)
    assert "email_valid: 1 row: column `email` is not a valid e-mail address." == allowed.description
    assert (2, 1) == (allowed.metadata["rows_checked"].value, allowed.metadata["rules_broken"].value)
    first = table(allowed)[0]
    assert {
        "rule": "email_valid",
        "severity": "reject",
        "result": "broken",
        "rows": 1,
        "row_numbers": "2",
        "found": "column `email` is not a valid e-mail address.",
        "meaning": first["meaning"],
    } == first
    assert {rule.rule.name for rule in rules_for(loaded.syncs["people"])["rows"]} == {
        line["rule"] for line in table(allowed)
    }
    delivery = instance.get_latest_materialization_event(dg.AssetKey(["people", "people_delivery"]))
    assert delivery is not None
    assert delivery.asset_materialization is not None
    assert 1 == delivery.asset_materialization.metadata["dagster/row_count"].value
    assert {"1"} == {person["id"] for person in sandbox.people()}
    record = instance.get_run_by_id(result.run_id)
    assert record is not None
    assert "some_rows_failed" == record.tags["reverse_etl/status"]
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    said = failure.user_failure_data
    assert said is not None
    assert str(said.description).startswith("sync people (")
    assert "1 of 2 rows failed, 1 was delivered; last sync time stays." in str(said.description)
    assert {"failed_rows_csv"} == said.metadata.keys()
    stored = instance.fetch_materializations(dg.AssetKey(["people", "people_delivery"]), limit=10).records
    assert [result.run_id] == [each.run_id for each in stored]


def test_a_run_leaves_thirty_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: RunningSandbox) -> None:
    """The demo's `customers`, with relationships, built-in rules for both and checks of its own: no event a rule."""
    syncs = tmp_path / "syncs"
    write_missing("syncs", syncs, Console(quiet=True))
    (tmp_path / ".reverse_etl").mkdir()
    create_shop(tmp_path / ".reverse_etl" / "shop.db", people=200)
    urls = dict.fromkeys(("CUSTOMERIO_TRACK_URL", "CUSTOMERIO_APP_URL"), sandbox.url)
    for name, value in {**CREDENTIALS, **urls, "REVERSE_ETL_HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(name, value)
    with shipped_instance() as instance:
        result = run(load_project(syncs), instance, job="customers")
        events = Counter(entry.dagster_event_type for entry in instance.all_logs(result.run_id))
    rules = {line["rule"] for line in table(result.get_asset_check_evaluations()[0])}
    assert {"identifier_present", "relationships_identifier_present", "max_failed_rows"} <= rules
    assert 2 == events[dg.DagsterEventType.ASSET_CHECK_EVALUATION]
    assert 30 >= events.total(), events


def test_a_run_that_a_check_stops_says_so(
    loaded: ProjectConfig, project: Project, instance: dg.DagsterInstance, sandbox: RunningSandbox
) -> None:
    """Its first line is the check's sentence, its status `failed`; Dagster has the check first, an error."""
    fill(project.folder / "shop.db", [("1", "ann@example.com", "a"), ("2", "nope", "b")])
    project.write("people.yaml", people(more="checks:\n  - row_count: {min: 100, severity: stop}\n"))
    result = run(load_project(loaded.directory), instance)
    (found,) = result.get_asset_check_evaluations()
    assert (dg.AssetCheckSeverity.ERROR, True) == (found.severity, found.blocking)
    assert ["row_count", "email_valid"] == [line["rule"] for line in table(found)][:2]
    assert (found.description or "").startswith("row_count: ")
    assert 2 == found.metadata["row_count"].value
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failure.user_failure_data is not None
    assert "nothing was sent: " in str(failure.user_failure_data.description)
    assert "row_count" in str(failure.user_failure_data.description)
    record = instance.get_run_by_id(result.run_id)
    assert record is not None
    assert "failed" == record.tags["reverse_etl/status"]


def test_no_row_value_is_in_the_event_log(
    loaded: ProjectConfig, project: Project, instance: dg.DagsterInstance, sandbox: RunningSandbox
) -> None:
    """Neither good nor bad values, nor credentials, are written into Dagster's events."""
    rows = [("1", "planted.good@example.com", "planted plan"), ("planted-id", "planted bad address", "b")]
    fill(project.folder / "shop.db", rows)
    result = run(loaded, instance)
    events = " ".join(str(entry) for entry in instance.all_logs(result.run_id))
    assert "rows_failed" in events
    assert "planted" not in events


def test_an_attribute_is_traced_to_its_source_column(
    loaded: ProjectConfig, project: Project, instance: dg.DagsterInstance, sandbox: RunningSandbox
) -> None:
    """From the workspace's people back to the table, column by column, under the column's own name there."""
    project.write("people.yaml", people("SELECT id, email, LOWER(plan) AS tier FROM customers"))
    run(load_project(loaded.directory), instance)
    key, column = dg.AssetKey(["customerio", "main", "people"]), "tier"
    way = []
    while (event := instance.get_latest_materialization_event(key)) and event.asset_materialization:
        lineage = event.asset_materialization.metadata["dagster/column_lineage"].value
        assert isinstance(lineage, dg.TableColumnLineage)
        (dep,) = lineage.deps_by_column[column]
        key, column = dep.asset_key, dep.column_name
        way.append(f"{key.to_user_string()}.{column}")
    assert [
        "people/people_delivery.tier",
        "people/people_validated.tier",
        "people/people_changeset.tier",
        "shop/customers.plan",
    ] == way


def test_validated_rows_load_as_frames(
    loaded: ProjectConfig, project: Project, instance: dg.DagsterInstance, sandbox: RunningSandbox
) -> None:
    """A downstream asset gets one DataFrame, or an iterator of them, without the rejected rows."""
    fill(project.folder / "shop.db", [("1", "ann@example.com", "a"), ("2", "nope", "b"), ("3", "cy@example.com", "c")])

    @dg.asset(ins={"rows": dg.AssetIn(key=VALIDATED)})
    def whole(rows: pd.DataFrame) -> list[int]:
        return [int(number) for number in rows.index]

    @dg.asset(ins={"rows": dg.AssetIn(key=VALIDATED)})
    def parts(rows: Frames) -> list[str]:
        return [email for frame in rows for email in frame["email"]]

    run(loaded, instance)
    definitions = dg.Definitions.merge(build_definitions(loaded), dg.Definitions(assets=[whole, parts]))
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=instance, asset_selection=[whole.key, parts.key])
    assert [1, 3] == result.output_for_node("whole")
    assert ["ann@example.com", "cy@example.com"] == result.output_for_node("parts")


def test_resources_work_alone(loaded: ProjectConfig, instance: dg.DagsterInstance, sandbox: RunningSandbox) -> None:
    """Another asset reads through the database resource and pushes through the workspace's."""

    @dg.asset(required_resource_keys={"database_shop", "customerio_main"})
    def copied(context: dg.AssetExecutionContext) -> tuple[int, list[int]]:
        (frame,) = context.resources.database_shop.frames("SELECT id, email, 1 AS vip FROM customers")
        frame.loc[1, "email"] = "nope"
        pushed = context.resources.customerio_main.push(frame, people={"identify_by": "id"})
        return pushed.counts.delivered, [row.row_number for row in pushed.failed_rows]

    definitions = build_definitions(loaded)
    result = dg.materialize([copied], resources=dict(definitions.resources or {}), instance=instance)
    assert (2, [2]) == result.output_for_node("copied")
    assert [1, 1] == [person["attributes"]["vip"] for person in sandbox.people()]


def test_a_push_returns_why_its_rows_were_not_verified(loaded: ProjectConfig, sandbox: RunningSandbox) -> None:
    """They are delivered; the key with which the workspace was asked what it applied is refused, and named."""
    sandbox.faults([{"match": {"path": "/v1/activities"}, "always": True, "do": {"status": 401}}])
    main = (build_definitions(loaded).resources or {})["customerio_main"]
    pushed = main.push(pd.DataFrame({"id": ["1"]}), people={"identify_by": "id"})
    assert 1 == pushed.counts.delivered
    assert "was not verified: workspace main: Customer.io refused the App API credentials" in pushed.not_verified
    assert "Check the variables behind app_api_key" in pushed.not_verified


def test_a_source_error_ends_the_run_with_its_sentence(
    loaded: ProjectConfig, project: Project, instance: dg.DagsterInstance, sandbox: RunningSandbox
) -> None:
    """The step's failure says what the user would read on the command line."""
    (project.folder / "shop.db").unlink()
    result = run(loaded, instance)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    said = failure.step_failure_data.user_failure_data
    assert said is not None
    assert "sync people" in str(said.description)
    assert "shop.db" in str(said.description)
    assert ReverseEtlError.__name__ not in str(said.description)


@pytest.mark.thorough
def test_the_compared_asset_counts_what_differs_by_attribute(
    loaded: ProjectConfig, project: Project, instance: dg.DagsterInstance
) -> None:
    """Names and numbers where values are remembered, and no value; nothing of it where they are not."""
    query = "SELECT id, email, plan FROM customers"
    project.write("people.yaml", people(query, "changes: {by: compare, keep: 30d}\n"))
    fill(project.folder / "shop.db", [(n, f"p{n}@example.com", "free") for n in range(1, 5)])
    syncs = loaded.directory
    assert run(load_project(syncs), instance).success
    fill(project.folder / "shop.db", [(n, f"p{n}@example.com", "planted" if n < 3 else "free") for n in range(1, 5)])
    result = run(load_project(syncs), instance)
    [compared] = result.asset_materializations_for_node("people__people_compared")
    assert {"rows": {"plan": 2}} == compared.metadata["changed_attributes"].value
    assert "planted" not in str(compared.metadata)
    project.write("people.yaml", people(query, "changes: {by: compare}\n"))
    result = run(load_project(syncs), instance)
    [compared] = result.asset_materializations_for_node("people__people_compared")
    assert "changed_attributes" not in compared.metadata


@pytest.mark.thorough
def test_too_many_gone_rows_fail_the_check_of_the_compared_asset(
    loaded: ProjectConfig, project: Project, instance: dg.DagsterInstance
) -> None:
    """With the counts and the sentence; and the delivery does not begin."""
    query = "SELECT id, email, plan FROM customers"
    text = people(query, "changes: {by: compare}\n").replace("identify_by: id", "identify_by: id, gone: delete")
    project.write("people.yaml", text.replace("gone: delete", "gone: delete, gone_wait: 0s, gone_max_rows: 1"))
    fill(project.folder / "shop.db", [(n, f"p{n}@example.com", "free") for n in range(1, 5)])
    syncs = loaded.directory
    assert run(load_project(syncs), instance).success
    fill(project.folder / "shop.db", [(1, "p1@example.com", "free"), (2, "p2@example.com", "free")])
    result = run(load_project(syncs), instance)
    [check] = [each for each in result.get_asset_check_evaluations() if each.check_name == "gone_max"]
    assert (False, 2, 4) == (check.passed, check.metadata["to_remove"].value, check.metadata["known"].value)
    assert "2 of 4 known people are gone, more than `gone_max_rows: 1`" in (check.description or "")
    [compared] = result.asset_materializations_for_node("people__people_compared")
    assert (2, 2) == (compared.metadata["rows_to_remove"].value, compared.metadata["rows_unchanged"].value)
    assert not result.success
    assert "people__people_delivery" not in {event.node_name for event in result.all_events if event.is_step_success}

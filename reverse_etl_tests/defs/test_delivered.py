"""What a delivery says in Dagster: one table that adds up, the first failed rows, the numbers that are plotted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg
import pytest

from reverse_etl.config.loader import load_project
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.definitions import build_definitions
from reverse_etl.defs.delivered import delivered_metadata
from reverse_etl.exclusions import ExcludedRows
from reverse_etl.report import Counts, FailedRow, Reason, RunReport, Status
from reverse_etl_tests.project import Project, fill, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

DELIVERY = dg.AssetKey(["people", "people_delivery"])
RELATED = "relationships:\n  query: |\n    SELECT id, 'acme' AS object_id, 0 AS deleted FROM customers\n"


def executed(project: ProjectConfig, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Executes the job `people`."""
    job = build_definitions(project).resolve_job_def("people")
    return job.execute_in_process(instance=instance, raise_on_error=False)


def failure(result: dg.ExecuteInProcessResult) -> tuple[str, str]:
    """The first sentence of the failed step, and the CSV that it links."""
    (event,) = (event for event in result.all_events if event.is_step_failure)
    user = event.step_failure_data.user_failure_data
    assert user is not None
    return user.description or "", str(user.metadata["failed_rows_csv"].value)


def test_a_delivery_adds_up(loaded: ProjectConfig, project: Project, instance: dg.DagsterInstance) -> None:
    """Rows and relationships side by side, then number, reason and column of the failed rows; no value of any."""
    fill(
        project.folder / "shop.db",
        [("1", "ann@example.com", "a"), ("2", "planted address", "b"), ("3", "cy@example.com", "c")],
    )
    project.write("people.yaml", people(more=RELATED))
    result = executed(load_project(loaded.directory), instance)
    (said,) = (each.metadata for each in result.asset_materializations_for_node("people__people_delivery")[:1])
    assert isinstance(said["rows"], dg.MarkdownMetadataValue)
    assert (
        """\
|  | rows | relationships |
| --- | --: | --: |
| extracted | 3 | 3 |
| = delivered | 2 | 3 |
| + rejected | 1 | 0 |
| + refused | 0 | 0 |
| + excluded | 0 | 0 |
| + undelivered | 0 | 0 |
| + unchanged | 0 | 0 |

| failed row | of | reason | column |
| --: | --- | --- | --- |
| 2 | rows | email_valid | email |"""
        == said["rows"].value
    )
    assert (6, 5, 1) == tuple(said[f"rows_{name}"].value for name in ("extracted", "delivered", "failed"))
    assert "planted" not in str(said)
    sentence, csv = failure(result)
    assert sentence.startswith("sync people (")
    assert "people.yaml): 1 of 6 rows failed" in sentence
    assert csv.endswith(f"{result.run_id}.csv")


@pytest.mark.parametrize("stopped_by", ["a check", "the workspace"])
def test_a_run_that_stopped_links_its_failed_rows(
    loaded: ProjectConfig,
    project: Project,
    instance: dg.DagsterInstance,
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    stopped_by: str,
) -> None:
    """The sentence first, and where the rows are."""
    fill(project.folder / "shop.db", [("1", "ann@example.com", "a"), ("2", "nope", "b")])
    if stopped_by == "a check":
        project.write("people.yaml", people(more="checks:\n  - max_failed_rows: 0\n"))
    else:
        monkeypatch.setenv("CUSTOMERIO_TRACK_API_KEY", "wrong")
    result = executed(load_project(loaded.directory), instance)
    sentence, csv = failure(result)
    assert sentence.startswith("sync people (")
    assert csv.endswith(f"{result.run_id}.csv")


def test_no_cell_breaks_the_table() -> None:
    """Reasons are Customer.io's words; of many failed rows the table says how many there are."""
    rows = [
        FailedRow(number, "rows", "planted", "customerio", Reason("a|b\n<i>", "c", "planted"))
        for number in range(1, 11)
    ]
    report = RunReport(
        "people", "r", Status.SOME_ROWS_FAILED, datetime.now(UTC), streams={"rows": Counts(1200, 0, 1200)}
    )
    table = delivered_metadata(report, rows)["rows"]
    assert isinstance(table, dg.MarkdownMetadataValue)
    assert "| 10 | rows | a\\|b &lt;i> | c |\n\nThe first 10 of 1,200." in str(table.value)
    assert "relationships" not in str(table.value)
    assert "planted" not in str(table.value)


def test_why_rows_were_left_out_is_metadata() -> None:
    """By reason; a run that left none out has no such key."""
    streams = {"rows": Counts(3, delivered=1, excluded=2)}
    report = RunReport("people", "r", Status.COMPLETED, datetime.now(UTC), streams=streams)
    assert "excluded_by" not in delivered_metadata(report, [])
    report = replace(report, excluded_by=(ExcludedRows("suppressed", 2, "person is suppressed"),))
    assert dg.MetadataValue.json({"suppressed": 2}) == delivered_metadata(report, [])["excluded_by"]

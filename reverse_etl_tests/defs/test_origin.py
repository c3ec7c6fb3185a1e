"""Runs that no page and no clock launched stand in Dagster's pages like any other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from reverse_etl import definitions
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.definitions import build_definitions
from reverse_etl.defs.origin import give_origin
from reverse_etl_tests.defs.daemon import Daemon
from reverse_etl_tests.project import Project

JOBS = """{ repositoryOrError(repositorySelector: {
    repositoryLocationName: "reverse_etl", repositoryName: "__repository__"}) {
    ... on Repository { pipelines { name runs { runId } } } } }"""
TIMELINE = """{ runsOrError { ... on Runs { results {
    runId repositoryOrigin { repositoryName repositoryLocationName } tags { key } } } } }"""
RUN = [{"repositoryName": "__repository__", "repositoryLocationName": "reverse_etl"}]


def shown(project: Project, monkeypatch: pytest.MonkeyPatch, *queries: str) -> list[Any]:
    """What Dagster's pages read of the project's instance."""
    for name, value in project.env().items():
        if name.startswith(("REVERSE_ETL", "CUSTOMERIO")):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(project.folder / "syncs"))
    folder = project.folder / "home" / "dagster"
    with dg.DagsterInstance.from_config(str(folder)) as instance, Daemon.of(instance) as daemon:
        return [daemon.ask(query) for query in queries]


def test_runs_by_command_are_in_the_jobs_list_and_on_the_timeline(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`reverse-etl run` leaves a run of the job in its code location, without tags that only we read."""
    run_id = project.run("people")[1]["run_id"]
    jobs, timeline = shown(project, monkeypatch, JOBS, TIMELINE)
    (runs,) = (each["runs"] for each in jobs["repositoryOrError"]["pipelines"] if each["name"] == "people")
    assert [{"runId": run_id}] == runs
    (run,) = timeline["runsOrError"]["results"]
    assert RUN == [run["repositoryOrigin"]]
    assert ["dagster/code_location", "reverse_etl/status", "reverse_etl/sync", "reverse_etl/workspace"] == sorted(
        tag["key"] for tag in run["tags"]
    )


@pytest.mark.thorough
def test_a_run_of_dagsters_command_stands_there_too(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """`dagster job execute`, in the instance that `reverse-etl ui` uses."""
    assert 0 == project.run("people")[0]
    project.environment["DAGSTER_HOME"] = str(project.folder / "home" / "dagster")
    dagster = str(Path(sys.executable).with_name("dagster"))
    done = project.command(dagster, "job", "execute", "-m", "reverse_etl.definitions", "-j", "people")
    assert 0 == done.returncode, done.stderr
    (timeline,) = shown(project, monkeypatch, TIMELINE)
    assert RUN * 2 == [run["repositoryOrigin"] for run in timeline["runsOrError"]["results"]]


@pytest.fixture(scope="module")
def filing() -> Iterator[dg.DagsterInstance]:
    """An instance in which runs are filed, without executing any."""
    with dg.instance_for_test() as instance:
        yield instance


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("load_from:\n  - python_module: {module_name: reverse_etl.definitions, location_name: syncs}\n", "syncs"),
        (
            "load_from:\n"
            "  - python_module: {module_name: reverse_etl.definitions, attribute: other, location_name: second}\n"
            "  - python_module: {module_name: reverse_etl.definitions, attribute: main, location_name: first}\n",
            "first",
        ),
        ("load_from:\n  - grpc_server: {host: code, port: 4266, location_name: on_servers}\n", "on_servers"),
        ("load_from:\n  - python_module: {module_name: shop.definitions, location_name: own_project}\n", "own_project"),
        ("load_from: [", "reverse_etl"),
        (None, "reverse_etl"),
    ],
    ids=["named", "one a workspace", "a code server", "a user's own", "broken", "none"],
)
def test_the_location_is_the_one_that_workspace_yaml_says(
    filing: dg.DagsterInstance,
    loaded: ProjectConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str | None,
    location: str,
) -> None:
    """The one that loads our module, or the only one there is; without a readable file the shipped one's."""
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "workspace.yaml").write_text(text)
    recipe = dg.build_reconstructable_job(
        definitions.__name__, "job", reconstructable_kwargs={"folder": str(loaded.directory), "name": "people"}
    )
    run = filing.create_run_for_job(recipe.get_definition(), job_code_origin=recipe.get_python_origin())

    give_origin(filing, run, "main")

    is_at(location, filing, run.run_id)


def test_a_run_by_command_is_where_workspace_yaml_says(project: Project) -> None:
    """The file in the folder in which `reverse-etl run` is called."""
    (project.folder / "workspace.yaml").write_text(
        "load_from:\n  - python_module: {module_name: reverse_etl.definitions, location_name: syncs}\n"
    )
    run_id = project.run("people")[1]["run_id"]
    with dg.DagsterInstance.from_config(str(project.folder / "home" / "dagster")) as instance:
        is_at("syncs", instance, run_id)


def is_at(location: str, instance: dg.DagsterInstance, run_id: str) -> None:
    """A run is of this location, where Dagster finds it by its tag."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.remote_job_origin is not None
    assert f"__repository__@{location}" == run.remote_job_origin.repository_origin.get_label()
    assert run in instance.get_runs(dg.RunsFilter(tags={".dagster/repository": f"__repository__@{location}"}))


def test_a_run_of_another_project_stays_as_it_is(loaded: ProjectConfig, instance: dg.DagsterInstance) -> None:
    """Where the definitions are part of a user's own, which location has them is theirs to say."""
    result = build_definitions(loaded).resolve_job_def("people").execute_in_process(instance=instance)
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert (True, None) == (result.success, run.remote_job_origin)

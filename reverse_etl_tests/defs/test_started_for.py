"""The process of a run defines that run's sync alone; whatever else loads the code location, all of them."""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.queues import Queue
from pathlib import Path

import pytest
import sqlalchemy as sa
from dagster._core.code_pointer import CodePointer
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._grpc.types import ExecuteRunArgs, ResumeRunArgs

from reverse_etl import definitions
from reverse_etl.config.loader import load_project
from reverse_etl.defs.started_for import started_for
from reverse_etl.errors import ConfigProblemsError
from reverse_etl_tests.leaving_out import leaves_out
from reverse_etl_tests.project import Project, people

ALL = {"hourly", "orders", "people"}


@pytest.fixture(autouse=True)
def folder(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three syncs of one workspace, two of them without `start_at`."""
    for name in ("orders", "hourly"):
        project.write(f"{name}.yaml", people().replace("manual", "{every: 1h}"))
    for name, value in project.env().items():
        if name.startswith(("REVERSE_ETL", "CUSTOMERIO")):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(project.folder / "syncs"))
    return project.folder / "syncs"


def job(name: str, module: str = "reverse_etl.definitions", attribute: str = "defs") -> ReconstructableJob:
    """A job of a code location, as Dagster hands it to the process that is to run it."""
    pointer = CodePointer.from_module(module, attribute, working_directory=None)
    return ReconstructableJob(ReconstructableRepository(pointer), name)


def defined(attribute: str = "defs") -> set[str]:
    """The syncs' jobs that are defined."""
    found = definitions.defs() if attribute == "defs" else getattr(definitions, attribute)
    return {each.name for each in found.get_repository_def().get_all_jobs()} - {"__ASSET_JOB"}


@pytest.mark.parametrize("arguments", [ExecuteRunArgs, ResumeRunArgs])
def test_a_containers_command_defines_the_job_that_it_names(
    arguments: type[ExecuteRunArgs | ResumeRunArgs], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dagster api execute_run`, as launchers write it."""
    known = arguments(job("people").get_python_origin(), run_id="one", instance_ref=None)
    monkeypatch.setattr(sys, "argv", ["dagster", *known.get_command_args()[-3:]])
    assert {"people"} == defined()


@pytest.mark.parametrize(
    ("given", "asked", "expected"),
    [
        (job("people"), "defs", {"people"}),
        (job("orders", attribute="main"), "main", {"orders"}),
        (job("orders", attribute="main"), "defs", ALL),
        (job("people", module="a_project.definitions"), "defs", ALL),
        (job("__ASSET_JOB"), "defs", ALL),
        ("people", "defs", ALL),
    ],
    ids=["its job", "of a workspace", "another location", "a project with ours in it", "no sync's job", "no job"],
)
def test_a_code_servers_run_defines_its_own_sync(
    given: object, asked: str, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where the job is certainly one of this very code location."""
    monkeypatch.setattr(multiprocessing.current_process(), "_args", [b"", given], raising=False)
    assert expected == defined(asked)


def test_a_faulty_file_beside_it_leaves_out_what_depends_on_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is read all the same; a left-out sync's process has the job that fails and says why."""
    leaves_out(folder)
    (folder / "orders.yaml").write_text("nothing")
    for name, steps in (("people", 3), ("orders", 1)):
        monkeypatch.setattr(multiprocessing.current_process(), "_args", [job(name)], raising=False)
        assert {name} == defined()
        found = definitions.defs().get_repository_def().get_job(name)
        assert steps == len(found.nodes)
    (folder / "connections.yaml").write_text("nothing")
    with pytest.raises(Exception, match=r"connections\.yaml"):
        definitions.defs()


def _started(serialized: bytes, given: ReconstructableJob, found: Queue[str]) -> None:
    found.put(started_for("reverse_etl.definitions", "defs"))


@pytest.mark.thorough
def test_a_process_that_the_code_server_starts_knows_its_job() -> None:
    """Started as Dagster starts one, with the same arguments: where Python keeps them is not promised."""
    context = multiprocessing.get_context("spawn")
    found: Queue[str] = context.Queue()
    process = context.Process(target=_started, args=[b"", job("people"), found])
    process.start()
    assert "people" == found.get(timeout=60)
    process.join()


def test_syncs_that_were_seen_are_asked_for_at_once() -> None:
    """The state of all of them in one statement, however many there are, once they were seen."""
    assert ALL == defined()
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        statements.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        assert ALL == defined()
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    assert 1 == sum("first_seen_at" in each for each in statements), os.linesep.join(statements)


def test_the_files_are_read_once_for_all_jobs_of_a_command(folder: Path) -> None:
    """`run --all` executes them as they were when it began: not each sync reads every file again."""
    assert "people" == definitions.job(str(folder), "people").name
    (folder / "orders.yaml").write_text("nothing")
    assert "orders" == definitions.job(str(folder), "orders").name
    with pytest.raises(ConfigProblemsError):
        load_project(folder)

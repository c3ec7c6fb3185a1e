"""How often Dagster's SQLite files are opened in a run, and that whoever else uses them is not in the way of it."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import dagster as dg
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from dagster._core.instance.ref import InstanceRef

from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.definitions import build_definitions
from reverse_etl.defs.kept_files import keep_files_open


@dg.op
def nothing() -> None:
    """Leaves Dagster's own events."""


@dg.job(executor_def=dg.in_process_executor)
def empty() -> None:
    """One op."""
    nothing()


@pytest.fixture
def folder(made_home: Path, tmp_path: Path) -> Path:
    """Dagster's, with its databases."""
    folder = shutil.copytree(made_home / "dagster", tmp_path / "dagster")
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return folder


@contextmanager
def kept(folder: Path) -> Iterator[dg.DagsterInstance]:
    """An instance whose settings name the storage of one run."""
    named = {"module": "reverse_etl.defs.kept_files", "class": "KeptFiles", "config": {"base_dir": str(folder)}}
    ref = InstanceRef.from_dir(str(folder), overrides={"storage": {"custom": named}})
    with dg.DagsterInstance.from_ref(ref) as instance:
        yield instance


@contextmanager
def opened() -> Iterator[Counter[str]]:
    """How often each of SQLite's files is opened meanwhile, by its name."""
    times: Counter[str] = Counter()

    def note(connection: object, record: object) -> None:
        (_, _, path), *_ = connection.execute("PRAGMA database_list")  # type: ignore[attr-defined]
        times[Path(path).name] += 1

    sa.event.listen(sa.Engine, "connect", note)
    try:
        yield times
    finally:
        sa.event.remove(sa.Engine, "connect", note)


def open_here(folder: Path) -> list[str]:
    """The files of a folder that this process has open."""
    found = [os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()]
    return [each for each in found if each.startswith(str(folder))]


def test_a_run_opens_each_file_few_times(folder: Path) -> None:
    """To make or look at its tables, and once for all that follows; none stays open afterwards."""
    with opened() as times, kept(folder) as instance:
        at_the_start = times["runs.db"]
        run_id = empty.execute_in_process(instance=instance).run_id
        assert open_here(folder)
        stored = len(instance.all_logs(run_id))
    assert 1 == times["runs.db"] - at_the_start
    assert 0 < times["index.db"] <= 3
    assert 0 < times[f"{run_id}.db"] <= 6 < stored
    assert [] == open_here(folder)


def test_the_migrations_are_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each of Dagster's files, nor for that of a new run."""
    read = []
    from_config = ScriptDirectory.from_config

    def note(config: object) -> ScriptDirectory:
        read.append(config)
        return from_config(config)  # type: ignore[arg-type]

    monkeypatch.setattr(ScriptDirectory, "from_config", note)
    with kept(folder) as instance:
        assert [] == instance.all_asset_keys()
        assert instance.create_run_for_job(empty)
    assert 1 == len(read)


def test_others_read_and_write_while_files_are_kept(folder: Path) -> None:
    """Dagster's own storage sees every event at once, and what it writes is seen here."""
    with kept(folder) as instance, dg.DagsterInstance.from_config(str(folder)) as other:
        run_id = empty.execute_in_process(instance=instance).run_id
        assert dg.DagsterEventType.RUN_SUCCESS in [event.dagster_event_type for event in other.all_logs(run_id)]
        other.add_run_tags(run_id, {"by": "another"})
        other.report_engine_event("seen", other.get_run_by_id(run_id))
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert "another" == run.tags["by"]
        assert "seen" == instance.all_logs(run_id)[-1].message


def test_dagsters_page_of_a_run_follows_it(folder: Path) -> None:
    """It watches the run's file, which changes with each event, not only when it is closed."""
    arrived = Event()

    def note(event: dg.EventLogEntry, cursor: str) -> None:
        arrived.set()

    with kept(folder) as instance, dg.DagsterInstance.from_config(str(folder)) as other:
        run = instance.create_run_for_job(empty)
        instance.report_engine_event("before", run)
        other.watch_event_logs(run.run_id, None, note)
        instance.report_engine_event("after", run)
        assert arrived.wait(30)


def test_a_storage_of_another_kind_stays_as_it_is() -> None:
    """Such as the one in memory that a test of a user's project has."""
    with dg.DagsterInstance.ephemeral() as instance:
        before = type(instance.event_log_storage), type(instance.run_storage)
        keep_files_open(instance)
        assert before == (type(instance.event_log_storage), type(instance.run_storage))
        assert empty.execute_in_process(instance=instance).success


def test_a_launched_run_keeps_files_open_from_its_first_stage(
    loaded: ProjectConfig, instance: dg.DagsterInstance
) -> None:
    """Whoever started its process: afterwards no file was opened for each of its events."""
    job = build_definitions(loaded).resolve_job_def("people")
    with opened() as times:
        done = job.execute_in_process(instance=instance, raise_on_error=False)
    of_run = times[f"{done.run_id}.db"]
    assert 20 < len(instance.all_logs(done.run_id))
    assert 0 < of_run < 20, of_run

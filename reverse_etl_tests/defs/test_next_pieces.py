"""The sensor that starts the next piece: once, when nobody else has, and when nothing is in the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
import sqlalchemy as sa

from reverse_etl.changeset.pieces import Piece
from reverse_etl.config.loader import load_project
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.definitions import build_definitions
from reverse_etl.state.home import Home
from reverse_etl.state.pieces import move_pieces
from reverse_etl.state.schema import PIECES
from reverse_etl.state.store import Store, open_store
from reverse_etl.state.syncs import set_paused
from reverse_etl_tests.project import Project, people

IN_PIECES = "failed_rows: carry\npieces: {by: id, rows: 10}\n"


@pytest.fixture
def in_pieces(loaded: ProjectConfig, project: Project) -> ProjectConfig:
    """A project whose sync reads everything in pieces."""
    project.write("people.yaml", people(more=IN_PIECES))
    return load_project(project.folder / "syncs")


@pytest.fixture
def store(in_pieces: ProjectConfig) -> Store:
    """The state, in which the first of three pieces was read."""
    store = open_store(Home.from_environment().state_url)
    with store.writing() as connection:
        move_pieces(store, connection, "people", Piece(1, ("10", "20"), "id", "run", 1), 10)
    return store


def wait(store: Store, seconds: float) -> None:
    """Lets the end of the first piece be so long ago."""
    with store.writing() as connection:
        connection.execute(sa.update(PIECES).values(read_at=datetime.now(UTC) - timedelta(seconds=seconds)))


def look(project: ProjectConfig, instance: dg.DagsterInstance) -> list[dg.RunRequest] | str:
    """What the sensor answers."""
    definitions = build_definitions(project)
    sensor = definitions.resolve_sensor_def("next_pieces")
    resources = {"reverse_etl_home": (definitions.resources or {})["reverse_etl_home"]}
    repository = definitions.get_repository_def()
    with dg.build_sensor_context(instance=instance, resources=resources, repository_def=repository) as context:
        answer = sensor.evaluate_tick(context)
    return list(answer.run_requests) if answer.run_requests else str(answer.skip_message)


def test_the_next_piece_is_started_once(in_pieces: ProjectConfig, store: Store, instance: dg.DagsterInstance) -> None:
    """By the piece's own key, a minute after the one before: then a command would have started it."""
    assert "No piece is to be started." == look(in_pieces, instance)
    wait(store, 61)
    (request,) = look(in_pieces, instance)
    assert isinstance(request, dg.RunRequest)
    assert ("people", "people-run-2") == (request.job_name, request.run_key)


def test_a_paused_sync_starts_none(in_pieces: ProjectConfig, store: Store, instance: dg.DagsterInstance) -> None:
    """It says at which piece."""
    wait(store, 61)
    set_paused(store, "people", True)
    assert "people is paused before piece 2 of 3." == look(in_pieces, instance)


def test_a_run_in_the_workspace_is_waited_for(
    in_pieces: ProjectConfig, store: Store, instance: dg.DagsterInstance
) -> None:
    """The next look starts the piece, once that has ended."""
    wait(store, 61)
    tags = {"reverse_etl/workspace": "main"}
    run = instance.run_storage.add_run(dg.DagsterRun(job_name="orders", tags=tags, status=dg.DagsterRunStatus.STARTED))
    assert f"people waits: orders is in progress in main (run {run.run_id[:8]})." == look(in_pieces, instance)


def test_nothing_is_started_where_nothing_is_read_in_pieces(loaded: ProjectConfig) -> None:
    """Then there is no such sensor."""
    sensors = build_definitions(loaded).sensors or []
    assert ["runs_that_never_started"] == [sensor.name for sensor in sensors]

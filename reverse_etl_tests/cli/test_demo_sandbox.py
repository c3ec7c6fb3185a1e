"""The demo has a sandbox of its own, and leaves others alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from reverse_etl.cli.demo_sandbox import ADDRESSES, DemoSandbox, start_sandbox
from reverse_etl.config.loader import load_project
from reverse_etl.errors import ConfigError
from reverse_etl.state.home import Home
from reverse_etl_tests.project import CREDENTIALS, SHOP, Project
from reverse_etl_tests.servers.sandbox import RunningSandbox

started: list[DemoSandbox] = []


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A folder whose connections lead to where two variables say; what is started in it is ended."""
    for name in (*CREDENTIALS, *ADDRESSES):
        monkeypatch.setenv(name, "sandbox")
    yield Project(tmp_path)
    while started:
        started.pop().stop()


def start(project: Project, url: str) -> DemoSandbox:
    """Starts the demo's sandbox for a workspace at an address."""
    project.connections(SHOP, url)
    workspace = load_project(project.folder / "syncs").destinations["main"]
    started.append(start_sandbox(Home.at(project.folder / "home"), workspace))
    return started[-1]


@pytest.mark.thorough
def test_a_sandbox_of_somebody_else_is_left_alone(
    empty: Project, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address is taken: the demo's sandbox is elsewhere, and the connections lead there."""
    sandbox.add_segment("Mine")
    monkeypatch.setenv(ADDRESSES[0], sandbox.url)
    made = start(empty, f"${{{ADDRESSES[0]}}}")
    assert sandbox.url != made.url
    assert 0 == httpx.get(f"{made.url}/_sandbox/counts").json()["segments"]
    assert ["Mine"] == [segment["name"] for segment in sandbox.segments()]
    workspace = load_project(empty.folder / "syncs").destinations["main"]
    assert (made.url, made.url) == (workspace.track_base_url(), workspace.app_base_url())


@pytest.mark.thorough
def test_the_next_demo_ends_the_sandbox_of_the_one_before(
    empty: Project, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets the same address again, and is empty."""
    monkeypatch.setenv(ADDRESSES[0], sandbox.url)
    first = start(empty, f"${{{ADDRESSES[0]}}}")
    httpx.post(f"{first.url}/_sandbox/segments", json={"name": "Mine", "type": "manual"}).raise_for_status()
    second = start(empty, f"${{{ADDRESSES[0]}}}")
    assert (first.url, True) == (second.url, first.name != second.name)
    assert 0 == httpx.get(f"{second.url}/_sandbox/counts").json()["segments"]
    first.stop()
    assert 200 == httpx.get(f"{second.url}/_sandbox/counts").status_code


@pytest.mark.thorough
def test_an_address_that_is_written_down_and_taken_is_reported(empty: Project, sandbox: RunningSandbox) -> None:
    """No variable could lead the connections elsewhere."""
    with pytest.raises(ConfigError, match=f"another program listens at {sandbox.url}") as caught:
        start(empty, sandbox.url)
    assert ADDRESSES[0] in caught.value.hint

"""The demo has a sandbox of its own, and leaves others alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from reverse_etl.cli.demo_sandbox import ADDRESSES, DemoSandbox, DemoServices, start_sandbox
from reverse_etl.config.loader import load_project
from reverse_etl.errors import ConfigError
from reverse_etl.sandbox.ending import HANDED_OVER, end_after
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


def test_the_sandbox_ends_with_a_demo_that_was_ended(
    empty: Project, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends the process closes its pipe, and nothing of it has to run for that."""
    monkeypatch.setenv(ADDRESSES[0], sandbox.url)
    process = start(empty, f"${{{ADDRESSES[0]}}}").process
    assert process is not None
    assert process.stdin is not None
    assert process.poll() is None
    process.stdin.close()
    assert 0 == process.wait(30)


def test_a_sandbox_that_is_handed_over_outlives_the_demo() -> None:
    """The pipe's end means nothing once a byte came; without one it is the end."""
    for written, expected in ((HANDED_OVER, []), (b"", ["ended"])):
        reading, writing = os.pipe()
        os.write(writing, written)
        os.close(writing)
        ended: list[str] = []
        end_after(reading, partial(ended.append, "ended"))
        os.close(reading)
        assert expected == ended


def test_handing_over_writes_the_byte() -> None:
    """What the sandbox reads is what says that it goes on; one that is gone already is no error."""
    read = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    DemoServices({}, read).hand_over()
    assert read.stdout is not None
    with read.stdout as out:
        assert HANDED_OVER == out.read()
    assert 0 == read.wait(30)
    gone = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    gone.wait(30)
    DemoServices({}, gone).hand_over()

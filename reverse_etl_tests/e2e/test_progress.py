"""Whoever starts `reverse-etl run` in a terminal sees how far it is, while it runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reverse_etl_tests.project import Project, fill
from reverse_etl_tests.servers.sandbox import RunningSandbox
from reverse_etl_tests.servers.terminal import CTRL_C, Terminal

COMMAND = str(Path(sys.executable).with_name("reverse-etl"))
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


@pytest.fixture
def slow(project: Project, sandbox: RunningSandbox) -> Project:
    """A project of 4,000 people whose workspace takes half a second an answer, one request at a time."""
    fill(project.folder / "shop.db", [(n, f"p{n}@example.com", "free" * 20) for n in range(4_000)])
    connections = project.folder / "syncs" / "connections.yaml"
    connections.write_text(connections.read_text() + "    max_requests_in_flight: 1\n")
    sandbox.faults([{"match": {"path": "/api/v2/batch"}, "always": True, "do": {"delay_s": 0.5}}])
    return project


def test_the_bars_move_while_the_run_lasts(slow: Project, sandbox: RunningSandbox) -> None:
    """A frame with some of the rows delivered is there before the end; in the end each bar is full."""
    terminal = Terminal([COMMAND, "run", "people"], folder=slow.folder, environment=slow.env())
    partly = terminal.wait_for(r"deliver [^\n]*?([1-9][\d,]*) of 4,000")
    assert "4,000" != partly[1]
    assert terminal.process.poll() is None
    assert 0 == terminal.end()
    for stage in ("extract", "validate", "deliver"):
        (last,) = re.findall(rf"✓ {stage} .*", terminal.text)[-1:]
        assert re.search(r"━ +4,000.* [1-9][\d,]* rows/s", last), last
        assert len(last.rstrip()) <= 80
    assert terminal.raw.count(HIDE) == terminal.raw.count(SHOW) == 1


@pytest.mark.thorough
def test_ctrl_c_gives_the_cursor_back(slow: Project, sandbox: RunningSandbox) -> None:
    """What is drawn stays, and the terminal is as it was."""
    terminal = Terminal([COMMAND, "run", "people"], folder=slow.folder, environment=slow.env(), columns=60)
    terminal.wait_for(r"deliver [^\n]*?[1-9][\d,]* of 4,000")
    terminal.type(CTRL_C)
    assert 0 != terminal.end()
    assert terminal.raw.rindex(HIDE) < terminal.raw.rindex(SHOW)


@pytest.mark.thorough
def test_a_log_gets_no_bars(slow: Project, sandbox: RunningSandbox) -> None:
    """Stderr that is no terminal has plain lines, and few."""
    done = subprocess.run(
        [COMMAND, "run", "people"], cwd=slow.folder, env=slow.env(), capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode
    assert "\x1b" not in done.stderr
    assert len(done.stderr.splitlines()) <= 3

"""What every command shows in a terminal of 60 and 80 columns: words are whole, and lines end at its edge."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reverse_etl.times import _UNITS
from reverse_etl_tests.cli.test_init import answered
from reverse_etl_tests.project import Project, fill, people
from reverse_etl_tests.servers.dagster_ui import free_port
from reverse_etl_tests.servers.sandbox import RunningSandbox, running_sandbox

pytestmark = pytest.mark.thorough

WIDTHS = (60, 80)
SYNC = "everyone_with_an_account_in_the_shop"
COMMANDS = (
    ("status",),
    ("history", SYNC),
    ("errors", SYNC),
    ("preview", SYNC, "--full"),
    ("validate",),
    ("validate", "not_there"),
    ("run", SYNC, "--full"),
    ("retry", SYNC),
    ("test-connection", "shop"),
    ("test-connection", "main"),
    ("test-connection", "not_there"),
    ("pause", SYNC),
    ("resume", SYNC),
    ("errors", SYNC, "--csv", "failed.csv"),
    ("history", "idle"),
    ("errors", "idle"),
    ("retry", "idle"),
    ("schema", "--output", "."),
    ("test-connection", "data_team"),
    ("not-there",),
)
BOXES = "│╭╮╰╯─"
HELP = re.compile(r"│ ([a-z-]+) ")
AGES = {"now", "ago"} | {f"{unit}{s}" for unit, _ in _UNITS for s in ("", "s")}
"""Words that come and go with the time between two commands."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, RunningSandbox]]:
    """A sync with a long name that has run twice: with failed rows, a share gate that warns, and a late window."""
    folder = tmp_path_factory.mktemp("a_folder_whose_name_is_longer_than_those_of_most_other_folders")
    with running_sandbox() as sandbox:
        project = Project(folder, {"ALERTS_URL": "http://127.0.0.1:9/"})
        project.connections("  shop:\n    type: sqlite\n    path: ../shop.db\n    late: 10m\n", sandbox.url)
        rows = [(str(n), f"person{n}@a-long-name-of-a-company.example.com", "free") for n in range(8)]
        bad = [("8", "no address at all", "free"), ("9", "ann@example.com", "a plan that is not one of the three")]
        fill(folder / "shop.db", [*rows, *bad])
        checks = (
            "checks:\n  - {accepted_values: {column: plan, values: [free, pro, team]}}\n  - {max_failed_rows: 100%}\n"
        )
        project.write(f"{SYNC}.yaml", people(more=checks))
        for _ in range(2):
            code, report = project.run(SYNC)
            assert 7 == code, report
        project.write("idle.yaml", people())
        with (folder / "syncs" / "connections.yaml").open("a") as connections:
            connections.write("notify:\n  data_team: {type: webhook, url: '${ALERTS_URL}', on: {failure: true}}\n")
        assert "no problems" in _shown(project, 1000, "validate")
        yield project, sandbox


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_fits(command: tuple[str, ...], shop: tuple[Project, RunningSandbox]) -> None:
    """What a wide terminal shows of it has all words of the narrow ones."""
    project, _ = shop
    _fits(lambda width: _shown(project, width, *command))


def test_history_is_a_table_at_80_columns(shop: tuple[Project, RunningSandbox]) -> None:
    """With the moment from which was read, and excluded rows or without."""
    heading, *_ = _shown(shop[0], 80, "history", SYNC).splitlines()
    assert ["run", "started", "(UTC)", "status", "took", "read", "delivered", "failed"] == heading.split()


def test_the_demo_fits(tmp_path: Path) -> None:
    """All three acts, and what to type next, in a narrow terminal: at 80 columns it is the README's picture."""
    shown = {}
    for width in (1000, 60):
        (folder := tmp_path / str(width)).mkdir()
        shown[width] = _shown(Project(folder), width, "demo", "--stop-sandbox")
    wide, narrow = shown[1000], shown[60]
    assert "3. Three customers buy something" in wide
    _check(60, narrow, wide)


def test_a_folder_without_syncs_fits(tmp_path: Path) -> None:
    """Commands end with the first step."""
    for command in (("status",), ("validate",), ("run", SYNC)):
        _fits(lambda width, command=command: _shown(Project(tmp_path), width, *command))  # type: ignore[misc]


def test_the_sandbox_fits(tmp_path: Path) -> None:
    """It serves until it is ended."""
    _fits(lambda width: _served(Project(tmp_path), width, "sandbox", "--port", "0", until="The workspace"))


def test_the_ui_fits(shop: tuple[Project, RunningSandbox]) -> None:
    """With what Dagster prints when it starts and ends."""
    port = str(free_port())
    narrow = _served(shop[0], 80, "ui", "--port", port, "--syncs-port", "0", until="DAGSTER_HOME")
    assert f"http://127.0.0.1:{port}" in narrow
    _check(80, narrow, None)


def test_operations_fit_but_for_the_operations(shop: tuple[Project, RunningSandbox]) -> None:
    """Each of these is one line, to the byte."""
    command = ("preview", SYNC, "--full", "--operations")
    whole = [line for line in _shown(shop[0], 1000, *command).splitlines() if line.startswith("{")]
    assert whole
    narrow = _shown(shop[0], 60, *command)
    for operation in whole:
        assert operation in narrow.splitlines()
    _check(60, "\n".join(line for line in narrow.splitlines() if line not in whole), None)


def test_problems_fit(shop: tuple[Project, RunningSandbox], tmp_path: Path) -> None:
    """Those of `validate`, and the error with which other commands end on the same files."""
    shutil.copytree(shop[0].folder / "syncs", tmp_path / "syncs")
    project = Project(tmp_path)
    project.write("another_sync_with_a_long_name.yaml", people().replace("database: shop", "databse: shop"))
    for command in (("validate",), ("status",), ("run", SYNC)):
        _fits(lambda width, command=command: _shown(project, width, *command))  # type: ignore[misc]


@pytest.mark.parametrize(
    "destination",
    [
        ("no destination", "customerio", "", "my own", "live", "moon", "us", "people", "people", "id"),
        (
            "postgres",
            "crm",
            "a-database-with-a-long-name.example.com",
            "x",
            "",
            "crm",
            "writer",
            "",
            "people",
            "members",
            "id",
        ),
    ],
    ids=lambda typed: typed[0],
)
def test_questions_fit(destination: tuple[str, ...], tmp_path: Path) -> None:
    """Those of `init`, the longest of which has the types of databases, and what it says of wrong answers."""
    typed = ["no engine", "sqlite", "a name with blanks", "", "../not_there.db", "../shop.db", *destination]
    typed += ["customers", "", "email, plan", "updated_at", "often", "manual"]

    def asked(width: int) -> str:
        folder = tmp_path / f"{width}"
        folder.mkdir()
        fill(folder / "shop.db", [])
        done = answered(folder, *typed, columns=width)
        assert 0 == done.returncode, done.stderr
        # What is typed ends a question's line.
        return re.sub(r"(?<=:) (?=\S)", "\n", done.stderr)

    _fits(asked)


def test_help_fits(tmp_path: Path) -> None:
    """Of all commands, at 80 columns."""
    project = Project(tmp_path)
    commands = HELP.findall(_shown(project, 80, "--help"))
    assert {"init", "ui", "history"} <= set(commands)
    for command in ((), *((name,) for name in commands)):
        narrow, wide = (_shown(project, width, *command, "--help") for width in (80, 1000))
        _check(80, re.sub(f"[{BOXES}]", " ", narrow), re.sub(f"[{BOXES}]", " ", wide))


def _fits(show: Callable[[int], str]) -> None:
    wide = show(1000)
    assert wide.strip()
    for width in WIDTHS:
        _check(width, show(width), wide)


def _check(width: int, narrow: str, wide: str | None) -> None:
    """Each word is one of those that the wide terminal shows; only a line of one long word goes over the edge."""
    if wide is not None:
        assert set() == _words(narrow) - _words(wide) - AGES, narrow
    for line in narrow.splitlines():
        over = len(line.rstrip()) > width
        # In a table that is shown as blocks, a heading stands before the word.
        assert not over or max(map(len, line.split())) > width - 24, line


def _words(shown: str) -> set[str]:
    """The words, whatever the numbers in them are today; no lines of tables and boxes."""
    return {re.sub(r"[0-9a-f]{8}(-[0-9a-f-]{27})?|\d[\d,.]*", "0", word) for word in shown.split() if word.strip(BOXES)}


def _shown(project: Project, width: int, *command: str) -> str:
    project = Project(project.folder, project.environment | {"COLUMNS": str(width)})
    done: subprocess.CompletedProcess[str] = project.reverse_etl(*command)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


def _served(project: Project, width: int, *command: str, until: str) -> str:
    """What a command that does not end by itself prints, ended by Ctrl-C after a line with certain words."""
    shown = []
    with subprocess.Popen(
        [str(Path(sys.executable).with_name("reverse-etl")), *command],
        cwd=project.folder,
        env=project.env() | {"COLUMNS": str(width)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        for line in process.stdout or []:
            shown.append(line)
            if until in line:
                os.killpg(process.pid, signal.SIGINT)
    return "".join(shown)

"""What the tests of several rooms share: one sandbox per worker, a project folder per test, a SQLite shop."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.terminal import TerminalReporter
from hypothesis import HealthCheck, settings

from reverse_etl.cli.dagster_home import make_storage
from reverse_etl.files.private import make_private_folder
from reverse_etl.state.store import open_store
from reverse_etl_tests import dagster_storage as dagster_storage
from reverse_etl_tests import warm
from reverse_etl_tests.one_duckdb import one_duckdb
from reverse_etl_tests.project import SHOP, Project, fill, people
from reverse_etl_tests.servers.saas import RunningStandins, Saas, running_standins
from reverse_etl_tests.servers.sandbox import RunningSandbox, running_sandbox

# The sandbox applies what it accepts at once: there is nothing to wait for.
os.environ["REVERSE_ETL_READ_BACK_WAIT_S"] = "0"

# Shells let what they start in the background ignore Ctrl-C, and tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long examples take to make is the machine's doing.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# Modules and tests stay until the end: while they are collected, and later among them, there is no garbage to find.
gc.disable()


def pytest_configure(config: pytest.Config) -> None:
    """A worker's commands are forked where those of all others are."""
    if (given := getattr(config, "workerinput", None)) is not None:
        warm.join(given["forks"])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker where that is."""
    node.workerinput["forks"] = warm.share()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """From here on garbage is collected, among what the tests themselves make."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _one_duckdb() -> Iterator[None]:
    with one_duckdb():
        yield


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[RunningSandbox]:
    """One sandbox for all tests of this worker; runs whose clock jumps over waits ask it at any rate."""
    with running_sandbox(keep_bodies=True, app_rate_limit=0) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(sandbox_server: RunningSandbox) -> RunningSandbox:
    """The worker's sandbox, empty."""
    sandbox_server.clear_faults()
    sandbox_server.reset()
    return sandbox_server


@pytest.fixture(scope="session")
def saas_servers() -> Iterator[RunningStandins]:
    """The worker's stand-ins, each started when a test first asks for it."""
    with running_standins() as standins:
        yield standins


@pytest.fixture
def saas(saas_servers: RunningStandins) -> Saas:
    """The worker's stand-in of a name, such as `slack`, empty: `saas("slack").url`."""
    return saas_servers.empty


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder whose databases are made and empty, as the second command finds it."""
    folder = tmp_path_factory.mktemp("made") / "home"
    make_private_folder(folder / "dagster")
    open_store(f"sqlite:///{folder / 'state.db'}")
    make_storage(folder / "dagster")
    return folder


@pytest.fixture
def project(new_project: Project, made_home: Path) -> Project:
    """A project as ``new_project``, with a home folder in which nothing is left to make."""
    shutil.copytree(made_home, new_project.folder / "home")
    return new_project


@pytest.fixture
def new_project(tmp_path: Path, sandbox: RunningSandbox) -> Project:
    """A project whose database `shop` is an SQLite file with three good people, before its first command."""
    project = Project(tmp_path)
    project.connections(SHOP, sandbox.url)
    fill(
        tmp_path / "shop.db",
        [("1", "ann@example.com", "free"), ("2", "bob@example.com", "pro"), ("3", "cy@example.com", "")],
    )
    project.write("people.yaml", people())
    return project


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI everything can be installed: a test that was skipped there has not shown what it must."""
    warm.stop()
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Says which database engines were tested against what."""
    reports = terminalreporter.getreports("passed")
    engines = {value for report in reports for name, value in report.user_properties if name == "engine"}
    if engines:
        terminalreporter.section("database engines")
        for line in sorted(map(str, engines)):
            terminalreporter.write_line(line)

"""Runs the cases: each as a user starts it, its stages alone, its floor; on servers that it starts itself."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reverse_etl_tests.benchmarks.whole.cases import QUERY, TABLE, Case, table
from reverse_etl_tests.benchmarks.whole.child import ChildError, Ran, busy_share, ran
from reverse_etl_tests.benchmarks.whole.sink import Sink, running_sink
from reverse_etl_tests.project import Project
from reverse_etl_tests.servers import mariadb, postgres

SYNC: Final = f"""\
database: shop
workspace: main
schedule: manual
people: {{identify_by: id}}
query: {QUERY}
"""
_CONNECTION: Final = """\
databases:
  shop: {{type: {engine}, host: {host}, port: {port}, database: shop, user: reader, password: "${{{variable}}}", ca_file: {ca_file}}}
workspaces:
  main:
    site_id: ${{CUSTOMERIO_SITE_ID}}
    track_api_key: ${{CUSTOMERIO_TRACK_API_KEY}}
    track_url: {url}
    requests_per_second: 10000
"""  # fmt: skip  # noqa: E501
_ROOT: Final = Path(__file__).parents[3]
_OURS: Final = "reverse_etl_tests.benchmarks.whole"


@dataclass(frozen=True, slots=True)
class Server:
    """A database of one engine.

    Attributes:
        engine: ``postgres`` or ``mysql``.
        running: Its server, as ``reverse_etl_tests.servers`` has it.
        password: By the name of its environment variable.
    """

    engine: str
    running: Any
    password: dict[str, str]

    def execute(self, *statements: str) -> None:
        """As superuser."""
        with self.running.admin() as admin:
            for statement in statements:
                admin.execute(statement)


@contextmanager
def servers() -> Iterator[Callable[[str], Server]]:
    """Starts a server of an engine when it is first asked for, and stops all of them, whatever happens."""
    with ExitStack() as stack:
        started: dict[str, Server] = {}

        def of(engine: str) -> Server:
            if engine not in started:
                if engine == "postgres":
                    binaries = postgres.find_binaries()
                    if binaries is None:
                        raise ChildError(postgres.INSTALL)
                    running: Any = stack.enter_context(postgres.postgres_server(binaries))
                    password = {postgres.PASSWORD_VARIABLE: postgres.PASSWORD}
                else:
                    programs = mariadb.find_programs()
                    if programs is None:
                        raise ChildError(mariadb.INSTALL)
                    running = stack.enter_context(mariadb.mariadb_server(programs, log=False))
                    password = {mariadb.PASSWORD_VARIABLE: mariadb.PASSWORD}
                started[engine] = Server(engine, running, password)
            return started[engine]

        yield of


@contextmanager
def prepared(case: Case, server: Server) -> Iterator[tuple[Project, Sink]]:
    """A project with the case's table, and a sink."""
    with tempfile.TemporaryDirectory() as folder, running_sink(case.latency_ms / 1000) as sink:
        project = Project(Path(folder), server.password | {"PYTHONPATH": str(_ROOT)})
        running = server.running
        text = _CONNECTION.format(
            engine=server.engine, host=running.host, port=running.port, ca_file=running.ca_file, url=sink.url,
            variable=next(iter(server.password)),
        )  # fmt: skip
        project.write("connections.yaml", text)
        project.write("people.yaml", SYNC)
        server.execute(f"DROP TABLE IF EXISTS {TABLE}", table(case), f"ANALYZE {_TABLE_WORD[server.engine]} {TABLE}")
        try:
            yield project, sink
        finally:
            server.execute(f"DROP TABLE IF EXISTS {TABLE}")


_TABLE_WORD: Final = {"postgres": "", "mysql": "TABLE"}


def whole(project: Project, sink: Sink, case: Case) -> dict[str, float]:
    """One ``reverse-etl run``, counted by the sink. Raises ChildError."""
    sink.begin()
    command = [str(Path(sys.executable).with_name("reverse-etl")), "run", "people", "--json", "--full"]
    done = ran(command, folder=project.folder, environment=project.env())
    return taken(done, sink, case) | {"run_s": done.printed["duration_s"]}


def taken(done: Ran, sink: Sink, case: Case) -> dict[str, float]:
    """What a command took, with what arrived. Raises ChildError where that is not what was in the table."""
    arrived = sink.counts()
    if arrived.operations != case.rows:
        raise ChildError(f"{arrived.operations:,} rows arrived of {case.rows:,}")
    return {
        "wall_s": done.wall_s,
        "cpu_s": done.cpu_s,
        "peak_mb": done.peak_mb,
        "requests": arrived.requests,
        "body_bytes": arrived.body_bytes,
    }


def stages(project: Project) -> dict[str, Any]:
    """The stages alone. Raises ChildError."""
    return _ours(project, "stages", "people")


def floor(project: Project, sink: Sink, case: Case) -> dict[str, Any]:
    """The floor. Raises ChildError where not all rows arrived."""
    sink.begin()
    found = _ours(project, "floor", str(case.rows), str(sink.port))
    arrived = sink.counts()
    if arrived.operations != case.rows:
        raise ChildError(f"the floor's bodies have {arrived.operations:,} rows of {case.rows:,}")
    return found


def _ours(project: Project, module: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", f"{_OURS}.{module}", *arguments]
    return ran(command, folder=project.folder, environment=project.env()).printed


def measured(case: Case, server: Callable[[str], Server], runs: int) -> dict[str, Any]:
    """Everything about one case, in turn; what fails is an ``error`` beside what was measured before."""
    found: dict[str, Any] = dataclasses.asdict(case) | {"runs": [], "floor": [], "stages": [], "busy": [], "error": ""}
    try:
        with prepared(case, server(case.engine)) as (project, sink):
            for _ in range(min(runs, case.most_runs)):
                found["busy"].append(busy_share())
                found["runs"].append(whole(project, sink, case))
                found["floor"].append(floor(project, sink, case))
            if case.stages:
                found["stages"].append(stages(project))
    except (ChildError, OSError, subprocess.SubprocessError, RuntimeError, TimeoutError) as error:
        found["error"] = (str(error).splitlines() or ["no reason given"])[0]
    return found

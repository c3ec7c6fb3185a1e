"""Ctrl-C: no traceback, exit code 130, and a run that had begun is canceled in the history."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reverse_etl_tests.e2e.in_progress import batches, history
from reverse_etl_tests.project import Project, people
from reverse_etl_tests.servers.dagster_ui import free_port
from reverse_etl_tests.servers.sandbox import RunningSandbox, wait_until

SLOW = {"match": {"path": "/api/v2/batch"}, "always": True, "do": {"delay_s": 3}}


def interrupted(process: subprocess.Popen[str], when: Callable[[], bool], *, times: int = 1) -> tuple[int, str]:
    """What a command says and ends with after Ctrl-C, which reaches all processes of the terminal, as it does there."""
    try:
        wait_until(when, timeout_s=60)
        for _ in range(times):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.1)
        _, said = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, said


def command(project: Project, *arguments: str) -> subprocess.Popen[str]:
    """A command in a process group of its own, as a shell starts it; its stderr is in `command.log` too."""
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("reverse-etl")), *arguments],
        cwd=project.folder,
        env=project.env(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def asked_for(sandbox: RunningSandbox) -> int:
    """How many batches have come, answered or not."""
    return sum(request["path"] == "/api/v2/batch" for request in sandbox.requests())


def listens(port: int) -> bool:
    """Whether a server answers there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_sandbox_ends_with_130(project: Project) -> None:
    """As it does for any other command, before or after it has said where it is."""
    port = free_port()
    code, said = interrupted(command(project, "sandbox", "--port", str(port)), lambda: listens(port))
    assert (130, True) == (code, said.endswith("\nStopped.\n")), said


def test_a_command_that_starts_ends_with_130(project: Project) -> None:
    """While its modules are loaded, too."""
    code, said = interrupted(process := command(project, "status"), lambda: _imports(process.pid))
    assert (130, True) == (code, said in ("", "\nStopped.\n")), said


def _imports(pid: int) -> bool:
    """Whether the process has come to a module that `reverse-etl` loads."""
    return "pydantic_core" in Path(f"/proc/{pid}/maps").read_text()


CLOSING = """
import os, signal, sys
import reverse_etl.run.stages as stages

def close(*_, **options):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        raise RuntimeError("Query interrupted") from None

stages.close = close
sys.argv = ["reverse-etl", "run", "people"]
signal.signal(signal.SIGINT, signal.default_int_handler)
from reverse_etl.cli.main import main
main()
"""
"""Presses Ctrl-C as a run is closed, while a library has it that makes an error of its own of it, as DuckDB does."""


def test_one_while_a_run_is_closed_cancels_it(project: Project, sandbox: RunningSandbox) -> None:
    """Its rows were delivered, and are counted; the run has not failed."""
    done = project.command(sys.executable, "-c", CLOSING)
    assert (130, True) == (done.returncode, "people: canceled" in done.stderr), done.stderr
    (ended,) = history(project)
    assert ("canceled", 3) == (ended["status"], ended["rows"]["delivered"])


def test_one_while_the_commands_are_loaded_ends_with_130(project: Project) -> None:
    """Whatever the module that is just being imported makes of it."""
    pressed = PRESSED.format(module="typer", how="turned", arguments="'status'").replace("cli.main", "cli.entry")
    done = project.command(sys.executable, "-c", pressed)
    assert (130, "", "") == (done.returncode, done.stdout, done.stderr)


PRESSED = """
import os, signal, sys, weakref

class Thing: pass

def press(_=None):
    os.kill(os.getpid(), signal.SIGINT)

def dropped():
    thing = Thing()
    last = weakref.ref(thing, press)
    del thing

def turned():
    try:
        press()
    except BaseException as error:
        raise RuntimeError("cannot build: " + type(error).__name__)

def swallowed():
    try:
        press()
    except BaseException as error:
        print("Exception: " + type(error).__name__, file=sys.stderr)

class Finder:
    def find_spec(self, name, *rest):
        if name == "{module}":
            sys.meta_path.remove(self)
            {how}()

sys.meta_path.insert(0, Finder())
sys.argv = ["reverse-etl", {arguments}]
signal.signal(signal.SIGINT, signal.default_int_handler)
from reverse_etl.cli.main import main
main()
"""
"""Presses Ctrl-C as a module is imported, where what is raised is dropped, or made into something else, by others."""


@pytest.mark.parametrize(
    ("module", "how"),
    [
        ("dagster", "turned"),
        pytest.param("dagster._core.storage.noop_compute_log_manager", "swallowed", marks=pytest.mark.thorough),
        pytest.param("reverse_etl.definitions", "dropped", marks=pytest.mark.thorough),
    ],
)
def test_one_that_others_keep_before_the_first_stage_is_heard(
    project: Project, sandbox: RunningSandbox, module: str, how: str
) -> None:
    """While Dagster is imported, its instance is opened, and the sync's job is built: nothing was read or sent."""
    pressed = PRESSED.format(module=module, how=how, arguments="'run', 'people'")
    done = project.command(sys.executable, "-c", pressed)
    assert (130, "", "\nStopped.\n") == (done.returncode, done.stdout, done.stderr)
    assert [] == batches(sandbox)


@pytest.mark.parametrize(
    ("arguments", "module"),
    [
        ("'sandbox', '--port', '0'", "uvicorn.protocols.http.httptools_impl"),
        pytest.param("'sandbox', '--port', '0', '--all'", "asyncio.base_events", marks=pytest.mark.thorough),
        pytest.param("'syncs-page', '--listen', '127.0.0.1:0'", "uvicorn", marks=pytest.mark.thorough),
    ],
)
def test_one_that_python_drops_ends_a_command_that_serves(project: Project, arguments: str, module: str) -> None:
    """Raised in the callback of a weak reference or of the garbage collector, while it starts: it comes again."""
    pressed = PRESSED.format(module=module, how="dropped", arguments=arguments)
    done = project.command(sys.executable, "-c", pressed)
    assert (130, "") == (done.returncode, done.stdout)
    assert done.stderr.endswith("\nStopped.\n")


def test_an_error_that_is_made_of_one_ends_any_command_with_130(project: Project) -> None:
    """A library's own error, while its models are built for example, is no defect of ours."""
    pressed = PRESSED.format(module="reverse_etl.config.loader", how="turned", arguments="'validate'")
    done = project.command(sys.executable, "-c", pressed)
    assert (130, "", "\nStopped.\n") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.thorough
@pytest.mark.parametrize("times", [1, 2])
def test_a_run_is_canceled(project: Project, sandbox: RunningSandbox, times: int) -> None:
    """Once in order, twice at once: canceled in the history, and the next run sends the rest."""
    sandbox.faults([SLOW])
    run = command(project, "run", "people", "--json")
    code, said = interrupted(run, lambda: asked_for(sandbox) > 0, times=times)
    assert (130, False) == (code, "Traceback" in said), said
    assert "people: canceled" in said
    (ended,) = history(project)
    assert ("canceled", 130) == (ended["status"], ended["exit_code"])
    sandbox.clear_faults()
    assert 0 == project.run("people")[0]
    assert 3 == len({each for batch in batches(sandbox) for each in batch})


@pytest.mark.thorough
def test_a_retry_is_canceled(project: Project, sandbox: RunningSandbox) -> None:
    """While it sends; the failed row can be retried after that."""
    project.write("people.yaml", people(more="checks: [{accepted_values: {column: plan, values: [pro]}}]\n"))
    assert 7 == project.run("people")[0]
    project.write("people.yaml", people())
    sandbox.faults([SLOW])
    before = asked_for(sandbox)
    code, said = interrupted(command(project, "retry", "people"), lambda: asked_for(sandbox) > before)
    _is_stopped(code, said)
    assert "canceled" == history(project)[0]["status"]


@pytest.mark.thorough
def test_a_demo_is_canceled(tmp_path: Path) -> None:
    """While its first run is in progress; what it started ends with it."""
    project = Project(tmp_path)
    code, said = interrupted(command(project, "demo"), lambda: (tmp_path / "home" / "state.db").exists())
    _is_stopped(code, said)


def test_test_connection_ends_with_130(project: Project) -> None:
    """Also while it waits for a database that takes the connection and then never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"host: 127.0.0.1, port: {silent.getsockname()[1]}, database: d, user: u, tls: disable"
        project.connections(f"  silent: {{type: postgres, {server}, password: '${{SHOP_PASSWORD}}'}}\n")
        project.write("people.yaml", people().replace("database: shop", "database: silent"))
        project.environment["SHOP_PASSWORD"] = "secret"
        process = command(project, "test-connection", "silent")
        silent.settimeout(60)
        probe, _ = silent.accept()
        login, _ = silent.accept()
        with probe, login:
            code, said = interrupted(process, lambda: bool(login.recv(8, socket.MSG_PEEK)))
    _is_stopped(code, said)


def _is_stopped(code: int, said: str) -> None:
    """Whether a command ended as Ctrl-C ends it: 130, no traceback, and the cursor shown again where it was hidden."""
    assert (130, False) == (code, "Traceback" in said), said
    assert said.endswith("\nStopped.\n") or "the run was canceled." in said, said
    assert said.count("\x1b[?25l") <= said.count("\x1b[?25h"), said


@pytest.mark.thorough
@pytest.mark.parametrize("times", [1, 2])
def test_the_ui_ends_with_130(project: Project, times: int) -> None:
    """And its daemon and code server with it; before that it says where its page is, without a warning."""
    port = free_port()
    code, said = interrupted(
        command(project, "ui", "--port", str(port), "--syncs-port", "0"), lambda: listens(port), times=times
    )
    # A second signal may reach Dagster's own processes in a thread of theirs, which they then print.
    assert (130, False) == (code, "Warning" in said or ("Traceback" in said and times == 1)), said
    assert not listens(port)


def test_a_port_that_is_taken_is_a_sentence(project: Project) -> None:
    """With the option that helps, before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = project.reverse_etl("ui", "--port", str(port))
    assert (2, "") == (done.returncode, done.stdout)
    assert f"port {port} is in use. Choose another: reverse-etl ui --port {port + 1}" in done.stderr

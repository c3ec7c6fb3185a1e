"""How a command's process ends, and what a run of few rows imports; each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.sandbox import RunningSandbox

END = "from reverse_etl.cli.at_exit import end_at_once\n"


def ended(program: str) -> tuple[int, str]:
    """The exit code of a program, and what it printed."""
    done = subprocess.run([sys.executable, "-c", END + program], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_what_was_registered_runs_and_what_was_printed_is_written() -> None:
    """Once each, with the exit code of `sys.exit`; nothing comes after."""
    program = (
        "import atexit\natexit.register(print, 'registered')\nprint('printed', end=' ')\nend_at_once(7)\nprint('after')"
    )
    assert (7, "printed registered\n") == ended(program)
    assert (0, "") == ended("end_at_once(None)")


def test_a_thread_in_progress_is_waited_for() -> None:
    """Python ends the process then."""
    last = "lambda: (threading.main_thread().join(), print('done'))"
    program = f"import threading, sys\nthreading.Thread(target={last}).start()\nend_at_once(7)\nsys.exit(5)"
    assert (5, "done\n") == ended(program)


def test_a_sentence_instead_of_a_code_is_printed_by_python() -> None:
    """As `sys.exit` does it, with exit code 1."""
    assert (1, "sentence\n") == ended("import sys\nend_at_once('sentence')\nsys.exit('sentence')")


@pytest.mark.thorough
def test_a_run_imports_what_it_needs(project: Project, sandbox: RunningSandbox) -> None:
    """Neither what Arrow would import, nor a database for a few rows, nor what was not asked for."""
    needless = (
        *("pandas", "pyarrow.dataset", "duckdb", "reverse_etl.cli.commands.verify", "reverse_etl.run.verify"),
        *("reverse_etl.destinations.amplitude", "reverse_etl.destinations._sql"),
    )
    program = (
        "import atexit, sys; from reverse_etl.cli.main import main; sys.argv = ['reverse-etl', 'run', 'people'];"
        f"atexit.register(lambda: print([name for name in {needless} if name in sys.modules])); main()"
    )
    done = project.command(sys.executable, "-c", program)
    assert (0, "[]\n") == (done.returncode, done.stdout), done.stderr


COUNTED = """\
import atexit, gc, sys
from reverse_etl.cli.main import main
gc.set_threshold(1_000_000)
found = []
gc.callbacks.append(lambda phase, _: found.append(phase) if phase == "start" else None)
sys.argv = ["reverse-etl", "run", "people"]
atexit.register(lambda: print(len(found), *gc.get_threshold()[:1]))
main()
"""


@pytest.mark.thorough
def test_a_run_collects_no_garbage_while_it_starts(project: Project, sandbox: RunningSandbox) -> None:
    """68 collections before, most of them of what had just been imported; once it reads rows, as often as ever."""
    done = project.command(sys.executable, "-c", COUNTED)
    collections, between = done.stdout.split()
    assert (0, "4000") == (done.returncode, between), done.stderr
    assert int(collections) < 20


CLOSES = """
import sqlalchemy as sa
from reverse_etl.cli.main import log_no_interrupts
log_no_interrupts()
class DagsterExecutionInterruptedError(BaseException): pass
engine = sa.create_engine("sqlite://", poolclass=sa.NullPool)
def close(connection):
    raise {error}
engine.dialect.do_close = close
connection = engine.connect()
try:
    connection.close()
except (KeyboardInterrupt, DagsterExecutionInterruptedError):
    print("raised")
"""


@pytest.mark.parametrize(
    ("error", "raised", "logged"),
    [
        ("KeyboardInterrupt", True, False),
        ("DagsterExecutionInterruptedError", True, False),
        ("OSError(5)", False, True),
    ],
)
def test_a_ctrl_c_while_a_connection_closes_is_raised_and_not_logged(error: str, raised: bool, logged: bool) -> None:
    """With its stack, as SQLAlchemy does; what else keeps a connection from closing is still logged."""
    command = [sys.executable, "-c", CLOSES.format(error=error)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert raised == ("raised" in done.stdout)
    assert logged == ("Exception closing connection" in done.stderr)
    assert logged == ("Traceback" in done.stderr)

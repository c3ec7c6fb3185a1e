"""Which job of a code location Dagster started this process to run; every other process needs all of them.

A run's process loads the code location again. Dagster does not tell the code location why, but how the process was
started shows it: the code server hands the job to a process of its own, launchers of containers name it in the command.
"""

import multiprocessing
import sys
from collections.abc import Iterator

from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.origin import JobPythonOrigin
from dagster._grpc.types import ExecuteRunArgs, ResumeRunArgs
from dagster._serdes import deserialize_value

_COMMANDS = (["api", "execute_run"], ["api", "resume_run"])


def started_for(module: str, attribute: str) -> str:
    """The name of the job of this code location that the process runs; empty where it is for more, or not known.

    Args:
        module: Where the code location's definitions are, such as ``reverse_etl.definitions``.
        attribute: Their name in it. What another module makes of them may need all.
    """
    for origin in (*_by_code_server(), *_by_command(sys.argv)):
        pointer = origin.repository_origin.code_pointer
        if isinstance(pointer, ModuleCodePointer) and (module, attribute) == (pointer.module, pointer.fn_name):
            return origin.job_name
    return ""


def _by_code_server() -> Iterator[JobPythonOrigin]:
    """Dagster's ``StartRun`` starts a process with the job among the arguments of its function."""
    arguments = getattr(multiprocessing.current_process(), "_args", ())
    yield from (each.get_python_origin() for each in arguments if isinstance(each, ReconstructableJob))


def _by_command(command: list[str]) -> Iterator[JobPythonOrigin]:
    """``dagster api execute_run '{…}'``, as Kubernetes' and Docker's launchers write it."""
    if len(command) == 4 and command[1:3] in _COMMANDS:
        known: ExecuteRunArgs | ResumeRunArgs = deserialize_value(command[3], (ExecuteRunArgs, ResumeRunArgs))
        yield known.job_origin

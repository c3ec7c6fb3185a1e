"""Dagster's folder: where it lies, what is in it before Dagster starts, and its storage, made by one process at a time.

Two processes that start Dagster on an empty folder both make its tables, and the one that comes second leaves them
broken for good. Here the first makes them beside the folder's own and moves them there whole; others wait for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from contextlib import ExitStack, contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reverse_etl.cli.dagster_settings import DAGSTER_HOME_VARIABLE, SHIPPED, stored_elsewhere
from reverse_etl.errors import INTERRUPTIONS, StateError
from reverse_etl.files.private import PRIVATE_FOLDER, make_private_folder, open_private
from reverse_etl.settings import TARGET_VARIABLE, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import dagster as dg

    from reverse_etl.state.home import Home

_DATABASES: Final = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
"""What Dagster makes in its folder when it starts there for the first time."""

_LOCK: Final = ".reverse_etl_lock"
_TARGET_NOTE: Final = ".reverse_etl_target"

_UNCAPTURED: Final = {
    "module": "dagster._core.storage.noop_compute_log_manager",
    "class": "NoOpComputeLogManager",
    "config": {},
}
"""Leaves the output of a run to the terminal: what would capture it are processes that Ctrl-C ends noisily."""


def dagster_environment(home: Home, syncs: Path) -> None:
    """Sets what Dagster reads: the folder of the syncs, the home folder, and DAGSTER_HOME in it unless set.

    Raises:
        StateError: Dagster's folder is not there, or cannot be written.
    """
    os.environ["REVERSE_ETL_SYNCS"] = str(syncs.absolute())
    os.environ["REVERSE_ETL_HOME"] = str(home.path.absolute())
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")
    folder = dagster_folder(home)
    if not os.environ.get(DAGSTER_HOME_VARIABLE):
        shipped_file(home, "dagster.yaml")
        os.environ[DAGSTER_HOME_VARIABLE] = str(folder)
    elif target := value_of(TARGET_VARIABLE):
        _keep_for(folder, target)
    with _in_words(folder):
        make_storage(folder)


def _keep_for(folder: Path, target: str) -> None:
    """Notes whose DAGSTER_HOME it is. Raises StateError where it is another target's: their runs would be mixed up."""
    note = folder / _TARGET_NOTE
    with _in_words(folder):
        try:
            with os.fdopen(open_private(note, os.O_CREAT | os.O_EXCL | os.O_WRONLY), "w") as file:
                file.write(target)
        except FileExistsError:
            if (other := note.read_text()) != target:
                raise StateError(
                    f"{DAGSTER_HOME_VARIABLE} is that of the target {other}, and {TARGET_VARIABLE} is {target}.",
                    hint=f"Set {DAGSTER_HOME_VARIABLE} to a folder of its own, or unset it: then it lies in the home "
                    "folder of the target.",
                ) from None


def dagster_folder(home: Home) -> Path:
    """The folder that is or will be DAGSTER_HOME, by a name that Dagster can use.

    Raises:
        StateError: DAGSTER_HOME does not name a folder.
    """
    if named := os.environ.get(DAGSTER_HOME_VARIABLE):
        folder = Path(named)
        if not folder.is_absolute() or not folder.is_dir():
            raise StateError(
                f"{DAGSTER_HOME_VARIABLE} is {named}, which is not the absolute path of a folder.",
                hint="Make that folder, or unset the variable: then it lies in the home folder.",
            )
        return folder
    # Dagster writes paths into SQLite's URLs as they are, and there a question mark ends the path.
    return _other_name(home.dagster) if "?" in str(home.dagster) else home.dagster


@contextmanager
def dagster_instance(home: Home, overrides: Mapping[str, object]) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance, with its storage's errors in words.

    Args:
        home: The home folder, which may hold Dagster's.
        overrides: Settings that replace those of its ``dagster.yaml``.

    Raises:
        StateError: Its settings or its storage cannot be used, or are gone.
    """
    import dagster as dg
    import sqlalchemy as sa
    import yaml
    from dagster._check import CheckError
    from dagster._core.instance.ref import InstanceRef

    folder = os.environ[DAGSTER_HOME_VARIABLE]
    with ExitStack() as stack:
        try:
            instance = stack.enter_context(
                dg.DagsterInstance.from_ref(InstanceRef.from_dir(folder, overrides=overrides))
            )
        except (dg.DagsterError, CheckError, sa.exc.SQLAlchemyError, yaml.YAMLError, ImportError, OSError) as error:
            raise _unusable(home, folder, error) from None
        try:
            yield instance
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise _unusable(home, folder, error) from None


def for_one_run() -> dict[str, object]:
    """Settings of Dagster's instance in a process that ends with its run, and is watched at the terminal."""
    folder = os.environ[DAGSTER_HOME_VARIABLE]
    if stored_elsewhere(Path(folder)):
        return {"compute_logs": _UNCAPTURED}
    kept = {"module": "reverse_etl.defs.kept_files", "class": "KeptFiles", "config": {"base_dir": folder}}
    return {"compute_logs": _UNCAPTURED, "storage": {"custom": kept}}


def was_interrupted(result: dg.ExecutionResult) -> bool:
    """Whether Ctrl-C or a request to terminate ended a run of Dagster's."""
    errors = (event.job_failure_data.error for event in result.all_events if event.is_job_failure)
    return any(error is not None and error.cls_name in INTERRUPTIONS for error in errors)


def why_failed(result: dg.ExecutionResult) -> str:
    """What the first step of a run of Dagster's that failed said, where it was in our words; otherwise empty."""
    errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    while errors:
        error = errors.pop(0)
        if error is not None and error.cls_name == "Failure":
            return str(error.message).partition("\n")[0]
        errors[:0] = [error.cause] if error is not None else []
    return ""


def shipped_file(home: Home, name: str) -> Path:
    """``dagster.yaml`` or ``workspace.yaml`` in the home folder: the user's own, or a copy of ours, brought up to date.

    Raises:
        StateError: It cannot be written.
    """
    path = home.dagster / name
    if not path.exists() or _is_outdated(path):
        partial = path.with_name(f".{name}.{os.getpid()}")
        with _in_words(home.dagster), as_file(files("reverse_etl.defs") / name) as shipped:
            shutil.copyfile(shipped, partial)
            partial.replace(path)
    return path


def make_storage(folder: Path) -> None:
    """Makes Dagster's databases in its folder, which is there, where they are missing and its settings name no others.

    Raises:
        OSError: They cannot be made.
    """
    if all((folder / name).exists() for name in _DATABASES) or stored_elsewhere(folder):
        return
    with _alone(folder), tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as new:
        missing = {name.partition("/")[0] for name in _DATABASES if not (folder / name).exists()}
        missing = {name for name in missing if not (folder / name).exists()}
        if not missing:
            return
        import dagster as dg
        import sqlalchemy as sa

        # Without settings Dagster takes its own, with a warning; with empty ones it takes them silently.
        (Path(new) / "dagster.yaml").touch()
        try:
            with dg.DagsterInstance.from_config(new):
                pass
        except sa.exc.SQLAlchemyError as error:
            raise OSError(str(getattr(error, "orig", error))) from None
        for name in missing:
            (Path(new) / name).rename(folder / name)


def _is_outdated(path: Path) -> bool:
    with _in_words(path.parent):
        return hashlib.sha256(path.read_bytes()).hexdigest() in SHIPPED[path.name][:-1]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other process makes the storage meanwhile; one that ends, however it does, lets others continue."""
    descriptor = open_private(folder / _LOCK, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _other_name(folder: Path) -> Path:
    """A link to a folder, in a place that is this user's alone."""
    place = Path(tempfile.gettempdir()) / f"reverse-etl-{os.getuid()}"
    link = place / hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    with _in_words(place):
        make_private_folder(place)
        owned = place.lstat()
        if not stat.S_ISDIR(owned.st_mode) or owned.st_uid != os.getuid() or owned.st_mode & 0o777 != PRIVATE_FOLDER:
            raise StateError(f"{place} is not this user's alone.", hint="Remove it, or set TMPDIR to another folder.")
        if not link.is_symlink() or link.readlink() != folder:
            partial = link.with_suffix(f".{os.getpid()}")
            partial.symlink_to(folder)
            partial.replace(link)
    return link


def _unusable(home: Home, folder: str, error: Exception) -> StateError:
    for name, path in (("home folder", home.path), ("Dagster folder", Path(folder))):
        if not path.is_dir():
            return StateError(f"the {name} {path} is gone.", hint="Leave it alone while a run is in progress.")
    return StateError(
        f"Dagster's settings or storage in {folder} cannot be used: {type(error).__name__}.",
        hint="Look at dagster.yaml there, free some space, or let the user who runs the syncs own the folder.",
    )


@contextmanager
def _in_words(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(
            f"Dagster's folder {folder} cannot be used: {error.strerror or error}.",
            hint="Free some space, or let the user who runs the syncs own it.",
        ) from None

"""The home folder: where a project's state, changesets and failed-row CSVs lie. What is in them lives elsewhere.

$REVERSE_ETL_HOME (default: .reverse_etl, beside the syncs)   0700; of a target: targets/<target> in it
    state.db                                        unless REVERSE_ETL_STATE_URL names another database
    changesets/<sync>/<root run id>/                the rows that a run read: ``changeset.parts``; or ``continues``, a
                                                    file with the id of the run whose rows it continues to send
    failed_rows/<sync>/<run id>.csv                 one per run with failed rows
    snapshots/<sync>/                               what a destination acknowledged: ``changes.generation``
    secret                                          what fingerprints are made with: ``changes.secret``
    carried/<sync>/<run id>.parquet                 the failed rows that a run left to the next: ``changeset.carried``
    dagster/                                        DAGSTER_HOME, unless set

With REVERSE_ETL_STORAGE_URL, ``changesets``, ``failed_rows`` and ``carried`` are copies of what lies there for all
machines.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from reverse_etl.errors import ConfigError, StateError
from reverse_etl.files.private import make_private_folder, replacing
from reverse_etl.files.storage import storage_from_environment
from reverse_etl.settings import TARGET_VARIABLE, value_for_target, value_of

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import RunFolder

HOME_VARIABLE = "REVERSE_ETL_HOME"
STATE_URL_VARIABLE = "REVERSE_ETL_STATE_URL"
SYNCS_VARIABLE = "REVERSE_ETL_SYNCS"
DEFAULT_SYNCS = Path("syncs")
DEFAULT_NAME = ".reverse_etl"
STATE_FILE = "state.db"

_CONTINUES = "continues"
_TARGETS = "targets"
_TARGET_NAME = re.compile(r"[A-Za-z0-9_-]+")
"""A name that is a path would be a home folder elsewhere."""


@dataclass(frozen=True, slots=True)
class Home:
    """A home folder that exists.

    Attributes:
        path: Absolute. Made by ``at`` and ``from_environment``.
    """

    path: Path

    @classmethod
    def at(cls, path: Path) -> Home:
        """The home folder at a path; what is missing is made, readable by its owner alone.

        Raises:
            StateError: It cannot be made.
        """
        home = cls(path.expanduser().absolute())
        try:
            for folder in (home.path, home.changesets, home.failed_rows, home.dagster):
                make_private_folder(folder)
        except OSError as error:
            raise StateError(
                f"the home folder {home.path} cannot be made: {error.strerror}.",
                hint=f"Set {HOME_VARIABLE} to a folder that you may write to.",
            ) from None
        return home

    @classmethod
    def from_environment(cls, syncs: Path | None = None) -> Home:
        """The home folder that ``REVERSE_ETL_HOME`` names, or else the one beside the folder of the syncs.

        Args:
            syncs: The folder of the syncs; by default the one that ``REVERSE_ETL_SYNCS`` names, or ``./syncs``.

        Raises:
            ConfigError: The chosen target has a name that no target can have.
            StateError: It cannot be made, or only the current directory has one, as releases before this one made it.
        """
        if named := value_of(HOME_VARIABLE):
            return cls.at(_of_target(Path(named)))
        syncs = syncs or Path(os.environ.get(SYNCS_VARIABLE) or DEFAULT_SYNCS)
        try:
            beside = syncs.expanduser().resolve().parent / DEFAULT_NAME
        except OSError:
            raise StateError("the current directory is gone.", hint="Change to one that exists.") from None
        _refuse_former(Path(DEFAULT_NAME), beside)
        return cls.at(_of_target(beside))

    @property
    def state_url(self) -> str:
        """The state database's URL, for ``open_store``; may hold a password, so it is never shown.

        Raises:
            ConfigError: It is the same for all targets.
        """
        if url := value_for_target(STATE_URL_VARIABLE):
            return url
        path = str(self.path / STATE_FILE)
        # In a URL a question mark ends a path; SQLite's own form of one has a way to write it.
        return f"sqlite:///file:{quote(path)}?uri=true" if "?" in path else f"sqlite:///{path}"

    @property
    def changesets(self) -> Path:
        """The folder of all runs' changesets."""
        return self.path / "changesets"

    @property
    def failed_rows(self) -> Path:
        """The folder of all failed-row CSVs."""
        return self.path / "failed_rows"

    @property
    def snapshots(self) -> Path:
        """The folder of what destinations acknowledged; made by what writes to it."""
        return self.path / "snapshots"

    @property
    def dagster(self) -> Path:
        """The folder that is DAGSTER_HOME where nothing else is set."""
        return self.path / "dagster"

    def run_folder(self, sync: str, root_run_id: str) -> RunFolder:
        """The folder with the changeset of a run and of its re-executions; made by what writes to it."""
        from reverse_etl.changeset.parts import RunFolder
        from reverse_etl.changeset.shared import SharedFolder

        run_id = self.changeset_run_id(sync, root_run_id)
        storage = storage_from_environment()
        shared = SharedFolder(storage, f"changesets/{sync}/{run_id}") if storage else None
        return RunFolder(self.changesets / sync / run_id, shared)

    def changeset_run_id(self, sync: str, root_run_id: str) -> str:
        """The run whose changeset a run uses: itself, unless it continues another one."""
        continues = self.changesets / sync / root_run_id / _CONTINUES
        return continues.read_text() if continues.exists() else root_run_id

    def find_continued(self, sync: str, root_run_id: str) -> None:
        """Makes known here which changeset a run uses that began on another machine. Raises StateError."""
        storage = None if (self.changesets / sync / root_run_id).exists() else storage_from_environment()
        if storage and (elsewhere := storage.read(self._continues(sync, root_run_id))):
            self._write_continues(sync, root_run_id, elsewhere.decode())

    def continue_changeset(self, sync: str, root_run_id: str, changeset_run_id: str) -> None:
        """Lets a run use the changeset of another one. Raises StateError where that cannot be written."""
        self._write_continues(sync, root_run_id, changeset_run_id)
        if storage := storage_from_environment():
            storage.write(self._continues(sync, root_run_id), changeset_run_id.encode())

    def _continues(self, sync: str, root_run_id: str) -> str:
        return f"changesets/{sync}/{root_run_id}/{_CONTINUES}"

    def _write_continues(self, sync: str, root_run_id: str, changeset_run_id: str) -> None:
        folder = self.changesets / sync / root_run_id
        try:
            make_private_folder(folder)
            with replacing(folder / _CONTINUES) as file:
                file.write(changeset_run_id.encode())
        except OSError as error:
            raise StateError(
                f"the run's folder {folder} cannot be written: {error.strerror}.",
                hint="Free some space, then run again.",
            ) from None

    def failed_rows_csv(self, sync: str, run_id: str) -> Path:
        """The failed-rows CSV of one run; exists when the run has failed rows and retention has kept it."""
        return self.failed_rows / sync / f"{run_id}.csv"

    def share_failed_rows(self, sync: str, run_id: str) -> str:
        """Puts a run's CSV where other machines find it, and returns where it lies now. Raises StateError."""
        csv = self.failed_rows_csv(sync, run_id)
        storage = storage_from_environment()
        if storage is None:
            return str(csv)
        storage.put({_csv(sync, run_id): csv})
        return storage.address(_csv(sync, run_id))

    def unshare_failed_rows(self, sync: str, run_id: str) -> None:
        """Removes a run's CSV from where other machines find it. Raises StateError."""
        if storage := storage_from_environment():
            storage.remove(_csv(sync, run_id))

    def has_failed_rows(self, sync: str, run_id: str) -> bool:
        """Whether a run's CSV is still there, here or where all machines find it. Raises StateError."""
        storage = storage_from_environment()
        here = self.failed_rows_csv(sync, run_id).is_file()
        return here or (storage is not None and storage.has(_csv(sync, run_id)))

    def fetch_failed_rows(self, sync: str, run_id: str) -> Path:
        """A run's CSV on this machine; it does not exist where retention has not kept it. Raises StateError."""
        csv = self.failed_rows_csv(sync, run_id)
        storage = None if csv.exists() else storage_from_environment()
        if storage and self.has_failed_rows(sync, run_id):
            storage.fetch({_csv(sync, run_id): csv})
        return csv

    @property
    def carried(self) -> Path:
        """The folder of the failed rows that runs leave to the next."""
        return self.path / "carried"

    def carried_file(self, sync: str, run_id: str) -> Path:
        """The failed rows that one run left to the next."""
        return self.carried / sync / f"{run_id}.parquet"

    def share_carried(self, sync: str, run_id: str) -> str:
        """Puts them where other machines find them; their name there, or empty. Raises StateError."""
        storage = storage_from_environment()
        if storage is None:
            return ""
        storage.put({carried_name(sync, run_id): self.carried_file(sync, run_id)})
        return carried_name(sync, run_id)

    def fetch_carried(self, sync: str, run_id: str) -> Path:
        """The file on this machine; it does not exist where it was lost. Raises StateError."""
        path, name = self.carried_file(sync, run_id), carried_name(sync, run_id)
        storage = None if path.exists() else storage_from_environment()
        if storage and storage.has(name):
            storage.fetch({name: path})
        return path

    def remove_carried(self, sync: str, run_id: str) -> None:
        """Removes them, here and where other machines find them. Raises StateError."""
        with contextlib.suppress(OSError):
            self.carried_file(sync, run_id).unlink(missing_ok=True)
        if storage := storage_from_environment():
            storage.remove(carried_name(sync, run_id))


def _of_target(path: Path) -> Path:
    """A target's own folder in the home folder; a process that one of a target started has it already."""
    target = value_of(TARGET_VARIABLE)
    if target and not _TARGET_NAME.fullmatch(target):
        raise ConfigError(
            f"{target} cannot be the name of a target.", hint="Names have letters, digits, hyphens and underscores."
        )
    own = Path(_TARGETS, target)
    return path if not target or path.parts[-2:] == own.parts else path / own


def carried_name(sync: str, run_id: str) -> str:
    """The name of what one run left, in the place that all machines share."""
    return f"carried/{sync}/{run_id}.parquet"


def _refuse_former(former: Path, beside: Path) -> None:
    """Raises StateError where what is remembered lies in the current directory alone, and would not be found."""
    if not value_of(STATE_URL_VARIABLE) and not (beside / STATE_FILE).exists() and (former / STATE_FILE).exists():
        raise StateError(
            f"the home folder of these syncs is {beside}, beside them, and nothing is remembered there; earlier "
            f"releases took the current directory's, {former.absolute()}, which has a state database.",
            hint=f"Move that folder to {beside}, or set {HOME_VARIABLE} to the one to use.",
        )


def _csv(sync: str, run_id: str) -> str:
    return f"failed_rows/{sync}/{run_id}.csv"

"""The home folder: where a project's state, changesets and failed-row CSVs lie. What is in them lives elsewhere.

$REVERSE_ETL_HOME (default ./.reverse_etl)          0700
    state.db                                        unless REVERSE_ETL_STATE_URL names another database
    changesets/<sync>/<root run id>/                the rows that a run read: ``changeset.parts``; or ``continues``, a
                                                    file with the id of the run whose rows it goes on sending
    failed_rows/<sync>/<run id>.csv                 one per run with failed rows
    dagster/                                        DAGSTER_HOME, unless set
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reverse_etl.errors import StateError

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import RunFolder

HOME_VARIABLE = "REVERSE_ETL_HOME"
STATE_URL_VARIABLE = "REVERSE_ETL_STATE_URL"
DEFAULT_HOME = Path(".reverse_etl")

_CONTINUES = "continues"

PRIVATE_FOLDER = 0o700
"""Mode of every folder made here: what lies in them are people's rows."""


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
            home.path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            for folder in (home.changesets, home.failed_rows, home.dagster):
                folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        except OSError as error:
            raise StateError(
                f"the home folder {home.path} cannot be made: {error.strerror}.",
                hint=f"Set {HOME_VARIABLE} to a folder that you may write to.",
            ) from None
        return home

    @classmethod
    def from_environment(cls) -> Home:
        """The home folder that ``REVERSE_ETL_HOME`` names. Raises StateError where it cannot be made."""
        return cls.at(Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME))

    @property
    def state_url(self) -> str:
        """The state database's URL, for ``open_store``; may hold a password, so it is never shown."""
        return os.environ.get(STATE_URL_VARIABLE) or f"sqlite:///{self.path / 'state.db'}"

    @property
    def changesets(self) -> Path:
        """The folder of all runs' changesets."""
        return self.path / "changesets"

    @property
    def failed_rows(self) -> Path:
        """The folder of all failed-row CSVs."""
        return self.path / "failed_rows"

    @property
    def dagster(self) -> Path:
        """The folder that is DAGSTER_HOME where nothing else is set."""
        return self.path / "dagster"

    def run_folder(self, sync: str, root_run_id: str) -> RunFolder:
        """The folder with the changeset of a run and of its re-executions; made by whoever writes to it."""
        from reverse_etl.changeset.parts import RunFolder

        return RunFolder(self.changesets / sync / self.changeset_run_id(sync, root_run_id))

    def changeset_run_id(self, sync: str, root_run_id: str) -> str:
        """The run whose changeset a run uses: itself, unless it continues another one."""
        continues = self.changesets / sync / root_run_id / _CONTINUES
        return continues.read_text() if continues.exists() else root_run_id

    def continue_changeset(self, sync: str, root_run_id: str, changeset_run_id: str) -> None:
        """Lets a run use the changeset of another one. Raises StateError where that cannot be written."""
        from reverse_etl.changeset.parts import private_file

        folder = self.changesets / sync / root_run_id
        try:
            folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            with private_file(folder / "continues.tmp") as file:
                file.write(changeset_run_id.encode())
            (folder / "continues.tmp").replace(folder / _CONTINUES)
        except OSError as error:
            raise StateError(
                f"the run's folder {folder} cannot be written: {error.strerror}.",
                hint="Free some space, then run again.",
            ) from None

    def failed_rows_csv(self, sync: str, run_id: str) -> Path:
        """The failed-rows CSV of one run; exists when the run has failed rows and retention has kept it."""
        return self.failed_rows / sync / f"{run_id}.csv"

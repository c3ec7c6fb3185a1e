"""Files that change while ``ui`` runs: Dagster loads them again, once they are whole.

A code location that fails to load starts nothing at all, so nothing is loaded while a faulty file stops every sync:
until it is mended Dagster keeps what it has. One that leaves out some syncs is loaded. Runs in progress end in the code
server that began them; the daemon asks the new one from then on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from reverse_etl.cli.dagster_graphql import ask
from reverse_etl.cli.project import warning_of_files
from reverse_etl.errors import StateError

if TYPE_CHECKING:
    from reverse_etl.config.folder_now import FilesFound, SyncsFolder

MENDED: Final = "The files are mended: no sync is left out any more."
LOADED: Final = "The files changed, and Dagster has loaded them again."
NOT_LOADED: Final = "The files changed, and Dagster cannot load them: see Deployment on its page for why."

_EVERY_S: Final = 2.0
_WITHIN_S: Final = 180
_OURS: Final = "runs_that_never_started"
"""The sensor that every code location of ours has."""

# Of Dagster 1.13's GraphQL schema, as `dagster-graphql` has it: docs.dagster.io/guides/operate/graphql, read 2026-11.
_LOCATIONS: Final = """
{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename
    ... on RepositoryLocation { repositories { sensors { name } } } } } } } }
"""
_RELOAD: Final = """
mutation Reload($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) { __typename
    ... on WorkspaceLocationEntry { locationOrLoadError { __typename } } } }
"""


@contextmanager
def kept_loaded(
    dagster: str,
    folder: SyncsFolder,
    tell: Callable[[str], None],
    warned_of: FilesFound,
    *,
    every_s: float = _EVERY_S,
) -> Iterator[None]:
    """While the block lasts, Dagster loads the files again after they have changed.

    Args:
        dagster: Its address.
        folder: The files.
        tell: Is called each time, and before that once for each change in what faulty files leave out.
        warned_of: The files whose faults were printed last.
        every_s: How often it looks.
    """
    end = threading.Event()
    changes, faults = Changes(folder), Faults(warned_of)

    def follow() -> None:
        while not end.wait(every_s):
            changed = changes.seen()
            if said := faults.news(changes.settled):
                tell(said)
            if changed:
                try:
                    tell(LOADED if reload(dagster) else NOT_LOADED)
                except StateError:
                    continue  # it is starting: asked again at the next look
                changes.are_loaded()

    thread = threading.Thread(target=follow, daemon=True, name="files that change")
    thread.start()
    try:
        yield
    finally:
        end.set()


class Faults:
    """What faulty files leave out, printed once for each change of it."""

    def __init__(self, said: FilesFound) -> None:
        self._said = said

    def news(self, now: FilesFound) -> str:
        """The warning of files that became faulty, or that they are mended; empty where that was printed."""
        before, self._said = self._said, now
        if (before.problems, before.left_out.keys()) == (now.problems, now.left_out.keys()):
            return ""
        return warning_of_files(now) or MENDED


class Changes:
    """What has changed in a folder of syncs since Dagster loaded it, and only once it can be loaded.

    Attributes:
        settled: The files as they were at two looks in a row, whether they can be loaded or not.
    """

    def __init__(self, folder: SyncsFolder) -> None:
        self._folder = folder
        self._loaded = self._before = self.settled = folder.read()

    def seen(self) -> bool:
        """Whether the files differ from what is loaded, can be loaded, and are as they were at the look before."""
        now = self._folder.read()
        settled, self._before = now is self._before, now
        if settled:
            self.settled = now
        return settled and now.project is not None and not _same(now, self._loaded)

    def are_loaded(self) -> None:
        """Dagster has loaded what was seen."""
        self._loaded = self._before


def reload(dagster: str) -> bool:
    """Has Dagster load its code locations of syncs again, and those that failed to load; whether all could be loaded.

    Raises:
        StateError: It does not answer.
    """
    entries = ask(dagster, _LOCATIONS)["workspaceOrError"].get("locationEntries", ())
    done = [ask(dagster, _RELOAD, {"name": entry["name"]}, within_s=_WITHIN_S) for entry in entries if _is_ours(entry)]
    answers = [each["reloadRepositoryLocation"].get("locationOrLoadError") or {} for each in done]
    return bool(answers) and all(each.get("__typename") == "RepositoryLocation" for each in answers)


def _is_ours(entry: dict[str, dict[str, list[dict[str, list[dict[str, str]]]]]]) -> bool:
    location = entry["locationOrLoadError"] or {}
    repositories = location.get("repositories")
    return repositories is None or any(
        sensor["name"] == _OURS for repository in repositories for sensor in repository["sensors"]
    )


def _same(one: FilesFound, other: FilesFound) -> bool:
    return one is other or (one.project is not None and one.project == other.project)

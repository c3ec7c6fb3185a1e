"""What was found in a folder of syncs: its problems, and the syncs that they leave alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reverse_etl.config.contracts import DICTIONARY
from reverse_etl.config.defaults import DEFAULTS
from reverse_etl.config.syncs import SyncConfig
from reverse_etl.config.targets import is_named_like_connections

if TYPE_CHECKING:
    from collections.abc import Collection

    from reverse_etl.config.left_out import LeftOut
    from reverse_etl.config.problems import Problem
    from reverse_etl.config.sync_file import SyncFile
    from reverse_etl.config.syncs import ProjectConfig


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in a folder.

    Attributes:
        project: None where there are problems.
        problems: Of all files, in the order in which they were found, with repeats; ``warnings`` likewise.
        syncs: Every sync's file, by its name.
        configs: Every sync whose keys are as they must be, by its name.
        runnable: With the syncs that may run; None where a faulty file stops all.
        left_out: The other syncs, by name.
    """

    project: ProjectConfig | None
    problems: list[Problem]
    warnings: list[Problem]
    syncs: dict[str, SyncFile]
    configs: dict[str, SyncConfig]
    runnable: ProjectConfig | None = None
    left_out: dict[str, LeftOut] = field(default_factory=dict)

    @property
    def faulty(self) -> set[str]:
        """The names of the syncs whose own file, or whose query's, has a problem."""
        at_fault = {file for problem in self.problems for file in problem.about or (problem.file,)}
        return {
            name
            for name, sync in self.syncs.items()
            if name not in self.configs or not at_fault.isdisjoint((sync.file, *sync.query_files))
        }

    def concerning(self, names: Collection[str]) -> tuple[list[Problem], list[Problem]]:
        """Problems and warnings of these syncs, of what they use in ``connections.yaml``, and of the dictionary."""
        others = {sync.file for name, sync in self.syncs.items() if name not in names}
        files = {file for name in names for file in (self.syncs[name].file, *self.syncs[name].query_files)}
        places = {"databases": "database", "workspaces": "workspace", "destinations": "destination"}
        used = {
            (section, str(SyncConfig.as_meant(self.syncs[name].document.values).get(key)))
            for name in names
            for section, key in places.items()
        }

        def concerns(problem: Problem) -> bool:
            if any(each.endswith("/") for each in problem.about):
                return True  # a folder of which nothing is known
            if not is_named_like_connections(Path(problem.file)):
                if Path(problem.file).name == DEFAULTS:
                    for_one = tuple(f"(for {sync.file})" for sync in self.syncs.values())
                    for_these = tuple(f"(for {file})" for file in files)
                    return problem.text.endswith(for_these) or not problem.text.endswith(for_one)
                return problem.file in files or (is_dictionary(problem.file) and problem.file not in others)
            parts = (*problem.key.split("."), "")
            return len(parts) < 3 or (parts[0], parts[1]) in used  # a problem of the file or of a whole section

        return [*filter(concerns, self.problems)], [*filter(concerns, self.warnings)]


def is_dictionary(file: str) -> bool:
    """Whether a file is called like the dictionary."""
    return Path(file).stem.lower() == Path(DICTIONARY).stem

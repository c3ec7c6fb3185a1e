"""One sync's file as a model, and what it says against ``connections.yaml``. Its queries: ``sync_queries``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path as FolderPath
from typing import Any, Final

from pydantic import ValidationError

from reverse_etl import plugins
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.connections import FOLDER
from reverse_etl.config.connections_file import Connections
from reverse_etl.config.dialect import UNKNOWN, Dialect
from reverse_etl.config.document import Document
from reverse_etl.config.model import nearest
from reverse_etl.config.problems import Path, Problem, did_you_mean, model_problems, problem_at, problem_in_text
from reverse_etl.config.row_choice import left_out_by
from reverse_etl.config.sql_text import PLACEHOLDER
from reverse_etl.config.sync_queries import list_problems, query_problems
from reverse_etl.config.syncs import SyncConfig

CHECKS: Final = "reverse_etl.checks"


@dataclass(frozen=True, slots=True)
class SyncFile:
    """A sync's file that was read.

    Attributes:
        name: The sync's name.
        file: As people are shown it.
        content: The file's bytes.
        document: What they say.
        folder: Absolute; relative paths in the file start here. None for settings given in code.
    """

    name: str
    file: str
    content: bytes
    document: Document
    folder: FolderPath | None = None


def read_sync(
    sync: SyncFile, connections: Connections | None, *, problems: list[Problem], warnings: list[Problem]
) -> SyncConfig | None:
    """Makes the model and adds what is wrong to ``problems``, what is worth a look to ``warnings``.

    Args:
        sync: The file.
        connections: None when ``connections.yaml`` could not be read: then nothing is held against it.
        problems: Grows.
        warnings: Grows.

    Returns:
        The sync, or None where its keys are not as they must be. With problems of another kind there is a sync
        all the same.
    """
    if not sync.document.values:
        return None
    values = {key: value for key, value in sync.document.values.items() if key not in SyncConfig.SET_BY_LOADER}
    for key in sync.document.values.keys() & SyncConfig.SET_BY_LOADER:
        text = "unknown key; the sync is named like its file" if key == "name" else "unknown key"
        problems.append(problem_at(sync.file, sync.document, (key,), text))
    reading = _Reading(sync, problems)
    checks = reading.checks(values.pop("checks", None))
    dialect = None
    if connections is not None:
        reading.references(connections)
        dialect = connections.dialects.get(nearest(values.get("database"), connections.database_names) or "")
    query_problems(sync.file, sync.document, dialect, checks, problems=problems, warnings=warnings)
    list_problems(sync.file, sync.document, dialect, problems=problems, warnings=warnings)
    reading.mirror(dialect)
    values |= {"name": sync.name, "file": sync.file, "version": hashlib.sha256(sync.content).hexdigest()[:12]}
    try:
        return SyncConfig.model_validate(
            {**values, "checks": tuple(checks.values())}, context={FOLDER: sync.folder} if sync.folder else None
        )
    except ValidationError as error:
        problems.extend(model_problems(error, model=SyncConfig, file=sync.file, document=sync.document))
        return None


@dataclass(frozen=True, slots=True)
class _Reading:
    sync: SyncFile
    problems: list[Problem]

    def problem(self, path: Path, text: str) -> None:
        self.problems.append(problem_at(self.sync.file, self.sync.document, path, text))

    def references(self, connections: Connections) -> None:
        """Database and workspace exist, and the workspace can do what the sync asks for."""
        values = self.sync.document.values
        self._reference("database", connections.database_names)
        self._reference("workspace", list(connections.app_keys))
        workspace = values.get("workspace")
        people = values.get("people")
        if not isinstance(people, dict) or connections.app_keys.get(str(workspace), True):
            return
        segment = people.get("segment")
        if isinstance(segment, dict) and segment.get("mirror") is True:
            text = f"mirror reads who is in the segment and needs app_api_key in workspace {workspace}"
            self.problem(("people", "segment", "mirror"), text)
        if isinstance(segment, dict) and segment.get("name") is not None and segment.get("id") is None:
            path: Path = ("people", "segment", "name")
            self.problem(path, f"finding a segment by name needs app_api_key in workspace {workspace}; or give its id")
        if people.get("write") == "add_only":
            self.problem(
                ("people", "write"), f"add_only looks people up and needs app_api_key in workspace {workspace}"
            )

    def mirror(self, dialect: Dialect | None) -> None:
        """Who is gone is known only from a query that returns everybody, every time."""
        people, query = self.sync.document.values.get("people"), self.sync.document.values.get("query")
        segment = people.get("segment") if isinstance(people, dict) else None
        mirrors = isinstance(segment, dict) and segment.get("mirror") is True
        if not mirrors or not isinstance(query, str):
            return
        if PLACEHOLDER.search(query):
            self.problem(
                ("people", "segment", "mirror"),
                "the query returns only what changed since {{last_sync_time}}, and whoever did not change would leave "
                "the segment: leave the placeholder out of the query, or mirror out of the segment",
            )
        for line, what in left_out_by(query, dialect or UNKNOWN):
            text = f"segment.mirror removes everybody whom the query leaves out, and {what} decides who that is: "
            text += "leave it out of the query, or mirror out of the segment"
            self.problems.append(problem_in_text(self.sync.file, self.sync.document, ("query",), line, text))

    def _reference(self, key: str, known: list[str]) -> None:
        name = self.sync.document.values.get(key)
        if isinstance(name, str) and name and name not in known:
            otherwise = f"connections.yaml has no {key}s" if not known else ""
            near = did_you_mean(name, known, otherwise=f"{key}s in connections.yaml")
            self.problem((key,), f"unknown {key} {name!r}{near}" + (f"; {otherwise}" if otherwise else ""))

    def checks(self, entries: Any) -> dict[Path, CheckConfig]:
        """The checks without problems, by their place in the file."""
        if entries is None:
            return {}
        if not isinstance(entries, list):
            self.problem(("checks",), "must be a list, such as `- not_null: plan`")
            return {}
        found: dict[Path, CheckConfig] = {}
        for index, entry in enumerate(entries):
            path: Path = ("checks", index)
            named = self._named(entry, path)
            check = self._check(*named, path) if named is not None else None
            if check is not None:
                if any(other.model_copy(update={"severity": check.severity}) == check for other in found.values()):
                    self.problem((*path, check.check), "is asked for twice")
                found[(*path, check.check)] = check
        return found

    def _named(self, entry: Any, path: Path) -> tuple[str, Any, dict[str, Any]] | None:
        """A check's name, its value, and keys that stand beside the name."""
        if isinstance(entry, str):
            return entry, {}, {}
        if isinstance(entry, dict):
            beside = {"severity": entry["severity"]} if "severity" in entry and len(entry) > 1 else {}
            names = [key for key in entry if key not in beside]
            if len(names) == 1:
                return names[0], entry[names[0]], beside
        self.problem(path, "must be one check, such as `- not_null: plan`")
        return None

    def _check(self, name: str, value: Any, beside: dict[str, Any], path: Path) -> CheckConfig | None:
        requestable = plugins.names(CHECKS)
        model: type[CheckConfig] | None = None
        if name in requestable:
            model = getattr(plugins.load(CHECKS, name), "Config", None)
        if model is None:
            known = [check for check in requestable if hasattr(plugins.load(CHECKS, check), "Config")]
            self.problem((*path, name), "unknown check" + did_you_mean(name, known, otherwise="known are"))
            return None
        under = (*path, name)
        given = dict(value) if isinstance(value, dict) else {} if value is None else {model.SHORT: value}
        if "" in given:
            self.problem(under, "must be keys and values")
            return None
        for key in model.SET_BY_LOADER & given.keys():
            self.problem((*under, key), "unknown key")
        try:
            return model.model_validate({**beside, **given, "check": name})
        except ValidationError as error:
            self.problems.extend(
                model_problems(error, model=model, file=self.sync.file, document=self.sync.document, under=under)
            )
            return None

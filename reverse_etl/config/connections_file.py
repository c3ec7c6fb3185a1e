"""``connections.yaml`` as models: databases, destinations, channels, retention. Models: ``connections``, ``notify``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from reverse_etl import plugins
from reverse_etl.config.connections import FOLDER, DatabaseConfig, DestinationConfig, RetentionConfig
from reverse_etl.config.dbt_manifest import Manifest, read_manifest
from reverse_etl.config.dialect import Dialect
from reverse_etl.config.document import Document
from reverse_etl.config.intervals import format_interval
from reverse_etl.config.left_out import FaultyFiles
from reverse_etl.config.model import YamlModel
from reverse_etl.config.monitoring import MonitoringConfig
from reverse_etl.config.notify import ChannelConfig
from reverse_etl.config.problems import Path as KeyPath
from reverse_etl.config.problems import Problem, did_you_mean, model_problems, problem_at

SOURCES: Final = "reverse_etl.sources"
DESTINATIONS: Final = "reverse_etl.destinations"
CHANNELS: Final = "reverse_etl.notify.channels"

NAME: Final = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
"""What Dagster takes as the name of a job or resource."""

_LEAST_KEPT: Final = timedelta(days=1)

_SECTIONS: Final = ("databases", "workspaces", "destinations", "notify", "retention", "monitoring", "faulty_files")

Model = TypeVar("Model", bound=YamlModel)


@cache
def workspace_kind() -> str:
    """The kind of destination whose entries stand in ``workspaces``, its own word for destinations."""
    folder = resources.files(DESTINATIONS)
    # Its folder has a module of that name, so that no other kind is imported to find it.
    kinds = sorted(plugins.names(DESTINATIONS), key=lambda kind: not (folder / kind / "workspace.py").is_file())
    return next(kind for kind in kinds if plugins.load(DESTINATIONS, kind).Config.SECTION == "workspaces")


@dataclass(slots=True)
class Connections:
    """What is in ``connections.yaml``.

    Attributes:
        databases: Those without problems; ``destinations``, workspaces among them, and ``notify`` likewise.
        dialects: By the name of every database whose engine is known.
        database_names: Every name that was written, so that a database with problems is not also unknown.
        entries: By the name of every destination, its keys as they were written, ``type`` included.
        manifests: Of dbt projects, by the name of the database; ``unread_manifests`` are those with problems.
        watched: Every sync that a channel names, with the problem that it is where there is no such sync.
        warnings: What is allowed and worth a look.
    """

    databases: dict[str, DatabaseConfig] = field(default_factory=dict)
    destinations: dict[str, DestinationConfig] = field(default_factory=dict)
    notify: dict[str, ChannelConfig] = field(default_factory=dict)
    retention: RetentionConfig = field(default_factory=RetentionConfig)
    monitoring: MonitoringConfig | None = None
    faulty_files: FaultyFiles = FaultyFiles.STOP
    dialects: dict[str, Dialect] = field(default_factory=dict)
    database_names: list[str] = field(default_factory=list)
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    unread_manifests: set[str] = field(default_factory=set)
    watched: list[tuple[str, Problem]] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def named(self, key: str) -> list[str]:
        """The names that a sync may write at ``workspace`` or ``destination``."""
        return [
            name for name, entry in self.entries.items() if key == "destination" or entry["type"] == workspace_kind()
        ]


def read_connections(document: Document, *, file: str, folder: Path, problems: list[Problem]) -> Connections:
    """Makes the models and adds what is wrong to ``problems``.

    Args:
        document: The file's values.
        file: Its name as people are shown it.
        folder: Absolute; relative paths in the file start here.
        problems: Grows.
    """
    found = Connections()
    for key in document.values.keys() - set(_SECTIONS):
        text = "unknown key" + did_you_mean(key, _SECTIONS, otherwise="known are")
        problems.append(problem_at(file, document, (key,), text))
    reading = _Reading(document, file, folder, problems)
    for name, values in reading.section("databases"):
        found.database_names.append(name)
        engine = reading.module(SOURCES, ("databases", name), values, "database type")
        if engine is not None:
            found.dialects[name] = engine.DIALECT
            database = reading.model(engine.Config, values, ("databases", name))
            if database is not None:
                found.databases[name] = database
                reading.manifest(found, database)
    for section, usual in (("workspaces", {"type": workspace_kind()}), ("destinations", {})):
        for name, values in reading.section(section):
            if name in found.entries:
                reading.problem((section, name), "there is a workspace of this name too: rename one")
                continue
            kind = reading.module(DESTINATIONS, (section, name), usual | values, "type of destination")
            found.entries[name] = {"type": ""} | usual | values
            destination = reading.model(kind.Config, values, (section, name)) if kind is not None else None
            if destination is not None:
                found.destinations[name] = destination
    for name, values in reading.section("notify"):
        module = reading.module(CHANNELS, ("notify", name), values, "kind of channel")
        channel = reading.model(module.Config, values, ("notify", name)) if module is not None else None
        if channel is not None:
            found.notify[name] = channel
            for index, sync in enumerate(channel.syncs or ()):
                problem = problem_at(file, document, ("notify", name, "syncs", index), f"unknown sync {sync!r}")
                found.watched.append((sync, problem))
    if document.values.get("retention") is not None:
        found.retention = (
            reading.model(RetentionConfig, document.values["retention"], ("retention",)) or found.retention
        )
        found.warnings += _soon_gone(found.retention, file, document)
    if document.values.get("monitoring") is not None:
        found.monitoring = reading.model(MonitoringConfig, document.values["monitoring"], ("monitoring",))
        if found.monitoring is not None and (text := _no_tables(found.monitoring.database, found)):
            reading.problem(("monitoring", "database"), text)
    if "faulty_files" in document.values:
        try:
            found.faulty_files = FaultyFiles(document.values["faulty_files"])
        except ValueError:
            reading.problem(("faulty_files",), f"must be one of: {', '.join(FaultyFiles)}")
    return found


def _soon_gone(retention: RetentionConfig, file: str, document: Document) -> Iterator[Problem]:
    """Warnings of what is removed before somebody who hears of a failure in the morning looks for it."""
    for key, kept in retention:
        if kept is not None and kept < _LEAST_KEPT:
            text = f"removes what a run leaves {format_interval(kept)} after it, before anybody who hears of a failure "
            text += "can look for it: write 1d or more"
            yield problem_at(file, document, ("retention", key), text)


def _no_tables(name: str, found: Connections) -> str:
    """Why nothing can be copied to what is named, the end of a sentence; empty where it can."""
    with_tables = [each for each, entry in found.entries.items() if _has_tables(entry.get("type"))]
    if name in with_tables:
        return ""
    if name in found.entries:
        return f"{name!r} has no tables: name a destination that is a database"
    if name in found.database_names:
        return f"{name!r} is only read: name a destination that is a database" + (
            f", such as {with_tables[0]}" if with_tables else ", and add one under `destinations`"
        )
    return f"unknown destination {name!r}" + did_you_mean(name, with_tables, otherwise="those with tables")


def _has_tables(kind: object) -> bool:
    return kind in plugins.names(DESTINATIONS) and "rows" in plugins.load(DESTINATIONS, str(kind)).Outgoing.SECTIONS


@dataclass(frozen=True, slots=True)
class _Reading:
    document: Document
    file: str
    folder: Path
    problems: list[Problem]

    def problem(self, path: KeyPath, text: str) -> None:
        self.problems.append(problem_at(self.file, self.document, path, text))

    def section(self, section: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The named entries of a section that are mappings."""
        entries = self.document.values.get(section)
        if entries is None:
            if section in self.document.values:
                self.problem((section,), "is empty")
            return
        if not isinstance(entries, dict):
            self.problem((section,), "must be names, each with its keys and values")
            return
        for name, values in entries.items():
            path = (section, name)
            if NAME.fullmatch(name) is None:
                self.problem(path, "a name has letters, digits and underscores only")
            if not isinstance(values, dict):
                self.problem(path, "is empty" if values is None else "must be keys and values")
            yield name, values if isinstance(values, dict) else {}

    def manifest(self, found: Connections, database: DatabaseConfig) -> None:
        """Reads the manifest of the database's dbt project, where it has one."""
        if database.dbt is None:
            return
        try:
            found.manifests[database.name] = read_manifest(database.dbt.manifest)
        except ValueError as error:
            found.unread_manifests.add(database.name)
            self.problem(("databases", database.name, "dbt", "manifest"), str(error))

    def module(self, package: str, path: KeyPath, values: dict[str, Any], what: str) -> Any:
        """The module that an entry's ``type`` names, or None."""
        kind = values.get("type")
        known = plugins.names(package)
        if kind in known:
            return plugins.load(package, kind)
        if "type" in values:
            self.problem((*path, "type"), f"unknown {what}" + did_you_mean(kind, known, otherwise="known are"))
        elif values:
            self.problem((*path, "type"), f"is missing; known are: {', '.join(known)}")
        return None

    def model(self, model: type[Model], values: Any, path: KeyPath) -> Model | None:
        """The model, or None when there are problems."""
        if values == {}:
            return None
        refused = model.SET_BY_LOADER & values.keys() if isinstance(values, dict) else frozenset()
        for key in sorted(refused):
            self.problem((*path, key), "unknown key: the key above is the name")
        given = {key: value for key, value in values.items() if key not in refused} if refused else values
        named = {**given, "name": path[-1]} if "name" in model.model_fields and isinstance(given, dict) else given
        if "path_at" in model.model_fields and isinstance(named, dict):
            named["path_at"] = f"{self.file}:{self.document.place.line_of((*path, 'path'))}"
        try:
            return model.model_validate(named, context={FOLDER: self.folder})
        except ValidationError as error:
            self.problems.extend(model_problems(error, model=model, file=self.file, document=self.document, under=path))
            return None

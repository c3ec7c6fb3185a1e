"""Connections and syncs given in code rather than in files: the same keys, the same checks, the same messages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from reverse_etl import plugins
from reverse_etl.config.connections import DatabaseConfig, DestinationConfig, FileConfig
from reverse_etl.config.connections_file import DESTINATIONS, read_connections
from reverse_etl.config.document import Document, read_document
from reverse_etl.config.problems import Problem, lines, model_problems, problem_at
from reverse_etl.config.query_files import read_query_files
from reverse_etl.config.sync_file import SyncFile, read_sync
from reverse_etl.config.syncs import OutgoingRows, SyncConfig
from reverse_etl.errors import ConfigProblemsError


def parse_database(name: str, settings: Mapping[str, Any]) -> DatabaseConfig:
    """One database from the keys that ``connections.yaml`` has under its name. Raises ConfigProblemsError."""
    file, document, _ = _document(f"database {name}", {"databases": {name: dict(settings)}})
    problems: list[Problem] = []
    databases = read_connections(document, file=file, folder=Path.cwd(), problems=problems).databases
    _raise(problems)
    found = databases[name]
    return found.model_copy(update={"path_at": ""}) if isinstance(found, FileConfig) else found


def parse_destination(name: str, settings: Mapping[str, Any]) -> DestinationConfig:
    """One destination from the keys that ``connections.yaml`` has under its name; without a type, a workspace.

    Raises:
        ConfigProblemsError: They are not as they must be.
    """
    section = "destinations" if "type" in settings else "workspaces"
    label = f"{section.removesuffix('s')} {name}"
    file, document, _ = _document(label, {section: {name: dict(settings)}})
    problems: list[Problem] = []
    destinations = read_connections(document, file=file, folder=Path.cwd(), problems=problems).destinations
    _raise(problems)
    return destinations[name]


def parse_sync(name: str, settings: Mapping[str, Any]) -> SyncConfig:
    """One sync from the keys of its file; that its connections exist is not looked at. Raises ConfigProblemsError."""
    file, document, content = _document(f"sync {name}", dict(settings))
    queries = read_query_files(document, file=file, folder=Path.cwd())
    problems = [*queries.problems]
    read = SyncFile(name, file, content + queries.content, queries.document, query_files=queries.files)
    sync = read_sync(read, None, problems=problems, warnings=[])
    if problems or sync is None:
        raise ConfigProblemsError(lines(problems))
    return sync


def parse_rows(kind: str, settings: Mapping[str, Any], *, entry: DestinationConfig | None = None) -> OutgoingRows:
    """What rows are in a kind of destination, from the section that a sync's file has. Raises ConfigProblemsError.

    Args:
        kind: The kind's name.
        settings: The section under its name, and the keys beside it.
        entry: The destination, where it is known: what it says of all that is sent there holds here too.
    """
    model: type[OutgoingRows] = plugins.load(DESTINATIONS, kind).Outgoing
    shared = dict(iter(entry)) if entry is not None else {}
    file, document, _ = _document("push", model.within(settings, shared))
    problems = [
        problem_at(file, document, (key,), "unknown key") for key in model.SET_BY_LOADER & document.values.keys()
    ]
    for key, text in model.strays(document.values, shared):
        problems.append(problem_at(file, document, key if isinstance(key, tuple) else (key,), text))
    _raise(problems)
    try:
        return model.model_validate(document.values)
    except ValidationError as error:
        raise ConfigProblemsError(lines(model_problems(error, model=model, file=file, document=document))) from None


def _document(label: str, settings: dict[str, Any]) -> tuple[str, Document, bytes]:
    content = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).encode()
    return label, read_document(content, label), content


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise ConfigProblemsError(lines(problems))

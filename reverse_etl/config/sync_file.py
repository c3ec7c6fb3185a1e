"""One sync's file as a model, checked against ``connections.yaml``. Its queries: ``sync_queries``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as FolderPath
from typing import Any, Final

from pydantic import ValidationError

from reverse_etl import plugins
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.connections import FOLDER
from reverse_etl.config.connections_file import DESTINATIONS, Connections, workspace_kind
from reverse_etl.config.dictionary_file import Reading
from reverse_etl.config.document import Document
from reverse_etl.config.draft import Draft
from reverse_etl.config.model import nearest
from reverse_etl.config.problems import Path, Problem, did_you_mean, model_problems, problem_at
from reverse_etl.config.statement import Column
from reverse_etl.config.streams import Stream
from reverse_etl.config.sync_queries import query_problems
from reverse_etl.config.sync_tests import read_tests
from reverse_etl.config.syncs import SyncConfig

CHECKS: Final = "reverse_etl.checks"


@dataclass(frozen=True, slots=True)
class SyncFile:
    """A sync's file that was read.

    Attributes:
        name: The sync's name.
        file: As people are shown it.
        content: The file's bytes, and those of its queries' files.
        document: What is in it, with the texts of those files.
        folder: Absolute; relative paths in the file start here. None for settings given in code.
        columns: Of its queries, by their place, once they were read; None where only the database knows them.
        query_files: Files of queries, as people are shown them.
    """

    name: str
    file: str
    content: bytes
    document: Document
    folder: FolderPath | None = None
    columns: dict[Path, tuple[Column, ...] | None] = field(default_factory=dict)
    query_files: tuple[str, ...] = ()


def read_sync(
    sync: SyncFile, connections: Connections | None, *, problems: list[Problem], warnings: list[Problem]
) -> SyncConfig | None:
    """Makes the model and adds what is wrong to ``problems``, what is worth a look to ``warnings``.

    Args:
        sync: The file.
        connections: None when ``connections.yaml`` could not be read: then nothing is checked against it.
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
        text = "unknown key: a sync has the name of its file" if key == "name" else "unknown key"
        problems.append(problem_at(sync.file, sync.document, (key,), text))
    reading = _Reading(sync, problems)
    checks = reading.checks(values.pop("checks", None))
    tests = values.pop("tests", None)
    dialect = entry = None
    if connections is not None:
        reading.reference("database", connections.database_names)
        named = nearest(values.get("database"), connections.database_names)
        dialect = connections.dialects.get(named or "")
        entry = reading.destination(values, connections)
    model = _model(values, entry)
    if "attributes" in values:
        terms = Reading(sync.document, sync.file, problems).terms(values["attributes"], ("attributes",))
        values["attributes"] = {name: term.definition for name, term in terms.items()}
    if entry is not None:
        values, sync = model.within(values, entry), _within(sync, model, entry)
        problems.extend(_strays(sync, model, entry))
    draft = Draft(sync.file, sync.document, dialect, entry, problems, warnings, sync.columns)
    streams = model.streams_of(sync.document.values)
    query_problems(draft, streams, checks, title=model.TITLE)
    model.look_at(draft)
    values["tests"] = read_tests(draft, tests, streams, getattr(model, "BESIDE", ()))
    values |= {"name": sync.name, "file": sync.file}
    try:
        read = model.model_validate(
            {**values, "checks": tuple(checks.values())}, context={FOLDER: sync.folder} if sync.folder else None
        )
        return read.model_copy(update={"version": _version(sync.content, read), "lines": _lines(sync, streams)})
    except ValidationError as error:
        problems.extend(model_problems(error, model=model, file=sync.file, document=sync.document))
        return None


def _lines(sync: SyncFile, streams: Sequence[Stream]) -> tuple[tuple[tuple[str, ...], str, int, bool], ...]:
    """Where each query begins: its file, the line of its text, whether the text's lines are lines of the file."""
    places = [(stream.at, sync.document.place.at(*stream.at)) for stream in streams]
    return tuple((at, place.file or sync.file, place.text_line, place.block) for at, place in places if place)


def _within(sync: SyncFile, model: type[SyncConfig], entry: Mapping[str, Any]) -> SyncFile:
    document = replace(sync.document, values=model.within(sync.document.values, entry))
    return replace(sync, document=document)


def _strays(sync: SyncFile, model: type[SyncConfig], entry: Mapping[str, Any]) -> Iterator[Problem]:
    for key, text in model.strays(sync.document.values, entry):
        yield problem_at(sync.file, sync.document, key if isinstance(key, tuple) else (key,), text)


def _version(content: bytes, sync: SyncConfig) -> str:
    """A short hash of the file, and of the transforms beside it."""
    found = hashlib.sha256(content)
    for stream in sync.streams:
        if (transform := sync.shape(stream.name).transform) is not None:
            found.update(transform.source.encode())
    return found.hexdigest()[:12]


def _model(values: Mapping[str, Any], entry: Mapping[str, Any] | None) -> type[SyncConfig]:
    """The model of a sync of the destination's kind, or else of that whose section the file has."""
    kinds = plugins.names(DESTINATIONS)
    kind = entry.get("type") if entry is not None else None
    if kind not in kinds:
        models = [plugins.load(DESTINATIONS, name).Sync for name in kinds if name != workspace_kind()]
        has_section = (model for model in models if "workspace" not in values and model.SECTIONS & values.keys())
        kind = next((model.DESTINATION for model in has_section), workspace_kind())
    found: type[SyncConfig] = plugins.load(DESTINATIONS, kind).Sync
    return found


@dataclass(frozen=True, slots=True)
class _Reading:
    sync: SyncFile
    problems: list[Problem]

    def problem(self, path: Path, text: str) -> None:
        self.problems.append(problem_at(self.sync.file, self.sync.document, path, text))

    def destination(self, values: dict[str, Any], connections: Connections) -> Mapping[str, Any] | None:
        """Its entry as it was written, which exists; it is named by one of two words."""
        if "destination" in values and "workspace" in values:
            self.problem(("destination",), "means the same as workspace: keep one of them")
            del values["destination"]
        key = "destination" if "destination" in values else "workspace"
        self.reference(key, connections.named(key))
        name = values.get(key)
        return connections.entries.get(name) if isinstance(name, str) else None

    def reference(self, key: str, known: list[str]) -> None:
        """What is named at a key is there."""
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

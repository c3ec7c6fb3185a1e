"""The folder ``syncs/`` as one ``ProjectConfig``, or every problem of every file at once. No network, no secrets."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from reverse_etl.config.bound import bind, with_contracts
from reverse_etl.config.connections_file import Connections, read_connections
from reverse_etl.config.contracts import DICTIONARY
from reverse_etl.config.dbt_refs import lineage_warnings, with_relations
from reverse_etl.config.defaults import DEFAULTS, Defaults, read_defaults, with_defaults
from reverse_etl.config.dictionary_file import Dictionary, read_dictionary
from reverse_etl.config.dictionary_lock import LOCK, lock_warnings
from reverse_etl.config.document import Document, Place, read_document
from reverse_etl.config.files_below import files_below
from reverse_etl.config.garbage import garbage_left
from reverse_etl.config.gone_problems import beside, conflicts
from reverse_etl.config.inspection import Inspection, is_dictionary
from reverse_etl.config.left_out import FaultyFiles, left_out, shared_problems, stops_all
from reverse_etl.config.lint import lint
from reverse_etl.config.problems import Problem, did_you_mean, lines
from reverse_etl.config.query_files import QUERY, QUERY_FILE, read_query_files
from reverse_etl.config.run_order import after_problems, after_warnings
from reverse_etl.config.shown import shown
from reverse_etl.config.spot_check import spot_check_problems
from reverse_etl.config.sync_file import SyncFile, read_sync
from reverse_etl.config.sync_names import check_name, name_problem
from reverse_etl.config.syncs import ProjectConfig, SyncConfig
from reverse_etl.config.targets import (
    CONNECTIONS,
    chosen_target,
    file_of,
    is_connections,
    is_named_like_connections,
    missing,
    with_shared,
)
from reverse_etl.errors import ConfigError, ConfigProblemsError

__all__ = [
    "CONNECTIONS",
    "Inspection",
    "ProjectConfig",
    "inspect_project",
    "load_connections",
    "load_project",
    "load_runnable",
    "name_problem",
]

_ENDINGS: Final = (".yaml", ".yml")


def load_project(directory: Path) -> ProjectConfig:
    """Reads ``connections.yaml`` and every other YAML file of the folder and its subfolders.

    Hidden files and folders are passed over. Of environment variables only that of the target is read.

    Args:
        directory: The folder, such as ``Path("syncs")``.

    Raises:
        ConfigProblemsError: Any file is not as it must be; holds the problems of all files.
        ConfigError: There is no such folder.
    """
    found = inspect_project(directory)
    if found.project is None:
        raise ConfigProblemsError(lines(found.problems))
    return found.project


def load_runnable(directory: Path) -> ProjectConfig:
    """Reads what ``load_project`` reads, with the syncs that may run, and those that faulty files leave out.

    Raises:
        ConfigProblemsError: A file that all syncs read is not as it must be, or any file where the folder does not
            have ``faulty_files: leave_out``; holds the problems of all files.
        ConfigError: There is no such folder.
    """
    found = inspect_project(directory)
    if found.runnable is None:
        raise ConfigProblemsError(lines(found.problems), stops_all(found.left_out))
    return found.runnable


def inspect_project(directory: Path, target: str | None = None) -> Inspection:
    """Reads what ``load_project`` reads, and gives the problems instead of raising them.

    Args:
        directory: The folder.
        target: Whose connections; None for the chosen one.

    Raises:
        ConfigError: There is no such folder, or it cannot be read.
    """
    folder = Path(directory).expanduser().absolute()
    if not folder.is_dir():
        raise ConfigError(
            f"there is no folder {directory}.",
            hint="Name it with --syncs or REVERSE_ETL_SYNCS, or make a first sync with `reverse-etl init`.",
        )
    if not os.access(folder, os.R_OK | os.X_OK):
        raise ConfigError(
            f"the folder {directory} cannot be read: permission denied.",
            hint="Let the user that reverse-etl runs as list and enter it.",
        )
    with garbage_left():
        return _load(folder, chosen_target() if target is None else target)


def _load(folder: Path, target: str) -> Inspection:
    problems: list[Problem] = []
    warnings: list[Problem] = []
    files = sorted(_yaml_files(folder, problems))
    connections = _connections(folder, target, files, problems)
    dictionary = Dictionary()
    named, read, syncs = dict[str, SyncFile](), dict[str, SyncFile](), dict[str, SyncConfig]()
    defaults, every = _defaults(files, problems), list[SyncFile]()
    for path in sorted(files, key=lambda path: path.stem):
        if path.name == DEFAULTS or is_connections(path, folder) or (sync := _sync_file(path, problems)) is None:
            continue
        if is_dictionary(path.name) and not {QUERY, QUERY_FILE} & sync.document.values.keys():
            dictionary = _dictionary(sync, path == folder / DICTIONARY, problems) or dictionary
            continue
        sync = with_relations(with_defaults(sync, defaults), connections, problems)
        every.append(sync)
        read.setdefault(sync.name, sync)
        check_name(sync, path, named, problems)
        named.setdefault(sync.name.lower(), sync)
        config = read_sync(sync, connections, problems=problems, warnings=warnings)
        if config is not None:
            syncs[sync.name] = config
    problems += conflicts(syncs, read)
    bound = bind(syncs, read, dictionary)
    problems += bound.problems
    warnings += bound.warnings
    dictionary = replace(dictionary, terms=bound.terms)
    warnings += lint(syncs, read, dictionary)
    warnings += lock_warnings(folder, shown(folder / LOCK), dictionary)
    for name, problem in connections.watched if connections is not None else []:
        if name not in (known := [sync.name for sync in named.values()]):
            problems.append(replace(problem, text=problem.text + did_you_mean(name, known)))
    warnings += after_warnings(syncs, read)
    if connections is not None:
        warnings += [*connections.warnings, *lineage_warnings(syncs, read, connections)]
    problems += after_problems(syncs, read, connections.dialects if connections is not None else {})
    problems += spot_check_problems(syncs, read, connections.destinations if connections is not None else {})
    faulty_files = connections.faulty_files if connections is not None else FaultyFiles.STOP
    left = left_out(
        problems,
        files=every,
        syncs=syncs,
        defaults=defaults,
        contracts=bound.contracts,
        places=connections.entries if connections is not None else (),
        faulty_files=faulty_files,
    )
    found = Inspection(None, problems, warnings, read, syncs, left_out=left)
    if connections is None or shared_problems(problems, files=every, defaults=defaults):
        return found
    if problems and faulty_files is FaultyFiles.STOP:
        return found
    for name, fields in beside(syncs, read).items():
        syncs[name] = syncs[name].model_copy(update=fields)
    for name, contracts in bound.contracts.items():
        syncs[name] = with_contracts(syncs[name], contracts)
    project = ProjectConfig(
        directory=folder,
        databases=connections.databases,
        destinations=connections.destinations,
        syncs={name: sync for name, sync in syncs.items() if name not in left},
        notify=connections.notify,
        dictionary=dictionary,
        retention=connections.retention,
        monitoring=connections.monitoring,
        warnings=tuple(lines(warnings)),
        left_out=left,
    )
    return replace(found, project=None if problems else project, runnable=project)


def load_connections(directory: Path) -> Connections:
    """Reads ``connections.yaml`` alone, or that of the chosen target.

    Raises:
        ConfigProblemsError: It is missing or not as it must be.
    """
    folder = Path(directory).expanduser().absolute()
    problems: list[Problem] = []
    files = [folder / CONNECTIONS] if (folder / CONNECTIONS).exists() else []
    connections = _connections(folder, chosen_target(), files, problems)
    if problems or connections is None:
        raise ConfigProblemsError(lines(problems))
    return connections


def _yaml_files(folder: Path, problems: list[Problem]) -> set[Path]:
    """Every visible YAML file. What may hide others is a problem of every sync: it may be one that sends what is gone.

    Docker makes a folder in the place of a file that it is to mount and that does not exist: such a folder counts.
    """
    files = set[Path]()
    for name, found in files_below(folder):
        path = Path(name)
        if name.lower().endswith(_ENDINGS) and path not in files:
            files.add(path)
        elif isinstance(found, FileNotFoundError) and not path.is_symlink():
            continue  # removed since it was listed
        elif isinstance(found, OSError):
            nowhere = "is a symbolic link that leads nowhere, so that syncs may be missing: mend it, or remove it"
            text = nowhere if isinstance(found, FileNotFoundError) else f"cannot be read: {found.strerror}"
            problems.append(Problem(shown(path), 0, "", text, (f"{shown(path)}/",)))
    return files


def _read(path: Path, problems: list[Problem]) -> tuple[bytes, Document] | None:
    file = shown(path)
    try:
        if path.exists() and not path.is_file():
            # Reading a pipe without a writer would wait without end.
            problems.append(Problem(file, 0, "", "cannot be read: it is not a regular file"))
            return None
        content = path.read_bytes()
    except OSError as error:
        problems.append(Problem(file, 0, "", f"cannot be read: {error.strerror}"))
        return None
    document = read_document(content, file)
    problems.extend(Problem(file, line, "", text) for line, text in document.problems)
    return content, document


def _connections(folder: Path, target: str, files: list[Path], problems: list[Problem]) -> Connections | None:
    path = file_of(folder, target)
    file = shown(path)
    if text := missing(folder, target):
        problems.append(Problem(file, 0, "", text))
        return None
    if (read := _read(path, problems)) is None or not read[1].values:
        return None
    document = read[1]
    if target and folder / CONNECTIONS in files:
        shared = _read(folder / CONNECTIONS, problems)
        document = with_shared(document, shared[1], shown(folder / CONNECTIONS)) if shared else document
    return read_connections(document, file=file, folder=folder, problems=problems)


def _defaults(files: list[Path], problems: list[Problem]) -> list[Defaults]:
    found = [(path, _read(path, problems)) for path in files if path.name == DEFAULTS]
    return [read_defaults(path, shown(path), *read, problems) for path, read in found if read]


def _sync_file(path: Path, problems: list[Problem]) -> SyncFile | None:
    if is_named_like_connections(path):
        problems.append(
            Problem(shown(path), 0, "", "connections are read from connections.yaml in the top folder only")
        )
        return None
    file, read = shown(path), _read(path, problems)
    if read is None:
        # The sync is there, and nothing of it is known; a dictionary is none.
        nothing = Document({}, Place(1, 1), [(0, "cannot be read")])
        return None if is_dictionary(path.name) else SyncFile(path.stem, file, b"", nothing, folder=path.parent)
    content, document = read
    queries = read_query_files(document, file=file, folder=path.parent)
    problems.extend(queries.problems)
    content += queries.content
    return SyncFile(path.stem, file, content, queries.document, folder=path.parent, query_files=queries.files)


def _dictionary(read: SyncFile, at_the_top: bool, problems: list[Problem]) -> Dictionary | None:
    """What names mean; a file of this name with a query is a sync, as it always was."""
    if not at_the_top:
        text = f"the dictionary is read from {DICTIONARY} in the top folder only: move its definitions there"
        problems.append(Problem(read.file, 0, "", text))
        return None
    return read_dictionary(read.document, file=read.file, problems=problems)

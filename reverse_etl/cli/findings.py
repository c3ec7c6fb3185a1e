"""What ``doctor`` reports, place by place. No secret, host, address, path of a home directory or value of a row."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.counted import counted
from reverse_etl.errors import ConfigError, ConfigProblemsError, ReverseEtlError, StateError
from reverse_etl.settings import SETTINGS, TARGET_VARIABLE, value_of

if TYPE_CHECKING:
    from reverse_etl.state.home import Home

_OTHERS: Final = ("DAGSTER_HOME", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "TZ")
_LEAST_DISK_GB: Final = 1.0
_LEAST_FILES: Final = 1024
_NO_DAEMON: Final = "does not run. Note: due runs start only while it does, as under reverse-etl ui"
_GATHERED: Final = frozenset({"all", "dev"})
"""Extras of others' packages."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        section: What it belongs to.
        name: What was looked at.
        value: What was found.
        problem: What is wrong and what to do; empty where nothing is.
        exit_code: Of the problem.
    """

    section: str
    name: str
    value: str
    problem: str = ""
    exit_code: int = 0

    def as_json(self) -> dict[str, Any]:
        """For programs; null where nothing is wrong."""
        return {"section": self.section, "name": self.name, "value": self.value, "problem": self.problem or None}


def findings(syncs: Path) -> Iterator[Finding]:
    """Everything that is looked at, in the order in which a fault is looked for."""
    yield from _installed()
    yield from _machine()
    yield from _environment()
    yield from _files(syncs)
    yield from _remembered(syncs)


def _installed() -> Iterator[Finding]:
    section = "Installed"
    yield Finding(section, "reverse-etl", version("reverse-etl"))
    yield Finding(section, "Python", f"{platform.python_version()} ({platform.python_implementation()})")
    for extra, names in _needed().items():
        found = {name: _version(name) for name in names}
        missing = [name for name, its_version in found.items() if not its_version]
        shown = ", ".join(f"{name} {its_version}" for name, its_version in found.items() if its_version)
        if extra:
            yield Finding(section, f"extra {extra}", "not installed" if missing else shown)
        else:
            lacking = f"{', '.join(missing)}: install reverse-etl again" if missing else ""
            yield Finding(section, "packages", shown, lacking, ConfigError.exit_code)


def _needed() -> dict[str, list[str]]:
    """The packages that are needed, and those of each extra that has some of its own, by its name."""
    from packaging.requirements import Requirement

    found: dict[str, list[str]] = {"": []}
    for text in requires("reverse-etl") or ():
        requirement = Requirement(text)
        extra = str(requirement.marker).partition('extra == "')[2].partition('"')[0]
        if extra not in _GATHERED:
            found.setdefault(extra, []).append(requirement.name)
    return found


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _machine() -> Iterator[Finding]:
    import resource

    section = "Machine"
    yield Finding(section, "system", f"{platform.system()} {platform.release()}, {platform.machine()}")
    yield Finding(section, "processors", str(os.cpu_count()))
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    problem = f"raise the limit to {_LEAST_FILES} or more (ulimit -n)" if files < _LEAST_FILES else ""
    yield Finding(section, "open files", str(files), problem, StateError.exit_code)
    yield Finding(section, "text", f"{sys.stdout.encoding}, locale {'set' if os.environ.get('LANG') else 'not set'}")


def _environment() -> Iterator[Finding]:
    """Whether each variable is set, never its value."""
    section = "Environment"
    names = [setting.name for setting in SETTINGS]
    for name in (*names, *_OTHERS):
        state = "set" if value_of(name) or value_of(name.lower()) else "not set"
        if name in names or state == "set":
            yield Finding(section, name, state)


def _files(syncs: Path) -> Iterator[Finding]:
    from reverse_etl.config.environment import EnvText
    from reverse_etl.config.loader import load_project
    from reverse_etl.config.targets import chosen_target, targets

    section = "Files"
    yield Finding(section, "folder", _without_user(syncs.expanduser().absolute()))
    if known := targets(syncs.expanduser()):
        yield Finding(section, "target", f"{chosen_target() or 'none chosen'}, of {', '.join(known)}")
    try:
        project = load_project(syncs)
    except ConfigProblemsError as error:
        found = counted(len(error.problems), "problem")
        choose = f"choose a target with --target or {TARGET_VARIABLE}" if known and not chosen_target() else ""
        yield Finding(section, "syncs", found, choose or "see them: reverse-etl validate", error.exit_code)
        return
    except ConfigError as error:
        yield Finding(section, "syncs", "none", _without_user(str(error)), error.exit_code)
        return
    kinds = Counter(sync.DESTINATION for sync in project.syncs.values())
    yield Finding(section, "syncs", ", ".join(f"{count} to {kind}" for kind, count in sorted(kinds.items())) or "none")
    engines = Counter(database.type for database in project.databases.values())
    yield Finding(section, "databases", ", ".join(f"{n} {kind}" for kind, n in sorted(engines.items())) or "none")
    if project.warnings:
        yield Finding(section, "warnings", f"{len(project.warnings)}: see them with reverse-etl validate")
    connections = [*project.databases.values(), *project.destinations.values(), *project.notify.values()]
    unset: set[str] = set()
    for text in (getattr(each, name) for each in connections for name in type(each).model_fields):
        try:
            if isinstance(text, EnvText):
                text.resolve()
        except ConfigError as error:
            unset.add(error.message.removesuffix("."))
    yield Finding(
        section,
        "variables of connections",
        f"{counted(len(unset), 'variable')} not usable" if unset else "all set",
        "; ".join(sorted(unset)),
        ConfigError.exit_code,
    )


def _remembered(syncs: Path) -> Iterator[Finding]:
    from datetime import UTC, datetime

    from reverse_etl.cli.dagster_home import dagster_folder
    from reverse_etl.cli.dagster_settings import (
        DAGSTER_HOME_VARIABLE,
        how_to_add_settings,
        missing_settings,
        stored_elsewhere,
        whose_settings,
    )
    from reverse_etl.cli.toggles import daemon_runs
    from reverse_etl.state.home import Home
    from reverse_etl.state.run_history import latest_runs
    from reverse_etl.state.store import open_store

    section = "State"
    try:
        home = Home.from_environment(syncs)
        free = shutil.disk_usage(home.path).free / 1e9
        full = "free some space: changesets and failed rows lie here" if free < _LEAST_DISK_GB else ""
        yield Finding(
            section, "home folder", f"{_without_user(home.path)}, {free:.1f} GB free", full, StateError.exit_code
        )
        store = open_store(home.state_url)
        runs = latest_runs(store)
        yield Finding(section, "state database", f"{'SQLite' if store.sqlite else 'PostgreSQL'}, up to date")
        ends = Counter(run.status.value for run in runs.values())
        yield Finding(section, "newest runs", ", ".join(f"{n} {end}" for end, n in sorted(ends.items())) or "none yet")
        if not store.sqlite:
            with store.reading() as connection:
                apart = abs((store.now(connection) - datetime.now(UTC)).total_seconds())
            slow = "set this machine's clock: times of runs are compared with the database's" if apart > 60 else ""
            yield Finding(section, "clock", f"{apart:.0f} s from the state database's", slow, StateError.exit_code)
        section = "Dagster"
        folder = dagster_folder(home)
        yield Finding(section, "storage", "a server" if stored_elsewhere(folder) else "files")
        is_made = (folder / "dagster.yaml").exists() or bool(os.environ.get(DAGSTER_HOME_VARIABLE))
        lacking = missing_settings(folder) if is_made else ()
        needed = f"dagster.yaml lacks {', '.join(lacking)}: {how_to_add_settings()}" if lacking else ""
        yield Finding(section, "settings", whose_settings(folder), needed, StateError.exit_code)
        yield from _launcher(section, home)
        runs_here = daemon_runs(home, datetime.now(UTC))
        yield Finding(section, "daemon", "runs" if runs_here else _NO_DAEMON)
    except ReverseEtlError as error:
        yield Finding(section, "state", "cannot be used", _without_user(_without_host(error, syncs)), error.exit_code)


def _launcher(section: str, home: Home) -> Iterator[Finding]:
    """Whether what starts runs can be loaded, where a user's own ``dagster.yaml`` says what that is."""
    from importlib.resources import files

    from reverse_etl.cli.dagster_home import dagster_folder
    from reverse_etl.cli.dagster_services import check_launcher
    from reverse_etl.cli.dagster_settings import DAGSTER_HOME_VARIABLE

    file = dagster_folder(home) / "dagster.yaml"
    if not file.exists() or file.read_bytes() == (files("reverse_etl.defs") / file.name).read_bytes():
        return
    os.environ.setdefault(DAGSTER_HOME_VARIABLE, str(file.parent))
    try:
        check_launcher(home)
        yield Finding(section, "launcher", "can be loaded")
    except StateError as error:
        yield Finding(section, "launcher", "cannot be loaded", _without_user(error), error.exit_code)


def _without_host(error: ReverseEtlError, syncs: Path) -> str:
    """What is wrong with the state, without where it is: of a server, name, host and port."""
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import place_of

    try:
        return str(error).replace(f" {place_of(Home.from_environment(syncs).state_url)}", "")
    except ReverseEtlError:
        return str(error)  # what could not be found has no place


def _without_user(text: object) -> str:
    """Without the name of who runs it, which paths of a home directory have."""
    return str(text).replace(str(Path.home()), "~") if str(Path.home()) != "/" else str(text)

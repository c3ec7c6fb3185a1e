"""What several commands need: the folder of the syncs, one sync by name, its credentials."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from reverse_etl.config.folder_now import FilesFound
    from reverse_etl.config.left_out import LeftOut
    from reverse_etl.config.loader import ProjectConfig
    from reverse_etl.config.syncs import SyncConfig

SyncsFolder = Annotated[
    Path, typer.Option("--syncs", envvar="REVERSE_ETL_SYNCS", help="The folder of connections.yaml and the syncs.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
GoneMax = Annotated[
    str,
    typer.Option(
        metavar="LIMIT",
        help="Of what is gone, remove up to this share (20%) or number, instead of what the sync's file allows.",
    ),
]


Accept = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CHECK",
        help="Do not let a check of that name stop this one; may be given several times. Rows that it rejects are "
        "still rejected.",
    ),
]


AddsMax = Annotated[
    str,
    typer.Option(
        metavar="LIMIT",
        help="Add up to this share (20%) of a table's rows, or this number, instead of what the sync's file allows.",
    ),
]
UpdatesMax = Annotated[
    str,
    typer.Option(
        metavar="LIMIT",
        help="Change up to this share (20%) of a table's rows, or this number, instead of what the sync's file allows.",
    ),
]


def runnable_project(syncs: Path, asked: str = "") -> ProjectConfig:
    """What may run, with a warning on stderr where faulty files leave syncs out, unless the one that is asked for.

    Raises:
        ConfigProblemsError: A faulty file stops every sync.
        ConfigError: There is no such folder.
    """
    from reverse_etl.config.loader import load_runnable

    project = load_runnable(syncs)
    warn_of(project.left_out, asked)
    return project


def warn_of(left_out: Mapping[str, LeftOut], asked: str = "") -> None:
    """Says on stderr which files are faulty, and which syncs are left out.

    Nothing where that is the one asked for: ``sync_named`` says the same of it, as an error.
    """
    if (text := _warning(left_out)) and asked not in left_out:
        from reverse_etl.cli import words
        from reverse_etl.cli.tables import say

        say(words.console(stderr=True), text, style="yellow")


def warning_of_files(found: FilesFound) -> str:
    """Which files are faulty, and which syncs are left out; empty where none is faulty."""
    from reverse_etl.config.left_out import SEE_ALL, first_of

    if not found.problems:
        return ""
    return _warning(found.left_out) or f"Warning: {first_of(found.problems)} {SEE_ALL}"


def _warning(left_out: Mapping[str, LeftOut]) -> str:
    from reverse_etl.config.left_out import SEE_ALL, Reason, named
    from reverse_etl.counted import counted

    first = next((why.problem for why in left_out.values() if why.problem), "")
    if not first:
        return ""
    faulty = {(why.reason, why.of) for why in left_out.values() if why.reason in (Reason.OWN_FILE, Reason.SHARED_FILE)}
    others = len(faulty) - 1
    more = f" {counted(others, 'more file is', 'more files are')} faulty." if others > 0 else ""
    return f"Warning: {first}{more} {named(left_out)} {SEE_ALL}"


def sync_named(project: ProjectConfig, name: str) -> SyncConfig:
    """One sync. Raises ConfigError with the nearest name where there is none, or with why faulty files leave it out."""
    if (why := project.left_out.get(name)) is not None:
        from reverse_etl.config.left_out import SEE_ALL

        raise ConfigError(f"{name} is left out: {why.why}", hint=SEE_ALL)
    require_named(project.syncs, name, str(project.directory))
    return project.syncs[name]


def require_named(known: Collection[str], name: str, folder: str) -> None:
    """Raises ConfigError with the nearest name where a sync is not known."""
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        others = f"There are: {', '.join(sorted(known))}." if known else "There is none yet: see reverse-etl init."
        hint = f"Did you mean {near[0]}?" if near else others
        raise ConfigError(f"there is no sync named {name} in {folder}.", hint=hint)


NO_SYNCS: Final = frozenset({"connections", "dictionary", "_defaults"})
"""Files of the folder that are none, by their names without the ending."""


def sync_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of syncs that begin so, for a shell's completion: files are listed, not read."""
    folder = Path(ctx.params.get("syncs") or os.environ.get("REVERSE_ETL_SYNCS") or "syncs").expanduser()
    files = (path for ending in ("yaml", "yml") for path in folder.rglob(f"*.{ending}"))
    visible = (path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    stems = {path.stem for path in visible if path.stem.startswith(incomplete) and "." not in path.stem}
    return sorted(stems - NO_SYNCS)


def resolve_credentials(project: ProjectConfig, sync: SyncConfig) -> None:
    """Raises UnsetVariableError for the first missing variable of the sync's database and workspace."""
    from reverse_etl.config.environment import EnvText

    for connection in (project.databases[sync.database], project.destinations[sync.destination]):
        for name in type(connection).model_fields:
            value = getattr(connection, name)
            if isinstance(value, EnvText):
                value.resolve()

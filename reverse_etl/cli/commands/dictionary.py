"""``dictionary``: what names mean, which syncs write them and when they were last seen, as pages."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.project import AsJson, SyncsFolder
from reverse_etl.cli.tables import say
from reverse_etl.counted import counted

if TYPE_CHECKING:
    from reverse_etl.config.syncs import ProjectConfig

EXAMPLES: Final = ("dictionary", "dictionary --output docs", "dictionary --lock")

Output = Annotated[
    Path | None,
    typer.Option(
        "--output", metavar="DIR", help="Write the pages into this folder.", show_default="in the home folder"
    ),
]
Lock = Annotated[
    bool, typer.Option("--lock", help="Write what every name means into dictionary.lock, and nothing else.")
]


def dictionary(
    syncs: SyncsFolder = Path("syncs"), output: Output = None, lock: Lock = False, as_json: AsJson = False
) -> None:
    """Write the data dictionary as dictionary.html, dictionary.md and dictionary.json.

    It has every name that a sync writes, defined or not. When a name was last seen, and how often it was NULL, comes
    from the newest run whose rows are still in this machine's home folder.
    """
    from reverse_etl.cli.dictionary_pages import html_page, markdown_page
    from reverse_etl.config.loader import load_project
    from reverse_etl.run.dictionary import dictionary_of, names_in
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import open_store

    if lock and (as_json or output is not None):
        raise typer.BadParameter("writes the lock alone: leave --output and --json out.", param_hint="--lock")
    project, people = load_project(syncs), words.console(stderr=True)
    if lock:
        say(people, _write_lock(project))
        return
    import orjson

    home = Home.from_environment(syncs)
    chapters = dictionary_of(project, home, open_store(home.state_url))
    found = [chapter.as_json() for chapter in chapters]
    if as_json:
        words.print_json(found)
        return
    now = datetime.now(UTC)
    pages = {
        "html": html_page(chapters, now).encode(),
        "md": markdown_page(chapters, now).encode(),
        "json": orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE),
    }
    for ending, content in pages.items():
        path = (output or home.path / "dictionary") / f"dictionary.{ending}"
        _write(path, content)
        print(path)  # noqa: T201
    names, defined = names_in(chapters)
    say(people, f"{counted(names, 'name')}, {defined} defined.")


def _write_lock(project: ProjectConfig) -> str:
    """Writes the lock; returns what that accepts, a sentence."""
    from reverse_etl.config.dictionary_lock import LOCK, changed_parts, digests_of, lock_text, locked

    path = project.directory / LOCK
    before = (locked(path.read_text(encoding="utf-8", errors="replace")) if path.exists() else {}) or {}
    now = digests_of(project.dictionary)
    changed = sum(bool(changed_parts(before.get(name), parts)) for name, parts in now.items())
    new, gone = len(now.keys() - before.keys()), len(before.keys() - now.keys())
    _write(path, lock_text(now).encode())
    what = ", ".join(f"{count} {word}" for count, word in ((new, "new"), (changed, "changed"), (gone, "gone")) if count)
    return f"Wrote {words.place(path)}: {counted(len(now), 'name')}, {what or 'none of them changed'}."


def _write(path: Path, content: bytes) -> None:
    from reverse_etl.errors import StateError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror}.", hint="Name a folder that is yours.") from None

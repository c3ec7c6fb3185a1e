"""``reverse-etl init``: a first sync, asked for step by step, as files that a person could have written.

Each answer is checked at its question, and nothing is written before the last one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.cli import words
from reverse_etl.cli.asking import Terminal, variables_of, write
from reverse_etl.cli.init_connections import as_connections, ask_connections, is_sandbox, path_again
from reverse_etl.cli.init_sync import ask_sync, sync_problems
from reverse_etl.cli.init_tables import tables_of
from reverse_etl.cli.project import SyncsFolder
from reverse_etl.cli.tables import print_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reverse_etl.config.connections import DatabaseConfig, DestinationConfig
    from reverse_etl.config.connections_file import Connections

EXAMPLES: Final = ("init",)


def init(syncs: SyncsFolder = Path("syncs")) -> None:
    """Ask for a first sync step by step, and write its files into the folder of the syncs."""
    from reverse_etl.config.loader import CONNECTIONS, load_connections

    asks = Terminal()
    file = syncs / CONNECTIONS
    files: dict[Path, str] = {}
    if not file.exists():
        files[file] = as_yaml(ask_connections(asks, syncs))
        known = as_connections(files[file], syncs)
        (database,), (destination,) = known.databases.values(), known.destinations.values()
    else:
        known = load_connections(syncs)
        _require_both(known, file)
        database = known.databases[asks.choice("Database", list(known.databases))]
        if mended := path_again(asks, database, syncs):
            files[file] = mended
            known = as_connections(mended, syncs)
            database = known.databases[database.name]
        destination = known.destinations[asks.choice("Destination", list(known.destinations))]
        asks.note_unset(database, destination)
    name = _new_name(asks, syncs)
    asks.unset_secrets(database)
    tables = tables_of(database)
    if tables.problem:
        write(f"The tables cannot be listed: {tables.problem} Type their names.")
    where = {"database": database.name, _key(destination): destination.name}
    files[syncs / f"{name}.yaml"] = as_yaml(where | ask_sync(asks, database, destination, tables))
    sync_problems(syncs / f"{name}.yaml", files[syncs / f"{name}.yaml"], known)
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        write(f"Wrote {path}")
    for step in _next_steps(name, database, destination, list(dict.fromkeys(asks.variables))):
        print_line(words.console(stderr=True), words.text(f"  {step}"))


def as_yaml(content: dict[str, Any]) -> str:
    """A file as a person would write it: texts of several lines as blocks."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Texts of several lines as blocks."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True)


def _next_steps(
    sync: str, database: DatabaseConfig, destination: DestinationConfig, variables: list[str]
) -> Iterator[str]:
    """What to type after this, in order."""
    of_sandbox = set(variables_of(destination)) if is_sandbox(destination) else set()
    if is_sandbox(destination):
        yield f"reverse-etl sandbox --as {destination.type}  # in a terminal of its own: it serves until Ctrl-C"
    yield from (f"export {each}={'sandbox' if each in of_sandbox else '...'}" for each in variables)
    yield f"reverse-etl validate {sync}"
    yield from (f"reverse-etl test-connection {each}" for each in dict.fromkeys((database.name, destination.name)))
    yield from (f"reverse-etl {command} {sync}" for command in ("preview", "plan", "run"))


def _new_name(asks: Terminal, syncs: Path) -> str:
    """A name that no sync of the folder has; a sync is never written over."""
    while True:
        name = asks.name("Name of the sync, and of its file", "customers")
        files = (path for path in syncs.rglob("*") if path.suffix.lower() in (".yaml", ".yml"))
        if (there := next((path for path in files if path.stem.lower() == name.lower()), None)) is None:
            return name
        write(f"{there} already exists. Choose another name, or end this with Ctrl-C and edit that file.")


def _require_both(known: Connections, file: Path) -> None:
    from reverse_etl.errors import ConfigError

    for what, entries in (("database", known.databases), ("destination", known.destinations)):
        if not entries:
            raise ConfigError(f"{file} has no {what}.", hint=f"Add one under {what}s, then call init again.")


def _key(destination: DestinationConfig) -> str:
    """What a sync calls its destination: the kind's own word, where it has one."""
    return destination.SECTION.removesuffix("s")

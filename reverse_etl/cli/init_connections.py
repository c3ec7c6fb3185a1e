"""The first database and the first destination, as ``init`` asks for them; a file's path is checked as it is typed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args

from reverse_etl.cli.asking import Terminal, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reverse_etl.config.connections import DatabaseConfig, DestinationConfig
    from reverse_etl.config.connections_file import Connections

_PATH: Final = re.compile(r"""(\bpath:\s*)("[^"]*"|'[^']*'|[^\s#,}]+)""")


def ask_connections(asks: Terminal, syncs: Path) -> dict[str, Any]:
    """The values of ``connections.yaml``.

    Args:
        asks: The person.
        syncs: The folder of the file, from which its paths count.
    """
    from reverse_etl import destinations, sources
    from reverse_etl.config.connections_file import DESTINATIONS, SOURCES, workspace_kind
    from reverse_etl.plugins import names

    engine = asks.choice("Type of the database", names(SOURCES), default=None)
    database = asks.name("A name for it", "shop")
    entry = {"type": engine, **_asked(asks, sources.engine(engine).Config, f"{database}_db", syncs)}
    kind = asks.choice("Type of the destination", names(DESTINATIONS), default=None)
    model = destinations.kind(kind).Config
    destination = asks.name(f"A name for the {model.SECTION.removesuffix('s')}", "main")
    own = {} if kind == workspace_kind() else {"type": kind}
    given = model.SANDBOX if _wants_sandbox(asks, model) else {}
    other = own | _asked(asks, model, model.VARIABLES or destination, syncs, given)
    return {"databases": {database: entry}, model.SECTION: {destination: other}}


def as_connections(content: str, syncs: Path) -> Connections:
    """What ``connections.yaml`` would be with this content.

    Raises:
        ConfigProblemsError: It is not as it must be.
    """
    from reverse_etl.config.connections_file import read_connections
    from reverse_etl.config.document import read_document
    from reverse_etl.config.loader import CONNECTIONS
    from reverse_etl.config.problems import Problem, lines
    from reverse_etl.errors import ConfigProblemsError

    problems: list[Problem] = []
    file = str(syncs / CONNECTIONS)
    document = read_document(content.encode(), file)
    found = read_connections(document, file=file, folder=syncs.expanduser().absolute(), problems=problems)
    if problems:
        raise ConfigProblemsError(lines(problems))
    return found


def path_again(asks: Terminal, database: DatabaseConfig, syncs: Path) -> str:
    """Asks for the path of a database whose file is not there.

    Returns:
        ``connections.yaml`` with the new path, and nothing else changed; empty where the file is there, or the path
        is left as it is.
    """
    from reverse_etl.config.connections import FileConfig
    from reverse_etl.config.document import read_document
    from reverse_etl.config.loader import CONNECTIONS
    from reverse_etl.errors import ConfigError

    if not isinstance(database, FileConfig) or database.path.is_file():
        return ""
    write(f"Database {database.name}: there is no file {database.path}.")
    path = _path(asks, type(database), f"path (relative to {syncs}); Enter: leave it", syncs, default="")
    if not path:
        return ""
    file = syncs / CONNECTIONS
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    place = read_document("".join(lines).encode(), str(file)).place.line_of(("databases", database.name, "path"))
    lines[place - 1] = _PATH.sub(lambda match: match[1] + path, lines[place - 1], count=1)
    mended = "".join(lines)
    found = as_connections(mended, syncs).databases[database.name]
    if not isinstance(found, FileConfig) or not found.path.is_file():
        raise ConfigError(
            f"{file}:{place}: the path cannot be replaced.", hint=f"Write path: {path} there, then call init again."
        )
    return mended


def is_sandbox(destination: DestinationConfig) -> bool:
    """Whether an entry leads to the stand-in that `reverse-etl sandbox` serves where it is not told otherwise."""
    addresses = ((getattr(destination, key), address) for key, address in destination.SANDBOX.items())
    return any(value is not None and value.template == address for value, address in addresses)


def _wants_sandbox(asks: Terminal, model: type[DestinationConfig]) -> bool:
    where = "Your own account, or the local sandbox, which needs none"
    return bool(model.SANDBOX) and asks.choice(where, ("live", "sandbox")) == "sandbox"


def _asked(
    asks: Terminal,
    model: type[DatabaseConfig | DestinationConfig],
    prefix: str,
    syncs: Path,
    given: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The keys that an entry cannot do without, and those that most have besides.

    With what is ``given``, the addresses of a stand-in, only its secrets are added to that.
    """
    from reverse_etl.config.connections import FileConfig
    from reverse_etl.config.environment import Secret

    entry: dict[str, Any] = {}
    usual = model.USUAL | (model.ASKED if given else frozenset())
    for name, about in model.model_fields.items():
        key = about.alias or name
        types = get_args(about.annotation) or (about.annotation,)
        if given and name in given:
            entry[key] = given[name]
            continue
        if given and Secret not in types and not about.is_required():
            continue
        if name in model.ASKED and not given:
            if (answer := _optional(asks, model, name)) is not None:
                entry[key] = answer
            continue
        if not about.is_required() and name not in usual:
            continue
        if Secret in types:
            entry[key] = asks.secret(prefix, key)
        elif all(isinstance(each, str) for each in types):
            entry[key] = asks.choice(key, types)
        elif issubclass(model, FileConfig) and name == "path":
            entry[key] = _path(asks, model, f"path (the database file, relative to {syncs})", syncs)
        else:
            entry[key] = asks.text(_question(model, name))
    return entry


def _path(
    asks: Terminal, model: type[DatabaseConfig], question: str, syncs: Path, *, default: str | None = None
) -> str:
    """The path of a database that can be opened, as the file in the folder of the syncs names it; or the default."""
    from reverse_etl import sources
    from reverse_etl.errors import SourceUnavailableError

    folder = syncs.expanduser().absolute()
    while answer := asks.text(question, default):
        path = (folder / Path(answer).expanduser()).resolve()
        if path.is_file():
            try:
                with sources.connect(model.model_validate({"path": path, "name": path.name})):
                    return answer
            except SourceUnavailableError as error:
                write(f"{error.message} {error.hint}")
            continue
        here = Path(answer).resolve()
        meant = f"; did you mean {os.path.relpath(here, folder)}?" if here.is_file() else "."
        write(f"There is no file {path}, and the path counts from {syncs}, the folder of connections.yaml{meant}")
    return ""


def _question(model: type[DatabaseConfig | DestinationConfig], name: str) -> str:
    about = model.model_fields[name]
    said = (about.description or "").replace("this file", "syncs/connections.yaml").removesuffix(".")
    return f"{about.alias or name} ({said})"


def _optional(asks: Terminal, model: type[DatabaseConfig | DestinationConfig], name: str) -> int | str | None:
    """A value that fits, or None where there is no need for one."""
    from pydantic import TypeAdapter, ValidationError

    about = model.model_fields[name]
    kind: Any = Annotated[about.annotation, *(about.metadata or (None,))]
    while given := asks.text(f"{_question(model, name)}; Enter: none", ""):
        value: int | str = int(given) if given.isascii() and given.isdigit() else given
        try:
            TypeAdapter[Any](kind).validate_python(value)
        except ValidationError as error:
            write(f"{name}: {error.errors()[0]['msg']}.")
        else:
            return value
    return None

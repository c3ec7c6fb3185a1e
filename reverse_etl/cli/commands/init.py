"""``reverse-etl init``: a first sync, asked for step by step, as files that a person could have written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args

from reverse_etl.cli import words
from reverse_etl.cli.asking import Terminal, write
from reverse_etl.cli.init_query import bound_of, first_query
from reverse_etl.cli.init_tables import Tables, bare_name, chosen, tables_of
from reverse_etl.cli.project import SyncsFolder
from reverse_etl.cli.tables import print_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reverse_etl.config.connections import DatabaseConfig, DestinationConfig
    from reverse_etl.config.connections_file import Connections

EXAMPLES: Final = ("init",)


def init(syncs: SyncsFolder = Path("syncs")) -> None:
    """Ask for a first sync step by step, and write its files into the folder of the syncs."""
    from reverse_etl.config.loader import CONNECTIONS, load_connections, load_project
    from reverse_etl.errors import ConfigError

    asks = Terminal()
    connections = syncs / CONNECTIONS
    if not connections.exists():
        _write(connections, _connections(asks))
        known = load_connections(syncs)
        (database,), (destination,) = known.databases.values(), known.destinations.values()
    else:
        known = load_connections(syncs)
        _require_both(known, connections)
        database = known.databases[asks.choice("Database", list(known.databases))]
        destination = known.destinations[asks.choice("Destination", list(known.destinations))]
    name = asks.name("Name of the sync, and of its file", "customers")
    path = syncs / f"{name}.yaml"
    if path.exists():
        raise ConfigError(f"{path} already exists.", hint="Choose another name, or edit that file.")
    asks.unset_secrets(database)
    tables = tables_of(database)
    if tables.problem:
        write(f"The tables cannot be listed: {tables.problem} Type their names.")
    where = {"database": database.name, _key(destination): destination.name}
    _write(path, where | _sync(asks, database, destination, tables))
    load_project(syncs)
    tests = (f"test-connection {each}" for each in dict.fromkeys((database.name, destination.name)))
    commands = (*tests, f"preview {name}", f"plan {name}", f"run {name}")
    for step in (*(f"export {each}=..." for each in asks.variables), *(f"reverse-etl {each}" for each in commands)):
        print_line(words.console(stderr=True), words.text(f"  {step}"))


def _require_both(known: Connections, file: Path) -> None:
    from reverse_etl.errors import ConfigError

    for what, entries in (("database", known.databases), ("destination", known.destinations)):
        if not entries:
            raise ConfigError(f"{file} has no {what}.", hint=f"Add one under {what}s, then call init again.")


def _key(destination: DestinationConfig) -> str:
    """What a sync calls its destination: the kind's own word, where it has one."""
    return destination.SECTION.removesuffix("s")


def _connections(asks: Terminal) -> dict[str, Any]:
    """The first database and the first destination."""
    from reverse_etl import destinations, sources
    from reverse_etl.config.connections_file import DESTINATIONS, SOURCES, workspace_kind
    from reverse_etl.plugins import names

    engine = asks.choice("Type of the database", names(SOURCES), default=None)
    database = asks.name("A name for it", "shop")
    entry = {"type": engine, **_asked(asks, sources.engine(engine).Config, f"{database}_db")}
    kind = asks.choice("Type of the destination", names(DESTINATIONS), default=None)
    model = destinations.kind(kind).Config
    destination = asks.name(f"A name for the {model.SECTION.removesuffix('s')}", "main")
    own = {} if kind == workspace_kind() else {"type": kind}
    other = own | _asked(asks, model, model.VARIABLES or destination)
    return {"databases": {database: entry}, model.SECTION: {destination: other}}


def _asked(asks: Terminal, model: type[DatabaseConfig | DestinationConfig], prefix: str) -> dict[str, Any]:
    """The keys that an entry cannot do without, and those that most have besides."""
    from reverse_etl.config.environment import Secret

    entry: dict[str, Any] = {}
    for name, about in model.model_fields.items():
        key = about.alias or name
        if name in model.ASKED:
            if (given := _optional(asks, model, name)) is not None:
                entry[key] = given
            continue
        if not about.is_required() and name not in model.USUAL:
            continue
        types = get_args(about.annotation) or (about.annotation,)
        if Secret in types:
            entry[key] = asks.secret(prefix, key)
        elif all(isinstance(each, str) for each in types):
            entry[key] = asks.choice(key, types)
        else:
            entry[key] = asks.text(_question(model, name))
    return entry


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


def _sync(asks: Terminal, database: DatabaseConfig, destination: DestinationConfig, tables: Tables) -> dict[str, Any]:
    """What a row is, when it is read, and the query."""
    from reverse_etl.destinations import kind

    rows = kind(destination.type).first_rows(asks, _there(asks, destination))
    table = asks.one_of("Table that holds the rows", tables.columns, "table")
    columns = tables.columns.get(table, [])
    if columns:
        write(f"Columns: {', '.join(columns)}")
    named = {}
    for needed in rows.columns:
        default = needed.name if needed.named_alike else None
        named[needed.name] = asks.one_of(needed.question, columns, "column", default=default)
    question = "Other columns to send, with commas between them"
    while None in (others := [chosen(each, columns) for each in asks.texts(question, "")]):
        write(f"The columns are: {', '.join(columns)}")
    for column in filter(None, others):
        named.setdefault(bare_name(column), column)
    changed, bound = _time_column(asks, database, tables, table)
    every = asks.text("How often (15m, 1h, 1d ...; manual)", "1h")
    return {
        "schedule": every if every == "manual" else {"every": every},
        rows.section: rows.settings,
        "query": first_query(database.type, table, named, changed, bound),
    }


def _there(asks: Terminal, destination: DestinationConfig) -> Mapping[str, Sequence[str]]:
    """The tables of a destination with their columns; none where it has none, or cannot be asked."""
    from reverse_etl.destinations import kind
    from reverse_etl.destinations.table_powers import ListsTables
    from reverse_etl.errors import ReverseEtlError

    of = kind(destination.type)
    if not isinstance(of, ListsTables):
        return {}
    asks.unset_secrets(destination)
    try:
        return of.tables(destination)
    except ReverseEtlError as error:
        write(f"The tables of {destination.name} cannot be listed: {error} Type the table's name.")
        return {}


def _time_column(asks: Terminal, database: DatabaseConfig, tables: Tables, table: str) -> tuple[str, str]:
    """The column with the time of the last change and what it is compared with; nothing where every run reads all."""
    from reverse_etl import sources
    from reverse_etl.errors import ReverseEtlError

    columns = tables.columns.get(table, [])
    question = "Column with the time of a row's last change (none: every run reads all)"
    while changed := asks.one_of(question, columns, "column", default="").strip():
        if tables.problem:
            return changed, sources.engine(database.type).LAST_SYNC_TIME
        try:
            with sources.connect(database) as session:
                declared = tables.types.get(table, {}).get(changed, "")
                bound, told = bound_of(database, session, table, changed, declared)
        except ReverseEtlError as error:
            bound, told = sources.engine(database.type).LAST_SYNC_TIME, str(error)
        if told:
            write(told)
        if bound:
            return changed, bound
    return "", ""


def _write(path: Path, content: dict[str, Any]) -> None:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Texts of several lines as blocks."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True), encoding="utf-8")
    write(f"Wrote {path}")

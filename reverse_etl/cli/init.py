"""``reverse-etl init``: a first sync, asked for step by step, as files that a person could have written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.cli import words
from reverse_etl.cli.init_tables import Tables, bare_name, chosen, tables_of
from reverse_etl.cli.project import SyncsFolder
from reverse_etl.cli.tables import print_line, say

if TYPE_CHECKING:
    from collections.abc import Iterable

_KINDS: Final = ("people", "objects", "events")
_ID_COLUMNS: Final = {"people": "id", "objects": "object_id", "events": "id"}


@dataclass(slots=True)
class _Answers:
    """What was asked, as the texts of files, and the variables that they name."""

    variables: list[str] = field(default_factory=list)

    def secret(self, *parts: str) -> str:
        """A reference to an environment variable, noted for the last steps."""
        name = "_".join(parts).upper()
        self.variables.append(name)
        return f"${{{name}}}"


def init(syncs: SyncsFolder = Path("syncs")) -> None:
    """Ask for a first sync step by step, and write its files into the folder of the syncs."""
    from reverse_etl.config.loader import CONNECTIONS, load_connections, load_project
    from reverse_etl.errors import ConfigError

    answers = _Answers()
    connections = syncs / CONNECTIONS
    if connections.exists():
        known = load_connections(syncs)
        types = {name: database.type for name, database in known.databases.items()}
        database, workspace = _choice("Database", types), _choice("Workspace", known.named("workspace"))
        engine = types[database]
    else:
        engine, database, entry = _database(answers)
        workspace, other = _workspace(answers)
        _write(connections, {"databases": {database: entry}, "workspaces": {workspace: other}})
    name = _name("Name of the sync (its file is called so)", "customers")
    path = syncs / f"{name}.yaml"
    if path.exists():
        raise ConfigError(f"{path} already exists.", hint="Choose another name, or edit that file.")
    tables = tables_of(load_connections(syncs).databases[database])
    if tables.problem:
        _tell(f"The tables cannot be listed: {tables.problem} Type their names.")
    _write(path, {"database": database, "workspace": workspace, **_sync(engine, tables)})
    load_project(syncs)
    commands = (f"test-connection {database}", f"preview {name}", f"run {name}")
    for step in (*(f"export {name}=..." for name in answers.variables), *(f"reverse-etl {each}" for each in commands)):
        print_line(words.console(stderr=True), words.text(f"  {step}"))


def _database(answers: _Answers) -> tuple[str, str, dict[str, Any]]:
    """Type, name and entry of a database: the keys that its engine cannot do without, and its password."""
    from reverse_etl import sources
    from reverse_etl.plugins import names

    engine = _choice("Type of the database", names("reverse_etl.sources"))
    name = _name("A name for it", "shop")
    entry: dict[str, Any] = {"type": engine}
    for key, about in sources.engine(engine).Config.model_fields.items():
        if about.is_required():
            entry[key] = _ask(f"{key} ({about.description})")
        elif key == "password":
            entry[key] = answers.secret(name, "db_password")
    return engine, name, entry


def _workspace(answers: _Answers) -> tuple[str, dict[str, Any]]:
    name = _name("A name for the Customer.io workspace", "main")
    region = _choice("Its region", ("us", "eu"))
    keys = ("site_id", "track_api_key", "app_api_key")
    return name, {"region": region, **{key: answers.secret("customerio", key) for key in keys}}


def _sync(engine: str, tables: Tables) -> dict[str, Any]:
    """What a row is, when it is read, and the query."""
    kind = _choice("What is a row", _KINDS)
    settings: dict[str, Any] = {}
    identifier = _ID_COLUMNS[kind]
    if kind == "objects":
        number = _ask("Number of the object type", "1")
        settings["object_type"] = int(number) if number.isdecimal() else number
    else:
        settings["identify_by"] = identifier = _choice("What identifies a person", ("id", "email"))
    if kind == "events":
        settings["name"] = _ask("Name of the event")
    table = _one_of("Table that holds the rows", tables.columns, "table")
    columns = tables.columns.get(table, [])
    if columns:
        _tell(f"Columns: {', '.join(columns)}")
    named = {_one_of(f"Column that holds the {identifier}", columns, "column", default=identifier): identifier}
    if kind == "events":
        named[_one_of("Column with the time of the event", columns, "column")] = "occurred_at"
    question = "Other columns to send, with commas between them"
    while None in (others := [chosen(part.strip(), columns) for part in _ask(question, "").split(",") if part.strip()]):
        _tell(f"The columns are: {', '.join(columns)}")
    named |= {column: bare_name(column) for column in others if column is not None}
    changed = _one_of(
        "Column that says when a row last changed (none: every run reads all)", columns, "column", default=""
    )
    every = _ask("How often (15m, 1h, 1d ...; manual)", "1h")
    return {
        "schedule": every if every == "manual" else {"every": every},
        kind: settings,
        "query": _query(engine, table, named, changed.strip()),
    }


def _query(engine: str, table: str, named: dict[str, str], changed: str) -> str:
    """The query in the engine's dialect; ``named`` has the attribute's name by column."""
    from sqlglot import Dialect, exp

    from reverse_etl import sources

    source = sources.engine(engine)
    dialect = Dialect.get_or_raise(source.DIALECT.name)
    columns = []
    for column, name in named.items():
        # An engine that folds the case of a plain name needs it quoted.
        folded = dialect.normalize_identifier(exp.to_identifier(name)).name != name
        alias = exp.to_identifier(name, quoted=folded).sql(dialect)
        columns.append(column if bare_name(column) == name and not folded else f"{column} AS {alias}")
    lines = [f"SELECT {', '.join(columns)}", f"FROM {table}"]
    if changed:
        lines.append(f"WHERE {changed} >= {source.LAST_SYNC_TIME}")
    return "\n".join(lines) + "\n"


def _ask(question: str, default: str | None = None) -> str:
    """An answer; an empty one is the default, and asked for again where there is none."""
    while True:
        _tell(f"{question} ({default}):" if default else f"{question}:", end=" ")
        answer = input().strip() or default
        if answer is not None:
            return answer


def _tell(sentence: str, *, end: str = "\n") -> None:
    say(words.console(stderr=True), sentence, indent="  ", end=end)


def _name(question: str, default: str) -> str:
    """A name that a sync, a database or a workspace can have; asked for again until it is one."""
    from reverse_etl.config.loader import name_problem

    while problem := name_problem(name := _ask(question, default)):
        _tell(f"{name}: {problem}.")
    return name


def _one_of(question: str, known: Iterable[str], what: str, *, default: str | None = None) -> str:
    """A table or column that is there, or an expression; asked for again until it is one of them."""
    from reverse_etl.config.problems import did_you_mean

    names = list(known)
    if what == "table" and names:
        _tell(f"Tables: {', '.join(names)}")
    while True:
        answer = _ask(question, default)
        found = chosen(answer, names) if answer else ""
        if found is not None:
            return found
        _tell(f"There is no {what} {answer}{did_you_mean(answer, names, otherwise='there are')}")


def _choice(question: str, choices: Iterable[str]) -> str:
    """One of some words; asked again until it is one of them."""
    known = list(choices)
    while (answer := _ask(f"{question}: {', '.join(known)}", known[0])) not in known:
        _tell(f"Type one of these: {', '.join(known)}.")
    return answer


def _write(path: Path, content: dict[str, Any]) -> None:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Texts of several lines as blocks."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True), encoding="utf-8")
    _tell(f"Wrote {path}")

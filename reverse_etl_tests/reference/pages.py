"""The pages of ``docs/reference``, written from the models, the rules, the commands and the errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from reverse_etl.config.connections_file import DESTINATIONS, workspace_kind
from reverse_etl.plugins import load, names
from reverse_etl.settings import SETTINGS
from reverse_etl_tests.reference import commands, errors, examples, indexes, keys, messages, public, rules

FOLDER: Final = examples.FOLDER.parent

_MADE: Final = "made by `python -m reverse_etl_tests.reference` from the code; do not edit it"


@cache
def pages() -> dict[Path, str]:
    """Each page's file and text."""
    made: dict[str, Callable[[], Iterable[str]]] = {
        "README.md": _index,
        "sync.md": _sync,
        "sync-customerio.md": _sync_customerio,
        "sync-destinations.md": _sync_destinations,
        "connections.md": _connections,
        "connections-databases.md": _databases,
        "connections-destinations.md": _destinations,
        "connections-alerts.md": _alerts,
        "dictionary.md": _dictionary,
        "checks.md": _checks,
        "commands.md": _commands,
        "errors.md": _errors,
        "messages.md": messages.index,
        **{file: partial(messages.page, file) for file in messages.PAGES},
        "environment.md": _environment,
        "python.md": _python,
    }
    found = {FOLDER / name: lines for name, lines in made.items()}
    found[indexes.DOCS / "destinations" / "README.md"] = indexes.destinations
    found[indexes.DOCS / "decisions" / "README.md"] = indexes.decisions
    return {path: "\n".join([f"<!-- {_MADE} -->", *lines(), ""]) for path, lines in found.items()}


def _index() -> list[str]:
    return [
        "# Reference",
        "",
        "| page | has |",
        "|---|---|",
        "| [A sync's file](sync.md) | the keys of `syncs/NAME.yaml` that every sync may have |",
        "| [Sections for Customer.io](sync-customerio.md) | `people`, `objects`, `events`, `relationships` |",
        "| [Sections for other destinations](sync-destinations.md) | `rows`, and those of services |",
        "| [connections.yaml](connections.md) | workspaces, retention and monitoring |",
        "| [Databases](connections-databases.md) | every key of each engine's entry under `databases` |",
        "| [Destinations](connections-destinations.md) | every key of each kind's entry under `destinations` |",
        "| [Alerts](connections-alerts.md) | every key of each channel under `notify` |",
        "| [dictionary.yaml](dictionary.md) | every key of what names mean |",
        "| [Checks](checks.md) | every check that a sync can ask for, and every built-in rule |",
        "| [Commands](commands.md) | every command and option |",
        "| [Errors and exit codes](errors.md) | every kind of error with an example, and what a failed row can say |",
        "| [Every message](messages.md) | every message of an error, found by its words, with what to do next |",
        "| [Environment variables](environment.md) | every variable that reverse-etl reads |",
        "| [Python](python.md) | every name that `import reverse_etl` gives your own Dagster project |",
        "",
        "A project with every key, for copying, begins with [connections.yaml](example/connections.yaml) and",
        "[customers.yaml](example/customers.yaml). Your editor completes keys with the JSON Schemas",
        "that `reverse-etl schema` writes.",
    ]


def _sync() -> list[str]:
    return [
        "# A sync's file",
        "",
        "One file in `syncs/` is one sync; its name is the file's name without the ending. Beside these keys it has",
        "one section that says what its rows are: [for Customer.io](sync-customerio.md), or",
        "[for another destination](sync-destinations.md).",
        "Examples: [people](example/customers.yaml), [objects](example/companies.yaml),",
        "[events](example/order_placed.yaml), [a mirrored segment](example/newsletter.yaml).",
        "",
        *_by_first_name(_keys_of_syncs(of_sections=False), examples.syncs()),
        "",
        "`checks` is a list; what can be in it is on the page [Checks](checks.md). What several syncs have in common",
        "can stand in [`_defaults.yaml`](../targets.md).",
    ]


def _sync_customerio() -> list[str]:
    found = [key for key in _keys_of_syncs(of_sections=True) if key.path[0] in _customerio_sections()]
    lines = ["# Sections of a sync to Customer.io", "", "A file has one of `people`, `objects` and `events`.", ""]
    return [*lines, *_by_first_name(found, examples.syncs())]


def _sync_destinations() -> list[str]:
    found = [key for key in _keys_of_syncs(of_sections=True) if key.path[0] not in _customerio_sections()]
    lines = ["# Sections of a sync to another destination", "", "The destination says which one it takes.", ""]
    return [*lines, *_by_first_name(found, examples.syncs())]


def _customerio_sections() -> set[str]:
    return {*load(DESTINATIONS, workspace_kind()).Sync.SECTIONS, "relationships"}


def _keys_of_syncs(*, of_sections: bool) -> list[keys.Key]:
    sections = set().union(*(load(DESTINATIONS, kind).Sync.SECTIONS for kind in names(DESTINATIONS)), {"relationships"})
    return [key for key in keys.sync_keys() if (key.path[0] in sections) == of_sections]


def _by_first_name(found: list[keys.Key], places: list[Any]) -> list[str]:
    """Keys that hold no others in one table, each of the others in one of its own."""
    groups: dict[str, list[keys.Key]] = {}
    for key in found:
        groups.setdefault(key.path[0], []).append(key)
    lines = []
    if plain := [group[0] for group in groups.values() if len(group) == 1]:
        lines += [*_table(plain, places), ""]
    for name, group in groups.items():
        if len(group) > 1:
            lines += [f"## {name}", "", *_table(group, places), ""]
    return lines[:-1]


def _connections() -> list[str]:
    lines = [
        "# connections.yaml",
        "",
        "What syncs share: `workspaces`, [`databases`](connections-databases.md),",
        "[`destinations`](connections-destinations.md), [`notify`](connections-alerts.md), `retention`, `monitoring`,",
        "`faulty_files`.",
        "You name the entries of the first four.",
        "`${NAME}` is an environment variable; keys that take only `${NAME}` are secrets, which a file never holds.",
        "All of it in one file: [connections.yaml](example/connections.yaml).",
        "",
    ]
    lines += ["## Workspaces", "", *_table(keys.workspace_keys(), examples.entries("workspaces")), ""]
    lines += ["## Retention", "", *_table(keys.retention_keys(), examples.retention()), ""]
    lines += ["## Monitoring", "", "The views of [monitoring](../monitoring.md), copied to tables after each run.", ""]
    lines += [*_table(keys.monitoring_keys(), examples.monitoring()), ""]
    lines += ["## Faulty files", "", "What follows from a file with a problem: [scheduling](../scheduling.md).", ""]
    return [*lines, *_table(keys.faulty_files_keys(), examples.faulty_files())]


def _databases() -> list[str]:
    lines = ["# Databases in connections.yaml", "", "Each entry of `databases`; how to set one up:"]
    lines += ["[the engines' pages](../databases/README.md).", ""]
    for engine, found in keys.database_keys().items():
        lines += [f"## {engine}", "", *_table(found, examples.entries("databases", engine)), ""]
    return lines[:-1]


def _destinations() -> list[str]:
    lines = ["# Destinations in connections.yaml", "", "Each entry of `destinations`; how to set one up:"]
    lines += ["[the destinations' pages](../destinations/README.md).", ""]
    lines += [f"A workspace may stand here too, with `type: {workspace_kind()}`; its keys are on the page"]
    lines += ["[connections.yaml](connections.md#workspaces).", ""]
    for kind, found in keys.destination_keys().items():
        if kind != workspace_kind():
            lines += [f"## {kind}", "", *_table(found, examples.entries("destinations", kind)), ""]
    return lines[:-1]


def _alerts() -> list[str]:
    lines = [
        "# Alerts in connections.yaml",
        "",
        "Each entry of `notify`; what they are for: [alerts](../alerts.md).",
        "",
    ]
    for channel, found in keys.channel_keys().items():
        lines += [f"## {channel}", "", *_table(found, examples.entries("notify", channel)), ""]
    return lines[:-1]


def _dictionary() -> list[str]:
    return [
        "# dictionary.yaml",
        "",
        "What names mean, for all syncs of a folder: [the dictionary](../dictionary.md). `NAME` is a name of your own.",
        "",
        *_by_first_name(keys.dictionary_keys(), examples.dictionary()),
    ]


def _checks() -> list[str]:
    lines = ["# Checks", "", "## Checks that a sync asks for", ""]
    for name, (meaning, found) in keys.check_keys().items():
        lines += [f"### {name}", "", meaning, "", "```yaml", f"checks:\n  - {_example(name)}", "```", ""]
        places = [*examples.checks(), {name: {"severity": "warn"}}, *_long_forms(name, found)]
        lines += [*_table(found, places), ""]
    lines += [
        "## Built-in rules",
        "",
        "Every sync has those of its kind. `reject` makes it a failed row with this reason, `exclude` leaves it out,",
        "`warn` keeps no row back: `preview`, `plan`, `run`, `errors` and `history` show what it found",
        "([how](../concepts.md#what-becomes-of-each-row)).",
        "",
        "| reason | does | for | rule |",
        "|---|---|---|---|",
    ]
    return [*lines, *(_row(f"`{each.name}`", each.severity, each.kinds, each.meaning) for each in rules.builtin())]


def _example(name: str) -> str:
    return examples.of_key((name,), examples.checks(), longest=100)


def _long_forms(name: str, found: list[keys.Key]) -> list[Any]:
    """What a bare value stands for, as a key of its own."""
    needed = [key.path[-1] for key in found if key.required]
    return [{name: {needed[0]: check[name]}} for check in examples.checks() if name in check and needed]


def _commands() -> list[str]:
    lines = ["# Commands", "", "`reverse-etl COMMAND`; `--help` after any of them shows this too.", ""]
    for command in commands.all_commands():
        meaning = "\n\n".join(command.meaning).split("\n")
        lines += [f"## {command.name}", "", *meaning, "", "```console", *command.examples, "```", ""]
        if command.options:
            lines += ["| option | meaning |", "|---|---|", *(_row(*option) for option in command.options), ""]
    return lines[:-1]


def _errors() -> list[str]:
    lines = [
        "# Errors and exit codes",
        "",
        "A command ends with one of these codes. Stdout is data, stderr is for people.",
        "",
        "| code | means |",
        "|---|---|",
        *(_row(str(code), meaning) for code, meaning in errors.exit_codes().items()),
        "",
        "## Errors",
        "",
        "Each says what is wrong, where, and what to do next; none holds a secret or a row's value.",
        "",
    ]
    for each in errors.examples():
        lines += [f"### {each.name}", "", f"Exit code {each.exit_code}. {each.meaning}", "", "```text"]
        lines += [each.message, "```", ""]
    lines += [
        "## What a failed row says",
        "",
        "`stage` and `reason` of the failed-rows CSV and of `reverse-etl errors`.",
        "",
        "| stage | reason | means |",
        "|---|---|---|",
    ]
    return [*lines, *(_row(stage, reason, meaning) for stage, reason, meaning in errors.REASONS)]


def _python() -> list[str]:
    return [
        "# Python",
        "",
        "What `import reverse_etl` gives a Dagster project of yours; how they are used together:",
        "[In your own Dagster project](../dagster.md). Other modules may change with any release.",
        *public.public_names(),
    ]


def _environment() -> list[str]:
    return [
        "# Environment variables",
        "",
        "Secrets have names of your own choice: the `${NAME}` of your files. Besides them reverse-etl reads:",
        "",
        "| variable | when it is not set | meaning | example |",
        "|---|---|---|---|",
        *(_row(f"`{each.name}`", each.default, each.meaning, f"`{each.example}`") for each in SETTINGS),
        "",
        "Dagster's own variables apply too; `DAGSTER_HOME` is `dagster` in the home folder when it is not set.",
    ]


def _table(found: list[keys.Key], places: list[Any]) -> list[str]:
    lines = ["| key | takes | when left out | meaning | example |", "|---|---|---|---|---|"]
    for key in found:
        default = "**needed**" if key.required else f"`{key.default}`" if key.default else ""
        example = examples.of_key(key.path, places)
        lines.append(_row(f"`{'.'.join(key.path)}`", key.takes, default, key.meaning, f"`{example}`"))
    return lines


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

"""The pages of ``docs/reference``, written from the models, the rules, the commands and the errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from reverse_etl.config.connections_file import workspace_kind
from reverse_etl.settings import SETTINGS
from reverse_etl_tests.reference import commands, errors, examples, indexes, keys, public, rules

FOLDER: Final = examples.FOLDER.parent

_MADE: Final = "made by `python -m reverse_etl_tests.reference` from the code; do not edit it"


def pages() -> dict[Path, str]:
    """Each page's file and text."""
    made: dict[str, Callable[[], Iterable[str]]] = {
        "README.md": _index,
        "sync.md": _sync,
        "connections.md": _connections,
        "checks.md": _checks,
        "commands.md": _commands,
        "errors.md": _errors,
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
        "| [A sync's file](sync.md) | every key of `syncs/NAME.yaml` |",
        "| [connections.yaml](connections.md) | every key of databases, workspaces, alerts, retention and monitoring |",
        "| [Checks](checks.md) | every check that a sync can ask for, and every built-in rule |",
        "| [Commands](commands.md) | every command and option |",
        "| [Errors and exit codes](errors.md) | every kind of error with an example, and what a failed row can say |",
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
        "One file in `syncs/` is one sync; its name is the file's name without the ending.",
        "It has one of `people`, `objects` and `events`.",
        "Examples: [people](example/customers.yaml), [objects](example/companies.yaml),",
        "[events](example/order_placed.yaml), [a mirrored segment](example/newsletter.yaml).",
        "",
        *_table(keys.sync_keys(), examples.syncs()),
        "",
        "`checks` is a list; what can be in it is on the page [Checks](checks.md).",
    ]


def _connections() -> list[str]:
    lines = [
        "# connections.yaml",
        "",
        "What syncs share: `databases`, `workspaces`, `destinations`, `notify`, `retention`, `monitoring`. You name",
        "the entries of the first four.",
        "`${NAME}` is an environment variable; keys that take only `${NAME}` are secrets, which a file never holds.",
        "All of it in one file: [connections.yaml](example/connections.yaml).",
        "",
        "## Databases",
        "",
    ]
    for engine, found in keys.database_keys().items():
        lines += [f"### {engine}", "", *_table(found, examples.entries("databases", engine)), ""]
    lines += ["## Workspaces", "", *_table(keys.workspace_keys(), examples.entries("workspaces")), ""]
    lines += ["## Destinations", "", "A workspace may stand here too, with `type: customerio`.", ""]
    for kind, found in keys.destination_keys().items():
        if kind != workspace_kind():
            lines += [f"### {kind}", "", *_table(found, examples.entries("destinations", kind)), ""]
    lines += ["## Alerts", ""]
    for channel, found in keys.channel_keys().items():
        lines += [f"### {channel}", "", *_table(found, examples.entries("notify", channel)), ""]
    lines += ["## Retention", "", *_table(keys.retention_keys(), examples.retention()), ""]
    lines += ["## Monitoring", "", "The views of [monitoring](../monitoring.md), copied to tables after each run.", ""]
    return [*lines, *_table(keys.monitoring_keys(), examples.monitoring())]


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
        "`warn` only shows it.",
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
        lines += [f"## {command.name}", "", command.meaning, "", "```console", *command.examples, "```", ""]
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
    return [*lines, *(_row(f"`{stage}`", reason, meaning) for stage, reason, meaning in errors.REASONS)]


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

"""The commands as the command line itself knows them, each with an example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import typer.main

from reverse_etl.cli import main

EXAMPLES: Final[dict[str, tuple[str, ...]]] = {
    "demo": ("demo",),
    "validate": ("validate", "validate customers --json"),
    "test-connection": ("test-connection shop",),
    "preview": ("preview customers", "preview customers --full --limit 5"),
    "run": ("run customers", "run customers --full --json"),
    "status": ("status", "status --json"),
    "history": ("history customers",),
    "errors": ("errors customers", "errors customers --csv failed.csv"),
    "retry": ("retry customers",),
    "pause": ("pause customers", "pause customers --json"),
    "resume": ("resume customers",),
    "sandbox": ("sandbox --port 8700",),
    "schema": ("schema --output .",),
    "init": ("init",),
    "ui": ("ui --port 3000",),
}


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: As it is typed.
        meaning: The first paragraph of its help.
        options: Spelling and help of each argument and option, with its default.
        examples: Lines for a console.
    """

    name: str
    meaning: str
    options: tuple[tuple[str, str], ...]
    examples: tuple[str, ...]


def group() -> Any:
    """The whole command line, as click has it."""
    if not main.app.registered_commands:
        main._register()
    return typer.main.get_command(main.app)


def all_commands() -> list[Command]:
    """Every command, in the order of the help."""
    return [
        Command(
            name=name,
            meaning=" ".join((command.help or "").split("\n\n")[0].split()),
            options=tuple(_option(parameter) for parameter in command.params if parameter.name != "help"),
            examples=tuple(f"$ reverse-etl {example}" for example in EXAMPLES.get(name, ())),
        )
        for name, command in group().commands.items()
    ]


def _option(parameter: Any) -> tuple[str, str]:
    if parameter.param_type_name == "argument":
        spelled = f"`{str(parameter.name).upper()}`"
        return spelled, parameter.help or ""
    names = " / ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    takes = "" if parameter.is_flag else f" {parameter.metavar or str(parameter.name).upper()}"
    default = parameter.default
    shown = "" if parameter.is_flag or callable(default) or default in (None, "") else f" Default: `{default}`."
    variable = f" Or the variable `{parameter.envvar}`." if isinstance(parameter.envvar, str) else ""
    return f"{names}{takes}", f"{parameter.help or ''}{shown}{variable}"

"""The commands as the command line itself knows them, each with an example."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import typer.main

from reverse_etl.cli import main


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: As it is typed.
        meaning: The paragraphs of its help.
        options: Spelling and help of each argument and option, with its default.
        examples: Lines for a console.
    """

    name: str
    meaning: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    examples: tuple[str, ...]


@cache
def group() -> Any:
    """The whole command line, as click has it, made once."""
    if not main.app.registered_commands:
        main._register()
    return typer.main.get_command(main.app)


def examples(name: str) -> tuple[str, ...]:
    """What is typed after ``reverse-etl``, as the command's module shows it."""
    return cast("tuple[str, ...]", main.module(name).EXAMPLES)


def all_commands() -> list[Command]:
    """Every command, in the order of the help."""
    return [
        Command(
            name=name,
            meaning=tuple((command.help or "").split("\n\n")),
            options=tuple(_option(parameter) for parameter in command.params if parameter.name != "help"),
            examples=tuple(f"$ reverse-etl {example}" for example in examples(name)),
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

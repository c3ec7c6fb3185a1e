"""``--target`` of every command that reads a folder of syncs: what it names holds for all that the command starts."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from reverse_etl.cli import words
from reverse_etl.cli.tables import say
from reverse_etl.settings import TARGET_VARIABLE

Target = Annotated[
    str,
    typer.Option(
        "--target",
        envvar=TARGET_VARIABLE,
        metavar="NAME",
        help="The target, such as prod: its own workspaces, and a state of its own.",
        show_default=False,
    ),
]


def with_target(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the option, where it has a folder of syncs; otherwise the command as it is."""
    signature = inspect.signature(command, eval_str=True)
    if "syncs" not in signature.parameters:
        return command

    @wraps(command)
    def called(*arguments: Any, target: str = "", **options: Any) -> None:
        if target:
            os.environ[TARGET_VARIABLE] = target
            say(words.console(stderr=True), f"Target {target}.", style="bold")
        command(*arguments, **options)

    option = inspect.Parameter("target", inspect.Parameter.KEYWORD_ONLY, default="", annotation=Target)
    called.__dict__["__signature__"] = signature.replace(parameters=[*signature.parameters.values(), option])
    return called

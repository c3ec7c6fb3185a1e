"""The app: which commands there are, and how an error ends one. Stdout is data, stderr is for people.

Exit codes: 0 completed, 1 a defect of ours, 2 configuration, 3 source, 4 stopped by a check, 5 destination,
6 state, or skipped because another run of the workspace was in progress, 7 some rows failed, 130 Ctrl-C.
"""

from __future__ import annotations

import atexit
import codecs
import io
import logging
import os
import signal
import sys
import threading
import traceback
from functools import wraps
from inspect import getdoc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from reverse_etl.cli import words
from reverse_etl.cli.at_exit import end_at_once
from reverse_etl.cli.tables import say
from reverse_etl.cli.target import with_target
from reverse_etl.collector import collect_after_the_start
from reverse_etl.errors import INTERRUPTED_EXIT_CODE, INTERRUPTIONS, ReverseEtlError
from reverse_etl.plugins import load, names
from reverse_etl.settings import TARGET_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, ModuleType

_COMMANDS: Final = "reverse_etl.cli.commands"
"""The folder that has a module for each."""

_IN_HELP: Final = (
    *("demo", "init", "validate", "test", "test-connection", "preview", "plan", "run", "verify", "spot-check"),
    *(
        "status",
        "history",
        "errors",
        "retry",
        "undo",
        "pause",
        "resume",
        "log",
        "sandbox",
        "schema",
        "ui",
        "syncs-page",
    ),
)
"""The order of the help; any other command comes after them, by name."""

_COMPLETES: Final = "_REVERSE_ETL_COMPLETE"
"""Typer's, where a shell asks what may follow what was typed."""

_AGAIN_AFTER_S: Final = 0.01
"""Until a dropped Ctrl-C comes again."""

_HELP: Final = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="reverse-etl",
    help="Moves people, objects, relationships and events from your databases into Customer.io, and rows into tables "
    "and other services.",
    no_args_is_help=True,
    context_settings=_HELP,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(wanted: bool) -> None:
    from importlib.metadata import version

    if wanted:
        print(f"reverse-etl {version('reverse-etl')}")  # noqa: T201
        raise typer.Exit


@app.callback()
def _before_the_command(
    syncs: Annotated[
        Path | None,
        typer.Option("--syncs", help="The folder of connections.yaml and the syncs; also after the command."),
    ] = None,
    target: Annotated[
        str, typer.Option("--target", metavar="NAME", help="The target, such as prod; also after the command.")
    ] = "",
    show_version: Annotated[  # noqa: ARG001 - printed by its callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    if syncs is not None:
        # Where each command looks, unless an option behind its name sets another.
        os.environ["REVERSE_ETL_SYNCS"] = str(syncs)
    if target:
        os.environ[TARGET_VARIABLE] = target


def module(command: str) -> ModuleType:
    """The module of a command."""
    return load(_COMMANDS, command.replace("-", "_"))


def _register(asked: str = "") -> None:
    """Every command, or the one that is asked for: the others take time, and only help and completion show them."""
    found = {name.replace("_", "-") for name in names(_COMMANDS)}
    every = (*(name for name in _IN_HELP if name in found), *sorted(found.difference(_IN_HELP)))
    for name in (asked,) if asked in found else every:
        function = getattr(module(name), name.replace("-", "_"))
        app.command(name, help=_paragraphs(function), context_settings=_HELP)(_interruptible(with_target(function)))


def _paragraphs(command: Callable[..., None]) -> str:
    """A command's help, a line for each paragraph, which the terminal then breaks at its own edge."""
    return "\n\n".join(" ".join(each.split()) for each in (getdoc(command) or "").split("\n\n"))


def _interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """The command, ended by Ctrl-C with a word and 130; typer would print nothing, or end a question with 1."""

    @wraps(command)
    def called(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except (KeyboardInterrupt, EOFError, typer.Abort):
            _stopped()

    return called


def _stopped() -> NoReturn:
    _keep_exit_code()
    print("\nStopped.", file=sys.stderr)  # noqa: T201
    sys.exit(INTERRUPTED_EXIT_CODE)


def _keep_exit_code() -> None:
    # What is left, such as threads to wait for, a second Ctrl-C ends at once.
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED_EXIT_CODE))
    _ignore_signal_at_exit()


def _ignore_signal_at_exit() -> None:
    # At its very end Python gives the signal back to the system, which would end the process by another code.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)


def _noted_presses() -> list[int]:
    """Is filled with each Ctrl-C, which is raised as ever: libraries make errors of their own of one, or drop it."""
    pressed: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, note)
    return pressed


def _make_writable() -> None:
    """What was closed swallows what is printed; text of any kind can be printed, ASCII's terminals get UTF-8."""
    nowhere = io.TextIOWrapper(io.FileIO(os.devnull, "w"), encoding="utf-8")
    sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding="utf-8" if is_ascii else stream.encoding, errors="backslashreplace")


def _report_dropped(dropped: sys.UnraisableHookArgs) -> None:
    """Prints what Python drops; a Ctrl-C comes again, once this is left: a command that serves would go on."""
    if dropped.exc_type.__name__ not in INTERRUPTIONS:
        sys.__unraisablehook__(dropped)
        return
    again = threading.Timer(_AGAIN_AFTER_S, os.kill, (os.getpid(), signal.SIGINT))
    again.daemon = True
    again.start()


def log_no_interrupts() -> None:
    """Has SQLAlchemy's pools not log a Ctrl-C that comes while they close a connection: it is raised there, too."""
    pools, shown = logging.getLogger("sqlalchemy.pool"), logging.StreamHandler()
    shown.addFilter(lambda record: not (record.exc_info and type(record.exc_info[1]).__name__ in INTERRUPTIONS))
    pools.addHandler(shown)
    pools.propagate = False


def main() -> None:
    """The entry point of ``reverse-etl``: a user's mistake ends with a sentence, never with a traceback."""
    try:
        _run()
    except SystemExit as end:
        end_at_once(end.code)
        raise


def _run() -> None:
    collect_after_the_start()
    sys.unraisablehook = _report_dropped
    _make_writable()
    log_no_interrupts()
    pressed = _noted_presses()
    try:
        _register("" if _COMPLETES in os.environ else "".join(sys.argv[1:2]))
        app()
    except ReverseEtlError as error:
        if pressed:
            _stopped()
        say(words.console(stderr=True), f"Error: {error}")
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, EOFError):
        _stopped()
    except SystemExit as end:
        if end.code == INTERRUPTED_EXIT_CODE:
            _keep_exit_code()
        else:
            _ignore_signal_at_exit()
        raise
    except Exception:
        if pressed:
            _stopped()
        traceback.print_exc()
        print("This is a defect of reverse-etl; please report it with the lines above.", file=sys.stderr)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    main()

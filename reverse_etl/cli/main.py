"""The app: which commands there are, and how an error ends one. Stdout is data, stderr is for people.

Exit codes: 0 completed, 1 a defect of ours, 2 configuration, 3 source, 4 stopped by a check, 5 workspace,
6 state, or skipped because another run of the workspace was in progress, 7 some rows failed.
"""

from __future__ import annotations

import importlib
import sys
import traceback

import typer

from reverse_etl.errors import ReverseEtlError

COMMANDS = {
    "demo": "demo",
    "validate": "validate",
    "test-connection": "test_connection",
    "preview": "preview",
    "run": "run",
    "status": "status",
    "history": "history",
    "errors": "errors",
    "retry": "retry",
    "pause": "pausing",
    "resume": "pausing",
    "sandbox": "sandbox",
    "schema": "schema",
    "init": "init",
    "ui": "ui",
}
"""Each command and its module here, in the order of the help."""

app = typer.Typer(
    name="reverse-etl",
    help="Moves people, objects, relationships and events from your databases into Customer.io.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _register() -> None:
    for name, file in COMMANDS.items():
        module = importlib.import_module(f"reverse_etl.cli.{file}")
        app.command(name)(getattr(module, name.replace("-", "_")))


def main() -> None:
    """The entry point of ``reverse-etl``: a user's mistake ends with a sentence, never with a traceback."""
    _register()
    try:
        app()
    except ReverseEtlError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, EOFError):
        print("Stopped.", file=sys.stderr)  # noqa: T201
        sys.exit(130)
    except Exception:
        traceback.print_exc()
        print("This is a defect of reverse-etl; please report it with the lines above.", file=sys.stderr)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    main()

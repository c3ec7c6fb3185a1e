"""``metrics``: every sync for Prometheus, as text, as a file for node_exporter, or at an address."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.listening import host_and_port
from reverse_etl.cli.project import SyncsFolder
from reverse_etl.cli.tables import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from reverse_etl.cli.exposition import Looked

EXAMPLES: Final = ("metrics", "metrics --output reverse_etl.prom")

Output = Annotated[
    Path | None,
    typer.Option("--output", metavar="FILE", help="Write them into this file, whole or not at all."),
]
Listen = Annotated[
    str | None,
    typer.Option("--listen", metavar="HOST:PORT", help="Serve them at http://HOST:PORT/metrics until Ctrl-C."),
]


def metrics(syncs: SyncsFolder = Path("syncs"), output: Output = None, listen: Listen = None) -> None:
    """Print every sync's last run, last delivery and failures in a row, in Prometheus' text format.

    A file is for node_exporter's textfile collector. No name and no label holds a value of a row.
    """
    from prometheus_client import generate_latest, start_http_server, write_to_textfile

    from reverse_etl.cli.exposition import registry_of
    from reverse_etl.errors import ConfigError

    if output is not None and listen is not None:
        raise typer.BadParameter("writes a file: leave --listen out.", param_hint="--output")
    look = _looks(syncs)
    if listen is None:
        found = look()  # what is wrong ends the command, and leaves an older file as it is
        registry = registry_of(lambda: found)
        if output is None:
            typer.echo(generate_latest(registry), nl=False)
            return
        try:
            write_to_textfile(str(output), registry)
        except OSError as error:
            raise ConfigError(f"{output} cannot be written: {error.strerror}.", hint="Name another file.") from None
        return
    host, port = host_and_port(listen, like="127.0.0.1:9464")
    try:
        server, serving = start_http_server(port, host, registry_of(look))
    except OSError as error:
        hint = "Name another port, or end the program that has this one."
        raise ConfigError(f"nothing can listen on {listen}: {error.strerror}.", hint=hint) from None
    say(words.console(stderr=True), f"Serving http://{host}:{server.server_port}/metrics; Ctrl-C ends it.")
    try:
        serving.join()
    finally:
        server.shutdown()


def _looks(syncs: Path) -> Callable[[], Looked]:
    """Looks at the syncs of a folder; its files are read again when one has changed."""
    from reverse_etl.cli.commands.status import look_and_warn
    from reverse_etl.config.folder_now import SyncsFolder
    from reverse_etl.errors import ConfigProblemsError
    from reverse_etl.state.home import Home
    from reverse_etl.state.in_a_row import in_a_row
    from reverse_etl.state.store import open_store
    from reverse_etl.syncs_page.left_out_status import left_out_statuses

    folder = SyncsFolder(syncs)

    def looked() -> Looked:
        files = folder.read()
        if files.project is None:
            raise ConfigProblemsError([*files.problems])
        home = Home.from_environment(syncs)
        store = open_store(home.state_url)
        with store.reading() as connection:
            counted = in_a_row(connection, files.syncs)
        found = look_and_warn(files.syncs, home, left_out=files.left_out)
        return found, counted, left_out_statuses(files.left_out, store, datetime.now(UTC))

    return looked

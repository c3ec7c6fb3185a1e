"""``sandbox``: the local stand-in workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from reverse_etl.cli import words
from reverse_etl.cli.tables import say

EXAMPLES: Final = ("sandbox --port 8700",)


def sandbox(
    port: Annotated[int, typer.Option(help="Port on the loopback address.")] = 8700,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    data: Annotated[Path | None, typer.Option("--data", help="Keep the workspace in this file between starts.")] = None,
    keep_bodies: Annotated[
        bool, typer.Option("--keep-bodies", help="Keep request bodies for /_sandbox/requests.")
    ] = False,
    suppressed: Annotated[
        Literal["ignore", "error"],
        typer.Option(help="Suppressed people are ignored (`ignore`) or answered with an error (`error`)."),
    ] = "ignore",
    site_id: Annotated[str, typer.Option(help="Site ID to accept.")] = "sandbox",
    track_api_key: Annotated[str, typer.Option(help="Track API key to accept.")] = "sandbox",
    app_api_key: Annotated[str, typer.Option(help="App API key to accept.")] = "sandbox",
    region: Annotated[Literal["us", "eu"], typer.Option(help="Region of the workspace: us or eu.")] = "us",
    idle_exit: Annotated[float | None, typer.Option(help="End after this many seconds without a request.")] = None,
) -> None:
    """Serve a stand-in Customer.io workspace with a page to look at it: http://127.0.0.1:8700."""
    from reverse_etl.sandbox.server import serve
    from reverse_etl.sandbox.settings import SandboxSettings

    interrupted = serve(
        SandboxSettings(
            host=host,
            port=port,
            site_id=site_id,
            track_api_key=track_api_key,
            app_api_key=app_api_key,
            keep_bodies=keep_bodies,
            region=region,
            suppressed=suppressed,
            data_file=data,
            idle_exit_s=idle_exit,
        ),
        announce=lambda url: say(words.console(stderr=True), f"The workspace, a sandbox: {url} (Ctrl-C ends it)"),
    )
    if interrupted:
        raise KeyboardInterrupt

"""``sandbox``: local stand-ins for the services that rows are sent to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from reverse_etl.cli import words
from reverse_etl.cli.tables import say

EXAMPLES: Final = ("sandbox --port 8700", "sandbox --all")


def sandbox(
    names: Annotated[
        list[str] | None,
        typer.Option("--as", metavar="NAME", help="The service to stand in for; may be repeated. Default: customerio."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Stand in for every service there is, an address each.")] = False,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME.SETTING=VALUE", help="Set something of one service, such as a key; may be repeated."
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port on the loopback address; further services follow it. Default: each service's own."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    data: Annotated[
        Path | None, typer.Option("--data", help="Customer.io: keep the workspace in this file between starts.")
    ] = None,
    keep_bodies: Annotated[
        bool, typer.Option("--keep-bodies", help="Keep request bodies for /_sandbox/requests.")
    ] = False,
    suppressed: Annotated[
        Literal["ignore", "error"],
        typer.Option(help="Customer.io: suppressed people are ignored (`ignore`) or answered with an error (`error`)."),
    ] = "ignore",
    site_id: Annotated[str, typer.Option(help="Customer.io: site ID to accept.")] = "sandbox",
    track_api_key: Annotated[str, typer.Option(help="Customer.io: Track API key to accept.")] = "sandbox",
    app_api_key: Annotated[str, typer.Option(help="Customer.io: App API key to accept.")] = "sandbox",
    region: Annotated[Literal["us", "eu"], typer.Option(help="Customer.io: region of the workspace, us or eu.")] = "us",
    idle_exit: Annotated[float | None, typer.Option(help="End after this many seconds without a request.")] = None,
) -> None:
    """Serve stand-ins for the services that rows are sent to, each with a page: http://127.0.0.1:8700/_sandbox/."""
    from reverse_etl.sandbox import registry
    from reverse_etl.sandbox.server import serve
    from reverse_etl.sandbox.settings import ServerSettings

    wanted = registry.names() if every else tuple(names or (registry.DEFAULT,))
    own = {
        "site_id": site_id,
        "track_api_key": track_api_key,
        "app_api_key": app_api_key,
        "region": region,
        "suppressed": suppressed,
        **({} if data is None else {"data_file": str(data)}),
    }
    given = [f"{registry.DEFAULT}.{name}={value}" for name, value in own.items()] if registry.DEFAULT in wanted else []
    interrupted = serve(
        ServerSettings(host=host, port=port, keep_bodies=keep_bodies, idle_exit_s=idle_exit),
        registry.chosen(wanted, [*given, *(assignments or ())]),
        announce=_announce,
    )
    if interrupted:
        raise KeyboardInterrupt


def _announce(urls: Mapping[str, str]) -> None:
    console = words.console(stderr=True)
    if len(urls) == 1:
        say(console, f"The workspace, a sandbox: {next(iter(urls.values()))} (Ctrl-C ends it)")
        return
    for name, url in urls.items():
        say(console, f"{name}, a sandbox: {url}")
    say(console, "Ctrl-C ends them.")

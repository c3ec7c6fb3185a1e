"""``syncs-page``: the Syncs page alone, where something else runs Dagster."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.listening import host_and_port
from reverse_etl.cli.project import SyncsFolder
from reverse_etl.cli.served_page import NoToken, address_to_open, shown_page
from reverse_etl.cli.tables import say
from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from reverse_etl.syncs_page.addresses import Opened

EXAMPLES: Final = ("syncs-page", "syncs-page --dagster-url http://127.0.0.1:3000")

_LISTEN: Final = "127.0.0.1:3001"


def syncs_page(
    syncs: SyncsFolder = Path("syncs"),
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where it listens; port 0: any that is free.")
    ] = _LISTEN,
    public_url: Annotated[
        str,
        typer.Option(
            "--public-url",
            metavar="URL",
            show_default=False,
            help="Where a proxy serves it, with its path, such as https://sync.example.com/syncs-page.",
        ),
    ] = "",
    dagster_url: Annotated[
        str,
        typer.Option(
            "--dagster-url",
            metavar="URL",
            show_default=False,
            help="The address of Dagster's page: for links there, and for runs that are started here.",
        ),
    ] = "",
    allow_actions: Annotated[
        bool,
        typer.Option("--allow-actions", help="Let it plan, pause and resume syncs, and run them by --dagster-url."),
    ] = False,
    no_token: NoToken = False,
) -> None:
    """Serve the Syncs page alone, beside Dagster's webserver and daemon: http://127.0.0.1:3001. Ctrl-C ends it.

    Without --allow-actions it changes nothing. To open it, use the address that is printed: it has a token.
    """
    from reverse_etl.config.connections import insecure
    from reverse_etl.state.home import Home
    from reverse_etl.syncs_page.addresses import Opened
    from reverse_etl.syncs_page.app import syncs_page as page
    from reverse_etl.syncs_page.server import listen_at, serving

    host, port = host_and_port(listen, like=_LISTEN)
    opened = Opened.at(public_url) if public_url else Opened()
    _require_protection(host, listen, opened, token=not no_token)
    if dagster_url and (wrong := insecure(dagster_url, like="http://127.0.0.1:3000")):
        raise ConfigError(f"--dagster-url {wrong}.", hint="Give the address that opens Dagster's page in a browser.")
    shown = shown_page(
        syncs,
        Home.from_environment(syncs),
        dagster=dagster_url.rstrip("/"),
        allow_actions=allow_actions,
        plans=allow_actions,
        opened=opened,
        token=not no_token,
    )
    with serving(page(shown), listen_at(host, port)) as address:
        say(words.console(stderr=True), f"The Syncs page: {address_to_open(address, shown)}\nCtrl-C ends it.")
        threading.Event().wait()


def _require_protection(host: str, listen: str, opened: Opened, *, token: bool) -> None:
    """Raises ConfigError where other machines could read the page in the clear, or without a token or a login."""
    from reverse_etl.config.connections import on_this_machine

    if on_this_machine(f"http://{host}"):
        return
    if not opened.url:
        raise ConfigError(
            f"--listen {listen} lets other machines reach the page, and the way to it is not encrypted.",
            hint="Put a proxy with TLS in front, as deploy/proxy does, and give its address with --public-url. Or "
            "leave --listen out and open a tunnel: ssh -L 3001:localhost:3001 HOST",
        )
    if not token and not opened.encrypted:
        raise ConfigError(
            f"--listen {listen} with --no-token lets other machines read the page.",
            hint="Leave --no-token out, or give the https:// address of a proxy with a login as --public-url.",
        )

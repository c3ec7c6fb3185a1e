"""The Syncs page as commands serve it: beside Dagster's, as ``ui`` does, or alone, as ``syncs-page`` does."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from reverse_etl.state.home import Home
    from reverse_etl.syncs_page.addresses import Opened
    from reverse_etl.syncs_page.app import Shown

NoToken = Annotated[
    bool, typer.Option("--no-token", help="Let whoever reaches the Syncs page read it, as behind a proxy with a login.")
]


def shown_page(
    syncs: Path,
    home: Home,
    *,
    dagster: str = "",
    allow_actions: bool = False,
    plans: bool = True,
    opened: Opened | None = None,
    token: bool = True,
    dagster_since: datetime | None = None,
) -> Shown:
    """What the page shows of a folder of syncs, and what can be done there.

    Args:
        syncs: The folder of the syncs.
        home: The home folder.
        dagster: The address of Dagster's page; empty where none is known.
        allow_actions: Whether syncs can be paused and resumed there, and run where Dagster's page is known.
        plans: Whether plans can be made, in this process.
        opened: Where people open it; None: on this machine.
        token: Whether they need the token.
        dagster_since: When Dagster was started together with the page; None where it is run otherwise.

    Raises:
        StateError: The token cannot be read or made.
    """
    from reverse_etl.cli.commands.status import look
    from reverse_etl.cli.launching import launch
    from reverse_etl.cli.pausing import remember
    from reverse_etl.cli.toggles import switch_on
    from reverse_etl.config.folder_now import SyncsFolder
    from reverse_etl.syncs_page.actions import Actions
    from reverse_etl.syncs_page.addresses import Opened
    from reverse_etl.syncs_page.app import Shown
    from reverse_etl.syncs_page.token import kept_token

    def pause(name: str) -> None:
        remember(name, syncs, paused=True)

    def resume(name: str) -> None:
        found, home_of_sync = remember(name, syncs, paused=False)
        switch_on(home_of_sync, found.configs[name])

    actions = Actions(pause, resume, partial(launch, dagster) if dagster else None) if allow_actions else None
    return Shown(
        SyncsFolder(syncs),
        home,
        partial(look, home=home),
        dagster,
        actions,
        plans=plans,
        opened=opened or Opened(),
        token=kept_token(home.path) if token else "",
        dagster_since=dagster_since,
    )


def address_to_open(address: str, shown: Shown) -> str:
    """The address to open: with the token in a terminal, and in a log with the path of the token's file instead."""
    from reverse_etl.syncs_page.token import FIELD, token_file

    page = f"{shown.opened.url or address}/"
    if not shown.token:
        return page
    if sys.stderr.isatty():
        return f"{page}?{FIELD}={shown.token}"
    return f"{page}?{FIELD}=… (the token is in {token_file(shown.home.path)})"

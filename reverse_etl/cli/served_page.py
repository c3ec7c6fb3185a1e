"""The Syncs page beside Dagster's: what ``ui`` starts and ends with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reverse_etl.state.home import Home


@contextmanager
def served_page(
    syncs: Path, home: Home, *, dagster_port: int, port: int | None = None, allow_actions: bool = False
) -> Iterator[str]:
    """Serves the Syncs page until the block ends, and yields its address.

    Args:
        syncs: The folder of the syncs.
        home: The home folder.
        dagster_port: Of Dagster's page on the loopback address.
        port: Its own; 0 for any that is free, None for the next one after Dagster's where that is free.
        allow_actions: Whether syncs can be paused, resumed and run there.

    Raises:
        ConfigError: The port that was asked for is in use.
    """
    from reverse_etl.cli.commands.status import look
    from reverse_etl.cli.launching import launch
    from reverse_etl.cli.pausing import remember
    from reverse_etl.cli.toggles import switch_on
    from reverse_etl.syncs_page.actions import Actions
    from reverse_etl.syncs_page.app import Shown, syncs_page
    from reverse_etl.syncs_page.server import HOST, listen, serving
    from reverse_etl.syncs_page.syncs_folder import SyncsFolder

    dagster = f"http://{HOST}:{dagster_port}"

    def pause(name: str) -> None:
        remember(name, syncs, paused=True)

    def resume(name: str) -> None:
        found, home_of_sync = remember(name, syncs, paused=False)
        switch_on(home_of_sync, found.configs[name])

    actions = Actions(pause, resume, partial(launch, dagster)) if allow_actions else None
    shown = Shown(SyncsFolder(syncs), home, partial(look, home=home), dagster, actions)
    with serving(syncs_page(shown), listen(port, beside=dagster_port)) as address:
        yield address

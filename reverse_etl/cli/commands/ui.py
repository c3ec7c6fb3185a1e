"""``ui``: the Syncs page, Dagster's UI and its daemon, for the syncs of one folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.dagster_home import dagster_environment, shipped_file
from reverse_etl.cli.dagster_services import command
from reverse_etl.cli.dagster_settings import DAGSTER_HOME_VARIABLE, how_to_add_settings, missing_settings
from reverse_etl.cli.project import SyncsFolder, warn_of
from reverse_etl.cli.reloading import kept_loaded
from reverse_etl.cli.served_page import NoToken, address_to_open, shown_page
from reverse_etl.cli.tables import say
from reverse_etl.errors import INTERRUPTED_EXIT_CODE, ConfigError

EXAMPLES: Final = ("ui", "ui --port 3000 --syncs-port 3001", "ui --allow-actions")

_HOST: Final = "127.0.0.1"
_LOOK_AGAIN_S: Final = 0.2
_END_WITHIN_S: Final = 30


def ui(
    syncs: SyncsFolder = Path("syncs"),
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of Dagster's UI on the loopback address.")] = 3000,
    syncs_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            show_default=False,
            help="Port of the Syncs page; 0: any that is free. By default the next after --port, where that is free.",
        ),
    ] = None,
    allow_actions: Annotated[
        bool, typer.Option("--allow-actions", help="Let the Syncs page pause, resume and run syncs.")
    ] = False,
    no_token: NoToken = False,
) -> None:
    """Serve the Syncs page and Dagster's UI, and run the schedules: http://127.0.0.1:3000. Ctrl-C ends all."""
    from reverse_etl.config.folder_now import found_in
    from reverse_etl.config.loader import inspect_project
    from reverse_etl.state.home import Home
    from reverse_etl.syncs_page.app import syncs_page
    from reverse_etl.syncs_page.server import listen, serving

    found = inspect_project(syncs)
    home = Home.from_environment(syncs)
    dagster_environment(home, syncs)
    if _listens(port):
        raise ConfigError(f"port {port} is in use.", hint=f"Choose another: reverse-etl ui --port {port + 1}")
    _warn_of_missing_settings(Path(os.environ[DAGSTER_HOME_VARIABLE]))
    own = Path("workspace.yaml")
    workspace = own if own.exists() else shipped_file(home, own.name)
    people = words.console(stderr=True)
    say(people, f"Dagster's UI: http://{_HOST}:{port} (starting; Ctrl-C ends it, and the schedules)")
    warn_of(found.left_out)
    page = shown_page(
        syncs,
        home,
        dagster=f"http://{_HOST}:{port}",
        allow_actions=allow_actions,
        token=not no_token,
        dagster_since=datetime.now(UTC),
    )
    with (
        serving(syncs_page(page), listen(syncs_port, beside=port)) as address,
        kept_loaded(page.dagster, page.folder, partial(say, people), found_in(found)),
    ):
        say(people, f"The Syncs page: {address_to_open(address, page)}")
        with _as_interrupts(), _services(str(workspace), port) as process:
            code = _attended(process, port, lambda: page.folder.read().project is None)
    raise typer.Exit(INTERRUPTED_EXIT_CODE if code < 0 else code)


def _warn_of_missing_settings(folder: Path) -> None:
    if missing := missing_settings(folder):
        typer.echo(
            f"{folder / 'dagster.yaml'} lacks {', '.join(missing)}, which syncs rely on: {how_to_add_settings()}.",
            err=True,
        )


def _attended(process: subprocess.Popen[bytes], port: int, stopped: Callable[[], bool]) -> int:
    """Waits for the end of Dagster, and says once its page is there; ``stopped``: whether no sync may run."""
    while not _listens(port):
        if (code := process.poll()) is not None:
            return code
        time.sleep(_LOOK_AGAIN_S)
    people = words.console(stderr=True)
    schedules = "starts no run until the files are mended" if stopped() else "runs the schedules"
    say(people, f"Dagster's UI is ready, and its daemon {schedules}.")
    say(people, f"For `dg` and `dagster` commands:\n  export DAGSTER_HOME={os.environ['DAGSTER_HOME']}")
    return process.wait()


@contextmanager
def _services(workspace: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Dagster's processes, which end with the block, whatever ends it; a Ctrl-C meanwhile ends the waiting for them."""
    ours, theirs = os.pipe()
    starting = command(workspace, host=_HOST, port=port, ends_with=ours)
    # In a session of its own, so that each of its processes hears of the end once, however this one hears of it.
    process = subprocess.Popen(starting, pass_fds=[ours], stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
    os.close(ours)
    try:
        yield process
    finally:
        os.close(theirs)
        try:
            process.wait(_END_WITHIN_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def _as_interrupts() -> Iterator[None]:
    """Lets what ends a process from outside, or with its terminal, end the block as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {
        number: signal.signal(number, interrupt) for number in numbers if signal.getsignal(number) is signal.SIG_DFL
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((_HOST, port)) == 0

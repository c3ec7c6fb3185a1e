"""``ui``: Dagster's web page and daemon for the syncs of one folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from reverse_etl.cli.dagster_home import dagster_environment, shipped_file
from reverse_etl.cli.project import SyncsFolder


def ui(
    syncs: SyncsFolder = Path("syncs"),
    port: Annotated[int, typer.Option(help="Port of the page on the loopback address.")] = 3000,
) -> None:
    """Serve Dagster's UI and run the schedules: http://127.0.0.1:3000. Ctrl-C ends both."""
    from reverse_etl.config.loader import load_project
    from reverse_etl.state.home import Home

    load_project(syncs)
    home = Home.from_environment(syncs)
    dagster_environment(home, syncs)
    own = Path("workspace.yaml")
    workspace = own if own.exists() else shipped_file(home, own.name)
    dagster = Path(sys.executable).with_name("dagster")
    command = [str(dagster), "dev", "-w", str(workspace), "--host", "127.0.0.1", "--port", str(port)]
    raise typer.Exit(subprocess.call(command, env=os.environ))  # noqa: S603

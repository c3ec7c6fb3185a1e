"""`ui` with a number that is no port: a command typed wrongly, not a defect."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from reverse_etl.cli.commands.ui import ui


@pytest.mark.parametrize("port", ["-1", "0", "65536"])
def test_a_number_that_is_no_port_is_refused_before_anything_starts(port: str) -> None:
    """By the name of the option."""
    app = typer.Typer()
    app.command()(ui)
    result = CliRunner().invoke(app, ["--port", port])
    assert (2, True) == (result.exit_code, "--port" in result.output)

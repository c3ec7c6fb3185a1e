"""Where a command's output goes: a place that cannot be written, stdout that is closed, a locale of ASCII."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reverse_etl.cli.commands.schema import schema
from reverse_etl.errors import ConfigError, StateError
from reverse_etl.sandbox.customerio.settings import SandboxSettings
from reverse_etl.sandbox.customerio.standin import CustomerIo

PROGRAM = "from reverse_etl.cli.main import main; main()"


def test_a_place_for_schemas_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    """With the option to change."""
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=r"sync\.schema\.json cannot be written: ") as caught:
        schema(output=tmp_path / "file" / "schemas")
    assert "--output" in caught.value.hint


def test_a_sandboxs_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    """With the option to change."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written: ") as caught:
        CustomerIo(SandboxSettings(data_file=tmp_path / "file" / "data"))
    assert "--data" in caught.value.hint


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_output_swallows_what_is_printed(tmp_path: Path, closed: str) -> None:
    """As a service without a terminal starts it; the exit code still says what happened."""
    command = f'exec "$0" -c "{PROGRAM}" validate {closed}'
    assert 2 == subprocess.run(["sh", "-c", command, sys.executable], cwd=tmp_path, capture_output=True).returncode


def test_a_locale_of_ascii_gets_utf_8(tmp_path: Path) -> None:
    """Tables have lines that ASCII lacks."""
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", PROGRAM, "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True)
    assert (0, b"") == (done.returncode, done.stderr)
    assert "╭" in done.stdout.decode()

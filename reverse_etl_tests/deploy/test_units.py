"""The units of systemd name only what there is, and may do little. That they work: `e2e/test_deployment`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reverse_etl_tests.deploy.files import PAGE, SHARED
from reverse_etl_tests.servers.deployment import DEPLOY, INSTALLED, METRICS, SYNCS_PAGE, UNITS, WORKER, command, unit

ALL = (*UNITS, WORKER, METRICS, SYNCS_PAGE)
PROGRAMS = Path(sys.executable).parent


@pytest.mark.parametrize("name", ALL)
def test_a_unit_names_programs_files_and_variables_that_exist(name: str) -> None:
    """Programs are in the environment, files in the repository, variables in `dagster.env`."""
    service = unit(name)
    for line in [*service["ExecStart"], *service.get("ExecStartPre", [])]:
        words = command(line, SHARED)
        assert (PROGRAMS / Path(words[0]).name).is_file()
        assert all((DEPLOY / Path(word).name).is_file() for word in words if word.startswith(f"{DEPLOY}/"))
        assert [] == [word for word in words if INSTALLED in word]
    for file in service["EnvironmentFile"]:
        assert (DEPLOY / Path(file).name).is_file()
        assert str(Path(file).parent) in PAGE
    assert [INSTALLED] == service["WorkingDirectory"]
    assert SHARED["REVERSE_ETL_HOME"] == f"/var/lib/{service['StateDirectory'][0]}"
    assert SHARED["REVERSE_ETL_SYNCS"].startswith(INSTALLED)


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Its own check of the files, with this environment's programs in place of those of an installation."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    for name in ALL:
        text = (DEPLOY / "systemd" / f"{name}.service").read_text()
        (tmp_path / f"{name}.service").write_text(text.replace(f"{INSTALLED}/.venv/bin", str(PROGRAMS)))
    verify = [
        "systemd-analyze",
        "verify",
        "--man=no",
        *(str(tmp_path / f"{name}.service") for name in ALL),
    ]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60)
    assert "" == "\n".join(line for line in done.stderr.splitlines() if "reverse-etl" in line)


@pytest.mark.parametrize("name", ALL)
def test_a_unit_may_do_little(name: str) -> None:
    """By systemd's own measure, from 0 to 10."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    file = DEPLOY / "systemd" / f"{name}.service"
    rating = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(file)]
    done = subprocess.run(rating, capture_output=True, text=True, timeout=60)
    assert 0 == done.returncode, done.stdout.splitlines()[-1:]

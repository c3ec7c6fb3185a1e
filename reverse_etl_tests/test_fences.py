"""The import contracts refuse what they are there for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import reverse_etl

PACKAGE = Path(reverse_etl.__file__).parent
CONTRACTS = PACKAGE.parent / ".importlinter"

PLANTED = {
    "sandbox/planted.py": "reverse_etl.destinations.base",
    "demo/planted.py": "reverse_etl.config.loader",
    "sources/planted.py": "reverse_etl.changeset.query",
    "sources/mysql/planted.py": "reverse_etl.sources.postgres.wire",
    "checks/planted.py": "reverse_etl.destinations.base",
    "delivery/planted.py": "reverse_etl.destinations.customerio.client",
    "destinations/postgres/planted.py": "reverse_etl.destinations.customerio.client",
    "state/planted.py": "reverse_etl.defs.jobs",
    "config/planted.py": "dagster",
    "changeset/planted.py": "pymysql",
}
"""A module, and what it must not import."""


def test_each_contract_refuses_what_it_is_there_for(tmp_path: Path) -> None:
    """Planted imports are reported, and nothing else."""
    package = tmp_path / "reverse_etl"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, imported in PLANTED.items():
        (package / name).write_text(f"import {imported}\n")
    expected = {(f"reverse_etl.{name.removesuffix('.py').replace('/', '.')}", to) for name, to in PLANTED.items()}

    assert expected == set(re.findall(r"- +(\S+) -> (\S+) \(l\.", _report(tmp_path)))


def test_every_module_has_its_place(tmp_path: Path) -> None:
    """A new one at the top must be put into the order of the rooms."""
    package = tmp_path / "reverse_etl"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "planted.py").touch()

    assert "planted" in _report(tmp_path)


def _report(folder: Path) -> str:
    """What `lint-imports` says of the package in a folder."""
    shutil.copy(CONTRACTS, folder)
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environment = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "500"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout

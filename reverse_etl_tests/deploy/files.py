"""The files of `deploy/`, as the tests read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from reverse_etl_tests.servers.deployment import DEPLOY

ROOT = DEPLOY.parent
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
PASSWORDS = {"DAGSTER_PG_PASSWORD": "change-me", "REVERSE_ETL_BROKER_PASSWORD": "change-me-too"}
"""What nothing starts without, and no file has."""


def variables(name: str) -> dict[str, str]:
    """A file of variables."""
    lines = [line for line in (DEPLOY / name).read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def loaded(path: Path) -> Any:
    """A YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def snake(name: str) -> str:
    """`maxRuntimeSeconds` as `max_runtime_seconds`."""
    return re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name)


def version() -> str:
    """This project's version."""
    (found,) = re.findall(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    return str(found)


SHARED = variables("dagster.env")
SQLITE = loaded(ROOT / "reverse_etl" / "defs" / "dagster.yaml")

"""What a person waits for: help has nothing to import. How fast files are read: ``ratios.files``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from reverse_etl_tests.project import Project

HEAVY = {
    *("asyncio", "clickhouse_connect", "dagster", "duckdb", "httpx", "numpy", "pandas", "psycopg", "pyarrow"),
    *("pydantic", "sqlalchemy", "sqlglot", "yaml"),
}


def test_help_imports_nothing_that_takes_long(project: Project) -> None:
    """`reverse-etl --help` as Python itself lists what was imported."""
    project.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    shown = project.command(str(Path(sys.executable).with_name("reverse-etl")), "--help")
    imported = {name.partition(".")[0] for name in re.findall(r"^import time:.*\| +([\w.]+)$", shown.stderr, re.M)}

    assert "Usage: reverse-etl" in shown.stdout
    assert {"typer", "reverse_etl"} <= imported
    assert set() == HEAVY & imported

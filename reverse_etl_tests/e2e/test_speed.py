"""What a person waits for: help at once, a thousand files in a breath."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from reverse_etl_tests.project import Project

SYNC = """\
description: Sync number {number}
database: shop
workspace: main
schedule: {{every: 1h, start_at: 2026-01-05T01:30:00Z}}
people: {{identify_by: id, segment: {{name: Everyone}}}}
query: |
  SELECT c.id, c.email, c.first_name, p.plan
  FROM customers AS c JOIN plans AS p ON p.customer_id = c.id
  WHERE c.updated_at >= {{{{last_sync_time}}}} AND c.region = {number}
checks:
  - not_null: plan
  - max_failed_rows: 5%
"""


def quickest(*command: str, times: int, folder: Path, environment: dict[str, str]) -> float:
    """The processor's seconds of the quickest of some runs: what a person waits when nothing else is in the way."""
    seconds = []
    for _ in range(times):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(seconds)


def test_help_comes_at_once(project: Project) -> None:
    """`reverse-etl --help` in less than half a second."""
    command = str(Path(sys.executable).with_name("reverse-etl"))
    environment = {key: value for key, value in project.env().items() if not key.startswith("COVERAGE")}
    assert 0.5 > quickest(command, "--help", times=5, folder=project.folder, environment=environment)


@pytest.mark.thorough
def test_a_thousand_files_are_validated_in_three_seconds(project: Project) -> None:
    """`reverse-etl validate` on 1,000 sync files."""
    for number in range(1000):
        project.write(f"team_{number % 10}/sync_{number}.yaml", SYNC.format(number=number))
    command = str(Path(sys.executable).with_name("reverse-etl"))
    environment = {key: value for key, value in project.env().items() if not key.startswith("COVERAGE")}
    assert 3 > quickest(command, "validate", times=3, folder=project.folder, environment=environment)

"""What folders of files cost, beside PyYAML's parser in C and sqlglot's parser over the same files."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import sqlglot
import yaml

from reverse_etl.config.loader import inspect_project
from reverse_etl_tests.config.projects import CONNECTIONS, write_project
from reverse_etl_tests.ratios import require

FILES = 1_000
NAMES = 300

SYNC = """\
description: Sync number {number}
database: server
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


def _parsed(syncs: Path) -> Callable[[], list[Any]]:
    """What every loader has to do at least: the files as values, their queries as trees."""

    def parse() -> list[Any]:
        files = [yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader) for path in sorted(syncs.rglob("*.yaml"))]
        queries = [re.sub(r"\{\{.*?\}\}", "0", values["query"]) for values in files if "query" in values]
        return [sqlglot.parse_one(query, read="mysql") for query in queries]

    return parse


def _read_in(below: float, files: Mapping[str, str], *, turns: int, syncs: int) -> None:
    """Raises AssertionError where reading a project is not below so many times parsing its files."""
    with tempfile.TemporaryDirectory() as folder:
        project = write_project(Path(folder), {"connections.yaml": CONNECTIONS, **files})
        found = inspect_project(project)
        assert (0, syncs, 1) == (len(found.problems), len(found.configs), len(found.warnings))
        require(below, lambda: inspect_project(project), _parsed(project), turns=turns)


def a_thousand_files_cost_little_more_than_parsing_them() -> None:
    """Reading, checking and binding all of them; what looked from each file at every other one would be beyond."""
    files = {f"team_{number % 10}/sync_{number}.yaml": SYNC.format(number=number) for number in range(FILES)}
    _read_in(2.5, files, turns=1, syncs=FILES)


def hundreds_of_names_cost_less_than_parsing_them() -> None:
    """Most columns are defined in the dictionary, some are not, one is missing."""
    names = [f"attribute_{number}" for number in range(NAMES)]
    terms = "".join(f"  {name}: {{type: text, description: One, required: true}}\n" for name in names)
    columns = ", ".join(f"{name} AS {name}" for name in names[10:-10])
    sync = f"database: server\nworkspace: main\nschedule: manual\npeople: {{}}\nquery: SELECT id, {columns} FROM c\n"
    files = {"dictionary.yaml": f"attributes:\n{terms}", "a.yaml": f"{sync}attributes: {{{names[5]}: }}\n"}
    _read_in(1.8, files, turns=3, syncs=1)


GUARDS: Final = (a_thousand_files_cost_little_more_than_parsing_them, hundreds_of_names_cost_less_than_parsing_them)

"""Every block of code of every page is tried, here or where `ELSEWHERE` says; YAML passes `validate`."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from reverse_etl.config.loader import inspect_project, load_project
from reverse_etl_tests.project import CREDENTIALS
from reverse_etl_tests.site.elsewhere import ELSEWHERE
from reverse_etl_tests.site.example_projects import write_alone, write_page
from reverse_etl_tests.site.pages import PAGES, ROOT, Block, blocks
from reverse_etl_tests.site.test_commands import RUN_HERE

EVERY = [block for page in PAGES for block in blocks(page)]
TESTS = ROOT / "reverse_etl_tests"


def _elsewhere(block: Block) -> list[tuple[str, str, str]]:
    """The entries of the list that are about a block."""
    return [
        each for each in ELSEWHERE if fnmatch(block.page, each[0]) and (block.language.split() or [""])[0] == each[1]
    ]


AFTER_DBT, SECURITY = "docs/recipes/after-dbt.md", "docs/security.md"
WARNS = {"docs/recipes/rename-attribute.md": "which syncs/dictionary.yaml:5 has as deprecated"}
"""Pages that are about a warning, and its words."""

ALONE = [b for b in EVERY if b.language == "yaml" and not b.file.startswith("syncs/") and not _elsewhere(b)]
WITH_FILES = sorted({b.page for b in EVERY if b.language == "yaml" and b.file.startswith("syncs/")})


@pytest.mark.parametrize("page", WITH_FILES)
def test_the_files_of_a_page_are_a_project(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Together, as they stand there, without a problem or a warning that the page does not speak of."""
    monkeypatch.chdir(tmp_path)
    for target in write_page(ROOT / page, tmp_path):
        found = inspect_project(Path("syncs"), target)
        assert [] == found.problems
        assert (1 if page in WARNS else 0) == len(found.warnings), found.warnings
        assert all(WARNS[page] in str(each) for each in found.warnings)


@pytest.mark.parametrize("block", ALONE, ids=lambda block: f"{block.page}:{block.line}")
def test_a_block_without_a_file_is_valid(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by itself, with what the page leaves out filled in."""
    monkeypatch.chdir(tmp_path)
    write_alone(block, ROOT / block.page, tmp_path)
    assert () == load_project(Path("syncs")).warnings


def test_every_block_is_tried_once() -> None:
    """Here, or where the list says; the list has nothing that is not there."""
    here = {
        "yaml": None,
        "console": {*RUN_HERE, "CONTRIBUTING.md"},
        "python": {AFTER_DBT},
        "sh": {SECURITY},
        "sql": {SECURITY},
    }

    def tried_here(block: Block) -> bool:
        language = (block.language.split() or [""])[0]
        return language in here and (here[language] is None or block.page in (here[language] or ()))

    assert [] == [
        (b.page, b.line, b.language) for b in EVERY if tried_here(b) == bool(_elsewhere(b)) and b.language != "yaml"
    ]
    assert [] == [each for each in ELSEWHERE if not any(each in _elsewhere(block) for block in EVERY)]
    named = [path for *_, where in ELSEWHERE for path in re.findall(r"[\w/]+\.py", where)]
    assert [] == [path for path in named if not (TESTS / path).is_file()]


@pytest.mark.parametrize(
    "line", [line for page in (ROOT / "CONTRIBUTING.md",) for b in blocks(page) for line in b.commands]
)
def test_each_make_target_exists(line: str) -> None:
    """Of the page about contributing."""
    done = subprocess.run(["make", "--dry-run", *line.split()[1:]], cwd=ROOT, capture_output=True, check=False)
    assert 0 == done.returncode, done.stderr


def test_the_syncs_stand_below_the_models_of_dbt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe's two files, as they stand there: the sync reads the model, and starts when it was made again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("REVERSE_ETL_HOME", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    write_page(ROOT / AFTER_DBT, tmp_path)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "translator", raising=False)
    definitions = runpy.run_path("definitions.py")["defs"]()
    specs = {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}
    changeset = specs["customers/customers_changeset"]
    assert ["customers"] == [dep.asset_key.to_user_string() for dep in changeset.deps]
    assert "syncs_after_others" in {sensor.name for sensor in definitions.sensors or ()}
    assert [] == [each.name for each in definitions.schedules or ()]
    monkeypatch.delitem(sys.modules, "translator", raising=False)
